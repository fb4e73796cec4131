/**
 * The contract between the gateways and the environments: what is asked of a function, and how it ended. Adapters turn
 * an `Outcome` into their own protocol by a total switch; nobody above `environment/` catches a function's failure.
 * It lies here and not in `invocation/` because environments speak it and may not import upwards.
 */
import type { RequestId, Version } from '../protocol/names.ts';
import type { ResponseSink } from '../runtime-api/session.ts';

export type { ResponseSink };

export type Invocation = {
  readonly requestId: RequestId;
  /** The event, as the function receives it: bytes that AWS has checked to be JSON. Never empty. */
  readonly payload: Buffer;
  /** As the caller gave it, with `:qualifier` only when the caller did. */
  readonly invokedFunctionArn: string;
  /** `Root=...;Parent=...;Sampled=0|1` */
  readonly traceId: string;
  /** Decoded JSON text. */
  readonly clientContext: string | undefined;
  /** JSON text with cognitoIdentityId and cognitoIdentityPoolId. */
  readonly cognitoIdentity: string | undefined;
  /** Whether the caller wants the last 4 KB of the invocation's log. */
  readonly wantsLogTail: boolean;
  /**
   * Where the response goes while the function writes it; the outcome's payload is then empty. Without one the
   * response is collected. An outcome that failed may follow chunks that were passed on already.
   */
  readonly responseSink?: ResponseSink | undefined;
};

type Ended = {
  readonly executedVersion: Version;
  /** The last 4096 bytes of this invocation's log, when asked for. */
  readonly logTail: Buffer | undefined;
};

/** How an invocation ended. `payload` is what the caller receives, byte for byte. */
export type Outcome =
  /** The handler answered. */
  | ({ readonly kind: 'returned'; readonly payload: Buffer; readonly contentType: string } & Ended)
  /**
   * The function failed: its handler reported an error, or the platform saw it fail (timed out, exited, could not
   * start, response too large). AWS does not tell them apart: 200 and `X-Amz-Function-Error: Unhandled`.
   */
  | ({ readonly kind: 'failed'; readonly payload: Buffer } & Ended)
  /** No environment could be had: concurrency is used up. */
  | { readonly kind: 'throttled'; readonly reason: ThrottleReason };

export type ThrottleReason = 'ConcurrentInvocationLimitExceeded' | 'ReservedFunctionConcurrentInvocationLimitExceeded';
