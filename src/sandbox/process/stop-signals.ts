/**
 * Freezes processes with SIGSTOP and SIGCONT. The cgroup freezer is not an option: frozen processes of v1 cannot even be
 * killed, so a service that is killed would leave them behind. Signals are also faster. New processes can appear while
 * others are stopped, so rounds are repeated until no new one is found. Launchers need care: nsenter stops itself when
 * its child stops. This must have happened before anything is continued. Otherwise nsenter would stop afterwards and
 * never notice the end of its child.
 */
import type { Cancel, Clock } from '../../clock.ts';
import { sleep } from '../../clock.ts';
import { childrenOf, isStopped, isUninterruptible } from './process-tree.ts';

/** How long a launcher may take to stop after its child has stopped. */
const LATE_STOP_MS = 20;

/** Freezes and thaws the processes of one sandbox. */
export interface StopSignals {
  /** Resolves when every process is stopped. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Call it after the processes were killed: their pids can be reused. */
  reset(): void;
}

/** `processIds` returns the current processes in the sandbox, `launcherIds` their launchers outside. */
export function createStopSignals(
  clock: Clock,
  processIds: () => readonly number[],
  launcherIds: () => readonly number[],
): StopSignals {
  /** Processes stopped by `freeze`, without those that were already stopped. */
  const stopped = new Set<number>();
  /** Launchers that stop themselves because their child was stopped. */
  const selfStopped = new Set<number>();
  /** Launchers that may stop themselves only after they were continued. */
  const undecided = new Set<number>();
  /** Undecided launchers that were continued, until it is certain that they run. */
  let late: readonly number[] = [];
  let cancelLate: Cancel = () => {};

  const reset = (): void => {
    stopped.clear();
    selfStopped.clear();
    undecided.clear();
    cancelLate();
  };
  /**
   * A process can be in an uninterruptible wait, for the exec of its child (vfork) or for a disk. It stops as soon as
   * the wait is over, before it runs again. If the child is stopped, that never happens. So it counts as stopped once
   * the signal is pending.
   */
  const isHeld = (pid: number): boolean => isStopped(pid) || (stopped.has(pid) && isUninterruptible(pid));
  /** A launcher whose child is in an uninterruptible wait does not stop: it considers the child running. */
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
  /** Stops everything once. Returns the pids found and whether all of them are stopped. */
  const stopAll = (): { seen: ReadonlySet<number>; areStopped: boolean } => {
    const launchers = launcherIds();
    // A launcher without a child is still entering the sandbox. It does not stop itself.
    const own = [...processIds(), ...launchers.filter((pid) => childrenOf(pid).length === 0)];
    for (const pid of own) {
      // Repeat it for processes that were stopped before: nsenter may have passed on the last SIGCONT only now.
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
      // All stopped in two rounds, with no new pid: no process was left that could have started another.
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
