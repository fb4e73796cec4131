/**
 * The runtime's four calls: GET next, POST response, POST error, POST init/error. Checks come in AWS's order: request
 * id (400), state (403), body. Response bodies are bytes and are never parsed here.
 */

import type { HttpRequest, HttpResponse } from '../http/exchange.ts';
import { filterErrorType } from '../protocol/faults.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { writeAccepted, writeError } from './api-response.ts';
import { headerOf } from './request-header.ts';
import { passOn, readBody } from './response-body.ts';
import type { RuntimeEvent } from './runtime-state.ts';
import type { Offer, ParkedPoll, RuntimeResponse, RuntimeSession } from './session.ts';

/** GET next: blocks, maybe for hours, until an invocation is offered. */
export function handleNext(session: RuntimeSession, response: HttpResponse): void {
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
  request: HttpRequest,
  response: HttpResponse,
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
    : await readBody(request, QUOTAS.responsePayloadBytes);
  // The invocation may have timed out while the body came in: then it is nobody's answer any more.
  if (!hasCurrentId(session, requestId, response) || isRefused(session, 'sent', response)) return;
  switch (body.kind) {
    case 'whole':
      // The runtime hears first: its next poll then travels while the caller's answer is written.
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

/** POST error: the handler failed; the runtime goes on. */
export async function handleError(
  session: RuntimeSession,
  requestId: string,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  if (!hasCurrentId(session, requestId, response) || isRefused(session, 'error', response)) {
    request.resume();
    return;
  }
  const errorType = filterErrorType(headerOf(request, 'lambda-runtime-function-error-type'));
  const body = await readBody(request, QUOTAS.responsePayloadBytes);
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

/** POST init/error: initialization failed; what follows is the process's exit. */
export async function handleInitError(
  session: RuntimeSession,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const errorType = filterErrorType(headerOf(request, 'lambda-runtime-function-error-type'));
  const body = await readBody(request, QUOTAS.responsePayloadBytes);
  if (body.kind === 'truncated') return;
  if (isRefused(session, 'init-error', response)) return;
  writeAccepted(response);
  session.reportInitError(errorType, body.kind === 'whole' ? body.bytes : Buffer.alloc(0));
}

/** What AWS's server, written in Go, buffers; longer events leave in chunks, which runtimes have to understand. */
const WHOLE_BYTES = 2048;

function writeOffer(response: HttpResponse, offer: Offer): void {
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
  if (offer.payload.length <= WHOLE_BYTES) head.push('Content-Length', String(offer.payload.length));
  if (offer.clientContext) head.push('Lambda-Runtime-Client-Context', headerSafe(offer.clientContext));
  if (offer.cognitoIdentity) head.push('Lambda-Runtime-Cognito-Identity', headerSafe(offer.cognitoIdentity));
  response.writeHead(200, head);
  response.end(offer.payload);
}

/**
 * JSON in a header, which is bytes: UTF-8 goes out as it is, through Node's latin-1. Line ends cannot, and stand only
 * between JSON's tokens; DEL cannot either, and has an escape of its own in the texts where alone it may stand.
 */
function headerSafe(json: string): string {
  return Buffer.from(json.replace(/[\r\n]+/g, ' ').replaceAll('\x7f', '\\u007f')).toString('latin1');
}

function hasCurrentId(session: RuntimeSession, requestId: string, response: HttpResponse): boolean {
  if (session.isCurrent(requestId)) return true;
  writeError(response, 400, 'InvalidRequestID', 'Invalid request ID');
  return false;
}

function isRefused(session: RuntimeSession, event: RuntimeEvent, response: HttpResponse): boolean {
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

/** The trailers by which a streamed response says that it broke off. */
function streamedError(request: HttpRequest): RuntimeResponse | undefined {
  const errorType = request.trailers['lambda-runtime-function-error-type'];
  if (errorType === undefined) return undefined;
  const body = Buffer.from(request.trailers['lambda-runtime-function-error-body'] ?? '', 'base64');
  return { kind: 'error', payload: body, errorType: filterErrorType(errorType) };
}

/**
 * With this content type a runtime sends the error together with its cause for X-Ray; the caller gets only the error.
 * Source: lambda-behaviour.md 2.7.
 */
function withoutCause(body: Buffer, contentType: string | undefined): Buffer {
  if (contentType !== 'application/vnd.aws.lambda.error.cause+json') return body;
  try {
    const { errorMessage, errorType, stackTrace } = JSON.parse(body.toString()) as Record<string, unknown>;
    return Buffer.from(JSON.stringify({ errorMessage, errorType, stackTrace }));
  } catch {
    return Buffer.from('"Invalid error body"');
  }
}

function contentTypeOf(request: HttpRequest): string | undefined {
  return request.headers['content-type'];
}
