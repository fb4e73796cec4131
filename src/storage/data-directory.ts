/**
 * The directory in which a service keeps its data: its layout, and the lock that keeps a second service out. The lock
 * is an operating system lock, held through the database driver. It ends with the process, so it is never stale. Only
 * the service's own user can read the directory.
 *
 *   lock.db  service.pid      the lock, and the process that holds it
 *   lamella.db                everything but the files below
 *   blobs/  trees/            uploaded archives by digest, as uploaded and unpacked; a missing tree is unpacked again
 *   blobs-unreferenced/       marks of archives that are removed after a day
 *   opt/                      merged layers, by the list of their digests
 *   staging/                  unfinished files; emptied when the service starts
 *
 * Ephemeral directories have a common parent, where the next service removes those of killed services.
 */
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Log, silentLog } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import { removeTree } from '../remove-tree.ts';
import { lockFile } from './database.ts';
import { contentDirectories, makePrivate, prepareDatabaseFile } from './database-file.ts';
import { diskFullOf } from './disk-full.ts';
import { makeDirectory } from './make-directory.ts';

export type DataDirectory = {
  readonly root: string;
  readonly database: string;
  readonly blobs: string;
  readonly trees: string;
  readonly opt: string;
  readonly staging: string;
  /** While it is provisional, `close` removes all that the service created in it: a failed start leaves nothing behind. */
  setProvisional(provisional: boolean): void;
  /** Releases the lock, and removes an ephemeral directory. Close the database and other users of it first. */
  close(): Promise<void>;
};

const EPHEMERAL_PREFIX = 'lamella-ephemeral-';

/**
 * Locks a data directory, creates it if it does not exist, and removes the unfinished files of earlier services.
 * @param location a directory, or 'ephemeral' for a temporary one that is removed by `close`
 * @throws OperatorError 'data-dir-in-use', 'data-dir-unusable', 'database-corrupt' or 'disk-full'
 */
export function openDataDirectory(
  location: { readonly directory: string } | 'ephemeral',
  log: Log = silentLog,
): DataDirectory {
  const root = location === 'ephemeral' ? orUnusable(tmpdir(), makeTemporary) : resolve(location.directory);
  const created = recordCreated(root);
  return orUnusable(root, () => {
    makeDirectory(root, 0o700);
    // SQLite would create it readable for everyone.
    closeSync(openSync(join(root, 'lock.db'), 'a', 0o600));
    const lock = lockFile(join(root, 'lock.db'));
    if (lock === undefined) throw new OperatorError('data-dir-in-use', { directory: root, pid: pidOf(root) });
    try {
      writeFileSync(join(root, 'service.pid'), `${process.pid}\n`);
      makePrivate(root, 0o700, log);
      makePrivate(join(root, 'lock.db'), 0o600, log);
      const layout = { root, database: join(root, 'lamella.db'), ...makeDirectories(root, log) };
      prepareDatabaseFile(layout.database, contentDirectories(root), log);
      const swept = location === 'ephemeral' ? removeAbandoned(dirname(root)) : Promise.resolve();
      let isProvisional = false;
      return {
        ...layout,
        setProvisional(provisional) {
          isProvisional = provisional;
        },
        async close() {
          await swept;
          if (location === 'ephemeral') {
            // The next ephemeral service tries again.
            await removeTree(root).catch((failure: unknown) => {
              log.warn({ err: failure, path: root }, 'could not remove the temporary data directory');
            });
          } else if (isProvisional) {
            await created.remove();
          } else {
            rmSync(join(root, 'service.pid'), { force: true });
          }
          lock.release();
        },
      };
    } catch (failure) {
      lock.release();
      void created.remove().catch(() => undefined);
      throw failure;
    }
  });
}

/** Everything that a service creates in its data directory. */
const OWN_NAMES = /^(lock\.db|lamella\.db|service\.pid|blobs|trees|opt|staging|run|s3)([-.].*)?$/;

/** Remembers what exists before a data directory is opened, so that only new files are removed if it is not used. */
function recordCreated(root: string): { remove(): Promise<void> } {
  const missing: string[] = [];
  for (let path = root; !existsSync(path) && path !== dirname(path); path = dirname(path)) missing.push(path);
  const before = new Set(namesIn(root));
  return {
    async remove() {
      rmSync(join(root, 'service.pid'), { force: true });
      // It has been used before: lamella.db and what belongs to it stay.
      if (before.has('lamella.db')) return;
      const names = namesIn(root).filter((name) => !before.has(name) && OWN_NAMES.test(name));
      for (const name of names) await removeTree(join(root, name));
      // Fails if something else has been written there, which must stay.
      for (const directory of missing) {
        try {
          rmdirSync(directory);
        } catch {
          return;
        }
      }
    },
  };
}

function makeTemporary(): string {
  return mkdtempSync(join(tmpdir(), EPHEMERAL_PREFIX));
}

/** Removes the ephemeral directories of killed services. Those that cannot be removed are left to the next service. */
async function removeAbandoned(parent: string): Promise<void> {
  const directories = namesIn(parent).flatMap((name) =>
    name.startsWith(EPHEMERAL_PREFIX) ? [join(parent, name)] : [],
  );
  await Promise.allSettled(
    directories.map(async (directory) => {
      // /tmp is shared: other users may create any name. Only this user can write to its own 0700 directories.
      const found = lstatSync(directory);
      if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) return;
      // A service writes its pid after it takes the lock: without a pid, it may be about to take the lock.
      const pid = pidOf(directory);
      if (pid === 'unknown' || existsSync(`/proc/${pid}`)) return;
      // The pid may be from another pid namespace; the lock works across namespaces.
      const lock = lockFile(join(directory, 'lock.db'));
      if (lock === undefined) return;
      try {
        await removeTree(directory);
      } finally {
        lock.release();
      }
    }),
  );
}

/** Empty if the directory cannot be read. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function makeDirectories(root: string, log: Log): Pick<DataDirectory, 'blobs' | 'trees' | 'opt' | 'staging'> {
  const staging = join(root, 'staging');
  try {
    rmSync(staging, { recursive: true, force: true });
  } catch (failure) {
    // The names in it are unique, so it can be used as it is.
    log.warn({ err: failure, path: staging }, 'could not remove unfinished files; the next start tries again');
  }
  const directories = { blobs: join(root, 'blobs'), trees: join(root, 'trees'), opt: join(root, 'opt'), staging };
  for (const directory of Object.values(directories)) mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directories;
}

/** A service writes its pid right after it takes the lock, so the file may not exist yet. */
function pidOf(root: string): string {
  try {
    return readFileSync(join(root, 'service.pid'), 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Throws the operator error for a file system error of `action`. */
function orUnusable<Result>(directory: string, action: () => Result): Result {
  try {
    return action();
  } catch (failure) {
    if (failure instanceof OperatorError) throw failure;
    throw (
      diskFullOf(failure, directory) ??
      new OperatorError('data-dir-unusable', { directory, reason: (failure as Error).message }, failure)
    );
  }
}
