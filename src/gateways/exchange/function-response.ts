/**
 * Parses the response of a function: an object with statusCode, headers, cookies and body, validated member by member
 * against the table of the gateway's kind in `response-rules.ts`. The response to an invalid one is decided by each
 * kind. Pure. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */

import { parseJson as parseText } from '../../protocol/json.ts';
import type { Header } from './gateway-request.ts';
import { MalformedResponse } from './proxy-integration.ts';
import { jsonTypeOf, RESPONSE_RULES, type ResponseKind, type ResponseRules } from './response-rules.ts';

export type FunctionResponse = {
  readonly status: number;
  readonly statusDescription: string | undefined;
  /** In the function's order, with names as the function wrote them. */
  readonly headers: readonly Header[];
  readonly multiValueHeaders: readonly Header[];
  readonly cookies: readonly string[];
  /** Undecoded: Base64 if `isBase64Encoded`. */
  readonly body: string;
  readonly isBase64Encoded: boolean;
};

/** Parses a payload. Returns undefined for invalid JSON. */
export function parseJson(payload: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: parseText(payload.toString('utf8')) };
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses the members. Without statusCode, the status is `defaultStatus`. @throws MalformedResponse */
export function parseFunctionResponse(
  response: Readonly<Record<string, unknown>>,
  kind: ResponseKind,
  { defaultStatus, ignored }: { readonly defaultStatus?: number; readonly ignored?: keyof ResponseRules } = {},
): FunctionResponse {
  /** Undefined for a member that this kind does not read. */
  const read = (member: keyof ResponseRules & keyof FunctionMembers): unknown => {
    const value = response[member];
    if (RESPONSE_RULES[kind][member] === 'ignored' || member === ignored) return undefined;
    requireType(kind, member, value, `\`${member}\``);
    return value;
  };
  const statusCode = response.statusCode ?? defaultStatus;
  const statusDescription = read('statusDescription');
  const isBase64Encoded = read('isBase64Encoded');
  return {
    status: parseStatus(statusCode, kind),
    statusDescription: typeof statusDescription === 'string' ? statusDescription : undefined,
    headers: parseHeaders(read('headers'), kind),
    multiValueHeaders: parseMultiValueHeaders(read('multiValueHeaders'), kind),
    cookies: parseCookies(read('cookies')),
    body: renderBody(read('body')),
    isBase64Encoded: isBase64Encoded === true || isBase64Encoded === 'true',
  };
}

type FunctionMembers = {
  readonly [Member in Exclude<keyof ResponseRules, 'headerValue'>]: unknown;
};

/** @throws MalformedResponse for a type that this kind of gateway refuses */
function requireType(kind: ResponseKind, member: keyof ResponseRules, value: unknown, what: string): void {
  const accepted: ResponseRules[typeof member] = RESPONSE_RULES[kind][member];
  if (accepted === 'ignored' || accepted.includes(jsonTypeOf(value))) return;
  const types = accepted.filter((type) => type !== 'absent' && type !== 'null').map((type) => TYPE_NAMES[type]);
  const hint =
    member === 'body' && typeof value === 'object' && value !== null ? '. Encode it with JSON.stringify' : '';
  throw new MalformedResponse(`${what} must be ${types.join(' or ')}, not ${jsonTypeOf(value)}${hint}`);
}

const TYPE_NAMES = {
  boolean: 'true or false',
  number: 'a number',
  string: 'a string',
  array: 'an array',
  object: 'an object',
} as const;

/** Returns the bytes of a body. @throws MalformedResponse for invalid Base64 */
export function decodeBody({ body, isBase64Encoded }: Pick<FunctionResponse, 'body' | 'isBase64Encoded'>): Buffer {
  if (!isBase64Encoded) return Buffer.from(body, 'utf8');
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(body))
    throw new MalformedResponse('`isBase64Encoded` is true, but `body` is not Base64');
  return Buffer.from(body, 'base64');
}

/** Adds a header unless it is already present. */
export function withDefault(headers: readonly Header[], name: string, value: string): readonly Header[] {
  return headers.some(([other]) => other.toLowerCase() === name.toLowerCase()) ? headers : [...headers, [name, value]];
}

/** Parses a status from 200 to 599, as a number or in digits. @throws MalformedResponse */
export function parseStatus(status: unknown, kind: ResponseKind): number {
  const isText = typeof status === 'string' && /^\d{3}$/.test(status.trim());
  const number = isText && RESPONSE_RULES[kind].statusCode.some((type) => type === 'string') ? Number(status) : status;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 200 && number <= 599) return number;
  throw new MalformedResponse(`\`statusCode\` must be a whole number from 200 to 599, not ${JSON.stringify(status)}`);
}

/** Parses one value for each name. A header with null is left out where null is accepted. @throws MalformedResponse */
export function parseHeaders(headers: unknown, kind: ResponseKind): readonly Header[] {
  if (headers === undefined || headers === null) return [];
  if (!isObject(headers)) throw new MalformedResponse('`headers` must be an object');
  return Object.entries(headers).flatMap(([name, value]): Header[] => {
    requireType(kind, 'headerValue', value, `the header ${name}`);
    return value === null ? [] : [checkHeader(name, String(value))];
  });
}

/** @throws MalformedResponse */
export function parseCookies(cookies: unknown): readonly string[] {
  if (cookies === undefined || cookies === null) return [];
  if (!Array.isArray(cookies) || cookies.some((cookie) => typeof cookie !== 'string')) {
    throw new MalformedResponse('`cookies` must be an array of strings');
  }
  for (const cookie of cookies as string[]) checkHeader('set-cookie', cookie);
  return cookies as string[];
}

function parseMultiValueHeaders(headers: unknown, kind: ResponseKind): readonly Header[] {
  if (headers === undefined || headers === null) return [];
  if (!isObject(headers)) throw new MalformedResponse('`multiValueHeaders` must be an object');
  return Object.entries(headers).flatMap(([name, values]): Header[] => {
    if (values === null && kind !== 'load-balancer') return [];
    if (!Array.isArray(values))
      throw new MalformedResponse(`the header ${name} in \`multiValueHeaders\` must be an array`);
    return values.flatMap((value): Header[] => {
      requireType(kind, 'headerValue', value, `the header ${name} in \`multiValueHeaders\``);
      return value === null ? [] : [checkHeader(name, String(value))];
    });
  });
}

/** Values that are not text are sent as JSON. */
function renderBody(body: unknown): string {
  if (body === undefined || body === null) return '';
  return typeof body === 'string' ? body : JSON.stringify(body);
}

function checkHeader(name: string, value: string): Header {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
    throw new MalformedResponse(`invalid header name ${JSON.stringify(name)}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they end a header, or clients refuse them
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value))
    throw new MalformedResponse(`the header ${name} contains a control character`);
  return [name, value];
}
