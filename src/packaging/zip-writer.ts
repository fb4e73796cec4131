/**
 * Writes reproducible zip archives: entries are sorted by name and have a fixed time, and modes and symbolic links are
 * kept. The archive is written to a temporary file and renamed, so it is never incomplete. `directory-entries.ts` lists
 * a directory as entries; `storage/archive.ts` reads archives.
 */
import { closeSync, createWriteStream, openSync, rmSync, statSync } from 'node:fs';
import { lstat, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { OperatorError } from '../operator-error.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import { markUnfinished } from './unfinished-files.ts';

export type ZipEntry = {
  /** Relative, with `/` between its parts and without `..`. */
  readonly path: string;
  /** Permission bits, for example 0o755. */
  readonly mode: number;
  readonly content:
    | { readonly kind: 'file'; readonly source: string }
    | { readonly kind: 'bytes'; readonly bytes: Buffer }
    | { readonly kind: 'link'; readonly target: string }
    | { readonly kind: 'directory' };
};

export type WrittenZip = { readonly path: string; readonly bytes: number; readonly entries: number };

/** The earliest time in a zip. Zip stores local time, so a local Date gives the same bytes in every time zone. */
const FIXED_TIME = new Date(1980, 0, 1);
const SYMBOLIC_LINK = 0o120000;
const REGULAR_FILE = 0o100000;

/**
 * Writes `entries` to `output`, replacing it. Throws if two entries have the same name, and the reason of `signal` if that
 * aborts it. Source files must not change while it runs.
 */
export async function writeZip(output: string, entries: Iterable<ZipEntry>, signal?: AbortSignal): Promise<WrittenZip> {
  const sorted = [...entries].sort(byPath);
  sorted.forEach((entry, index) => {
    if (entry.path === sorted[index - 1]?.path)
      throw new Error(`Two entries with the name ${entry.path} for ${output}`);
  });
  checkOutput(output);
  const unfinished = unfinishedOf(output);
  const finish = markUnfinished(unfinished);
  try {
    const zip = new ZipFile();
    const archive = new PassThrough();
    zip.outputStream.pipe(archive);
    zip.once('error', (failure) => archive.destroy(failure));
    for (const entry of sorted) addEntry(zip, entry);
    zip.end();
    await pipeline(archive, createWriteStream(unfinished), signal ? { signal } : {}).catch((failure: unknown) => {
      signal?.throwIfAborted();
      throw failure;
    });
    const { size } = await lstat(unfinished);
    await rename(unfinished, output);
    return { path: output, bytes: size, entries: sorted.length };
  } finally {
    await rm(unfinished, { force: true });
    finish();
  }
}

/**
 * Checks that an archive can be written to `output`, and creates its directory. Call it before work that takes long.
 * Throws `OperatorError` `file-unwritable`.
 */
export function checkOutput(output: string): void {
  try {
    makeDirectory(dirname(output));
    if (statSync(output, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a directory');
    closeSync(openSync(unfinishedOf(output), 'w'));
    rmSync(unfinishedOf(output));
  } catch (failure) {
    throw new OperatorError('file-unwritable', { file: output, reason: (failure as Error).message }, failure);
  }
}

function unfinishedOf(output: string): string {
  return `${output}.${process.pid}.part`;
}

/** Bytes of all files together, as AWS counts them against its quota. Throws `OperatorError` `file-unreadable`. */
export async function sizeOfEntries(entries: readonly ZipEntry[]): Promise<number> {
  let total = 0;
  for (const entry of entries) total += await sizeOfEntry(entry);
  return total;
}

/** Size of one file, in bytes; 0 for a link or a directory. Throws `OperatorError` `file-unreadable`. */
export async function sizeOfEntry({ content }: ZipEntry): Promise<number> {
  if (content.kind === 'bytes') return content.bytes.length;
  if (content.kind !== 'file') return 0;
  const { size } = await stat(content.source).catch((failure: Error) => {
    throw new OperatorError('file-unreadable', { file: content.source, reason: failure.message }, failure);
  });
  return size;
}

/** The entry with a mode that does not depend on the user's umask: 0755 where anyone can execute it, otherwise 0644. */
export function withNormalMode(entry: ZipEntry): ZipEntry {
  const { kind } = entry.content;
  if (kind === 'link') return entry;
  return { ...entry, mode: kind === 'directory' || entry.mode & 0o111 ? 0o755 : 0o644 };
}

/** Level 9 takes almost three times as long for programs such as Node.js, and saves 0.4 %. */
const COMPRESSION_LEVEL = 6;

function addEntry(zip: ZipFile, { path, mode, content }: ZipEntry): void {
  const fixed = { mtime: FIXED_TIME, forceDosTimestamp: true };
  const options = { ...fixed, compressionLevel: COMPRESSION_LEVEL };
  if (content.kind === 'file') zip.addFile(content.source, path, { ...options, mode: REGULAR_FILE | mode });
  else if (content.kind === 'bytes') zip.addBuffer(content.bytes, path, { ...options, mode: REGULAR_FILE | mode });
  else if (content.kind === 'directory') zip.addEmptyDirectory(path, { ...fixed, mode: 0o040000 | mode });
  else zip.addBuffer(Buffer.from(content.target), path, { ...fixed, compress: false, mode: SYMBOLIC_LINK | mode });
}

/** Compares bytes, so that the order does not depend on the locale. */
function byPath(a: ZipEntry, b: ZipEntry): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
