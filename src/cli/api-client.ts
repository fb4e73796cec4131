/**
 * The CLI's client of the Lambda API: signs a request, sends it, and recognizes AWS errors. It does not use the AWS SDK:
 * loading the SDK takes longer than an invocation.
 */
import { systemClock } from '../clock.ts';
import type { ClientResponse } from '../http/client.ts';
import { send } from '../http/client.ts';
import { OperatorError } from '../operator-error.ts';
import type { ClientOptions } from '../options.ts';
import { signRequest } from '../wire/sign-request.ts';

export type InvokeRequest = {
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly logType: 'Tail' | 'None';
  /** The event. If it is empty, the function receives `{}`. */
  readonly payload: Buffer;
};

export type InvokeResponse = {
  readonly payload: Buffer;
  readonly executedVersion: string | undefined;
  /** Undefined unless the function failed. */
  readonly functionError: string | undefined;
  readonly logTail: Buffer | undefined;
};

/** Invokes a function and waits for the response. Throws `OperatorError` `service-unreachable` or `service-refused`. */
export async function invoke(options: ClientOptions, request: InvokeRequest): Promise<InvokeResponse> {
  const url = new URL(
    `${options.endpointUrl}/2015-03-31/functions/${encodeURIComponent(request.functionName)}/invocations`,
  );
  if (request.qualifier !== undefined) url.searchParams.set('Qualifier', request.qualifier);
  const headers = { 'content-type': 'application/json', 'x-amz-log-type': request.logType };
  const response = await call(options, 'Invoke', { method: 'POST', url, headers, body: request.payload });
  const logResult = header(response, 'x-amz-log-result');
  return {
    payload: response.body,
    executedVersion: header(response, 'x-amz-executed-version'),
    functionError: header(response, 'x-amz-function-error'),
    logTail: logResult === undefined ? undefined : Buffer.from(logResult, 'base64'),
  };
}

async function call(
  options: ClientOptions,
  operation: string,
  request: {
    readonly method: string;
    readonly url: URL;
    readonly headers: Record<string, string>;
    readonly body: Buffer;
  },
): Promise<ClientResponse> {
  const headers = signRequest(request, { ...options, service: 'lambda' }, systemClock.epochMs());
  const response = await send({ ...request, headers }).catch((failure: NodeJS.ErrnoException) => {
    const reason = failure.code === 'ECONNREFUSED' ? 'connection refused' : failure.message;
    throw new OperatorError('service-unreachable', { url: options.endpointUrl, reason }, failure);
  });
  if (response.status >= 200 && response.status < 300) return response;
  const error = errorOf(response);
  throw new OperatorError('service-refused', { operation, ...error, remedy: remedyFor(error.code, response.status) });
}

/** What to do about the errors that Invoke responds with. */
const REMEDIES: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'Check the name, --qualifier, --region and --endpoint-url.',
  InvalidRequestContentException: 'Give an event that is valid JSON with --data or --event.',
  RequestEntityTooLargeException: 'Send a smaller event.',
  TooManyRequestsException: "Wait for running invocations to end, or raise the function's concurrency.",
  ResourceConflictException: 'Wait until the function is active.',
  UnrecognizedClientException: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that the service knows.',
  InvalidSignatureException: 'Set AWS_SECRET_ACCESS_KEY to the secret of AWS_ACCESS_KEY_ID.',
};

function remedyFor(code: string, status: number): string {
  const general = status >= 500 ? 'Look at the log of the service.' : 'Correct the request and try again.';
  return REMEDIES[code] ?? general;
}

/** Returns the code (the header up to a `:`) and the message, whose key has two spellings in AWS's errors. */
function errorOf(response: ClientResponse): { code: string; message: string } {
  const code = header(response, 'x-amzn-errortype')?.split(':')[0] ?? String(response.status);
  const text = response.body.toString();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) {
      const message = 'message' in body ? body.message : 'Message' in body ? body.Message : undefined;
      if (typeof message === 'string') return { code, message };
    }
  } catch {
    // Not JSON, so this is not a Lambda service. Show what it sent.
  }
  return { code, message: text.slice(0, 500) || 'the response has no message' };
}

function header(response: ClientResponse, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
