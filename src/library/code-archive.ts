/** Archives of functions and layers in memory, with the digest by which AWS compares them. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../operator-error.ts';

/** An archive with its SHA-256 in Base64. Equal content gives equal bytes. */
export type CodeArchive = { readonly zip: Buffer; readonly sha256: string };

export function archive(zip: Buffer): CodeArchive {
  return { zip, sha256: createHash('sha256').update(zip).digest('base64') };
}

/** @throws OperatorError 'file-unreadable' */
export async function readArchive(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (failure) {
    throw new OperatorError('file-unreadable', { file: path, reason: (failure as Error).message }, failure);
  }
}

/** The bytes of the archive that `write` writes to the path that it gets. */
export async function written(write: (path: string) => Promise<unknown>): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'lamella-archive-'));
  try {
    await write(join(directory, 'archive.zip'));
    return await readFile(join(directory, 'archive.zip'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
