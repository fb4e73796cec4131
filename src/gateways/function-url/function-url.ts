/**
 * The proxy integration of a function URL: events in payload format 2.0, responses, and CORS as configured. Pure.
 * `../authorizers/verify-caller.ts` checks callers, `streamed-response.ts` handles streamed responses.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
import type { CorsSetting, FunctionUrl } from '../../functions/settings/url-settings.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import type { SignedCaller } from '../exchange/authorized.ts';
import { renameOwnHeaders } from '../exchange/connection-headers.ts';
import { type CorsRules, isPreflight, preflightHeaders, responseHeaders } from '../exchange/cors.ts';
import { decodeBody, withDefault } from '../exchange/function-response.ts';
import {
  decodePercent,
  groupHeaders,
  type Header,
  type ReceivedRequest,
  type RequestHead,
  type RequestTrace,
} from '../exchange/gateway-request.ts';
import type { FunctionFault, GatewayResponse, ProxyIntegration } from '../exchange/proxy-integration.ts';
import { parsePayload2Response, renderPayload2 } from './payload-v2.ts';

export type FunctionUrlTarget = {
  readonly url: FunctionUrl;
  /** `<url-id>.lambda-url.<region>.localhost` */
  readonly domainName: string;
  /** Undefined without AWS_IAM. */
  readonly caller: SignedCaller | undefined;
};

export const FORBIDDEN =
  'Forbidden. For troubleshooting Function URL authorization issues, see: ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html';

/** Creates the integration of one URL for one caller. */
export function createFunctionUrlIntegration({ url, domainName, caller }: FunctionUrlTarget): ProxyIntegration {
  return {
    toEvent: (request) =>
      renderPayload2(request, groupHeaders(request), {
        routeKey: '$default',
        rawPath: request.path,
        path: decodePercent(request.path),
        accountId: caller?.accountId ?? 'anonymous',
        apiId: url.id,
        domainName,
        domainPrefix: url.id,
        stage: '$default',
        requestId: request.requestId,
        authorizer: caller && { iam: { ...caller, cognitoIdentity: null, principalOrgId: null } },
      }),

    toResponse(payload, request) {
      const parsed = parsePayload2Response(payload, 'function-url');
      if (parsed.kind === 'body') {
        const isJson = typeof parsed.value !== 'string' && parsed.value !== undefined;
        const body = isJson ? Buffer.from(compactJson(payload.toString('utf8'))) : parsed.bytes;
        return finish(url, request, 200, [], [], body);
      }
      const { status, headers, cookies } = parsed.response;
      return finish(url, request, status, headers, cookies, decodeBody(parsed.response));
    },

    toFault: (fault, request) => renderFault(fault, request),
  };
}

/** The response to a preflight, which never reaches the function; undefined for any other request. */
export function renderUrlPreflight(url: FunctionUrl, request: RequestHead & RequestTrace): GatewayResponse | undefined {
  const rules = parseCors(url.cors);
  if (rules === undefined || !isPreflight(request)) return undefined;
  return { status: 200, headers: [...ownHeaders(request), ...preflightHeaders(rules, request)], body: Buffer.alloc(0) };
}

/** The headers of a complete or streamed response, with those that a function URL adds. */
export function renderUrlHead(
  url: FunctionUrl,
  request: ReceivedRequest,
  headers: readonly Header[],
  cookies: readonly string[],
  defaultContentType: string,
): readonly Header[] {
  const rules = parseCors(url.cors);
  return [
    ...ownHeaders(request),
    ...withDefault(renameOwnHeaders(headers), 'Content-Type', defaultContentType),
    ...cookies.map((cookie): Header => ['Set-Cookie', cookie]),
    ...(rules ? responseHeaders(rules, request) : []),
  ];
}

/** A refusal in the form of a Lambda API error. */
export function renderUrlRefusal(
  status: number,
  errorType: string,
  body: Readonly<Record<string, string | null>>,
  request: Pick<RequestHead, 'requestId'>,
): GatewayResponse {
  return {
    status,
    headers: [
      ['Content-Type', 'application/json'],
      ['x-amzn-RequestId', request.requestId],
      ['x-amzn-ErrorType', errorType],
    ],
    body: Buffer.from(JSON.stringify(body)),
  };
}

/** A request or event over the limit of Lambda. Recorded on a function URL. */
export function renderUrlTooLarge(request: Pick<RequestHead, 'requestId'>): GatewayResponse {
  const Message = `Request must be smaller than ${QUOTAS.invokePayloadBytes} bytes for the InvokeFunction operation`;
  return renderUrlRefusal(413, 'RequestEntityTooLargeException', { Message }, request);
}

/** The response to a request for whose body the service has no room. */
export function renderUrlBusy(request: Pick<RequestHead, 'requestId'>): GatewayResponse {
  const body = { Reason: 'CallerRateLimitExceeded', Type: 'User', message: 'Rate Exceeded.' };
  return renderUrlRefusal(429, 'TooManyRequestsException', body, request);
}

function renderFault(fault: FunctionFault, request: ReceivedRequest): GatewayResponse {
  switch (fault.kind) {
    case 'throttled': {
      const body = { Reason: fault.reason, Type: 'User', message: 'Rate Exceeded.' };
      return renderUrlRefusal(429, 'TooManyRequestsException', body, request);
    }
    case 'unavailable':
    case 'tenant-required':
      return renderUrlRefusal(403, 'AccessDeniedException', { Message: FORBIDDEN }, request);
    case 'event-too-large':
      return renderUrlTooLarge(request);
    case 'failed':
    case 'too-slow':
      return {
        status: 502,
        headers: [...ownHeaders(request), ['Content-Type', 'application/json']],
        body: Buffer.from('Internal Server Error'),
      };
  }
}

function finish(
  url: FunctionUrl,
  request: ReceivedRequest,
  status: number,
  headers: readonly Header[],
  cookies: readonly string[],
  body: Buffer,
): GatewayResponse {
  return { status, headers: renderUrlHead(url, request, headers, cookies, 'application/json'), body };
}

function ownHeaders({ requestId, traceHeader }: RequestHead & RequestTrace): readonly Header[] {
  return [
    ['x-amzn-RequestId', requestId],
    ['X-Amzn-Trace-Id', traceHeader],
  ];
}

/** Parses the `Cors` member of the URL configuration, which CreateFunctionUrlConfig has validated. */
function parseCors(cors: CorsSetting | undefined): CorsRules | undefined {
  if (cors === undefined || Object.keys(cors).length === 0) return undefined;
  const list = (name: string) => (Array.isArray(cors[name]) ? (cors[name] as readonly string[]) : []);
  return {
    allowCredentials: cors.AllowCredentials === true,
    allowHeaders: list('AllowHeaders'),
    allowMethods: list('AllowMethods'),
    allowOrigins: list('AllowOrigins'),
    exposeHeaders: list('ExposeHeaders'),
    maxAgeSeconds: typeof cors.MaxAge === 'number' ? cors.MaxAge : undefined,
  };
}

/** Removes white space between tokens. Does not parse, because numbers keep their spelling. Recorded on AWS. */
function compactJson(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
}
