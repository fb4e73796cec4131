/**
 * Control groups, version 2, in a part of the tree that was handed over to us (`systemd-run --user --scope
 * -p Delegate=yes`, a container with its own group). A group that has controlled children may hold no process itself,
 * hence the service moves into a leaf of its own first, with whoever else is there, and back at the end.
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

/** Lambda's own scheduling period. */
const CPU_PERIOD_US = 20_000;
const MIN_QUOTA_US = 1000;
/** The leaf in which the service itself lives. */
const SERVICE_LEAF = 'service';

export function openCgroupsV2(support: Extract<CgroupSupport, { kind: 'v2' }>, clock: Clock): Cgroups {
  const parent = support.directory;
  const directory = createServiceDirectory(parent);
  const leaf = join(directory, SERVICE_LEAF);
  mkdirSync(leaf, { recursive: true });
  const abandoned = abandonedDirectories(parent);
  // Not only ourselves: whoever else is in the group (npm, a shell) would keep it from having children too.
  const movers = [process.pid, ...readPids(parent), ...abandoned.flatMap((it) => readPids(join(it, SERVICE_LEAF)))];
  // The root of the whole tree may have both, and is everybody's.
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
 * Puts everybody back where they were, as long as nobody else has groups there; else they stay, and the next service
 * takes them along.
 */
function leaveLeaf(parent: string, directory: string, leaf: string, added: readonly string[]): void {
  const others = readdirSync(parent, { withFileTypes: true }).filter((it) => it.isDirectory());
  if (others.some(({ name }) => join(parent, name) !== directory)) return;
  for (const name of added) tryWriteControl(parent, 'cgroup.subtree_control', `-${name}`);
  for (const pid of readPids(leaf)) tryWriteControl(parent, 'cgroup.procs', pid);
}

/** Whether it is the root of the whole tree, which alone has no such file. */
function isRoot(directory: string): boolean {
  return !existsSync(join(directory, 'cgroup.events'));
}

function createGroup(directory: string, clock: Clock): CgroupGroup {
  mkdirSync(directory);
  const peak = new PolledFile(join(directory, 'memory.peak'));
  const current = new PolledFile(join(directory, 'memory.current'));
  const events = new PolledFile(join(directory, 'memory.events'));
  let highest = 0;
  const peakMemory = (): number => {
    // memory.peak came with Linux 5.19; before, we only know what we have seen.
    highest = Math.max(highest, peak.readNumber() ?? current.readNumber() ?? 0);
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
    // `kernel` came with Linux 5.18; before, its parts.
    kernel:
      field(stat, 'kernel') ??
      ['kernel_stack', 'pagetables', 'slab'].reduce((sum, name) => sum + (field(stat, name) ?? 0), 0),
    touched: touchedBytes(field(stat, 'pgfault'), field(stat, 'thp_fault_alloc')),
  };
}
