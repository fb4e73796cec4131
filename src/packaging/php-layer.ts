/**
 * Builds a runtime layer for PHP: the binary, the extensions asked for, every library that these need except glibc's
 * own, and our runtime (`runtimes/php`) or the user's own bootstrap. `/opt/bin/php` starts by itself wherever glibc is
 * not older than the layer says: it carries where its libraries lie (`elf-search-path.ts`), and they lie in a folder
 * where no other program looks. No PHP is run and nothing is compiled, so the same input gives the same bytes.
 *
 *     /opt/bootstrap  /opt/bin/{php,php.ini}  /opt/lamella/{ext,lib,runtime}/
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { compareVersions, parseElf, requiredGlibc } from './elf.ts';
import { compactElf } from './elf-compact.ts';
import { withoutNeeded, withSearchPath } from './elf-search-path.ts';
import type { Progress } from './npm-package.ts';
import { fetchNpmPackage } from './npm-package.ts';
import type { PhpBuild } from './php-builds.ts';
import { findPhpBuild } from './php-builds.ts';
import type { PhpExtension } from './php-extensions.ts';
import { resolveExtensions } from './php-extensions.ts';
import { renderPhpIni } from './php-ini.ts';
import type { LibraryBase } from './php-libraries.ts';
import { collectLibraries } from './php-libraries.ts';
import type { PhpVariant } from './php-variants.ts';
import { variantOf } from './php-variants.ts';
import type { WrittenZip, ZipEntry } from './zip-writer.ts';
import { entriesOfFolder, sizeOfEntries, writeZip } from './zip-writer.ts';

export type PhpLayerRequest = {
  /** `8.4`, or a full version that we know. */
  readonly version: string;
  /** What is packed unless the next two say otherwise; `lean` without it. */
  readonly variant?: PhpVariant;
  /** Names as PHP or Composer write them; those that they need are added. In place of the variant's. */
  readonly extensions?: readonly string[];
  /** Packs `php-cgi` too, with an opcache for it alone: what the runtime serves web applications with. */
  readonly webServer?: boolean;
  readonly architecture?: string;
  /** The system that the layer is made for: any with a glibc (the default), or Amazon Linux 2023 with its libraries. */
  readonly base?: LibraryBase;
  /** Packs Kerberos's own libraries, for curl and others to log in with, in place of a stand-in for them. */
  readonly kerberos?: boolean;
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
  /** Those of `libraries` that only stand in for the real ones, and fail when they are used. */
  readonly standIns: readonly string[];
  /** Left to the system: what `base` says it has, or what this machine has only for a newer glibc than AWS's. */
  readonly expectedFromSystem: readonly string[];
  /** The oldest glibc on which everything packed starts. */
  readonly glibc: string;
};

/** A PHP ready to be laid out below some folder. */
export type PhpInstallation = Omit<PhpLayer, 'zip' | 'unzippedBytes'> & {
  readonly entries: readonly ZipEntry[];
  /** The unpacked npm package that it came from. */
  readonly packageFolder: string;
  /** The modules of `extensions`. */
  readonly modules: readonly PhpExtension[];
};

/** As `runtimes/php/composer.json` says. With an older PHP a layer holds no runtime, unless the user brings one. */
const RUNTIME_NEEDS_PHP = '8.2';
const SEARCH_PATH = '$ORIGIN/../lamella/lib';
const RUNTIME_FOLDER = resolve(import.meta.dirname, '../../runtimes/php');
/**
 * Builds the layer into `output`. Throws `OperatorError`: `php-version-unknown`, `php-extension-unknown`,
 * `package-unavailable`, `package-damaged`, `library-missing`, `library-too-new`, `library-unsuitable`.
 */
export async function buildPhpLayer(request: PhpLayerRequest): Promise<PhpLayer> {
  const { entries, packageFolder: _, modules: __, ...facts } = await planPhpLayer(request);
  request.onProgress?.(`Writing ${basename(request.output)}`);
  const unzippedBytes = await sizeOfEntries(entries);
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
  const { extensions: wanted, webServer } = variantOf(request, build, await moduleNames(packageFolder));
  const binary = join(packageFolder, 'native/php/php');
  const elf = parseElf(await readFile(binary));
  const extensions = await resolveExtensions(build, join(packageFolder, 'native/php/modules'), elf, wanted);
  const web = webServer ? webServerFiles(build, packageFolder, extensions) : [];
  request.onProgress?.(`Collecting the libraries of PHP ${build.fullVersion}`);
  const { libraries, standIns, unused, leftToSystem } = await collectLibraries({
    programs: [binary, ...paths(extensions), ...paths(web)],
    architecture: build.architecture,
    base: request.base ?? 'glibc',
    folders: [
      async () => join(packageFolder, 'native/lib'),
      ...build.libraryPackages.map((other) => async () => {
        return join(await fetchNpmPackage(other, request.cacheDir, request.onProgress), 'native/lib');
      }),
    ],
    ...(request.kerberos !== undefined && { kerberos: request.kerberos }),
  });

  const names = extensions.map(({ name }) => name);
  const ini = renderPhpIni({ extensionFolder: join(request.root, 'lamella/ext'), extensions: names });
  const elves = [elf, ...libraries.map((library) => library.elf)];
  for (const path of paths([...extensions, ...web])) elves.push(parseElf(await readFile(path)));
  return {
    entries: [
      bytes('bin/php', 0o755, program(await readFile(binary), unused)),
      bytes('bin/php.ini', 0o644, Buffer.from(ini)),
      ...(await Promise.all(extensions.map(({ name, path }) => module(`lamella/ext/${name}.so`, path, unused)))),
      ...(await Promise.all(
        web.map(async ({ name, path }) =>
          name.startsWith('bin/')
            ? bytes(name, 0o755, program(await readFile(path), unused))
            : module(name, path, unused),
        ),
      )),
      ...libraries.map((library) => bytes(`lamella/lib/${library.soname}`, 0o755, movable(library.bytes, unused))),
    ],
    packageFolder,
    modules: extensions,
    phpVersion: build.fullVersion,
    extensions: names,
    libraries: libraries.map(({ soname }) => soname),
    standIns,
    expectedFromSystem: leftToSystem,
    glibc: requiredGlibc(elves) ?? '2.0',
  };
}

/** The module of opcache is packed and not switched on: the runtime gives it to php-cgi, and not to its own process. */
function webServerFiles(
  build: PhpBuild,
  packageFolder: string,
  extensions: readonly PhpExtension[],
): Pick<PhpExtension, 'name' | 'path'>[] {
  const native = join(packageFolder, 'native/php');
  const needsModule = !build.builtIn.includes('opcache') && extensions.every(({ name }) => name !== 'opcache');
  return [
    { name: 'bin/php-cgi', path: join(native, 'php-cgi') },
    ...(needsModule ? [{ name: 'lamella/ext/opcache.so', path: join(native, 'modules/opcache.so') }] : []),
  ];
}

async function moduleNames(packageFolder: string): Promise<string[]> {
  const files = await readdir(join(packageFolder, 'native/php/modules'));
  return files.filter((name) => name.endsWith('.so')).map((name) => name.slice(0, -'.so'.length));
}

function program(original: Buffer, unused: ReadonlySet<string>): Buffer {
  return compactElf(withSearchPath(withoutNeeded(original, unused), SEARCH_PATH));
}

async function module(path: string, source: string, unused: ReadonlySet<string>): Promise<ZipEntry> {
  return bytes(path, 0o755, movable(await readFile(source), unused));
}

/** A library or module whose own search path, if it has one, no longer hides the program's. */
function movable(original: Buffer, unused: ReadonlySet<string>): Buffer {
  const needing = withoutNeeded(original, unused);
  const { runpath, rpath } = parseElf(needing);
  const hasPath = runpath !== undefined || rpath !== undefined;
  return compactElf(hasPath ? withSearchPath(needing, '$ORIGIN') : needing);
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

function bytes(path: string, mode: number, content: Buffer): ZipEntry {
  return { path, mode, content: { kind: 'bytes', bytes: content } };
}

function paths(extensions: readonly Pick<PhpExtension, 'path'>[]): string[] {
  return extensions.map(({ path }) => path);
}
