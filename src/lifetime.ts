/**
 * Ownership: code that opens a resource gives it to a `Lifetime`. Closing the lifetime closes its resources in reverse
 * order. If one fails to close, the others are still closed, and all failures are thrown together at the end.
 */

/** A resource with an end. */
export interface Closeable {
  close(): void | Promise<void>;
}

/** Owns resources and closes them in reverse order. */
export class Lifetime implements Closeable {
  readonly #owned: Closeable[] = [];
  #closing: Promise<void> | undefined;

  /** Takes ownership of `resource` and returns it. */
  own<T extends Closeable>(resource: T): T {
    this.#owned.push(resource);
    return resource;
  }

  /** Registers an action to run when this lifetime is closed. */
  onClose(close: () => void | Promise<void>): void {
    this.#owned.push({ close });
  }

  /** Closes all resources. A second call waits for the first. Rejects with `AggregateError` if any failed to close. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let resource = this.#owned.pop(); resource !== undefined; resource = this.#owned.pop()) {
      try {
        await resource.close();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Some resources failed to close.');
  }
}
