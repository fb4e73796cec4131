/**
 * Reads a request body with a size limit that applies while it streams: an oversized body is never buffered, and one
 * with a `Content-Length` over the limit is refused before a byte is read. Does not decode aws-chunked bodies.
 */

import type { Readable } from 'node:stream';
import { ByteCollector } from './byte-collector.ts';
import type { HttpRequest } from './exchange.ts';
import { type AnyRequest, bodyOf, isPlain } from './plain-connection.ts';

export type BodyFailureReason =
  /** Longer than the limit, by its Content-Length or by the bytes received. */
  | 'too-large'
  /** The client disconnected before the end. */
  | 'aborted';

/** Why a body could not be read. After `too-large` the connection stays usable: the rest of the body is discarded. */
export class BodyFailure extends Error {
  readonly reason: BodyFailureReason;
  readonly limitBytes: number;

  constructor(reason: BodyFailureReason, limitBytes: number) {
    super(reason === 'too-large' ? `the request body exceeds ${limitBytes} bytes` : 'the client aborted the request');
    this.name = 'BodyFailure';
    this.reason = reason;
    this.limitBytes = limitBytes;
  }
}

/**
 * How much of a refused body to discard before the connection is cut. Most clients read the response only after they
 * have sent the whole body.
 */
const MAX_DISCARDED_BYTES = 256 * 1024 * 1024;

/**
 * Reads the whole body, of at most `limitBytes` bytes. Call it once per request, before anything else reads the body.
 * @throws BodyFailure
 */
export async function readBody(request: AnyRequest, limitBytes: number): Promise<Buffer> {
  if (isPlain(request) && request.wholeBody !== undefined) {
    if (request.wholeBody.length > limitBytes) throw new BodyFailure('too-large', limitBytes);
    return request.wholeBody;
  }
  const ahead = readAhead.get(request);
  if (ahead instanceof BodyFailure) throw ahead;
  if (ahead !== undefined) {
    if (ahead.length > limitBytes) throw new BodyFailure('too-large', limitBytes);
    return ahead;
  }
  const collector = new ByteCollector();
  await eachPiece(request, limitBytes, (piece) => collector.add(piece));
  return collector.bytes();
}

const readAhead = new WeakMap<AnyRequest, Buffer | BodyFailure>();

/**
 * Reads the body before the service does, to verify a signature that covers it. `readBody` then returns the same bytes
 * or throws the same failure. Returns undefined when reading failed.
 */
export async function readBodyAhead(request: HttpRequest, limitBytes: number): Promise<Buffer | undefined> {
  try {
    const body = await readBody(request, limitBytes);
    readAhead.set(request, body);
    return body;
  } catch (failure) {
    if (!(failure instanceof BodyFailure)) throw failure;
    readAhead.set(request, failure);
    return undefined;
  }
}

function eachPiece(request: AnyRequest, limitBytes: number, take: (piece: Buffer) => void): Promise<void> {
  const body = bodyOf(request);
  return new Promise((resolve, reject) => {
    const refuse = () => {
      discardRest(body);
      reject(new BodyFailure('too-large', limitBytes));
    };
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) return refuse();
    if (body.destroyed && !body.readableEnded) return reject(new BodyFailure('aborted', limitBytes));
    let received = 0;
    const onData = (piece: Buffer) => {
      received += piece.length;
      if (received > limitBytes) {
        stop();
        refuse();
      } else {
        take(piece);
      }
    };
    const onEnd = () => {
      stop();
      resolve();
    };
    const onAbort = () => {
      stop();
      reject(new BodyFailure('aborted', limitBytes));
    };
    const stop = () => {
      body.off('data', onData).off('end', onEnd).off('error', onAbort).off('close', onAbort);
    };
    body.on('data', onData).on('end', onEnd).on('error', onAbort).on('close', onAbort);
  });
}

function discardRest(body: Readable): void {
  let discarded = 0;
  body.on('error', () => {});
  body.on('data', (piece: Buffer) => {
    discarded += piece.length;
    if (discarded > MAX_DISCARDED_BYTES) body.destroy();
  });
}
