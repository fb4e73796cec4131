/**
 * cgroup v1: memory and CPU are separate hierarchies, so a sandbox has a directory in each.
 * https://docs.kernel.org/admin-guide/cgroup-v1/
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { CgroupSupport } from '../host/sandbox-host.ts';
import type { CgroupGroup, Cgroups, MemoryCounters } from './cgroup.ts';
import {
  abandonedDirectories,
  createServiceDirectory,
  field,
  PolledFile,
  readControl,
  readPids,
  removeGroup,
  removeGroups,
  tryWriteControl,
  writeControl,
} from './cgroup-files.ts';
import { touchedBytes } from './memory-use.ts';

/** A short period keeps the pauses of a throttled process short. AWS Lambda uses 20 ms too. */
const CPU_PERIOD_US = 20_000;
const MIN_QUOTA_US = 1000;

type Directories = { readonly memory: string; readonly cpu: string | undefined };

/** Opens the service's group in both hierarchies and removes the groups of dead services. The caller closes it. */
export function openCgroupsV1(support: Extract<CgroupSupport, { kind: 'v1' }>, clock: Clock): Cgroups {
  for (const parent of distinct(support)) for (const directory of abandonedDirectories(parent)) removeGroups(directory);
  const memory = createServiceDirectory(support.memory);
  // Hierarchies can be mounted together. Then one directory serves both.
  const cpu = support.cpu === support.memory ? memory : support.cpu && createServiceDirectory(support.cpu);
  const parents: Directories = { memory, cpu };
  let count = 0;
  return {
    createGroup: () => createGroup(parents, `${count++}`, clock),
    async close() {
      for (const directory of distinct(parents)) await removeGroup(directory, clock);
    },
  };
}

/** Memory that was swapped out counts against a second limit, memory.memsw.limit_in_bytes. */
const hasSwap = !/^SwapTotal:\s+0 kB$/m.test(readControl('/proc', 'meminfo') ?? '');

function createGroup(parents: Directories, name: string, clock: Clock): CgroupGroup {
  const directories: Directories = {
    memory: join(parents.memory, name),
    cpu: parents.cpu && join(parents.cpu, name),
  };
  for (const directory of distinct(directories)) mkdirSync(directory, { recursive: true });
  const peak = new PolledFile(join(directories.memory, 'memory.max_usage_in_bytes'));
  const oomControl = new PolledFile(join(directories.memory, 'memory.oom_control'));
  const peakMemory = (): number => peak.readNumber() ?? 0;
  return {
    joinFiles: distinct(directories).map((directory) => join(directory, 'cgroup.procs')),
    setMemoryLimit(bytes) {
      if (bytes === undefined) return;
      writeControl(directories.memory, 'memory.limit_in_bytes', bytes);
      tryWriteControl(directories.memory, 'memory.memsw.limit_in_bytes', bytes);
    },
    setCpuQuota(share) {
      if (directories.cpu === undefined) return;
      tryWriteControl(directories.cpu, 'cpu.cfs_period_us', CPU_PERIOD_US);
      const quota = share === undefined ? -1 : Math.max(MIN_QUOTA_US, Math.round(share * CPU_PERIOD_US));
      tryWriteControl(directories.cpu, 'cpu.cfs_quota_us', quota);
    },
    processIds: () => readPids(directories.memory),
    peakMemory,
    isPeakExact: () => !hasSwap,
    memoryCounters: () => readCounters(directories.memory, peakMemory()),
    outOfMemoryKills: () => field(oomControl.read(), 'oom_kill') ?? 0,
    async remove() {
      peak.close();
      oomControl.close();
      for (const directory of distinct(directories)) await removeGroup(directory, clock);
    },
  };
}

function readCounters(directory: string, peak: number): MemoryCounters | undefined {
  const stat = readControl(directory, 'memory.stat');
  if (stat === undefined) return undefined;
  // v1 counts shared memory as cache, but processes hold it.
  const fileCache = (field(stat, 'total_cache') ?? 0) - (field(stat, 'total_shmem') ?? 0);
  return { peak, fileCache, kernel: kernelMemory(directory), touched: touchedBytes(field(stat, 'total_pgfault')) };
}

function kernelMemory(directory: string): number {
  return Number.parseInt(readControl(directory, 'memory.kmem.usage_in_bytes') ?? '0', 10);
}

function distinct(directories: Directories): string[] {
  return [...new Set([directories.memory, directories.cpu])].filter((directory) => directory !== undefined);
}
