/**
 * Control groups, version 1: memory and CPU are two hierarchies, so a sandbox has a folder in each.
 * https://docs.kernel.org/admin-guide/cgroup-v1/
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { CgroupSupport } from '../host/sandbox-host.ts';
import type { CgroupGroup, Cgroups, MemoryCounters } from './cgroup.ts';
import {
  abandonedFolders,
  field,
  KeptFile,
  makeServiceFolder,
  readControl,
  readPids,
  removeGroup,
  removeGroups,
  tryWriteControl,
  writeControl,
} from './cgroup-files.ts';
import { touchedBytes } from './memory-use.ts';

/** Lambda's own scheduling period. */
const CPU_PERIOD_US = 20_000;
const MIN_QUOTA_US = 1000;

type Folders = { readonly memory: string; readonly cpu: string | undefined };

export function openCgroupsV1(support: Extract<CgroupSupport, { kind: 'v1' }>, clock: Clock): Cgroups {
  for (const parent of distinct(support)) for (const folder of abandonedFolders(parent)) removeGroups(folder);
  const memory = makeServiceFolder(support.memory);
  // Hierarchies can be mounted together; then one folder is for both.
  const cpu = support.cpu === support.memory ? memory : support.cpu && makeServiceFolder(support.cpu);
  const parents: Folders = { memory, cpu };
  let count = 0;
  return {
    createGroup: () => createGroup(parents, `${count++}`, clock),
    async close() {
      for (const folder of distinct(parents)) await removeGroup(folder, clock);
    },
  };
}

function createGroup(parents: Folders, name: string, clock: Clock): CgroupGroup {
  const folders: Folders = {
    memory: join(parents.memory, name),
    cpu: parents.cpu && join(parents.cpu, name),
  };
  for (const folder of distinct(folders)) mkdirSync(folder, { recursive: true });
  const peak = new KeptFile(join(folders.memory, 'memory.max_usage_in_bytes'));
  const oomControl = new KeptFile(join(folders.memory, 'memory.oom_control'));
  const peakMemory = (): number => peak.readNumber() ?? 0;
  return {
    joinFiles: distinct(folders).map((folder) => join(folder, 'cgroup.procs')),
    setMemoryLimit(bytes) {
      if (bytes === undefined) return;
      writeControl(folders.memory, 'memory.limit_in_bytes', bytes);
      tryWriteControl(folders.memory, 'memory.memsw.limit_in_bytes', bytes);
    },
    setCpuQuota(share) {
      if (folders.cpu === undefined) return;
      tryWriteControl(folders.cpu, 'cpu.cfs_period_us', CPU_PERIOD_US);
      const quota = share === undefined ? -1 : Math.max(MIN_QUOTA_US, Math.round(share * CPU_PERIOD_US));
      tryWriteControl(folders.cpu, 'cpu.cfs_quota_us', quota);
    },
    processIds: () => readPids(folders.memory),
    peakMemory,
    memoryCounters: () => readCounters(folders.memory, peakMemory()),
    outOfMemoryKills: () => field(oomControl.read(), 'oom_kill') ?? 0,
    async remove() {
      peak.close();
      oomControl.close();
      for (const folder of distinct(folders)) await removeGroup(folder, clock);
    },
  };
}

function readCounters(folder: string, peak: number): MemoryCounters | undefined {
  const stat = readControl(folder, 'memory.stat');
  if (stat === undefined) return undefined;
  // v1 counts shared memory as cache; but it is memory that processes hold.
  const fileCache = (field(stat, 'total_cache') ?? 0) - (field(stat, 'total_shmem') ?? 0);
  return { peak, fileCache, kernel: kernelMemory(folder), touched: touchedBytes(field(stat, 'total_pgfault')) };
}

function kernelMemory(folder: string): number {
  return Number.parseInt(readControl(folder, 'memory.kmem.usage_in_bytes') ?? '0', 10);
}

function distinct(folders: Folders): string[] {
  return [...new Set([folders.memory, folders.cpu])].filter((folder) => folder !== undefined);
}
