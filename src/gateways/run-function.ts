/**
 * Runs the function that a request is for: event out, response or fault back to the client, whole or as a stream.
 * The form of events and responses belongs to each `ProxyIntegration`; here are waiting, limits and failures.
 */
import type { Clock } from '../clock.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import { isTenantIsolated } from '../functions/tenancy.ts';
import type { HttpResponse } from '../http/exchange.ts';
import type { Log } from '../log.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import type { FunctionName, RequestId, Scope } from '../protocol/names.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Header, ReceivedRequest } from './exchange/gateway-request.ts';
import {
  type FunctionFault,
  type GatewayResponse,
  MalformedResponse,
  type ProxyIntegration,
} from './exchange/proxy-integration.ts';
import { type StreamedHead, StreamedResponse } from './exchange/streamed-response.ts';
import { breakOff, writeChunk, writeHead, writeResponse } from './exchange/write-response.ts';

export type FunctionRunnerOptions = {
  readonly settings: Pick<FunctionSettings, 'resolve'>;
  /** Runs a version. Rejects only for a fault of this machine. */
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly clock: Clock;
  readonly log: Log;
};

/** One request on its way to a function. */
export type FunctionRun = {
  readonly request: ReceivedRequest;
  readonly response: HttpResponse;
  readonly scope: Scope;
  readonly name: FunctionName;
  readonly qualifier: string | undefined;
  readonly integration: ProxyIntegration;
};

export type FunctionRunner = {
  /** Sends the response once it is complete. Gives up after `timeoutMs`, while the function goes on. */
  runBuffered(run: FunctionRun, timeoutMs: number | undefined): Promise<void>;
  /** Passes the response on while the function writes it. `renderHead` completes the function's headers. */
  runStreaming(run: FunctionRun, renderHead: (head: StreamedHead) => readonly Header[]): Promise<void>;
};

export function createFunctionRunner({ settings, invoke, clock, log }: FunctionRunnerOptions): FunctionRunner {
  async function start(run: FunctionRun, responseSink?: StreamedResponse): Promise<Outcome | FunctionFault> {
    const { request, scope, name, qualifier, integration } = run;
    let version: FunctionVersion;
    try {
      version = settings.resolve(scope, name, qualifier);
    } catch (failure) {
      if (!(failure instanceof ServiceError)) throw failure;
      log.warn({ function: name, qualifier }, `a gateway's function cannot be invoked: ${failure.message}`);
      return { kind: 'unavailable' };
    }
    if (isTenantIsolated(version)) {
      log.warn({ function: name }, "a gateway's function has tenant isolation, and gateways name no tenant");
      return { kind: 'tenant-required' };
    }
    const payload = Buffer.from(JSON.stringify(integration.toEvent(request)));
    if (payload.length > QUOTAS.invokePayloadBytes) return { kind: 'event-too-large' };
    const outcome = invoke(version, {
      requestId: request.requestId as RequestId,
      payload,
      invokedFunctionArn: renderFunctionArn(scope, name, qualifier),
      traceId: request.traceHeader,
      clientContext: undefined,
      cognitoIdentity: undefined,
      wantsLogTail: false,
      responseSink,
    });
    return outcome.catch((failure: Error): FunctionFault => {
      log.error({ err: failure, function: name }, `a gateway's function could not be run: ${failure.message}`);
      return { kind: 'failed' };
    });
  }

  async function startWithin(timeoutMs: number | undefined, run: FunctionRun): Promise<Outcome | FunctionFault> {
    const outcome = start(run);
    if (timeoutMs === undefined) return outcome;
    let cancel: () => void = () => undefined;
    const timeout = new Promise<FunctionFault>((resolve) => {
      cancel = clock.after(timeoutMs, () => resolve({ kind: 'too-slow' }));
    });
    return Promise.race([outcome, timeout]).finally(() => cancel());
  }

  function warnMalformed({ name }: FunctionRun, failure: MalformedResponse): void {
    log.warn({ function: name }, `invalid function response: ${failure.message}`);
  }

  return {
    async runBuffered(run, timeoutMs) {
      const { integration, request } = run;
      const outcome = await startWithin(timeoutMs, run);
      if (outcome.kind !== 'returned') return finish(run, integration.toFault(faultOf(outcome), request));
      let response: GatewayResponse;
      try {
        response = integration.toResponse(outcome.payload, request);
      } catch (failure) {
        if (!(failure instanceof MalformedResponse)) throw failure;
        warnMalformed(run, failure);
        response = integration.toFault({ kind: 'failed' }, request);
      }
      finish(run, response);
    },

    async runStreaming(run, renderHead) {
      const { integration, request, response } = run;
      const streamed = new StreamedResponse({
        head: (head) => writeHead(response, head.status, renderHead(head)),
        write: (chunk) => (request.method === 'HEAD' ? undefined : writeChunk(response, chunk)),
      });
      const outcome = await start(run, streamed);
      if (outcome.kind === 'returned') {
        // A runtime that does not stream returns the whole payload.
        if (outcome.payload.length > 0) {
          streamed.begin(outcome.contentType);
          await streamed.write(outcome.payload);
        }
        streamed.end();
      }
      if (streamed.failure) warnMalformed(run, streamed.failure);
      if (outcome.kind === 'returned' && streamed.failure === undefined) response.end();
      // The status is already sent: a missing end is the only way left to report the failure.
      else if (streamed.isHeadSent) breakOff(response);
      else finish(run, integration.toFault(faultOf(outcome), request));
    },
  };
}

function finish({ response, request }: FunctionRun, gatewayResponse: GatewayResponse): void {
  if (!response.destroyed) writeResponse(response, request.method, gatewayResponse);
}

/** A malformed response counts as a failure. */
function faultOf(outcome: Outcome | FunctionFault): FunctionFault {
  return outcome.kind === 'failed' || outcome.kind === 'returned' ? { kind: 'failed' } : outcome;
}
