/**
 * One request to the API port, after it was let in and its credential scope was read: what every service handler
 * (Lambda, IAM, STS, CloudWatch Logs ...) receives. Who handles it is decided in `api-port/api-port.ts`.
 */
import type { HttpRequest, HttpResponse } from '../http/exchange.ts';
import type { RequestId, Scope } from '../protocol/names.ts';
import type { VerifiedSignature } from './sigv4.ts';

export type ApiCall = {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** A fresh UUID; every answer carries it as `x-amzn-RequestId`. */
  readonly requestId: RequestId;
  /** Region of the request's credential scope (else the service's default) and the service's account. */
  readonly scope: Scope;
  /** `http://host:port` by which the client reached us, for URLs in answers. */
  readonly baseUrl: string;
  /** The access key of the request's signature; undefined for an unsigned request. */
  readonly accessKeyId: string | undefined;
  /** The request's signature, where signatures are verified (`--enforce-auth`). */
  readonly signature?: VerifiedSignature | undefined;
};

/** Answers the call completely. A rejection is a bug and becomes a 500. */
export type ServiceHandler = (call: ApiCall) => Promise<void>;
