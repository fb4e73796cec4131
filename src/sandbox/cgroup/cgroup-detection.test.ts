import { describe, expect, it } from 'vitest';
import type { CgroupSources } from './cgroup-detection.ts';
import { detectCgroups } from './cgroup-detection.ts';

const V2_MOUNT = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate';
const V1_MOUNTS = [
  '31 23 0:27 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory',
  '32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct',
];

/** A machine with these texts, these files and these writable places. */
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

  it('takes version 2 where it was handed over with memory', () => {
    const files = { [`${scope}/cgroup.controllers`]: 'cpu memory pids\n' };
    const found = detectCgroups(machine(['0::/user.slice/run.scope'], [V2_MOUNT], files, /run\.scope/));
    expect(found).toEqual({ kind: 'v2', directory: scope, controllers: ['cpu', 'memory', 'pids'] });
  });

  it('is not led astray by a shell that an earlier service has moved', () => {
    const files = { [`${scope}/cgroup.controllers`]: 'cpu memory pids\n' };
    const shell = '/user.slice/run.scope/lamella-1-2-3-0/service';
    const found = detectCgroups(machine([`0::${shell}`], [V2_MOUNT], files, /run\.scope/));
    expect(found).toMatchObject({ kind: 'v2', directory: scope });
  });

  it('says what is not writable when it was not handed over', () => {
    const files = { [`${scope}/cgroup.controllers`]: 'memory\n' };
    const found = detectCgroups(machine(['0::/user.slice/run.scope'], [V2_MOUNT], files, /never/));
    expect(found).toMatchObject({ kind: 'none', reason: expect.stringContaining(`${scope} is not writable`) });
  });

  it('takes version 1 below our own group, hierarchies mounted together included', () => {
    const membership = ['5:cpu,cpuacct:/', '4:memory:/jobs/7', '0::/'];
    const found = detectCgroups(machine(membership, V1_MOUNTS, {}, /./));
    expect(found).toEqual({ kind: 'v1', memory: '/sys/fs/cgroup/memory/jobs/7', cpu: '/sys/fs/cgroup/cpu,cpuacct/' });
  });

  it('takes version 1 beside a version 2 that has no memory', () => {
    const membership = ['4:memory:/', '0::/'];
    const files = { '/sys/fs/cgroup/unified/cgroup.controllers': '\n' };
    const mounts = [...V1_MOUNTS, V2_MOUNT.replace('/sys/fs/cgroup ', '/sys/fs/cgroup/unified ')];
    expect(detectCgroups(machine(membership, mounts, files, /./)).kind).toBe('v1');
  });

  it('does without the CPU hierarchy when that alone is not ours', () => {
    const found = detectCgroups(machine(['4:memory:/', '5:cpu,cpuacct:/'], V1_MOUNTS, {}, /memory/));
    expect(found).toMatchObject({ kind: 'v1', cpu: undefined });
  });

  it('finds our group in a container that sees only its own part of the tree', () => {
    const mounts = ['31 23 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory'];
    const found = detectCgroups(machine(['4:memory:/docker/abc/inner'], mounts, {}, /./));
    expect(found).toMatchObject({ memory: '/sys/fs/cgroup/memory/inner' });
  });

  it('gives both reasons when there is nothing', () => {
    const found = detectCgroups(machine([], [], {}, /./));
    expect(found).toEqual({ kind: 'none', reason: 'cgroup v2 is not mounted; cgroup v1 has no memory hierarchy' });
  });
});
