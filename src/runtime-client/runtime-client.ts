/**
 * A client of the Lambda Runtime API for authors of runtimes: get the next invocation, respond as a whole or as a stream,
 * report errors. It makes one request at a time, as the API requires. Handlers and logging are up to the runtime;
 * `runtimes/typescript` is built on this client. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { ConnectionLost, type ConnectionResponse, KeepAliveConnection } from '../http/keep-alive-connection.ts';
import { RUNTIME_API } from '../protocol/endpoints.ts';
import { throwIfError } from '../protocol/lambda-api-error.ts';
import { failureOf, renderCause } from './failure.ts';
import { ResponseStream, type ResponseStreamOptions } from './response-stream.ts';

export { LambdaApiError } from '../protocol/lambda-api-error.ts';
export { type Failure, failureOf } from './failure.ts';
export { ResponseStream, type ResponseStreamOptions } from './response-stream.ts';

/** An invocation to handle. */
export type Invocation = {
  readonly requestId: string;
  /** The time at which Lambda ends the invocation, in milliseconds since 1970. */
  readonly deadlineMs: number;
  readonly invokedFunctionArn: string;
  /** The value for `_X_AMZN_TRACE_ID`. */
  readonly traceId: string | undefined;
  /** JSON text from the caller. */
  readonly clientContext: string | undefined;
  /** JSON text. */
  readonly cognitoIdentity: string | undefined;
  readonly tenantId: string | undefined;
  readonly contentType: string | undefined;
  /** The event as it was received, usually JSON text. */
  readonly payload: Buffer;
};

export type RuntimeClientOptions = {
  /** `host:port`: the value of AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  /** The name of the runtime, for the User-Agent header. */
  readonly userAgent?: string;
};

export type RuntimeClient = {
  /**
   * Waits for the next invocation, without a timeout. The first call tells Lambda that the runtime has initialized. If
   * the connection breaks while waiting, the client reconnects. Throws when Lambda cannot be reached.
   */
  next(): Promise<Invocation>;
  /** Responds with text or bytes, which Lambda passes on unchanged. Throws `LambdaApiError`: 413 if it is too large. */
  respond(requestId: string, payload: string | Uint8Array): Promise<void>;
  /** Responds with a stream. The invocation has ended when the stream's `accepted` settles. */
  stream(requestId: string, options?: ResponseStreamOptions): ResponseStream;
  /** Reports that the handler failed. The runtime continues with `next`. */
  fail(requestId: string, thrown: unknown): Promise<void>;
  /** Reports that the runtime could not initialize. It must exit afterwards. */
  failInitialization(thrown: unknown): Promise<void>;
  /** Allows the process to exit although the connection is open, even during a call. */
  unref(): void;
  close(): void;
};

/**
 * Creates a client, which connects with its first call. The caller closes it.
 *
 * @example
 * const lambda = createRuntimeClient({ address: process.env.AWS_LAMBDA_RUNTIME_API });
 * for (;;) {
 *   const { requestId, payload } = await lambda.next();
 *   try {
 *     await lambda.respond(requestId, JSON.stringify(handle(JSON.parse(payload.toString()))));
 *   } catch (error) {
 *     await lambda.fail(requestId, error);
 *   }
 * }
 */
export function createRuntimeClient({
  address,
  userAgent = 'lamella-runtime-client',
}: RuntimeClientOptions): RuntimeClient {
  const connection = KeepAliveConnection.to(address);
  const agent = `User-Agent: ${userAgent}\r\n`;
  const jsonHeaders = `${agent}Content-Type: application/json\r\n`;

  const post = async (path: string, headers: string, body: string | Uint8Array) => {
    throwIfError(await connection.send('POST', path, headers, body));
  };
  const failureHeaders = (errorType: string, cause: string) =>
    `${jsonHeaders}Lambda-Runtime-Function-Error-Type: ${errorType.replace(/[^!-~]/g, '_')}\r\n` +
    (cause === '' ? '' : `Lambda-Runtime-Function-XRay-Error-Cause: ${cause}\r\n`);

  return {
    async next() {
      for (let lost = 0; ; lost++) {
        try {
          const response = await connection.send(RUNTIME_API.next.method, RUNTIME_API.next.path, agent);
          throwIfError(response);
          return parseInvocation(response);
        } catch (failure) {
          // Repeating the call is safe: Lambda returns the same invocation.
          if (failure instanceof ConnectionLost && failure.wasConnected && lost < MAX_RECONNECTIONS) continue;
          throw failure;
        }
      }
    },
    respond: (requestId, payload) => post(pathFor(RESPONSE_PATH, requestId), jsonHeaders, payload),
    stream(requestId, options) {
      const path = pathFor(RESPONSE_PATH, requestId);
      return new ResponseStream((headers) => {
        return connection.sendChunked('POST', path, () => agent + headers());
      }, options);
    },
    fail(requestId, thrown) {
      const failure = failureOf(thrown);
      const headers = failureHeaders(failure.errorType, renderCause(thrown, process.cwd()));
      return post(pathFor(ERROR_PATH, requestId), headers, JSON.stringify(failure));
    },
    failInitialization(thrown) {
      const failure = failureOf(thrown);
      return post(RUNTIME_API.initError.path, failureHeaders(failure.errorType, ''), JSON.stringify(failure));
    },
    unref: () => connection.unref(),
    close: () => connection.close(),
  };
}

/** How often in a row a waiting call may lose its connection. */
const MAX_RECONNECTIONS = 5;

const RESPONSE_PATH = RUNTIME_API.response.path.split('{id}');
const ERROR_PATH = RUNTIME_API.error.path.split('{id}');

function pathFor([before, after]: readonly string[], requestId: string): string {
  return `${before}${encodeURIComponent(requestId)}${after}`;
}

function parseInvocation({ header, body }: ConnectionResponse): Invocation {
  const requestId = header('lambda-runtime-aws-request-id');
  if (!requestId) throw new Error('The invocation has no request ID');
  return {
    requestId,
    deadlineMs: Number(header('lambda-runtime-deadline-ms')),
    invokedFunctionArn: header('lambda-runtime-invoked-function-arn') ?? '',
    traceId: header('lambda-runtime-trace-id'),
    clientContext: utf8(header('lambda-runtime-client-context')),
    cognitoIdentity: utf8(header('lambda-runtime-cognito-identity')),
    tenantId: header('lambda-runtime-aws-tenant-id'),
    contentType: header('content-type'),
    payload: body,
  };
}

/** Headers are bytes; these two contain UTF-8. */
function utf8(latin1: string | undefined): string | undefined {
  return latin1 === undefined ? undefined : Buffer.from(latin1, 'latin1').toString('utf8');
}
