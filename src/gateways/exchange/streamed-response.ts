/**
 * A function's answer as it is written, for URLs with RESPONSE_STREAM: the prelude with status and headers, when the
 * function sends one, then bytes. Only the prelude is held, up to a limit; what the client is slow to take waits with
 * the function. https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
 */
import type { ResponseSink } from '../../environment/invocation.ts';
import { isObject, parseCookies, parseHeaders, parseJson, parseStatus } from './function-response.ts';
import type { Header } from './gateway-request.ts';
import { MalformedResponse } from './proxy-integration.ts';

export type StreamedHead = {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly cookies: readonly string[];
};

/** Where the bytes go. */
export type StreamedOutlet = {
  /** Sends status and headers; called once, before anything else. */
  head(head: StreamedHead): void;
  /** Resolves when more may come. */
  write(chunk: Buffer): void | Promise<void>;
};

const WITH_PRELUDE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);
/** AWS does not say how long a prelude may be; headers beyond this reach no client. */
const PRELUDE_BYTES = 1024 * 1024;

export class StreamedResponse implements ResponseSink {
  readonly #outlet: StreamedOutlet;
  #contentType: string | undefined;
  /** What came of a prelude that is not complete yet, piece by piece. */
  #prelude: Buffer[] | undefined;
  #preludeBytes = 0;
  #preludeTail = Buffer.alloc(0);
  #isHeadSent = false;
  #failure: MalformedResponse | undefined;

  constructor(outlet: StreamedOutlet) {
    this.#outlet = outlet;
  }

  /** Whether the client has status and headers. */
  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** Why this is no answer; what the function still writes is thrown away. */
  get failure(): MalformedResponse | undefined {
    return this.#failure;
  }

  begin(contentType: string | undefined): void {
    this.#contentType = contentType;
    if (contentType?.split(';', 1)[0]?.trim().toLowerCase() === WITH_PRELUDE) this.#prelude = [];
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

  /** The function has answered to its end: an answer without a byte has a head all the same. */
  end(): void {
    if (this.#prelude !== undefined) this.#fail('the prelude is not followed by eight NUL bytes');
    if (this.#failure === undefined) this.#sendHead();
  }

  /** What is behind the prelude; undefined while it goes on, and if it is none. */
  #readPrelude(pieces: Buffer[], chunk: Buffer): Buffer | undefined {
    // The end may lie across chunks: what could be its beginning is searched again.
    const searched = Buffer.concat([this.#preludeTail, chunk]);
    const at = searched.indexOf(PRELUDE_END);
    pieces.push(chunk);
    this.#preludeBytes += chunk.length;
    if (at < 0) {
      this.#preludeTail = searched.subarray(-(PRELUDE_END.length - 1));
      if (this.#preludeBytes > PRELUDE_BYTES) this.#fail(`the prelude is longer than ${PRELUDE_BYTES} bytes`);
      return undefined;
    }
    const held = Buffer.concat(pieces);
    const end = held.length - searched.length + at;
    this.#prelude = undefined;
    this.#takePrelude(held.subarray(0, end));
    return this.#failure === undefined ? held.subarray(end + PRELUDE_END.length) : undefined;
  }

  #takePrelude(prelude: Buffer): void {
    try {
      const json = prelude.length === 0 ? { value: {} } : parseJson(prelude);
      if (json === undefined || !isObject(json.value)) throw new MalformedResponse('the prelude is not a JSON object');
      const { statusCode = 200, headers, cookies } = json.value;
      this.#sendHead({
        status: parseStatus(statusCode),
        headers: parseHeaders(headers),
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
