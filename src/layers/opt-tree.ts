/**
 * The /opt of a function: its layers merged in their order into one tree of hard links, a later layer's file over an
 * earlier one's. Trees are read-only to functions, cached by the list of digests, and appear by a rename.
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
   * The folder to mount at /opt for these layers, first to last; undefined when there are none. Built when it is first
   * asked for; callers that ask at the same time share one build.
   */
  tree(digests: readonly ContentDigest[]): Promise<string | undefined>;
  /** Removes the trees of all lists but these; answers how many. `keep` is asked when all are listed. */
  collect(keep: () => Iterable<readonly ContentDigest[]>): Promise<number>;
};

export function createOptTrees({
  archives,
  data,
}: {
  archives: Archives;
  data: Pick<DataDirectory, 'opt' | 'staging'>;
}): OptTrees {
  const known = new Map<string, Promise<string>>();

  const build = async (digests: readonly ContentDigest[], target: string): Promise<string> => {
    if (existsSync(target)) return target;
    const staged = join(data.staging, randomUUID());
    try {
      await mkdir(staged, { mode: 0o755 });
      for (const digest of digests) await merge(archives.tree(digest), staged);
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
      // Nothing to merge: the layer's own tree will do.
      if (others.length === 0) return archives.tree(only);
      const key = keyOf(digests);
      const tree = known.get(key);
      if (tree !== undefined) return tree;
      const building = build(digests, join(data.opt, key));
      known.set(key, building);
      // A failed build must not be remembered; whoever asks next tries again.
      building.catch(() => known.delete(key));
      return building;
    },
    async collect(keep) {
      const present = await readdir(data.opt);
      const kept = new Set(Array.from(keep(), keyOf));
      const graves: string[] = [];
      for (const key of present) {
        if (kept.has(key)) continue;
        known.delete(key);
        const grave = join(data.staging, randomUUID());
        renameSync(join(data.opt, key), grave);
        graves.push(grave);
      }
      for (const grave of graves) await rm(grave, { recursive: true, force: true });
      return graves.length;
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
      await makeFolder(to);
      await merge(from, to);
      await chmod(to, mode & 0o777);
    }),
  );
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (failure) {
    if (!hasCode(failure, 'EEXIST')) throw failure;
    if ((await lstat(path)).isDirectory()) return;
    // An earlier layer has a file or a link of that name. Writing through a link would put files elsewhere.
    await rm(path);
    await mkdir(path, { mode: 0o700 });
  }
}

/** Puts a file or a link in its place, over whatever an earlier layer has there. */
async function place(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (failure) {
    if (hasCode(failure, 'EEXIST')) {
      await rm(to, { recursive: true });
      await place(from, to);
    } else if (hasCode(failure, 'EMLINK') || hasCode(failure, 'EXDEV') || hasCode(failure, 'EPERM')) {
      // The file has as many names as the file system allows, or it has no hard links at all.
      await copy(from, to);
    } else {
      throw failure;
    }
  }
}

async function copy(from: string, to: string): Promise<void> {
  // Copying a link would copy what it means on this machine.
  if ((await lstat(from)).isSymbolicLink()) await symlink(await readlink(from), to);
  else await copyFile(from, to, constants.COPYFILE_EXCL);
}

function hasCode(failure: unknown, code: string): boolean {
  return failure instanceof Error && 'code' in failure && failure.code === code;
}
