/**
 * Freezing by SIGSTOP and SIGCONT. Not by the freezer of cgroups: of its first version the processes cannot even be
 * killed, so a service that is killed itself would leave them behind; and signals are faster. Processes appear while we stop them, so it goes
 * round until nobody new is found. The launchers need care: nsenter stops itself when its child stops, and must have
 * done so before anything is continued, or it would stop afterwards and never see its child's end.
 */
import type { Cancel, Clock } from '../../clock.ts';
import { sleep } from '../../clock.ts';
import { childrenOf, isStopped, isUninterruptible } from './process-tree.ts';

/** How long a launcher may take to stop after its child has, in milliseconds. */
const LATE_STOP_MS = 20;

export interface StopSignals {
  freeze(): Promise<void>;
  thaw(): void;
  /** To be called when the processes have been killed: their numbers may come to mean others. */
  reset(): void;
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
  const selfStopped = new Set<number>();
  /** Launchers that may be about to stop when they are continued. */
  const undecided = new Set<number>();
  /** Those of them that have been continued, until it is clear that they run. */
  let late: readonly number[] = [];
  let cancelLate: Cancel = () => {};

  const reset = (): void => {
    stopped.clear();
    selfStopped.clear();
    undecided.clear();
    cancelLate();
  };
  /**
   * A process that waits in the kernel, for its child to become another program (vfork) or for a disk, stops as soon as
   * that is over, before it runs on; and a stopped child is never over. So it counts as still, once the signal waits.
   */
  const isHeld = (pid: number): boolean => isStopped(pid) || (stopped.has(pid) && isUninterruptible(pid));
  /** A launcher whose child waits in the kernel does not stop: for it, the child runs. */
  const isLauncherHeld = (pid: number): boolean => {
    if (isStopped(pid)) return true;
    const children = childrenOf(pid);
    if (children.length === 0 || !children.every((child) => stopped.has(child) && isUninterruptible(child)))
      return false;
    undecided.add(pid);
    return true;
  };
  const continueLate = (): void => {
    for (const pid of launcherIds()) if (late.includes(pid) && isStopped(pid)) send(pid, 'SIGCONT');
    late = [];
  };
  /** One round; tells what there was and whether all of it stands still. */
  const stopAll = (): { seen: ReadonlySet<number>; areStopped: boolean } => {
    const launchers = launcherIds();
    // A launcher without a child is still on its way in; it does not stop by itself.
    const own = [...processIds(), ...launchers.filter((pid) => childrenOf(pid).length === 0)];
    for (const pid of own) {
      // Again even if we did before: nsenter may only now have passed on the last SIGCONT.
      if (!isHeld(pid) && send(pid, 'SIGSTOP')) stopped.add(pid);
    }
    const areStopped = own.every(isHeld) && launchers.every((pid) => isHeld(pid) || isLauncherHeld(pid));
    return { seen: new Set([...own, ...launchers]), areStopped };
  };
  return {
    reset,
    async freeze() {
      cancelLate();
      for (const pid of launcherIds()) if (!isStopped(pid) || late.includes(pid)) selfStopped.add(pid);
      late = [];
      // Still twice with nobody new: in between, nobody was left who could have started somebody.
      for (let before = stopAll(); ; ) {
        const now = stopAll();
        if (before.areStopped && now.areStopped && [...now.seen].every((pid) => before.seen.has(pid))) return;
        before = now;
        if (!now.areStopped) await sleep(clock, 1);
      }
    },
    thaw() {
      for (const pid of [...stopped, ...selfStopped]) send(pid, 'SIGCONT');
      late = [...undecided];
      reset();
      if (late.length > 0) cancelLate = clock.after(LATE_STOP_MS, continueLate);
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
