/**
 * Compiles PHP from its source archive, as the published walkthrough does, and makes the same kind of layer of it: on this
 * machine, or inside another system's root folder (an unpacked Amazon Linux 2023), whose compiler and libraries are used
 * then. A build runs only where glibc is not older than where it was made: the layer says so, AWS or not. What was
 * compiled is kept: the same source with the same options in the same system is not compiled again.
 */
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import { AMAZON_LINUX_2023_GLIBC } from './amazon-linux-2023.ts';
import { compareVersions, parseElf } from './elf.ts';
import type { Progress } from './npm-package.ts';
import type { PhpBinaries } from './php-installation.ts';
import { planPhpInstallation } from './php-installation.ts';
import type { PhpLayer, PhpLayerRequest } from './php-layer.ts';
import { writePhpLayer } from './php-layer.ts';
import type { ToolResult } from './run-tool.ts';
import { runTool } from './run-tool.ts';

export type PhpSourceRequest = Omit<PhpLayerRequest, 'version' | 'architecture'> & {
  /** PHP's source archive as php.net has it: `php-X.Y.Z.tar.xz`, `.tar.gz` or `.tar.bz2`. */
  readonly source: string;
  /** Options for PHP's `configure`, after our own: the later of two that contradict each other holds. */
  readonly configure: readonly string[];
  /** The root folder of the system to build in, with a compiler; this machine's own without it. */
  readonly rootfs?: string;
};

export type PhpSourceLayer = PhpLayer & {
  /** False if it asks for a newer glibc than Amazon Linux 2023 has. */
  readonly runsOnAmazonLinux2023: boolean;
};

/** What makes the binaries look for their files where a layer has them. pcntl: our runtime starts anew with it. */
const OUR_OPTIONS = [
  '--prefix=/opt',
  '--with-config-file-path=/opt/bin',
  '--with-config-file-scan-dir=/opt/lamella/ini',
  '--disable-phpdbg',
  '--without-pear',
  '--enable-pcntl',
];
/** `__DATE__` and `__TIME__` in the binaries: with a fixed one the same source gives the same bytes. */
const FIXED_TIME = { SOURCE_DATE_EPOCH: '315532800', TZ: 'UTC', LC_ALL: 'C' };
const DONE = '.compiled';

/** Compiles and packs. Throws `OperatorError`: `php-source-unusable`, `php-build-failed`, `tool-missing`, and those of a layer. */
export async function buildPhpLayerFromSource(request: PhpSourceRequest): Promise<PhpSourceLayer> {
  const tree = await compiledTree(request);
  const binaries = await binariesIn(tree, request);
  const modules = (await readdir(binaries.modulesFolder)).flatMap((name) => /^(.+)\.so$/.exec(name)?.[1] ?? []);
  // Somebody who compiles has chosen the extensions with configure's options.
  const usual = modules.filter((name) => name !== 'opcache');
  const selection = { ...request, root: '/opt', extensions: request.extensions ?? usual };
  const layer = await writePhpLayer(await planPhpInstallation(binaries, selection), request);
  return { ...layer, runsOnAmazonLinux2023: compareVersions(layer.glibc, AMAZON_LINUX_2023_GLIBC) <= 0 };
}

/** The folder of the compiled source, from the cache or made now. */
async function compiledTree(request: PhpSourceRequest): Promise<string> {
  const { cacheDir, onProgress, rootfs } = request;
  const source = resolve(request.source);
  const archive = await readFile(source).catch((failure: NodeJS.ErrnoException) => {
    throw new OperatorError('php-source-unusable', { file: source, reason: failure.message }, failure);
  });
  const system = rootfs === undefined ? '' : await realpath(rootfs);
  const digest = createHash('sha256')
    .update(archive)
    .update(JSON.stringify([OUR_OPTIONS, request.configure, system]));
  const tree = join(cacheDir, 'php-source', digest.digest('hex').slice(0, 32));
  if (await exists(join(tree, DONE))) return tree;

  await mkdir(dirname(tree), { recursive: true });
  const staging = await mkdtemp(join(dirname(tree), '.unpack-'));
  try {
    onProgress?.(`Unpacking ${basename(source)}`);
    const tar = await runTool({
      command: 'tar',
      arguments: ['-xf', source, '-C', staging, '--strip-components=1', '--no-same-owner'],
    });
    if (tar.code !== 0 || !(await exists(join(staging, 'main/php_version.h')))) {
      const reason = tar.code === 0 ? 'it holds no PHP' : tar.stderr.split('\n').at(-1);
      throw new OperatorError('php-source-unusable', { file: source, reason: reason ?? '' });
    }
    await rm(tree, { recursive: true, force: true });
    await rename(staging, tree);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  await compile(tree, request, onProgress);
  await writeFile(join(tree, DONE), '');
  return tree;
}

async function compile(tree: string, request: PhpSourceRequest, onProgress: Progress | undefined): Promise<void> {
  const version = await versionOf(tree);
  const step = async (name: string, command: string, options: readonly string[]) => {
    onProgress?.(`${name} PHP ${version}`);
    const result = await runInside(request, tree, command, options);
    if (result.code === 0) return;
    const log = join(tree, `lamella-${basename(command)}.log`);
    await writeFile(log, `${result.stdout}\n${result.stderr}\n`);
    throw new OperatorError('php-build-failed', { step: basename(command), version, reason: reasonIn(result), log });
  };
  if (!(await exists(join(tree, 'configure')))) await step('Preparing', './buildconf', ['--force']);
  await step('Configuring', './configure', [...OUR_OPTIONS, ...request.configure]);
  await step('Compiling', 'make', [`-j${availableParallelism()}`]);
}

async function binariesIn(tree: string, request: PhpSourceRequest): Promise<PhpBinaries> {
  const fullVersion = await versionOf(tree);
  const php = join(tree, 'sapi/cli/php');
  const listed = await runInside(request, tree, './sapi/cli/php', ['-n', '-m']);
  const builtIn = listed.stdout.split('\n').flatMap((line) => /^(?!\[)(\S.*)$/.exec(line)?.[1]?.toLowerCase() ?? []);
  const modulesFolder = join(tree, 'modules');
  await mkdir(modulesFolder, { recursive: true });
  return {
    version: fullVersion.split('.').slice(0, 2).join('.'),
    fullVersion,
    architecture: parseElf(await readFile(php)).architecture,
    php,
    phpCgi: join(tree, 'sapi/cgi/php-cgi'),
    modulesFolder,
    builtIn: builtIn.includes('zend opcache') ? [...builtIn, 'opcache'] : builtIn,
    libraries: {
      folders: [],
      anyGlibc: true,
      ...(request.rootfs !== undefined && { systemRoot: resolve(request.rootfs) }),
    },
  };
}

/** Runs a program in the source's folder, in the system asked for: there the folder is /build, and there is no network. */
async function runInside(
  { rootfs }: PhpSourceRequest,
  tree: string,
  command: string,
  options: readonly string[],
): Promise<ToolResult> {
  if (rootfs === undefined) {
    return runTool({ command, arguments: options, directory: tree, variables: FIXED_TIME });
  }
  const mounts = [
    '--ro-bind',
    resolve(rootfs),
    '/',
    '--bind',
    tree,
    '/build',
    '--tmpfs',
    '/tmp',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
  ];
  const variables = Object.entries({
    ...FIXED_TIME,
    PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: '/tmp',
  });
  const environment = ['--clearenv', ...variables.flatMap(([name, value]) => ['--setenv', name, value])];
  const isolation = ['--unshare-net', '--unshare-pid', '--die-with-parent', '--chdir', '/build'];
  return runTool({ command: 'bwrap', arguments: [...mounts, ...environment, ...isolation, command, ...options] });
}

async function versionOf(tree: string): Promise<string> {
  const header = await readFile(join(tree, 'main/php_version.h'), 'utf8');
  return /#define PHP_VERSION "([^"]+)"/.exec(header)?.[1] ?? 'of an unknown version';
}

/** What configure and make say last, and what compilers call an error. */
function reasonIn({ stdout, stderr }: ToolResult): string {
  const lines = `${stdout}\n${stderr}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const problem = lines.find((line) => /^(configure: error:|bwrap: )|(^|\s)(fatal )?error:|: not found$/.test(line));
  return (problem ?? lines.at(-1) ?? 'it said nothing').replace(/^configure: error: /, '');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
