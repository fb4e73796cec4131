/**
 * Seats: what a sandbox is made of, prepared ahead of need and not yet anybody's: a cgroup, a bubblewrap that waits
 * for its arguments and a launcher that has joined the group. Preparing takes longer than all that is left to do at a
 * cold start. A seat is used once; which function sits on it decides everything that matters.
 */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { CgroupGroup, Cgroups } from './cgroup.ts';
import { Holder } from './holder.ts';
import { Launcher } from './launcher.ts';
import type { OutputPipes } from './output-pipes.ts';
import type { SandboxHost } from './sandbox-host.ts';
import type { Volumes } from './volumes.ts';

/** Spare seats kept while nothing happens. */
const SPARE_SEATS = 2;
/** A cold start is under way when a seat is taken: leave it the processor. */
const REFILL_DELAY_MS = 60;

export type Seat = {
  readonly group: CgroupGroup;
  readonly holder: Holder;
  readonly launcher: Launcher;
};

/** Makes the parts of seats, for those who need one more of them. */
export type SeatMaker = {
  readonly makeHolder: () => Holder;
  readonly makeLauncher: (group: CgroupGroup) => Launcher;
};

export interface Seats extends SeatMaker {
  /** A spare seat, or one made now; only once volumes are ready. */
  take(): Seat;
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
};

export function createSeats({ host, cgroups, pipes, clock, log, volumes, scriptFolder }: SeatMeans): Seats {
  const spare: Seat[] = [];
  const removals = new Set<Promise<void>>();
  let launchers = 0;
  let cancelRefill: (() => void) | undefined;
  let isClosed = false;

  const maker: SeatMaker = {
    makeHolder: () => new Holder(host, volumes.entry),
    makeLauncher: ({ joinFiles }) =>
      new Launcher({ host, pipes, clock, joinFiles, scriptFile: `${scriptFolder}/${launchers++}` }),
  };
  const makeSeat = (): Seat => {
    const group = cgroups.createGroup();
    const holder = maker.makeHolder();
    try {
      return { group, holder, launcher: maker.makeLauncher(group) };
    } catch (failure) {
      holder.kill();
      throw failure;
    }
  };
  const refill = (): void => {
    cancelRefill = undefined;
    if (isClosed || spare.length >= SPARE_SEATS) return;
    try {
      spare.push(makeSeat());
      scheduleRefill(1); // one at a time, so that the event loop gets its turn
    } catch (failure) {
      log.warn({ err: failure }, 'no spare sandbox can be prepared');
    }
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
    take() {
      scheduleRefill(REFILL_DELAY_MS);
      for (let seat = spare.shift(); seat !== undefined; seat = spare.shift()) {
        if (seat.holder.isAlive && seat.launcher.isAlive) return seat;
        remove(seat);
      }
      return makeSeat();
    },
    async close() {
      isClosed = true;
      cancelRefill?.();
      for (const seat of spare.splice(0)) remove(seat);
      await Promise.all(removals);
    },
  };
}

async function removeSeat({ group, holder, launcher }: Seat): Promise<void> {
  holder.kill();
  await Promise.all([holder.gone(), launcher.discard()]);
  await group.remove();
}
