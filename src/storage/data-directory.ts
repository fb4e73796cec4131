/**
 * The folder in which a service keeps everything: its layout, and the lock that keeps a second service out. The lock is
 * one of the operating system's, held through the database driver: it ends with the process, however that ends, so
 * nothing stale is ever in the way. Only the service's own user may look into the folder.
 *
 *   lock.db  service.pid      who is here
 *   lamella.db                everything but the files below
 *   blobs/  trees/            uploaded archives by digest, as they came and unpacked
 *   opt/                      layers merged, by the list of their digests
 *   staging/                  what is not finished yet; emptied at the start
 *
 * Ephemeral folders lie beside each other, where the next service finds and removes those of services that were killed.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import { removeTree } from '../remove-tree.ts';
import { lockFile } from './database.ts';
import { diskFullOf } from './disk-full.ts';
import { makeDirectory } from './make-directory.ts';

export type DataDirectory = {
  readonly root: string;
  readonly database: string;
  readonly blobs: string;
  readonly trees: string;
  readonly opt: string;
  readonly staging: string;
  /** Gives the folder free; an ephemeral one is removed with all that is in it. Close what uses it first. */
  close(): Promise<void>;
};

const EPHEMERAL_PREFIX = 'lamella-ephemeral-';

/**
 * Takes possession of a data folder, made if missing. What an earlier service left unfinished is removed.
 * @param place a folder, or 'ephemeral' for a temporary one that lives as long as the service
 * @throws OperatorError 'data-dir-in-use', 'data-dir-unusable' or 'disk-full'
 */
export function openDataDirectory(place: { readonly directory: string } | 'ephemeral'): DataDirectory {
  const root = place === 'ephemeral' ? usable(tmpdir(), makeTemporary) : resolve(place.directory);
  return usable(root, () => {
    makeDirectory(root, 0o700);
    const lock = lockFile(join(root, 'lock.db'));
    if (lock === undefined) throw new OperatorError('data-dir-in-use', { directory: root, pid: holderOf(root) });
    try {
      writeFileSync(join(root, 'service.pid'), `${process.pid}\n`);
      const layout = { root, database: join(root, 'lamella.db'), ...makeFolders(root) };
      const swept = place === 'ephemeral' ? removeAbandoned(dirname(root)) : Promise.resolve();
      return {
        ...layout,
        async close() {
          await swept;
          if (place === 'ephemeral') await removeTree(root);
          else rmSync(join(root, 'service.pid'), { force: true });
          lock.release();
        },
      };
    } catch (failure) {
      lock.release();
      throw failure;
    }
  });
}

function makeTemporary(): string {
  return mkdtempSync(join(tmpdir(), EPHEMERAL_PREFIX));
}

/** Removes the ephemeral folders of services that are gone. What cannot be removed is left to the next. */
async function removeAbandoned(parent: string): Promise<void> {
  const folders = namesIn(parent).flatMap((name) => (name.startsWith(EPHEMERAL_PREFIX) ? [join(parent, name)] : []));
  await Promise.allSettled(
    folders.map(async (folder) => {
      // Others may have made what they like here; into what is ours, nobody else has put anything.
      const found = lstatSync(folder);
      if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) return;
      // Written after the lock was taken: without it, a service may be about to take it.
      const pid = holderOf(folder);
      if (pid === 'unknown' || existsSync(`/proc/${pid}`)) return;
      // The number means nothing to another pid namespace; the lock means the same to all.
      const lock = lockFile(join(folder, 'lock.db'));
      if (lock === undefined) return;
      try {
        await removeTree(folder);
      } finally {
        lock.release();
      }
    }),
  );
}

/** None, where the folder cannot be listed. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function makeFolders(root: string): Pick<DataDirectory, 'blobs' | 'trees' | 'opt' | 'staging'> {
  const staging = join(root, 'staging');
  rmSync(staging, { recursive: true, force: true });
  const folders = { blobs: join(root, 'blobs'), trees: join(root, 'trees'), opt: join(root, 'opt'), staging };
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folders;
}

/** The other service writes its pid right after it took the lock, so it may not stand there yet. */
function holderOf(root: string): string {
  try {
    return readFileSync(join(root, 'service.pid'), 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}

function usable<Result>(directory: string, action: () => Result): Result {
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
