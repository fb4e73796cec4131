/** Unpacks the archive of a layer, ours or another's, by the rules for a published one (`storage/archive.ts`). */
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../operator-error.ts';
import { ArchiveError, unpackArchive } from '../storage/archive.ts';

export type LayerTarget = {
  /** The directory to create: what a function would see as /opt. */
  readonly directory: string;
  /** A directory that does not exist yet, on the same file system. */
  readonly staging: string;
  /** Maximum size of all files together, in bytes. */
  readonly unpackedBytes: number;
};

const MAX_ENTRIES = 1_000_000;

/**
 * Unpacks the archive at `file` and returns its bytes. Throws `OperatorError` `file-unreadable` if it cannot be read,
 * or if Lambda would not accept it.
 */
export async function unpackLayer(file: string, { directory, staging, unpackedBytes }: LayerTarget): Promise<Buffer> {
  const unreadable = (reason: string, cause: Error) => new OperatorError('file-unreadable', { file, reason }, cause);
  const zip = await readFile(file).catch((failure: NodeJS.ErrnoException) => {
    throw unreadable(failure.code ?? failure.message, failure);
  });
  const limits = { unpackedBytes, entries: MAX_ENTRIES };
  await unpackArchive(zip, { target: directory, staging, limits }).catch((failure: unknown) => {
    throw failure instanceof ArchiveError ? unreadable(failure.message, failure) : failure;
  });
  return zip;
}
