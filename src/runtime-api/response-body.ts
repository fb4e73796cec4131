/**
 * Reads what a runtime posts, as opaque bytes, up to a limit. A body over the limit is read to its end and dropped, so
 * that the client can finish writing and read its 413; one that never ends is cut off.
 */
import type { HttpRequest } from '../http/exchange.ts';

export type ReadBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'too-large' }
  /** The connection closed before the body's end. */
  | { readonly kind: 'truncated' };

/** How much of a body that is too large is still read before the connection is cut. */
const PATIENCE_BYTES = 256 * 1024 * 1024;

export function readBody(request: HttpRequest, limitBytes: number): Promise<ReadBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limitBytes) chunks.push(chunk);
      else if (length > PATIENCE_BYTES) request.destroy();
      else chunks.length = 0;
    });
    request.once('end', () => {
      if (length > limitBytes) resolve({ kind: 'too-large' });
      else
        resolve({ kind: 'whole', bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length) });
    });
    // After 'end' this changes nothing. A client that goes away in the middle causes 'close', maybe after 'error'.
    request.once('close', () => resolve({ kind: length > limitBytes ? 'too-large' : 'truncated' }));
    request.once('error', () => undefined);
  });
}
