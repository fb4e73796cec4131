/**
 * The limit on memory where the host has no control groups: looks at the processes again and again, and when together
 * they hold more than they may, kills the largest, as the kernel would. It looks the more often the less is left. Who
 * grows faster than that gets beyond the limit for a moment. While processes stand still nobody looks.
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { ProcessMemory } from '../process/process-tree.ts';
import { memoryOf } from '../process/process-tree.ts';
import { heldBytes } from './memory-use.ts';

/** How much a process may be thought to take in a millisecond. */
const GROWTH_BYTES_PER_MS = 2 * 1024 * 1024;
const PAUSE_MS = { min: 5, max: 100 };

export interface MemoryGuard {
  /** Processes run from now on. */
  resume(): void;
  /** They stand still, or are gone. */
  pause(): void;
  /** How many processes it has killed so far. */
  kills(): number;
}

export type MemoryGuardOptions = {
  readonly clock: Clock;
  readonly limitBytes: number;
  readonly processIds: () => readonly number[];
  /** Told of everything that is seen on the way. */
  readonly onSample: (memories: readonly ProcessMemory[]) => void;
};

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

/** False if it is gone already. */
function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
