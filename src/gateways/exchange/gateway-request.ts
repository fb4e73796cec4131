/**
 * An HTTP request as every kind of gateway receives it, and the parts of events: headers, query, cookies, forwarding
 * headers, paths. Only what all kinds share is here; the rest is in each kind's directory. Pure. Header values are
 * read as UTF-8 if they are valid UTF-8, or else as Latin-1.
 */

/** One header line. Names are as they were sent. */
export type Header = readonly [name: string, value: string];

/** What is known of a request before its body is read. */
export type RequestHead = {
  readonly method: string;
  /** As sent, percent-encoded. Starts with `/`. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  readonly headers: readonly Header[];
  readonly sourceIp: string;
  /** The port that the client connected to. */
  readonly port: number;
  /** Request ID of the invocation: a UUID. */
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly receivedMs: number;
};

/** The X-Ray trace of a request, known once its function is. */
export type RequestTrace = {
  /** `Root=1-...`, for the header that every gateway adds to the event. */
  readonly traceRoot: string;
  /** `Root=...;Parent=...;Sampled=0;Lineage=...`, for the invocation and the response. */
  readonly traceHeader: string;
};

/** A complete request, from which an event is made. */
export type ReceivedRequest = RequestHead & RequestTrace & { readonly body: Buffer };

/** All values of a header, with its name as it was first written. */
export type HeaderGroup = { readonly name: string; readonly values: readonly string[] };
/** Headers by name in lower case. */
export type HeaderGroups = ReadonlyMap<string, HeaderGroup>;

/** One name and value of a query. */
export type QueryParameter = readonly [name: string, value: string];

/** Headers of the connection rather than the message. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether a header belongs to the connection. `name` is in lower case. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/** Splits a request target. Percent-encodes non-ASCII characters, as browsers do. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const clean = target.replace(/[^\x21-\x7e]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  // Clients send the absolute form (`GET http://host/path`) to proxies. Only its path counts here.
  const relative = clean.replace(/^https?:\/\/[^/?#]*/i, '');
  const at = relative.indexOf('?');
  const path = at < 0 ? relative : relative.slice(0, at);
  return { path: path.startsWith('/') ? path : `/${path}`, query: at < 0 ? '' : relative.slice(at + 1) };
}

/** Parses Node's `rawHeaders`: names and values in turn. */
export function parseRawHeaders(rawHeaders: readonly string[]): Header[] {
  const headers: Header[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.push([rawHeaders[index] ?? '', readText(rawHeaders[index + 1] ?? '')]);
  }
  return headers;
}

/** Groups a request's headers: without those of the connection, and with those that every gateway adds. */
export function groupHeaders(request: ReceivedRequest): Map<string, HeaderGroup> {
  const groups = new Map<string, { name: string; values: string[] }>();
  const dropped = new Set(
    valuesOf(request.headers, 'connection').flatMap((value) => value.toLowerCase().split(/\s*,\s*/)),
  );
  for (const [name, value] of request.headers) {
    const key = name.toLowerCase();
    if (HOP_BY_HOP.has(key) || dropped.has(key)) continue;
    const before = groups.get(key);
    if (before) before.values.push(value);
    else groups.set(key, { name, values: [value] });
  }
  const forwardedFor = [...valuesOf(request.headers, 'x-forwarded-for'), request.sourceIp].join(', ');
  const trace = groups.get('x-amzn-trace-id')?.values[0];
  const set = (name: string, value: string) => groups.set(name.toLowerCase(), { name, values: [value] });
  set('X-Amzn-Trace-Id', trace?.includes('Root=') ? trace : request.traceRoot);
  set('X-Forwarded-For', forwardedFor);
  set('X-Forwarded-Port', String(request.port));
  set('X-Forwarded-Proto', 'http');
  return groups;
}

/** The values of a header. `name` is in lower case. */
export function valuesOf(headers: readonly Header[], name: string): string[] {
  return headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
}

/** The first value of a header. `name` is in lower case. */
export function firstValue(headers: readonly Header[], name: string): string | undefined {
  return valuesOf(headers, name)[0];
}

/** Splits a query into its parameters, still encoded. A name without an equals sign has an empty value. */
export function splitQuery(query: string): QueryParameter[] {
  return query.split('&').flatMap((pair): QueryParameter[] => {
    if (pair === '') return [];
    const at = pair.indexOf('=');
    return [at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]];
  });
}

/** Splits a query into its parameters, decoded as in a form: a plus sign is a space. */
export function parseQuery(query: string): QueryParameter[] {
  const decode = (text: string) => decodePercent(text.replaceAll('+', ' '));
  return splitQuery(query).map(([name, value]) => [decode(name), decode(value)]);
}

/** Groups parameters by name, in order. */
export function groupQuery(parameters: readonly QueryParameter[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, value] of parameters) {
    const values = groups.get(name);
    if (values) values.push(value);
    else groups.set(name, [value]);
  }
  return groups;
}

/** The cookies of a request, undecoded: `name=value`. */
export function parseCookies(headers: readonly Header[]): string[] {
  return valuesOf(headers, 'cookie').flatMap((value) =>
    value
      .split(';')
      .map((cookie) => cookie.trim())
      .filter(Boolean),
  );
}

/** Decodes percent-encoding. Invalid escapes are left as is. */
export function decodePercent(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** Whether every percent sign starts a valid escape. */
export function isPercentEncoded(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}

/** Renders a time as in access logs: `12/Mar/2020:19:03:58 +0000`. */
export function renderLogTime(epochMs: number): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (\S+)/.exec(new Date(epochMs).toUTCString()) ?? [];
  return `${day}/${month}/${year}:${time} +0000`;
}

/** The last value of each header, sorted by name. */
export function lastValues(groups: HeaderGroups): Record<string, string> {
  return sorted([...groups.values()].map(({ name, values }) => [name, values.at(-1) ?? '']));
}

/** All values of each header, sorted by name. */
export function allValues(groups: HeaderGroups): Record<string, readonly string[]> {
  return sorted([...groups.values()].map(({ name, values }) => [name, values]));
}

/** Creates an object with sorted keys. */
export function sorted<Value>(entries: Iterable<readonly [string, Value]>): Record<string, Value> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** The requested host, in lower case and without a port. */
export function hostOf(headers: readonly Header[]): string {
  return (firstValue(headers, 'host') ?? 'localhost').replace(/:\d+$/, '').toLowerCase();
}

/** Node decodes header bytes as Latin-1, but most clients send UTF-8. */
function readText(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches non-ASCII characters
  if (!/[^\x00-\x7f]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  const text = bytes.toString('utf8');
  return text.includes('\ufffd') ? value : text;
}
