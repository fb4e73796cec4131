/**
 * Reads the output of processes as lines, without letting one environment hold up the others. A chunk of a pipe can hold
 * 65,536 lines. What is not read at once is read in turns that all environments share, and meanwhile the pipe is not
 * read: a process that writes faster than its lines can be logged waits in its write, as for any slow reader. No line is
 * dropped. At most one chunk and one unfinished line are in memory per process.
 */
import type { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import type { Containment } from '../../containment.ts';
import { LineSplitter } from './output.ts';

/** Divides the time for output among the environments of a service. */
export interface OutputTurns {
  /** Calls `step` until it returns false, in turns with other work. */
  share(step: () => boolean): void;
}

/** How long the event loop may be busy with output before it looks after everything else. */
const TURN_MS = 1;
/** How many lines are read in one step. A chunk of typical output has fewer. */
const STEP_LINES = 256;

export function createOutputTurns(clock: Clock): OutputTurns {
  const waiting: (() => boolean)[] = [];
  const turn = (): void => {
    const endAt = clock.monotonicMs() + TURN_MS;
    do {
      const step = waiting.shift();
      if (step?.()) waiting.push(step);
    } while (waiting.length > 0 && clock.monotonicMs() < endAt);
    if (waiting.length > 0) setImmediate(turn);
  };
  return {
    share(step) {
      waiting.push(step);
      if (waiting.length === 1) setImmediate(turn);
    },
  };
}

export type OutputReaderOptions = {
  readonly output: Readable;
  readonly turns: OutputTurns;
  readonly containment: Containment;
  /** Called with each line and its line end. */
  readonly onLine: (line: string) => void;
  /** Called with the size of each chunk. */
  readonly onChunk?: (bytes: number) => void;
};

/** Reads one process's output until it ends. */
export class OutputReader {
  /** Resolves when the output has ended and every line was read. */
  readonly ended: Promise<void>;
  readonly #splitter: LineSplitter;
  #isBusy = false;
  #whenRead: (() => void)[] = [];

  constructor({ output, turns, containment, onLine, onChunk }: OutputReaderOptions) {
    const splitter = new LineSplitter(onLine);
    this.#splitter = splitter;
    const step = (): boolean => {
      if (containment.run('pipe', () => splitter.step(STEP_LINES)) === true) return true;
      this.#isBusy = false;
      for (const resolve of this.#whenRead.splice(0)) resolve();
      output.resume();
      return false;
    };
    output.on('data', (chunk: Buffer) => {
      onChunk?.(chunk.length);
      splitter.feed(chunk);
      if (this.#isBusy || containment.run('pipe', () => splitter.step(STEP_LINES)) !== true) return;
      this.#isBusy = true;
      output.pause();
      turns.share(step);
    });
    output.once('error', () => undefined);
    this.ended = new Promise((resolve) => {
      output.once('close', () => {
        const finish = () => {
          containment.run('pipe', () => splitter.flush());
          resolve();
        };
        if (this.#isBusy) this.#whenRead.push(finish);
        else finish();
      });
    });
  }

  /** Whether lines wait for their turn, and the process therefore waits in its writes. */
  get isHeldBack(): boolean {
    return this.#isBusy;
  }

  /** Characters that were received and have not become lines yet. */
  get pendingLength(): number {
    return this.#splitter.pendingLength;
  }

  /** Resolves when the lines received so far have been read; undefined if they have been. */
  read(): Promise<void> | undefined {
    return this.#isBusy ? new Promise((resolve) => this.#whenRead.push(resolve)) : undefined;
  }

  /** Ends an unfinished line. */
  flush(): void {
    if (!this.#isBusy) this.#splitter.flush();
  }
}
