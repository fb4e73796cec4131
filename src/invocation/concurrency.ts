/**
 * Whether another invocation may run now, and out of whose share: pure arithmetic on counts. Concurrency is the number
 * of invocations that hold an environment. What is provisioned for a version is set aside for that version alone: it
 * is taken from what the function reserved, or else from what the account has. Source: lambda-behaviour.md 9;
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
 */
import type { ThrottleReason } from '../environment/invocation.ts';

export type ConcurrencyCounts = {
  /** Invocations in flight in the account and region that run out of what nobody reserved. */
  readonly account: number;
  /** Invocations in flight of this function, all versions together, without those that run as provisioned. */
  readonly function: number;
  /** Invocations in flight of this version that run as provisioned. */
  readonly version: number;
};

export type ConcurrencyLimits = {
  /** What is neither reserved by functions nor provisioned for versions of functions that reserved nothing. */
  readonly account: number;
  /** What this function has reserved, its floor and its cap, without what is provisioned for its versions. */
  readonly reserved: number | undefined;
  /** What is provisioned for this version. */
  readonly provisioned: number;
};

/** Out of which share an invocation runs. */
export type ConcurrencyShare = 'provisioned' | 'reserved' | 'unreserved';

export type Admission = { readonly share: ConcurrencyShare } | { readonly refusal: ThrottleReason };

/** What is provisioned is used first; what goes beyond spills over into the function's or the account's. */
export function admit(counts: ConcurrencyCounts, limits: ConcurrencyLimits): Admission {
  if (counts.version < limits.provisioned) return { share: 'provisioned' };
  if (limits.reserved !== undefined) {
    if (counts.function < limits.reserved) return { share: 'reserved' };
    return { refusal: 'ReservedFunctionConcurrentInvocationLimitExceeded' };
  }
  if (counts.account < limits.account) return { share: 'unreserved' };
  return { refusal: 'ConcurrentInvocationLimitExceeded' };
}
