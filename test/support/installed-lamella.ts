/**
 * The whole program outside this repository: bundled from the current sources, with the packages it needs, in a directory that
 * every user may read. So tests can run it as another user, and kill it.
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bundleProgram } from '../../scripts/build.mjs';
import { cleanEnvironment, type StartedService } from './built-cli.ts';

const ROOT = resolve(import.meta.dirname, '../..');

export type InstalledLamella = {
  /** The directory of the installation. Tests may add their own files. Deleted by `remove`. */
  readonly directory: string;
  /** Starts `lamella start --port 0 --json ARGS` and waits until it is ready. Throws its error output if it ends before. */
  start(args: readonly string[], as?: RunAs): Promise<InstalledService>;
  /** Runs `lamella ARGS` to its end. */
  run(args: readonly string[], as?: RunAs): Promise<{ code: number | null; stdout: string; stderr: string }>;
  remove(): void;
};

/** `stderr` returns everything printed so far on standard error. */
export type InstalledService = StartedService & { stderr(): string };

export type RunAs = {
  /** Runs as another user. Needs root. */
  readonly uid?: number;
  readonly environment?: Record<string, string>;
  /** Directories that are empty for the process. Needs root. */
  readonly hidden?: readonly string[];
};

export async function installLamella(): Promise<InstalledLamella> {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-installed-'));
  chmodSync(directory, 0o755);
  const installed = join(directory, 'lamella');
  mkdirSync(installed);
  for (const name of ['bin', 'package.json']) cpSync(join(ROOT, name), join(installed, name), { recursive: true });
  for (const path of packagesToRun()) cpSync(join(ROOT, path), join(installed, path), { recursive: true });
  if (!bundleProgram(join(installed, 'dist/program'))) throw new Error('the command line cannot be bundled');
  const launch = (args: readonly string[], { uid, environment, hidden = [] }: RunAs = {}) => {
    const program = [process.execPath, join(installed, 'bin/lamella'), ...args];
    const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
    const hide = hidden.map((directory) => `mount -t tmpfs -o ro none ${directory} && `).join('');
    const place = hidden.length === 0 ? [] : ['unshare', '--mount', 'sh', '-c', `${hide} exec "$@"`, 'sh'];
    const [file = '', ...words] = [...place, ...user, ...program];
    return spawn(file, words, {
      cwd: directory,
      env: cleanEnvironment(environment),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  return {
    directory,
    async start(args, as) {
      const child = launch(['start', '--port', '0', '--json', ...args], as);
      let stdout = '';
      let stderr = '';
      const ended = new Promise<number | null>((settle) => child.once('close', settle));
      const announced = new Promise<void>((settle) =>
        child.stdout.on('data', (chunk: Buffer) => {
          stdout += chunk;
          if (stdout.includes('\n')) settle();
        }),
      );
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk;
      });
      await Promise.race([announced, ended]);
      if (!stdout.includes('\n')) throw new Error(`lamella start ended with ${await ended}: ${stderr}`);
      const { lambda, http, pid } = JSON.parse(stdout) as { lambda: string; http: string; pid: number };
      return {
        url: lambda,
        http,
        pid,
        stdout: () => stdout,
        stderr: () => stderr,
        stop(signal = 'SIGTERM') {
          child.kill(signal);
          return ended;
        },
        ended,
      };
    },
    async run(args, as) {
      const child = launch(args, as);
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk;
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk;
      });
      const code = await new Promise<number | null>((settle) => child.once('close', settle));
      return { code, stdout, stderr };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The directories of the packages that an installation without development dependencies contains. */
function packagesToRun(): string[] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'node_modules/.package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(lock.packages).flatMap(([path, { dev, devOptional }]) => (dev || devOptional ? [] : [path]));
}
