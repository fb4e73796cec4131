/**
 * cgroup v2, in a part of the tree that was delegated to the service (`systemd-run --user --scope -p Delegate=yes`, or
 * a container with its own group). A group with controlled children must not contain processes itself. So the service
 * first moves into a leaf group, together with all other processes of its group, and back at the end.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
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
  tryRemove,
  tryWriteControl,
  writeControl,
} from './cgroup-files.ts';
import { touchedBytes } from './memory-use.ts';

/** A short period keeps the pauses of a throttled process short. AWS Lambda uses 20 ms too. */
const CPU_PERIOD_US = 20_000;
const MIN_QUOTA_US = 1000;
/** The leaf group that holds the service itself. */
const SERVICE_LEAF = 'service';

/** Opens the service's group and removes the groups of dead services. The caller closes it. */
export function openCgroupsV2(support: Extract<CgroupSupport, { kind: 'v2' }>, clock: Clock): Cgroups {
  const parent = support.directory;
  const directory = createServiceDirectory(parent);
  const leaf = join(directory, SERVICE_LEAF);
  mkdirSync(leaf, { recursive: true });
  const abandoned = abandonedDirectories(parent);
  // Move all processes: any that stays (npm, a shell) keeps the group from having controlled children.
  const movers = [process.pid, ...readPids(parent), ...abandoned.flatMap((it) => readPids(join(it, SERVICE_LEAF)))];
  // The root of the tree may have both, and its processes belong to the whole machine.
  if (!isRoot(parent)) for (const pid of movers) tryWriteControl(leaf, 'cgroup.procs', pid);
  for (const leftover of abandoned) removeGroups(leftover);
  const enabled = (readControl(parent, 'cgroup.subtree_control') ?? '').trim().split(/\s+/);
  const wanted = support.controllers.filter((name) => name === 'memory' || name === 'cpu');
  const added = wanted.filter((name) => !enabled.includes(name));
  for (const name of added) tryWriteControl(parent, 'cgroup.subtree_control', `+${name}`);
  for (const name of wanted) tryWriteControl(directory, 'cgroup.subtree_control', `+${name}`);
  let count = 0;
  return {
    createGroup: () => createGroup(join(directory, `${count++}`), clock),
    async close() {
      for (const name of wanted) tryWriteControl(directory, 'cgroup.subtree_control', `-${name}`);
      if (!isRoot(parent)) leaveLeaf(parent, directory, leaf, added);
      tryRemove(leaf);
      tryRemove(directory);
    },
  };
}

/**
 * Moves the processes back to the parent group, unless another service still has groups there. In that case they stay
 * in the leaf, and the next service moves them.
 */
function leaveLeaf(parent: string, directory: string, leaf: string, added: readonly string[]): void {
  const others = readdirSync(parent, { withFileTypes: true }).filter((it) => it.isDirectory());
  if (others.some(({ name }) => join(parent, name) !== directory)) return;
  for (const name of added) tryWriteControl(parent, 'cgroup.subtree_control', `-${name}`);
  for (const pid of readPids(leaf)) tryWriteControl(parent, 'cgroup.procs', pid);
}

/** Only the root of the tree lacks this file. */
function isRoot(directory: string): boolean {
  return !existsSync(join(directory, 'cgroup.events'));
}

function createGroup(directory: string, clock: Clock): CgroupGroup {
  mkdirSync(directory);
  const peak = new PolledFile(join(directory, 'memory.peak'));
  const current = new PolledFile(join(directory, 'memory.current'));
  const events = new PolledFile(join(directory, 'memory.events'));
  let highest = 0;
  let isPeakExact = false;
  const peakMemory = (): number => {
    // memory.peak exists since Linux 5.19. On older kernels, use the highest value read so far.
    const mark = peak.readNumber();
    isPeakExact = mark !== undefined;
    highest = Math.max(highest, mark ?? current.readNumber() ?? 0);
    return highest;
  };
  return {
    joinFiles: [join(directory, 'cgroup.procs')],
    setMemoryLimit(bytes) {
      writeControl(directory, 'memory.max', bytes ?? 'max');
      tryWriteControl(directory, 'memory.swap.max', bytes === undefined ? 'max' : 0);
    },
    setCpuQuota(share) {
      const quota = share === undefined ? 'max' : Math.max(MIN_QUOTA_US, Math.round(share * CPU_PERIOD_US));
      tryWriteControl(directory, 'cpu.max', `${quota} ${CPU_PERIOD_US}`);
    },
    processIds: () => readPids(directory),
    peakMemory,
    isPeakExact: () => isPeakExact,
    memoryCounters: () => readCounters(directory, peakMemory()),
    outOfMemoryKills: () => field(events.read(), 'oom_kill') ?? 0,
    async remove() {
      for (const file of [peak, current, events]) file.close();
      await removeGroup(directory, clock);
    },
  };
}

function readCounters(directory: string, peak: number): MemoryCounters | undefined {
  const stat = readControl(directory, 'memory.stat');
  if (stat === undefined) return undefined;
  return {
    peak,
    fileCache: (field(stat, 'file') ?? 0) - (field(stat, 'shmem') ?? 0),
    // `kernel` exists since Linux 5.18. On older kernels, add up its parts.
    kernel:
      field(stat, 'kernel') ??
      ['kernel_stack', 'pagetables', 'slab'].reduce((sum, name) => sum + (field(stat, name) ?? 0), 0),
    touched: touchedBytes(field(stat, 'pgfault'), field(stat, 'thp_fault_alloc')),
  };
}
