/** Counts the output of an environment's processes. Costs a few additions for each chunk, and nothing else. */

/** Milliseconds over which the rate is measured. */
const WINDOW_MS = 5000;

export type OutputUse = {
  /** Since the environment was created. */
  readonly lines: number;
  readonly bytes: number;
  /** Over the last 5 to 10 seconds. */
  readonly bytesPerSecond: number;
};

export class OutputAccount {
  #lines = 0;
  #bytes = 0;
  #windowStart: number;
  #inWindow = 0;
  #before = 0;

  constructor(nowMs: number) {
    this.#windowStart = nowMs;
  }

  line(): void {
    this.#lines += 1;
  }

  chunk(bytes: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#bytes += bytes;
    this.#inWindow += bytes;
  }

  use(nowMs: number): OutputUse {
    this.#advance(nowMs);
    const seconds = (WINDOW_MS + nowMs - this.#windowStart) / 1000;
    const bytesPerSecond = Math.round((this.#before + this.#inWindow) / seconds);
    return { lines: this.#lines, bytes: this.#bytes, bytesPerSecond };
  }

  #advance(nowMs: number): void {
    const elapsed = nowMs - this.#windowStart;
    if (elapsed < WINDOW_MS) return;
    this.#before = elapsed < 2 * WINDOW_MS ? this.#inWindow : 0;
    this.#inWindow = 0;
    this.#windowStart = nowMs - (elapsed % WINDOW_MS);
  }
}
