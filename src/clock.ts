/**
 * Time in Lamella. All timers and all readings of the time go through a `Clock`, so that tests can control time.
 * The caller that starts a timer cancels it.
 */

/** Cancels a timer that was started with `Clock.after`. Does nothing if the timer has fired or was canceled. */
export type Cancel = () => void;

/** A source of time and timers. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970 (UTC). It can jump. */
  epochMs(): number;
  /** Milliseconds with a fraction that never go back. Only differences are meaningful. */
  monotonicMs(): number;
  /** Calls `action` once, `ms` milliseconds from now. The timer does not keep the process alive. */
  after(ms: number, action: () => void): Cancel;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, action) {
    // Node turns a delay beyond 2^31-1 ms (24 days) into 1 ms.
    const timer = setTimeout(action, Math.min(ms, 2_147_483_647));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A clock that follows another one and can be moved ahead of it. It never goes back. */
export interface AdjustableClock extends Clock {
  /**
   * Moves the clock ahead by `ms`. Timers that become due fire in order, each at its own time. Asynchronous work that
   * they start continues after this has returned. Throws `RangeError` if `ms` is negative or not a number, or leads
   * beyond the year 9999.
   */
  advance(ms: number): void;
  /** Milliseconds by which it is ahead. */
  readonly aheadMs: number;
  /** During `advance`: the time that the clock will have at its end, in milliseconds since 1970. */
  readonly movingToMs: number | undefined;
}

/** AWS's formats have four digits for the year. */
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Creates a clock that equals `base` until it is advanced. */
export function createAdjustableClock(base: Clock): AdjustableClock {
  type Timer = { readonly dueMs: number; readonly action: () => void; cancel: Cancel };
  const timers = new Set<Timer>();
  let aheadMs = 0;
  let movingToMs: number | undefined;
  const nowMs = () => base.monotonicMs() + aheadMs;
  const arm = (timer: Timer) => {
    timer.cancel = base.after(Math.max(0, timer.dueMs - nowMs()), () => {
      // Node's timers can fire a little early. Wait again, so that no action sees a time before it is due.
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
        throw new RangeError('The clock can be advanced by a number of milliseconds, at most to the year 9999.');
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

/** Resolves after `ms` milliseconds, or as soon as `signal` is aborted. Never rejects. */
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

/** The same, and keeps the process running meanwhile, which the timer alone does not. */
export async function sleepAwake(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  const awake = new MessageChannel();
  awake.port1.ref();
  await sleep(clock, ms, signal);
  awake.port1.close();
}
