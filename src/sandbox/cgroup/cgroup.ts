/**
 * The contract of a sandbox's control group, and the choice among the three kinds of hosts: cgroup v2 handed over to
 * us, cgroup v1, neither. A group holds the processes of one sandbox and not its holder. Groups lie below our own
 * group, in a folder named after this service, so that the next service can tell what a dead one has left.
 * Freezing is not done here: what the v1 freezer holds outlives us when we are killed (see `stop-signals.ts`).
 */
import type { Clock } from '../../clock.ts';
import type { CgroupSupport } from '../host/sandbox-host.ts';
import { openCgroupsV1 } from './cgroup-v1.ts';
import { openCgroupsV2 } from './cgroup-v2.ts';

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

/** Opens a place for groups, and clears away what services that are no longer alive have left. */
export function openCgroups(support: CgroupSupport, clock: Clock): Cgroups {
  switch (support.kind) {
    case 'v2':
      return openCgroupsV2(support, clock);
    case 'v1':
      return openCgroupsV1(support, clock);
    case 'none':
      return noCgroups;
  }
}

const noGroup: CgroupGroup = {
  joinFiles: [],
  setMemoryLimit: () => {},
  setCpuQuota: () => {},
  processIds: () => undefined,
  peakMemory: () => undefined,
  memoryCounters: () => undefined,
  outOfMemoryKills: () => 0,
  remove: async () => {},
};

const noCgroups: Cgroups = { createGroup: () => noGroup, close: async () => {} };
