/**
 * Content-addressed files: what is put in is found by its SHA-256, once, whoever put it. A file appears by a rename
 * when all its bytes are on disk, so one that is there is whole. Who still needs it is not known here.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataDirectory } from './data-directory.ts';
import { diskFullOf } from './disk-full.ts';

export type BlobIdentity = {
  /** Lower-case hex SHA-256: the file's name. */
  readonly digest: string;
  /** The same in Base64, as AWS reports it. */
  readonly sha256: string;
  readonly size: number;
};

export type Blobs = {
  /** Stores `content` unless it is there already. @throws OperatorError 'disk-full', leaving nothing behind */
  put(content: Buffer): Promise<BlobIdentity>;
  /** Where the blob lies, whether it exists or not. */
  path(digest: string): string;
  /** The digests of all blobs. */
  list(): Promise<string[]>;
  /** Removes the blob at once; one that is missing is no error. */
  remove(digest: string): void;
};

/** Blobs in the data folder's place for them; unfinished ones lie in `staging`, on the same disk. */
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

/** What `put` would answer, without storing anything. */
export function identify(content: Buffer): BlobIdentity {
  const hash = createHash('sha256').update(content).digest();
  return { digest: hash.toString('hex'), sha256: hash.toString('base64'), size: content.length };
}
