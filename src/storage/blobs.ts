/**
 * Content-addressed files: each content is stored once, under its SHA-256. A file appears by a rename when all its
 * bytes are on disk, so an existing file is complete. Callers decide when to remove one.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataDirectory } from './data-directory.ts';
import { diskFullOf } from './disk-full.ts';

export type BlobIdentity = {
  /** SHA-256 in lower-case hex: the file's name. */
  readonly digest: string;
  /** The same SHA-256 in Base64, as AWS returns it. */
  readonly sha256: string;
  readonly size: number;
};

export type Blobs = {
  /** Stores `content` unless it is stored already. @throws OperatorError 'disk-full', leaving nothing behind */
  put(content: Buffer): Promise<BlobIdentity>;
  /** The path of a blob, which need not exist. */
  path(digest: string): string;
  /** The digests of all blobs. */
  list(): Promise<string[]>;
  /** Removes a blob, synchronously. Does nothing if it does not exist. */
  remove(digest: string): void;
};

/** Opens the blobs of a data directory. Unfinished ones are in `staging`, on the same file system. */
export function createBlobs({ blobs, staging }: Pick<DataDirectory, 'blobs' | 'staging'>): Blobs {
  const path = (digest: string) => join(blobs, digest);
  return {
    path,
    async put(content) {
      const identity = identify(content);
      if (existsSync(path(identity.digest))) return identity;
      const staged = join(staging, randomUUID());
      try {
        const file = await open(staged, 'wx', 0o600);
        try {
          await file.writeFile(content);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(staged, path(identity.digest));
      } catch (failure) {
        await rm(staged, { force: true });
        throw diskFullOf(failure, blobs) ?? failure;
      }
      return identity;
    },
    list: () => readdir(blobs),
    remove: (digest) => rmSync(path(digest), { force: true }),
  };
}

/** Returns what `put` would, without storing anything. */
export function identify(content: Buffer): BlobIdentity {
  const hash = createHash('sha256').update(content).digest();
  return { digest: hash.toString('hex'), sha256: hash.toString('base64'), size: content.length };
}
