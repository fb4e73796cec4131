/**
 * Limits the memory for request bodies of one environment. Each may have 6 MB, and an environment has many connections,
 * which can all send one at the same time. AWS has no such limit, but there an environment harms only itself.
 */
import { QUOTAS } from '../protocol/quotas.ts';

/** One response needs at most a quarter. */
export const MAX_COLLECTED_BYTES = 4 * QUOTAS.responsePayloadBytes;

/** The bodies of one environment that are being collected. */
export class CollectedBodies {
  #bytes = 0;

  /** Bytes that are in memory now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns false if there is no room. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > MAX_COLLECTED_BYTES) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
