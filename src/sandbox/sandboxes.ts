/**
 * Opens sandboxes, and owns what they share: the copied /etc, pipes, cgroups, spare sandboxes and the run directory.
 * First removes what services that died have left in the run directory, in the cgroups and among the processes.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { failedSystemCall } from '../operator-error.ts';
import { removeTree } from '../remove-tree.ts';
import { BubblewrapSandbox } from './bubblewrap-sandbox.ts';
import { openCgroups } from './cgroup/open-cgroups.ts';
import { killAbandonedHolders } from './holder/abandoned-holders.ts';
import { createSpareSandboxes } from './holder/spare-sandboxes.ts';
import type { SandboxHost } from './host/sandbox-host.ts';
import { insideUid } from './host/sandbox-host.ts';
import { installGuard } from './process/guard.ts';
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
  /** A directory that only this service uses. Its contents are removed at start and at close. */
  readonly runDirectory: string;
  /** The volume size that most sandboxes use. */
  readonly usualVolumeBytes?: number | undefined;
  /** Gives each sandbox its own network, in which the service listens on this port. Otherwise all share the host's. */
  readonly isolatedPort?: number | undefined;
};

export interface Sandboxes {
  readonly open: OpenSandbox;
  /** Closes all open sandboxes and removes the run directory. */
  close(): Promise<void>;
}

/** Starts preparing sandboxes. Takes about 20 ms, to copy /etc; the rest is prepared in the background. */
export function startSandboxes(options: SandboxesOptions): Sandboxes {
  const { host, clock, log, runDirectory, usualVolumeBytes, isolatedPort } = options;
  rmSync(runDirectory, { recursive: true, force: true });
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
  killAbandonedHolders(host.tools.bwrap);
  const scriptDirectory = join(runDirectory, 'launch');
  mkdirSync(scriptDirectory, { mode: 0o700 });

  const guard = installGuard(join(runDirectory, 'guard'), host.tools.env);
  if (guard.kind === 'none') log.warn({ reason: guard.reason }, 'functions run without a system call filter');
  const cgroups = openCgroups(host.cgroups, clock);
  const pipes = createOutputPipes(host.tools.mkfifo, join(runDirectory, 'pipes'));
  const volumes = startVolumes({
    ...{ host, clock, log, directory: join(runDirectory, 'volumes') },
    usualBytes: usualVolumeBytes,
  });
  const spares = createSpareSandboxes({
    host,
    guard,
    cgroups,
    pipes,
    clock,
    log,
    volumes,
    scriptDirectory,
    isolatedPort,
  });
  const identityFiles = createIdentityFileCache(join(runDirectory, 'identity'));
  const root = prepareHostRoot(join(runDirectory, 'etc'));

  const opening = new Set<Promise<unknown>>();
  const living = new Set<Sandbox>();
  const uidsInUse = new Map<number, number>();

  const release = (uid: number): void => {
    uidsInUse.set(uid, (uidsInUse.get(uid) ?? 1) - 1);
  };
  const open: OpenSandbox = async (spec) => {
    try {
      return await openFrom(spec);
    } catch (failure) {
      throw failedSystemCall(failure, runDirectory) ?? failure;
    }
  };
  const openFrom: OpenSandbox = async (spec) => {
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
        clock: spec.containment?.clock(clock) ?? clock,
        parts: spares,
        volume,
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
      if (guard.kind === 'installed') guard.close();
      await removeTree(runDirectory).catch((failure: unknown) => {
        log.warn({ err: failure, path: runDirectory }, 'could not remove the files of the sandboxes');
      });
    },
  };
}
