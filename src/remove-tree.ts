/**
 * Removes a directory tree, whatever the modes in it are: a function can lock directories in its /tmp, which the service
 * could not remove without root.
 */
import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes a directory tree. Does nothing if it does not exist. Links are removed, never followed. */
export async function removeTree(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw failure;
    await unlock(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Makes every directory accessible to its owner. The removal that failed may still be running and remove entries. */
async function unlock(directory: string): Promise<void> {
  try {
    await chmod(directory, 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) await unlock(join(directory, entry.name));
    }
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ENOENT') throw failure;
  }
}
