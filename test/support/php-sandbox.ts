/**
 * Runs programs of a PHP layer with the files of a function: /opt from the layer's zip, /var/task from a directory, and only
 * /usr of the host. Uses plain bubblewrap, so that layers and runtimes are tested without Lamella's sandbox.
 */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeDirectory } from '../../src/packaging/directory-entries.ts';
import type { PhpLayerRequest } from '../../src/packaging/php/php-layer.ts';
import { buildPhpLayer, planPhpLayer } from '../../src/packaging/php/php-layer.ts';

/** Fetched packages stay here between test runs, in the cache directory of `lamella layer build`. */
export const CACHE_DIR = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lamella');

/** The value that AWS sets. It must not make a program load foreign libraries. */
export const AWS_LD_LIBRARY_PATH =
  '/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib';

/** Creates a temporary directory. `remove` deletes it. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'lamella-php-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

type LayerOptions = { version?: string } & Partial<Omit<PhpLayerRequest, 'version' | 'output' | 'cacheDir'>>;

/** Writes the content of a PHP layer to a new directory below `directory`, without a zip. Mount it at /opt. */
export async function laidOutPhpLayer(
  directory: string,
  { version = '8.4', ...rest }: LayerOptions = {},
): Promise<string> {
  const opt = mkdtempSync(join(directory, `php-${version}-`));
  await writeDirectory(opt, (await planPhpLayer({ version, ...rest, cacheDir: CACHE_DIR })).entries);
  return opt;
}

/** Builds a PHP layer below `directory` and unpacks it. Returns the directory to mount at /opt. */
export async function unpackedPhpLayer(directory: string, options: LayerOptions = {}): Promise<string> {
  const { version = '8.4', ...rest } = options;
  const name = `php-${version}-${(options.extensions ?? ['lean']).join('-').slice(0, 40)}`;
  await buildPhpLayer({ version, ...rest, output: join(directory, `${name}.zip`), cacheDir: CACHE_DIR });
  const opt = join(directory, name);
  execFileSync('unzip', ['-q', '-o', join(directory, `${name}.zip`), '-d', opt]);
  return opt;
}

/** Writes a function's package below `directory`. */
export function writePackage(directory: string, files: Readonly<Record<string, string>>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  return directory;
}

export type SandboxedRun = {
  readonly opt: string;
  readonly task?: string;
  readonly argv: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** A directory of the host to mount at /tmp. Defaults to an empty one. */
  readonly tmp?: string;
};

/** Starts a program in the sandbox. stdout and stderr are pipes. */
export function spawnInside(run: SandboxedRun): ChildProcess {
  return spawn('bwrap', bwrapArguments(run), { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
}

/** Runs a program in the sandbox to its end. Throws if it fails. */
export function runInside(run: SandboxedRun): string {
  return execFileSync('/usr/bin/bwrap', bwrapArguments(run), {
    encoding: 'utf8',
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function bwrapArguments({ opt, task, argv, environment = {}, tmp }: SandboxedRun): string[] {
  return [
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--symlink', 'usr/bin', '/bin', '--proc', '/proc', '--dev', '/dev', '--ro-bind', opt, '/opt'],
    ...(task === undefined ? [] : ['--ro-bind', task, '/var/task']),
    ...(tmp === undefined ? ['--tmpfs', '/tmp'] : ['--bind', tmp, '/tmp']),
    ...['--unshare-pid', '--die-with-parent', '--clearenv'],
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...argv,
  ];
}
