/**
 * Whether another invocation may run now: pure arithmetic on counts. Concurrency is the number of invocations that hold
 * an environment. Source: lambda-behaviour.md 9.
 */
import type { ThrottleReason } from '../environment/invocation.ts';

export type ConcurrencyCounts = {
  /** Invocations in flight in the whole account and region. */
  readonly account: number;
  /** Invocations in flight of this function, all versions together. */
  readonly function: number;
};

export type ConcurrencyLimits = {
  readonly account: number;
  /** What all other functions have reserved for themselves. */
  readonly reservedByOthers: number;
  /** What this function has reserved: its floor and its cap. */
  readonly reserved: number | undefined;
};

/** Undefined to admit, else why not. */
export function admit(counts: ConcurrencyCounts, limits: ConcurrencyLimits): ThrottleReason | undefined {
  if (limits.reserved !== undefined) {
    return counts.function < limits.reserved ? undefined : 'ReservedFunctionConcurrentInvocationLimitExceeded';
  }
  return counts.account < limits.account - limits.reservedByOthers ? undefined : 'ConcurrentInvocationLimitExceeded';
}
