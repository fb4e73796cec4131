/**
 * Pipes for the output of processes. They are real FIFOs, created by mkfifo(1) and unlinked as soon as they are open.
 * Node's own pipes are sockets, which a function that opens /dev/stderr or php://stderr could not open.
 * FIFOs are created in batches in the background, because most of the time goes into starting mkfifo.
 */
import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { exhaustedResource, OperatorError } from '../../operator-error.ts';
import { runTool, runToolSync } from './spawn.ts';

const BATCH = 24;
const LOW = 8;

/** An open pipe. */
export type OutputPipe = {
  /** Ends when the last writer has closed the pipe. */
  readonly output: Readable;
  /** Descriptor for the child. After the child was started, close it with `giveUpWriting`. */
  readonly writeFd: number;
  giveUpWriting(): void;
};

/** A supply of pipes. */
export interface OutputPipes {
  /** Opens a pipe. Throws `OperatorError` if none can be created. */
  take(): OutputPipe;
  close(): Promise<void>;
}

/** Creates pipes in `directory`, which must not be used otherwise. The caller closes the result. */
export function createOutputPipes(mkfifo: string, directory: string): OutputPipes {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const ready: string[] = [];
  let count = 0;
  let refilling: Promise<void> | undefined;

  const batch = (): string[] => Array.from({ length: BATCH }, () => join(directory, `${count++}`));
  // World-writable, so that a function's uid can reopen it. The directory keeps other users out.
  const command = (names: string[]): string[] => ['-m', '0666', ...names];
  // mkfifo creates some of them before the disk is full.
  const removeAll = (names: readonly string[]): void => {
    for (const name of names) rmSync(name, { force: true });
  };
  const refill = async (): Promise<void> => {
    const names = batch();
    const { code } = await runTool(mkfifo, command(names));
    if (code === 0) ready.push(...names);
    else removeAll(names);
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
    if (code !== 0) removeAll(names);
    if (code !== 0) throw cannotMakePipes(new Error(stderr.trim()), directory);
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
        throw cannotMakePipes(failure as Error, directory);
      } finally {
        rmSync(name, { force: true });
        refillIfLow();
      }
    },
    async close() {
      await refilling;
      for (const name of ready.splice(0)) rmSync(name, { force: true });
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
  let output: Socket;
  try {
    output = new Socket({ fd: readFd, readable: true, writable: false });
  } catch (failure) {
    closeSync(readFd);
    closeSync(writeFd);
    throw failure;
  }
  // Without a listener, a failed read would end the service. The stream is closed after it.
  output.on('error', () => {});
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

function cannotMakePipes(failure: Error, directory: string): OperatorError {
  return (
    exhaustedResource(failure, directory) ??
    new OperatorError('no-sandbox', {
      reason: `cannot create pipes for the output of functions: ${failure.message}`,
      remedy: 'Run `lamella doctor` to see what this machine lacks.',
    })
  );
}
