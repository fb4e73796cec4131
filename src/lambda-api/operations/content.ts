/**
 * Downloads of code and layers: what `Code.Location` and `Content.Location` point to. On AWS these are presigned URLs
 * of S3; here they are paths on the API port with a signature of this process, good until it ends.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { ContentDigest } from '../../layers/layer.ts';
import { ANSWER_HEADERS } from '../../protocol/headers.ts';
import type { ApiCall } from '../../wire/api-call.ts';

/** No operation of Lambda's begins like this. */
export const CONTENT_PREFIX = '/_content/';

export interface ContentDownloads {
  /** The URL of a zip, as the caller reaches this service. */
  locate(baseUrl: string, digest: ContentDigest): string;
  /** Answers a request below `CONTENT_PREFIX`. */
  answer(call: ApiCall, path: string, query: URLSearchParams): Promise<void>;
}

export function createContentDownloads(pathOf: (digest: ContentDigest) => string): ContentDownloads {
  const secret = randomBytes(32);
  const sign = (digest: string) => createHmac('sha256', secret).update(digest).digest('hex');

  return {
    locate: (baseUrl, digest) => `${baseUrl}${CONTENT_PREFIX}${digest}?signature=${sign(digest)}`,
    async answer({ request, response, requestId }, path, query) {
      response.setHeader(ANSWER_HEADERS.requestId, requestId);
      const digest = path.slice(CONTENT_PREFIX.length);
      const signature = Buffer.from(query.get('signature') ?? '');
      const expected = Buffer.from(sign(digest));
      if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
        return refuse(response, 403, 'The URL is not of this service, or the service was started again since.');
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return refuse(response, 405, 'Only GET and HEAD are answered here.');
      }
      const file = pathOf(digest as ContentDigest);
      const size = await stat(file).then(
        (stats) => stats.size,
        () => undefined,
      );
      if (size === undefined) return refuse(response, 404, 'The content was deleted.');
      response.writeHead(200, { 'content-type': 'application/zip', 'content-length': size });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      // A client that goes away, or a file that does, ends the answer where it is; there is nobody to tell.
      await pipeline(createReadStream(file), response).catch(() => response.destroy());
    },
  };
}

function refuse(response: ApiCall['response'], status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ Message: message }));
}
