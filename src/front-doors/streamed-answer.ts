/**
 * A function's answer as it is written, for URLs with RESPONSE_STREAM: the prelude with status and headers, when the
 * function sends one, then bytes. Only the prelude is held, up to a limit; what the client is slow to take waits with
 * the function. https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
 */
import type { ResponseSink } from '../environment/invocation.ts';
import { MalformedAnswer } from './door.ts';
import type { Header } from './door-request.ts';
import { isObject, parseCookies, parseHeaders, parseJson, parseStatus } from './function-answer.ts';

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

export class StreamedAnswer implements ResponseSink {
  readonly #outlet: StreamedOutlet;
  #contentType: string | undefined;
  /** What came of a prelude that is not complete yet. */
  #prelude: Buffer | undefined;
  #isHeadSent = false;
  #complaint: MalformedAnswer | undefined;

  constructor(outlet: StreamedOutlet) {
    this.#outlet = outlet;
  }

  /** Whether the client has status and headers. */
  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** Why this is no answer; what the function still writes is thrown away. */
  get complaint(): MalformedAnswer | undefined {
    return this.#complaint;
  }

  begin(contentType: string | undefined): void {
    this.#contentType = contentType;
    if (contentType?.split(';', 1)[0]?.trim().toLowerCase() === WITH_PRELUDE) this.#prelude = Buffer.alloc(0);
  }

  write(chunk: Buffer): void | Promise<void> {
    if (this.#complaint !== undefined) return;
    if (this.#prelude === undefined) {
      this.#sendHead();
      return this.#outlet.write(chunk);
    }
    // The end may lie across two chunks: only what could be its beginning is searched again.
    const from = Math.max(0, this.#prelude.length - PRELUDE_END.length + 1);
    const held = Buffer.concat([this.#prelude, chunk]);
    const end = held.indexOf(PRELUDE_END, from);
    if (end < 0) {
      this.#prelude = held;
      if (held.length > PRELUDE_BYTES) this.#complain(`the prelude is longer than ${PRELUDE_BYTES} bytes`);
      return;
    }
    this.#prelude = undefined;
    this.#takePrelude(held.subarray(0, end));
    if (this.#complaint !== undefined) return;
    const rest = held.subarray(end + PRELUDE_END.length);
    return rest.length > 0 ? this.#outlet.write(rest) : undefined;
  }

  /** The function has answered to its end: an answer without a byte has a head all the same. */
  end(): void {
    if (this.#prelude !== undefined) this.#complain('the prelude is not followed by eight NUL bytes');
    if (this.#complaint === undefined) this.#sendHead();
  }

  #takePrelude(prelude: Buffer): void {
    try {
      const json = prelude.length === 0 ? { value: {} } : parseJson(prelude);
      if (json === undefined || !isObject(json.value)) throw new MalformedAnswer('the prelude is not a JSON object');
      const { statusCode = 200, headers, cookies } = json.value;
      this.#sendHead({
        status: parseStatus(statusCode),
        headers: parseHeaders(headers),
        cookies: parseCookies(cookies),
      });
    } catch (failure) {
      if (!(failure instanceof MalformedAnswer)) throw failure;
      this.#complaint = failure;
    }
  }

  #sendHead(head?: StreamedHead): void {
    if (this.#isHeadSent) return;
    this.#isHeadSent = true;
    const contentType: Header[] = this.#contentType === undefined ? [] : [['Content-Type', this.#contentType]];
    this.#outlet.head(head ?? { status: 200, headers: contentType, cookies: [] });
  }

  #complain(what: string): void {
    this.#complaint = new MalformedAnswer(what);
    this.#prelude = undefined;
  }
}
