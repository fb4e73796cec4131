/**
 * The contract between the callers of functions and the environments: an invocation and its outcome. Adapters render an
 * `Outcome` in their own protocol with a total switch; a function's failure is never an exception above `environment/`.
 * The types are here and not in `invocation/` because environments use them and may not import upwards.
 */
import type { RequestId, Version } from '../protocol/names.ts';
import type { ResponseSink } from '../runtime-api/session.ts';

export type { ResponseSink };

export type Invocation = {
  readonly requestId: RequestId;
  /** The event, as the function receives it: bytes that have been checked to be JSON. Never empty. */
  readonly payload: Buffer;
  /** With `:qualifier` only when the caller gave one. */
  readonly invokedFunctionArn: string;
  /** `Root=...;Parent=...;Sampled=0|1` */
  readonly traceId: string;
  /** Decoded JSON text. */
  readonly clientContext: string | undefined;
  /** JSON text with cognitoIdentityId and cognitoIdentityPoolId. */
  readonly cognitoIdentity: string | undefined;
  /** The tenant, for a function with tenant isolation. */
  readonly tenantId?: string | undefined;
  /** Whether the caller wants the last 4 KB of the invocation's log. */
  readonly wantsLogTail: boolean;
  /**
   * Receives the response while the function writes it; the outcome's payload is then empty. Without a sink the response
   * is collected. A failed outcome may follow chunks that were already passed on.
   */
  readonly responseSink?: ResponseSink | undefined;
};

type Ended = {
  readonly executedVersion: Version;
  /** The last 4096 bytes of this invocation's log, if requested. */
  readonly logTail: Buffer | undefined;
};

/** How an invocation ended. The caller receives `payload` byte for byte. */
export type Outcome =
  /** The handler returned. */
  | ({ readonly kind: 'returned'; readonly payload: Buffer; readonly contentType: string } & Ended)
  /**
   * The function failed: its handler reported an error, or the platform saw it fail (timed out, exited, could not
   * start, response too large). AWS does not tell them apart: 200 and `X-Amz-Function-Error: Unhandled`.
   */
  | ({ readonly kind: 'failed'; readonly payload: Buffer } & Ended)
  /** The available concurrency is used up. */
  | { readonly kind: 'throttled'; readonly reason: ThrottleReason };

export type ThrottleReason = 'ConcurrentInvocationLimitExceeded' | 'ReservedFunctionConcurrentInvocationLimitExceeded';
