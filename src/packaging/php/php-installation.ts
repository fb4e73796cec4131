/**
 * Plans a self-contained PHP from fetched or compiled binaries: programs with a library search path
 * (`elf-search-path.ts`), the selected modules and those that they need, the libraries that the target system lacks,
 * and the ini file beside the binary. All files are made smaller (`elf-compact.ts`). `php-layer.ts` adds the runtime.
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

/** The parts of a PHP to install. */
export type PhpSelection = {
  /** Selects extensions and programs, except those that the next two properties set. Defaults to `lean`. */
  readonly variant?: PhpVariant;
  /**
   * Replaces the variant's extensions; names that begin with `+` are added to them instead. Names have PHP's or
   * Composer's spelling; required extensions are added.
   */
  readonly extensions?: readonly string[];
  /** Whether to pack `php-cgi`, which serves web applications, and an opcache for it alone. */
  readonly webServer?: boolean;
  /** The system to build for: any system with glibc (the default), or Amazon Linux 2023 with its libraries. */
  readonly base?: LibraryBase;
  /** Whether to pack the real Kerberos libraries, for authentication in curl and others, in place of a stand-in. */
  readonly kerberos?: boolean;
  readonly onProgress?: Progress;
};

/** A PHP that can be written to a directory or into an archive. */
export type PhpInstallation = {
  readonly entries: readonly ZipEntry[];
  /** The modules of `extensions`. */
  readonly modules: readonly PhpExtension[];
  readonly phpVersion: string;
  /** Packed and enabled extensions in loading order, without those that are compiled into the binary. */
  readonly extensions: readonly string[];
  readonly libraries: readonly string[];
  /** Those of `libraries` that are stand-ins: their functions always fail. */
  readonly standIns: readonly string[];
  /**
   * Libraries to find on the system: those of `base`, and those that this machine has only for a newer glibc than AWS.
   */
  readonly expectedFromSystem: readonly string[];
  /** The oldest glibc with which all packed files start. */
  readonly glibc: string;
};

const SEARCH_PATH = '$ORIGIN/../lamella/lib';

/**
 * Plans the installation of `binaries` below the directory `root`, such as `/opt`. Throws `OperatorError`:
 * `php-extension-unknown`, `library-missing`, `library-too-new`, `library-unsuitable`.
 */
export async function planPhpInstallation(
  binaries: PhpBinaries,
  { root, onProgress, base = 'glibc', kerberos = false, ...selection }: PhpSelection & { readonly root: string },
): Promise<PhpInstallation> {
  const { extensions: selected, webServer } = variantOf(selection, binaries, await moduleNames(binaries));
  const elf = parseElf(await readFile(binaries.php));
  const extensions = await resolveExtensions(binaries, elf, selected);
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
      ...libraries.map((library) => bytes(`lamella/lib/${library.soname}`, 0o755, relocated(library.bytes, unused))),
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

/** The opcache module is packed but not enabled: the runtime enables it for php-cgi, not for its own process. */
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
  return bytes(path, 0o755, relocated(await readFile(source), unused));
}

/** Replaces a search path of the library or module, because it would hide the program's. */
function relocated(original: Buffer, unused: ReadonlySet<string>): Buffer {
  const reduced = withoutNeeded(original, unused);
  const { runpath, rpath } = parseElf(reduced);
  const hasPath = runpath !== undefined || rpath !== undefined;
  return compactElf(hasPath ? withSearchPath(reduced, '$ORIGIN') : reduced);
}

function bytes(path: string, mode: number, content: Buffer): ZipEntry {
  return { path, mode, content: { kind: 'bytes', bytes: content } };
}

function paths(extensions: readonly Pick<PhpExtension, 'path'>[]): string[] {
  return extensions.map(({ path }) => path);
}
