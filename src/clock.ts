/**
 * Time as Lamella sees it. Every timer and every reading of the time goes through a `Clock`, so that tests can hold
 * time still. It schedules nothing by itself; whoever starts a timer cancels it.
 */

/** Stops a timer that `Clock.after` started; calling it again, or after the timer fired, does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** The wall clock, in milliseconds since 1970 (UTC). It may jump. */
  epochMs(): number;
  /** A clock that never goes back, in milliseconds with a fraction. Only differences of it mean something. */
  monotonicMs(): number;
  /** Calls `action` once, `ms` milliseconds from now. The timer does not keep the process alive. */
  after(ms: number, action: () => void): Cancel;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, action) {
    // Node turns a delay beyond 2^31-1 into 1 ms; nobody waits 24 days on purpose.
    const timer = setTimeout(action, Math.min(ms, 2_147_483_647));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A clock that runs with another one and can be moved ahead of it; it never goes back. */
export interface AdjustableClock extends Clock {
  /**
   * Moves on by `ms` at once. Timers that fall due on the way fire in their order, each at its own time; what they
   * start and wait for goes on after this returned. Throws `RangeError` for what is no time from 0 on, or would go beyond
   * the year 9999.
   */
  advance(ms: number): void;
  /** By how many milliseconds it is ahead. */
  readonly aheadMs: number;
  /** While timers fire on the way: the time, in milliseconds since 1970, at which the clock will be then. */
  readonly movingToMs: number | undefined;
}

/** Times are written with four digits for the year. */
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** A clock that runs as `base` does until it is advanced. */
export function createAdjustableClock(base: Clock): AdjustableClock {
  type Timer = { readonly dueMs: number; readonly action: () => void; cancel: Cancel };
  const timers = new Set<Timer>();
  let aheadMs = 0;
  let movingToMs: number | undefined;
  const nowMs = () => base.monotonicMs() + aheadMs;
  const arm = (timer: Timer) => {
    timer.cancel = base.after(Math.max(0, timer.dueMs - nowMs()), () => {
      // A timer may fire a little early, and never before its time for whoever looks at the clock then.
      if (timer.dueMs > nowMs()) return arm(timer);
      timers.delete(timer);
      timer.action();
    });
  };
  return {
    epochMs: () => base.epochMs() + aheadMs,
    monotonicMs: nowMs,
    after(ms, action) {
      const timer: Timer = { dueMs: nowMs() + ms, action, cancel: () => undefined };
      timers.add(timer);
      arm(timer);
      return () => {
        timer.cancel();
        timers.delete(timer);
      };
    },
    advance(ms) {
      if (!(ms >= 0) || base.epochMs() + aheadMs + ms > LATEST_MS) {
        throw new RangeError('The clock can be moved on by milliseconds from 0, to the year 9999 at most.');
      }
      const endMs = nowMs() + ms;
      const finalAheadMs = aheadMs + ms;
      movingToMs = base.epochMs() + finalAheadMs;
      for (;;) {
        const due = [...timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
        if (due === undefined) break;
        due.cancel();
        timers.delete(due);
        aheadMs = Math.min(finalAheadMs, aheadMs + Math.max(0, due.dueMs - nowMs()));
        due.action();
      }
      aheadMs = finalAheadMs;
      movingToMs = undefined;
      for (const timer of timers) {
        timer.cancel();
        arm(timer);
      }
    },
    get aheadMs() {
      return aheadMs;
    },
    get movingToMs() {
      return movingToMs;
    },
  };
}

/** Resolves after `ms` milliseconds, or at once when `signal` aborts; never rejects. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.after(ms, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
