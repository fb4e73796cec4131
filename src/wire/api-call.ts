/**
 * One request to the API port, after the host check and with its credential scope: the input of every service handler
 * (Lambda, IAM, STS, CloudWatch Logs ...). `api-port/api-port.ts` chooses the handler.
 */
import type { HttpRequest, HttpResponse } from '../http/exchange.ts';
import type { AnyRequest, AnyResponse } from '../http/plain-connection.ts';
import type { RequestId, Scope } from '../protocol/names.ts';
import type { VerifiedSignature } from './sigv4.ts';

/** What an operation knows about its call, whether a client or another part of this service makes it. */
export type CallContext = {
  /** A new UUID. Every response has it as `x-amzn-RequestId`. */
  readonly requestId: RequestId;
  /** The region of the request's credential scope, or the default region, and the service's account. */
  readonly scope: Scope;
  /** `http://host:port` as the client addressed the service, for URLs in responses. */
  readonly baseUrl: string;
  /** The access key of the request's signature. Undefined for an unsigned request. */
  readonly accessKeyId: string | undefined;
  /** The request's signature, if signatures are verified (`--enforce-auth`). */
  readonly signature?: VerifiedSignature | undefined;
  /** The HTTP exchange, if a client makes the call. */
  readonly request?: HttpRequest;
  readonly response?: HttpResponse;
};

export type ApiCall = CallContext & {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
};

/** A call of Invoke, which also comes by plain connections. */
export type InvokeCall = Omit<CallContext, 'request' | 'response'> & {
  readonly request: AnyRequest;
  readonly response: AnyResponse;
};

/** Handles the request and sends the whole response. A rejection is a bug and becomes a 500. */
export type ServiceHandler = (call: ApiCall) => Promise<void>;

/**
 * Performs one operation of a service inside this process, with the members that an AWS SDK would pass and return. Its
 * input is checked like a client's. @throws OperationFailure
 */
export type PerformOperation = (
  operation: string,
  input: OperationMembers,
  context: CallContext,
) => Promise<OperationMembers>;

/** Members of an operation's input or result, by AWS's names. Blobs are base64 text. */
export type OperationMembers = Readonly<Record<string, unknown>>;

/** A service that clients reach through the API port and other parts of this process through `perform`. */
export type ServiceApi = { readonly handle: ServiceHandler; readonly perform: PerformOperation };

/** The error response of an operation that was called inside this process. */
export class OperationFailure extends Error {
  /** The wire code: `ResourceConflictException`. */
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'OperationFailure';
    this.code = code;
    this.status = status;
  }
}
