/**
 * Containment: what goes wrong in a part of the service that belongs to one owner, such as an execution environment, ends
 * that owner and never the service. Every callback that the owner's pipes, timers, processes and sockets cause enters
 * through `run`, `wrap`, `watch` or the clock. An exception there is reported to the owner instead of being thrown into
 * the event loop, where it would end the process.
 */
import type { Clock } from './clock.ts';

/** Where an exception was caught. */
export type Edge = 'pipe' | 'timer' | 'process' | 'socket' | 'event';

/** One owner's containment. */
export interface Containment {
  /** Reports a failure to the owner. Never throws. */
  readonly report: (edge: Edge, failure: unknown) => void;
  /** Calls `action`. Reports what it throws, and then returns undefined. */
  run<T>(edge: Edge, action: () => T): T | undefined;
  /** Returns a callback that does as `run`. */
  wrap<Args extends unknown[]>(edge: Edge, callback: (...args: Args) => void): (...args: Args) => void;
  /** Reports the failure of a promise that has no other owner. */
  watch(edge: Edge, promise: Promise<unknown>): void;
  /** A clock whose timers are contained. */
  clock(clock: Clock): Clock;
}

/** Creates a containment. `onFailure` gets each failure; what it throws itself is lost. */
export function createContainment(onFailure: (edge: Edge, failure: unknown) => void): Containment {
  const report = (edge: Edge, failure: unknown): void => {
    try {
      onFailure(edge, failure);
    } catch {
      // There is no one left to report it to.
    }
  };
  const run = <T>(edge: Edge, action: () => T): T | undefined => {
    try {
      return action();
    } catch (failure) {
      report(edge, failure);
      return undefined;
    }
  };
  return {
    report,
    run,
    wrap:
      (edge, callback) =>
      (...args) =>
        run(edge, () => callback(...args)),
    watch(edge, promise) {
      promise.catch((failure: unknown) => report(edge, failure));
    },
    clock: (clock) => ({
      epochMs: () => clock.epochMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (ms, action) => clock.after(ms, () => run('timer', action)),
    }),
  };
}
