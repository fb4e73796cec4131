/**
 * Freezing by SIGSTOP and SIGCONT, where the host has no freezer. Processes appear while we stop them, so it goes
 * round until nobody new is found. The launchers need care: nsenter stops itself when its child stops, and must have
 * done so before anything is continued, or it would stop afterwards and never see its child's end.
 */
import type { Clock } from '../clock.ts';
import { sleep } from '../clock.ts';
import { childrenOf, standsStill } from './process-tree.ts';

export interface StopSignals {
  freeze(): Promise<void>;
  thaw(): void;
}

/** `processIds` gives the function's processes now, `launcherIds` those that stand outside for them. */
export function createStopSignals(
  clock: Clock,
  processIds: () => readonly number[],
  launcherIds: () => readonly number[],
): StopSignals {
  const stopped = new Set<number>();
  const stop = (pid: number): void => {
    if (stopped.has(pid) || standsStill(pid)) return;
    if (send(pid, 'SIGSTOP')) stopped.add(pid);
  };
  return {
    async freeze() {
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
      for (const pid of [...stopped, ...launcherIds()]) send(pid, 'SIGCONT');
      stopped.clear();
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
