/** A temporary copy of a source directory, in which a tool may write. The sources themselves are never changed. */
import { cp, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { markUnfinished } from '../../packaging/unfinished-files.ts';
import { isSource } from './digests.ts';

/** Calls `use` with an empty directory, which is removed afterwards, also if a signal ends this process. */
export async function inWorkspace<Result>(use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'lamella-build-')));
  const finish = markUnfinished(directory);
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
    finish();
  }
}

/** Copies `source` to `target`, without version control, builds and `excluded` (absolute paths). Links stay links. */
export async function copySources(source: string, target: string, excluded: readonly string[]): Promise<void> {
  await cp(source, target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => path === source || (isSource(relative(source, path)) && !excluded.includes(path)),
  });
}
