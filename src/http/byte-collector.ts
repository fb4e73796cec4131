/**
 * Collects the pieces of a body. A piece can be a single byte: a chunked body can have a chunk for each, and a `Buffer`
 * for each would take a hundred times their size. Small pieces are therefore copied into blocks.
 */

/** Pieces from this size on are kept without a copy. */
const KEPT_BYTES = 4 * 1024;
const BLOCK_BYTES = 16 * 1024;

export class ByteCollector {
  #length = 0;
  #blocks: Buffer[] = [];
  /** The last block, of which the first bytes are used. */
  #open: Buffer | undefined;
  #used = 0;

  /** The number of bytes that were added. */
  get length(): number {
    return this.#length;
  }

  /** The caller may not change `piece` afterwards. */
  add(piece: Buffer): void {
    this.#length += piece.length;
    if (piece.length >= KEPT_BYTES) {
      this.#close();
      this.#blocks.push(piece);
      return;
    }
    for (let from = 0; from < piece.length; ) {
      this.#open ??= Buffer.allocUnsafe(BLOCK_BYTES);
      const copied = piece.copy(this.#open, this.#used, from);
      this.#used += copied;
      from += copied;
      if (this.#used === BLOCK_BYTES) this.#close();
    }
  }

  /** All bytes. */
  bytes(): Buffer {
    this.#close();
    return this.#blocks.length === 1 && this.#blocks[0] ? this.#blocks[0] : Buffer.concat(this.#blocks, this.#length);
  }

  /** Forgets all bytes. */
  clear(): void {
    this.#length = 0;
    this.#blocks = [];
    this.#open = undefined;
    this.#used = 0;
  }

  #close(): void {
    if (this.#open === undefined) return;
    this.#blocks.push(this.#open.subarray(0, this.#used));
    this.#open = undefined;
    this.#used = 0;
  }
}
