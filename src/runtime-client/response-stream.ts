/**
 * The writable end of a streamed response. Pieces leave as they are written; an error on the way is told in trailers,
 * because what has left cannot be taken back. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
 */
import { Writable } from 'node:stream';
import type { ChunkedRequest } from '../http/keep-alive-connection.ts';
import { failureOf, renderTrailer } from './failure.ts';

export type ResponseStreamOptions = {
  /** `application/octet-stream` unless said otherwise. */
  readonly contentType?: string;
  /** Bytes that may wait before `write` answers false. */
  readonly highWaterMark?: number;
  /** Whether what goes before the first piece goes also where nothing was written but by `end`; true unless said otherwise. */
  readonly beginsAtEnd?: boolean;
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
  /** Settles once Lambda has taken the whole response; rejects when the stream is destroyed before its end. */
  readonly accepted: Promise<void>;
  readonly #request: ChunkedRequest;
  #contentType: string;
  readonly #beginsAtEnd: boolean;
  #hasBegun = false;
  /** The last chunk has been sent. */
  #isOut = false;
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
    // Whoever does not wait for it need not hear of it.
    this.accepted.catch(() => undefined);
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
    // null and undefined are refused by every stream.
    const isRaw = typeof chunk === 'string' || chunk instanceof Uint8Array || (chunk ?? null) === null;
    if (!this.writableEnded && (chunk ?? null) !== null) this.#begin(true);
    return super.write(isRaw ? chunk : JSON.stringify(chunk), ...rest);
  }

  /**
   * Ends the stream and tells what went wrong; resolves once it is out. A response that has been ended stays what it is:
   * what fails afterwards does not concern the invoker.
   */
  fail(thrown: unknown): Promise<void> {
    const failure = failureOf(thrown);
    const body = renderTrailer(failure);
    const errorType = failure.errorType.replace(/[^!-~]/g, '_');
    this.#trailers = `Lambda-Runtime-Function-Error-Type: ${errorType}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`;
    if (this.destroyed) this.#end(this.#trailers);
    // What was written before goes out first.
    else if (this.writableEnded) this.#trailers = '';
    else this.end();
    return this.#request.response.then(
      () => undefined,
      () => undefined,
    );
  }

  override _write(chunk: Uint8Array | string, encoding: BufferEncoding, done: (failure?: Error | null) => void): void {
    this.#begin(this.#beginsAtEnd);
    const isOther = typeof chunk === 'string' && encoding !== 'utf8' && encoding !== 'utf-8';
    this.#request.write(isOther ? Buffer.from(chunk, encoding) : chunk, done);
  }

  override _final(done: (failure?: Error | null) => void): void {
    // A failure before the first piece is sent without what was to go before that piece.
    if (this.#trailers === '') this.#begin(this.#beginsAtEnd);
    this.#end(this.#trailers);
    done();
  }

  /** A stream can be destroyed by a pipeline that fails, or by writing after the end; the request is still open then. */
  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    if (!this.#isOut) this.#breakOff(failure ?? new Error('Response stream is not finished.'));
    done(failure);
  }

  #end(trailers: string): void {
    if (this.#isOut) return;
    this.#isOut = true;
    this.#request.end(trailers);
  }

  #begin(announces: boolean): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (announces) this._onBeforeFirstWrite?.((piece) => this.#request.write(piece, () => undefined));
  }
}
