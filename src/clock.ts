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
