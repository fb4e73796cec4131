/**
 * Reads the body that a runtime posts, as opaque bytes up to a limit: collected, or passed on as it arrives. A body over
 * the limit is read to its end and dropped, so that the client can finish writing and read its 413. A body that does not
 * end is cut off.
 */
import type { Readable } from 'node:stream';
import { ByteCollector } from '../http/byte-collector.ts';
import { type AnyRequest, bodyOf, isPlain } from '../http/plain-connection.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import type { CollectedBodies } from './collected-bodies.ts';
import type { ResponseSink } from './session.ts';

export type ReadBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'too-large' }
  /** The connection closed before the end of the body. */
  | { readonly kind: 'truncated' };

/** How much of a body that is too large is read before the connection is closed. */
const MAX_DISCARDED_BYTES = 256 * 1024 * 1024;

/** Returns a promise only if the body has not arrived yet. */
export function readBody(
  request: AnyRequest,
  limitBytes: number,
  collected: CollectedBodies,
): ReadBody | Promise<ReadBody> {
  if (isPlain(request) && request.wholeBody !== undefined) {
    const bytes = request.wholeBody;
    return bytes.length > limitBytes ? { kind: 'too-large' } : { kind: 'whole', bytes };
  }
  return collectBody(bodyOf(request), limitBytes, collected);
}

function collectBody(request: Readable, limitBytes: number, collected: CollectedBodies): Promise<ReadBody> {
  return new Promise((resolve) => {
    const collector = new ByteCollector();
    let length = 0;
    let taken = 0;
    const settle = (body: ReadBody): void => {
      collected.release(taken);
      taken = 0;
      resolve(body);
    };
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limitBytes) {
        // Only an environment that sends many bodies at once reaches this limit.
        if (!collected.take(chunk.length)) return void request.destroy();
        taken += chunk.length;
        collector.add(chunk);
      } else if (length > MAX_DISCARDED_BYTES) request.destroy();
      else collector.clear();
    });
    request.once('end', () => {
      if (length > limitBytes) settle({ kind: 'too-large' });
      else settle({ kind: 'whole', bytes: collector.bytes() });
    });
    // After 'end' this has no effect. A client that disconnects in the middle causes 'close', possibly after 'error'.
    request.once('close', () => settle({ kind: length > limitBytes ? 'too-large' : 'truncated' }));
    request.once('error', () => undefined);
  });
}

const EMPTY = Buffer.alloc(0);

/**
 * Passes a response on to a caller that reads it while it arrives. When the caller is slow, the rest waits in the
 * runtime's socket. Ends early, as truncated, once `isWanted` returns false.
 */
export async function passOn(request: AnyRequest, sink: ResponseSink, isWanted: () => boolean): Promise<ReadBody> {
  sink.begin(request.headers['content-type']);
  let length = 0;
  try {
    for await (const chunk of bodyOf(request) as AsyncIterable<Buffer>) {
      if (!isWanted()) return { kind: 'truncated' };
      length += chunk.length;
      if (length > QUOTAS.streamedResponseBytes) return { kind: 'too-large' };
      await sink.write(chunk);
    }
  } catch {
    return { kind: 'truncated' };
  }
  return request.complete ? { kind: 'whole', bytes: EMPTY } : { kind: 'truncated' };
}
