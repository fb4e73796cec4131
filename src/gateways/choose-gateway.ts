/**
 * From the gateways that a request may mean to the one route that takes it, with the gateway's own limits; or the gateway's own
 * answer when there is none. Pure: reads no body and runs nothing.
 */
import { pathBelow } from './api-address.ts';
import { type GatewayRequest, hostOf, valuesOf } from './exchange/gateway-request.ts';
import type { GatewayResponse, ProxyIntegration } from './exchange/proxy-integration.ts';
import type { Candidate } from './find-target.ts';
import type { HttpApiConfig, LoadBalancerConfig, RestApiConfig, RouteFunction } from './gateway-config.ts';
import {
  answerHttpApiPreflight,
  createHttpApiIntegration,
  decodeHttpApiPath,
  HTTP_API_HEAD_BYTES,
  HTTP_API_PATIENCE_MS,
  renderHttpApiRefusal,
} from './http-api/http-api.ts';
import { matchesHostPattern, matchesPathPattern, matchHttpRoute, matchResource } from './http-api/routes.ts';
import {
  createLoadBalancerIntegration,
  LOAD_BALANCER_BODY_BYTES,
  LOAD_BALANCER_FORWARDED_ADDRESSES,
  LOAD_BALANCER_HEAD_BYTES,
  renderLoadBalancerRefusal,
} from './load-balancer/load-balancer.ts';
import { renderTargetGroupArn } from './load-balancer/target-group.ts';
import {
  answerRestApiPreflight,
  createRestApiIntegration,
  REST_API_BODY_BYTES,
  REST_API_HEAD_BYTES,
  REST_API_PATIENCE_MS,
  renderRestApiRefusal,
  renderRestApiTooLarge,
} from './rest-api/rest-api.ts';

export type ChosenGateway = {
  readonly kind: 'function';
  readonly request: GatewayRequest;
  readonly integration: ProxyIntegration;
  readonly target: RouteFunction;
  readonly patienceMs: number | undefined;
  readonly bodyBytes: number;
  readonly renderTooLarge: () => GatewayResponse;
};

export type Choice =
  | ChosenGateway
  /** The gateway itself has the answer; `isRoute` when one of its routes does. */
  | {
      readonly kind: 'answered';
      readonly request: GatewayRequest;
      readonly response: GatewayResponse;
      readonly isRoute: boolean;
    };

export type Circumstances = {
  readonly accountId: string;
  readonly defaultRegion: string;
  /** Bytes of the request line, and of each header. */
  readonly headBytes: { readonly line: number; readonly headers: readonly number[] };
  readonly newApiRequestId: () => string;
};

/** Asks the candidates in order; when no route of any fits, the first one says so. */
export function chooseGateway(
  candidates: readonly Candidate[],
  received: GatewayRequest,
  circumstances: Circumstances,
): Choice {
  let refusal: Choice | undefined;
  for (const candidate of candidates) {
    const request = candidate.path === received.path ? received : { ...received, path: candidate.path };
    const choice = chooseRoute(candidate, request, circumstances);
    if (choice.kind === 'function' || choice.isRoute) return choice;
    refusal ??= choice;
  }
  if (refusal === undefined) throw new Error('a gateway was to be chosen among none');
  return refusal;
}

function chooseRoute(candidate: Candidate, request: GatewayRequest, circumstances: Circumstances): Choice {
  const { config } = candidate;
  switch (config.kind) {
    case 'http-api':
      return chooseHttpRoute(config, candidate, request, circumstances);
    case 'rest-api':
      return chooseResource(config, candidate, request, circumstances);
    case 'load-balancer':
      return chooseRule(config, request, circumstances);
  }
}

function chooseHttpRoute(
  config: HttpApiConfig,
  { address }: Candidate,
  request: GatewayRequest,
  { accountId, headBytes, newApiRequestId }: Circumstances,
): Choice {
  const apiRequestId = newApiRequestId();
  const refuse = (status: number, message: string, isRoute = false): Choice => {
    return { kind: 'answered', request, response: renderHttpApiRefusal(status, message, apiRequestId), isRoute };
  };
  const path = decodeHttpApiPath(request.path);
  if (path === undefined) return refuse(400, 'Bad Request');
  const preflight = answerHttpApiPreflight(config.cors, request, apiRequestId);
  if (preflight) return { kind: 'answered', request, response: preflight, isRoute: true };
  const below = pathBelow(path, address.prefix);
  const match = below === undefined ? undefined : matchHttpRoute(config.routes, request.method, below);
  if (match === undefined) return refuse(404, 'Not Found');
  if (total(headBytes) > HTTP_API_HEAD_BYTES) return refuse(431, 'Request Header Fields Too Large', true);
  return {
    kind: 'function',
    request,
    integration: createHttpApiIntegration({
      accountId,
      apiId: config.name,
      stage: config.stage,
      stageVariables: config.stageVariables,
      address,
      match,
      payloadFormatVersion: match.route.payloadFormatVersion,
      cors: config.cors,
      apiRequestId,
    }),
    target: match.route.target,
    patienceMs: HTTP_API_PATIENCE_MS,
    bodyBytes: REST_API_BODY_BYTES,
    renderTooLarge: () => renderHttpApiRefusal(413, 'Request Entity Too Large', apiRequestId),
  };
}

function chooseResource(
  config: RestApiConfig,
  { address }: Candidate,
  request: GatewayRequest,
  { accountId, headBytes, newApiRequestId }: Circumstances,
): Choice {
  const extendedRequestId = newApiRequestId();
  const refuse = (status: number, errorType: string, message: string, isRoute = false): Choice => {
    const response = renderRestApiRefusal(status, errorType, message, request, extendedRequestId);
    return { kind: 'answered', request, response, isRoute };
  };
  const below = pathBelow(request.path, address.prefix);
  if (below === undefined) return refuse(403, 'ForbiddenException', 'Forbidden');
  const found = matchResource(config.routes, request.method, below);
  if (found && found.route === undefined && request.method === 'OPTIONS' && config.cors) {
    const response = answerRestApiPreflight(config.cors, request, extendedRequestId);
    return { kind: 'answered', request, response, isRoute: true };
  }
  if (found?.route === undefined) {
    return refuse(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  if (total(headBytes) > REST_API_HEAD_BYTES) {
    return refuse(431, 'RequestHeaderFieldsTooLargeException', 'Request Header Fields Too Large', true);
  }
  return {
    kind: 'function',
    request,
    integration: createRestApiIntegration({
      accountId,
      apiId: config.name,
      stage: config.stage,
      stageVariables: config.stageVariables,
      binaryMediaTypes: config.binaryMediaTypes,
      address,
      resourcePath: found.resourcePath,
      parameters: found.parameters,
      extendedRequestId,
    }),
    target: found.route.target,
    patienceMs: REST_API_PATIENCE_MS,
    bodyBytes: REST_API_BODY_BYTES,
    renderTooLarge: () => renderRestApiTooLarge(request, extendedRequestId),
  };
}

function chooseRule(
  config: LoadBalancerConfig,
  request: GatewayRequest,
  { accountId, defaultRegion, headBytes }: Circumstances,
): Choice {
  const refuse = (status: number, isRoute: boolean): Choice => {
    return { kind: 'answered', request, response: renderLoadBalancerRefusal(status), isRoute };
  };
  const host = hostOf(request.headers);
  const rule = config.rules.find(
    (candidate) =>
      (candidate.method === 'ANY' || candidate.method === request.method) &&
      (candidate.host === undefined || matchesHostPattern(candidate.host, host)) &&
      matchesPathPattern(candidate.path, request.path),
  );
  if (rule === undefined) return refuse(503, false);
  const refused = refusedByLoadBalancer(request, headBytes);
  if (refused !== undefined) return refuse(refused, true);
  return {
    kind: 'function',
    request,
    integration: createLoadBalancerIntegration({
      targetGroupArn: renderTargetGroupArn(config.name, rule.target, { accountId, defaultRegion }),
      hasMultiValueHeaders: config.hasMultiValueHeaders,
    }),
    target: rule.target,
    patienceMs: undefined,
    bodyBytes: LOAD_BALANCER_BODY_BYTES,
    renderTooLarge: () => renderLoadBalancerRefusal(413),
  };
}

/** The status with which a load balancer refuses a request itself; undefined for one that it passes on. */
function refusedByLoadBalancer(
  { method, headers }: GatewayRequest,
  headBytes: Circumstances['headBytes'],
): number | undefined {
  const limits = LOAD_BALANCER_HEAD_BYTES;
  if (headBytes.line > limits.requestLine) return 414;
  const isTooLong = headBytes.headers.some((bytes) => bytes > limits.requestLine);
  if (isTooLong || sum(headBytes.headers) > limits.headers) return 400;
  if (method === 'TRACE') return 405;
  // Functions cannot be upgraded to.
  if (valuesOf(headers, 'upgrade').some((value) => value.toLowerCase() === 'websocket')) return 400;
  return forwardedAddresses(headers) > LOAD_BALANCER_FORWARDED_ADDRESSES ? 463 : undefined;
}

function forwardedAddresses(headers: GatewayRequest['headers']): number {
  return valuesOf(headers, 'x-forwarded-for').reduce((count, value) => count + value.split(',').length, 0);
}

function total({ line, headers }: Circumstances['headBytes']): number {
  return line + sum(headers);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
