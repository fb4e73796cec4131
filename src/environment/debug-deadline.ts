/**
 * The deadline of an environment that is debugged: no time passes while a debugger is attached, or while the runtime waits
 * for one. `deadline.ts` is that of all others.
 */
import type { Cancel, Clock } from '../clock.ts';

export type DebugDeadlineOptions = {
  readonly clock: Clock;
  /** Whether a debugger is attached now. */
  readonly isAttached: () => boolean;
  /** Whether the runtime waits for a debugger when it starts. */
  readonly waits: boolean;
  readonly fire: () => void;
};

/** How often it is checked whether a debugger is attached, in milliseconds. */
const STEP_MS = 250;

export class DebugDeadline {
  readonly #options: DebugDeadlineOptions;
  #hasBeenAttached: boolean;
  #cancel: Cancel = () => undefined;

  constructor(options: DebugDeadlineOptions) {
    this.#options = options;
    this.#hasBeenAttached = !options.waits;
  }

  /** Fires at `at`, in the milliseconds of the clock, or later by the time that does not count. */
  arm(at: number): void {
    this.#cancel();
    this.#wait(at - this.#options.clock.monotonicMs());
  }

  disarm(): void {
    this.#cancel();
  }

  close(): void {
    this.#cancel();
  }

  /** The runtime starts again, and waits for a debugger again. */
  restarted(): void {
    this.#hasBeenAttached = !this.#options.waits;
  }

  #wait(leftMs: number): void {
    const { clock, fire } = this.#options;
    const startedAt = clock.monotonicMs();
    this.#cancel = clock.after(Math.max(0, Math.min(STEP_MS, leftMs)), () => {
      const left = this.#isHeld() ? leftMs : leftMs - (clock.monotonicMs() - startedAt);
      if (left > 0) this.#wait(left);
      else fire();
    });
  }

  /** Whether time stands still. */
  #isHeld(): boolean {
    const isAttached = this.#options.isAttached();
    this.#hasBeenAttached ||= isAttached;
    return isAttached || !this.#hasBeenAttached;
  }
}
