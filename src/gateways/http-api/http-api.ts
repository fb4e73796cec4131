/**
 * The proxy integration of an API Gateway HTTP API, payload formats 1.0 and 2.0. Pure. Follows recordings on AWS
 * (2025-04 by aws-lambda-dotnet, 2026-07 by hotsock/voker), which differ from the documentation: format 1.0 keeps the
 * case of header names, format 2.0 has a decoded path.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import { type ApiAddress, domainPrefixOf, pathBelow } from '../api-address.ts';
import type { Authorized, SignedCaller } from '../exchange/authorized.ts';
import { encodeBody } from '../exchange/body-encoding.ts';
import { dropConnectionHeaders } from '../exchange/connection-headers.ts';
import { type CorsRules, isPreflight, preflightHeaders, responseHeaders } from '../exchange/cors.ts';
import {
  decodeBody,
  type FunctionResponse,
  isObject,
  parseFunctionResponse,
  parseJson,
  withDefault,
} from '../exchange/function-response.ts';
import {
  allValues,
  decodePercent,
  firstValue,
  groupHeaders,
  groupQuery,
  type Header,
  isPercentEncoded,
  lastValues,
  parseQuery,
  type ReceivedRequest,
  type RequestHead,
  renderLogTime,
  sorted,
} from '../exchange/gateway-request.ts';
import {
  type FunctionFault,
  type GatewayResponse,
  MalformedResponse,
  type ProxyIntegration,
} from '../exchange/proxy-integration.ts';
import { type Payload2Event, parsePayload2Response, renderPayload2 } from '../function-url/payload-v2.ts';
import type { Route, RouteMatch } from './routes.ts';

/** The integration timeout of an HTTP API, in milliseconds. */
export const HTTP_API_TIMEOUT_MS = 30_000;
/** Maximum size of the request line and all headers combined. */
export const HTTP_API_HEAD_BYTES = 10_240;

export type HttpApiContext = {
  readonly accountId: string;
  readonly apiId: string;
  readonly stage: string;
  readonly stageVariables: Readonly<Record<string, string>> | undefined;
  readonly address: ApiAddress;
  readonly match: RouteMatch<Route>;
  readonly payloadFormatVersion: '1.0' | '2.0';
  readonly cors: CorsRules | undefined;
  /** The request ID of the API: `JKJaXmPLvHcESHA=`. */
  readonly apiRequestId: string;
};

/** Creates the integration of one route for one request. */
export function createHttpApiIntegration(context: HttpApiContext): ProxyIntegration {
  const isVersion1 = context.payloadFormatVersion === '1.0';
  return {
    toEvent: (request, authorized) =>
      isVersion1
        ? renderHttpApiEvent1(request, context, authorized)
        : renderHttpApiEvent2(request, context, authorized),
    toResponse(payload, request) {
      const response = isVersion1 ? parseResponse1(payload) : parseResponse2(payload);
      return finishHttpApiResponse(response, request, context);
    },
    toFault: (fault, request) => finishHttpApiResponse(renderFault(fault), request, context),
  };
}

/**
 * The path that selects the route and appears in events of format 2.0: decoded twice, and cut at a question mark that
 * was encoded once. Undefined for a path that AWS refuses. Recorded on AWS (2026-07).
 */
export function decodeHttpApiPath(path: string): string | undefined {
  if (!isPercentEncoded(path)) return undefined;
  const once = decodePercent(path).split('?', 1)[0] ?? '/';
  return isPercentEncoded(once) ? decodePercent(once) : undefined;
}

/** An error response of the API itself. */
export function renderHttpApiRefusal(status: number, message: string, apiRequestId: string): GatewayResponse {
  return {
    status,
    headers: [
      ['Apigw-Requestid', apiRequestId],
      ['Content-Type', 'application/json'],
    ],
    body: Buffer.from(JSON.stringify({ message })),
  };
}

/** The response to a preflight, which never reaches a function; undefined for other requests and without CORS. */
export function renderHttpApiPreflight(
  cors: CorsRules | undefined,
  head: RequestHead,
  apiRequestId: string,
): GatewayResponse | undefined {
  if (cors === undefined || !isPreflight(head)) return undefined;
  const headers: Header[] = [['Apigw-Requestid', apiRequestId], ...preflightHeaders(cors, head)];
  return { status: 204, headers, body: Buffer.alloc(0) };
}

/** Path parameters, decoded and sorted by name. */
function pathParameters({ match }: HttpApiContext): Record<string, string> | undefined {
  return match.parameters.length > 0 ? sorted(match.parameters) : undefined;
}

/** The path with the stage before it, and without the base path of a custom domain. */
function stagedPath(path: string, { stage, address }: HttpApiContext): string {
  const below = pathBelow(path, address.prefix) ?? path;
  return stage === '$default' ? below : `/${stage}${below}`;
}

/** The event of format 2.0. That of an authorizer has most of it too. */
export function renderHttpApiEvent2(
  request: ReceivedRequest,
  context: HttpApiContext,
  authorized?: Authorized,
): Payload2Event {
  const headers = groupHeaders(request);
  headers.delete('cookie');
  headers.set('content-length', { name: 'Content-Length', values: [String(request.body.length)] });
  const path = stagedPath(decodeHttpApiPath(request.path) ?? request.path, context);
  return renderPayload2(request, headers, {
    routeKey: context.match.route.key,
    rawPath: path,
    path,
    accountId: context.accountId,
    apiId: context.apiId,
    domainName: context.address.domainName,
    domainPrefix: domainPrefixOf(context.address.domainName),
    stage: context.stage,
    requestId: context.apiRequestId,
    authorizer: authorized && renderAuthorizer2(authorized),
    pathParameters: pathParameters(context),
    stageVariables: context.stageVariables,
  });
}

function renderAuthorizer2(authorized: Authorized): object {
  switch (authorized.kind) {
    case 'lambda':
      return { lambda: authorized.context ?? null };
    case 'jwt':
      return { jwt: { claims: authorized.claims, scopes: authorized.scopes } };
    case 'iam':
      return { iam: { ...authorized.caller, cognitoIdentity: null, principalOrgId: null } };
  }
}

/** Names that format 1.0 writes in this form. All others stay as the client wrote them. */
const OWN_NAMES: readonly string[] = ['Content-Length', 'Host', 'User-Agent'];

/** The event of format 1.0. That of an authorizer has most of it too. */
export function renderHttpApiEvent1(request: ReceivedRequest, context: HttpApiContext, authorized?: Authorized) {
  const groups = groupHeaders(request);
  groups.set('content-length', { name: 'Content-Length', values: [String(request.body.length)] });
  for (const name of OWN_NAMES) {
    const group = groups.get(name.toLowerCase());
    if (group) groups.set(name.toLowerCase(), { ...group, name });
  }
  const query = groupQuery(parseQuery(request.query));
  const body =
    request.body.length === 0 ? undefined : encodeBody(request.body, firstValue(request.headers, 'content-type'));
  const { route } = context.match;
  const resource = route.path ?? route.key;
  const path = context.address.via === 'custom-domain' ? request.path : stagedPath(request.path, context);
  return {
    version: '1.0',
    resource,
    path,
    httpMethod: request.method,
    headers: lastValues(groups),
    multiValueHeaders: allValues(groups),
    queryStringParameters: query.size > 0 ? sorted([...query].map(([name, values]) => [name, values.at(-1)])) : null,
    multiValueQueryStringParameters: query.size > 0 ? sorted(query) : null,
    requestContext: {
      accountId: context.accountId,
      apiId: context.apiId,
      authorizer: authorized && renderAuthorizer1(authorized),
      domainName: context.address.domainName,
      domainPrefix: domainPrefixOf(context.address.domainName),
      extendedRequestId: context.apiRequestId,
      httpMethod: request.method,
      identity: {
        accessKey: null,
        accountId: null,
        caller: null,
        cognitoAmr: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: request.sourceIp,
        user: null,
        userAgent: firstValue(request.headers, 'user-agent') ?? '',
        userArn: null,
        ...(authorized?.kind === 'iam' && renderIdentity(authorized.caller)),
      },
      path: decodePercent(path),
      protocol: 'HTTP/1.1',
      requestId: context.apiRequestId,
      requestTime: renderLogTime(request.receivedMs),
      requestTimeEpoch: request.receivedMs,
      resourceId: route.key,
      resourcePath: resource,
      stage: context.stage,
    },
    pathParameters: pathParameters(context) ?? null,
    stageVariables: context.stageVariables ?? null,
    body: body?.body ?? null,
    isBase64Encoded: body?.isBase64Encoded ?? false,
  };
}

function renderAuthorizer1(authorized: Authorized): object | undefined {
  switch (authorized.kind) {
    case 'lambda': {
      const { context, principalId, latencyMs } = authorized;
      return { ...context, principalId, integrationLatency: latencyMs };
    }
    case 'jwt':
      return { claims: authorized.claims, scopes: authorized.scopes };
    case 'iam':
      return undefined;
  }
}

function renderIdentity({ accessKey, accountId, callerId, userArn, userId }: SignedCaller): object {
  return { accessKey, accountId, caller: callerId, user: userId, userArn };
}

/** Format 1.0 requires statusCode. Single header values precede multiple ones. */
function parseResponse1(payload: Buffer): GatewayResponse {
  const json = parseJson(payload);
  if (json === undefined || !isObject(json.value)) throw new MalformedResponse('it is not a JSON object');
  const response = parseFunctionResponse(json.value, 'http-api-1.0');
  return fullResponse(response, [...response.headers, ...response.multiValueHeaders]);
}

function parseResponse2(payload: Buffer): GatewayResponse {
  const parsed = parsePayload2Response(payload, 'http-api-2.0');
  if (parsed.kind === 'body') {
    return { status: 200, headers: [['Content-Type', 'application/json']], body: parsed.bytes };
  }
  const { headers, cookies } = parsed.response;
  // Entries of `cookies` precede a Set-Cookie of `headers`. Recorded on AWS.
  const isCookie = ([name]: Header) => name.toLowerCase() === 'set-cookie';
  return fullResponse(parsed.response, [
    ...headers.filter((header) => !isCookie(header)),
    ...cookies.map((cookie): Header => ['Set-Cookie', cookie]),
    ...headers.filter(isCookie),
  ]);
}

function fullResponse(response: FunctionResponse, headers: readonly Header[]): GatewayResponse {
  return {
    status: response.status,
    headers: withDefault(dropConnectionHeaders(headers).map(canonical), 'Content-Type', 'text/plain; charset=utf-8'),
    body: decodeBody(response),
  };
}

/** HTTP APIs capitalize each part of a header name. Recorded on AWS. */
function canonical([name, value]: Header): Header {
  return [name.toLowerCase().replace(/(^|-)[a-z]/g, (sign) => sign.toUpperCase()), value];
}

function renderFault(fault: FunctionFault): GatewayResponse {
  const refuse = (status: number, message: string): GatewayResponse => ({
    status,
    headers: [['Content-Type', 'application/json']],
    body: Buffer.from(JSON.stringify({ message })),
  });
  switch (fault.kind) {
    case 'throttled':
    case 'too-slow':
      return refuse(503, 'Service Unavailable');
    case 'failed':
    case 'unavailable':
    case 'tenant-required':
      return refuse(500, 'Internal Server Error');
    case 'event-too-large':
      return refuse(413, 'Request Entity Too Large');
  }
}

/** Adds the API's headers. With CORS configured, the function's CORS headers are removed. */
export function finishHttpApiResponse(
  response: GatewayResponse,
  request: ReceivedRequest,
  { cors, apiRequestId }: Pick<HttpApiContext, 'cors' | 'apiRequestId'>,
): GatewayResponse {
  const fromFunction = cors
    ? response.headers.filter(([name]) => !name.toLowerCase().startsWith('access-control-'))
    : response.headers;
  const headers: Header[] = [
    ...fromFunction,
    ['Apigw-Requestid', apiRequestId],
    ...(cors ? responseHeaders(cors, request) : []),
  ];
  return { ...response, headers };
}
