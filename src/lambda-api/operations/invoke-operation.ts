/**
 * Invoke: request headers -> `Invocation`, `Outcome` -> status, headers and payload. The road that every call takes: no
 * disk, no copy of the payload, and its JSON is checked without being built. A function's failure is an answer of 200.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
import type { Invocation, Outcome, ResponseSink, ThrottleReason } from '../../environment/invocation.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import { readBody } from '../../http/body.ts';
import type { HttpRequest, HttpResponse } from '../../http/exchange.ts';
import type { AsyncRequest } from '../../invocation/async/async-invocations.ts';
import { isRecursive, RECURSION_MESSAGE } from '../../invocation/recursion.ts';
import { createTraces } from '../../invocation/trace-header.ts';
import { ANSWER_HEADERS, REQUEST_HEADERS } from '../../protocol/headers.ts';
import { renderFunctionArn } from '../../protocol/names.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import { shapeRow } from '../../protocol/operations.ts';
import { QUOTAS, REQUEST_BYTES } from '../../protocol/quotas.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import { encodeEvent } from '../../wire/event-stream.ts';
import { findJsonError, renderJsonError } from '../input/json-syntax.ts';
import { parseInput, type RawInput } from '../input/parse-input.ts';
import type { LambdaApiDependencies } from './dependencies.ts';
import { resolveFunctionReference } from './references.ts';
import { createRequireRunnable } from './runnable.ts';

const EMPTY_EVENT = Buffer.from('{}');
const NO_BODY = Buffer.alloc(0);

export type InvokeHandler = (call: ApiCall, raw: Omit<RawInput, 'body'>) => Promise<void>;

/** A call that may be run: everything that AWS checks before a function is started. */
type Accepted = {
  readonly version: FunctionVersion;
  readonly type: 'RequestResponse' | 'Event' | 'DryRun';
  readonly invocation: Invocation;
  /** For the answer's header. */
  readonly trace: string;
  /** As an event of its function. */
  readonly event: Pick<AsyncRequest, 'scope' | 'name' | 'qualifier' | 'isRecursive'>;
};

/** Answers Invoke, from the reading of the body to the last byte. */
export function createInvokeHandler(dependencies: LambdaApiDependencies): InvokeHandler {
  const accept = createAcceptance(dependencies, 'Invoke');
  return async (call, raw) => {
    const { response, requestId } = call;
    const { version, type, invocation, trace, event } = await accept(call, raw);
    if (type === 'DryRun') {
      response.writeHead(204, { [ANSWER_HEADERS.requestId]: requestId }).end();
      return;
    }
    if (type === 'Event') return acceptEvent(dependencies, call, invocation, event, trace);
    refuseRecursion(event);
    const { headers, payload } = renderOutcome(await dependencies.invoke(version, invocation));
    headers.push(ANSWER_HEADERS.requestId, requestId, ANSWER_HEADERS.traceId, trace);
    response.writeHead(200, headers).end(payload);
  };
}

/** Answers the deprecated InvokeAsync: an event, without a qualifier and without more to say. */
export function createInvokeAsyncHandler(dependencies: LambdaApiDependencies): InvokeHandler {
  const accept = createAcceptance(dependencies, 'InvokeAsync');
  return async (call, raw) => {
    const { invocation, event, trace } = await accept(call, raw);
    await acceptEvent(dependencies, call, invocation, event, trace);
  };
}

async function acceptEvent(
  { acceptEvent: take }: LambdaApiDependencies,
  { response, requestId }: ApiCall,
  { payload, traceId }: Invocation,
  event: Accepted['event'],
  trace: string,
): Promise<void> {
  await take({ ...event, requestId, payload, traceId });
  response
    .writeHead(202, {
      [ANSWER_HEADERS.requestId]: requestId,
      [ANSWER_HEADERS.remappedContentLength]: 0,
      [ANSWER_HEADERS.traceId]: trace,
      'Content-Length': 0,
    })
    .end();
}

/**
 * Answers InvokeWithResponseStream: what the function writes comes as it is written, one frame for each chunk; how it
 * ended comes last. Once a frame is out, a failure can only be told in the last one.
 */
export function createStreamingInvokeHandler(dependencies: LambdaApiDependencies): InvokeHandler {
  const accept = createAcceptance(dependencies, 'InvokeWithResponseStream');
  return async (call, raw) => {
    const { response, requestId } = call;
    const { version, type, invocation, trace, event } = await accept(call, raw);
    if (type === 'DryRun') {
      response.writeHead(204, { [ANSWER_HEADERS.requestId]: requestId }).end();
      return;
    }
    refuseRecursion(event);
    const begin = () => {
      if (response.headersSent) return;
      response.writeHead(200, {
        [ANSWER_HEADERS.requestId]: requestId,
        'Content-Type': EVENT_STREAM,
        [ANSWER_HEADERS.executedVersion]: version.version,
        [ANSWER_HEADERS.traceId]: trace,
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
/** Of InvokeAsync only the name. */
type InvocationInput = OperationInput<'Invoke' | 'InvokeWithResponseStream'>;

function createAcceptance(
  dependencies: LambdaApiDependencies,
  operation: InvocationOperation,
): (call: ApiCall, raw: Omit<RawInput, 'body'>) => Promise<Accepted> {
  const { settings, clock } = dependencies;
  const requireRunnable = createRequireRunnable(dependencies);
  const traces = createTraces(clock);
  // Callers repeat themselves: a target that has passed the model's patterns is known from then on, by the router's
  // own object, and without headers to check nothing is left to parse.
  const checked = new WeakMap<object, InvocationInput>();
  const parse = (raw: Omit<RawInput, 'body'>): InvocationInput => {
    const known = checked.get(raw.pathParameters);
    if (known !== undefined && CHECKED_HEADERS.every((name) => raw.headers[name] === undefined)) return known;
    const input: InvocationInput = parseInput(operation, { ...raw, body: NO_BODY });
    checked.set(raw.pathParameters, { FunctionName: input.FunctionName, Qualifier: input.Qualifier });
    return input;
  };

  return async ({ request, scope, requestId }, raw) => {
    const payload = await readBody(request, REQUEST_BYTES[operation]);
    const input = parse(raw);
    const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
    const type = operation === 'InvokeAsync' ? 'Event' : (input.InvocationType ?? 'RequestResponse');
    if (type === 'Event') checkEventSize(payload);
    const version = settings.resolve(scope, name, qualifier);
    if (payload.length > 0) checkJson(payload);
    await requireRunnable(version);
    const trace = traces.start(oneHeader(request, REQUEST_HEADERS.traceId), renderFunctionArn(scope, name));
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
        wantsLogTail: input.LogType === 'Tail',
      },
    };
  };
}

/** Headers of which the model has something to say, in lower case. */
const CHECKED_HEADERS = Object.values(shapeRow('InvocationRequest').members ?? {}).flatMap((member) =>
  member.in === 'header' && member.name ? [member.name.toLowerCase()] : [],
);

/** Resolves when the caller can take more, or is gone: the function goes on either way. */
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

/** The model has a Retry-After as well, which AWS's recorded answers do not. */
function throttled(reason: ThrottleReason): ServiceError {
  return new ServiceError('TooManyRequestsException', 'Rate Exceeded.', { Reason: reason });
}

/** What the caller gets of an outcome, headers as names and values in turn. Throws AWS's refusal for a throttled one. */
function renderOutcome(outcome: Outcome): { readonly headers: string[]; readonly payload: Buffer } {
  switch (outcome.kind) {
    case 'throttled':
      throw throttled(outcome.reason);
    case 'returned':
    case 'failed': {
      const { payload, executedVersion, logTail } = outcome;
      const headers = ['Content-Type', 'application/json', 'Content-Length', String(payload.length)];
      headers.push(ANSWER_HEADERS.remappedContentLength, '0', ANSWER_HEADERS.executedVersion, executedVersion);
      // Errors of every kind are called that on AWS today.
      if (outcome.kind === 'failed') headers.push(ANSWER_HEADERS.functionError, 'Unhandled');
      if (logTail !== undefined) headers.push(ANSWER_HEADERS.logResult, logTail.toString('base64'));
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
  const complaint = findJsonError(payload);
  if (complaint === undefined) return;
  throw new ServiceError(
    'InvalidRequestContentException',
    `Could not parse request body into json: Could not parse payload into json: ${renderJsonError(complaint)}`,
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

function oneHeader(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
