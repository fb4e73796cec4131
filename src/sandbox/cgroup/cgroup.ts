/**
 * The contract of a sandbox's control group. A group holds the processes of one sandbox and not its holder.
 * Freezing is not done here: what the v1 freezer holds outlives us when we are killed (see `stop-signals.ts`).
 */

/** What the kernel has counted for all processes of a group. In bytes. */
export type MemoryCounters = {
  /** Highest use so far, page cache and kernel memory included. */
  readonly peak: number;
  /** Page cache of files now: what reading and writing files has left in memory. */
  readonly fileCache: number;
  /** Kernel memory now. */
  readonly kernel: number;
  /** How many bytes can have come from touching memory: page faults times page size; undefined when huge pages blur it. */
  readonly touched: number | undefined;
};

export interface CgroupGroup {
  /** A process joins by writing 0 into each of these. Empty when the host has no groups. */
  readonly joinFiles: readonly string[];
  setMemoryLimit(bytes: number | undefined): void;
  /** `share` in CPUs; undefined lifts the limit. */
  setCpuQuota(share: number | undefined): void;
  /** Host pids of the processes in it; undefined when the host cannot tell. */
  processIds(): number[] | undefined;
  /** Highest memory use; cheap (one read of an open file). Undefined when the host does not count. */
  peakMemory(): number | undefined;
  memoryCounters(): MemoryCounters | undefined;
  /** How many processes the kernel has killed here for lack of memory. */
  outOfMemoryKills(): number;
  /** To be called once its processes are gone. */
  remove(): Promise<void>;
}

export interface Cgroups {
  createGroup(): CgroupGroup;
  close(): Promise<void>;
}
