/**
 * How much memory the processes of a sandbox have held at most, without page cache. No counter of the kernel says
 * that, so it is put together from two that err on different sides:
 * - each living process's own high-water mark, which misses processes that have ended and counts shared pages twice;
 * - the group's high-water mark, which counts all processes once, but page cache and kernel memory too. What is cache
 *   now is taken off; cache that is gone again (a file written and deleted) is told by there having been no page faults.
 */
import { readFileSync } from 'node:fs';
import type { ProcessMemory } from '../process/process-tree.ts';
import { memoryOf } from '../process/process-tree.ts';
import type { CgroupGroup, MemoryCounters } from './cgroup.ts';

/** A rise of the group's own mark below this is not worth a look at every process. */
const MIN_RISE_BYTES = 256 * 1024;
const HUGE_PAGE = 2 * 1024 * 1024;
const PAGE_SIZE = measurePageSize();

export interface MemoryMeter {
  /** Bytes; never falls. Cheap while the group's own mark stands still. */
  peakBytes(): number;
  /** Takes into account what somebody else has just seen. */
  observe(memories: readonly ProcessMemory[]): void;
}

/** `processIds` gives the host pids of the function's processes, without those that only hold or launch. */
export function createMemoryMeter(
  group: CgroupGroup,
  processIds: () => readonly number[],
  limitBytes: number | undefined,
): MemoryMeter {
  let peak = 0;
  let peakAtLastSample = Number.NEGATIVE_INFINITY;
  const observe = (memories: readonly ProcessMemory[]): void => {
    peak = Math.max(peak, estimatePeak(memories, group.memoryCounters(), limitBytes));
  };
  return {
    observe,
    peakBytes() {
      const mark = group.peakMemory();
      if (mark !== undefined && mark < peakAtLastSample + MIN_RISE_BYTES) return peak;
      peakAtLastSample = mark ?? peakAtLastSample;
      observe(processIds().flatMap((pid) => memoryOf(pid) ?? []));
      return peak;
    },
  };
}

/** What the living processes and the group's counters say together. */
export function estimatePeak(
  processes: readonly ProcessMemory[],
  group: MemoryCounters | undefined,
  limitBytes: number | undefined,
): number {
  const ownByProcesses = processes.reduce((sum, { ownPeak }) => sum + ownPeak, 0);
  const program = programBytes(processes);
  const limit = limitBytes ?? Number.POSITIVE_INFINITY;
  if (group === undefined) return Math.min(ownByProcesses + program, limit);
  const ownByGroup = Math.min(group.peak - group.fileCache - group.kernel, group.touched ?? Number.POSITIVE_INFINITY);
  const own = Math.min(Math.max(ownByProcesses, ownByGroup), group.peak);
  return Math.min(own + program, limit);
}

/** What the processes hold together now, as far as that can be told without a group. */
export function heldBytes(processes: readonly ProcessMemory[]): number {
  return processes.reduce((sum, { own }) => sum + own, 0) + programBytes(processes);
}

/** Programs of one function mostly share their libraries; the largest stands for all. */
function programBytes(processes: readonly ProcessMemory[]): number {
  return Math.max(0, ...processes.map(({ program }) => program));
}

/**
 * The most memory that so many page faults can have brought in. `hugeFaults` is how many of them were for huge pages;
 * if the kernel does not count those apart but gives them out freely, nothing can be said.
 */
export function touchedBytes(faults: number | undefined, hugeFaults?: number): number | undefined {
  if (faults === undefined || (hugeFaults === undefined && hugePagesAlways())) return undefined;
  return faults * PAGE_SIZE + (hugeFaults ?? 0) * HUGE_PAGE;
}

function hugePagesAlways(): boolean {
  try {
    return readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'latin1').includes('[always]');
  } catch {
    return false;
  }
}

/** Node does not tell the page size; but the kernel says what it gave us, in pages here and in kilobytes there. */
function measurePageSize(): number {
  const pages = Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[0]);
  const kilobytes = Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
  return 2 ** Math.round(Math.log2((kilobytes * 1024) / pages));
}
