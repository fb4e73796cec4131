/**
 * The writable end of a streamed response. Pieces leave as they are written; an error on the way is told in trailers,
 * because what has left cannot be taken back. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
 */
import { Writable } from 'node:stream';
import type { ChunkedRequest } from '../http/keep-alive-connection.ts';
import { failureOf } from './failure.ts';

export type ResponseStreamOptions = {
  /** `application/octet-stream` unless said otherwise. */
  readonly contentType?: string;
  /** Bytes that may wait before `write` answers false. */
  readonly highWaterMark?: number;
};

/** What goes out before the first piece: given a way to send. */
type BeforeFirstWrite = (write: (piece: Uint8Array | string) => void) => void;

/** The trailers are declared, so that a server keeps them. */
const HEADERS =
  'Lambda-Runtime-Function-Response-Mode: streaming\r\n' +
  'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n';

export class ResponseStream extends Writable {
  /** Set by AWS's `HttpResponseStream.from`, also by copies of it in libraries. */
  _onBeforeFirstWrite: BeforeFirstWrite | undefined;
  readonly #request: ChunkedRequest;
  #contentType: string;
  #hasBegun = false;
  #trailers: string | undefined;

  constructor(open: (headers: () => string) => ChunkedRequest, options: ResponseStreamOptions = {}) {
    super({
      decodeStrings: false,
      ...(options.highWaterMark !== undefined && { highWaterMark: options.highWaterMark }),
    });
    this.#contentType = options.contentType ?? 'application/octet-stream';
    this.#request = open(() => `${HEADERS}Content-Type: ${this.#contentType}\r\n`);
    this.#request.answer.catch((failure) => this.destroy(failure));
  }

  /** Throws once something has been written. */
  setContentType(contentType: string): void {
    if (this.#hasBegun) {
      const failure = new Error('Cannot set content-type, too late.');
      failure.name = 'Runtime.InvalidStreamingOperation';
      throw failure;
    }
    this.#contentType = contentType.replace(/[\r\n]/g, ' ');
  }

  /** As AWS's: what is neither text nor bytes is written as JSON. */
  override write(chunk: unknown, ...rest: never[]): boolean {
    const isRaw = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(isRaw ? chunk : JSON.stringify(chunk), ...rest);
  }

  /** Ends the stream and tells what went wrong; resolves once it is out. */
  fail(thrown: unknown): Promise<void> {
    const failure = failureOf(thrown);
    const body = Buffer.from(JSON.stringify(failure)).toString('base64');
    const errorType = failure.errorType.replace(/[^!-~]/g, '_');
    this.#trailers = `Lambda-Runtime-Function-Error-Type: ${errorType}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`;
    // What was written before goes out first.
    if (!this.writableEnded) this.end();
    return this.#request.answer.then(
      () => undefined,
      () => undefined,
    );
  }

  /** Settles once Lambda has taken the whole response. */
  get accepted(): Promise<void> {
    return this.#request.answer.then(() => undefined);
  }

  override _write(chunk: Uint8Array | string, encoding: BufferEncoding, done: (failure?: Error | null) => void): void {
    this.#begin();
    const isOther = typeof chunk === 'string' && encoding !== 'utf8' && encoding !== 'utf-8';
    this.#request.write(isOther ? Buffer.from(chunk, encoding) : chunk, done);
  }

  override _final(done: (failure?: Error | null) => void): void {
    // A failure before the first piece is sent without what was to go before that piece.
    if (this.#trailers === undefined) this.#begin();
    this.#request.end(this.#trailers);
    done();
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this._onBeforeFirstWrite?.((piece) => this.#request.write(piece, () => undefined));
  }
}
