/**
 * Cuts what a function's processes write into log events, one per line, each with its own line end; and remembers the
 * last 4 KB of an invocation's log for callers that want it. Knows no streams: bytes are pushed in.
 */
import { StringDecoder } from 'node:string_decoder';
import { QUOTAS } from '../../protocol/quotas.ts';

/** Splits a byte stream into lines. A line longer than CloudWatch's limit is cut. */
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

  /** Emits a last line that has no end: at the end of an invocation or of the process. */
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

/** The last bytes of a log, as `X-Amz-Log-Result` gives them: cut at the byte, not at the line. */
export class LogTail {
  #pieces: Buffer[] = [];
  #length = 0;

  append(text: string): void {
    const piece = Buffer.from(text);
    this.#pieces.push(piece);
    this.#length += piece.length;
    let first = this.#pieces[0];
    while (first && this.#length - first.length >= QUOTAS.logTailBytes) {
      this.#pieces.shift();
      this.#length -= first.length;
      first = this.#pieces[0];
    }
  }

  /** At most 4096 bytes. */
  bytes(): Buffer {
    const all = Buffer.concat(this.#pieces, this.#length);
    return all.subarray(Math.max(0, all.length - QUOTAS.logTailBytes));
  }

  clear(): void {
    this.#pieces = [];
    this.#length = 0;
  }
}
