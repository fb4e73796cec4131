/**
 * The transition from Pending to Active and from InProgress to Successful: immediately, or after a delay that imitates
 * AWS's. While an update of `$LATEST` is in progress, invocations run the previous revision, as on AWS.
 * https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
 */
import { randomUUID } from 'node:crypto';
import type { Cancel, Clock } from '../clock.ts';
import type { FunctionVersion } from './function.ts';
import type { CachedFunction, FunctionCache } from './function-cache.ts';
import type { FunctionStore } from './function-store.ts';
import type { Retirements } from './retirements.ts';
import { isSettling, settled } from './version-state.ts';

export type Settling = {
  /** The version to store for a version that a response shows as Pending or InProgress. */
  stored(shown: FunctionVersion): FunctionVersion;
  /** Puts a stored version into the cache. A `$LATEST` serves invocations once it has settled. */
  admit(cached: CachedFunction, version: FunctionVersion): void;
  /** Settles a version after the delay. */
  settleLater(version: FunctionVersion): void;
  /** Cancels pending transitions. They complete when the service starts again. */
  close(): void;
};

export function createSettling({
  store,
  cache,
  retirements,
  clock,
  delayMs,
}: {
  store: Pick<FunctionStore, 'putState'>;
  cache: FunctionCache;
  retirements: Pick<Retirements, 'retire'>;
  clock: Clock;
  delayMs: number;
}): Settling {
  const timers = new Set<Cancel>();

  const settling: Settling = {
    stored: (shown) => (delayMs === 0 ? settled(shown, randomUUID()) : shown),
    admit(cached, version) {
      if (isSettling(version)) settling.settleLater(version);
      if (version.version !== '$LATEST') {
        cached.published.set(version.version, version);
        return;
      }
      cached.latest = version;
      if (isSettling(version)) return;
      const before = cached.serving;
      cached.serving = version;
      const { scope, name } = version;
      if (before.state === 'Active') retirements.retire({ scope, name, retired: [before] });
    },
    settleLater(version) {
      const { scope, name, revisionId } = version;
      const cancel = clock.after(delayMs, () => {
        timers.delete(cancel);
        const cached = cache.find(scope, name);
        const current = version.version === '$LATEST' ? cached?.latest : cached?.published.get(version.version);
        // The function may have been deleted in the meantime, and even created again.
        if (cached === undefined || current?.revisionId !== revisionId) return;
        const done = settled(current, randomUUID());
        store.putState(done);
        settling.admit(cached, done);
      });
      timers.add(cancel);
    },
    close() {
      for (const cancel of timers) cancel();
      timers.clear();
    },
  };
  return settling;
}
