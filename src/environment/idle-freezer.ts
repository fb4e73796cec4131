/**
 * Freezes an environment's processes between invocations, as Lambda does: whatever runs in the background stands still
 * until the next call. It sets in after some idle milliseconds, so that back-to-back invocations never pay for it, and
 * costs them no timer of their own: one that is pending is left to look again.
 */
import type { Cancel, Clock } from '../clock.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

export type IdleFreezerOptions = {
  readonly sandbox: Pick<Sandbox, 'freeze' | 'thaw'>;
  readonly clock: Clock;
  /** Idle milliseconds before the processes are stopped. */
  readonly delayMs: number;
  readonly onFailure: (failure: unknown) => void;
};

export class IdleFreezer {
  readonly #options: IdleFreezerOptions;
  #idleSince: number | undefined;
  #pending: Cancel | undefined;
  #freezing: Promise<void> | undefined;
  #thawing: Promise<void> | undefined;

  constructor(options: IdleFreezerOptions) {
    this.#options = options;
  }

  /** The environment has nothing to do from now on. */
  idle(): void {
    this.#idleSince = this.#options.clock.monotonicMs();
    if (!this.#pending) this.#lookAgainIn(this.#options.delayMs);
  }

  /** The environment is needed. Undefined when its processes run; else settles when they do again. Never rejects. */
  wake(): Promise<void> | undefined {
    this.#idleSince = undefined;
    const freezing = this.#freezing;
    if (!freezing) return this.#thawing;
    this.#freezing = undefined;
    this.#thawing = freezing
      .then(() => this.#options.sandbox.thaw())
      .catch(this.#options.onFailure)
      .finally(() => {
        this.#thawing = undefined;
      });
    return this.#thawing;
  }

  /** Stops looking. */
  stop(): void {
    this.#idleSince = undefined;
    this.#pending?.();
    this.#pending = undefined;
  }

  #lookAgainIn(ms: number): void {
    this.#pending = this.#options.clock.after(ms, () => {
      this.#pending = undefined;
      if (this.#idleSince === undefined) return;
      const restMs = this.#idleSince + this.#options.delayMs - this.#options.clock.monotonicMs();
      if (restMs > 0) this.#lookAgainIn(restMs);
      else this.#freezing ??= this.#options.sandbox.freeze().catch(this.#options.onFailure);
    });
  }
}
