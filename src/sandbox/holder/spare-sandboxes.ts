/**
 * Seats: what a sandbox is made of, prepared ahead of need and not yet anybody's: a cgroup, a bubblewrap that waits
 * for its arguments and a launcher that has joined the group. Preparing takes longer than all that is left to do at a
 * cold start, and a network of its own longer still. A seat is used once; which function sits on it decides everything that matters.
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { CgroupGroup, Cgroups } from '../cgroup/cgroup.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import type { Network } from '../network/network.ts';
import { openNetwork } from '../network/network.ts';
import type { OutputPipes } from '../process/output-pipes.ts';
import type { Volumes } from '../volumes/volumes.ts';
import { Holder } from './holder.ts';
import { Launcher } from './launcher.ts';

/** Spare seats kept while nothing happens. */
const SPARE_SEATS = 2;
/** A cold start is under way when a seat is taken: leave it the processor. */
const REFILL_DELAY_MS = 60;

export type Seat = {
  readonly group: CgroupGroup;
  readonly holder: Holder;
  readonly launcher: Launcher;
  /** Undefined where sandboxes share the host's. */
  readonly network: Network | undefined;
};

/** Makes the parts of seats, for those who need one more of them. */
export type SeatMaker = {
  readonly makeHolder: (network: Network | undefined) => Holder;
  readonly makeLauncher: (group: CgroupGroup) => Launcher;
};

export interface Seats extends SeatMaker {
  /** A spare seat, or one made now; only once volumes are ready. */
  take(): Promise<Seat>;
  close(): Promise<void>;
}

export type SeatMeans = {
  readonly host: SandboxHost;
  readonly cgroups: Cgroups;
  readonly pipes: OutputPipes;
  readonly clock: Clock;
  readonly log: Log;
  /** What bubblewrap is started by, once that can be done; see `Volumes`. */
  readonly volumes: Pick<Volumes, 'ready' | 'entry'>;
  /** For the launchers' scripts. */
  readonly scriptFolder: string;
  /** Every seat has a network of its own, in which this port is listened on. */
  readonly isolatedPort: number | undefined;
};

export function createSeats(means: SeatMeans): Seats {
  const { host, cgroups, pipes, clock, log, volumes, scriptFolder, isolatedPort } = means;
  const spare: Promise<Seat>[] = [];
  const removals = new Set<Promise<void>>();
  let launchers = 0;
  let cancelRefill: (() => void) | undefined;
  let isClosed = false;

  const maker: SeatMaker = {
    makeHolder: (network) => new Holder(host, [...volumes.entry, ...(network?.entry ?? [])], clock),
    makeLauncher: ({ joinFiles }) =>
      new Launcher({ host, pipes, clock, joinFiles, scriptFile: `${scriptFolder}/${launchers++}` }),
  };
  const makeSeat = async (): Promise<Seat> => {
    const network = isolatedPort === undefined ? undefined : await openNetwork(host, isolatedPort);
    let holder: Holder | undefined;
    try {
      const group = cgroups.createGroup();
      holder = maker.makeHolder(network);
      return { group, holder, launcher: maker.makeLauncher(group), network };
    } catch (failure) {
      holder?.kill();
      await network?.close();
      throw failure;
    }
  };
  const refill = (): void => {
    cancelRefill = undefined;
    if (isClosed || spare.length >= SPARE_SEATS) return;
    const seat = makeSeat();
    spare.push(seat);
    seat.then(
      () => scheduleRefill(1), // one at a time, so that the event loop gets its turn
      (failure) => {
        log.warn({ err: failure }, 'no spare sandbox can be prepared');
        const index = spare.indexOf(seat);
        if (index >= 0) spare.splice(index, 1);
      },
    );
  };
  const scheduleRefill = (delayMs: number): void => {
    cancelRefill?.();
    cancelRefill = clock.after(delayMs, refill);
  };
  const remove = (seat: Seat): void => {
    const removal = removeSeat(seat).finally(() => removals.delete(removal));
    removals.add(removal);
  };
  void volumes.ready.then(() => scheduleRefill(0));

  return {
    ...maker,
    async take() {
      scheduleRefill(REFILL_DELAY_MS);
      for (let next = spare.shift(); next !== undefined; next = spare.shift()) {
        const seat = await next.catch(() => undefined);
        if (seat === undefined) break; // What kept it from being made is told to the one who asks.
        if (seat.holder.isAlive && seat.launcher.isAlive) return seat;
        remove(seat);
      }
      return makeSeat();
    },
    async close() {
      isClosed = true;
      cancelRefill?.();
      await Promise.all(spare.splice(0).map((seat) => seat.then(remove, () => {})));
      await Promise.all(removals);
    },
  };
}

async function removeSeat({ group, holder, launcher, network }: Seat): Promise<void> {
  holder.kill();
  await Promise.all([holder.gone(), launcher.discard(), network?.close()]);
  await group.remove();
}
