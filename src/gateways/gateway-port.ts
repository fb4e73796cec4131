/**
 * Handles requests to the HTTP port: finds the function URL, API or load balancer that a request is for, and runs its
 * function. Function URLs come from the functions' settings, the other gateways from `gateways.ts`. How each kind
 * writes events and responses is in its own directory.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import { BodyFailure } from '../http/body.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../http/exchange.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import type { FunctionName, Scope } from '../protocol/names.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import type { Authorize } from './authorizers/authorize.ts';
import { type CallerDependencies, verifyCaller } from './authorizers/verify-caller.ts';
import { chooseGateway, type NeededApiKey } from './choose-gateway.ts';
import type { Authorized, SignedCaller } from './exchange/authorized.ts';
import { firstValue, hostOf, type ReceivedRequest, type RequestHead } from './exchange/gateway-request.ts';
import { Refused, refuse } from './exchange/proxy-integration.ts';
import { createRequestReceiver, measureHead, receiveBody } from './exchange/receive-request.ts';
import { writeResponse } from './exchange/write-response.ts';
import { findTarget, type Target } from './find-target.ts';
import {
  createFunctionUrlIntegration,
  FORBIDDEN,
  renderUrlBusy,
  renderUrlHead,
  renderUrlPreflight,
  renderUrlRefusal,
  renderUrlTooLarge,
} from './function-url/function-url.ts';
import type { GatewayConfig } from './gateway-config.ts';
import type { Gateways } from './gateways.ts';
import { createInvokePermissions } from './permissions/invoke-permissions.ts';
import type { RouteFunction } from './route-function.ts';
import { isFunction } from './route-target.ts';
import { createFunctionRunner, type FunctionRunnerOptions } from './run-function.ts';

export type GatewayHandlerOptions = FunctionRunnerOptions &
  CallerDependencies & {
    readonly gateways: Pick<Gateways, 'all'>;
    readonly settings: Pick<FunctionSettings, 'urls' | 'resolve' | 'policies'>;
    /** Region and account of functions that a route names without them. */
    readonly defaultRegion: string;
    readonly accountId: string;
    /** The host that the port is bound to. Clients may name it. */
    readonly boundHost: string;
    /** More names that clients may use (`--allow-host`). */
    readonly allowedHosts: readonly string[];
    /** Whether functions need a resource policy that allows the gateway to invoke them. */
    readonly enforcesPolicies: boolean;
    /** The ID of an API key that a usage plan of the stage has; undefined if none has it. */
    readonly findApiKey: (asked: {
      readonly region: string;
      readonly apiId: string;
      readonly stage: string;
      readonly value: string;
    }) => string | undefined;
    /** The clock of authorizers' results, which tests can advance. */
    readonly backgroundClock: Clock;
    /** The URLs of the service, for a client of the Lambda API that took this port for the API port. */
    readonly urls?: (() => { readonly lambda: string; readonly http: string }) | undefined;
  };

/** A request in Node's form, with the response to write. */
type Exchange = { readonly http: HttpRequest; readonly response: HttpResponse };
type TargetOf<Kind extends Target['kind']> = Extract<Target, { readonly kind: Kind }>;

/** The handler of the HTTP port. */
export function createGatewayHandler(options: GatewayHandlerOptions): HttpHandler {
  const { gateways, settings, accountId, defaultRegion, clock } = options;
  const receiver = createRequestReceiver({
    ...options,
    allowedHosts: () => [...options.allowedHosts, ...gateways.all().flatMap(hostsOf)],
  });
  const runner = createFunctionRunner(options);
  const newApiRequestId = createApiRequestIds();
  const permissions = createInvokePermissions({
    policies: settings.policies,
    isEnforced: options.enforcesPolicies,
    log: options.log,
  });

  let authorize: Promise<Authorize> | undefined;
  /** Authorizers are loaded with the first request that needs one. */
  const loadAuthorize = () => {
    authorize ??= import('./authorizers/authorize.ts').then(({ createAuthorize }) =>
      createAuthorize({ ...options, permissions }),
    );
    return authorize;
  };

  async function handleFunctionUrl(
    { http, response }: Exchange,
    target: TargetOf<'function-url'>,
    received: RequestHead,
  ) {
    const head: RequestHead = { ...received, path: target.path };
    const located = settings.urls.locate(target.id);
    if (located === undefined || (target.region !== undefined && target.region !== located.scope.region)) {
      throw new Refused(renderUrlRefusal(403, 'AccessDeniedException', { Message: null }, head));
    }
    const { scope, url } = located;
    const name = url.functionName as FunctionName;
    const trace = receiver.startTrace(http, renderFunctionArn(scope, name));
    const preflight = renderUrlPreflight(url, { ...head, ...trace });
    if (preflight) {
      http.resume();
      return writeResponse(response, head.method, preflight);
    }
    const invoked = { scope, name, qualifier: url.qualifier || undefined };
    const checkPermission = (caller: SignedCaller | undefined) => {
      if (permissions.allowsUrl(invoked, url, caller)) return;
      throw new Refused(renderUrlRefusal(403, 'AccessDeniedException', { Message: FORBIDDEN }, head));
    };
    if (url.authType !== 'AWS_IAM') checkPermission(undefined);
    const body = await receiveBody(http, QUOTAS.invokePayloadBytes, (reason) =>
      reason === 'busy' ? renderUrlBusy(head) : renderUrlTooLarge(head),
    );
    const request: ReceivedRequest = { ...head, ...trace, body };
    const caller = url.authType === 'AWS_IAM' ? verifyUrlCaller(http, request, scope) : undefined;
    if (caller) checkPermission(caller);
    const domainName = `${url.id}.lambda-url.${scope.region}.localhost`;
    const integration = createFunctionUrlIntegration({ url, domainName, caller });
    const run = { ...invoked, response, request, integration };
    if (url.invokeMode !== 'RESPONSE_STREAM') return runner.runBuffered(run, undefined);
    await runner.runStreaming(run, ({ headers, cookies }) =>
      renderUrlHead(url, request, headers, cookies, 'application/octet-stream'),
    );
  }

  /** @throws Refused */
  function verifyUrlCaller(http: HttpRequest, request: ReceivedRequest, scope: Scope): SignedCaller {
    const exchange = { http, body: request.body, service: 'lambda', scope, nowMs: clock.epochMs() };
    const verified = verifyCaller(exchange, options);
    if ('caller' in verified) return verified.caller;
    const { kind, status, code, message } = verified.fault;
    throw new Refused(
      kind === 'missing'
        ? renderUrlRefusal(status, 'AccessDeniedException', { Message: FORBIDDEN }, request)
        : renderUrlRefusal(status, code, { message }, request),
    );
  }

  async function handleGateway({ http, response }: Exchange, target: TargetOf<'gateways'>, received: RequestHead) {
    const headSize = measureHead(http);
    const chosen = chooseGateway(target.candidates, received, { accountId, defaultRegion, headSize, newApiRequestId });
    const { head } = chosen;
    if (chosen.kind === 'response') {
      http.resume();
      return writeResponse(response, head.method, chosen.response);
    }
    const { target: routeTarget } = chosen;
    const tracedArn = isFunction(routeTarget)
      ? renderFunctionArn(scopeOf(routeTarget), routeTarget.name)
      : chosen.invokedBy.sourceArn;
    const trace = receiver.startTrace(http, tracedArn);
    const body = await receiveBody(http, chosen.bodyBytes, chosen.renderBodyRefusal);
    const request: ReceivedRequest = { ...head, ...trace, body };
    let { integration } = chosen;
    let authorized: Authorized | undefined;
    if (chosen.authorization !== undefined) {
      const decision = await (await loadAuthorize())(chosen.authorization, http, request);
      if ('denial' in decision) {
        return writeResponse(response, head.method, chosen.authorization.toResponse(decision.denial, request));
      }
      authorized = decision;
    }
    if (chosen.apiKey !== undefined) {
      const key = findKey(chosen.apiKey, request, authorized);
      if (key === undefined) return writeResponse(response, head.method, chosen.apiKey.renderInvalid());
      integration = chosen.apiKey.integrationWith(key);
    }
    if (authorized !== undefined) {
      const { toEvent } = integration;
      integration = { ...integration, toEvent: (received) => toEvent(received, authorized) };
    }
    if (!isFunction(routeTarget)) {
      const { respondWithoutFunction } = await import('./respond-without-function.ts');
      return writeResponse(response, head.method, await respondWithoutFunction(chosen, routeTarget, request, options));
    }
    const { name, qualifier } = routeTarget;
    const scope = scopeOf(routeTarget);
    if (!permissions.allowsService({ scope, name, qualifier }, chosen.gateway, chosen.invokedBy)) {
      return writeResponse(response, head.method, integration.toFault({ kind: 'unavailable' }, request));
    }
    await runner.runBuffered({ response, request, scope, name, qualifier, integration }, chosen.timeoutMs);
  }

  /** The API key of a request, if a usage plan of the stage has it. */
  function findKey(
    { source, region, apiId, stage }: NeededApiKey,
    request: ReceivedRequest,
    by: Authorized | undefined,
  ) {
    const fromAuthorizer = by?.kind === 'lambda' ? by.usageIdentifierKey : undefined;
    const value = source === 'header' ? firstValue(request.headers, 'x-api-key') : fromAuthorizer;
    const id = value === undefined ? undefined : options.findApiKey({ region, apiId, stage, value });
    return id === undefined || value === undefined ? undefined : { id, value };
  }

  function scopeOf({ region, account }: RouteFunction): Scope {
    return { region: region ?? defaultRegion, account: account ?? accountId };
  }

  return async (http, response) => {
    try {
      const head = receiver.readHead(http);
      if (http.url === SERVICE_TARGET && options.urls !== undefined) {
        http.resume();
        const body = Buffer.from(JSON.stringify(options.urls()));
        const headers: [string, string][] = [['Content-Type', 'application/json']];
        return writeResponse(response, head.method, { status: 200, headers, body });
      }
      const target = findTarget(hostOf(head.headers), head.path, gateways.all());
      switch (target.kind) {
        case 'function-url':
          return await handleFunctionUrl({ http, response }, target, head);
        case 'gateways':
          return await handleGateway({ http, response }, target, head);
        case 'nothing':
          throw refuse(404, explainNotFound(target.named, head));
      }
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      if (!(failure instanceof Refused)) throw failure;
      http.resume();
      writeResponse(response, http.method ?? 'GET', failure.response);
    }
  };
}

/** Names that clients may use: those of AWS, too, which only AWS can resolve to this address. */
function hostsOf({ hosts, managed, kind }: GatewayConfig): readonly string[] {
  if (managed === undefined || !managed.isOwnAddress) return hosts;
  const { id, region } = managed;
  const own = kind === 'load-balancer' ? `${id}.${region}.elb` : `${id}.execute-api.${region}`;
  return [...hosts, `${own}.amazonaws.com`, `${own}.amazonaws.com.cn`];
}

/** As on the API port, where the admin API serves it. */
const SERVICE_TARGET = '/_lamella/service';

const API_REQUEST_ID_BYTES = 11;

/** Creates IDs of 11 random bytes, as API Gateway writes them: `JKJaXmPLvHcESHA=`. Draws 512 at a time to save calls. */
function createApiRequestIds(): () => string {
  let page = Buffer.alloc(0);
  let drawn = 0;
  return () => {
    if (drawn >= page.length) {
      page = randomBytes(API_REQUEST_ID_BYTES * 512);
      drawn = 0;
    }
    drawn += API_REQUEST_ID_BYTES;
    const id = page.toString('base64', drawn - API_REQUEST_ID_BYTES, drawn);
    return id.replaceAll('+', '-').replaceAll('/', '_');
  };
}

function explainNotFound(gateway: string | undefined, { method, path }: RequestHead): string {
  return gateway === undefined
    ? `No gateway handles ${method} ${path}. Create a function URL (CreateFunctionUrlConfig), or add a route: ` +
        `lamella start --route "${method} ${path} -> NAME".`
    : `Gateway '${gateway}' not found. Create it with PUT /_lamella/gateways/${gateway} on the API port.`;
}
