/**
 * Parses the response of a function: an object with statusCode, headers, cookies and body, validated member by member.
 * Which other forms are allowed, and the response to an invalid one, differ between the kinds of gateway and are
 * decided there. Pure. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */

import type { Header } from './gateway-request.ts';
import { MalformedResponse } from './proxy-integration.ts';

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
    return { value: JSON.parse(payload.toString('utf8')) };
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
  defaultStatus?: number,
): FunctionResponse {
  const { statusCode = defaultStatus, statusDescription, headers, multiValueHeaders, cookies, body } = response;
  return {
    status: parseStatus(statusCode ?? defaultStatus),
    statusDescription: typeof statusDescription === 'string' ? statusDescription : undefined,
    headers: parseHeaders(headers),
    multiValueHeaders: parseMultiValueHeaders(multiValueHeaders),
    cookies: parseCookies(cookies),
    body: parseBody(body),
    isBase64Encoded: response.isBase64Encoded === true || response.isBase64Encoded === 'true',
  };
}

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
export function parseStatus(status: unknown): number {
  const number = typeof status === 'string' && /^\d{3}$/.test(status.trim()) ? Number(status) : status;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 200 && number <= 599) return number;
  throw new MalformedResponse(`\`statusCode\` must be a whole number from 200 to 599, not ${JSON.stringify(status)}`);
}

/** Parses one value for each name. A header with null is left out. @throws MalformedResponse */
export function parseHeaders(headers: unknown): readonly Header[] {
  if (headers === undefined || headers === null) return [];
  if (!isObject(headers)) throw new MalformedResponse('`headers` must be an object');
  return Object.entries(headers).flatMap(([name, value]): Header[] => {
    if (value === null) return [];
    if (typeof value === 'object')
      throw new MalformedResponse(`the header ${name} must be a string, not an object or array`);
    return [checkHeader(name, String(value))];
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

function parseMultiValueHeaders(headers: unknown): readonly Header[] {
  if (headers === undefined || headers === null) return [];
  if (!isObject(headers)) throw new MalformedResponse('`multiValueHeaders` must be an object');
  return Object.entries(headers).flatMap(([name, values]): Header[] => {
    if (values === null) return [];
    if (!Array.isArray(values))
      throw new MalformedResponse(`the header ${name} in \`multiValueHeaders\` must be an array`);
    return values.map((value) => checkHeader(name, String(value)));
  });
}

function parseBody(body: unknown): string {
  if (body === undefined || body === null) return '';
  if (typeof body === 'object')
    throw new MalformedResponse('`body` must be a string. Encode objects with JSON.stringify');
  return String(body);
}

function checkHeader(name: string, value: string): Header {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
    throw new MalformedResponse(`invalid header name ${JSON.stringify(name)}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they end a header, or clients refuse them
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value))
    throw new MalformedResponse(`the header ${name} contains a control character`);
  return [name, value];
}
