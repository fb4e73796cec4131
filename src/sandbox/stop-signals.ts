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
  const stopped = new Set<number>();
  /** Launchers that will stop by themselves; not those of a process that had stopped itself before. */
  const following = new Set<number>();
  const stop = (pid: number): void => {
    if (stopped.has(pid) || standsStill(pid)) return;
    if (send(pid, 'SIGSTOP')) stopped.add(pid);
  };
  const forget = (): void => {
    stopped.clear();
    following.clear();
  };
  return {
    forget,
    async freeze() {
      for (const pid of launcherIds()) if (!standsStill(pid)) following.add(pid);
      for (;;) {
        // A launcher without a child is still on its way in; it does not stop by itself.
        const childless = launcherIds().filter((pid) => childrenOf(pid).length === 0);
        const before = stopped.size;
        for (const pid of [...processIds(), ...childless]) stop(pid);
        const all = [...processIds(), ...launcherIds()];
        if (stopped.size === before && all.every(standsStill)) return;
        await sleep(clock, 1);
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
