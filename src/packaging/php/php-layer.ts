/**
 * Builds a runtime layer for PHP: a PHP for Amazon Linux from its npm package (`php-builds.ts`), which starts on any
 * system with the glibc that the result names (`php-installation.ts`), and Lamella's runtime (`runtimes/php`) or the
 * user's bootstrap. Nothing is run or compiled, so the same input gives the same bytes.
 *
 *     /opt/bootstrap  /opt/bin/{php,php.ini}  /opt/lamella/{ext,lib,runtime}/
 */
import { basename, join } from 'node:path';
import { compareVersions } from '../../elf/elf.ts';
import { PACKAGE_DIRECTORY } from '../../package-directory.ts';
import { entriesOfDirectory } from '../directory-entries.ts';
import { fetchNpmPackage } from '../npm-package.ts';
import type { WrittenZip, ZipEntry } from '../zip-writer.ts';
import { checkOutput, sizeOfEntries, writeZip } from '../zip-writer.ts';
import { findPhpBuild } from './php-builds.ts';
import type { PhpInstallation, PhpSelection } from './php-installation.ts';
import { planPhpInstallation } from './php-installation.ts';

export type PhpLayerRequest = PhpSelection & {
  /** `8.4`, or a full version of `php-builds.ts`. */
  readonly version: string;
  readonly architecture?: string;
  /** The file to pack as `/opt/bootstrap` in place of Lamella's runtime, with mode 0755. */
  readonly bootstrap?: string;
  /** The zip to write. */
  readonly output: string;
  /** The cache of fetched packages. */
  readonly cacheDir: string;
};

export type PhpLayer = Omit<PhpInstallation, 'entries' | 'modules'> & {
  readonly zip: WrittenZip;
  /** Size of all files together, in bytes, as AWS counts it against its quota. */
  readonly unzippedBytes: number;
};

/**
 * As in `runtimes/php/composer.json`. A layer with an older PHP has no runtime unless the user provides a bootstrap.
 */
const OLDEST_RUNTIME_PHP = '8.2';
/** The source of Lamella's PHP runtime. */
export const PHP_RUNTIME_DIRECTORY = join(PACKAGE_DIRECTORY, 'runtimes/php');

/**
 * Writes the layer to `output`. Throws `OperatorError`: `php-version-unknown`, `package-unavailable`,
 * `package-damaged`, and those of planning an installation.
 */
export async function buildPhpLayer(request: PhpLayerRequest): Promise<PhpLayer> {
  checkOutput(request.output);
  return writePhpLayer(await preparePhp({ ...request, root: '/opt' }), request);
}

/** Writes the layer of an installation that was planned for `/opt`. */
export async function writePhpLayer(
  installation: PhpInstallation,
  request: Pick<PhpLayerRequest, 'bootstrap' | 'output' | 'onProgress'>,
): Promise<PhpLayer> {
  const { phpVersion, extensions, libraries, standIns, expectedFromSystem, glibc } = installation;
  const entries = [...installation.entries, ...(await bootstrapEntries(request, phpVersion))];
  request.onProgress?.(`Writing ${basename(request.output)}`);
  const unzippedBytes = await sizeOfEntries(entries);
  const zip = await writeZip(request.output, entries);
  return { zip, unzippedBytes, phpVersion, extensions, libraries, standIns, expectedFromSystem, glibc };
}

/** Returns the contents of the layer, including the runtime, without writing it. */
export async function planPhpLayer(request: Omit<PhpLayerRequest, 'output'>): Promise<PhpInstallation> {
  const installation = await preparePhp({ ...request, root: '/opt' });
  const bootstrap = await bootstrapEntries(request, installation.phpVersion);
  return { ...installation, entries: [...installation.entries, ...bootstrap] };
}

/** An installation, with the directory of the npm package that it comes from. */
export type PreparedPhp = PhpInstallation & { readonly packageDirectory: string };

/** Fetches a PHP and plans its installation below the directory `root`, such as `/opt`. */
export async function preparePhp(
  request: Omit<PhpLayerRequest, 'bootstrap' | 'output'> & { readonly root: string },
): Promise<PreparedPhp> {
  const { version, architecture, cacheDir, ...selection } = request;
  const build = findPhpBuild(version, architecture);
  const fetch = async (pinned: typeof build.package) => fetchNpmPackage(pinned, cacheDir, request.onProgress);
  const packageDirectory = await fetch(build.package);
  const native = join(packageDirectory, 'native');
  const newer = build.newerLibraries;
  const libraryDirectory = (pinned: typeof build.package) => async () => join(await fetch(pinned), 'native/lib');
  const binaries = {
    ...build,
    php: join(native, 'php/php'),
    phpCgi: join(native, 'php/php-cgi'),
    modulesDirectory: join(native, 'php/modules'),
    libraries: {
      directories: [libraryDirectory(build.package), ...build.libraryPackages.map(libraryDirectory)],
      preferred: new Map(newer?.sonames.map((soname) => [soname, libraryDirectory(newer.package)])),
    },
  };
  return { ...(await planPhpInstallation(binaries, selection)), packageDirectory };
}

async function bootstrapEntries(
  request: Pick<PhpLayerRequest, 'bootstrap' | 'onProgress'>,
  phpVersion: string,
): Promise<ZipEntry[]> {
  const { bootstrap, onProgress } = request;
  if (bootstrap !== undefined) {
    return [{ path: 'bootstrap', mode: 0o755, content: { kind: 'file', source: bootstrap } }];
  }
  if (compareVersions(phpVersion, OLDEST_RUNTIME_PHP) < 0) {
    onProgress?.(
      `PHP ${phpVersion} is too old for Lamella's runtime (${OLDEST_RUNTIME_PHP}). The layer has no runtime: use --bootstrap.`,
    );
    return [];
  }
  return [
    { path: 'bootstrap', mode: 0o755, content: { kind: 'file', source: join(PHP_RUNTIME_DIRECTORY, 'bootstrap') } },
    ...(await entriesOfDirectory(join(PHP_RUNTIME_DIRECTORY, 'src'), { prefix: 'lamella/runtime/' })).map((entry) => ({
      ...entry,
      mode: 0o644,
    })),
  ];
}
