/**
 * Spare sandboxes: the parts of a sandbox, prepared in advance for any function: a cgroup, a bubblewrap that waits for
 * its arguments and a launcher that has joined the cgroup. Preparing them takes longer than the rest of a cold start,
 * and an isolated network takes longer still. A spare is used once. Everything specific to a function is set later.
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { CgroupGroup, Cgroups } from '../cgroup/cgroup.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import type { Network } from '../network/network.ts';
import { openNetwork } from '../network/network.ts';
import type { Guard } from '../process/guard.ts';
import type { OutputPipes } from '../process/output-pipes.ts';
import type { Volumes } from '../volumes/volumes.ts';
import { Launcher } from './launcher.ts';
import { NamespaceHolder } from './namespace-holder.ts';

/** Number of spares kept ready. */
const SPARE_COUNT = 2;
/** Taking a spare means that a cold start is in progress. Leave the processor to it. */
const REFILL_DELAY_MS = 60;

/** The prepared parts of one sandbox. */
export type SpareSandbox = {
  readonly group: CgroupGroup;
  readonly holder: NamespaceHolder;
  readonly launcher: Launcher;
  /** Undefined if sandboxes share the host's network. */
  readonly network: Network | undefined;
};

/** Creates single parts, for open sandboxes that need another one. */
export type PartFactory = {
  readonly createHolder: (network: Network | undefined) => NamespaceHolder;
  readonly createLauncher: (group: CgroupGroup) => Launcher;
};

/** The pool of spare sandboxes. */
export interface SpareSandboxes extends PartFactory {
  /** Takes a spare, or creates one. Call it only after the volumes are ready. */
  take(): Promise<SpareSandbox>;
  close(): Promise<void>;
}

export type SpareSandboxesOptions = {
  readonly host: SandboxHost;
  readonly guard: Guard;
  readonly cgroups: Cgroups;
  readonly pipes: OutputPipes;
  readonly clock: Clock;
  readonly log: Log;
  /** Their command prefix for bubblewrap; see `Volumes`. */
  readonly volumes: Pick<Volumes, 'ready' | 'enterCommand'>;
  /** Directory for the scripts of launchers. */
  readonly scriptDirectory: string;
  /** If set, each spare has its own network, in which the service listens on this port. */
  readonly isolatedPort: number | undefined;
};

/** Creates the pool, and fills it in the background when the volumes are ready. The caller closes it. */
export function createSpareSandboxes(options: SpareSandboxesOptions): SpareSandboxes {
  const { host, guard, cgroups, pipes, clock, log, volumes, scriptDirectory, isolatedPort } = options;
  const spares: Promise<SpareSandbox>[] = [];
  const removals = new Set<Promise<void>>();
  let launchers = 0;
  let cancelRefill: (() => void) | undefined;
  let isClosed = false;

  const parts: PartFactory = {
    createHolder: (network) =>
      new NamespaceHolder(host, guard, [...volumes.enterCommand, ...(network?.enterCommand ?? [])], clock),
    createLauncher: ({ joinFiles }) =>
      new Launcher({ host, guard, pipes, clock, joinFiles, scriptFile: `${scriptDirectory}/${launchers++}` }),
  };
  const createSpare = async (): Promise<SpareSandbox> => {
    const network = isolatedPort === undefined ? undefined : await openNetwork(host, isolatedPort);
    let group: CgroupGroup | undefined;
    let holder: NamespaceHolder | undefined;
    try {
      group = cgroups.createGroup();
      holder = parts.createHolder(network);
      return { group, holder, launcher: parts.createLauncher(group), network };
    } catch (failure) {
      holder?.kill();
      await Promise.all([holder?.exited, network?.close()]);
      await group?.remove();
      throw failure;
    }
  };
  const refill = (): void => {
    cancelRefill = undefined;
    if (isClosed || spares.length >= SPARE_COUNT) return;
    const spare = createSpare();
    spares.push(spare);
    spare.then(
      () => scheduleRefill(1), // One at a time, so that the event loop is not blocked.
      (failure) => {
        log.warn({ err: failure }, 'cannot prepare a spare sandbox; cold starts will be slower');
        const index = spares.indexOf(spare);
        if (index >= 0) spares.splice(index, 1);
      },
    );
  };
  const scheduleRefill = (delayMs: number): void => {
    cancelRefill?.();
    cancelRefill = clock.after(delayMs, refill);
  };
  const remove = (spare: SpareSandbox): void => {
    const removal = closeSpare(spare)
      .catch((failure: unknown) => log.warn({ err: failure }, 'cannot remove a spare sandbox'))
      .finally(() => removals.delete(removal));
    removals.add(removal);
  };
  void volumes.ready.then(() => scheduleRefill(0));

  return {
    ...parts,
    async take() {
      scheduleRefill(REFILL_DELAY_MS);
      for (let next = spares.shift(); next !== undefined; next = spares.shift()) {
        const spare = await next.catch(() => undefined);
        if (spare === undefined) break; // Creating one now fails with the same error, which the caller gets.
        if (spare.holder.isAlive && spare.launcher.isAlive) return spare;
        remove(spare);
      }
      return createSpare();
    },
    async close() {
      isClosed = true;
      cancelRefill?.();
      await Promise.all(spares.splice(0).map((spare) => spare.then(remove, () => {})));
      await Promise.all(removals);
    },
  };
}

async function closeSpare({ group, holder, launcher, network }: SpareSandbox): Promise<void> {
  holder.kill();
  await Promise.all([holder.exited, launcher.discard(), network?.close()]);
  await group.remove();
}
