/**
 * Builds a runtime layer for PHP: the binary, the extensions asked for, every library that these need except glibc's
 * own, and our runtime (`runtimes/php`) or the user's own bootstrap. `/opt/bin/php` starts by itself wherever glibc is
 * not older than the layer says: it carries where its libraries lie (`elf-search-path.ts`), and they lie in a folder
 * where no other program looks. No PHP is run and nothing is compiled, so the same input gives the same bytes.
 *
 *     /opt/bootstrap  /opt/bin/{php,php.ini}  /opt/lamella/{ext,lib,runtime}/
 */
import { access, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import type { Library } from './elf.ts';
import { compareVersions, libraryClosure, parseElf, requiredGlibc } from './elf.ts';
import { withSearchPath } from './elf-search-path.ts';
import type { Progress } from './npm-package.ts';
import { fetchNpmPackage } from './npm-package.ts';
import type { PhpBuild } from './php-builds.ts';
import { findPhpBuild, LEAN_EXTENSIONS } from './php-builds.ts';
import type { PhpExtension } from './php-extensions.ts';
import { resolveExtensions } from './php-extensions.ts';
import { renderPhpIni } from './php-ini.ts';
import type { WrittenZip, ZipEntry } from './zip-writer.ts';
import { entriesOfFolder, writeZip } from './zip-writer.ts';

export type PhpLayerRequest = {
  /** `8.4`, or a full version that we know. */
  readonly version: string;
  /** Names as PHP or Composer write them; those that they need are added. Without it, a lean set. */
  readonly extensions?: readonly string[];
  readonly architecture?: string;
  /** Packs `php-cgi` too, with an opcache for it alone: what the runtime serves web applications with. */
  readonly webServer?: boolean;
  /** The file to pack as `/opt/bootstrap` in place of our runtime. It is made executable. */
  readonly bootstrap?: string;
  /** The zip to write. */
  readonly output: string;
  /** Where fetched packages are kept between builds. */
  readonly cacheDir: string;
  readonly onProgress?: Progress;
};

export type PhpLayer = {
  readonly zip: WrittenZip;
  /** Bytes of all files together, as AWS counts them against its limit. */
  readonly unzippedBytes: number;
  readonly phpVersion: string;
  /** Packed and switched on, in loading order; those inside the binary are not listed. */
  readonly extensions: readonly string[];
  readonly libraries: readonly string[];
  /** Libraries left to the system because this machine's own ask for a newer glibc than Amazon Linux 2023 has. */
  readonly expectedFromSystem: readonly string[];
  /** The oldest glibc on which everything packed starts. */
  readonly glibc: string;
};

/** A PHP ready to be laid out below some folder. */
export type PhpInstallation = Omit<PhpLayer, 'zip' | 'unzippedBytes'> & {
  readonly entries: readonly ZipEntry[];
  /** The unpacked npm package that it came from. */
  readonly packageFolder: string;
};

/** glibc of Amazon Linux 2023: what asks for a newer one does not start on AWS. */
const AMAZON_LINUX_2023_GLIBC = '2.34';
/** As `runtimes/php/composer.json` says. With an older PHP a layer holds no runtime, unless the user brings one. */
const RUNTIME_NEEDS_PHP = '8.2';
const SEARCH_PATH = '$ORIGIN/../lamella/lib';
const RUNTIME_FOLDER = resolve(import.meta.dirname, '../../runtimes/php');
const SYSTEM_LIBRARY_FOLDERS = [
  '/lib64',
  '/usr/lib64',
  '/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib',
  '/lib',
];

/**
 * Builds the layer into `output`. Throws `OperatorError`: `php-version-unknown`, `php-extension-unknown`,
 * `package-unavailable`, `package-damaged`, `library-missing`.
 */
export async function buildPhpLayer(request: PhpLayerRequest): Promise<PhpLayer> {
  const { entries, packageFolder: _, ...facts } = await planPhpLayer(request);
  request.onProgress?.(`Writing ${basename(request.output)}`);
  const unzippedBytes = await sizeOf(entries);
  return { ...facts, unzippedBytes, zip: await writeZip(request.output, entries) };
}

/** Everything that the layer holds, runtime included, without writing it anywhere. */
export async function planPhpLayer(request: Omit<PhpLayerRequest, 'output'>): Promise<PhpInstallation> {
  const installation = await preparePhp({ ...request, root: '/opt' });
  const bootstrap = await bootstrapEntries(request, installation.phpVersion);
  return { ...installation, entries: [...installation.entries, ...bootstrap] };
}

/** Collects the binary, extensions, libraries and ini for a PHP that will lie below `root` (`/opt`, or any folder). */
export async function preparePhp(
  request: Omit<PhpLayerRequest, 'bootstrap' | 'output'> & { readonly root: string },
): Promise<PhpInstallation> {
  const build = findPhpBuild(request.version, request.architecture);
  const packageFolder = await fetchNpmPackage(build.package, request.cacheDir, request.onProgress);
  const binary = join(packageFolder, 'native/php/php');
  const binaryBytes = await readFile(binary);
  const elf = parseElf(binaryBytes);
  const modules = join(packageFolder, 'native/php/modules');
  const extensions = await resolveExtensions(build, modules, elf, request.extensions ?? LEAN_EXTENSIONS);
  const web = request.webServer === true ? await webServerFiles(build, packageFolder, extensions) : [];
  request.onProgress?.(`Collecting the libraries of PHP ${build.fullVersion}`);
  const { libraries, leftToSystem } = await collectLibraries(
    build,
    packageFolder,
    [binary, ...paths(extensions), ...paths(web)],
    request,
  );

  const names = extensions.map(({ name }) => name);
  const ini = renderPhpIni({ extensionFolder: join(request.root, 'lamella/ext'), extensions: names });
  const elves = [elf, ...libraries.map((library) => library.elf)];
  for (const path of paths([...extensions, ...web])) elves.push(parseElf(await readFile(path)));
  return {
    entries: [
      bytes('bin/php', 0o755, withSearchPath(binaryBytes, SEARCH_PATH)),
      bytes('bin/php.ini', 0o644, Buffer.from(ini)),
      ...(await Promise.all(extensions.map(({ name, path }) => movable(`lamella/ext/${name}.so`, path)))),
      ...(await Promise.all(
        web.map(async ({ name, path }) =>
          name.startsWith('bin/')
            ? bytes(name, 0o755, withSearchPath(await readFile(path), SEARCH_PATH))
            : movable(name, path),
        ),
      )),
      ...(await Promise.all(libraries.map(({ soname, path }) => movable(`lamella/lib/${soname}`, path)))),
    ],
    packageFolder,
    phpVersion: build.fullVersion,
    extensions: names,
    libraries: libraries.map(({ soname }) => soname),
    expectedFromSystem: leftToSystem,
    glibc: requiredGlibc(elves) ?? '2.0',
  };
}

/** The module of opcache is packed and not switched on: the runtime gives it to php-cgi, and not to its own process. */
async function webServerFiles(
  build: PhpBuild,
  packageFolder: string,
  extensions: readonly PhpExtension[],
): Promise<PhpExtension[]> {
  const native = join(packageFolder, 'native/php');
  const needsModule = !build.builtIn.includes('opcache') && extensions.every(({ name }) => name !== 'opcache');
  return [
    { name: 'bin/php-cgi', path: join(native, 'php-cgi') },
    ...(needsModule ? [{ name: 'lamella/ext/opcache.so', path: join(native, 'modules/opcache.so') }] : []),
  ];
}

async function collectLibraries(
  build: PhpBuild,
  packageFolder: string,
  programs: readonly string[],
  request: Pick<PhpLayerRequest, 'cacheDir' | 'onProgress'>,
): Promise<{ libraries: readonly Library[]; leftToSystem: readonly string[] }> {
  const leftToSystem: string[] = [];
  const find = async (soname: string): Promise<string | undefined> => {
    const packaged = await firstExisting(soname, [join(packageFolder, 'native/lib')]);
    if (packaged !== undefined) return packaged;
    for (const other of build.libraryPackages) {
      const folder = join(await fetchNpmPackage(other, request.cacheDir, request.onProgress), 'native/lib');
      const path = await firstExisting(soname, [folder]);
      if (path !== undefined) return path;
    }
    const own = await firstExisting(soname, SYSTEM_LIBRARY_FOLDERS, async (path) => {
      return parseElf(await readFile(path)).architecture === build.architecture;
    });
    if (own === undefined) return undefined;
    const glibc = requiredGlibc([parseElf(await readFile(own))]) ?? '2.0';
    if (compareVersions(glibc, AMAZON_LINUX_2023_GLIBC) <= 0) return own;
    leftToSystem.push(soname);
    return undefined;
  };
  const { libraries, missing } = await libraryClosure(programs, find);
  for (const [library, [file = '']] of missing) {
    if (!leftToSystem.includes(library)) throw new OperatorError('library-missing', { library, file: basename(file) });
  }
  return { libraries, leftToSystem: leftToSystem.sort() };
}

async function firstExisting(
  name: string,
  folders: readonly string[],
  fits: (path: string) => Promise<boolean> = async () => true,
): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (exists && (await fits(path))) return path;
  }
  return undefined;
}

/** A library or module whose own search path, if it has one, no longer hides the program's. */
async function movable(path: string, source: string): Promise<ZipEntry> {
  const original = await readFile(source);
  const { runpath, rpath } = parseElf(original);
  const hasPath = runpath !== undefined || rpath !== undefined;
  return bytes(path, 0o755, hasPath ? withSearchPath(original, '$ORIGIN') : original);
}

async function bootstrapEntries(
  request: Pick<PhpLayerRequest, 'bootstrap' | 'onProgress'>,
  phpVersion: string,
): Promise<ZipEntry[]> {
  const { bootstrap: own, onProgress } = request;
  if (own !== undefined) return [{ path: 'bootstrap', mode: 0o755, content: { kind: 'file', source: own } }];
  if (compareVersions(phpVersion, RUNTIME_NEEDS_PHP) < 0) {
    onProgress?.(`PHP ${phpVersion} is too old for our runtime (${RUNTIME_NEEDS_PHP}): the layer holds PHP alone`);
    return [];
  }
  return [
    { path: 'bootstrap', mode: 0o755, content: { kind: 'file', source: join(RUNTIME_FOLDER, 'bootstrap') } },
    ...(await entriesOfFolder(join(RUNTIME_FOLDER, 'src'), { prefix: 'lamella/runtime/' })).map((entry) => ({
      ...entry,
      mode: 0o644,
    })),
  ];
}

async function sizeOf(entries: readonly ZipEntry[]): Promise<number> {
  let total = 0;
  for (const { content } of entries) {
    if (content.kind === 'bytes') total += content.bytes.length;
    else if (content.kind === 'file') total += (await readFile(content.source)).length;
  }
  return total;
}

function bytes(path: string, mode: number, content: Buffer): ZipEntry {
  return { path, mode, content: { kind: 'bytes', bytes: content } };
}

function paths(extensions: readonly PhpExtension[]): string[] {
  return extensions.map(({ path }) => path);
}
