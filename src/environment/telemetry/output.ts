/**
 * Splits the output of a function's processes into log events, one per line and each with its line end, and keeps the
 * last 4 KB of an invocation's log for callers that request it. Does not read streams: the caller pushes the bytes.
 */
import { StringDecoder } from 'node:string_decoder';
import { QUOTAS } from '../../protocol/quotas.ts';

/** Splits a byte stream into lines. A line longer than CloudWatch's limit is split, too. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  /** The unfinished line. */
  #rest = '';
  /** What was fed and not split yet, from `#at`. */
  #input = '';
  #at = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Characters that were fed and not emitted yet. */
  get pendingLength(): number {
    return this.#rest.length + this.#input.length - this.#at;
  }

  /** Splits the whole chunk. */
  push(chunk: Buffer): void {
    this.feed(chunk);
    this.step(Number.POSITIVE_INFINITY);
  }

  /** Adds bytes, which `step` splits. */
  feed(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    this.#input = this.#at < this.#input.length ? this.#input.slice(this.#at) + text : text;
    this.#at = 0;
  }

  /** Emits at most `limit` lines. Returns whether there may be more. */
  step(limit: number): boolean {
    for (let count = 0; count < limit; count++) {
      const end = this.#input.indexOf('\n', this.#at);
      if (end === -1) {
        // Only the new text is searched and copied: a long line may come byte by byte.
        this.#rest += this.#input.slice(this.#at);
        this.#input = '';
        this.#at = 0;
        this.#emitOversized();
        return false;
      }
      const line = this.#rest + this.#input.slice(this.#at, end + 1);
      this.#rest = '';
      this.#at = end + 1;
      this.#emit(line);
    }
    return true;
  }

  /** Emits a last line without a line end, at the end of an invocation or of the process. */
  flush(): void {
    const text = this.#rest;
    this.#rest = '';
    if (text !== '') this.#emit(text);
  }

  #emitOversized(): void {
    while (this.#rest.length >= QUOTAS.logEventBytes) {
      const event = this.#rest.slice(0, QUOTAS.logEventBytes);
      this.#rest = this.#rest.slice(QUOTAS.logEventBytes);
      this.#onLine(event);
    }
  }

  #emit(line: string): void {
    for (let at = 0; at < line.length; at += QUOTAS.logEventBytes) {
      this.#onLine(line.slice(at, at + QUOTAS.logEventBytes));
    }
  }
}

/** The last bytes of a log, for `X-Amz-Log-Result`: cut at a byte, not at a line. */
export class LogTail {
  #chunks: Buffer[] = [];
  #length = 0;

  append(text: string): void {
    const chunk = Buffer.from(text);
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    let first = this.#chunks[0];
    while (first && this.#length - first.length >= QUOTAS.logTailBytes) {
      this.#chunks.shift();
      this.#length -= first.length;
      first = this.#chunks[0];
    }
  }

  /** At most 4096 bytes. */
  bytes(): Buffer {
    const all = Buffer.concat(this.#chunks, this.#length);
    return all.subarray(Math.max(0, all.length - QUOTAS.logTailBytes));
  }

  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }
}
