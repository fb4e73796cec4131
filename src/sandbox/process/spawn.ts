/**
 * The one door to child processes. Every child starts with an empty environment (but for what is named), so that nothing of the service's own
 * reaches a function by way of a tool, and with no descriptors but those named here.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import type { Server, Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { OperatorError } from '../../operator-error.ts';
import type { ProcessExit } from '../sandbox.ts';

/** What a child gets as descriptor 0, 1, 2 ...: a pipe to us, nothing, or a descriptor of ours. */
export type Stdio = 'pipe' | 'ignore' | number;

export interface Child {
  readonly pid: number;
  /** Our ends of the pipes, by descriptor number of the child. */
  readonly pipes: readonly (Duplex | undefined)[];
  /** Settles when the child has ended and has been reaped. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Undefined until `exited` settles. */
  exit(): ProcessExit | undefined;
  /** Sends a signal to this process alone; does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
}

/**
 * Starts a program as leader of a session of its own. `file` is an absolute path. Throws `OperatorError` when
 * the system refuses.
 */
export function startChild(
  file: string,
  args: readonly string[],
  stdio: readonly Stdio[],
  environment: Readonly<Record<string, string>> = {},
): Child {
  const child: ChildProcess = spawn(file, args, { stdio: [...stdio], detached: true, env: environment, cwd: '/' });
  return wrapChild(child, file);
}

/** A child that exchanges messages with us, and may hand over sockets with its own. */
export interface IpcChild extends Omit<Child, 'pipes'> {
  readonly stderr: Readable | undefined;
  /** Lost when the child has ended; `exited` tells. */
  send(message: object): void;
  /** The child hears that nobody listens any more. */
  disconnect(): void;
}

/** Starts a Node program, perhaps by way of others; `onMessage` hears what it says. Throws as `startChild` does. */
export function startIpcChild(
  file: string,
  args: readonly string[],
  onMessage: (message: unknown, socket: Server | Socket | undefined) => void,
): IpcChild {
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const;
  const child: ChildProcess = spawn(file, args, { stdio: [...stdio], detached: true, env: {}, cwd: '/' });
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

/** Throws if it could not be started. */
function wrapChild(child: ChildProcess, file: string): Child {
  const { pid } = child;
  let exit: ProcessExit | undefined;
  if (pid === undefined) {
    child.on('error', () => {});
    for (const pipe of child.stdio) pipe?.destroy();
    throw new OperatorError('no-sandbox', {
      reason: `${file} cannot be started`,
      remedy: 'Check that it is there, and the limits on processes and open files (`ulimit -u`, `ulimit -n`).',
    });
  }
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signaled', signal };
      resolve(exit);
    });
  });
  // A signal that cannot be sent is reported as an 'error', which nobody else listens to.
  child.on('error', () => {});
  for (const pipe of child.stdio) pipe?.on('error', () => {}); // The other end went away; `exited` tells.
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

export type ToolResult = { readonly code: number | undefined; readonly stdout: string; readonly stderr: string };

/** Runs a tool to its end while everything waits; only for tools that take a moment. `code` is undefined if it could not end by itself. */
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

/** Runs a tool to its end in the background. Never rejects. */
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

/** Everything that comes out of a pipe until it ends. */
export async function readAll(pipe: Readable | undefined): Promise<string> {
  if (pipe === undefined) return '';
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve) => {
    pipe.on('data', (chunk: Buffer) => chunks.push(chunk));
    pipe.once('close', resolve);
  });
  return Buffer.concat(chunks).toString();
}
