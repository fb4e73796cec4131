/** The command line as a person runs it: `bin/lamella` in its own process, built from the current sources. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { unexpectedWarningIn } from './expected-warnings.ts';

const ROOT = process.env.LAMELLA_ROOT ?? resolve(import.meta.dirname, '../..');
export const LAMELLA = join(ROOT, 'bin', 'lamella');

export type Ended = {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
};

/**
 * Compiles if any source is newer than dist/. `npm test` has already compiled. Test files that find a stale dist/ at the
 * same time take turns, so that no one reads what another is writing.
 */
export function buildIfStale(): void {
  const newest = Math.max(
    ...readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => statSync(join(ROOT, 'src', name)).mtimeMs),
  );
  const record = statSync(join(ROOT, 'node_modules/.cache/lamella/build.tsbuildinfo'), { throwIfNoEntry: false });
  if (record && record.mtimeMs >= newest) return;
  const build = [process.execPath, join(ROOT, 'scripts', 'run.mjs'), 'build'];
  spawnSync('flock', [join(ROOT, 'scripts', 'build.mjs'), ...build], { stdio: 'inherit' });
}

/** Runs `lamella ARGS` to its end. Of Lamella's and AWS's variables it gets only `environment`. */
export async function lamella(
  args: readonly string[],
  {
    input = '',
    environment = {},
    cwd = ROOT,
  }: { input?: string; environment?: Record<string, string>; cwd?: string } = {},
): Promise<Ended> {
  const child = spawn(LAMELLA, args, { cwd, env: cleanEnvironment(environment), stdio: 'pipe' });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((settle) => child.once('close', settle));
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

/**
 * Runs `lamella ARGS` in a terminal of its own, by `script` of util-linux. Returns what the terminal shows, with LF as its
 * line ends.
 */
export async function lamellaInTerminal(args: readonly string[]): Promise<{ code: number | null; screen: string }> {
  const command = [LAMELLA, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const env = cleanEnvironment({ TERM: 'xterm', SHELL: '/bin/sh', NO_COLOR: '' });
  const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const shown: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => shown.push(chunk));
  const code = await new Promise<number | null>((settle) => child.once('close', settle));
  return { code, screen: Buffer.concat(shown).toString().replaceAll('\r\n', '\n') };
}

/** This process's environment without the variables that Lamella reads, plus the given ones. */
export function cleanEnvironment(given: Record<string, string> = {}): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS_|LAMELLA_)/.test(name));
  return { ...(Object.fromEntries(inherited) as Record<string, string>), ...given };
}

export type StartedService = {
  readonly url: string;
  /** Where the HTTP gateways are. */
  readonly http: string;
  readonly pid: number;
  /** Everything printed so far on standard output. */
  stdout(): string;
  /** Sends a signal, waits until the process has ended and returns its exit code. Throws if Node warned about the process. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  readonly ended: Promise<number | null>;
};

/** Starts `lamella start --port 0 --json ARGS` and waits until it accepts connections. Throws its error output if it ends. */
export async function startLamella(
  args: readonly string[],
  { environment = {} }: { environment?: Record<string, string> } = {},
): Promise<StartedService> {
  const child = spawn(LAMELLA, ['start', '--port', '0', '--json', ...args], {
    env: cleanEnvironment(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let errorOutput = '';
  const ended = new Promise<number | null>((settle) => child.once('close', settle));
  const announced = new Promise<void>((settle) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk;
      if (printed.includes('\n')) settle();
    });
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errorOutput += chunk;
  });
  await Promise.race([announced, ended]);
  if (!printed.includes('\n')) throw new Error(`lamella start ended with ${await ended}: ${errorOutput}`);
  const { lambda, http, pid } = JSON.parse(printed) as { lambda: string; http: string; pid: number };
  return {
    url: lambda,
    http,
    pid,
    stdout: () => printed,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const code = await ended;
      const warning = unexpectedWarningIn(errorOutput);
      if (warning !== undefined) throw new Error(`The service warned: ${warning}`);
      return code;
    },
    ended,
  };
}
