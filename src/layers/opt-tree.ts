/**
 * The /opt directory of a function: its layers merged in order into one tree of hard links. A file of a later layer
 * replaces that of an earlier one. Trees are read-only for functions, cached by the list of digests, and created by a
 * rename.
 * https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants, existsSync, renameSync } from 'node:fs';
import { chmod, copyFile, link, lstat, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Archives } from '../storage/archives.ts';
import type { DataDirectory } from '../storage/data-directory.ts';
import { diskFullOf } from '../storage/disk-full.ts';
import type { ContentDigest } from './layer.ts';

export type OptTrees = {
  /**
   * The directory to mount at /opt for these layers, first to last; undefined for no layers. Built on first use;
   * concurrent callers share one build.
   */
  tree(digests: readonly ContentDigest[]): Promise<string | undefined>;
  /** Removes all trees except those in `keep`, which is called after listing them. Returns how many were removed. */
  collect(keep: () => Iterable<readonly ContentDigest[]>): Promise<number>;
};

export function createOptTrees({
  archives,
  data,
}: {
  archives: Archives;
  data: Pick<DataDirectory, 'opt' | 'staging'>;
}): OptTrees {
  const builds = new Map<string, Promise<string>>();

  const build = async (digests: readonly ContentDigest[], target: string): Promise<string> => {
    if (existsSync(target)) return target;
    const staged = join(data.staging, randomUUID());
    try {
      await mkdir(staged, { mode: 0o755 });
      for (const digest of digests) await merge(await archives.openTree(digest), staged);
      await chmod(staged, 0o755);
      await rename(staged, target);
    } catch (failure) {
      await rm(staged, { recursive: true, force: true });
      throw diskFullOf(failure, target) ?? failure;
    }
    return target;
  };

  return {
    async tree(digests) {
      const [only, ...others] = digests;
      if (only === undefined) return undefined;
      // Nothing to merge: use the layer's own tree.
      if (others.length === 0) return archives.openTree(only);
      const key = keyOf(digests);
      const started = builds.get(key);
      // A tree can be removed by hand, to free space.
      if (started !== undefined && existsSync(await started)) return started;
      const building = build(digests, join(data.opt, key));
      builds.set(key, building);
      // The next caller retries a failed build.
      building.catch(() => builds.delete(key));
      return building;
    },
    async collect(keep) {
      const present = await readdir(data.opt);
      const kept = new Set(Array.from(keep(), keyOf));
      const removed: string[] = [];
      for (const key of present) {
        if (kept.has(key)) continue;
        builds.delete(key);
        const discarded = join(data.staging, randomUUID());
        renameSync(join(data.opt, key), discarded);
        removed.push(discarded);
      }
      for (const path of removed) await rm(path, { recursive: true, force: true });
      return removed.length;
    },
  };
}

function keyOf(digests: readonly ContentDigest[]): string {
  return createHash('sha256').update(digests.join('\n')).digest('hex');
}

async function merge(source: string, target: string): Promise<void> {
  const entries = await readdir(source, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const from = join(source, entry.name);
      const to = join(target, entry.name);
      if (!entry.isDirectory()) return place(from, to);
      const { mode } = await lstat(from);
      await makeDirectory(to);
      await merge(from, to);
      await chmod(to, mode & 0o777);
    }),
  );
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (failure) {
    if (!hasCode(failure, 'EEXIST')) throw failure;
    if ((await lstat(path)).isDirectory()) return;
    // An earlier layer has a file or link with this name. Following a link would write outside the tree.
    await rm(path);
    await mkdir(path, { mode: 0o700 });
  }
}

/** Links a file or symbolic link, replacing what an earlier layer has at this path. */
async function place(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (failure) {
    if (hasCode(failure, 'EEXIST')) {
      await rm(to, { recursive: true });
      await place(from, to);
    } else if (hasCode(failure, 'EMLINK') || hasCode(failure, 'EXDEV') || hasCode(failure, 'EPERM')) {
      // The file has the maximum number of hard links, or the file system does not support them.
      await copy(from, to);
    } else {
      throw failure;
    }
  }
}

async function copy(from: string, to: string): Promise<void> {
  // copyFile would follow a symbolic link to a file of this machine.
  if ((await lstat(from)).isSymbolicLink()) await symlink(await readlink(from), to);
  else await copyFile(from, to, constants.COPYFILE_EXCL);
}

function hasCode(failure: unknown, code: string): boolean {
  return failure instanceof Error && 'code' in failure && failure.code === code;
}
