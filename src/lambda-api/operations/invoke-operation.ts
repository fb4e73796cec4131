/**
 * Invoke: request headers -> `Invocation`, and `Outcome` -> status, headers and payload. The hot path: it reads no
 * disk, copies no payload and checks JSON without building values. A failed function is a response with status 200.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
import type { Clock } from '../../clock.ts';
import type { Invocation, Outcome, ResponseSink, ThrottleReason } from '../../environment/invocation.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import { checkTenant } from '../../functions/tenancy.ts';
import { readBody } from '../../http/body.ts';
import type { HttpResponse } from '../../http/exchange.ts';
import type { AnyRequest } from '../../http/plain-connection.ts';
import type { AsyncInvocations, AsyncRequest } from '../../invocation/async/async-invocations.ts';
import type { Dispatcher } from '../../invocation/dispatcher.ts';
import { isRecursive, RECURSION_MESSAGE } from '../../invocation/recursion.ts';
import { createTraces } from '../../invocation/trace-header.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import { REQUEST_HEADERS, RESPONSE_HEADERS } from '../../protocol/headers.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import { shapeRow } from '../../protocol/operations.ts';
import { QUOTAS, REQUEST_BYTES } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { ApiCall, CallContext, InvokeCall } from '../../wire/api-call.ts';
import { encodeEvent } from '../../wire/event-stream.ts';
import { findJsonError, renderJsonError } from '../../wire/json-syntax.ts';
import { parseInput, type RawInput } from '../input/parse-input.ts';
import type { OperationHandler } from './operation-handler.ts';
import { resolveFunctionReference } from './references.ts';
import type { RequireRunnable } from './runnable.ts';

const EMPTY_EVENT = Buffer.from('{}');
const NO_BODY = Buffer.alloc(0);

export type InvokeHandler<Call = InvokeCall> = (call: Call, raw: Omit<RawInput, 'body'>) => Promise<void>;

export type InvokeDependencies = {
  readonly settings: Pick<FunctionSettings, 'resolve' | 'recursion'>;
  readonly requireRunnable: RequireRunnable;
  readonly invoke: Dispatcher['invoke'];
  /** Queues an event for a function; resolves once it is durable. */
  readonly acceptEvent: AsyncInvocations['accept'];
  readonly clock: Clock;
};

/** A call that passed every check that AWS makes before it starts a function. */
type Accepted = {
  readonly version: FunctionVersion;
  readonly type: 'RequestResponse' | 'Event' | 'DryRun';
  readonly invocation: Invocation;
  /** For the response header. */
  readonly trace: string;
  /** For an asynchronous invocation. */
  readonly event: Pick<AsyncRequest, 'scope' | 'name' | 'qualifier' | 'isRecursive'>;
};

/** Handles Invoke, including the request body. */
export function createInvokeHandler(dependencies: InvokeDependencies): InvokeHandler {
  const accept = createAcceptance(dependencies, 'Invoke');
  return async (call, raw) => {
    const { response, requestId } = call;
    const { version, type, invocation, trace, event } = await accept(call, raw);
    if (type === 'DryRun') {
      response.writeHead(204, { [RESPONSE_HEADERS.requestId]: requestId }).end();
      return;
    }
    if (type === 'Event') return acceptEvent(dependencies, call, invocation, event, trace);
    refuseRecursion(event);
    const { headers, payload } = renderOutcome(await dependencies.invoke(version, invocation));
    headers.push(RESPONSE_HEADERS.requestId, requestId, RESPONSE_HEADERS.traceId, trace);
    response.writeHead(200, headers).end(payload);
  };
}

/** Handles Invoke for a caller inside this process. */
export function createInvokeOperation(dependencies: InvokeDependencies): OperationHandler<'Invoke'> {
  const check = createChecks(dependencies, 'Invoke');
  return async (input, context) => {
    const payload = Buffer.from(input.Payload ?? EMPTY_EVENT);
    const accepted = await check(context, input, payload, { isDurable: false, trace: undefined });
    const { version, type, invocation, event } = accepted;
    if (type === 'DryRun') return { body: { StatusCode: 204 } };
    if (type === 'Event') {
      const { traceId, tenantId } = invocation;
      await dependencies.acceptEvent({ ...event, requestId: context.requestId, payload, traceId, tenantId });
      return { body: { StatusCode: 202 } };
    }
    refuseRecursion(event);
    const outcome = await dependencies.invoke(version, invocation);
    if (outcome.kind === 'throttled') throw throttled(outcome.reason);
    const FunctionError = outcome.kind === 'failed' ? 'Unhandled' : undefined;
    return { body: { StatusCode: 200, FunctionError, Payload: outcome.payload.toString('base64') } };
  };
}

/** Handles the deprecated InvokeAsync, which accepts an event and has no qualifier or other options. */
export function createInvokeAsyncHandler(dependencies: InvokeDependencies): InvokeHandler {
  const accept = createAcceptance(dependencies, 'InvokeAsync');
  return async (call, raw) => {
    const { invocation, event, trace } = await accept(call, raw);
    await acceptEvent(dependencies, call, invocation, event, trace);
  };
}

async function acceptEvent(
  { acceptEvent: accept }: InvokeDependencies,
  { response, requestId }: InvokeCall,
  { payload, traceId, tenantId }: Invocation,
  event: Accepted['event'],
  trace: string,
): Promise<void> {
  await accept({ ...event, requestId, payload, traceId, tenantId });
  response
    .writeHead(202, {
      [RESPONSE_HEADERS.requestId]: requestId,
      [RESPONSE_HEADERS.remappedContentLength]: 0,
      [RESPONSE_HEADERS.traceId]: trace,
      'Content-Length': 0,
    })
    .end();
}

/**
 * Handles InvokeWithResponseStream: sends each chunk of the function's response as one frame when it is written, then
 * the outcome in the last frame. After the first frame, an error can only be reported in the last one.
 */
export function createStreamingInvokeHandler(dependencies: InvokeDependencies): InvokeHandler<ApiCall> {
  const accept = createAcceptance(dependencies, 'InvokeWithResponseStream');
  return async (call, raw) => {
    const { response, requestId } = call;
    const { version, type, invocation, trace, event } = await accept(call, raw);
    if (type === 'DryRun') {
      response.writeHead(204, { [RESPONSE_HEADERS.requestId]: requestId }).end();
      return;
    }
    refuseRecursion(event);
    const begin = () => {
      if (response.headersSent) return;
      response.writeHead(200, {
        [RESPONSE_HEADERS.requestId]: requestId,
        'Content-Type': EVENT_STREAM,
        [RESPONSE_HEADERS.executedVersion]: version.version,
        [RESPONSE_HEADERS.traceId]: trace,
      });
      response.flushHeaders();
    };
    const write = (chunk: Buffer) => sendFrame(response, encodeEvent('PayloadChunk', OCTETS, chunk));
    const responseSink: ResponseSink = { begin, write };
    const outcome = await dependencies.invoke(version, { ...invocation, responseSink });
    if (outcome.kind === 'throttled') throw throttled(outcome.reason);
    begin();
    if (outcome.kind === 'returned' && outcome.payload.length > 0) await write(outcome.payload);
    response.end(encodeEvent('InvokeComplete', 'application/json', Buffer.from(JSON.stringify(completionOf(outcome)))));
  };
}

const EVENT_STREAM = 'application/vnd.amazon.eventstream';
const OCTETS = 'application/octet-stream';

type InvocationOperation = 'Invoke' | 'InvokeWithResponseStream' | 'InvokeAsync';
/** InvokeAsync has only the name. */
type InvocationInput = OperationInput<'Invoke' | 'InvokeWithResponseStream'>;

function createAcceptance(
  dependencies: InvokeDependencies,
  operation: InvocationOperation,
): (call: InvokeCall, raw: Omit<RawInput, 'body'>) => Promise<Accepted> {
  // A cache of parsed targets by the router's cached object: when a request has none of the model's headers, its input
  // depends on the target alone.
  const checked = new WeakMap<object, InvocationInput>();
  const parse = (raw: Omit<RawInput, 'body'>): InvocationInput => {
    const cached = checked.get(raw.pathParameters);
    if (cached !== undefined && CHECKED_HEADERS.every((name) => raw.headers[name] === undefined)) return cached;
    const input: InvocationInput = parseInput(operation, { ...raw, body: NO_BODY });
    checked.set(raw.pathParameters, { FunctionName: input.FunctionName, Qualifier: input.Qualifier });
    return input;
  };

  const check = createChecks(dependencies, operation);
  return async (call, raw) => {
    const payload = await readBody(call.request, REQUEST_BYTES[operation]);
    const input = parse(raw);
    const isDurable = raw.headers[REQUEST_HEADERS.durableExecutionName] !== undefined;
    return check(call, input, payload, { isDurable, trace: oneHeader(call.request, REQUEST_HEADERS.traceId) });
  };
}

/** The checks of a call whose input is parsed. */
function createChecks(
  { settings, requireRunnable, clock }: InvokeDependencies,
  operation: InvocationOperation,
): (
  context: Pick<CallContext, 'scope' | 'requestId'>,
  input: InvocationInput,
  payload: Buffer,
  headers: { readonly isDurable: boolean; readonly trace: string | undefined },
) => Promise<Accepted> {
  const traces = createTraces(clock);
  return async ({ scope, requestId }, input, payload, { isDurable, trace: traceHeader }) => {
    const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
    const type = operation === 'InvokeAsync' ? 'Event' : (input.InvocationType ?? 'RequestResponse');
    if (type === 'Event') checkEventSize(payload);
    const version = settings.resolve(scope, name, qualifier);
    checkTenant(version, input.TenantId);
    if (isDurable) {
      throw new ServiceError('InvalidParameterValueException', NO_DURABLE_EXECUTION);
    }
    if (payload.length > 0) checkJson(payload);
    await requireRunnable(version);
    const trace = traces.start(traceHeader, renderFunctionArn(scope, name));
    return {
      version,
      type,
      trace: trace.forCaller,
      event: { scope, name, qualifier, isRecursive: isRecursive(settings, scope, name, trace) },
      invocation: {
        requestId,
        payload: payload.length > 0 ? payload : EMPTY_EVENT,
        invokedFunctionArn: renderFunctionArn(scope, name, qualifier),
        traceId: trace.forFunction,
        clientContext: decodeClientContext(input.ClientContext),
        cognitoIdentity: undefined,
        tenantId: input.TenantId,
        wantsLogTail: input.LogType === 'Tail',
      },
    };
  };
}

const NO_DURABLE_EXECUTION =
  'Lamella has no durable executions: it cannot resume an invocation from its checkpoints. ' +
  'Invoke the function without X-Amz-Durable-Execution-Name.';

/** Headers of the model, in lower case. */
const CHECKED_HEADERS = Object.values(shapeRow('InvocationRequest').members ?? {}).flatMap((member) =>
  member.in === 'header' && member.name ? [member.name.toLowerCase()] : [],
);

/** Resolves when the client can receive more, or has disconnected: the function continues either way. */
function sendFrame(response: HttpResponse, frame: Buffer): Promise<void> | undefined {
  if (response.destroyed || response.write(frame)) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** The last event of a stream. */
function completionOf(outcome: Exclude<Outcome, { kind: 'throttled' }>): Record<string, unknown> {
  const LogResult = outcome.logTail?.toString('base64');
  if (outcome.kind === 'returned') return { LogResult };
  const ErrorDetails = outcome.payload.toString('utf8');
  return { ErrorCode: errorTypeOf(ErrorDetails), ErrorDetails, LogResult };
}

function errorTypeOf(payload: string): string {
  try {
    const { errorType } = JSON.parse(payload) as { readonly errorType?: unknown };
    return typeof errorType === 'string' ? errorType : 'Unhandled';
  } catch {
    return 'Unhandled';
  }
}

function refuseRecursion(event: Accepted['event']): void {
  if (event.isRecursive) throw new ServiceError('RecursiveInvocationException', RECURSION_MESSAGE);
}

/** Recorded on AWS: no Retry-After, although the model has one. */
function throttled(reason: ThrottleReason): ServiceError {
  return new ServiceError('TooManyRequestsException', 'Rate Exceeded.', { Reason: reason });
}

/** Renders headers, as alternating names and values, and payload. @throws ServiceError for a throttled outcome */
function renderOutcome(outcome: Outcome): { readonly headers: string[]; readonly payload: Buffer } {
  switch (outcome.kind) {
    case 'throttled':
      throw throttled(outcome.reason);
    case 'returned':
    case 'failed': {
      const { payload, executedVersion, logTail } = outcome;
      const headers = ['Content-Type', 'application/json', 'Content-Length', String(payload.length)];
      headers.push(RESPONSE_HEADERS.remappedContentLength, '0', RESPONSE_HEADERS.executedVersion, executedVersion);
      // AWS uses this value for errors of every kind.
      if (outcome.kind === 'failed') headers.push(RESPONSE_HEADERS.functionError, 'Unhandled');
      if (logTail !== undefined) headers.push(RESPONSE_HEADERS.logResult, logTail.toString('base64'));
      return { headers, payload };
    }
  }
}

function checkEventSize(payload: Buffer): void {
  const limit = QUOTAS.invokeEventPayloadBytes;
  if (payload.length > limit) {
    throw new ServiceError(
      'RequestTooLargeException',
      `${payload.length} byte payload is too large for the Event invocation type (limit ${limit} bytes)`,
    );
  }
}

function checkJson(payload: Buffer): void {
  const error = findJsonError(payload);
  if (error === undefined) return;
  throw new ServiceError(
    'InvalidRequestContentException',
    `Could not parse request body into json: Could not parse payload into json: ${renderJsonError(error)}`,
  );
}

function decodeClientContext(header: string | undefined): string | undefined {
  if (!header) return undefined;
  if (header.length > QUOTAS.clientContextBytes) {
    throw new ServiceError(
      'InvalidRequestContentException',
      `Client context must be no more than ${QUOTAS.clientContextBytes} bytes when base64-encoded.`,
    );
  }
  const json = Buffer.from(header, 'base64');
  if (findJsonError(json) !== undefined) {
    throw new ServiceError(
      'InvalidRequestContentException',
      'Client context must be a valid Base64-encoded JSON object.',
    );
  }
  return json.toString('utf8');
}

function oneHeader(request: AnyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
