/**
 * Removes a folder with all that is in it, whatever modes strangers have given to what they left there: a function may
 * lock folders in its /tmp, and as an ordinary user the service could not clear them away.
 */
import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Does nothing if there is no such folder. Links are removed, never followed. */
export async function removeTree(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw failure;
    await unlock(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Lets the owner into every folder. The removal that failed may still be at work: what vanishes meanwhile is well. */
async function unlock(folder: string): Promise<void> {
  try {
    await chmod(folder, 0o700);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await unlock(join(folder, entry.name));
    }
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ENOENT') throw failure;
  }
}
