/**
 * Pipes for what processes print. They are real FIFOs, made by mkfifo(1) and unlinked as soon as they are open: the
 * pipes that Node makes are sockets, and a function that opens /dev/stderr or php://stderr could not open those.
 * Names are made in batches in the background, because starting mkfifo takes longer than all the rest.
 */
import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { OperatorError } from '../../operator-error.ts';
import { runTool, runToolSync } from './spawn.ts';

const BATCH = 24;
const LOW = 8;

export type OutputPipe = {
  /** Ends when every writer is gone. */
  readonly output: Readable;
  /** For the child; closed by `giveUpWriting` once the child has it. */
  readonly writeFd: number;
  giveUpWriting(): void;
};

export interface OutputPipes {
  take(): OutputPipe;
  close(): Promise<void>;
}

export function createOutputPipes(mkfifo: string, directory: string): OutputPipes {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const ready: string[] = [];
  let count = 0;
  let refilling: Promise<void> | undefined;

  const batch = (): string[] => Array.from({ length: BATCH }, () => join(directory, `${count++}`));
  // World-writable, so that a function's uid may open it again; the directory keeps strangers out.
  const command = (names: string[]): string[] => ['-m', '0666', ...names];
  const refill = async (): Promise<void> => {
    const names = batch();
    const { code } = await runTool(mkfifo, command(names));
    if (code === 0) ready.push(...names);
    refilling = undefined;
  };
  const refillIfLow = (): void => {
    if (ready.length < LOW) refilling ??= refill();
  };
  const takeName = (): string => {
    const name = ready.pop();
    if (name !== undefined) return name;
    const names = batch();
    const { code, stderr } = runToolSync(mkfifo, command(names));
    if (code !== 0) throw cannotMakePipes(stderr.trim());
    ready.push(...names);
    return takeName();
  };
  refillIfLow();

  return {
    take() {
      const name = takeName();
      try {
        return openPipe(name);
      } catch (failure) {
        throw cannotMakePipes((failure as Error).message);
      } finally {
        unlinkSync(name);
        refillIfLow();
      }
    },
    async close() {
      await refilling;
      for (const name of ready.splice(0)) unlinkSync(name);
    },
  };
}

function openPipe(name: string): OutputPipe {
  const readFd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  let writeFd: number | undefined;
  try {
    writeFd = openSync(name, constants.O_WRONLY);
  } catch (failure) {
    closeSync(readFd);
    throw failure;
  }
  const output = new Socket({ fd: readFd, readable: true, writable: false });
  return {
    output,
    writeFd,
    giveUpWriting() {
      assert(writeFd !== undefined, 'the write end is given up once');
      closeSync(writeFd);
      writeFd = undefined;
    },
  };
}

function cannotMakePipes(reason: string): OperatorError {
  return new OperatorError('no-sandbox', {
    reason: `pipes for a function's output cannot be made: ${reason}`,
    remedy: 'Check free space and the limit on open files (`ulimit -n`), then start the service again.',
  });
}
