/**
 * Signed requests of the library to a service, over HTTP as any client sends them. Errors have AWS's names. It does not
 * use the AWS SDK, which is not a dependency of the package.
 */
import { systemClock } from '../clock.ts';
import { send } from '../http/client.ts';
import { parseJson } from '../protocol/json.ts';
import { signRequest } from '../wire/sign-request.ts';
import { type ApiResponse, LamellaError } from './lamella-error.ts';

/** A service and the keys that sign requests to it. */
export type ServiceTarget = {
  /** Endpoint URL of the service. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Owner of the functions. Roles that a definition does not name are in this account. */
  readonly accountId: string;
};

export type ApiRequest = {
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query. Names in it are percent-encoded. */
  readonly path: string;
  /** The service's name in the credential scope. Defaults to `lambda`. */
  readonly service?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is a Buffer. */
  readonly input?: unknown;
};

export type ApiConnection = {
  readonly target: ServiceTarget;
  /** Sends a request. @throws LamellaError for an error response; network errors as they are */
  send(request: ApiRequest): Promise<ApiResponse>;
  /** The JSON of the response; an empty object for an empty one. @throws LamellaError */
  // biome-ignore lint/suspicious/noExplicitAny: a response of a service, of which the caller reads single members
  call(request: ApiRequest): Promise<any>;
};

export function createConnection(target: ServiceTarget): ApiConnection {
  const exchange = async (request: ApiRequest) => {
    const { operation, method, path, service = 'lambda', input } = request;
    const body = Buffer.isBuffer(input) ? input : Buffer.from(input === undefined ? '' : JSON.stringify(input));
    const url = new URL(path, target.url);
    const signable = { method, url, headers: { 'content-type': 'application/json', ...request.headers }, body };
    const headers = signRequest(signable, { ...target, service }, systemClock.epochMs());
    const response = await send({ ...signable, headers });
    if (response.status >= 400) throw new LamellaError(operation, response);
    return response;
  };
  return {
    target,
    send: exchange,
    async call(request) {
      const { body } = await exchange(request);
      return body.length === 0 ? {} : parseJson(body.toString());
    },
  };
}

/** The result of `request`, or undefined if the service does not have what it names. */
export async function orMissing<Result>(request: Promise<Result>): Promise<Result | undefined> {
  try {
    return await request;
  } catch (failure) {
    if (failure instanceof LamellaError && failure.name === 'ResourceNotFoundException') return undefined;
    throw failure;
  }
}
