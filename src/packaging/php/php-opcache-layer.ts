/**
 * Compiles a function's PHP code ahead of time and makes a layer of the result, for PHP 8.5 and later, which can read such
 * a cache from a folder that it may not write to (`opcache.file_cache_read_only`). The code is compiled by the very PHP of
 * the runtime layer at the paths that it has on Lambda, so this runs PHP, in a sandbox (bubblewrap), but none of the
 * code. PHP then no longer looks at the files: a cache belongs to exactly the code that it was made from.
 *
 *     /opt/lamella/opcache/  /opt/lamella/ini/90-opcache.ini
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { compareVersions } from '../../elf/elf.ts';
import { OperatorError } from '../../operator-error.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { entriesOfDirectory, writeDirectory } from '../directory-entries.ts';
import { runTool } from '../run-tool.ts';
import { unpackLayer } from '../unpack-layer.ts';
import type { WrittenZip, ZipEntry } from '../zip-writer.ts';
import { sizeOfEntries, writeZip } from '../zip-writer.ts';
import type { PhpLayerRequest } from './php-layer.ts';
import { preparePhp } from './php-layer.ts';
import { withoutChance } from './php-opcache-file.ts';

export type OpcacheLayerRequest = Omit<PhpLayerRequest, 'bootstrap' | 'base' | 'kerberos' | 'webServer'> & {
  /** The function's code as it will lie in /var/task. */
  readonly directory: string;
  /** Archives of layers whose code under /opt/vendor is compiled too, in the function's order. */
  readonly layers: readonly string[];
};

export type OpcacheLayer = {
  readonly zip: WrittenZip;
  readonly unzippedBytes: number;
  readonly phpVersion: string;
  readonly compiled: number;
  /** Files that PHP refuses to compile, from /var/task or /opt; they are compiled when they are used, as ever. */
  readonly skipped: readonly string[];
};

/** The first version that reads a cache which it cannot write. */
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
/** Compiles the files that it is told on standard input's stead, /build/list, from a position on, and notes how far it is. */
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
 * What PHP writes holds gaps that it never fills, with what lay there before; its own memory manager keeps random numbers
 * there. With that of glibc, told to overwrite all that it gives and takes back, the gaps are the same each time.
 */
const SAME_MEMORY = { USE_ZEND_ALLOC: '0', MALLOC_PERTURB_: '85' };
/** Time is part of what PHP writes; with one for all files the same code gives the same bytes. */
const FIXED_TIME = new Date(Date.UTC(1980, 0, 1));

/**
 * Compiles and packs. Throws `OperatorError`: `opcache-unavailable`, `file-unreadable`, `tool-missing`, and those of
 * building a PHP layer.
 */
export async function buildOpcacheLayer(request: OpcacheLayerRequest): Promise<OpcacheLayer> {
  if (compareVersions(request.version, OLDEST_PHP) < 0) {
    throw new OperatorError('opcache-unavailable', { version: request.version, oldest: OLDEST_PHP });
  }
  const workspace = await mkdtemp(join(tmpdir(), 'lamella-opcache-'));
  try {
    const php = await preparePhp({ ...request, root: '/opt', webServer: false });
    const once = await layOut(request, php.entries, join(workspace, 'once'));
    const files = [
      ...(await phpFilesBelow(once.task)).map((path) => `/var/task/${path}`),
      ...(await phpFilesBelow(join(once.opt, 'vendor'))).map((path) => `/opt/vendor/${path}`),
    ];
    request.onProgress?.(`Compiling ${files.length} files with PHP ${php.phpVersion}`);
    await compile(files, once);
    // Twice, because what differs is not part of the code: with other copies of the files, made in another second, as PHP
    // leaves their numbers and times in what it writes. Our clock's sleep would keep no process alive.
    await runTool({ command: 'sleep', arguments: ['1'] });
    const again = await layOut(request, php.entries, join(workspace, 'again'));
    await compile(files, again);
    const skipped = (await readFile(join(once.work, 'skipped'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
    const entries: ZipEntry[] = [
      ...(await compiledFiles(once.cache, again.cache)),
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
  }
}

/** The roots of /opt and /var/task, where a process writes its cache, and where it finds its list. */
type Folders = { readonly opt: string; readonly task: string; readonly cache: string; readonly work: string };

async function compiledFiles(once: string, again: string): Promise<ZipEntry[]> {
  const prefix = 'lamella/opcache/';
  const found = (await entriesOfDirectory(once, { prefix })).filter(
    ({ path, content }) => content.kind === 'file' && !path.endsWith('/build/compile.php.bin'),
  );
  return Promise.all(
    found.map(async ({ path }): Promise<ZipEntry> => {
      const [one, other] = await Promise.all(
        [once, again].map((cache) => readFile(join(cache, path.slice(prefix.length)))),
      );
      const bytes = withoutChance(one ?? Buffer.alloc(0), other ?? Buffer.alloc(0));
      return { path, mode: 0o644, content: { kind: 'bytes', bytes } };
    }),
  );
}

async function layOut(request: OpcacheLayerRequest, php: readonly ZipEntry[], workspace: string): Promise<Folders> {
  const at = (name: string) => join(workspace, name);
  const folders = { opt: at('opt'), task: at('task'), cache: at('cache'), work: at('work') };
  for (const folder of [folders.cache, folders.work]) await mkdir(folder, { recursive: true });
  await writeFile(join(folders.work, 'compile.php'), COMPILER);
  const directory = resolve(request.directory);
  await cp(directory, folders.task, { recursive: true, verbatimSymlinks: true }).catch(
    (failure: NodeJS.ErrnoException) => {
      throw new OperatorError('file-unreadable', { file: directory, reason: failure.message }, failure);
    },
  );
  for (const [index, layer] of request.layers.entries()) {
    const tree = at(`layer-${index}`);
    const unpackedBytes = QUOTAS.unzippedBytes;
    await unpackLayer(resolve(layer), { directory: tree, staging: at('staging'), unpackedBytes });
    await cp(tree, folders.opt, { recursive: true, verbatimSymlinks: true, force: true });
  }
  await writeDirectory(folders.opt, php);
  for (const root of [folders.task, folders.opt]) {
    for (const path of await phpFilesBelow(root)) await utimes(join(root, path), FIXED_TIME, FIXED_TIME);
  }
  return folders;
}

/** Some mistakes in a file end PHP: it is started again behind that file. */
async function compile(files: readonly string[], folders: Folders): Promise<void> {
  const { work } = folders;
  await writeFile(join(work, 'list'), files.map((file) => `${file}\n`).join(''));
  const settings = Object.entries({
    ...SETTINGS,
    'opcache.file_cache': '/cache',
    display_errors: '0',
    log_errors: '0',
  });
  const arguments_ = settings.flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  for (let start = 0; start < files.length; ) {
    // What PHP writes holds addresses of its memory: without setarch they would differ from run to run.
    const inside = ['setarch', '-R', '/opt/bin/php', ...arguments_, '/build/compile.php', String(start)];
    await rm(join(work, 'at'), { force: true });
    const { stderr } = await runTool({
      command: 'bwrap',
      arguments: [...mountsOf(folders), ...inside],
    });
    const at = await readFile(join(work, 'at'), 'utf8').catch(() => undefined);
    // Without a note PHP itself did not start.
    if (at === undefined)
      throw new OperatorError('tool-failed', { tool: 'bwrap', reason: stderr.split('\n').at(-1) ?? '' });
    // Its exit code says nothing: an error in a file that it could pass over counts as well.
    if (at === 'end') return;
    await writeFile(join(work, 'skipped'), `${files[Number(at)]}\n`, { flag: 'a' });
    start = Number(at) + 1;
  }
}

function mountsOf({ opt, task, cache, work }: Folders): string[] {
  return [
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--ro-bind', opt, '/opt', '--ro-bind', task, '/var/task', '--bind', cache, '/cache', '--bind', work, '/build'],
    ...['--tmpfs', '/tmp', '--proc', '/proc', '--dev', '/dev', '--unshare-net', '--unshare-pid', '--die-with-parent'],
    ...[
      '--clearenv',
      '--chdir',
      '/var/task',
      ...Object.entries(SAME_MEMORY).flatMap(([name, value]) => ['--setenv', name, value]),
    ],
  ];
}

async function phpFilesBelow(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return files
    .filter((entry) => entry.isFile() && entry.name.endsWith('.php'))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
