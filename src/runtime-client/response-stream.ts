/**
 * The writable side of a streamed response. Chunks are sent as they are written. An error is reported in trailers,
 * because chunks that have been sent cannot be withdrawn.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
 */
import { Writable } from 'node:stream';
import type { ChunkedRequest } from '../http/keep-alive-connection.ts';
import { failureOf, renderTrailer } from './failure.ts';

export type ResponseStreamOptions = {
  /** Defaults to `application/octet-stream`. */
  readonly contentType?: string;
  /** Buffered bytes from which `write` returns false. */
  readonly highWaterMark?: number;
  /** Whether the prelude of `_onBeforeFirstWrite` is also sent when `write` was never called, only `end`. Defaults to true. */
  readonly beginsAtEnd?: boolean;
};

/** Sends a prelude before the first chunk. */
type BeforeFirstWrite = (write: (chunk: Uint8Array | string) => void) => void;

/** Servers keep only trailers that are declared. */
const HEADERS =
  'Lambda-Runtime-Function-Response-Mode: streaming\r\n' +
  'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n';

export class ResponseStream extends Writable {
  /** Set by AWS's `HttpResponseStream.from` and by copies of it in libraries. */
  _onBeforeFirstWrite: BeforeFirstWrite | undefined;
  /** Resolves when Lambda has accepted the complete response. Rejects when the stream is destroyed before its end. */
  readonly accepted: Promise<void>;
  readonly #request: ChunkedRequest;
  #contentType: string;
  readonly #beginsAtEnd: boolean;
  #hasStarted = false;
  /** Whether the last chunk has been sent. */
  #isSent = false;
  #trailers = '';
  #breakOff: (failure: Error) => void = () => undefined;

  constructor(open: (headers: () => string) => ChunkedRequest, options: ResponseStreamOptions = {}) {
    super({
      decodeStrings: false,
      ...(options.highWaterMark !== undefined && { highWaterMark: options.highWaterMark }),
    });
    this.#contentType = options.contentType ?? 'application/octet-stream';
    this.#beginsAtEnd = options.beginsAtEnd ?? true;
    this.#request = open(() => `${HEADERS}Content-Type: ${this.#contentType}\r\n`);
    this.#request.response.catch((failure) => this.destroy(failure));
    this.accepted = new Promise((resolve, reject) => {
      this.#breakOff = reject;
      this.#request.response.then(() => resolve(), reject);
    });
    // Without this, a rejection would be unhandled if the caller does not use `accepted`.
    this.accepted.catch(() => undefined);
  }

  /** Throws after the first write. */
  setContentType(contentType: string): void {
    if (this.#hasStarted) {
      const failure = new Error('Cannot set content-type, too late.');
      failure.name = 'Runtime.InvalidStreamingOperation';
      throw failure;
    }
    this.#contentType = contentType.replace(/[\r\n]/g, ' ');
  }

  /** As in AWS's runtime, values other than text and bytes are written as JSON. */
  override write(chunk: unknown, ...rest: never[]): boolean {
    // Every stream rejects null and undefined.
    const isRaw = typeof chunk === 'string' || chunk instanceof Uint8Array || (chunk ?? null) === null;
    if (!this.writableEnded && (chunk ?? null) !== null) this.#start(true);
    return super.write(isRaw ? chunk : JSON.stringify(chunk), ...rest);
  }

  /**
   * Ends the stream and reports an error in its trailers; resolves when they have been sent. A stream that has already
   * ended is not changed: the caller does not learn of later errors.
   */
  fail(thrown: unknown): Promise<void> {
    const failure = failureOf(thrown);
    const body = renderTrailer(failure);
    const errorType = failure.errorType.replace(/[^!-~]/g, '_');
    this.#trailers = `Lambda-Runtime-Function-Error-Type: ${errorType}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`;
    if (this.destroyed) this.#end(this.#trailers);
    // Chunks that were written before are sent first.
    else if (this.writableEnded) this.#trailers = '';
    else this.end();
    return this.#request.response.then(
      () => undefined,
      () => undefined,
    );
  }

  override _write(chunk: Uint8Array | string, encoding: BufferEncoding, done: (failure?: Error | null) => void): void {
    this.#start(this.#beginsAtEnd);
    const isOther = typeof chunk === 'string' && encoding !== 'utf8' && encoding !== 'utf-8';
    this.#request.write(isOther ? Buffer.from(chunk, encoding) : chunk, done);
  }

  override _final(done: (failure?: Error | null) => void): void {
    // An error before the first chunk is sent without the prelude.
    if (this.#trailers === '') this.#start(this.#beginsAtEnd);
    this.#end(this.#trailers);
    done();
  }

  /** A failing pipeline or a write after the end can destroy the stream while the request is still open. */
  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    if (!this.#isSent) this.#breakOff(failure ?? new Error('Response stream is not finished.'));
    done(failure);
  }

  #end(trailers: string): void {
    if (this.#isSent) return;
    this.#isSent = true;
    this.#request.end(trailers);
  }

  #start(sendsPrelude: boolean): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    if (sendsPrelude) this._onBeforeFirstWrite?.((chunk) => this.#request.write(chunk, () => undefined));
  }
}
