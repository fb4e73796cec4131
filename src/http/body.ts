/**
 * Reads a request's body with a limit that holds while it streams: an oversized body is never buffered, and one that
 * says its size is refused before a byte is read. Content coding (aws-chunked) is not undone here.
 */
import type { HttpRequest } from './exchange.ts';

export type BodyFailureReason =
  /** Longer than the limit, by its own declaration or as it came in. */
  | 'too-large'
  /** The client went away before the end. */
  | 'aborted';

/** Why a body could not be read. After `too-large` the connection still works: what follows is thrown away unread. */
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

/** A client that goes on sending after a refusal is listened to for this much longer, so that it reads the answer. */
const PATIENCE_BYTES = 256 * 1024 * 1024;

/**
 * The whole body, of at most `limitBytes` bytes. To be called once for a request, and before anything else reads it.
 * @throws BodyFailure
 */
export async function readBody(request: HttpRequest, limitBytes: number): Promise<Buffer> {
  const ahead = readAhead.get(request);
  if (ahead instanceof BodyFailure) throw ahead;
  if (ahead !== undefined) {
    if (ahead.length > limitBytes) throw new BodyFailure('too-large', limitBytes);
    return ahead;
  }
  const pieces: Buffer[] = [];
  await eachPiece(request, limitBytes, (piece) => pieces.push(piece));
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
}

const readAhead = new WeakMap<HttpRequest, Buffer | BodyFailure>();

/**
 * Reads the body for someone who must see it before its service does (a signature covers it). `readBody` then answers
 * with the same bytes, or the same failure; undefined when it failed.
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

function eachPiece(request: HttpRequest, limitBytes: number, take: (piece: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = () => {
      discardRest(request);
      reject(new BodyFailure('too-large', limitBytes));
    };
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) return refuse();
    if (request.destroyed && !request.readableEnded) return reject(new BodyFailure('aborted', limitBytes));
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
      request.off('data', onData).off('end', onEnd).off('error', onAbort).off('close', onAbort);
    };
    request.on('data', onData).on('end', onEnd).on('error', onAbort).on('close', onAbort);
  });
}

function discardRest(request: HttpRequest): void {
  let discarded = 0;
  request.on('error', () => {});
  request.on('data', (piece: Buffer) => {
    discarded += piece.length;
    if (discarded > PATIENCE_BYTES) request.destroy();
  });
}
