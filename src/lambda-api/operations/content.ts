/**
 * Downloads of code and layers: the targets of `Code.Location` and `Content.Location`. On AWS these are presigned S3
 * URLs. Here they are paths on the API port, signed with a key of this process and valid until it ends.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { ContentDigest } from '../../layers/layer.ts';
import { RESPONSE_HEADERS } from '../../protocol/headers.ts';
import type { ApiCall } from '../../wire/api-call.ts';

/** No path of a Lambda operation begins with this. */
export const CONTENT_PREFIX = '/_content/';

export interface ContentDownloads {
  /** The URL of a zip, at the address that the client uses. */
  locate(baseUrl: string, digest: ContentDigest): string;
  /** Handles a request below `CONTENT_PREFIX`. */
  serve(call: ApiCall, path: string, query: URLSearchParams): Promise<void>;
}

export function createContentDownloads(pathOf: (digest: ContentDigest) => string): ContentDownloads {
  const secret = randomBytes(32);
  const sign = (digest: string) => createHmac('sha256', secret).update(digest).digest('hex');

  return {
    locate: (baseUrl, digest) => `${baseUrl}${CONTENT_PREFIX}${digest}?signature=${sign(digest)}`,
    async serve({ request, response, requestId }, path, query) {
      response.setHeader(RESPONSE_HEADERS.requestId, requestId);
      const digest = path.slice(CONTENT_PREFIX.length);
      const signature = Buffer.from(query.get('signature') ?? '');
      const expected = Buffer.from(sign(digest));
      if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
        return refuse(
          response,
          403,
          'This URL is not valid, or it was issued before the service restarted. Request a new one.',
        );
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return refuse(response, 405, 'Use GET or HEAD to download content.');
      }
      const file = pathOf(digest as ContentDigest);
      const size = await stat(file).then(
        (stats) => stats.size,
        () => undefined,
      );
      if (size === undefined) return refuse(response, 404, 'This content has been deleted.');
      response.writeHead(200, { 'content-type': 'application/zip', 'content-length': size });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      // When the client disconnects or the file disappears, end the response: its head is already sent.
      await pipeline(createReadStream(file), response).catch(() => response.destroy());
    },
  };
}

function refuse(response: ApiCall['response'], status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ Message: message }));
}
