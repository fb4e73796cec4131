/**
 * Ownership: whoever starts a thing hands it to a `Lifetime`, and closing that closes everything it owns, last first.
 * A failing close never stops the rest; what failed is thrown together at the end.
 */

export interface Closeable {
  close(): void | Promise<void>;
}

/** Owns resources and closes them in reverse order of their start. */
export class Lifetime implements Closeable {
  readonly #owned: Closeable[] = [];
  #closing: Promise<void> | undefined;

  /** Takes ownership of `resource` and returns it. */
  own<T extends Closeable>(resource: T): T {
    this.#owned.push(resource);
    return resource;
  }

  /** Registers an action for the end of this lifetime. */
  onClose(close: () => void | Promise<void>): void {
    this.#owned.push({ close });
  }

  /** Closes everything owned, always to the end. A second call waits for the first. Throws `AggregateError`. */
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
    if (failures.length > 0) throw new AggregateError(failures, 'some resources did not close cleanly');
  }
}
