/**
 * Volumes: folders of a fixed size for what processes write. As root each is a file system of its own in a sparse
 * file, so that the kernel says "no space left" beyond the size (`loop-volumes.ts`); otherwise a plain folder, which
 * ends where the disk does. Either way it lies on disk and outlives the processes of its sandbox.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../log.ts';
import { removeTree } from '../../remove-tree.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import { startLoopVolumes } from './loop-volumes.ts';

export type Volume = {
  /** What to mount; it may be there only for who starts by `Volumes.entry`. */
  readonly folder: string;
  /** To be called once nobody uses it. Never rejects. */
  remove(): Promise<void>;
};

export interface Volumes {
  /** Resolves when volumes can be had and `entry` is complete. Never rejects. */
  readonly ready: Promise<void>;
  /** The command by which programs must be started that are to see the volumes; empty when everybody sees them. */
  readonly entry: readonly string[];
  /** An empty volume in which exactly so much can be written, if the host can enforce that. */
  take(sizeBytes: number): Promise<Volume>;
  close(): Promise<void>;
}

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
