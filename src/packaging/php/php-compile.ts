/**
 * Compiles PHP from its source archive, on this machine or inside the root directory of another system (an unpacked
 * Amazon Linux 2023). There it uses that system's compiler and libraries, without network. Results are cached by
 * source, options and system. The binaries contain nothing of the machine (paths, host name, time), so that every
 * compilation gives the same bytes. The working directory is always removed; after a failure the log stays in the
 * cache.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { makeDirectory } from '../../storage/make-directory.ts';
import type { Progress } from '../npm-package.ts';
import type { ToolResult } from '../run-tool.ts';
import { runTool } from '../run-tool.ts';

export type PhpCompilation = {
  /** A source archive from php.net: `php-X.Y.Z.tar.xz`, `.tar.gz` or `.tar.bz2`. */
  readonly source: string;
  /** Options for PHP's `configure`. They follow Lamella's own, and override those that they contradict. */
  readonly configure: readonly string[];
  /** The root directory of the system to build in, which must have a compiler. Defaults to this machine. */
  readonly rootfs?: string;
  readonly cacheDir: string;
  readonly onProgress?: Progress;
  /** Kills the compilers and removes their output. */
  readonly signal?: AbortSignal;
};

/** The files of a compiled PHP. */
export type CompiledPhp = {
  /** `8.2.32` */
  readonly version: string;
  readonly php: string;
  /** Undefined if PHP was configured without it. */
  readonly phpCgi: string | undefined;
  readonly modulesDirectory: string;
  /** Extensions that are compiled into the binary, in lower case. */
  readonly builtIn: readonly string[];
};

type Facts = Pick<CompiledPhp, 'version' | 'builtIn'>;

/** The paths of a layer. pcntl: Lamella's runtime restarts PHP with it. */
const OUR_OPTIONS = [
  '--prefix=/opt',
  '--with-config-file-path=/opt/bin',
  '--with-config-file-scan-dir=/opt/lamella/ini',
  '--disable-phpdbg',
  '--without-pear',
  '--enable-pcntl',
];
const PROGRAMS = { 'bin/php': 'sapi/cli/php', 'bin/php-cgi': 'sapi/cgi/php-cgi' } as const;
const FACTS_FILE = 'facts.json';
/** The path of the sources in messages of the binaries. */
const SOURCE_NAME = '/usr/src/php';
const LAST_LINES = 12;

/**
 * Compiles PHP, or returns the cached result. Throws `OperatorError`: `php-source-unusable`, `php-configure-failed`,
 * `php-compile-failed`, `tool-missing`; and the reason of `signal` if it aborted.
 */
export async function compilePhp(request: PhpCompilation): Promise<CompiledPhp> {
  const cache = join(request.cacheDir, 'php-source');
  const result = join(cache, await digestOf(request));
  if (!existsSync(join(result, FACTS_FILE))) {
    makeDirectory(cache);
    const work = await mkdtemp(join(cache, '.work-'));
    try {
      await compile(work, `${result}.log`, request);
      await rm(result, { recursive: true, force: true });
      await rename(join(work, 'result'), result);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  const facts = JSON.parse(await readFile(join(result, FACTS_FILE), 'utf8')) as Facts;
  const phpCgi = join(result, 'bin/php-cgi');
  return {
    ...facts,
    php: join(result, 'bin/php'),
    phpCgi: existsSync(phpCgi) ? phpCgi : undefined,
    modulesDirectory: join(result, 'modules'),
  };
}

async function digestOf({ source, configure, rootfs }: PhpCompilation): Promise<string> {
  const file = resolve(source);
  const archive = await readFile(file).catch((failure: NodeJS.ErrnoException) => {
    throw new OperatorError('php-source-unusable', { file, reason: failure.message }, failure);
  });
  const system = rootfs === undefined ? '' : await realRoot(rootfs);
  const facts = JSON.stringify([OUR_OPTIONS, configure, system]);
  return createHash('sha256').update(archive).update(facts).digest('hex').slice(0, 32);
}

async function realRoot(rootfs: string): Promise<string> {
  return realpath(rootfs).catch((failure: NodeJS.ErrnoException) => {
    throw new OperatorError('file-unreadable', { file: rootfs, reason: failure.message }, failure);
  });
}

/** Compiles in `work`, and leaves the files to keep in its subdirectory `result`. */
async function compile(work: string, log: string, request: PhpCompilation): Promise<void> {
  const tree = join(work, 'tree');
  await unpack(tree, request);
  const version = await versionOf(tree);
  const { onProgress } = request;
  const run = (command: string, options: readonly string[], onLine?: (line: string) => void) =>
    runInside(request, tree, command, options, onLine);
  const keepLog = ({ stdout, stderr }: ToolResult) => writeFile(log, `${stdout}\n${stderr}\n`);

  onProgress?.(`Configuring PHP ${version}`);
  const prepared = existsSync(join(tree, 'configure')) ? undefined : await run('./buildconf', ['--force']);
  const configured =
    prepared === undefined || prepared.code === 0
      ? await run('./configure', [...OUR_OPTIONS, ...request.configure])
      : prepared;
  if (configured.code !== 0) {
    await keepLog(configured);
    throw new OperatorError('php-configure-failed', { version, reason: configureProblem(configured), log });
  }

  onProgress?.(`Compiling PHP ${version}`);
  const made = await run('make', [`-j${availableParallelism()}`], await compileProgress(run, version, onProgress));
  if (made.code !== 0) {
    await keepLog(made);
    throw new OperatorError('php-compile-failed', { version, code: made.code, lines: compileProblem(made), log });
  }
  await gather(tree, join(work, 'result'), { version, builtIn: await builtInExtensions(run) });
  await rm(log, { force: true });
}

async function unpack(tree: string, { source, onProgress, signal }: PhpCompilation): Promise<void> {
  onProgress?.(`Unpacking ${basename(source)}`);
  await mkdir(tree);
  const into = ['-C', tree, '--strip-components=1', '--no-same-owner'];
  const tar = await runTool({ command: 'tar', arguments: ['-xf', resolve(source), ...into], signal });
  if (tar.code === 0 && existsSync(join(tree, 'main/php_version.h'))) return;
  const reason =
    tar.code === 0
      ? 'the archive does not contain PHP'
      : tar.stderr.split('\n').at(-1) || 'tar failed without a message';
  throw new OperatorError('php-source-unusable', { file: resolve(source), reason });
}

type Runner = (command: string, options: readonly string[]) => Promise<ToolResult>;

/** Reports progress in steps of 10 %, by the number of files that make compiles. */
async function compileProgress(run: Runner, version: string, onProgress: Progress | undefined) {
  const isCompilation = (line: string) => line.includes('--mode=compile');
  const planned = (await run('make', ['-n'])).stdout.split('\n').filter(isCompilation).length;
  let begun = 0;
  let reported = 0;
  return (line: string) => {
    if (!isCompilation(line)) return;
    begun++;
    const tenths = Math.floor((10 * begun) / Math.max(planned, 1));
    if (tenths <= reported || tenths >= 10) return;
    reported = tenths;
    onProgress?.(`Compiling PHP ${version}: ${tenths}0 %`);
  };
}

async function builtInExtensions(run: Runner): Promise<string[]> {
  const listed = (await run('./sapi/cli/php', ['-n', '-m'])).stdout.split('\n');
  const names = listed.flatMap((line) => /^(?!\[)(\S.*)$/.exec(line)?.[1]?.toLowerCase() ?? []);
  return names.includes('zend opcache') ? [...names, 'opcache'] : names;
}

/** Copies programs and modules to `result`, and not the hundreds of megabytes of object files. */
async function gather(tree: string, result: string, facts: Facts): Promise<void> {
  await mkdir(join(result, 'bin'), { recursive: true });
  await mkdir(join(result, 'modules'));
  for (const [name, from] of Object.entries(PROGRAMS)) {
    if (existsSync(join(tree, from))) await copyFile(join(tree, from), join(result, name));
  }
  const modules = existsSync(join(tree, 'modules')) ? await readdir(join(tree, 'modules')) : [];
  for (const name of modules.filter((file) => file.endsWith('.so'))) {
    await copyFile(join(tree, 'modules', name), join(result, 'modules', name));
  }
  await writeFile(join(result, FACTS_FILE), JSON.stringify(facts));
}

/** Runs a program in the source directory, on this machine or in `rootfs`, where the directory is /tmp/build. */
function runInside(
  { rootfs, signal }: PhpCompilation,
  tree: string,
  command: string,
  options: readonly string[],
  onLine?: (line: string) => void,
): Promise<ToolResult> {
  if (rootfs === undefined) {
    return runTool({ command, arguments: options, directory: tree, variables: variablesFor(tree), onLine, signal });
  }
  const mounts = ['--ro-bind', resolve(rootfs), '/', '--tmpfs', '/tmp', '--proc', '/proc', '--dev', '/dev'];
  const build = ['--bind', tree, '/tmp/build', '--chdir', '/tmp/build'];
  const variables = {
    PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: '/tmp',
    ...variablesFor('/tmp/build'),
  };
  const environment = [
    '--clearenv',
    ...Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
  const isolation = ['--unshare-net', '--unshare-pid', '--die-with-parent'];
  const inside = [...mounts, ...build, ...environment, ...isolation, command, ...options];
  return runTool({ command: 'bwrap', arguments: inside, onLine, signal });
}

/** Fixes what compilers and configure would take from the machine: the time, the directory and the host name. */
function variablesFor(tree: string): Record<string, string> {
  const flags = `-O2 -ffile-prefix-map=${tree}=${SOURCE_NAME}`;
  const machine = { PHP_UNAME: 'Linux', PHP_BUILD_SYSTEM: 'Linux' };
  return { SOURCE_DATE_EPOCH: '315532800', TZ: 'UTC', LC_ALL: 'C', ...machine, CFLAGS: flags, CXXFLAGS: flags };
}

async function versionOf(tree: string): Promise<string> {
  const header = await readFile(join(tree, 'main/php_version.h'), 'utf8');
  return /#define PHP_VERSION "([^"]+)"/.exec(header)?.[1] ?? '(unknown version)';
}

/** The reason for which configure failed. Two forms of pkg-config's message name the missing library. */
function configureProblem({ stdout, stderr, code }: ToolResult): string {
  const lines = linesOf(`${stdout}\n${stderr}`);
  const missing = lines.flatMap((line) => /^(?:No package|Package) '(.+?)'.* (?:not )?found$/.exec(line)?.[1] ?? []);
  if (missing.length > 0) return `library or headers not found: ${missing.join(', ')}`;
  const problem = lines.find((line) => /^(configure: error|bwrap): |: not found$/.test(line)) ?? lines.at(-1);
  return (problem ?? `exit code ${code} without a message`).replace(/^configure: error: /, '').replace(/\.$/, '');
}

/** The output from the first error of a compiler or linker on, or the last lines of make. */
function compileProblem({ stdout, stderr }: ToolResult): string {
  const errors = linesOf(stderr);
  const first = errors.findIndex((line) =>
    /(^|\s)(fatal |internal compiler )?error:|undefined reference|Killed/.test(line),
  );
  const from = first < 0 ? Math.max(0, errors.length - LAST_LINES) : first;
  const shown = errors.length > 0 ? errors.slice(from, from + LAST_LINES) : linesOf(stdout).slice(-LAST_LINES);
  return shown.map((line) => `\n  ${line}`).join('');
}

function linesOf(text: string): string[] {
  return text.split('\n').flatMap((line) => line.trim() || []);
}
