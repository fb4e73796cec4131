/**
 * Decides whether another invocation may run now, and which share of the concurrency it uses. Pure arithmetic on counts.
 * Concurrency is the number of invocations that hold an environment. Provisioned concurrency is available to its version
 * only: it is taken from the function's reserved concurrency or else from the account's.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
 */
import type { ThrottleReason } from '../environment/invocation.ts';

export type ConcurrencyCounts = {
  /** Invocations in flight in the account and region that use unreserved concurrency. */
  readonly account: number;
  /** Invocations in flight of all versions of this function, except those that use provisioned concurrency. */
  readonly function: number;
  /** Invocations in flight of this version that use provisioned concurrency. */
  readonly version: number;
};

export type ConcurrencyLimits = {
  /** What is neither reserved for functions nor provisioned for versions of functions without a reserve. */
  readonly account: number;
  /** Reserved for this function, as both minimum and maximum, less what is provisioned for its versions. */
  readonly reserved: number | undefined;
  /** Provisioned for this version. */
  readonly provisioned: number;
};

/** The share of the concurrency that an invocation uses. */
export type ConcurrencyShare = 'provisioned' | 'reserved' | 'unreserved';

export type Admission = { readonly share: ConcurrencyShare } | { readonly refusal: ThrottleReason };

/** Uses provisioned concurrency first, then the function's reserve or, without one, the account's share. */
export function admit(counts: ConcurrencyCounts, limits: ConcurrencyLimits): Admission {
  if (counts.version < limits.provisioned) return { share: 'provisioned' };
  if (limits.reserved !== undefined) {
    if (counts.function < limits.reserved) return { share: 'reserved' };
    return { refusal: 'ReservedFunctionConcurrentInvocationLimitExceeded' };
  }
  if (counts.account < limits.account) return { share: 'unreserved' };
  return { refusal: 'ConcurrentInvocationLimitExceeded' };
}
