/**
 * Runs another program in the place of a command: with this terminal, and with the exit code of the program as the
 * result. The only file of the command line that starts processes.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as systemConstants } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../options.ts';
import { changedEnvironment, searchPath } from '../options.ts';

/** Signals that are sent on to the program. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;
/** A terminal sends these to the program itself. */
const OF_THE_TERMINAL: readonly string[] = ['SIGINT', 'SIGQUIT', 'SIGWINCH'];

/** Exit codes of a program that cannot be started, as shells have them. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export type ProgramEnd = { readonly code: number } | { readonly code: 126 | 127; readonly reason: string };

/**
 * Runs a program to its end. Resolves to its exit code (128 + n if signal n ended it), or to 127 or 126 with a reason if
 * it cannot be started. Signals that this process receives meanwhile go to the program.
 */
export function runProgram(command: string, args: readonly string[], changes: Environment): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'inherit', env: changedEnvironment(changes) });
    const isTerminal = process.stdin.isTTY === true;
    const listeners = SIGNALS.map((signal) => {
      const listener = () => {
        if (!isTerminal || !OF_THE_TERMINAL.includes(signal)) child.kill(signal);
      };
      process.on(signal, listener);
      return () => process.off(signal, listener);
    });
    const end = (result: ProgramEnd) => {
      for (const stopListening of listeners) stopListening();
      resolve(result);
    };
    child.once('error', (failure: NodeJS.ErrnoException) => {
      if (failure.code === 'ENOENT') end({ code: NOT_FOUND, reason: 'it was not found' });
      else end({ code: NOT_EXECUTABLE, reason: failure.message });
    });
    child.once('exit', (code, signal) => {
      end({ code: code ?? 128 + systemConstants.signals[signal ?? 'SIGTERM'] });
    });
  });
}

/** Runs a program without input and returns what it prints; undefined if it fails or takes longer than `timeoutMs`. */
export function readProgram(command: string, args: readonly string[], timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Old versions of Python print their version to standard error.
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => resolve(code === 0 ? Buffer.concat(chunks).toString() : undefined));
  });
}

/** Starts a Node.js program of its own session that outlives this one, with its output in a file. */
export function startDetached(
  script: string,
  args: readonly string[],
  output: number,
  changes: Environment,
): DetachedProgram {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', output, output, 'ipc'],
    detached: true,
    env: changedEnvironment(changes),
  });
  const ready = new Promise<unknown>((resolve) => {
    child.once('message', resolve);
  });
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + systemConstants.signals[signal ?? 'SIGTERM']));
    child.once('error', () => resolve(NOT_EXECUTABLE));
  });
  return { ready, ended, release: () => child.unref() };
}

export type DetachedProgram = {
  /** The first message of the program. */
  readonly ready: Promise<unknown>;
  /** Its exit code. */
  readonly ended: Promise<number>;
  /** Lets this process exit before the program. */
  release(): void;
};

/** The absolute path of a program on the PATH. */
export function findProgram(name: string): string | undefined {
  return searchPath()
    .map((directory) => join(directory, name))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
