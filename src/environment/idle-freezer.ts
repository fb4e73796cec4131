/**
 * Freezes an environment's processes between invocations, as Lambda does: background work stops until the next call.
 * Freezing starts after a few idle milliseconds, so that back-to-back invocations do not pay for it. Nor do they need a
 * timer each: a pending timer keeps running and checks the idle time again when it fires.
 */
import type { Cancel, Clock } from '../clock.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

export type IdleFreezerOptions = {
  readonly sandbox: Pick<Sandbox, 'freeze' | 'thaw'>;
  readonly clock: Clock;
  /** Idle milliseconds before the processes are frozen. */
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

  /** Call it when the environment becomes idle. */
  idle(): void {
    this.#idleSince = this.#options.clock.monotonicMs();
    if (!this.#pending) this.#checkIn(this.#options.delayMs);
  }

  /** Call it when the environment is needed. Undefined when its processes run; else resolves once they do. Never rejects. */
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

  /** Whether the processes are frozen, or are being frozen. */
  get isFrozen(): boolean {
    return this.#freezing !== undefined;
  }

  /** Cancels the timer. */
  stop(): void {
    this.#idleSince = undefined;
    this.#pending?.();
    this.#pending = undefined;
  }

  #checkIn(ms: number): void {
    this.#pending = this.#options.clock.after(ms, () => {
      this.#pending = undefined;
      if (this.#idleSince === undefined) return;
      const remainingMs = this.#idleSince + this.#options.delayMs - this.#options.clock.monotonicMs();
      if (remainingMs > 0) this.#checkIn(remainingMs);
      else this.#freezing ??= this.#options.sandbox.freeze().catch(this.#options.onFailure);
    });
  }
}
