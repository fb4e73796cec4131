/**
 * Freezing by SIGSTOP and SIGCONT. Not by the freezer of cgroups: of its first version the processes cannot even be
 * killed, so a service that is killed itself would leave them behind; and signals are faster. Processes appear while we stop them, so it goes
 * round until nobody new is found. The launchers need care: nsenter stops itself when its child stops, and must have
 * done so before anything is continued, or it would stop afterwards and never see its child's end.
 */
import type { Clock } from '../clock.ts';
import { sleep } from '../clock.ts';
import { childrenOf, standsStill } from './process-tree.ts';

export interface StopSignals {
  freeze(): Promise<void>;
  thaw(): void;
  /** To be called when the processes have been killed: their numbers may come to mean others. */
  forget(): void;
}

/** `processIds` gives the function's processes now, `launcherIds` those that stand outside for them. */
export function createStopSignals(
  clock: Clock,
  processIds: () => readonly number[],
  launcherIds: () => readonly number[],
): StopSignals {
  /** What we have stopped; not what had stopped itself before. */
  const stopped = new Set<number>();
  /** Launchers that stop by themselves because of it. */
  const following = new Set<number>();

  const forget = (): void => {
    stopped.clear();
    following.clear();
  };
  /** One round; tells what there was and whether all of it stands still. */
  const stopAll = (): { seen: ReadonlySet<number>; isStill: boolean } => {
    const launchers = launcherIds();
    // A launcher without a child is still on its way in; it does not stop by itself.
    const own = [...processIds(), ...launchers.filter((pid) => childrenOf(pid).length === 0)];
    for (const pid of own) {
      // Again even if we did before: nsenter may only now have passed on the last SIGCONT.
      if (!standsStill(pid) && send(pid, 'SIGSTOP')) stopped.add(pid);
    }
    const seen = [...own, ...launchers];
    return { seen: new Set(seen), isStill: seen.every(standsStill) };
  };
  return {
    forget,
    async freeze() {
      for (const pid of launcherIds()) if (!standsStill(pid)) following.add(pid);
      // Still twice with nobody new: in between, nobody was left who could have started somebody.
      for (let before = stopAll(); ; ) {
        const now = stopAll();
        if (before.isStill && now.isStill && [...now.seen].every((pid) => before.seen.has(pid))) return;
        before = now;
        if (!now.isStill) await sleep(clock, 1);
      }
    },
    thaw() {
      for (const pid of [...stopped, ...following]) send(pid, 'SIGCONT');
      forget();
    },
  };
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
