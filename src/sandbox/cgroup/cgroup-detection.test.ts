import { describe, expect, it } from 'vitest';
import type { CgroupSources } from './cgroup-detection.ts';
import { detectCgroups } from './cgroup-detection.ts';

const V2_MOUNT = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate';
const V1_MOUNTS = [
  '31 23 0:27 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory',
  '32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct',
];

/** A machine with this /proc, these files and these writable paths. */
function machine(
  membership: string[],
  mounts: string[],
  files: Record<string, string>,
  writable: RegExp,
): CgroupSources {
  return {
    membership: membership.join('\n'),
    mounts: mounts.join('\n'),
    readFile: (path) => files[path],
    isWritable: (path) => writable.test(path),
  };
}

describe('detectCgroups', () => {
  const scope = '/sys/fs/cgroup/user.slice/run.scope';

  it('uses version 2 if it was delegated with the memory controller', () => {
    const files = { [`${scope}/cgroup.controllers`]: 'cpu memory pids\n' };
    const found = detectCgroups(machine(['0::/user.slice/run.scope'], [V2_MOUNT], files, /run\.scope/));
    expect(found).toEqual({ kind: 'v2', directory: scope, controllers: ['cpu', 'memory', 'pids'] });
  });

  it('ignores the leaf group into which an earlier service moved the shell', () => {
    const files = { [`${scope}/cgroup.controllers`]: 'cpu memory pids\n' };
    const shell = '/user.slice/run.scope/lamella-1-2-3-0/service';
    const found = detectCgroups(machine([`0::${shell}`], [V2_MOUNT], files, /run\.scope/));
    expect(found).toMatchObject({ kind: 'v2', directory: scope });
  });

  it('names the path that is not writable if version 2 was not delegated', () => {
    const files = { [`${scope}/cgroup.controllers`]: 'memory\n' };
    const found = detectCgroups(machine(['0::/user.slice/run.scope'], [V2_MOUNT], files, /never/));
    expect(found).toMatchObject({ kind: 'none', reason: expect.stringContaining(`${scope} is not writable`) });
  });

  it('uses version 1 below its own group, also if hierarchies are mounted together', () => {
    const membership = ['5:cpu,cpuacct:/', '4:memory:/jobs/7', '0::/'];
    const found = detectCgroups(machine(membership, V1_MOUNTS, {}, /./));
    expect(found).toEqual({ kind: 'v1', memory: '/sys/fs/cgroup/memory/jobs/7', cpu: '/sys/fs/cgroup/cpu,cpuacct/' });
  });

  it('uses version 1 if version 2 is mounted without the memory controller', () => {
    const membership = ['4:memory:/', '0::/'];
    const files = { '/sys/fs/cgroup/unified/cgroup.controllers': '\n' };
    const mounts = [...V1_MOUNTS, V2_MOUNT.replace('/sys/fs/cgroup ', '/sys/fs/cgroup/unified ')];
    expect(detectCgroups(machine(membership, mounts, files, /./)).kind).toBe('v1');
  });

  it('does without the CPU hierarchy if only that one is not writable', () => {
    const found = detectCgroups(machine(['4:memory:/', '5:cpu,cpuacct:/'], V1_MOUNTS, {}, /memory/));
    expect(found).toMatchObject({ kind: 'v1', cpu: undefined });
  });

  it('finds its group in a container that sees only its own part of the tree', () => {
    const mounts = ['31 23 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory'];
    const found = detectCgroups(machine(['4:memory:/docker/abc/inner'], mounts, {}, /./));
    expect(found).toMatchObject({ memory: '/sys/fs/cgroup/memory/inner' });
  });

  it('gives both reasons if neither version can be used', () => {
    const found = detectCgroups(machine([], [], {}, /./));
    expect(found).toEqual({ kind: 'none', reason: 'cgroup v2 is not mounted; cgroup v1 has no memory hierarchy' });
  });
});
