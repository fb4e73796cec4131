/**
 * Stores uploaded zip archives by digest, in two forms: as uploaded (a blob, for downloads) and unpacked (a tree, to be
 * mounted). Both appear by a rename, so an existing one is complete. Layers and functions with the same archive share
 * it.
 *
 * Only `collect` removes archives. It keeps those that its caller lists, and those between their `add` and `release`:
 * an archive that is still being recorded in the database cannot be removed.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Log, silentLog } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import type { ArchiveLimits } from './archive.ts';
import { ArchiveError, measureArchive, unpackArchive } from './archive.ts';
import type { BlobIdentity } from './blobs.ts';
import { createBlobs, identify } from './blobs.ts';
import type { DataDirectory } from './data-directory.ts';
import { createUnreferenced } from './unreferenced.ts';

export type StoredArchive = BlobIdentity & {
  /** Size of all files, unpacked, in bytes. */
  readonly unpackedSize: number;
  /** Ends the protection from `collect`. Call it when the archive has been recorded, or is no longer needed. */
  release(): void;
};

export type Archives = {
  /**
   * Stores an archive as a blob and as a tree, unless it is stored already.
   * @throws ArchiveError, OperatorError 'disk-full'; neither leaves anything behind
   */
  add(zip: Buffer, limits: ArchiveLimits): Promise<StoredArchive>;
  /** The path of the zip file. */
  path(digest: string): string;
  /** The directory with its unpacked files. */
  tree(digest: string): string;
  /**
   * The same directory, unpacked again if it is missing.
   * @throws OperatorError 'archive-missing', 'disk-full'
   */
  openTree(digest: string): Promise<string>;
  /**
   * Removes every archive that, for a day, has neither been in `keep` nor between `add` and `release`. Returns their
   * number. `keep` is called after the archives have been listed.
   */
  collect(keep: () => ReadonlySet<string>, nowMs: number): Promise<number>;
};

/** Limits for an archive that has been accepted before. */
const STORED_LIMITS: ArchiveLimits = { unpackedBytes: Number.MAX_SAFE_INTEGER, entries: Number.MAX_SAFE_INTEGER };

/** Opens the archives of a data directory. Unfinished and discarded ones are in `staging`, on the same file system. */
export function createArchives(
  data: Pick<DataDirectory, 'blobs' | 'trees' | 'staging'>,
  log: Log = silentLog,
): Archives {
  const { trees, staging } = data;
  const blobs = createBlobs(data);
  const unreferenced = createUnreferenced(data.blobs);
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
  /** Concurrent uploads of the same archive share one unpacking. */
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

  /** Moves an archive away at once, and returns the directory that the caller must remove. */
  const discard = (digest: string): string => {
    blobs.remove(digest);
    const discardedTree = join(staging, randomUUID());
    if (existsSync(tree(digest))) renameSync(tree(digest), discardedTree);
    return discardedTree;
  };

  return {
    async add(zip, limits) {
      const identity = identify(zip);
      const release = hold(identity.digest);
      try {
        await unpackOnce(identity.digest, zip, limits);
        // The archive may have been stored under a higher limit.
        const { bytes } = await measureArchive(zip, limits);
        await blobs.put(zip);
        return { ...identity, unpackedSize: bytes, release };
      } catch (failure) {
        if (failure instanceof ArchiveError) {
          log.warn({ sha256: identity.digest, problem: failure.problem, reason: failure.message }, 'archive refused');
        }
        release();
        // A tree without a blob has never been recorded.
        if (!held.has(identity.digest) && !existsSync(blobs.path(identity.digest))) {
          await rm(discard(identity.digest), { recursive: true, force: true });
        }
        throw failure;
      }
    },
    path: (digest) => blobs.path(digest),
    tree,
    async openTree(digest) {
      if (existsSync(tree(digest))) return tree(digest);
      const release = hold(digest);
      try {
        const missing = (cause?: unknown) => new OperatorError('archive-missing', { file: blobs.path(digest) }, cause);
        const zip = await readFile(blobs.path(digest)).catch((failure: unknown) => {
          throw missing(failure);
        });
        if (identify(zip).digest !== digest) throw missing();
        await unpackOnce(digest, zip, STORED_LIMITS);
        log.warn({ sha256: digest }, 'the unpacked files of an archive were missing and have been unpacked again');
        return tree(digest);
      } finally {
        release();
      }
    },
    async collect(keep, nowMs) {
      const present = new Set([...(await blobs.list()), ...(await readdir(trees))]);
      const kept = keep();
      const discarded: string[] = [];
      // Without an await in between, no archive can be recorded between `keep` and the last removal.
      const expired = unreferenced.expired(present, (digest) => kept.has(digest) || held.has(digest), nowMs);
      for (const digest of expired) discarded.push(discard(digest));
      for (const discardedTree of discarded) await rm(discardedTree, { recursive: true, force: true });
      return discarded.length;
    },
  };
}
