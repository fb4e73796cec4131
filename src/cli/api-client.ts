/**
 * The CLI's own client of the Lambda API: signs a request, sends it, and tells an answer from an AWS error. It speaks
 * HTTP itself, because loading an SDK costs more time than an invocation takes.
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
  /** The event; empty for none, which the function sees as `{}`. */
  readonly payload: Buffer;
};

export type InvokeAnswer = {
  readonly payload: Buffer;
  readonly executedVersion: string | undefined;
  /** Set when the function failed. */
  readonly functionError: string | undefined;
  readonly logTail: Buffer | undefined;
};

/** Invokes a function and waits for what it returns. Throws `service-unreachable` or `service-refused`. */
export async function invoke(options: ClientOptions, request: InvokeRequest): Promise<InvokeAnswer> {
  const url = new URL(
    `${options.endpointUrl}/2015-03-31/functions/${encodeURIComponent(request.functionName)}/invocations`,
  );
  if (request.qualifier !== undefined) url.searchParams.set('Qualifier', request.qualifier);
  const headers = { 'content-type': 'application/json', 'x-amz-log-type': request.logType };
  const answer = await call(options, 'Invoke', { method: 'POST', url, headers, body: request.payload });
  const logResult = header(answer, 'x-amz-log-result');
  return {
    payload: answer.body,
    executedVersion: header(answer, 'x-amz-executed-version'),
    functionError: header(answer, 'x-amz-function-error'),
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
  const answer = await send({ ...request, headers }).catch((failure: NodeJS.ErrnoException) => {
    const reason = failure.code === 'ECONNREFUSED' ? 'nothing listens there' : failure.message;
    throw new OperatorError('service-unreachable', { url: options.endpointUrl, reason }, failure);
  });
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw new OperatorError('service-refused', { operation, ...errorOf(answer) });
}

/** AWS's error: the code before any `:` of the header, the message under either spelling of its key. */
function errorOf(answer: ClientResponse): { code: string; message: string } {
  const code = header(answer, 'x-amzn-errortype')?.split(':')[0] ?? String(answer.status);
  const text = answer.body.toString();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) {
      const message = 'message' in body ? body.message : 'Message' in body ? body.Message : undefined;
      if (typeof message === 'string') return { code, message };
    }
  } catch {
    // Not JSON: something else than a Lambda service answered; show what it said.
  }
  return { code, message: text.slice(0, 500) || 'no message was given' };
}

function header(answer: ClientResponse, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
