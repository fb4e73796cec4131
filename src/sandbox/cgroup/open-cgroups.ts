/**
 * The choice among the three kinds of hosts: cgroup v2 handed over to us, cgroup v1, neither. Groups lie below our own
 * group, in a directory named after this service, so that the next service can tell what a dead one has left.
 */
import type { Clock } from '../../clock.ts';
import type { CgroupSupport } from '../host/sandbox-host.ts';
import type { CgroupGroup, Cgroups } from './cgroup.ts';
import { openCgroupsV1 } from './cgroup-v1.ts';
import { openCgroupsV2 } from './cgroup-v2.ts';

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
