/**
 * Opens sandboxes, and owns what they have in common: the copied /etc, pipes, cgroups, spare spares, and a directory of
 * the service for all of it. What earlier services left behind there, among the cgroups and processes is cleared away first.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { removeTree } from '../remove-tree.ts';
import { BubblewrapSandbox } from './bubblewrap-sandbox.ts';
import { openCgroups } from './cgroup/open-cgroups.ts';
import { killAbandonedHolders } from './holder/abandoned-holders.ts';
import { createSpareSandboxes } from './holder/spare-sandboxes.ts';
import type { SandboxHost } from './host/sandbox-host.ts';
import { insideUid } from './host/sandbox-host.ts';
import { createOutputPipes } from './process/output-pipes.ts';
import { bwrapArguments } from './root/bwrap-arguments.ts';
import { prepareHostRoot } from './root/host-root.ts';
import { createIdentityFileCache } from './root/identity-files.ts';
import type { OpenSandbox, Sandbox } from './sandbox.ts';
import { startVolumes } from './volumes/start-volumes.ts';
import type { Volume } from './volumes/volumes.ts';

export type SandboxesOptions = {
  readonly host: SandboxHost;
  readonly clock: Clock;
  readonly log: Log;
  /** A directory for this service alone; everything in it is removed at the start and at the end. */
  readonly runDirectory: string;
  /** The size of volumes that most sandboxes will ask for. */
  readonly usualVolumeBytes?: number | undefined;
  /** Gives every sandbox a network of its own, in which the service listens on this port; else all share the host's. */
  readonly isolatedPort?: number | undefined;
};

export interface Sandboxes {
  readonly open: OpenSandbox;
  /** Closes every sandbox that is still open or opening, and removes everything. */
  close(): Promise<void>;
}

/** Takes some 20 ms for the files of /etc; the rest is prepared in the background. */
export function startSandboxes(options: SandboxesOptions): Sandboxes {
  const { host, clock, log, runDirectory, usualVolumeBytes, isolatedPort } = options;
  rmSync(runDirectory, { recursive: true, force: true });
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
  killAbandonedHolders(host.tools.bwrap);
  const scriptDirectory = join(runDirectory, 'launch');
  mkdirSync(scriptDirectory, { mode: 0o700 });

  const cgroups = openCgroups(host.cgroups, clock);
  const pipes = createOutputPipes(host.tools.mkfifo, join(runDirectory, 'pipes'));
  const volumes = startVolumes({ host, log, directory: join(runDirectory, 'volumes'), usualBytes: usualVolumeBytes });
  const spares = createSpareSandboxes({ host, cgroups, pipes, clock, log, volumes, scriptDirectory, isolatedPort });
  const identityFiles = createIdentityFileCache(join(runDirectory, 'identity'));
  const root = prepareHostRoot(join(runDirectory, 'etc'));

  const opening = new Set<Promise<unknown>>();
  const living = new Set<Sandbox>();
  const uidsInUse = new Map<number, number>();

  const release = (uid: number): void => {
    uidsInUse.set(uid, (uidsInUse.get(uid) ?? 1) - 1);
  };
  const open: OpenSandbox = async (spec) => {
    root.refresh();
    const uid = insideUid(host.identity, spec.slot);
    const sharers = uidsInUse.get(uid) ?? 0;
    uidsInUse.set(uid, sharers + 1);
    const namespaceUid = host.identity.kind === 'user-namespace' ? uid : undefined;
    let volume: Volume | undefined;
    try {
      await volumes.ready;
      volume = spec.volume && (await volumes.take(spec.volume.sizeBytes));
      const { directory } = volume ?? {};
      const sandbox = await BubblewrapSandbox.open(await spares.take(), spec, {
        host,
        clock,
        parts: spares,
        hasOwnUid: sharers === 0,
        holderArguments: () => bwrapArguments(spec, directory, root, identityFiles(uid, spec), namespaceUid),
      });
      log.debug({ sandbox: spec.id, uid: sandbox.hostUid }, 'sandbox opened');
      living.add(sandbox);
      void sandbox.closed.then(() => {
        void volume?.remove();
        living.delete(sandbox);
        release(uid);
      });
      return sandbox;
    } catch (failure) {
      void volume?.remove();
      release(uid);
      throw failure;
    }
  };

  return {
    open(spec) {
      const promise = open(spec);
      const settled = promise.then(
        () => {},
        () => {},
      );
      opening.add(settled);
      void settled.then(() => opening.delete(settled));
      return promise;
    },
    async close() {
      await Promise.all(opening);
      await Promise.all([...living].map((sandbox) => sandbox.close()));
      await spares.close();
      await volumes.close();
      await pipes.close();
      await cgroups.close();
      await removeTree(runDirectory);
    },
  };
}
