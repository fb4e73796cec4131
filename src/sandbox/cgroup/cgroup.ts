/**
 * The contract of a sandbox's cgroup. A group contains the processes of one sandbox, without its namespace holder.
 * Freezing is done by signals (`stop-signals.ts`): processes in the v1 freezer would outlive a service that is killed.
 */

/** The kernel's counters for all processes of a group, in bytes. */
export type MemoryCounters = {
  /** Highest use so far, including page cache and kernel memory. */
  readonly peak: number;
  /** Current page cache of files. */
  readonly fileCache: number;
  /** Current kernel memory. */
  readonly kernel: number;
  /** Upper bound of the memory touched: page faults times page size. Undefined if huge pages make that unknowable. */
  readonly touched: number | undefined;
};

/** The cgroup of one sandbox. */
export interface CgroupGroup {
  /** A process joins the group by writing 0 to each of these files. Empty if the host has no cgroups. */
  readonly joinFiles: readonly string[];
  setMemoryLimit(bytes: number | undefined): void;
  /** `share` in CPUs; undefined removes the limit. */
  setCpuQuota(share: number | undefined): void;
  /** Host pids of the processes in the group; undefined if the host has no cgroups. */
  processIds(): number[] | undefined;
  /** Highest memory use in bytes. Cheap: one read of an open file. Undefined if the host has no cgroups. */
  peakMemory(): number | undefined;
  /**
   * Whether the last `peakMemory` was the kernel's own mark, and memory that was swapped out does not count in another
   * place. Then the group cannot have reached its limit while the peak is below it.
   */
  isPeakExact?(): boolean;
  memoryCounters(): MemoryCounters | undefined;
  /** Number of processes that the kernel killed in this group for lack of memory. */
  outOfMemoryKills(): number;
  /** Removes the group. Call it when its processes have exited. */
  remove(): Promise<void>;
}

/** The service's part of the cgroup tree. */
export interface Cgroups {
  createGroup(): CgroupGroup;
  close(): Promise<void>;
}
