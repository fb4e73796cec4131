/** Chooses the kind of volumes for this host: file systems of a fixed size, or plain directories. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { removeTree } from '../../remove-tree.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import { startLoopVolumes } from './loop-volumes.ts';
import type { Volumes } from './volumes.ts';

export type VolumesOptions = {
  readonly host: SandboxHost;
  readonly clock: Clock;
  readonly log: Log;
  /** A directory for the volumes. It must not exist. */
  readonly directory: string;
  /** The size of the volumes that are prepared in advance; undefined for none. */
  readonly usualBytes: number | undefined;
};

/** Starts volumes with a size limit if this host supports them, else plain directories. The caller closes the result. */
export function startVolumes(options: VolumesOptions): Volumes {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const plain = createDirectoryVolumes(options.directory);
  const { host, clock, log, directory, usualBytes } = options;
  if (host.volumes.kind === 'directories') return plain;
  return startLoopVolumes({
    tools: { ...host.tools, ...host.volumes.tools },
    clock,
    log,
    directory,
    usualBytes,
    fallback: plain,
  });
}

/** Plain directories, of any size. */
function createDirectoryVolumes(parent: string): Volumes {
  let count = 0;
  const removals = new Set<Promise<void>>();
  const remove = (directory: string): Promise<void> => {
    const removal = removeTree(directory)
      .catch(() => {}) // The rest is removed with the parent directory, or at the next start.
      .finally(() => removals.delete(removal));
    removals.add(removal);
    return removal;
  };
  return {
    ready: Promise.resolve(),
    enterCommand: [],
    async take() {
      const directory = join(parent, `directory-${count++}`);
      mkdirSync(directory);
      chmodSync(directory, 0o1777);
      return { directory, limitBytes: undefined, remove: () => remove(directory) };
    },
    async close() {
      await Promise.all(removals);
    },
  };
}
