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
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let text = this.#rest + this.#decoder.write(chunk);
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
      this.#emit(text.slice(0, end + 1));
      text = text.slice(end + 1);
    }
    while (text.length >= QUOTAS.logEventBytes) {
      this.#onLine(text.slice(0, QUOTAS.logEventBytes));
      text = text.slice(QUOTAS.logEventBytes);
    }
    this.#rest = text;
  }

  /** Emits a last line without a line end, at the end of an invocation or of the process. */
  flush(): void {
    const text = this.#rest;
    this.#rest = '';
    if (text !== '') this.#emit(text);
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
