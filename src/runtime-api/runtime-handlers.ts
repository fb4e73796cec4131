/**
 * The four calls of a runtime: GET next, POST response, POST error, POST init/error. The order of the checks is AWS's:
 * request ID (400), state (403), body. Response bodies are bytes and are not parsed.
 */

import type { AnyRequest, AnyResponse } from '../http/plain-connection.ts';
import { filterErrorType } from '../protocol/faults.ts';
import { parseJson } from '../protocol/json.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { writeAccepted, writeError } from './api-response.ts';
import { headerOf } from './request-header.ts';
import { passOn, readBody } from './response-body.ts';
import type { RuntimeEvent } from './runtime-state.ts';
import type { Offer, ParkedPoll, RuntimeResponse, RuntimeSession } from './session.ts';

/** GET next: blocks, possibly for hours, until an invocation is offered. */
export function handleNext(session: RuntimeSession, response: AnyResponse): void {
  if (isRefused(session, 'next', response)) return;
  const poll: ParkedPoll = {
    serve: (offer) => writeOffer(response, offer),
    drop: () => response.destroy(),
  };
  response.once('close', () => session.unpark(poll));
  session.park(poll);
}

/** POST response, buffered or in streaming mode. */
export async function handleResponse(
  session: RuntimeSession,
  requestId: string,
  request: AnyRequest,
  response: AnyResponse,
): Promise<void> {
  if (!hasCurrentId(session, requestId, response) || isRefused(session, 'response', response)) {
    request.resume();
    return;
  }
  const mode = headerOf(request, 'lambda-runtime-function-response-mode');
  if (mode !== undefined && mode !== '' && mode !== 'streaming') {
    request.resume();
    session.respond({ kind: 'invalid-response-mode' });
    writeError(response, 400, 'InvalidFunctionResponseMode', 'Invalid function response mode');
    return;
  }
  const { sink } = session;
  const body = sink
    ? await passOn(request, sink, () => session.isCurrent(requestId))
    : await readBody(request, QUOTAS.responsePayloadBytes, session.bodies);
  // The invocation may have timed out while the body arrived.
  if (!hasCurrentId(session, requestId, response) || isRefused(session, 'sent', response)) return;
  switch (body.kind) {
    case 'whole':
      // The runtime gets its response first, so that its next poll arrives while the caller's response is written.
      writeAccepted(response);
      session.respond(
        streamedError(request) ?? { kind: 'response', payload: body.bytes, contentType: contentTypeOf(request) },
      );
      return;
    case 'too-large': {
      const limit = sink ? QUOTAS.streamedResponseBytes : QUOTAS.responsePayloadBytes;
      const text = `Exceeded maximum allowed payload size (${limit} bytes).`;
      writeError(response, 413, 'RequestEntityTooLarge', text);
      session.respond({ kind: 'response-too-large' });
      return;
    }
    case 'truncated':
      writeError(response, 400, 'TruncatedHTTPRequest', 'HTTP request detected as truncated');
      session.respond({ kind: 'response-truncated' });
  }
}

/** POST error: the handler failed; the runtime continues. */
export async function handleError(
  session: RuntimeSession,
  requestId: string,
  request: AnyRequest,
  response: AnyResponse,
): Promise<void> {
  if (!hasCurrentId(session, requestId, response) || isRefused(session, 'error', response)) {
    request.resume();
    return;
  }
  const errorType = filterErrorType(headerOf(request, 'lambda-runtime-function-error-type'));
  const body = await readBody(request, QUOTAS.responsePayloadBytes, session.bodies);
  if (!hasCurrentId(session, requestId, response) || isRefused(session, 'sent', response)) return;
  if (body.kind === 'truncated') {
    writeError(response, 400, 'TruncatedHTTPRequest', 'HTTP request detected as truncated');
    session.respond({ kind: 'response-truncated' });
    return;
  }
  if (body.kind === 'too-large') {
    const limit = `Exceeded maximum allowed payload size (${QUOTAS.responsePayloadBytes} bytes).`;
    writeError(response, 413, 'RequestEntityTooLarge', limit);
    session.respond({ kind: 'response-too-large' });
    return;
  }
  writeAccepted(response);
  session.respond({ kind: 'error', payload: withoutCause(body.bytes, contentTypeOf(request)), errorType });
}

/** POST init/error: initialization failed; the process is expected to exit. */
export async function handleInitError(
  session: RuntimeSession,
  request: AnyRequest,
  response: AnyResponse,
): Promise<void> {
  const errorType = filterErrorType(headerOf(request, 'lambda-runtime-function-error-type'));
  const body = await readBody(request, QUOTAS.responsePayloadBytes, session.bodies);
  if (body.kind === 'truncated') return;
  if (isRefused(session, 'init-error', response)) return;
  writeAccepted(response);
  session.reportInitError(errorType, body.kind === 'whole' ? body.bytes : Buffer.alloc(0));
}

/** AWS's server, written in Go, buffers this much. It sends longer events in chunks, which runtimes must support. */
const MAX_UNCHUNKED_BYTES = 2048;

function writeOffer(response: AnyResponse, offer: Offer): void {
  const head = [
    'Content-Type',
    'application/json',
    'Lambda-Runtime-Aws-Request-Id',
    offer.requestId,
    'Lambda-Runtime-Deadline-Ms',
    String(offer.deadlineMs),
    'Lambda-Runtime-Invoked-Function-Arn',
    offer.invokedFunctionArn,
    'Lambda-Runtime-Trace-Id',
    offer.traceId,
  ];
  if (offer.payload.length <= MAX_UNCHUNKED_BYTES) head.push('Content-Length', String(offer.payload.length));
  if (offer.clientContext) head.push('Lambda-Runtime-Client-Context', headerSafe(offer.clientContext));
  if (offer.cognitoIdentity) head.push('Lambda-Runtime-Cognito-Identity', headerSafe(offer.cognitoIdentity));
  if (offer.tenantId) head.push('Lambda-Runtime-Aws-Tenant-Id', offer.tenantId);
  response.writeHead(200, head);
  response.end(offer.payload);
}

/**
 * Encodes JSON for a header. Headers are bytes, so the UTF-8 bytes are passed to Node as latin-1. Line ends and DEL are
 * not allowed: line ends occur only between JSON tokens and become blanks, DEL only in strings and is escaped.
 */
function headerSafe(json: string): string {
  return Buffer.from(json.replace(/[\r\n]+/g, ' ').replaceAll('\x7f', '\\u007f')).toString('latin1');
}

function hasCurrentId(session: RuntimeSession, requestId: string, response: AnyResponse): boolean {
  if (session.isCurrent(requestId)) return true;
  writeError(response, 400, 'InvalidRequestID', 'Invalid request ID');
  return false;
}

function isRefused(session: RuntimeSession, event: RuntimeEvent, response: AnyResponse): boolean {
  const step = session.take(event);
  if ('to' in step) return false;
  const { from, target } = step.refused;
  writeError(
    response,
    403,
    'InvalidStateTransition',
    `State transition from ${from} to ${target} failed for runtime. Error: State transition is not allowed`,
  );
  return true;
}

/** The error in the trailers of a streamed response that was broken off. */
function streamedError(request: AnyRequest): RuntimeResponse | undefined {
  const errorType = request.trailers['lambda-runtime-function-error-type'];
  if (errorType === undefined) return undefined;
  const body = Buffer.from(request.trailers['lambda-runtime-function-error-body'] ?? '', 'base64');
  return { kind: 'error', payload: body, errorType: filterErrorType(errorType) };
}

/** With this content type a runtime sends the error with its cause for X-Ray. The caller gets only the error. */
function withoutCause(body: Buffer, contentType: string | undefined): Buffer {
  if (contentType !== 'application/vnd.aws.lambda.error.cause+json') return body;
  try {
    const { errorMessage, errorType, stackTrace } = parseJson(body.toString()) as Record<string, unknown>;
    return Buffer.from(JSON.stringify({ errorMessage, errorType, stackTrace }));
  } catch {
    return Buffer.from('"Invalid error body"');
  }
}

function contentTypeOf(request: AnyRequest): string | undefined {
  return request.headers['content-type'];
}
