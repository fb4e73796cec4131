/**
 * Zip entries from a directory on disk, and back: `entriesOfDirectory` lists a directory as entries, `writeDirectory`
 * writes entries out as files. The archive itself is written by `zip-writer.ts` and read by `storage/archive.ts`.
 */
import { chmod, copyFile, lstat, mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ZipEntry } from './zip-writer.ts';

/** Lays `entries` out below `folder`, which is made if need be: what unpacking their zip there would give. */
export async function writeDirectory(folder: string, entries: Iterable<ZipEntry>): Promise<void> {
  for (const { path, mode, content } of entries) {
    const target = join(folder, path);
    await mkdir(content.kind === 'directory' ? target : dirname(target), { recursive: true });
    if (content.kind === 'link') await symlink(content.target, target);
    else if (content.kind === 'file') await copyFile(content.source, target);
    else if (content.kind === 'bytes') await writeFile(target, content.bytes);
    if (content.kind !== 'link') await chmod(target, mode);
  }
}

/**
 * The entries for everything below `folder`, named from there with `prefix` (`vendor/`) in front. Links stay links;
 * empty folders are kept; sockets and devices are left out. `admits` may refuse a file or a whole folder by its name
 * from `folder`.
 */
export async function entriesOfDirectory(
  folder: string,
  options: { readonly prefix?: string; readonly admits?: (path: string, isFolder: boolean) => boolean } = {},
): Promise<ZipEntry[]> {
  const { prefix = '', admits = () => true } = options;
  const entries: ZipEntry[] = [];
  const visit = async (relative: string): Promise<void> => {
    const children = await readdir(join(folder, relative), { withFileTypes: true });
    if (children.length === 0 && relative !== '') {
      entries.push({ path: `${prefix}${relative}/`, mode: 0o755, content: { kind: 'directory' } });
    }
    for (const child of children) {
      const path = relative === '' ? child.name : `${relative}/${child.name}`;
      if (!admits(path, child.isDirectory())) continue;
      const source = join(folder, path);
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
