/**
 * Removes a directory tree that a function wrote: with paths longer than the kernel accepts, directories without
 * permissions, and names that are not UTF-8. Every step is relative to an open directory (`/proc/self/fd/N/name`), so
 * no path is long and no link is followed.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { chmod, lstat, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';

/** Deeper directories are moved to the top first. Bounds the number of open descriptors. */
const MAX_DEPTH = 32;
const UNLINKS_AT_ONCE = 32;
/** A process that is being killed may still create files. */
const MAX_ATTEMPTS = 5;

/**
 * Removes a directory tree, or a file. Does nothing if it does not exist. Links are removed, never followed. If
 * something cannot be removed, the rest is removed and the first error is thrown.
 */
export async function removeTree(directory: string): Promise<void> {
  const stats = await ignoring('ENOENT', () => lstat(directory));
  if (stats === undefined) return;
  if (!stats.isDirectory()) return ignoring('ENOENT', () => unlink(directory));
  for (let attempt = 1; ; attempt += 1) {
    const failure = await emptyAndRemove(directory);
    if (failure === undefined) return;
    if (codeOf(failure) !== 'ENOTEMPTY' || attempt === MAX_ATTEMPTS) throw failure;
  }
}

/** Returns the first error. */
async function emptyAndRemove(directory: string): Promise<unknown> {
  try {
    const top = await openDirectory(directory);
    if (top === undefined) return undefined;
    try {
      for (;;) {
        const { moved, failure } = await empty(top, { depth: 0, top: pathOf(top) });
        if (moved > 0) continue;
        if (failure !== undefined) return failure;
        break;
      }
    } finally {
      await top.close();
    }
    await ignoring('ENOENT', () => rmdir(directory));
    return undefined;
  } catch (failure) {
    return failure;
  }
}

type Emptied = {
  /** How many directories were moved to the top, where the next pass removes them. */
  moved: number;
  failure: unknown;
};

async function empty(directory: FileHandle, { depth, top }: { depth: number; top: string }): Promise<Emptied> {
  const result: Emptied = { moved: 0, failure: undefined };
  const attempt = async (action: () => Promise<unknown>) => {
    try {
      await ignoring('ENOENT', action);
    } catch (failure) {
      result.failure ??= failure;
    }
  };
  // Names as bytes: a function may choose names that are not UTF-8.
  const entries = await readdir(pathOf(directory), { withFileTypes: true, encoding: 'buffer' });
  const inside = (name: Buffer) => Buffer.concat([Buffer.from(`${pathOf(directory)}/`), name]);
  const others = entries.filter((entry) => !entry.isDirectory());
  for (let at = 0; at < others.length; at += UNLINKS_AT_ONCE) {
    const batch = others.slice(at, at + UNLINKS_AT_ONCE);
    await Promise.all(batch.map(({ name }) => attempt(() => unlink(inside(name)))));
  }
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const path = inside(entry.name);
    await attempt(async () => {
      const child = await openDirectory(path);
      if (child === undefined) return;
      let isMoved = false;
      try {
        if (depth === MAX_DEPTH) {
          await rename(path, `${top}/${randomUUID()}`);
          isMoved = true;
          result.moved += 1;
        } else {
          const { moved, failure } = await empty(child, { depth: depth + 1, top });
          result.moved += moved;
          if (failure !== undefined) throw failure;
        }
      } finally {
        await child.close();
      }
      if (!isMoved) await rmdir(path);
    });
  }
  return result;
}

/** Opens a directory so that its owner can change it. Undefined if it does not exist, or is something else by now. */
async function openDirectory(path: string | Buffer): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  let handle: FileHandle | undefined;
  try {
    handle = await ignoring('ENOENT', () => open(path, flags));
  } catch (failure) {
    if (codeOf(failure) !== 'EACCES') throw failure;
    await chmod(path, 0o700);
    handle = await open(path, flags);
  }
  // Another user's directory may still be writable. If not, the removal fails with the kernel's error.
  if (handle !== undefined && ((await handle.stat()).mode & 0o700) !== 0o700) {
    await ignoring('EPERM', async () => handle.chmod(0o700));
  }
  return handle;
}

function pathOf(directory: FileHandle): string {
  return `/proc/self/fd/${directory.fd}`;
}

async function ignoring<Result>(code: string, action: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await action();
  } catch (failure) {
    if (codeOf(failure) === code) return undefined;
    throw failure;
  }
}

function codeOf(failure: unknown): string | undefined {
  return failure instanceof Error && 'code' in failure ? String(failure.code) : undefined;
}
