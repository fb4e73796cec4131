/**
 * Reads a request body with a size limit that applies while it streams: an oversized body is never buffered, and one
 * with a `Content-Length` over the limit is refused before a byte is read. A body waits for room in the memory of all
 * bodies (`body-budget.ts`) before it is read. Does not decode aws-chunked bodies.
 */

import type { Readable } from 'node:stream';
import { roomOf } from './body-budget.ts';
import { ByteCollector } from './byte-collector.ts';
import type { HttpRequest } from './exchange.ts';
import { type AnyRequest, bodyOf, isPlain } from './plain-connection.ts';

export type BodyFailureReason =
  /** Longer than the limit, by its Content-Length or by the bytes received. */
  | 'too-large'
  /** The client disconnected before the end. */
  | 'aborted'
  /** There is no room for it: others use all of it, or it arrived so slowly that others got its room. */
  | 'busy';

const MESSAGES: Readonly<Record<Exclude<BodyFailureReason, 'too-large'>, string>> = {
  aborted: 'the client aborted the request',
  busy: 'The service has no room for the request body, because other requests use all of it. Send the request again.',
};

/** Why a body could not be read. The connection stays usable unless it was aborted: the rest of the body is discarded. */
export class BodyFailure extends Error {
  readonly reason: BodyFailureReason;
  readonly limitBytes: number;

  constructor(reason: BodyFailureReason, limitBytes: number) {
    super(reason === 'too-large' ? `the request body exceeds ${limitBytes} bytes` : MESSAGES[reason]);
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
  const collector = roomOf(request) && declaredBytes(request) > 0 ? new WholeBody(request) : new ByteCollector();
  await eachPiece(request, limitBytes, (piece) => collector.add(piece));
  return collector.bytes();
}

/**
 * Collects a body of known size in one buffer. A large one is a mapping of its own, whose pages exist once they are written
 * and are returned at once, unlike those of many pieces.
 */
class WholeBody {
  readonly #request: AnyRequest;
  #bytes: Buffer | undefined;
  #length = 0;

  constructor(request: AnyRequest) {
    this.#request = request;
  }

  add(piece: Buffer): void {
    // With the first piece: until then it waits for room.
    this.#bytes ??= Buffer.allocUnsafeSlow(declaredBytes(this.#request));
    this.#length += piece.copy(this.#bytes, this.#length);
  }

  bytes(): Buffer {
    return (this.#bytes ?? NOTHING).subarray(0, this.#length);
  }
}

const NOTHING = Buffer.alloc(0);

function declaredBytes({ headers }: AnyRequest): number {
  return Number(headers['content-length'] ?? 0);
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
    const room = roomOf(request);
    const declared = declaredBytes(request);
    let received = 0;
    const onData = (piece: Buffer) => {
      received += piece.length;
      if (received > limitBytes) return refuse('too-large');
      take(piece);
      if (room === undefined) return;
      room.received += piece.length;
      // Only chunked bodies outgrow their room.
      if (!room.reserveStep(received, onRoom)) body.pause();
    };
    const onEnd = () => {
      stop();
      room?.complete();
      resolve();
    };
    const onAbort = () => {
      stop();
      room?.release();
      reject(new BodyFailure('aborted', limitBytes));
    };
    const stop = () => {
      body.off('data', onData).off('end', onEnd).off('error', onAbort).off('close', onAbort);
    };
    const refuse = (reason: BodyFailureReason) => {
      stop();
      room?.release();
      discardRest(body);
      reject(new BodyFailure(reason, limitBytes));
    };
    const onRoom = (isGranted: boolean) => {
      if (!isGranted) return refuse('busy');
      body.off('data', onData).on('data', onData);
      body.resume();
    };
    if (declared > limitBytes) return refuse('too-large');
    if (body.destroyed && !body.readableEnded) return reject(new BodyFailure('aborted', limitBytes));
    body.on('end', onEnd).on('error', onAbort).on('close', onAbort);
    if (room === undefined) return void body.on('data', onData);
    room.onSlow = () => refuse('busy');
    if (room.reserve(declared, onRoom)) body.on('data', onData);
  });
}

function discardRest(body: Readable): void {
  let discarded = 0;
  body.on('error', () => {});
  body.on('data', (piece: Buffer) => {
    discarded += piece.length;
    if (discarded > MAX_DISCARDED_BYTES) body.destroy();
  });
  body.resume();
}
