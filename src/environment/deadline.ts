/**
 * The deadline of an environment: of its initialization, and then of each invocation in turn. Almost no deadline is
 * reached, so a timer for each would be started and canceled for nothing. One timer stays: when it fires too early for the
 * deadline of that moment, it starts again.
 */
import type { Cancel, Clock } from '../clock.ts';

export class Deadline {
  readonly #clock: Clock;
  readonly #onReached: () => void;
  /** Monotonic milliseconds; undefined without a deadline. */
  #at: number | undefined;
  /** When the timer fires. */
  #timerAt = Number.POSITIVE_INFINITY;
  #cancelTimer: Cancel | undefined;

  constructor(clock: Clock, onReached: () => void) {
    this.#clock = clock;
    this.#onReached = onReached;
  }

  /** Replaces the deadline by one at `at` on the monotonic clock. */
  arm(at: number): void {
    this.#at = at;
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#start(at);
  }

  /** Removes the deadline. */
  disarm(): void {
    this.#at = undefined;
  }

  /** Removes the deadline and the timer. */
  close(): void {
    this.#at = undefined;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #start(at: number): void {
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.after(Math.max(0, at - this.#clock.monotonicMs()), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#cancelTimer = undefined;
      if (this.#at === undefined) return;
      // A timer of Node can fire a fraction of a millisecond early.
      if (this.#at - this.#clock.monotonicMs() >= 1) this.#start(this.#at);
      else {
        this.#at = undefined;
        this.#onReached();
      }
    });
  }
}
