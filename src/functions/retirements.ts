/**
 * Versions that invocations no longer run because they were replaced or deleted. Notifies listeners, and keeps recent
 * ones from garbage collection: an environment may just be starting with one.
 */
import type { Clock } from '../clock.ts';
import type { FunctionName, Scope } from '../protocol/names.ts';
import type { FunctionVersion } from './function.ts';

/** Versions that invocations no longer run: replaced or deleted. */
export type FunctionChange = {
  readonly scope: Scope;
  readonly name: FunctionName;
  readonly retired: readonly FunctionVersion[];
};

export type Retirements = {
  retire(change: FunctionChange): void;
  /** Calls `listener` after each change. Returns a function that stops it. */
  onChange(listener: (change: FunctionChange) => void): () => void;
  /** The versions that were retired in the last five minutes. */
  recent(): FunctionVersion[];
};

/** For how long an environment may still be starting with a retired version. */
const GRACE_MS = 5 * 60_000;

export function createRetirements(clock: Clock): Retirements {
  const listeners = new Set<(change: FunctionChange) => void>();
  const retirements: { readonly version: FunctionVersion; readonly atMs: number }[] = [];
  return {
    retire(change) {
      const atMs = clock.monotonicMs();
      while (retirements[0] !== undefined && retirements[0].atMs < atMs - GRACE_MS) retirements.shift();
      for (const version of change.retired) retirements.push({ version, atMs });
      for (const listener of listeners) listener(change);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    recent() {
      const sinceMs = clock.monotonicMs() - GRACE_MS;
      return retirements.filter(({ atMs }) => atMs >= sinceMs).map(({ version }) => version);
    },
  };
}
