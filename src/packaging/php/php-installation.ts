/**
 * Lays out a PHP, wherever its binaries came from, so that it starts by itself: programs that know where their libraries
 * lie (`elf-search-path.ts`), the modules asked for and those that they need, the libraries that nobody else brings, and
 * the ini file beside the binary. Everything is made smaller on the way (`elf-compact.ts`). Our runtime is not part of it.
 *
 *     bin/{php,php.ini}  lamella/{ext,lib}/
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseElf, requiredGlibc } from '../../elf/elf.ts';
import { compactElf } from '../../elf/elf-compact.ts';
import { withoutNeeded, withSearchPath } from '../../elf/elf-search-path.ts';
import type { Progress } from '../npm-package.ts';
import type { ZipEntry } from '../zip-writer.ts';
import type { PhpBinaries } from './php-binaries.ts';
import type { PhpExtension } from './php-extensions.ts';
import { resolveExtensions } from './php-extensions.ts';
import { renderPhpIni } from './php-ini.ts';
import type { LibraryBase } from './php-libraries.ts';
import { collectLibraries } from './php-libraries.ts';
import type { PhpVariant } from './php-variants.ts';
import { variantOf } from './php-variants.ts';

/** What of it is wanted, and where it will lie. */
export type PhpSelection = {
  /** What is packed unless the next two say otherwise; `lean` without it. */
  readonly variant?: PhpVariant;
  /** Names as PHP or Composer write them; those that they need are added. In place of the variant's. */
  readonly extensions?: readonly string[];
  /** Packs `php-cgi` too, with an opcache for it alone: what the runtime serves web applications with. */
  readonly webServer?: boolean;
  /** The system that the layer is made for: any with a glibc (the default), or Amazon Linux 2023 with its libraries. */
  readonly base?: LibraryBase;
  /** Packs Kerberos's own libraries, for curl and others to log in with, in place of a stand-in for them. */
  readonly kerberos?: boolean;
  readonly onProgress?: Progress;
};

/** A PHP ready to be written below some folder, or into an archive. */
export type PhpInstallation = {
  readonly entries: readonly ZipEntry[];
  /** The modules of `extensions`. */
  readonly modules: readonly PhpExtension[];
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

const SEARCH_PATH = '$ORIGIN/../lamella/lib';

/**
 * Plans the installation of `binaries` below `root` (`/opt`, or any folder). Throws `OperatorError`:
 * `php-extension-unknown`, `library-missing`, `library-too-new`, `library-unsuitable`.
 */
export async function planPhpInstallation(
  binaries: PhpBinaries,
  { root, onProgress, base = 'glibc', kerberos = false, ...selection }: PhpSelection & { readonly root: string },
): Promise<PhpInstallation> {
  const { extensions: wanted, webServer } = variantOf(selection, binaries, await moduleNames(binaries));
  const elf = parseElf(await readFile(binaries.php));
  const extensions = await resolveExtensions(binaries, elf, wanted);
  const web = webServer ? await webServerFiles(binaries, extensions) : [];
  onProgress?.(`Collecting the libraries of PHP ${binaries.fullVersion}`);
  const { libraries, standIns, unused, leftToSystem } = await collectLibraries({
    programs: [binaries.php, ...paths(extensions), ...paths(web)],
    architecture: binaries.architecture,
    base,
    kerberos,
    ...binaries.libraries,
  });

  const names = extensions.map(({ name }) => name);
  const ini = renderPhpIni({ extensionDirectory: join(root, 'lamella/ext'), extensions: names });
  const elves = [elf, ...libraries.map((library) => library.elf)];
  for (const path of paths([...extensions, ...web])) elves.push(parseElf(await readFile(path)));
  return {
    entries: [
      bytes('bin/php', 0o755, program(await readFile(binaries.php), unused)),
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
    modules: extensions,
    phpVersion: binaries.fullVersion,
    extensions: names,
    libraries: libraries.map(({ soname }) => soname),
    standIns,
    expectedFromSystem: leftToSystem,
    glibc: requiredGlibc(elves) ?? '2.0',
  };
}

/** The module of opcache is packed and not switched on: the runtime gives it to php-cgi, and not to its own process. */
async function webServerFiles(
  binaries: PhpBinaries,
  extensions: readonly PhpExtension[],
): Promise<Pick<PhpExtension, 'name' | 'path'>[]> {
  const isLoaded = binaries.builtIn.includes('opcache') || extensions.some(({ name }) => name === 'opcache');
  const hasModule = !isLoaded && (await moduleNames(binaries)).includes('opcache');
  return [
    { name: 'bin/php-cgi', path: binaries.phpCgi },
    ...(hasModule ? [{ name: 'lamella/ext/opcache.so', path: join(binaries.modulesDirectory, 'opcache.so') }] : []),
  ];
}

async function moduleNames({ modulesDirectory }: PhpBinaries): Promise<string[]> {
  const files = await readdir(modulesDirectory);
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

function bytes(path: string, mode: number, content: Buffer): ZipEntry {
  return { path, mode, content: { kind: 'bytes', bytes: content } };
}

function paths(extensions: readonly Pick<PhpExtension, 'path'>[]): string[] {
  return extensions.map(({ path }) => path);
}
