/**
 * Chooses between cgroup v2, cgroup v1 and no cgroups. Groups are created below the service's own group, in a directory
 * named after the service, so that the next service recognizes what a dead one has left.
 */
import type { Clock } from '../../clock.ts';
import type { CgroupSupport } from '../host/sandbox-host.ts';
import type { CgroupGroup, Cgroups } from './cgroup.ts';
import { openCgroupsV1 } from './cgroup-v1.ts';
import { openCgroupsV2 } from './cgroup-v2.ts';

/** Opens the service's part of the cgroup tree and removes the groups of dead services. The caller closes it. */
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
