/**
 * Keeps a directory equal to the entries of a package: writes what has changed and removes what is gone. Each file is
 * replaced by renaming, so that a function that is reading sees the old one or the new one.
 */
import { createHash, randomUUID } from 'node:crypto';
import { chmod, copyFile, lstat, mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ZipEntry } from '../packaging/zip-writer.ts';

export type SyncedDirectory = {
  /** Makes the directory contain exactly these entries. */
  sync(entries: readonly ZipEntry[]): Promise<void>;
};

/** Begins with an empty directory. */
export function createSyncedDirectory(directory: string): SyncedDirectory {
  /** What was written, by path. */
  const written = new Map<string, string>();
  let isEmpty = false;
  return {
    async sync(entries) {
      if (!isEmpty) {
        await rm(directory, { recursive: true, force: true });
        await makeDirectory(directory);
        isEmpty = true;
      }
      const wanted = new Set<string>();
      for (const entry of entries) {
        const path = entry.path.replace(/\/$/, '');
        for (let parent = path; parent !== '.' && parent !== '/'; parent = dirname(parent)) wanted.add(parent);
        const state = await stateOf(entry);
        if (written.get(path) === state) continue;
        await write(join(directory, path), entry);
        written.set(path, state);
      }
      for (const path of [...written.keys()]) if (!wanted.has(path)) written.delete(path);
      await removeOthers(directory, '', wanted);
    },
  };
}

async function stateOf({ mode, content }: ZipEntry): Promise<string> {
  if (content.kind === 'directory') return 'directory';
  if (content.kind === 'link') return `link ${content.target}`;
  if (content.kind === 'bytes') return `${mode} ${createHash('sha256').update(content.bytes).digest('hex')}`;
  const { size, mtimeMs, ino } = await stat(content.source);
  return `${mode} ${content.source} ${size} ${mtimeMs} ${ino}`;
}

async function write(target: string, { mode, content }: ZipEntry): Promise<void> {
  if (content.kind === 'directory') return makeDirectory(target);
  await makeDirectory(dirname(target));
  const unfinished = join(dirname(target), `.${randomUUID()}.part`);
  try {
    if (content.kind === 'link') await symlink(content.target, unfinished);
    else if (content.kind === 'file') await copyFile(content.source, unfinished);
    else await writeFile(unfinished, content.bytes);
    if (content.kind !== 'link') await chmod(unfinished, (mode & 0o111) === 0 ? 0o644 : 0o755);
    const present = await lstat(target).catch(() => undefined);
    if (present?.isDirectory()) await rm(target, { recursive: true });
    await rename(unfinished, target);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Readable for the function's user, whatever this user's umask is. */
async function makeDirectory(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true });
  if (made !== undefined) {
    for (let one = path; one.length >= made.length; one = dirname(one)) await chmod(one, 0o755);
  }
}

async function removeOthers(directory: string, inside: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const child of await readdir(join(directory, inside), { withFileTypes: true })) {
    const path = inside === '' ? child.name : `${inside}/${child.name}`;
    if (!wanted.has(path)) await rm(join(directory, path), { recursive: true, force: true });
    else if (child.isDirectory()) await removeOthers(directory, path, wanted);
  }
}
