/**
 * SpareSandboxes: what a sandbox is made of, prepared ahead of need and not yet anybody's: a cgroup, a bubblewrap that waits
 * for its arguments and a launcher that has joined the group. Preparing takes longer than all that is left to do at a
 * cold start, and a network of its own longer still. A spare is used once; which function sits on it decides everything that matters.
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { CgroupGroup, Cgroups } from '../cgroup/cgroup.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import type { Network } from '../network/network.ts';
import { openNetwork } from '../network/network.ts';
import type { OutputPipes } from '../process/output-pipes.ts';
import type { Volumes } from '../volumes/volumes.ts';
import { Launcher } from './launcher.ts';
import { NamespaceHolder } from './namespace-holder.ts';

/** Spare seats kept while nothing happens. */
const SPARE_COUNT = 2;
/** A cold start is under way when a spare is taken: leave it the processor. */
const REFILL_DELAY_MS = 60;

export type SpareSandbox = {
  readonly group: CgroupGroup;
  readonly holder: NamespaceHolder;
  readonly launcher: Launcher;
  /** Undefined where sandboxes share the host's. */
  readonly network: Network | undefined;
};

/** Makes the parts of seats, for those who need one more of them. */
export type PartFactory = {
  readonly createHolder: (network: Network | undefined) => NamespaceHolder;
  readonly createLauncher: (group: CgroupGroup) => Launcher;
};

export interface SpareSandboxes extends PartFactory {
  /** A spare spare, or one made now; only once volumes are ready. */
  take(): Promise<SpareSandbox>;
  close(): Promise<void>;
}

export type SpareSandboxesOptions = {
  readonly host: SandboxHost;
  readonly cgroups: Cgroups;
  readonly pipes: OutputPipes;
  readonly clock: Clock;
  readonly log: Log;
  /** What bubblewrap is started by, once that can be done; see `Volumes`. */
  readonly volumes: Pick<Volumes, 'ready' | 'enterCommand'>;
  /** For the launchers' scripts. */
  readonly scriptDirectory: string;
  /** Every spare has a network of its own, in which this port is listened on. */
  readonly isolatedPort: number | undefined;
};

export function createSpareSandboxes(options: SpareSandboxesOptions): SpareSandboxes {
  const { host, cgroups, pipes, clock, log, volumes, scriptDirectory, isolatedPort } = options;
  const spares: Promise<SpareSandbox>[] = [];
  const removals = new Set<Promise<void>>();
  let launchers = 0;
  let cancelRefill: (() => void) | undefined;
  let isClosed = false;

  const parts: PartFactory = {
    createHolder: (network) =>
      new NamespaceHolder(host, [...volumes.enterCommand, ...(network?.enterCommand ?? [])], clock),
    createLauncher: ({ joinFiles }) =>
      new Launcher({ host, pipes, clock, joinFiles, scriptFile: `${scriptDirectory}/${launchers++}` }),
  };
  const createSpare = async (): Promise<SpareSandbox> => {
    const network = isolatedPort === undefined ? undefined : await openNetwork(host, isolatedPort);
    let holder: NamespaceHolder | undefined;
    try {
      const group = cgroups.createGroup();
      holder = parts.createHolder(network);
      return { group, holder, launcher: parts.createLauncher(group), network };
    } catch (failure) {
      holder?.kill();
      await network?.close();
      throw failure;
    }
  };
  const refill = (): void => {
    cancelRefill = undefined;
    if (isClosed || spares.length >= SPARE_COUNT) return;
    const spare = createSpare();
    spares.push(spare);
    spare.then(
      () => scheduleRefill(1), // one at a time, so that the event loop gets its turn
      (failure) => {
        log.warn({ err: failure }, 'no spare sandbox can be prepared');
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
    const removal = closeSpare(spare).finally(() => removals.delete(removal));
    removals.add(removal);
  };
  void volumes.ready.then(() => scheduleRefill(0));

  return {
    ...parts,
    async take() {
      scheduleRefill(REFILL_DELAY_MS);
      for (let next = spares.shift(); next !== undefined; next = spares.shift()) {
        const spare = await next.catch(() => undefined);
        if (spare === undefined) break; // What kept it from being made is told to the one who asks.
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
