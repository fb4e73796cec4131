/**
 * The one door to other programs for building packages: npm, Composer, PHP, a compiler. It runs one to its end and
 * hands back what it printed; functions never run here (that is `sandbox/`). An exit code other than 0 is a value: the
 * caller knows what it means.
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
  /** Sees every line of either stream as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
};

export type ToolResult = {
  /** 128 + n when signal n ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** What `env` exits with when it does not find the program. */
const NOT_FOUND = 127;

/**
 * Runs a program to its end. Throws `OperatorError` `tool-missing` if there is no such program, and the reason of the
 * signal that ended it.
 */
export async function runTool(run: ToolRun): Promise<ToolResult> {
  // `env` adds the variables, so that nothing here needs to read this process's environment.
  const assignments = Object.entries(run.variables ?? {}).map(([name, value]) => `${name}=${value}`);
  const child = spawn('env', [...assignments, run.command, ...run.arguments], {
    cwd: run.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that with make its compilers end too: they would work on for minutes.
    detached: run.signal !== undefined,
  });
  const end = () => endGroup(child.pid);
  run.signal?.addEventListener('abort', end);
  if (run.signal?.aborted) end();
  const stdout = collect(child.stdout, run.onLine);
  const stderr = collect(child.stderr, run.onLine);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    // After that nothing of it writes any more.
    child.once('close', (exitCode, signal) => resolve(exitCode ?? 128 + (signal === 'SIGKILL' ? 9 : 15)));
  });
  run.signal?.removeEventListener('abort', end);
  run.signal?.throwIfAborted();
  const result = { code, stdout: await stdout, stderr: await stderr };
  if (code === NOT_FOUND && result.stderr.startsWith('env:')) {
    throw new OperatorError('tool-missing', { tool: run.command });
  }
  return result;
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (failure) {
    // It has ended by itself in the meantime.
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
