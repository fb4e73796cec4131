/**
 * Invoke: request headers -> `Invocation`, `Outcome` -> status, headers and payload. The road that every call takes: no
 * disk, no copy of the payload, and its JSON is checked without being built. A function's failure is an answer of 200.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
import type { Outcome } from '../environment/invocation.ts';
import type { ApiCall } from '../http/api-call.ts';
import { readBody } from '../http/body.ts';
import type { HttpHeaders, HttpRequest } from '../http/exchange.ts';
import { ANSWER_HEADERS, REQUEST_HEADERS } from '../protocol/headers.ts';
import type { Qualifier } from '../protocol/names.ts';
import { renderFunctionArn } from '../protocol/names.ts';
import { QUOTAS, REQUEST_BYTES } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { LambdaApiDependencies } from './dependencies.ts';
import { findJsonComplaint, renderJsonComplaint } from './json-syntax.ts';
import { parseInput, type RawInput } from './parse-input.ts';
import { resolveFunctionReference } from './references.ts';
import { startTrace } from './trace-header.ts';

const EMPTY_EVENT = Buffer.from('{}');
const NO_BODY = Buffer.alloc(0);

export type InvokeHandler = (call: ApiCall, raw: Omit<RawInput, 'body'>) => Promise<void>;

/** Answers Invoke, from the reading of the body to the last byte. */
export function createInvokeHandler({ features, invoke, clock }: LambdaApiDependencies): InvokeHandler {
  return async (call, raw) => {
    const { request, response, scope, requestId } = call;
    const payload = await readBody(request, REQUEST_BYTES.Invoke);
    const input = parseInput('Invoke', { ...raw, body: NO_BODY });
    const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName, input.Qualifier);
    const type = input.InvocationType ?? 'RequestResponse';
    if (type === 'Event') checkEventSize(payload);

    const version = features.resolve(scope, name, qualifier);
    if (payload.length > 0) checkJson(payload);
    if (type === 'DryRun') {
      response.writeHead(204).end();
      return;
    }
    if (type === 'Event') {
      throw new ServiceError(
        'NotImplementedException',
        'Lamella does not run asynchronous invocations (X-Amz-Invocation-Type: Event) yet. ' +
          'Invoke with RequestResponse, or without that header.',
      );
    }

    const trace = startTrace(oneHeader(request, REQUEST_HEADERS.traceId), clock.epochMs());
    const outcome = await invoke(version, {
      requestId,
      payload: payload.length > 0 ? payload : EMPTY_EVENT,
      invokedFunctionArn: renderFunctionArn(scope, name, qualifier as Qualifier | undefined),
      traceId: trace.forFunction,
      clientContext: decodeClientContext(input.ClientContext),
      cognitoIdentity: undefined,
      wantsLogTail: input.LogType === 'Tail',
    });
    const answer = renderOutcome(outcome);
    answer.headers[ANSWER_HEADERS.traceId] = trace.forCaller;
    response.writeHead(200, answer.headers).end(answer.payload);
  };
}

/** What the caller gets of an outcome. Throws AWS's refusal for a throttled one. */
function renderOutcome(outcome: Outcome): { readonly headers: HttpHeaders; readonly payload: Buffer } {
  switch (outcome.kind) {
    case 'throttled':
      throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', {
        Reason: outcome.reason,
        retryAfterSeconds: '1',
      });
    case 'returned':
    case 'failed': {
      const { payload, executedVersion, logTail } = outcome;
      const headers: HttpHeaders = {
        'Content-Type': 'application/json',
        'Content-Length': payload.length,
        [ANSWER_HEADERS.remappedContentLength]: 0,
        [ANSWER_HEADERS.executedVersion]: executedVersion,
      };
      // Errors of every kind are called that on AWS today.
      if (outcome.kind === 'failed') headers[ANSWER_HEADERS.functionError] = 'Unhandled';
      if (logTail !== undefined) headers[ANSWER_HEADERS.logResult] = logTail.toString('base64');
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
  const complaint = findJsonComplaint(payload);
  if (complaint === undefined) return;
  throw new ServiceError(
    'InvalidRequestContentException',
    `Could not parse request body into json: Could not parse payload into json: ${renderJsonComplaint(complaint)}`,
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
  if (findJsonComplaint(json) !== undefined) {
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
