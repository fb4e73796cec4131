/**
 * Zip entries from a directory on disk, and back: `entriesOfDirectory` lists a directory as entries, `writeDirectory`
 * writes entries out as files. The archive itself is written by `zip-writer.ts` and read by `storage/archive.ts`.
 */
import { chmod, copyFile, lstat, mkdir, readdir, readlink, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { ZipEntry } from './zip-writer.ts';

/**
 * Writes `entries` below `directory`, as unpacking their zip would, over what is there. Creates missing directories.
 * Never writes through a link: one that is used as a directory, or has the name of an entry, is replaced.
 */
export async function writeDirectory(directory: string, entries: Iterable<ZipEntry>): Promise<void> {
  await mkdir(directory, { recursive: true });
  // Directories that are known to be no links.
  const made = new Set<string>();
  const makeDirectories = async (parts: readonly string[]): Promise<void> => {
    for (let count = 1; count <= parts.length; count += 1) {
      const path = join(directory, ...parts.slice(0, count));
      if (made.has(path)) continue;
      const present = await lstat(path).catch(() => undefined);
      if (present !== undefined && !present.isDirectory()) await rm(path);
      if (!present?.isDirectory()) await mkdir(path);
      made.add(path);
    }
  };
  for (const { path, mode, content } of entries) {
    const target = join(directory, path);
    const parts = path.split('/').filter((part) => part !== '');
    await makeDirectories(content.kind === 'directory' ? parts : parts.slice(0, -1));
    if (content.kind !== 'directory') await rm(target, { recursive: true, force: true });
    if (content.kind === 'link') await symlink(content.target, target);
    else if (content.kind === 'file') await copyFile(content.source, target);
    else if (content.kind === 'bytes') await writeFile(target, content.bytes);
    if (content.kind !== 'link') await chmod(target, mode);
  }
}

export type EntriesOptions = {
  readonly prefix?: string;
  /** Called with relative paths. It can exclude files and whole directories. */
  readonly admits?: (path: string, isDirectory: boolean) => boolean;
  /**
   * Packs what links lead to, where they lead out of the directory. Links to places of the execution environment, such
   * as /opt, stay links.
   */
  readonly followsOutside?: boolean;
};

/** Absolute paths that mean the execution environment, not this machine. */
const ENVIRONMENT_PATH = /^\/(opt|dev|proc|var\/(task|runtime|lang))(\/|$)|^\/tmp\/?$/;

/**
 * Returns entries for everything below `directory`, with names relative to it after `prefix` (`vendor/`). Links stay
 * links unless `followsOutside` is set, empty directories are kept, sockets and devices are left out.
 */
export async function entriesOfDirectory(directory: string, options: EntriesOptions = {}): Promise<ZipEntry[]> {
  const { prefix = '', admits = () => true, followsOutside = false } = options;
  const top = followsOutside ? await realpath(directory) : directory;
  const entries: ZipEntry[] = [];

  const addFile = async (path: string, source: string): Promise<void> => {
    const mode = (await lstat(source)).mode & 0o777;
    entries.push({ path: prefix + path, mode, content: { kind: 'file', source } });
  };
  /** `root` is what `source` was reached from without leaving it; `trail` the real directories that are being visited. */
  const addLink = async (path: string, source: string, root: string, trail: readonly string[]): Promise<void> => {
    const target = await readlink(source);
    const link = (to: string) =>
      entries.push({ path: prefix + path, mode: 0o777, content: { kind: 'link', target: to } });
    const staysInside = !target.startsWith('/') && !leavesRoot(relative(root, dirname(source)), target);
    if (!followsOutside || staysInside || ENVIRONMENT_PATH.test(target)) return void link(target);
    const real = await realpath(source).catch(() => undefined);
    if (real === undefined) return void link(target);
    const stats = await lstat(real);
    const inTop = isWithin(top, real) ? relative(top, real) : undefined;
    // By another way it leads back into the package.
    if (inTop !== undefined && admits(inTop, stats.isDirectory())) {
      return void link(relative(dirname(path), inTop) || '.');
    }
    if (stats.isFile() && admits(path, false)) await addFile(path, real);
    // A directory that contains the link would be packed without end.
    else if (stats.isDirectory() && admits(path, true) && !trail.some((visited) => isWithin(real, visited))) {
      await visit(path, real, real, [...trail, real]);
    } else link(target);
  };
  const visit = async (path: string, source: string, root: string, trail: readonly string[]): Promise<void> => {
    const children = await readdir(source, { withFileTypes: true });
    if (children.length === 0 && path !== '') {
      entries.push({ path: `${prefix}${path}/`, mode: 0o755, content: { kind: 'directory' } });
    }
    for (const child of children) {
      const inside = path === '' ? child.name : `${path}/${child.name}`;
      if (!admits(inside, child.isDirectory())) continue;
      const childSource = join(source, child.name);
      if (child.isDirectory()) await visit(inside, childSource, root, trail);
      else if (child.isSymbolicLink()) await addLink(inside, childSource, root, [...trail, source]);
      else if (child.isFile()) await addFile(inside, childSource);
    }
  };
  await visit('', top, top, [top]);
  return entries;
}

/** Whether a relative link in `directory` has more `..` than there are directories above it, even if it leads back. */
function leavesRoot(directory: string, target: string): boolean {
  let depth = directory.split('/').filter((part) => part !== '').length;
  for (const part of target.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

function isWithin(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
