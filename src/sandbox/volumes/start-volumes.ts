/** The choice of what volumes are on this host: file systems of a fixed size, or plain folders. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../log.ts';
import { removeTree } from '../../remove-tree.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import { startLoopVolumes } from './loop-volumes.ts';
import type { Volumes } from './volumes.ts';

export type VolumesMeans = {
  readonly host: SandboxHost;
  readonly log: Log;
  /** A folder for the volumes alone, not there yet. */
  readonly folder: string;
  /** The size that is kept ready from the start; undefined for none. */
  readonly usualBytes: number | undefined;
};

/** The best that this host can do. */
export function startVolumes(means: VolumesMeans): Volumes {
  mkdirSync(means.folder, { recursive: true, mode: 0o700 });
  const folders = createFolders(means.folder);
  const { host, log, folder, usualBytes } = means;
  if (host.volumes.kind === 'folders') return folders;
  return startLoopVolumes({ tools: { ...host.tools, ...host.volumes.tools }, log, folder, usualBytes, spare: folders });
}

/** Plain folders, of any size. */
function createFolders(parent: string): Volumes {
  let count = 0;
  const removals = new Set<Promise<void>>();
  const remove = (folder: string): Promise<void> => {
    const removal = removeTree(folder)
      .catch(() => {}) // What stays is removed with the parent, or at the next start.
      .finally(() => removals.delete(removal));
    removals.add(removal);
    return removal;
  };
  return {
    ready: Promise.resolve(),
    entry: [],
    async take() {
      const folder = join(parent, `folder-${count++}`);
      mkdirSync(folder);
      chmodSync(folder, 0o1777);
      return { folder, remove: () => remove(folder) };
    },
    async close() {
      await Promise.all(removals);
    },
  };
}
