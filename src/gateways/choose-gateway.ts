/**
 * Chooses the route of a request among the gateways that it may be for, with the limits of that kind of gateway, or
 * the response of the gateway itself when no route matches. Pure: reads no body and runs nothing.
 */

import { renderExecuteApiArn } from '../protocol/arn.ts';
import { pathBelow } from './api-address.ts';
import type { Authorization } from './authorizers/authorization.ts';
import type { RouteAuthorization } from './authorizers/authorizer-config.ts';
import { hostOf, type ReceivedRequest, type RequestHead, valuesOf } from './exchange/gateway-request.ts';
import type { GatewayResponse, ProxyIntegration } from './exchange/proxy-integration.ts';
import type { BodyRefusal, HeadSize } from './exchange/receive-request.ts';
import type { Candidate } from './find-target.ts';
import { type HttpApiConfig, idOf, type LoadBalancerConfig, type RestApiConfig } from './gateway-config.ts';
import {
  createHttpApiIntegration,
  decodeHttpApiPath,
  finishHttpApiResponse,
  HTTP_API_HEAD_BYTES,
  HTTP_API_TIMEOUT_MS,
  type HttpApiContext,
  renderHttpApiPreflight,
  renderHttpApiRefusal,
} from './http-api/http-api.ts';
import { createHttpAuthorization } from './http-api/http-authorization.ts';
import {
  matchesHostPattern,
  matchesPathPattern,
  matchHttpRoute,
  matchResource,
  type Route,
} from './http-api/routes.ts';
import {
  createLoadBalancerIntegration,
  LOAD_BALANCER_BODY_BYTES,
  LOAD_BALANCER_FORWARDED_ADDRESSES,
  LOAD_BALANCER_HEAD_BYTES,
  renderLoadBalancerRefusal,
} from './load-balancer/load-balancer.ts';
import { targetGroupArn } from './load-balancer/target-group.ts';
import type { InvokingService } from './permissions/invoke-permissions.ts';
import { customizeError } from './rest-api/gateway-responses.ts';
import {
  createRestApiIntegration,
  finishRestApiResponse,
  REST_API_BODY_BYTES,
  REST_API_HEAD_BYTES,
  REST_API_TIMEOUT_MS,
  type RestApiContext,
  renderInvalidApiKey,
  renderRestApiPreflight,
  renderRestApiRefusal,
  renderRestApiTooLarge,
} from './rest-api/rest-api.ts';
import { createRestAuthorization } from './rest-api/rest-authorization.ts';
import { isFunction, type RouteTarget } from './route-target.ts';

export type ChosenRoute = {
  readonly kind: 'route';
  readonly head: RequestHead;
  readonly integration: ProxyIntegration;
  readonly target: RouteTarget;
  /** Values of the route's path parameters, percent-encoded. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Adds what this kind of gateway adds to a response that is not a function's. */
  readonly finish: (response: GatewayResponse, request: ReceivedRequest) => GatewayResponse;
  /** The name of the gateway. */
  readonly gateway: string;
  /** Who invokes the function, for its resource policy. */
  readonly invokedBy: InvokingService;
  /** Undefined for a route without an authorizer. */
  readonly authorization: Authorization | undefined;
  /** If the route needs an API key: where it is, and what follows from it. */
  readonly apiKey?: NeededApiKey | undefined;
  readonly timeoutMs: number | undefined;
  readonly bodyBytes: number;
  readonly renderBodyRefusal: (reason: BodyRefusal) => GatewayResponse;
};

export type NeededApiKey = {
  readonly source: 'header' | 'authorizer';
  readonly region: string;
  readonly apiId: string;
  readonly stage: string;
  readonly integrationWith: (key: { readonly id: string; readonly value: string }) => ProxyIntegration;
  readonly renderInvalid: () => GatewayResponse;
};

export type Choice =
  | ChosenRoute
  /** The gateway itself responds. `hasRoute` is false when it has no route for the request. */
  | {
      readonly kind: 'response';
      readonly head: RequestHead;
      readonly response: GatewayResponse;
      readonly hasRoute: boolean;
    };

export type ChoiceContext = {
  readonly accountId: string;
  readonly defaultRegion: string;
  readonly headSize: HeadSize;
  readonly newApiRequestId: () => string;
};

/** Tries the candidates in order. If none has a route, the first one responds. */
export function chooseGateway(candidates: readonly Candidate[], received: RequestHead, context: ChoiceContext): Choice {
  let refusal: Choice | undefined;
  for (const candidate of candidates) {
    const head = candidate.path === received.path ? received : { ...received, path: candidate.path };
    const choice = chooseRoute(candidate, head, context);
    if (choice.kind === 'route' || choice.hasRoute) return choice;
    refusal ??= choice;
  }
  if (refusal === undefined) throw new Error('no candidates to choose from');
  return refusal;
}

function chooseRoute(candidate: Candidate, head: RequestHead, context: ChoiceContext): Choice {
  const { config } = candidate;
  switch (config.kind) {
    case 'http-api':
      return chooseHttpRoute(config, candidate, head, context);
    case 'rest-api':
      return chooseResource(config, candidate, head, context);
    case 'load-balancer':
      return chooseRule(config, head, context);
  }
}

function chooseHttpRoute(
  config: HttpApiConfig,
  { address }: Candidate,
  head: RequestHead,
  context: ChoiceContext,
): Choice {
  const { accountId, headSize, newApiRequestId } = context;
  const apiRequestId = newApiRequestId();
  const refuse = (status: number, message: string, hasRoute = false): Choice => {
    return { kind: 'response', head, response: renderHttpApiRefusal(status, message, apiRequestId), hasRoute };
  };
  const path = decodeHttpApiPath(head.path);
  if (path === undefined) return refuse(400, 'Bad Request');
  const preflight = renderHttpApiPreflight(config.cors, head, apiRequestId);
  if (preflight) return { kind: 'response', head, response: preflight, hasRoute: true };
  const below = pathBelow(path, address.prefix);
  const match = below === undefined ? undefined : matchHttpRoute(config.routes, head.method, below);
  if (below === undefined || match === undefined) return refuse(404, 'Not Found');
  if (total(headSize) > HTTP_API_HEAD_BYTES) return refuse(431, 'Request Header Fields Too Large', true);
  const api: HttpApiContext = {
    accountId,
    apiId: idOf(config),
    stage: config.stage,
    stageVariables: config.stageVariables,
    address,
    match,
    payloadFormatVersion: match.route.payloadFormatVersion,
    cors: config.cors,
    apiRequestId,
  };
  const { authorization } = match.route;
  return {
    kind: 'route',
    head,
    integration: createHttpApiIntegration(api),
    target: match.route.target,
    parameters: match.parameters.map(([name, value]) => [name, value.split('/').map(encodeURIComponent).join('/')]),
    finish: (response, request) => finishHttpApiResponse(response, request, api),
    gateway: idOf(config),
    invokedBy: invokedByApi(config, match.route, head.method, context),
    authorization:
      authorization &&
      createHttpAuthorization({ ...authorizedBy(config, authorization, head.method, below, context), context: api }),
    timeoutMs: match.route.timeoutMs ?? HTTP_API_TIMEOUT_MS,
    bodyBytes: REST_API_BODY_BYTES,
    renderBodyRefusal: (reason) =>
      reason === 'busy'
        ? renderHttpApiRefusal(503, 'Service Unavailable', apiRequestId)
        : renderHttpApiRefusal(413, 'Request Entity Too Large', apiRequestId),
  };
}

function chooseResource(
  config: RestApiConfig,
  { address }: Candidate,
  head: RequestHead,
  context: ChoiceContext,
): Choice {
  const { accountId, headSize, newApiRequestId } = context;
  const extendedRequestId = newApiRequestId();
  const { stage, stageVariables, gatewayResponses } = config;
  const errors = { gatewayResponses, accountId, apiId: idOf(config), stage, stageVariables, extendedRequestId };
  const refuse = (status: number, errorType: string, message: string, hasRoute = false): Choice => {
    const refusal = renderRestApiRefusal(status, errorType, message, head, extendedRequestId);
    return { kind: 'response', head, response: customizeError(refusal, head, errors), hasRoute };
  };
  const below = pathBelow(head.path, address.prefix);
  if (below === undefined) {
    const response = renderRestApiRefusal(403, 'ForbiddenException', 'Forbidden', head, extendedRequestId);
    return { kind: 'response', head, response, hasRoute: false };
  }
  const found = matchResource(config.routes, head.method, below);
  if (found && found.route === undefined && head.method === 'OPTIONS' && config.cors) {
    const response = renderRestApiPreflight(config.cors, head, extendedRequestId);
    return { kind: 'response', head, response, hasRoute: true };
  }
  if (found?.route === undefined) {
    return refuse(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  if (total(headSize) > REST_API_HEAD_BYTES) {
    return refuse(431, 'RequestHeaderFieldsTooLargeException', 'Request Header Fields Too Large', true);
  }
  const api: RestApiContext = {
    ...errors,
    binaryMediaTypes: config.binaryMediaTypes,
    address,
    resourcePath: found.resourcePath,
    parameters: found.parameters,
  };
  const { authorization } = found.route;
  return {
    kind: 'route',
    head,
    integration: createRestApiIntegration(api),
    target: found.route.target,
    parameters: found.parameters,
    finish: (response, request) => finishRestApiResponse(response, request, api),
    gateway: idOf(config),
    invokedBy: invokedByApi(config, found.route, head.method, context),
    authorization:
      authorization &&
      createRestAuthorization({ ...authorizedBy(config, authorization, head.method, below, context), context: api }),
    timeoutMs: found.route.timeoutMs ?? REST_API_TIMEOUT_MS,
    bodyBytes: REST_API_BODY_BYTES,
    renderBodyRefusal: (reason) =>
      customizeError(
        reason === 'busy'
          ? renderRestApiRefusal(429, 'TooManyRequestsException', 'Too Many Requests', head, extendedRequestId)
          : renderRestApiTooLarge(head, extendedRequestId),
        head,
        api,
      ),
    ...(found.route.apiKeyRequired && {
      apiKey: {
        source: config.apiKeySource,
        region: config.managed?.region ?? context.defaultRegion,
        apiId: idOf(config),
        stage,
        integrationWith: (key) => createRestApiIntegration({ ...api, apiKey: key }),
        renderInvalid: () => renderInvalidApiKey(head, api),
      },
    }),
  };
}

function chooseRule(
  config: LoadBalancerConfig,
  head: RequestHead,
  { accountId, defaultRegion, headSize }: ChoiceContext,
): Choice {
  const refuse = (status: number, hasRoute: boolean): Choice => {
    return { kind: 'response', head, response: renderLoadBalancerRefusal(status), hasRoute };
  };
  const host = hostOf(head.headers);
  const rule = config.rules.find(
    (candidate) =>
      (candidate.method === 'ANY' || candidate.method === head.method) &&
      (candidate.host === undefined || matchesHostPattern(candidate.host, host)) &&
      matchesPathPattern(candidate.path, head.path),
  );
  if (rule === undefined) return refuse(503, false);
  const refused = refusedByLoadBalancer(head, headSize);
  if (refused !== undefined) return refuse(refused, true);
  const { target } = rule;
  const groupArn =
    rule.targetGroupArn ??
    (isFunction(target) ? targetGroupArn(config.name, target, { accountId, defaultRegion }) : '');
  return {
    kind: 'route',
    head,
    integration: createLoadBalancerIntegration({
      targetGroupArn: groupArn,
      hasMultiValueHeaders: rule.hasMultiValueHeaders ?? config.hasMultiValueHeaders,
    }),
    target,
    parameters: [],
    finish: (response) => ({ ...response, headers: [...response.headers, ['Server', 'awselb/2.0']] }),
    gateway: idOf(config),
    invokedBy: {
      principal: 'elasticloadbalancing.amazonaws.com',
      sourceArn: groupArn,
      account: accountId,
      allRoutesArn: groupArn,
    },
    authorization: undefined,
    timeoutMs: undefined,
    bodyBytes: LOAD_BALANCER_BODY_BYTES,
    renderBodyRefusal: (reason) => renderLoadBalancerRefusal(reason === 'busy' ? 503 : 413),
  };
}

/**
 * An API as it invokes a function. The source ARN has the method of the request and the path of the route:
 * `arn:aws:execute-api:us-east-1:123456789012:shop/prod/GET/users/{id}`.
 */
function invokedByApi(
  config: HttpApiConfig | RestApiConfig,
  route: Route,
  method: string,
  { accountId, defaultRegion }: ChoiceContext,
): InvokingService {
  const { stage, managed } = config;
  const name = idOf(config);
  const scope = { region: managed?.region ?? defaultRegion, account: accountId };
  const path = route.path === undefined ? '$default' : `${method}${route.path}`;
  return {
    principal: 'apigateway.amazonaws.com',
    sourceArn: renderExecuteApiArn(scope, name, stage, path),
    account: accountId,
    allRoutesArn: renderExecuteApiArn(scope, name, '*', '*'),
  };
}

/**
 * What both kinds of API tell an authorizer. The ARN of the method has the path of the request, `path`, below the stage;
 * the API invokes the function of an authorizer as `arn:aws:execute-api:us-east-1:123456789012:shop/authorizers/NAME`.
 */
function authorizedBy(
  config: HttpApiConfig | RestApiConfig,
  { authorizer, scopes }: RouteAuthorization,
  method: string,
  path: string,
  { accountId, defaultRegion }: ChoiceContext,
) {
  const { stage, managed } = config;
  const name = idOf(config);
  const scope = { region: managed?.region ?? defaultRegion, account: accountId };
  return {
    authorizer,
    scopes,
    gateway: idOf(config),
    methodArn: renderExecuteApiArn(scope, name, stage, `${method}/${path.replace(/^\/+/, '')}`),
    invokedBy: (authorizerName: string): InvokingService => ({
      principal: 'apigateway.amazonaws.com',
      sourceArn: renderExecuteApiArn(scope, name, 'authorizers', authorizerName),
      account: accountId,
      allRoutesArn: renderExecuteApiArn(scope, name, 'authorizers', '*'),
    }),
  };
}

/** The status with which a load balancer refuses a request; undefined for a request that it accepts. */
function refusedByLoadBalancer({ method, headers }: RequestHead, headSize: HeadSize): number | undefined {
  const limits = LOAD_BALANCER_HEAD_BYTES;
  if (headSize.line > limits.requestLine) return 414;
  const isTooLong = headSize.headers.some((bytes) => bytes > limits.requestLine);
  if (isTooLong || sum(headSize.headers) > limits.headers) return 400;
  if (method === 'TRACE') return 405;
  // Lambda targets do not support WebSockets.
  if (valuesOf(headers, 'upgrade').some((value) => value.toLowerCase() === 'websocket')) return 400;
  return forwardedAddresses(headers) > LOAD_BALANCER_FORWARDED_ADDRESSES ? 463 : undefined;
}

function forwardedAddresses(headers: RequestHead['headers']): number {
  return valuesOf(headers, 'x-forwarded-for').reduce((count, value) => count + value.split(',').length, 0);
}

function total({ line, headers }: HeadSize): number {
  return line + sum(headers);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
