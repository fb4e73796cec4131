/**
 * Uploaded zip archives, each kept twice under its digest: as it came (a blob, for downloads) and unpacked (a tree, to
 * be mounted). Both appear by a rename, so whichever exists is whole, and the tree exists once however many layers and
 * functions are made of it.
 *
 * An archive is held from `add` until its `release`, and everything else lives by what `collect` is told to keep: the
 * one place where archives are removed cannot take one that is just being recorded.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveLimits } from './archive.ts';
import { measureArchive, unpackArchive } from './archive.ts';
import type { BlobIdentity } from './blobs.ts';
import { createBlobs, identify } from './blobs.ts';
import type { DataDirectory } from './data-directory.ts';

export type StoredArchive = BlobIdentity & {
  /** Bytes of all its files, unpacked. */
  readonly unpackedSize: number;
  /** Ends the protection from `collect`: call it once the archive is recorded, or given up. */
  release(): void;
};

export type Archives = {
  /**
   * Stores an archive, as a blob and unpacked, unless it is there already.
   * @throws ArchiveError when it is not fit, OperatorError 'disk-full'; neither leaves anything behind
   */
  add(zip: Buffer, limits: ArchiveLimits): Promise<StoredArchive>;
  /** The zip file as it came. */
  path(digest: string): string;
  /** The folder with what was in it. */
  tree(digest: string): string;
  /** Removes every archive that is not in `keep` nor held; answers how many. `keep` is asked when all are listed. */
  collect(keep: () => ReadonlySet<string>): Promise<number>;
};

/** Archives in the data folder's places for them; unfinished and discarded ones are in `staging`, on the same disk. */
export function createArchives(data: Pick<DataDirectory, 'blobs' | 'trees' | 'staging'>): Archives {
  const { trees, staging } = data;
  const blobs = createBlobs(data);
  const held = new Map<string, number>();
  const unpacking = new Map<string, Promise<void>>();
  const tree = (digest: string) => join(trees, digest);

  const hold = (digest: string) => {
    held.set(digest, (held.get(digest) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const holders = (held.get(digest) ?? 1) - 1;
      if (holders === 0) held.delete(digest);
      else held.set(digest, holders);
    };
  };
  /** Callers that bring the same archive at the same time share one unpacking. */
  const unpackOnce = (digest: string, zip: Buffer, limits: ArchiveLimits): Promise<void> => {
    const running = unpacking.get(digest);
    if (running !== undefined) return running;
    const target = tree(digest);
    if (existsSync(target)) return Promise.resolve();
    const started = unpackArchive(zip, { target, staging: join(staging, randomUUID()), limits })
      .then(() => undefined)
      .finally(() => unpacking.delete(digest));
    unpacking.set(digest, started);
    return started;
  };

  /** Takes an archive out of sight at once; answers the folder that is left to be removed. */
  const discard = (digest: string): string => {
    blobs.remove(digest);
    const grave = join(staging, randomUUID());
    if (existsSync(tree(digest))) renameSync(tree(digest), grave);
    return grave;
  };

  return {
    async add(zip, limits) {
      const identity = identify(zip);
      const release = hold(identity.digest);
      try {
        await unpackOnce(identity.digest, zip, limits);
        // The same archive may have been let in under a wider limit.
        const { bytes } = await measureArchive(zip, limits);
        await blobs.put(zip);
        return { ...identity, unpackedSize: bytes, release };
      } catch (failure) {
        release();
        // Without its blob a tree has been recorded nowhere.
        if (!held.has(identity.digest) && !existsSync(blobs.path(identity.digest))) {
          await rm(discard(identity.digest), { recursive: true, force: true });
        }
        throw failure;
      }
    },
    path: (digest) => blobs.path(digest),
    tree,
    async collect(keep) {
      const present = new Set([...(await blobs.list()), ...(await readdir(trees))]);
      const kept = keep();
      const discarded: string[] = [];
      // In one go, without waiting: nothing can come to need an archive between the question and its end.
      for (const digest of present) {
        if (!kept.has(digest) && !held.has(digest)) discarded.push(discard(digest));
      }
      for (const grave of discarded) await rm(grave, { recursive: true, force: true });
      return discarded.length;
    },
  };
}
