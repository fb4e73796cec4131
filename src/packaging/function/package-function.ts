/**
 * Packages a directory as a function's zip. TypeScript handlers are bundled into one file each (`bundle-handlers.ts`)
 * or, without bundling, every TypeScript file becomes JavaScript (`strip-types.ts`). Other files are packed unchanged,
 * except those that `.lamellaignore` excludes. The same directory gives the same bytes.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { entriesOfDirectory } from '../directory-entries.ts';
import type { Progress } from '../npm-package.ts';
import { checkOutput, sizeOfEntry, type WrittenZip, writeZip, type ZipEntry } from '../zip-writer.ts';
import { type BundleOptions, bundleHandlers, findHandlerSource, isTypeScript } from './bundle-handlers.ts';
import { developmentPackages } from './development-packages.ts';
import { IGNORE_FILE, type IgnoreRules, parseIgnore } from './lamella-ignore.ts';
import { stripTypes } from './strip-types.ts';

export type FunctionPlanRequest = BundleOptions & {
  /** The directory with the function's code. */
  readonly directory: string;
  /** A zip that is not packed, because it is being written. */
  readonly output?: string;
  /** `src/hello.handler`, for example. By default, a TypeScript file with a common name is bundled. */
  readonly handlers?: readonly string[];
  /** Whether to bundle. Otherwise types are stripped from each file. */
  readonly bundle: boolean;
  /** Whether TypeScript becomes JavaScript. Defaults to true. */
  readonly compiles?: boolean;
  /** Paths in the directory to leave out, whatever the patterns say. */
  readonly excluded?: readonly string[];
  readonly onProgress?: Progress;
};

export type FunctionPackageRequest = FunctionPlanRequest & {
  /** The zip to write. */
  readonly output: string;
};

/** What a package contains, before it is written. */
export type FunctionPlan = Omit<FunctionPackage, 'zip'> & { readonly entries: readonly ZipEntry[] };

export type FunctionPackage = {
  readonly zip: WrittenZip;
  /** Size of all files together, in bytes, as AWS counts it against its quota. */
  readonly unzippedBytes: number;
  /** Paths of the bundles in the package. */
  readonly bundles: readonly string[];
  /** What is in the package: its files and directories at the top, largest first. */
  readonly contents: readonly PackagedPart[];
  /** Files and directories that were left out, except those of version control. A directory ends with `/`. */
  readonly leftOut: readonly string[];
  /** Probable mistakes, in sentences for the user. */
  readonly warnings: readonly string[];
};

export type PackagedPart = {
  /** `src/` for a directory; packages of node_modules and vendor are listed together. */
  readonly path: string;
  readonly files: number;
  /** Unpacked, in bytes. */
  readonly bytes: number;
};

/**
 * Writes the package to `output`. Throws `OperatorError`: `file-unreadable`, `file-unwritable`,
 * `handler-source-missing`, `bundle-failed`, `package-too-large`.
 */
export async function packageFunction(request: FunctionPackageRequest): Promise<FunctionPackage> {
  checkOutput(request.output);
  const { entries, ...plan } = await planFunction(request);
  request.onProgress?.(`Writing ${basename(request.output)}`);
  return {
    zip: await writeZip(request.output, entries).catch((failure) => throwUnusable(failure, request.output, entries)),
    ...plan,
  };
}

/**
 * Lists what the package of a function contains. Throws `OperatorError`: `file-unreadable`, `handler-source-missing`,
 * `bundle-failed`, `package-too-large`.
 */
export async function planFunction(request: FunctionPlanRequest): Promise<FunctionPlan> {
  const directory = resolve(request.directory);
  const rules = parseIgnore(await readFile(join(directory, IGNORE_FILE), 'utf8').catch(() => ''));
  const { found, leftOut } = await readDirectory(directory, rules, request);
  const { entries, bundles, missing = [] } = await build(request, directory, found, rules);
  const contents = await contentsOf(entries);
  const unzippedBytes = contents.reduce((total, { bytes }) => total + bytes, 0);
  if (unzippedBytes > QUOTAS.unzippedBytes) {
    throw new OperatorError('package-too-large', {
      directory: request.directory,
      bytes: unzippedBytes,
      limit: QUOTAS.unzippedBytes,
    });
  }
  return {
    entries,
    unzippedBytes,
    bundles,
    contents,
    leftOut,
    warnings: [...warningsFor(entries), ...missing.map(missingWarning)],
  };
}

async function contentsOf(entries: readonly ZipEntry[]): Promise<PackagedPart[]> {
  const parts = new Map<string, { path: string; files: number; bytes: number }>();
  for (const entry of entries) {
    const slash = entry.path.indexOf('/');
    const path = slash < 0 ? entry.path : entry.path.slice(0, slash + 1);
    const part = parts.get(path) ?? { path, files: 0, bytes: 0 };
    part.files += 1;
    part.bytes += await sizeOfEntry(entry);
    parts.set(path, part);
  }
  return [...parts.values()].sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));
}

async function readDirectory(
  directory: string,
  rules: IgnoreRules,
  { output, excluded = [] }: FunctionPlanRequest,
): Promise<{ found: ZipEntry[]; leftOut: string[] }> {
  const stats = await stat(directory).catch((failure: Error) => {
    throw new OperatorError('file-unreadable', { file: directory, reason: failure.message }, failure);
  });
  if (!stats.isDirectory()) throw new OperatorError('file-unreadable', { file: directory, reason: 'not a directory' });
  const archive = output === undefined ? undefined : relative(directory, resolve(output)).split(sep).join('/');
  const development = await developmentPackages(directory);
  const leftOut: string[] = [];
  const admits = (path: string, isDirectory: boolean) => {
    if (path === archive || excluded.includes(path)) return false;
    const isUnneeded = development.has(path) && !rules.includes(path, isDirectory);
    if (!rules.ignores(path, isDirectory) && !isUnneeded) return true;
    if (rules.isNotable(path, isDirectory)) leftOut.push(isDirectory ? `${path}/` : path);
    return false;
  };
  const found = await entriesOfDirectory(directory, { admits, followsOutside: true }).catch(
    (failure: NodeJS.ErrnoException) => {
      throw new OperatorError('file-unreadable', { file: failure.path ?? directory, reason: failure.message }, failure);
    },
  );
  return { found, leftOut: leftOut.sort() };
}

async function build(
  request: FunctionPlanRequest,
  directory: string,
  found: readonly ZipEntry[],
  rules: IgnoreRules,
): Promise<{ entries: readonly ZipEntry[]; bundles: readonly string[]; missing?: readonly string[] }> {
  const own = found.filter(({ path }) => !path.startsWith('node_modules/') && !path.includes('/node_modules/'));
  const hasTypeScript = own.some(({ path }) => isTypeScript(path));
  const isPacked = request.compiles === false || (!hasTypeScript && request.handlers === undefined);
  if (isPacked) return { entries: found, bundles: [] };
  if (!request.bundle) {
    request.onProgress?.('Removing types');
    return { entries: await stripTypes(directory, found, request), bundles: [] };
  }
  const sources = findHandlerSource(
    own.map(({ path }) => path),
    request.handlers,
  );
  request.onProgress?.(`Bundling ${sources.join(', ')}`);
  return bundleHandlers(directory, sources, found, rules, request);
}

/** Maps a failure of writing the archive to the file that caused it: a source file or the archive. */
function throwUnusable(failure: NodeJS.ErrnoException, output: string, entries: readonly ZipEntry[]): never {
  if (failure.code === undefined) throw failure;
  const isRead = failure.syscall !== 'mkdir';
  const isSource = isRead && entries.some(({ content }) => content.kind === 'file' && content.source === failure.path);
  const file = isSource ? String(failure.path) : output;
  throw new OperatorError(isSource ? 'file-unreadable' : 'file-unwritable', { file, reason: failure.message }, failure);
}

function warningsFor(entries: readonly ZipEntry[]): string[] {
  const warnings: string[] = [];
  if (entries.length === 0)
    warnings.push(`The package is empty, and Lambda would reject it. Check the patterns in ${IGNORE_FILE}.`);
  const present = pathsOf(entries);
  for (const { path, mode, content } of entries) {
    if (path === 'bootstrap' && content.kind !== 'directory' && (mode & 0o111) === 0) {
      warnings.push('bootstrap is not executable, so Lambda cannot start it. Run chmod +x bootstrap.');
    }
    if (content.kind === 'link' && leadsOut(path, content.target, present)) {
      warnings.push(`${path} is a link to ${content.target}, which is not in the package.`);
    }
  }
  return warnings;
}

/** The paths of all entries and of the directories above them. */
function pathsOf(entries: readonly ZipEntry[]): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const { path } of entries) {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) paths.add(path.slice(0, end));
  }
  return paths;
}

/** Absolute targets are accepted below directories that exist in Lambda's environment. */
function leadsOut(path: string, target: string, present: ReadonlySet<string>): boolean {
  if (target.startsWith('/')) return !/^\/(opt|var\/task|tmp|usr|bin|lib|lib64|etc|dev|proc)(\/|$)/.test(target);
  const inside = relative('/task', join('/task', dirname(path), target));
  return inside !== '' && !present.has(inside);
}

function missingWarning(name: string): string {
  return `${name} is not installed, so it is not in the package. A layer or the managed runtime must provide it.`;
}
