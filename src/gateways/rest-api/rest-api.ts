/**
 * The proxy integration of an API Gateway REST API. Pure. Follows recordings on AWS (2024-07 and 2026-03 by LocalStack's
 * test suite, 2025-04 by aws-lambda-dotnet, 2026-07 by hotsock/voker).
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
import { createHash } from 'node:crypto';
import { TENANT_REQUIRED } from '../../functions/tenancy.ts';
import { type ApiAddress, domainPrefixOf, pathBelow } from '../api-address.ts';
import type { Authorized, LambdaResult } from '../exchange/authorized.ts';
import { encodeByMediaTypes, isBinaryMediaType, mediaTypeOf } from '../exchange/body-encoding.ts';
import { renameOwnHeaders } from '../exchange/connection-headers.ts';
import type { CorsRules } from '../exchange/cors.ts';
import { decodeBody, isObject, parseFunctionResponse, parseJson, withDefault } from '../exchange/function-response.ts';
import {
  allValues,
  firstValue,
  groupHeaders,
  groupQuery,
  type Header,
  lastValues,
  parseQuery,
  type ReceivedRequest,
  type RequestHead,
  renderLogTime,
} from '../exchange/gateway-request.ts';
import {
  type FunctionFault,
  type GatewayResponse,
  MalformedResponse,
  type ProxyIntegration,
} from '../exchange/proxy-integration.ts';
import type { Route, RouteMatch } from '../http-api/routes.ts';
import { customizeError, type GatewayResponses } from './gateway-responses.ts';

/** The integration timeout of a REST API, in milliseconds. */
export const REST_API_TIMEOUT_MS = 29_000;
/** Maximum size of the request line and all headers combined. */
export const REST_API_HEAD_BYTES = 10_240;
/** Maximum size of a request body. HTTP APIs have the same limit. */
export const REST_API_BODY_BYTES = 10_485_760;

export type RestApiContext = {
  readonly accountId: string;
  readonly apiId: string;
  readonly stage: string;
  readonly stageVariables: Readonly<Record<string, string>> | undefined;
  readonly binaryMediaTypes: readonly string[];
  readonly address: ApiAddress;
  readonly resourcePath: string;
  readonly parameters: RouteMatch<Route>['parameters'];
  /** `JKJaXmPLvHcESHA=` */
  readonly extendedRequestId: string;
  readonly gatewayResponses: GatewayResponses;
  /** The API key of the request, if its method needs one. */
  readonly apiKey?: { readonly id: string; readonly value: string } | undefined;
};

/** Members of a response. One with any other member is refused. Recorded on AWS. */
const MEMBERS: ReadonlySet<string> = new Set(['statusCode', 'headers', 'multiValueHeaders', 'body', 'isBase64Encoded']);
/** Names that REST APIs write in this form. All others stay as the client wrote them. */
const OWN_NAMES: readonly string[] = ['Host', 'User-Agent'];

/** Creates the integration of one method for one request. */
export function createRestApiIntegration(context: RestApiContext): ProxyIntegration {
  return {
    toEvent: (request, authorized) => renderRestApiEvent(request, context, authorized),
    toResponse: (payload, request) => parseResponse(payload, request, context),
    toFault: (fault, request) => customizeError(renderFault(fault, request, context), request, context),
  };
}

/** The response to a body over the limit: text, not JSON. Recorded on AWS. */
export function renderRestApiTooLarge(
  { requestId }: Pick<RequestHead, 'requestId'>,
  extendedRequestId: string,
): GatewayResponse {
  return {
    status: 413,
    headers: [
      ['Content-Type', 'text/plain'],
      ['x-amzn-RequestId', requestId],
      ['x-amz-apigw-id', extendedRequestId],
    ],
    body: Buffer.from(`HTTP content length exceeded ${REST_API_BODY_BYTES} bytes.`),
  };
}

/** An error response of the API itself. */
export function renderRestApiRefusal(
  status: number,
  errorType: string,
  message: string,
  { requestId }: Pick<RequestHead, 'requestId'>,
  extendedRequestId: string,
): GatewayResponse {
  return {
    status,
    headers: [
      ['Content-Type', 'application/json'],
      ['x-amzn-RequestId', requestId],
      ['x-amzn-ErrorType', errorType],
      ['x-amz-apigw-id', extendedRequestId],
    ],
    // Recordings of server errors have a space after the colon: `{"message": "Internal server error"}`.
    body: Buffer.from(`{"message":${status >= 500 ? ' ' : ''}${JSON.stringify(message)}}`),
  };
}

/** The response to a request whose method needs an API key that the request does not have. */
export function renderInvalidApiKey(head: RequestHead, context: RestApiContext): GatewayResponse {
  const { extendedRequestId } = context;
  const refusal = renderRestApiRefusal(403, 'ForbiddenException', 'Forbidden', head, extendedRequestId);
  return customizeError(refusal, head, context);
}

/** The mock OPTIONS method that tools create for CORS: fixed headers for every origin. Other methods get no CORS headers. */
export function renderRestApiPreflight(
  cors: CorsRules,
  { requestId }: Pick<RequestHead, 'requestId'>,
  extendedRequestId: string,
): GatewayResponse {
  const list = (name: string, values: readonly string[]): Header[] =>
    values.length > 0 ? [[name, values.join(',')]] : [];
  return {
    status: 200,
    headers: [
      ['Content-Type', 'application/json'],
      ['x-amzn-RequestId', requestId],
      ['x-amz-apigw-id', extendedRequestId],
      ...list('Access-Control-Allow-Origin', cors.allowOrigins),
      ...list('Access-Control-Allow-Headers', cors.allowHeaders),
      ...list('Access-Control-Allow-Methods', cors.allowMethods),
      ...(cors.allowCredentials ? [['Access-Control-Allow-Credentials', 'true'] as const] : []),
      ...(cors.maxAgeSeconds === undefined ? [] : [['Access-Control-Max-Age', String(cors.maxAgeSeconds)] as const]),
    ],
    body: Buffer.alloc(0),
  };
}

/** The event of a proxy integration. That of an authorizer has most of it too. */
export function renderRestApiEvent(request: ReceivedRequest, context: RestApiContext, authorized?: Authorized) {
  const groups = groupHeaders(request);
  groups.delete('content-length');
  for (const name of OWN_NAMES) {
    const group = groups.get(name.toLowerCase());
    if (group) groups.set(name.toLowerCase(), { ...group, name });
  }
  const query = groupQuery(parseQuery(request.query));
  const body =
    request.body.length === 0
      ? undefined
      : encodeByMediaTypes(request.body, firstValue(request.headers, 'content-type'), context.binaryMediaTypes);
  const { address, parameters } = context;
  const below = (pathBelow(request.path, address.prefix) ?? request.path).replace(/^\/+/, '/');
  return {
    resource: context.resourcePath,
    // At a custom domain the path includes the base path. At the API's own address it excludes the stage.
    path: address.via === 'custom-domain' ? `${address.prefix}${below}` : below,
    httpMethod: request.method,
    headers: lastValues(groups),
    multiValueHeaders: allValues(groups),
    queryStringParameters: query.size > 0 ? fromEntries([...query].map(([name, all]) => [name, all.at(-1)])) : null,
    multiValueQueryStringParameters: query.size > 0 ? fromEntries([...query]) : null,
    pathParameters: parameters.length > 0 ? fromEntries(parameters) : null,
    stageVariables: context.stageVariables ?? null,
    requestContext: {
      resourceId: shortId(`${context.apiId} ${context.resourcePath}`),
      resourcePath: context.resourcePath,
      httpMethod: request.method,
      extendedRequestId: context.extendedRequestId,
      requestTime: renderLogTime(request.receivedMs),
      path: request.path,
      accountId: context.accountId,
      authorizer: authorized?.kind === 'lambda' ? renderAuthorizer(authorized) : undefined,
      protocol: 'HTTP/1.1',
      stage: context.stage,
      domainPrefix: domainPrefixOf(address.domainName),
      requestTimeEpoch: request.receivedMs,
      requestId: request.requestId,
      identity: {
        cognitoIdentityPoolId: null,
        accountId: null,
        cognitoIdentityId: null,
        caller: null,
        sourceIp: request.sourceIp,
        principalOrgId: null,
        accessKey: null,
        cognitoAuthenticationType: null,
        cognitoAuthenticationProvider: null,
        userArn: null,
        userAgent: firstValue(request.headers, 'user-agent') ?? null,
        user: null,
        ...(authorized && renderIdentity(authorized)),
        ...(context.apiKey && { apiKey: context.apiKey.value, apiKeyId: context.apiKey.id }),
      },
      domainName: address.domainName,
      deploymentId: shortId(`${context.apiId} ${context.stage}`),
      apiId: context.apiId,
    },
    body: body?.body ?? null,
    isBase64Encoded: body?.isBase64Encoded ?? false,
  };
}

/** The context of a Lambda authorizer, with its values as text. */
function renderAuthorizer({ principalId, latencyMs, context = {} }: LambdaResult): object {
  const values = Object.entries(context).map(([name, value]) => [name, String(value)] as const);
  return { ...fromEntries(values), principalId, integrationLatency: latencyMs };
}

/** Members of `identity` that an authorizer knows. */
function renderIdentity(authorized: Authorized): object {
  if (authorized.kind === 'lambda') {
    const { usageIdentifierKey } = authorized;
    return usageIdentifierKey === undefined ? {} : { apiKey: usageIdentifierKey };
  }
  if (authorized.kind === 'jwt') return {};
  const { accessKey, accountId, callerId, userArn, userId } = authorized.caller;
  return { accountId, caller: callerId, accessKey, userArn, user: userId };
}

function parseResponse(payload: Buffer, request: ReceivedRequest, context: RestApiContext): GatewayResponse {
  const json = parseJson(payload);
  if (json === undefined || !isObject(json.value)) throw new MalformedResponse('it is not a JSON object');
  const unknown = Object.keys(json.value).find((member) => !MEMBERS.has(member));
  if (unknown !== undefined) throw new MalformedResponse(`it has an unknown member '${unknown}'`);
  if (Object.keys(json.value).length === 0) throw new MalformedResponse('it is an empty object');
  const response = parseFunctionResponse(json.value, 'rest-api', { defaultStatus: 200 });
  // Multiple values precede a single one. All have the first spelling of the name.
  const names = new Map<string, string>();
  const headers = [...response.multiValueHeaders, ...response.headers].map(([name, value]): Header => {
    const key = name.toLowerCase();
    if (!names.has(key)) names.set(key, name);
    return [names.get(key) ?? name, value];
  });
  const isDecoded = response.isBase64Encoded && isBinaryResponse(request, context.binaryMediaTypes);
  return {
    status: response.status,
    headers: [
      ...withDefault(renameOwnHeaders(headers), 'Content-Type', 'application/json'),
      ...ownHeaders(request, context),
    ],
    body: decodeBody({ body: response.body, isBase64Encoded: isDecoded }),
  };
}

/** Adds the API's headers to the response of a mock or of another server. */
export function finishRestApiResponse(
  response: GatewayResponse,
  request: ReceivedRequest,
  context: Pick<RestApiContext, 'extendedRequestId'>,
): GatewayResponse {
  const headers = withDefault(renameOwnHeaders(response.headers), 'Content-Type', 'application/json');
  return { ...response, headers: [...headers, ...ownHeaders(request, context)] };
}

/** Whether to decode Base64, by the first media type that the client accepts. */
function isBinaryResponse({ headers }: ReceivedRequest, binaryMediaTypes: readonly string[]): boolean {
  if (binaryMediaTypes.includes('*/*')) return true;
  const accepted = mediaTypeOf(firstValue(headers, 'accept')?.split(',', 1)[0]);
  return accepted !== '' && binaryMediaTypes.length > 0 && isBinaryMediaType(accepted, binaryMediaTypes);
}

function renderFault(
  fault: FunctionFault,
  request: ReceivedRequest,
  { extendedRequestId }: RestApiContext,
): GatewayResponse {
  const refuse = (status: number, message: string) =>
    renderRestApiRefusal(status, 'InternalServerErrorException', message, request, extendedRequestId);
  switch (fault.kind) {
    case 'failed':
      return refuse(502, 'Internal server error');
    case 'throttled':
    case 'unavailable':
      return refuse(500, 'Internal server error');
    case 'tenant-required':
      // Recorded on AWS: Lambda's own error is passed on.
      return renderRestApiRefusal(400, 'BadRequestException', TENANT_REQUIRED, request, extendedRequestId);
    case 'too-slow':
      return refuse(504, 'Endpoint request timed out');
    case 'event-too-large':
      return renderRestApiRefusal(413, 'RequestTooLongException', 'Request Too Long', request, extendedRequestId);
  }
}

function ownHeaders(
  { requestId, traceHeader }: ReceivedRequest,
  { extendedRequestId }: Pick<RestApiContext, 'extendedRequestId'>,
): readonly Header[] {
  return [
    ['x-amzn-RequestId', requestId],
    ['x-amz-apigw-id', extendedRequestId],
    ['X-Amzn-Trace-Id', traceHeader],
  ];
}

/** A stable ID of six letters and digits. */
function shortId(text: string): string {
  return Number.parseInt(createHash('sha256').update(text).digest('hex').slice(0, 11), 16).toString(36).slice(-6);
}

function fromEntries<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  return Object.fromEntries(entries);
}
