/**
 * The only module of the service that starts child processes, except `packaging/run-tool.ts`. Each child gets only the
 * environment variables and descriptors that are passed explicitly, so that nothing leaks to a function through a tool.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { exhaustedResource, OperatorError } from '../../operator-error.ts';
import type { ProcessExit } from '../sandbox.ts';

/** What a child gets as a descriptor: a pipe to the service, /dev/null, or a descriptor of the service. */
export type Stdio = 'pipe' | 'ignore' | number;

/** A running or exited child process. */
export interface Child {
  readonly pid: number;
  /** The service's ends of the pipes, by descriptor number of the child. */
  readonly pipes: readonly (Duplex | undefined)[];
  /** Resolves when the child has exited and was reaped. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Undefined until `exited` settles. */
  exit(): ProcessExit | undefined;
  /** Sends a signal to this process only. Does nothing after it has exited. */
  signal(signal: NodeJS.Signals): void;
}

/**
 * Starts a program as the leader of a new session. `file` is an absolute path. Throws `OperatorError` if the program
 * cannot be started: 'open-files-limit', 'process-limit', 'out-of-memory' or 'no-sandbox'.
 */
export function startChild(
  file: string,
  args: readonly string[],
  stdio: readonly Stdio[],
  environment: Readonly<Record<string, string>> = {},
): Child {
  return wrapChild(spawnChild(file, args, stdio, environment), file);
}

/** A child with an IPC channel, over which it can also pass sockets. */
export interface IpcChild extends Omit<Child, 'pipes'> {
  readonly stderr: Readable | undefined;
  /** Sends a message. The message is lost if the child has exited. */
  send(message: object): void;
  /** Closes the channel, which the child notices. */
  disconnect(): void;
}

/** Starts a Node program, directly or through other commands, with an IPC channel. Throws as `startChild` does. */
export function startIpcChild(
  file: string,
  args: readonly string[],
  onMessage: (message: unknown, socket: Server | Socket | undefined) => void,
): IpcChild {
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const;
  const child = spawnChild(file, args, stdio, {});
  const { pipes, ...watched } = wrapChild(child, file);
  child.on('message', (message, socket) => onMessage(message, socket as Server | Socket | undefined));
  return {
    ...watched,
    stderr: pipes[2],
    send(message) {
      if (child.connected) child.send(message, () => {});
    },
    disconnect() {
      if (child.connected) child.disconnect();
    },
  };
}

function spawnChild(
  file: string,
  args: readonly string[],
  stdio: readonly (Stdio | 'ipc')[],
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  expectDescriptors(file, 2 * stdio.length + SPARE_DESCRIPTORS);
  try {
    return spawn(file, args, { stdio: [...stdio], detached: true, env: environment, cwd: '/' });
  } catch (failure) {
    throw exhaustedResource(failure, file) ?? failure;
  }
}

/** Beside two for each pipe, for what Node opens to start a child: a pipe for the error of `exec`, and some more to be safe. */
const SPARE_DESCRIPTORS = 6;

/**
 * Throws `OperatorError` 'open-files-limit' if a child would not get its descriptors. Node never closes the pipes that it has
 * opened for a child when the limit is reached in the middle.
 */
function expectDescriptors(file: string, count: number): void {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync('/dev/null', 'r'));
  } catch (failure) {
    throw isDescriptorLimit(failure)
      ? new OperatorError('open-files-limit', { reason: `cannot start ${file}` })
      : failure;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function isDescriptorLimit(failure: unknown): boolean {
  const { code } = failure as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE';
}

/** Throws `OperatorError` if the child could not be started. */
function wrapChild(child: ChildProcess, file: string): Child {
  const { pid } = child;
  let exit: ProcessExit | undefined;
  if (pid === undefined) {
    child.on('error', () => {});
    for (const pipe of child.stdio ?? []) pipe?.destroy();
    throw startFailure(child, file);
  }
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signaled', signal };
      resolve(exit);
    });
  });
  // Node reports a signal that cannot be sent as an 'error' event, which would crash the service without a listener.
  child.on('error', () => {});
  for (const pipe of child.stdio) pipe?.on('error', () => {}); // The other end was closed. See `exited`.
  return {
    pid,
    pipes: child.stdio.map((pipe) => (pipe ?? undefined) as Duplex | undefined),
    exited,
    exit: () => exit,
    signal(signal) {
      if (exit === undefined) child.kill(signal);
    },
  };
}

/** Why a child was not started. Node emits the kernel's error only later, so it is derived from what is known now. */
function startFailure({ stdio }: Pick<ChildProcess, 'stdio'>, file: string): OperatorError {
  // Without a descriptor for the child, Node does not even create the array.
  if (stdio === undefined) return new OperatorError('open-files-limit', { reason: `cannot start ${file}` });
  try {
    accessSync(file, constants.X_OK);
  } catch (failure) {
    const { code = '' } = failure as NodeJS.ErrnoException;
    return (
      exhaustedResource(failure, file) ??
      new OperatorError('no-sandbox', {
        reason: `cannot start ${file}: ${code}`,
        remedy: 'Run `lamella doctor` to see what this machine lacks.',
      })
    );
  }
  return new OperatorError('process-limit', { reason: `the kernel refused to start ${file}` });
}

/** The result of a tool. `code` is undefined if the tool could not be started or was killed. */
export type ToolResult = { readonly code: number | undefined; readonly stdout: string; readonly stderr: string };

/** Runs a tool and blocks until it exits, for at most 10 seconds. Only for tools that are fast. */
export function runToolSync(file: string, args: readonly string[]): ToolResult {
  const result = spawnSync(file, args, {
    env: {},
    cwd: '/',
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 10_000,
  });
  return {
    code: result.status ?? undefined,
    stdout: result.stdout ?? '',
    stderr: result.stderr || (result.error?.message ?? ''),
  };
}

/** Runs a tool and waits for its exit. Never rejects. */
export async function runTool(file: string, args: readonly string[]): Promise<ToolResult> {
  let child: Child;
  try {
    child = startChild(file, args, ['ignore', 'pipe', 'pipe']);
  } catch (failure) {
    return { code: undefined, stdout: '', stderr: (failure as Error).message };
  }
  const [, stdout, stderr] = child.pipes;
  const [exit, ...texts] = await Promise.all([child.exited, readAll(stdout), readAll(stderr)]);
  return { code: exit.kind === 'exited' ? exit.code : undefined, stdout: texts[0] ?? '', stderr: texts[1] ?? '' };
}

/** Reads a pipe to its end. */
export async function readAll(pipe: Readable | undefined): Promise<string> {
  if (pipe === undefined) return '';
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve) => {
    pipe.on('data', (chunk: Buffer) => chunks.push(chunk));
    pipe.once('close', resolve);
  });
  return Buffer.concat(chunks).toString();
}
