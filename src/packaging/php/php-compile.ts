/**
 * Compiles PHP from its source archive: on this machine, or inside another system's root folder (an unpacked Amazon Linux
 * 2023), whose compiler and libraries are used then, without network. What comes of it is kept: the same source with the
 * same options in the same system is not compiled again. Nothing of the machine gets into the binaries (paths, host name,
 * time), so that another compilation gives the same bytes. All of it happens in a folder that is gone afterwards, however
 * it ends; after a failure the log stays.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import type { Progress } from '../npm-package.ts';
import type { ToolResult } from '../run-tool.ts';
import { runTool } from '../run-tool.ts';

export type PhpCompilation = {
  /** PHP's source archive as php.net has it: `php-X.Y.Z.tar.xz`, `.tar.gz` or `.tar.bz2`. */
  readonly source: string;
  /** Options for PHP's `configure`, after our own: the later of two that contradict each other holds. */
  readonly configure: readonly string[];
  /** The root folder of the system to build in, with a compiler; this machine's own without it. */
  readonly rootfs?: string;
  readonly cacheDir: string;
  readonly onProgress?: Progress;
  /** Ends the compilers and removes what they have made. */
  readonly signal?: AbortSignal;
};

/** Paths of what was compiled. */
export type CompiledPhp = {
  /** `8.2.32` */
  readonly version: string;
  readonly php: string;
  /** Undefined when configured without it. */
  readonly phpCgi: string | undefined;
  readonly modulesDirectory: string;
  /** Extensions inside the binary, in lower case. */
  readonly builtIn: readonly string[];
};

type Facts = Pick<CompiledPhp, 'version' | 'builtIn'>;

/** What makes the binaries look for their files where a layer has them. pcntl: our runtime starts anew with it. */
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
/** Where sources lie in messages of the binaries. */
const NAMED_SOURCE = '/usr/src/php';
const LAST_LINES = 12;

/**
 * Compiles, unless that was done before. Throws `OperatorError`: `php-source-unusable`, `php-configure-failed`,
 * `php-compile-failed`, `tool-missing`; and the signal's reason when that ended it.
 */
export async function compilePhp(request: PhpCompilation): Promise<CompiledPhp> {
  const cache = join(request.cacheDir, 'php-source');
  const kept = join(cache, await digestOf(request));
  if (!existsSync(join(kept, FACTS_FILE))) {
    await mkdir(cache, { recursive: true });
    const work = await mkdtemp(join(cache, '.work-'));
    try {
      await compile(work, `${kept}.log`, request);
      await rm(kept, { recursive: true, force: true });
      await rename(join(work, 'made'), kept);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  const facts = JSON.parse(await readFile(join(kept, FACTS_FILE), 'utf8')) as Facts;
  const phpCgi = join(kept, 'bin/php-cgi');
  return {
    ...facts,
    php: join(kept, 'bin/php'),
    phpCgi: existsSync(phpCgi) ? phpCgi : undefined,
    modulesDirectory: join(kept, 'modules'),
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

/** Leaves in `work`/made what is to be kept. */
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
  await gather(tree, join(work, 'made'), { version, builtIn: await builtInExtensions(run) });
  await rm(log, { force: true });
}

async function unpack(tree: string, { source, onProgress, signal }: PhpCompilation): Promise<void> {
  onProgress?.(`Unpacking ${basename(source)}`);
  await mkdir(tree);
  const into = ['-C', tree, '--strip-components=1', '--no-same-owner'];
  const tar = await runTool({ command: 'tar', arguments: ['-xf', resolve(source), ...into], signal });
  if (tar.code === 0 && existsSync(join(tree, 'main/php_version.h'))) return;
  const reason = tar.code === 0 ? 'it holds no PHP' : (tar.stderr.split('\n').at(-1) ?? '');
  throw new OperatorError('php-source-unusable', { file: resolve(source), reason });
}

type Runner = (command: string, options: readonly string[]) => Promise<ToolResult>;

/** Says every tenth of the way, by the files that make has yet to compile. */
async function compileProgress(run: Runner, version: string, onProgress: Progress | undefined) {
  const isCompilation = (line: string) => line.includes('--mode=compile');
  const planned = (await run('make', ['-n'])).stdout.split('\n').filter(isCompilation).length;
  let begun = 0;
  let told = 0;
  return (line: string) => {
    if (!isCompilation(line)) return;
    begun++;
    const tenths = Math.floor((10 * begun) / Math.max(planned, 1));
    if (tenths <= told || tenths >= 10) return;
    told = tenths;
    onProgress?.(`Compiling PHP ${version}: ${tenths}0 %`);
  };
}

async function builtInExtensions(run: Runner): Promise<string[]> {
  const listed = (await run('./sapi/cli/php', ['-n', '-m'])).stdout.split('\n');
  const names = listed.flatMap((line) => /^(?!\[)(\S.*)$/.exec(line)?.[1]?.toLowerCase() ?? []);
  return names.includes('zend opcache') ? [...names, 'opcache'] : names;
}

/** Copies what is wanted of the tree, hundreds of megabytes of object files not among it. */
async function gather(tree: string, made: string, facts: Facts): Promise<void> {
  await mkdir(join(made, 'bin'), { recursive: true });
  await mkdir(join(made, 'modules'));
  for (const [name, from] of Object.entries(PROGRAMS)) {
    if (existsSync(join(tree, from))) await copyFile(join(tree, from), join(made, name));
  }
  const modules = existsSync(join(tree, 'modules')) ? await readdir(join(tree, 'modules')) : [];
  for (const name of modules.filter((file) => file.endsWith('.so'))) {
    await copyFile(join(tree, 'modules', name), join(made, 'modules', name));
  }
  await writeFile(join(made, FACTS_FILE), JSON.stringify(facts));
}

/** Runs a program in the source's folder, in the system asked for, which sees the folder as /tmp/build. */
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
  const folder = ['--bind', tree, '/tmp/build', '--chdir', '/tmp/build'];
  const own = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: '/tmp', ...variablesFor('/tmp/build') };
  const environment = ['--clearenv', ...Object.entries(own).flatMap(([name, value]) => ['--setenv', name, value])];
  const isolation = ['--unshare-net', '--unshare-pid', '--die-with-parent'];
  const inside = [...mounts, ...folder, ...environment, ...isolation, command, ...options];
  return runTool({ command: 'bwrap', arguments: inside, onLine, signal });
}

/** What compilers and configure would else take from the machine: time, folder, and the name of the host. */
function variablesFor(tree: string): Record<string, string> {
  const flags = `-O2 -ffile-prefix-map=${tree}=${NAMED_SOURCE}`;
  const machine = { PHP_UNAME: 'Linux', PHP_BUILD_SYSTEM: 'Linux' };
  return { SOURCE_DATE_EPOCH: '315532800', TZ: 'UTC', LC_ALL: 'C', ...machine, CFLAGS: flags, CXXFLAGS: flags };
}

async function versionOf(tree: string): Promise<string> {
  const header = await readFile(join(tree, 'main/php_version.h'), 'utf8');
  return /#define PHP_VERSION "([^"]+)"/.exec(header)?.[1] ?? 'of an unknown version';
}

/** What configure stopped at. pkg-config names the library two lines below, in words that depend on its kind. */
function configureProblem({ stdout, stderr, code }: ToolResult): string {
  const lines = linesOf(`${stdout}\n${stderr}`);
  const absent = lines.flatMap((line) => /^(?:No package|Package) '(.+?)'.* (?:not )?found$/.exec(line)?.[1] ?? []);
  if (absent.length > 0) return `there is no library ${absent.join(', ')} with its headers`;
  const problem = lines.find((line) => /^(configure: error|bwrap): |: not found$/.test(line)) ?? lines.at(-1);
  return (problem ?? `it ended with ${code} and said nothing`).replace(/^configure: error: /, '').replace(/\.$/, '');
}

/** The first thing that a compiler or linker calls an error, and what make said last. */
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
