/**
 * The peak memory use of a sandbox's processes, without page cache. The kernel has no counter for it, so it is estimated
 * from two counters with opposite errors:
 * - the high-water mark of each running process misses processes that have ended and counts shared pages twice;
 * - the high-water mark of the group counts all processes once, but includes page cache and kernel memory. The current
 *   page cache is subtracted. Page cache that was freed again (a file written and deleted) caused no page faults.
 */
import { readFileSync } from 'node:fs';
import type { ProcessMemory } from '../process/process-tree.ts';
import { memoryOf } from '../process/process-tree.ts';
import type { CgroupGroup, MemoryCounters } from './cgroup.ts';

/** A smaller rise of the group's peak does not justify sampling every process. */
const MIN_RISE_BYTES = 256 * 1024;
const HUGE_PAGE = 2 * 1024 * 1024;
const PAGE_SIZE = measurePageSize();

/** Measures the peak memory use of a sandbox. */
export interface MemoryMeter {
  /** Peak in bytes; never falls. Cheap while the group's own peak does not rise. */
  peakBytes(): number;
  /** The group's own peak at the last call of `peakBytes`, with page cache; undefined if the kernel does not keep it. */
  readonly highestMark: number | undefined;
  /** Includes a sample that was taken elsewhere, with the shared memory that no process has mapped, in bytes. */
  observe(memories: readonly ProcessMemory[], unmappedBytes?: number): void;
}

/** Creates a meter. `processIds` returns the host pids of the sandbox's processes, without holder and launchers. */
export function createMemoryMeter(
  group: CgroupGroup,
  processIds: () => readonly number[],
  limitBytes: number | undefined,
): MemoryMeter {
  let peak = 0;
  let peakAtLastSample = Number.NEGATIVE_INFINITY;
  let highestMark: number | undefined;
  const observe = (memories: readonly ProcessMemory[], unmappedBytes = 0): void => {
    const estimate = estimatePeak(memories, group.memoryCounters(), limitBytes) + unmappedBytes;
    peak = Math.max(peak, Math.min(estimate, limitBytes ?? estimate));
  };
  return {
    observe,
    get highestMark() {
      return highestMark;
    },
    peakBytes() {
      const mark = group.peakMemory();
      highestMark = group.isPeakExact?.() ? mark : undefined;
      if (mark !== undefined && mark < peakAtLastSample + MIN_RISE_BYTES) return peak;
      peakAtLastSample = mark ?? peakAtLastSample;
      observe(processIds().flatMap((pid) => memoryOf(pid) ?? []));
      return peak;
    },
  };
}

/** Estimates the peak in bytes from the running processes and the counters of their group. Pure. */
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

/** The programs of one function mostly share their libraries, so only the largest counts. */
export function programBytes(processes: readonly ProcessMemory[]): number {
  return Math.max(0, ...processes.map(({ program }) => program));
}

/**
 * The maximum memory that this number of page faults can have allocated, in bytes. `hugeFaults` is the number of faults
 * for huge pages. Returns undefined if the kernel hands out huge pages by default but does not count them separately.
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

/** Node does not expose the page size. The kernel reports this process's size both in pages and in kilobytes. */
function measurePageSize(): number {
  const pages = Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[0]);
  const kilobytes = Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
  return 2 ** Math.round(Math.log2((kilobytes * 1024) / pages));
}
