/**
 * Builds a layer with a function's PHP code compiled ahead of time, for PHP 8.5 and later, which can read an opcache
 * file cache from a read-only directory (`opcache.file_cache_read_only`). The PHP of the runtime layer compiles the
 * code in a sandbox (bubblewrap), at the paths that it has on Lambda, without running it. At run time PHP does not
 * check whether files have changed: a cache is valid only for exactly the code that it was compiled from.
 *
 *     /opt/lamella/opcache/  /opt/lamella/ini/90-opcache.ini
 */
import { cp, lstat, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { compareVersions } from '../../elf/elf.ts';
import { OperatorError } from '../../operator-error.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { entriesOfDirectory, writeDirectory } from '../directory-entries.ts';
import { runTool } from '../run-tool.ts';
import { markUnfinished } from '../unfinished-files.ts';
import { unpackLayer } from '../unpack-layer.ts';
import type { WrittenZip, ZipEntry } from '../zip-writer.ts';
import { checkOutput, sizeOfEntries, writeZip } from '../zip-writer.ts';
import type { PhpLayerRequest } from './php-layer.ts';
import { preparePhp } from './php-layer.ts';
import { withoutDifferences } from './php-opcache-file.ts';

export type OpcacheLayerRequest = Omit<PhpLayerRequest, 'bootstrap' | 'base' | 'kerberos' | 'webServer'> & {
  /** The directory with the function's code, as it will be in /var/task. */
  readonly directory: string;
  /** Archives of the function's layers, in order. Their code in /opt/vendor is compiled too. */
  readonly layers: readonly string[];
};

export type OpcacheLayer = {
  readonly zip: WrittenZip;
  readonly unzippedBytes: number;
  readonly phpVersion: string;
  /** The number of compiled files. */
  readonly compiled: number;
  /** Paths of files that PHP could not compile. PHP compiles them when they are used. */
  readonly skipped: readonly string[];
};

/** The first version with `opcache.file_cache_read_only`. */
const OLDEST_PHP = '8.5';
const SETTINGS: Readonly<Record<string, string>> = {
  'opcache.enable': '1',
  'opcache.enable_cli': '1',
  'opcache.file_cache_only': '1',
  'opcache.validate_timestamps': '0',
};
const INI = [
  ...Object.entries({
    ...SETTINGS,
    'opcache.file_cache': '/opt/lamella/opcache',
    'opcache.file_cache_read_only': '1',
    'opcache.file_cache_consistency_checks': '0',
  }).map(([name, value]) => `${name} = ${value}`),
  '',
].join('\n');
/** Compiles the files in /build/list from a position on, and records the current position in /build/at. */
const COMPILER = `<?php
$files = file('/build/list', FILE_IGNORE_NEW_LINES);
for ($i = (int) $argv[1]; $i < count($files); $i++) {
    file_put_contents('/build/at', (string) $i);
    if (!opcache_compile_file($files[$i])) {
        file_put_contents('/build/skipped', $files[$i] . "\\n", FILE_APPEND);
    }
}
file_put_contents('/build/at', 'end');
`;
/**
 * PHP writes uninitialized memory into the cache, and its own memory manager leaves random numbers there. glibc's
 * allocator can fill all memory that it allocates and frees with a fixed byte, so that the gaps are the same each time.
 */
const FIXED_MEMORY = { USE_ZEND_ALLOC: '0', MALLOC_PERTURB_: '85' };
/** PHP writes modification times into the cache. A fixed one gives the same bytes for the same code. */
const FIXED_TIME = new Date(Date.UTC(1980, 0, 1));

/**
 * Compiles the code and writes the layer. Throws `OperatorError`: `opcache-unavailable`, `file-unreadable`,
 * `tool-missing`, `tool-failed`, and those of building a PHP layer.
 */
export async function buildOpcacheLayer(request: OpcacheLayerRequest): Promise<OpcacheLayer> {
  if (compareVersions(request.version, OLDEST_PHP) < 0) {
    throw new OperatorError('opcache-unavailable', { version: request.version, oldest: OLDEST_PHP });
  }
  checkOutput(request.output);
  const workspace = await mkdtemp(join(tmpdir(), 'lamella-opcache-'));
  const finish = markUnfinished(workspace);
  try {
    const php = await preparePhp({ ...request, root: '/opt', webServer: false });
    const first = await prepareDirectories(request, php.entries, join(workspace, 'first'));
    const files = [
      ...(await phpFilesBelow(first.task)).map((path) => `/var/task/${path}`),
      ...(await phpFilesBelow(join(first.opt, 'vendor'))).map((path) => `/opt/vendor/${path}`),
    ];
    request.onProgress?.(`Compiling ${files.length} files with PHP ${php.phpVersion}`);
    await compile(files, first);
    // Compile twice: bytes that differ do not come from the code. The second run uses other copies of the files, made
    // in another second, because PHP leaves inode numbers and times in the cache. The clock's sleep does not keep this
    // process alive.
    await runTool({ command: 'sleep', arguments: ['1'] });
    const second = await prepareDirectories(request, php.entries, join(workspace, 'second'));
    await compile(files, second);
    const skipped = (await readFile(join(first.work, 'skipped'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
    const entries: ZipEntry[] = [
      ...(await compiledFiles(first.cache, second.cache)),
      { path: 'lamella/ini/90-opcache.ini', mode: 0o644, content: { kind: 'bytes', bytes: Buffer.from(INI) } },
    ];
    request.onProgress?.(`Writing ${basename(request.output)}`);
    return {
      zip: await writeZip(request.output, entries),
      unzippedBytes: await sizeOfEntries(entries),
      phpVersion: php.phpVersion,
      compiled: entries.length - 1,
      skipped,
    };
  } finally {
    await rm(workspace, { recursive: true, force: true });
    finish();
  }
}

/**
 * The directories of /opt and /var/task, of the cache that PHP writes (/cache), and of lists and positions (/build).
 */
type Directories = { readonly opt: string; readonly task: string; readonly cache: string; readonly work: string };

async function compiledFiles(first: string, second: string): Promise<ZipEntry[]> {
  const prefix = 'lamella/opcache/';
  const found = (await entriesOfDirectory(first, { prefix })).filter(
    ({ path, content }) => content.kind === 'file' && !path.endsWith('/build/compile.php.bin'),
  );
  return Promise.all(
    found.map(async ({ path }): Promise<ZipEntry> => {
      const [one, other] = await Promise.all(
        [first, second].map((cache) => readFile(join(cache, path.slice(prefix.length)))),
      );
      const bytes = withoutDifferences(one ?? Buffer.alloc(0), other ?? Buffer.alloc(0));
      return { path, mode: 0o644, content: { kind: 'bytes', bytes } };
    }),
  );
}

async function prepareDirectories(
  request: OpcacheLayerRequest,
  php: readonly ZipEntry[],
  workspace: string,
): Promise<Directories> {
  const at = (name: string) => join(workspace, name);
  const directories = { opt: at('opt'), task: at('task'), cache: at('cache'), work: at('work') };
  for (const path of [directories.cache, directories.work]) await mkdir(path, { recursive: true });
  await writeFile(join(directories.work, 'compile.php'), COMPILER);
  const directory = resolve(request.directory);
  await cp(directory, directories.task, { recursive: true, verbatimSymlinks: true }).catch(
    (failure: NodeJS.ErrnoException) => {
      throw new OperatorError('file-unreadable', { file: directory, reason: failure.message }, failure);
    },
  );
  for (const [index, layer] of request.layers.entries()) {
    const tree = at(`layer-${index}`);
    const unpackedBytes = QUOTAS.unzippedBytes;
    await unpackLayer(resolve(layer), { directory: tree, staging: at('staging'), unpackedBytes });
    await writeDirectory(directories.opt, await entriesOfDirectory(tree));
  }
  await writeDirectory(directories.opt, php);
  for (const root of [directories.task, directories.opt]) {
    for (const path of await phpFilesBelow(root)) await utimes(join(root, path), FIXED_TIME, FIXED_TIME);
  }
  return directories;
}

/** Some errors in a file end PHP. It is then restarted after that file. */
async function compile(files: readonly string[], directories: Directories): Promise<void> {
  const { work } = directories;
  await writeFile(join(work, 'list'), files.map((file) => `${file}\n`).join(''));
  const settings = Object.entries({
    ...SETTINGS,
    'opcache.file_cache': '/cache',
    display_errors: '0',
    log_errors: '0',
  });
  const arguments_ = settings.flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  for (let start = 0; start < files.length; ) {
    // The cache contains memory addresses. `setarch -R` switches off their randomization.
    const command = ['setarch', '-R', '/opt/bin/php', ...arguments_, '/build/compile.php', String(start)];
    await rm(join(work, 'at'), { force: true });
    const { stderr } = await runTool({
      command: 'bwrap',
      arguments: [...mountsOf(directories), ...command],
    });
    const at = await readFile(join(work, 'at'), 'utf8').catch(() => undefined);
    // Without a position, PHP did not start.
    if (at === undefined) {
      throw new OperatorError('tool-failed', {
        tool: 'bwrap',
        reason: stderr.split('\n').at(-1) || 'no error message',
      });
    }
    // The exit code is no use: it is also set by errors in files that PHP could skip.
    if (at === 'end') return;
    await writeFile(join(work, 'skipped'), `${files[Number(at)]}\n`, { flag: 'a' });
    start = Number(at) + 1;
  }
}

function mountsOf({ opt, task, cache, work }: Directories): string[] {
  return [
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--ro-bind', opt, '/opt', '--ro-bind', task, '/var/task', '--bind', cache, '/cache', '--bind', work, '/build'],
    ...['--tmpfs', '/tmp', '--proc', '/proc', '--dev', '/dev', '--unshare-net', '--unshare-pid', '--die-with-parent'],
    ...[
      '--clearenv',
      '--chdir',
      '/var/task',
      ...Object.entries(FIXED_MEMORY).flatMap(([name, value]) => ['--setenv', name, value]),
    ],
  ];
}

async function phpFilesBelow(directory: string): Promise<string[]> {
  // Not a link of the layer that leads to a directory of this machine.
  if (!(await lstat(directory).catch(() => undefined))?.isDirectory()) return [];
  const files = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return files
    .filter((entry) => entry.isFile() && entry.name.endsWith('.php'))
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
