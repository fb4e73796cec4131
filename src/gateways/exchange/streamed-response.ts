/**
 * The streamed response of a function, for URLs with RESPONSE_STREAM: an optional prelude with status and headers, then
 * bytes. Only the prelude is buffered, up to a limit. A slow client slows down the function.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
 */
import type { ResponseSink } from '../../environment/invocation.ts';
import { ByteCollector } from '../../http/byte-collector.ts';
import { isObject, parseCookies, parseHeaders, parseJson, parseStatus } from './function-response.ts';
import type { Header } from './gateway-request.ts';
import { MalformedResponse } from './proxy-integration.ts';

export type StreamedHead = {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly cookies: readonly string[];
};

/** Where the response goes. */
export type StreamedOutlet = {
  /** Sends status and headers. Called once, before `write`. */
  head(head: StreamedHead): void;
  /** Sends bytes. Resolves when the client can take more. */
  write(chunk: Buffer): void | Promise<void>;
};

const WITH_PRELUDE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);
/** AWS documents no limit. Clients refuse more headers than this. */
const PRELUDE_BYTES = 1024 * 1024;

export class StreamedResponse implements ResponseSink {
  readonly #outlet: StreamedOutlet;
  #contentType: string | undefined;
  /** The pieces of an incomplete prelude. */
  #prelude: ByteCollector | undefined;
  #preludeBytes = 0;
  #preludeTail = Buffer.alloc(0);
  #isHeadSent = false;
  #failure: MalformedResponse | undefined;

  constructor(outlet: StreamedOutlet) {
    this.#outlet = outlet;
  }

  /** Whether status and headers have been sent. */
  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** Why the response is invalid. Later bytes of the function are discarded. */
  get failure(): MalformedResponse | undefined {
    return this.#failure;
  }

  begin(contentType: string | undefined): void {
    this.#contentType = contentType;
    if (contentType?.split(';', 1)[0]?.trim().toLowerCase() === WITH_PRELUDE) this.#prelude = new ByteCollector();
  }

  write(chunk: Buffer): void | Promise<void> {
    if (this.#failure !== undefined) return;
    if (this.#prelude === undefined) {
      this.#sendHead();
      return this.#outlet.write(chunk);
    }
    const rest = this.#readPrelude(this.#prelude, chunk);
    return rest !== undefined && rest.length > 0 ? this.#outlet.write(rest) : undefined;
  }

  /**
   * Ends the response. One without a byte still has status and headers. A prelude may lack its eight NUL bytes, or some
   * of them, when no body follows it: its JSON is complete. A stream that ends before any byte of its prelude gets 200
   * without headers, as recorded in aws-lambda-nodejs-runtime-interface-client issue 97.
   */
  end(): void {
    const pieces = this.#prelude;
    if (pieces !== undefined && this.#failure === undefined) {
      const held = pieces.bytes();
      this.#prelude = undefined;
      const nuls = held.indexOf(0);
      const json = nuls >= 0 && held.subarray(nuls).every((byte) => byte === 0) ? held.subarray(0, nuls) : held;
      if (held.length > 0) this.#takePrelude(json, ', and is not followed by eight NUL bytes');
      else this.#contentType = undefined;
    }
    if (this.#failure === undefined) this.#sendHead();
  }

  /** Returns the bytes after the prelude; undefined while it is incomplete, and if it is invalid. */
  #readPrelude(pieces: ByteCollector, chunk: Buffer): Buffer | undefined {
    // The eight NUL bytes may be split between chunks, so the last seven bytes are searched again.
    const searched = Buffer.concat([this.#preludeTail, chunk]);
    const at = searched.indexOf(PRELUDE_END);
    pieces.add(chunk);
    this.#preludeBytes += chunk.length;
    if (at < 0) {
      this.#preludeTail = searched.subarray(-(PRELUDE_END.length - 1));
      if (this.#preludeBytes > PRELUDE_BYTES) this.#fail(`the prelude is longer than ${PRELUDE_BYTES} bytes`);
      return undefined;
    }
    const held = pieces.bytes();
    const end = held.length - searched.length + at;
    this.#prelude = undefined;
    this.#takePrelude(held.subarray(0, end));
    return this.#failure === undefined ? held.subarray(end + PRELUDE_END.length) : undefined;
  }

  #takePrelude(prelude: Buffer, ending = ''): void {
    try {
      const json = prelude.length === 0 ? { value: {} } : parseJson(prelude);
      if (json === undefined || !isObject(json.value)) {
        throw new MalformedResponse(`the prelude is not a JSON object${ending}`);
      }
      const { statusCode, headers, cookies } = json.value;
      this.#sendHead({
        status: parseStatus(statusCode ?? 200, 'function-url'),
        headers: parseHeaders(headers, 'function-url'),
        cookies: parseCookies(cookies),
      });
    } catch (failure) {
      if (!(failure instanceof MalformedResponse)) throw failure;
      this.#failure = failure;
    }
  }

  #sendHead(head?: StreamedHead): void {
    if (this.#isHeadSent) return;
    this.#isHeadSent = true;
    const contentType: Header[] = this.#contentType === undefined ? [] : [['Content-Type', this.#contentType]];
    this.#outlet.head(head ?? { status: 200, headers: contentType, cookies: [] });
  }

  #fail(what: string): void {
    this.#failure = new MalformedResponse(what);
    this.#prelude = undefined;
  }
}
