/**
 * Runs the programs that packages are built with: npm, Composer, PHP, a compiler. Waits for the program's end and
 * returns its output. An exit code other than 0 is not an error here: the caller interprets it. Functions run in
 * `sandbox/`.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { OperatorError } from '../operator-error.ts';

export type ToolRun = {
  /** A program on the PATH, or its absolute path. */
  readonly command: string;
  readonly arguments: readonly string[];
  readonly directory?: string;
  /** Variables set on top of this process's own. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Called with each line of stdout and stderr as it is printed. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Kills the program and its children. */
  readonly signal?: AbortSignal | undefined;
};

export type ToolResult = {
  /** The exit code, or 128 + n if signal n killed it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** The exit code of `env` if it does not find the program. */
const NOT_FOUND = 127;

/**
 * Runs a program and waits for its end. Throws `OperatorError` `tool-missing` if the program is not installed, and the
 * reason of `signal` if it aborted the run.
 */
export async function runTool(run: ToolRun): Promise<ToolResult> {
  // `env` sets the variables, because only options.ts reads the environment of this process.
  const assignments = Object.entries(run.variables ?? {}).map(([name, value]) => `${name}=${value}`);
  const child = spawn('env', [...assignments, run.command, ...run.arguments], {
    cwd: run.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group, so that the compilers that make started are killed with it.
    detached: run.signal !== undefined,
  });
  const kill = () => killGroup(child.pid);
  run.signal?.addEventListener('abort', kill);
  if (run.signal?.aborted) kill();
  const stdout = collect(child.stdout, run.onLine);
  const stderr = collect(child.stderr, run.onLine);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    // Not 'exit': at 'close' all of its output has been read.
    child.once('close', (exitCode, signal) => resolve(exitCode ?? 128 + (signal === 'SIGKILL' ? 9 : 15)));
  });
  run.signal?.removeEventListener('abort', kill);
  run.signal?.throwIfAborted();
  const result = { code, stdout: await stdout, stderr: await stderr };
  if (code === NOT_FOUND && result.stderr.startsWith('env:')) {
    throw new OperatorError('tool-missing', { tool: run.command });
  }
  return result;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (failure) {
    // It has already ended.
    if ((failure as NodeJS.ErrnoException).code !== 'ESRCH') throw failure;
  }
}

async function collect(stream: NodeJS.ReadableStream, onLine: ((line: string) => void) | undefined): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    lines.push(line);
    onLine?.(line);
  }
  return lines.join('\n');
}
