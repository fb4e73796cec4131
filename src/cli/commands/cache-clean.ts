/**
 * `lamella cache clean`: removes downloads. Only the directories that Lamella makes below the cache directory: it may be
 * one that other programs use too.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { resolveBuildOptions } from '../../options.ts';
import { removeTree } from '../../remove-tree.ts';
import type { Run } from '../command.ts';
import { megabytes, writeJson, writeResult } from '../output.ts';

/**
 * Packages of npm, sources of PHP that were compiled, Composer's own cache, this program as V8 has compiled it, and that this
 * machine passed its checks.
 */
const OWN_DIRECTORIES = ['npm', 'php-source', 'composer', 'compiled', 'host'] as const;

export const run: Run = async ({ given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'cache clean');
  const found = OWN_DIRECTORIES.map((name) => join(cacheDir, name)).filter(
    (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  );
  const bytes = found.reduce((total, path) => total + sizeOf(path), 0);
  if (!given.dryRun) {
    for (const path of found) {
      await removeTree(path).catch((failure: Error) => {
        throw new OperatorError('file-unwritable', { file: path, reason: failure.message }, failure);
      });
    }
  }
  if (given.json) await writeJson({ directories: found, bytes, removed: !given.dryRun });
  else {
    const action = given.dryRun ? 'Would remove' : 'Removed';
    await writeResult(
      found.length === 0 ? `Nothing in ${cacheDir}.\n` : `${action} ${megabytes(bytes)} from ${cacheDir}.\n`,
    );
  }
  return 0;
};

/** The size of all files below a directory; links are not followed. */
function sizeOf(directory: string): number {
  return readdirSync(directory, { withFileTypes: true })
    .map((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? sizeOf(path) : lstatSync(path).size;
    })
    .reduce((total, bytes) => total + bytes, 0);
}
