/**
 * Enforces the memory limit on hosts without cgroups: samples the memory of the processes and, when they exceed the
 * limit together, kills the largest, as the kernel would. The less memory is left, the shorter the interval. A process
 * that grows faster than that can exceed the limit for a moment. No samples are taken while the processes are stopped.
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { ProcessMemory } from '../process/process-tree.ts';
import { memoryOf } from '../process/process-tree.ts';
import { heldBytes } from './memory-use.ts';

/** The assumed maximum growth of a process. It determines when the next sample is due. */
const GROWTH_BYTES_PER_MS = 2 * 1024 * 1024;
const PAUSE_MS = { min: 5, max: 100 };

/** Kills processes that exceed the memory limit of their sandbox. */
export interface MemoryGuard {
  /** Starts sampling: processes run from now on. */
  resume(): void;
  /** Stops sampling: the processes are stopped or have exited. */
  pause(): void;
  /** Number of processes killed so far. */
  kills(): number;
}

export type MemoryGuardOptions = {
  readonly clock: Clock;
  readonly limitBytes: number;
  readonly processIds: () => readonly number[];
  /** Called with each sample. */
  readonly onSample: (memories: readonly ProcessMemory[]) => void;
};

/** Creates a guard, which samples only between `resume` and `pause`. */
export function createMemoryGuard({ clock, limitBytes, processIds, onSample }: MemoryGuardOptions): MemoryGuard {
  let cancel: Cancel | undefined;
  let kills = 0;
  const sample = (): void => {
    const found = processIds().flatMap((pid) => {
      const memory = memoryOf(pid);
      return memory === undefined ? [] : [{ pid, memory }];
    });
    const memories = found.map(({ memory }) => memory);
    onSample(memories);
    const left = limitBytes - heldBytes(memories);
    if (left < 0) {
      const largest = found.reduce((a, b) => (b.memory.own > a.memory.own ? b : a));
      if (kill(largest.pid)) kills += 1;
    }
    cancel = clock.after(Math.min(PAUSE_MS.max, Math.max(PAUSE_MS.min, left / GROWTH_BYTES_PER_MS)), sample);
  };
  return {
    resume() {
      cancel ??= clock.after(PAUSE_MS.min, sample);
    },
    pause() {
      cancel?.();
      cancel = undefined;
    },
    kills: () => kills,
  };
}

/** Returns false if the process has already exited. */
function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
