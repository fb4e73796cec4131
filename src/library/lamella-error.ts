/** Error responses of the service, by AWS's names. Loaded with the library, so it imports little. */
import type { ClientResponse } from '../http/client.ts';
import { parseJson } from '../protocol/json.ts';

export type ApiResponse = ClientResponse;

/** An error response of the service. `name` is AWS's name of the error, as in the AWS SDK. */
export class LamellaError extends Error {
  /** The same as `name`, for example `ResourceNotFoundException`. */
  readonly code: string;
  /** Of the HTTP response. */
  readonly status: number;
  readonly requestId: string | undefined;
  /** The operation that failed: `CreateFunction`. */
  readonly operation: string;

  constructor(operation: string, response: ApiResponse) {
    const { code, message } = errorOf(response);
    super(message);
    this.name = code;
    this.code = code;
    this.status = response.status;
    this.requestId = headerOf(response, 'x-amzn-requestid');
    this.operation = operation;
  }
}

export function headerOf({ headers }: ApiResponse, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The admin API has a message only. */
function errorOf(response: ApiResponse): { readonly code: string; readonly message: string } {
  const header = headerOf(response, 'x-amzn-errortype')?.split(':')[0];
  const text = response.body.toString();
  try {
    const { message, Message, __type } = parseJson(text) as Readonly<Record<string, unknown>>;
    const type = typeof __type === 'string' ? __type.split('#').at(-1) : undefined;
    return { code: header ?? type ?? 'LamellaError', message: String(message ?? Message ?? text) };
  } catch {
    return { code: header ?? 'LamellaError', message: text.slice(0, 500) || `HTTP status ${response.status}` };
  }
}
