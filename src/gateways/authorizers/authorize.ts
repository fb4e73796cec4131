/**
 * Carries out the authorization of a request: reads the identity, then invokes the authorizer's function, validates the
 * token or verifies the signature. An authorizer that fails is a denial, never an exception. Loaded with the first
 * request to a route that has an authorizer.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { isTenantIsolated } from '../../functions/tenancy.ts';
import type { HttpRequest } from '../../http/exchange.ts';
import { createTraces } from '../../invocation/trace-header.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import type { RequestId, Scope } from '../../protocol/names.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Authorized } from '../exchange/authorized.ts';
import { isObject, parseJson } from '../exchange/function-response.ts';
import { firstValue, type ReceivedRequest } from '../exchange/gateway-request.ts';
import { evaluateCallerPolicy } from '../permissions/evaluate-policy.ts';
import type { InvokePermissions } from '../permissions/invoke-permissions.ts';
import type { FunctionRunnerOptions } from '../run-function.ts';
import type { Authorization } from './authorization.ts';
import type { JwtAuthorizer, LambdaAuthorizer } from './authorizer-config.ts';
import { type AuthorizerResult, InvalidAuthorizerResponse, parseAuthorizerResponse } from './authorizer-response.ts';
import type { Denial } from './denial.ts';
import { readIdentity } from './identity-source.ts';
import { validateJwt } from './jwt.ts';
import { createKeySets } from './key-sets.ts';
import { createResultCache } from './result-cache.ts';
import { type CallerDependencies, verifyCaller } from './verify-caller.ts';

/** Maximum size of what an authorizer's function returns. */
const MAX_RESULT_BYTES = 8_192;

export type AuthorizeOptions = FunctionRunnerOptions &
  CallerDependencies & {
    readonly permissions: Pick<InvokePermissions, 'allowsService'>;
    /** The clock of caches, which tests can advance. */
    readonly backgroundClock: Clock;
    readonly defaultRegion: string;
    readonly accountId: string;
  };

export type Decision = Authorized | { readonly denial: Denial };
export type Authorize = (
  authorization: Authorization,
  http: HttpRequest,
  request: ReceivedRequest,
) => Promise<Decision>;

const FAULT = { denial: { kind: 'fault' } } as const;
const UNAUTHORIZED = { denial: { kind: 'unauthorized' } } as const;

export function createAuthorize(options: AuthorizeOptions): Authorize {
  const { settings, invoke, permissions, clock, backgroundClock, log } = options;
  const scope: Scope = { region: options.defaultRegion, account: options.accountId };
  const results = createResultCache(backgroundClock);
  const keySets = createKeySets(backgroundClock);
  const traces = createTraces(clock);

  function warn({ gateway }: Authorization, authorizer: string, reason: string): void {
    log.warn({ gateway, authorizer }, `the authorizer '${authorizer}' of the API '${gateway}' failed: ${reason}`);
  }

  const identityContextOf = (authorization: Authorization, request: ReceivedRequest) => ({
    kind: authorization.kind,
    request,
    stageVariables: authorization.stageVariables,
    contextVariables: () => authorization.contextVariables(request),
  });

  async function authorizeByFunction(
    authorization: Authorization,
    authorizer: LambdaAuthorizer,
    request: ReceivedRequest,
  ): Promise<Decision> {
    const identity = readIdentity(authorizer.identitySources, identityContextOf(authorization, request));
    const [token = ''] = identity ?? [];
    if (identity === undefined || authorizer.validates?.test(token) === false) return UNAUTHORIZED;
    const cached = results.find(authorizer, identity);
    if (cached !== undefined) return decide(authorization, request, cached, 0);
    const startedMs = clock.monotonicMs();
    const ran = await run(authorization, authorizer, request, identity);
    if ('denial' in ran) return ran;
    results.keep(authorizer, identity, ran);
    return decide(authorization, request, ran, Math.round(clock.monotonicMs() - startedMs));
  }

  async function run(
    authorization: Authorization,
    authorizer: LambdaAuthorizer,
    request: ReceivedRequest,
    identity: readonly string[],
  ): Promise<AuthorizerResult | typeof FAULT | typeof UNAUTHORIZED> {
    const fail = (reason: string) => {
      warn(authorization, authorizer.name, reason);
      return FAULT;
    };
    const payload = Buffer.from(JSON.stringify(authorization.toEvent(authorizer, request, identity)));
    if (payload.length > QUOTAS.invokePayloadBytes) return fail('its event exceeds the limit of Lambda');
    const outcome = await invokeFunction(authorization, authorizer, request, payload);
    if (typeof outcome === 'string') return fail(outcome);
    // By convention, this error message is a 401.
    if (outcome.kind === 'failed') return isUnauthorized(outcome.payload) ? UNAUTHORIZED : fail('its function failed');
    if (outcome.kind === 'throttled') return fail('its function is throttled');
    if (outcome.payload.length > MAX_RESULT_BYTES) {
      return fail(`its function returned more than ${MAX_RESULT_BYTES} bytes`);
    }
    try {
      return parseAuthorizerResponse(outcome.payload, authorizer);
    } catch (failure) {
      if (!(failure instanceof InvalidAuthorizerResponse)) throw failure;
      return fail(`invalid response of its function: ${failure.message}`);
    }
  }

  /** Returns the reason if the function cannot be invoked or takes too long. */
  async function invokeFunction(
    authorization: Authorization,
    { name: authorizer, target }: LambdaAuthorizer,
    request: ReceivedRequest,
    payload: Buffer,
  ) {
    const { name, qualifier } = target;
    const own = { region: target.region ?? scope.region, account: target.account ?? scope.account };
    if (
      !permissions.allowsService(
        { scope: own, name, qualifier },
        authorization.gateway,
        authorization.invokedBy(authorizer),
      )
    ) {
      return 'the resource policy of its function does not allow the API to invoke it';
    }
    let version: ReturnType<typeof settings.resolve>;
    try {
      version = settings.resolve(own, name, qualifier);
    } catch (failure) {
      if (!(failure instanceof ServiceError)) throw failure;
      return failure.message;
    }
    if (isTenantIsolated(version)) return 'its function has tenant isolation, and gateways name no tenant';
    let cancel: () => void = () => undefined;
    const timeout = new Promise<string>((resolve) => {
      const reason = `its function has not responded within ${authorization.timeoutMs} ms`;
      cancel = clock.after(authorization.timeoutMs, () => resolve(reason));
    });
    const outcome = invoke(version, {
      requestId: randomUUID() as RequestId,
      payload,
      invokedFunctionArn: renderFunctionArn(own, name, qualifier),
      traceId: traces.start(request.traceHeader, renderFunctionArn(own, name)).forFunction,
      clientContext: undefined,
      cognitoIdentity: undefined,
      wantsLogTail: false,
    });
    return Promise.race([outcome, timeout]).finally(() => cancel());
  }

  function decide(
    { methodArn }: Authorization,
    request: ReceivedRequest,
    { statements, isAuthorized, principalId, usageIdentifierKey, context }: AuthorizerResult,
    latencyMs: number,
  ): Decision {
    const decision =
      statements === undefined
        ? isAuthorized
          ? 'allow'
          : 'implicit-deny'
        : evaluateCallerPolicy(statements, {
            action: 'execute-api:Invoke',
            resource: methodArn,
            context: conditionKeysOf(request, principalId),
          });
    if (decision !== 'allow') return { denial: { kind: 'denied', isExplicit: decision === 'deny' } };
    return { kind: 'lambda', principalId, usageIdentifierKey, context, latencyMs };
  }

  async function authorizeByToken(
    authorization: Authorization,
    authorizer: JwtAuthorizer,
    request: ReceivedRequest,
  ): Promise<Decision> {
    const [token] = readIdentity([authorizer.identitySource], identityContextOf(authorization, request)) ?? [];
    if (token === undefined) return { denial: { kind: 'unauthorized', challenge: 'Bearer' } };
    return validateJwt(authorizer, token, authorization.scopes, {
      keySets,
      // Not the clock that tests can advance: tokens come from outside.
      nowMs: clock.epochMs(),
      warn: (reason) => warn(authorization, authorizer.name, reason),
    });
  }

  function authorizeBySignature(http: HttpRequest, request: ReceivedRequest): Decision {
    const exchange = { http, body: request.body, service: 'execute-api', scope, nowMs: clock.epochMs() };
    const verified = verifyCaller(exchange, options);
    if ('fault' in verified) return { denial: { kind: 'signature', fault: verified.fault } };
    return { kind: 'iam', caller: verified.caller };
  }

  return async (authorization, http, request) => {
    const { authorizer } = authorization;
    try {
      switch (authorizer.kind) {
        case 'lambda':
          return await authorizeByFunction(authorization, authorizer, request);
        case 'jwt':
          return await authorizeByToken(authorization, authorizer, request);
        case 'iam':
          return authorizeBySignature(http, request);
      }
    } catch (failure) {
      const name = authorizer.kind === 'iam' ? 'AWS_IAM' : authorizer.name;
      log.error({ err: failure, gateway: authorization.gateway, authorizer: name }, 'an authorizer could not be run');
      return FAULT;
    }
  };
}

/** Whether the function failed with exactly this message. */
function isUnauthorized(payload: Buffer): boolean {
  const error = parseJson(payload)?.value;
  return isObject(error) && error.errorMessage === 'Unauthorized';
}

/** The condition keys that policies of authorizers can use. */
function conditionKeysOf(request: ReceivedRequest, principalId: string | undefined) {
  return {
    'aws:SourceIp': request.sourceIp,
    'aws:UserAgent': firstValue(request.headers, 'user-agent'),
    'aws:Referer': firstValue(request.headers, 'referer'),
    'aws:SecureTransport': 'false',
    'aws:CurrentTime': new Date(request.receivedMs).toISOString(),
    'aws:EpochTime': String(Math.trunc(request.receivedMs / 1000)),
    'aws:userid': principalId,
  };
}
