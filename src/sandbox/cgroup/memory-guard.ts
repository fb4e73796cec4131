/**
 * Enforces the memory limit on hosts without cgroups: samples the memory of the processes and, when they exceed the
 * limit together, kills the largest, as the kernel would. The less memory is left, the shorter the interval. A process
 * that grows faster than that can exceed the limit for a moment. No samples are taken while the processes are stopped.
 * Memory that several processes share counts once, and so does shared memory that none has mapped (`shared-memory.ts`).
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { ProcessMemory } from '../process/process-tree.ts';
import { memoryOf } from '../process/process-tree.ts';
import { type Held, measureMemory, type Sampled, sum } from './measure-memory.ts';
import { createDescriptorSweep } from './shared-memory.ts';

/** The assumed maximum growth of a process. It determines when the next sample is due. */
const GROWTH_BYTES_PER_MS = 2 * 1024 * 1024;
const PAUSE_MS = { min: 5, max: 100 };
/** A sample of many processes takes time. Pauses are at least this many times as long, so that others have theirs. */
const PAUSES_PER_SAMPLE = 4;

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
  /** Called with each sample, and the bytes of shared memory that no process has mapped. */
  readonly onSample: (memories: readonly ProcessMemory[], unmappedBytes: number) => void;
};

/** Creates a guard, which samples only between `resume` and `pause`. */
export function createMemoryGuard({ clock, limitBytes, processIds, onSample }: MemoryGuardOptions): MemoryGuard {
  let cancel: Cancel | undefined;
  let kills = 0;
  const sweep = createDescriptorSweep();
  /** A process that was killed. While it exits, its memory still counts, and no other process is killed for it. */
  let dying: number | undefined;
  const sample = (): void => {
    const startedAt = clock.monotonicMs();
    const found = processIds().flatMap((pid) => {
      const memory = memoryOf(pid);
      return memory === undefined ? [] : [{ pid, memory }];
    });
    const held = sweep.look(found.map(({ pid }) => pid));
    const { totalBytes, unmappedBytes } = measureMemory(found, held, limitBytes);
    onSample(
      found.map(({ memory }) => memory),
      unmappedBytes,
    );
    const left = limitBytes - totalBytes;
    if (left < 0 && !found.some(({ pid }) => pid === dying)) {
      dying = largestOf(found, held);
      if (dying !== undefined && kill(dying)) kills += 1;
    }
    const pause = Math.min(PAUSE_MS.max, Math.max(PAUSE_MS.min, left / GROWTH_BYTES_PER_MS));
    cancel = clock.after(Math.max(pause, PAUSES_PER_SAMPLE * (clock.monotonicMs() - startedAt)), sample);
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

/** The process that holds most, with what it shares. Ending it may free nothing: the next sample then finds another. */
function largestOf(found: readonly Sampled[], held: Held): number | undefined {
  let largest: { readonly pid: number; readonly bytes: number } | undefined;
  for (const { pid, memory } of found) {
    const objects = sum((held.get(pid) ?? new Map()).values());
    const bytes = memory.own + Math.max(0, objects - memory.shared);
    if (largest === undefined || bytes > largest.bytes) largest = { pid, bytes };
  }
  return largest?.pid;
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
