/**
 * One request to the API port, after the host check and with its credential scope: the input of every service handler
 * (Lambda, IAM, STS, CloudWatch Logs ...). `api-port/api-port.ts` chooses the handler.
 */
import type { HttpRequest, HttpResponse } from '../http/exchange.ts';
import type { RequestId, Scope } from '../protocol/names.ts';
import type { VerifiedSignature } from './sigv4.ts';

export type ApiCall = {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
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
};

/** Handles the request and sends the whole response. A rejection is a bug and becomes a 500. */
export type ServiceHandler = (call: ApiCall) => Promise<void>;
