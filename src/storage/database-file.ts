/**
 * Checks the files of the database before SQLite opens them. SQLite takes an empty file for a new database, and a lost
 * database must not cost the archives: nothing of theirs is removed until something has referred to them again.
 */
import { chmodSync, closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import { keepUnreferenced } from './unreferenced.ts';

/** SQLite's header: https://www.sqlite.org/fileformat.html#the_database_header */
const HEADER_BYTES = 100;

/**
 * Creates the file of a new database, readable only by its owner, and makes an existing one private.
 * @param content the directories of files that only the database refers to
 * @throws OperatorError 'database-corrupt' for a file that is truncated, or empty although `content` is not
 */
export function prepareDatabaseFile(file: string, content: readonly string[], log: Log): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (!size) {
    const occupied = content.filter((directory) => namesIn(directory).length > 0);
    if (size === 0 && occupied.length > 0) {
      const reason = `the file is empty, but there are files in ${occupied.join(' and ')} that belong to it`;
      throw new OperatorError('database-corrupt', { file, reason });
    }
    for (const directory of occupied) {
      const files = keepUnreferenced(directory);
      log.warn(
        { database: file, directory, files },
        'the database is new, but the directory has files of another one; they are kept, in case that one is restored',
      );
    }
    closeSync(openSync(file, 'a', 0o600));
  } else {
    refuseTruncated(file, size);
  }
  for (const path of [file, `${file}-wal`, `${file}-shm`]) makePrivate(path, 0o600, log);
}

/** Removes the permissions of other users, and warns about them. Does nothing if `path` does not exist. */
export function makePrivate(path: string, mode: number, log: Log): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || (stats.mode & 0o777 & ~mode) === 0) return;
  const was = (stats.mode & 0o777).toString(8).padStart(4, '0');
  // A directory such as /tmp belongs to everyone. The files and directories in it are private.
  const isShared = stats.isDirectory() && (stats.mode & 0o1002) !== 0;
  if (isShared || stats.uid !== process.geteuid?.()) {
    log.warn({ path, mode: was }, 'other users have access to this path');
    return;
  }
  chmodSync(path, mode);
  log.warn({ path, was, now: mode.toString(8).padStart(4, '0') }, 'other users had access to this path');
}

function refuseTruncated(file: string, size: number): void {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(descriptor);
  }
  // SQLite itself reports a file that is not a database.
  if (size >= HEADER_BYTES && header.toString('latin1', 0, 16) !== 'SQLite format 3\0') return;
  // Pages that are missing here may be in the log, if the service was killed while it wrote them back.
  if (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size) return;
  const isCountValid = header.readUInt32BE(24) === header.readUInt32BE(92);
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const expected = size < HEADER_BYTES ? HEADER_BYTES : isCountValid ? header.readUInt32BE(28) * pageBytes : 0;
  if (size >= expected) return;
  throw new OperatorError('database-corrupt', {
    file,
    reason: `it has ${size} bytes instead of at least ${expected}`,
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The directories below `root` whose files only the database refers to. */
export function contentDirectories(root: string): string[] {
  return [join(root, 'blobs'), join(root, 's3', 'objects')];
}
