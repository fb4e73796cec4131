/** A clock that stands still until a test advances it. */
import type { Cancel, Clock } from '../../src/clock.ts';

export class FakeClock implements Clock {
  #now = 0;
  readonly #startEpochMs: number;
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  constructor(startEpochMs = Date.UTC(2026, 10, 22, 10)) {
    this.#startEpochMs = startEpochMs;
  }

  epochMs(): number {
    return this.#startEpochMs + this.#now;
  }

  monotonicMs(): number {
    return this.#now;
  }

  after(ms: number, action: () => void): Cancel {
    const timer = { at: this.#now + ms, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** The number of pending timers. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Advances by `ms` and fires the timers that fall due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = due.at;
      due.action();
    }
    this.#now = end;
  }
}
