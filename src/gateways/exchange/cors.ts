/**
 * CORS as function URLs and HTTP APIs apply it: the headers of preflight responses and of other responses. Pure.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
 */
import { firstValue, type Header, type RequestHead } from './gateway-request.ts';

export type CorsRules = {
  readonly allowCredentials: boolean;
  readonly allowHeaders: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowOrigins: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number | undefined;
};

/** Whether a request is a CORS preflight. */
export function isPreflight({ method, headers }: RequestHead): boolean {
  return (
    method === 'OPTIONS' &&
    firstValue(headers, 'origin') !== undefined &&
    firstValue(headers, 'access-control-request-method') !== undefined
  );
}

/** The headers of the response to a preflight. Empty for an origin that is not allowed. */
export function preflightHeaders(rules: CorsRules, request: RequestHead): readonly Header[] {
  const origin = originHeaders(rules, request);
  if (origin.length === 0) return [];
  return [
    ...origin,
    ...list('Access-Control-Allow-Headers', rules.allowHeaders),
    ...list('Access-Control-Allow-Methods', rules.allowMethods),
    ...(rules.maxAgeSeconds === undefined ? [] : [['Access-Control-Max-Age', String(rules.maxAgeSeconds)] as const]),
  ];
}

/** The headers added to the response to a cross-origin request. Empty for an origin that is not allowed. */
export function responseHeaders(rules: CorsRules, request: RequestHead): readonly Header[] {
  const origin = originHeaders(rules, request);
  return origin.length === 0 ? [] : [...origin, ...list('Access-Control-Expose-Headers', rules.exposeHeaders)];
}

function originHeaders(rules: CorsRules, { headers }: RequestHead): readonly Header[] {
  const origin = firstValue(headers, 'origin');
  if (origin === undefined || !rules.allowOrigins.some((allowed) => matchesOrigin(allowed, origin))) return [];
  // Browsers refuse `*` for requests with credentials.
  const isForAll = rules.allowOrigins.includes('*') && !rules.allowCredentials;
  return [
    ['Access-Control-Allow-Origin', isForAll ? '*' : origin],
    ...(isForAll ? [] : [['Vary', 'Origin'] as const]),
    ...(rules.allowCredentials ? [['Access-Control-Allow-Credentials', 'true'] as const] : []),
  ];
}

/** `allowed` is `*`, an origin, or every origin with a scheme: `https://*`. */
function matchesOrigin(allowed: string, origin: string): boolean {
  if (allowed === '*') return true;
  if (allowed.endsWith('://*')) return origin.toLowerCase().startsWith(allowed.slice(0, -1).toLowerCase());
  return allowed.toLowerCase() === origin.toLowerCase();
}

function list(name: string, values: readonly string[]): readonly Header[] {
  return values.length === 0 ? [] : [[name, values.join(',')]];
}
