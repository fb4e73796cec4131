/**
 * Recognizes plain requests: complete heads of the form that programs send, whose meaning is beyond doubt. Node's HTTP
 * parser gets every other request, valid or not, so this parser refuses whatever it is not sure about. What it accepts,
 * Node accepts with the same meaning; `plain-request.test.ts` compares them.
 */

export type PlainHead = {
  readonly method: 'GET' | 'POST';
  /** Path and query, as sent. */
  readonly url: string;
  readonly headers: PlainHeaders;
  /** Of the request line and all headers, with the empty line. */
  readonly headBytes: number;
};

/** Parsed header lines. Names are in lower case; each occurs once. */
export type PlainHeaders = {
  readonly values: Readonly<Record<string, string>>;
  /** Undefined without Content-Length. */
  readonly contentLength: number | undefined;
};

/** Node's limit for a head is 16 KiB. */
const MAX_HEAD_BYTES = 8 * 1024;
const MAX_HEADERS = 50;

/** Origin form, of characters that are neither special nor encoded differently by anyone. */
const REQUEST_LINE = /^(?:GET|POST) \/[A-Za-z0-9\-._~%!$&'()*+,;=:@/?]* HTTP\/1\.1$/;
const PROTOCOL = ' HTTP/1.1';
/** Lines of visible ASCII characters and spaces. */
const LINES = /^(?:\r\n[ -~]+)*$/;
const NAME = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const LENGTH = /^(?:0|[1-9]\d{0,8})$/;
/** They change how a request is read or what follows it. */
const NOT_PLAIN = ['transfer-encoding', 'expect', 'upgrade', 'trailer', 'proxy-connection', '__proto__'];

type ParsedLines = { readonly lines: string; readonly headers: PlainHeaders | undefined };
const NO_LINES: ParsedLines = { lines: '', headers: undefined };

/** Parses the requests of one connection. The lines of the last one of each method are cached: programs repeat them. */
export class PlainRequests {
  readonly #last = { GET: NO_LINES, POST: NO_LINES };

  /** Returns the request at the start of `bytes`; undefined if its head is not complete or not plain. */
  parse(bytes: Buffer): PlainHead | undefined {
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1 || end > MAX_HEAD_BYTES) return undefined;
    const text = bytes.toString('latin1', 0, end);
    const lineEnd = text.indexOf('\r\n');
    if (lineEnd === -1) return undefined;
    const line = text.slice(0, lineEnd);
    if (!REQUEST_LINE.test(line)) return undefined;
    const method = line.startsWith('GET') ? 'GET' : 'POST';
    const url = line.slice(method.length + 1, -PROTOCOL.length);
    const headers = this.#headersOf(method, text.slice(lineEnd));
    if (headers === undefined) return undefined;
    // A body of GET has no meaning. POST without a length is left to Node too.
    if ((method === 'POST') !== (headers.contentLength !== undefined)) return undefined;
    return { method, url, headers, headBytes: end + 4 };
  }

  #headersOf(method: PlainHead['method'], lines: string): PlainHeaders | undefined {
    let last = this.#last[method];
    if (lines !== last.lines) {
      last = { lines, headers: parseHeaders(lines) };
      this.#last[method] = last;
    }
    return last.headers;
  }
}

/** `lines` begin with the end of the request line. */
function parseHeaders(lines: string): PlainHeaders | undefined {
  if (!LINES.test(lines)) return undefined;
  const values: Record<string, string> = {};
  let count = 0;
  for (let at = 2; at < lines.length; ) {
    const next = lines.indexOf('\r\n', at);
    const end = next === -1 ? lines.length : next;
    const colon = lines.indexOf(':', at);
    if (colon === -1 || colon > end) return undefined;
    const name = lines.slice(at, colon);
    if (!NAME.test(name)) return undefined;
    const key = name.toLowerCase();
    count += 1;
    if (count > MAX_HEADERS || Object.hasOwn(values, key) || NOT_PLAIN.includes(key)) return undefined;
    values[key] = lines.slice(colon + 1, end).trim();
    at = end + 2;
  }
  const { host, connection, 'content-length': length } = values;
  if (host === undefined) return undefined;
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return undefined;
  if (length !== undefined && !LENGTH.test(length)) return undefined;
  return { values, contentLength: length === undefined ? undefined : Number(length) };
}
