/**
 * Zip entries from a directory on disk, and back: `entriesOfDirectory` lists a directory as entries, `writeDirectory`
 * writes entries out as files. The archive itself is written by `zip-writer.ts` and read by `storage/archive.ts`.
 */
import { chmod, copyFile, lstat, mkdir, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/**
 * Returns entries for everything below `directory`, with names relative to it after `prefix` (`vendor/`). Links stay
 * links, empty directories are kept, sockets and devices are left out. `admits` is called with relative paths, and can
 * exclude files and whole directories.
 */
export async function entriesOfDirectory(
  directory: string,
  options: { readonly prefix?: string; readonly admits?: (path: string, isDirectory: boolean) => boolean } = {},
): Promise<ZipEntry[]> {
  const { prefix = '', admits = () => true } = options;
  const entries: ZipEntry[] = [];
  const visit = async (relative: string): Promise<void> => {
    const children = await readdir(join(directory, relative), { withFileTypes: true });
    if (children.length === 0 && relative !== '') {
      entries.push({ path: `${prefix}${relative}/`, mode: 0o755, content: { kind: 'directory' } });
    }
    for (const child of children) {
      const path = relative === '' ? child.name : `${relative}/${child.name}`;
      if (!admits(path, child.isDirectory())) continue;
      const source = join(directory, path);
      if (child.isDirectory()) await visit(path);
      else if (child.isSymbolicLink()) {
        entries.push({ path: prefix + path, mode: 0o777, content: { kind: 'link', target: await readlink(source) } });
      } else if (child.isFile()) {
        const mode = (await lstat(source)).mode & 0o777;
        entries.push({ path: prefix + path, mode, content: { kind: 'file', source } });
      }
    }
  };
  await visit('');
  return entries;
}
