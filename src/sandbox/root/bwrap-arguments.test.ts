import { describe, expect, it } from 'vitest';
import type { SandboxSpec } from '../sandbox.ts';
import type { HostRoot } from './bwrap-arguments.ts';
import { bwrapArguments } from './bwrap-arguments.ts';

const ROOT: HostRoot = {
  programs: [
    { path: '/usr', kind: 'directory' },
    { path: '/bin', kind: 'link', to: 'usr/bin' },
    { path: '/lib', kind: 'directory' },
  ],
  etc: '/run/etc',
  etcDirectories: ['ssl/certs'],
};
const FILES = { passwd: '/run/p', group: '/run/g', hosts: '/run/h' };
const SPEC: SandboxSpec = {
  id: 'a',
  slot: 3,
  userName: 'user',
  directories: ['/var/task', '/opt', '/tmp'],
  mounts: [
    { source: '/data/code', target: '/var/task', access: 'read-only' },
    { source: '/data/tmp', target: '/tmp', access: 'read-write' },
  ],
  hosts: {},
  workingDirectory: '/var/task',
  memoryLimitBytes: undefined,
  limits: { openFiles: 1024, processes: 742 },
};

describe('bwrapArguments', () => {
  const args = (spec = SPEC, uid?: number, volume?: string): string =>
    bwrapArguments(spec, volume, ROOT, FILES, uid).join(' ');

  it('binds the host’s program directories, and keeps links as links', () => {
    expect(args()).toContain('--ro-bind /usr /usr --symlink usr/bin /bin --ro-bind /lib /lib');
  });

  it('mounts the volume at the target of the spec', () => {
    expect(args()).not.toContain('/run/volume');
    const spec: SandboxSpec = { ...SPEC, volume: { target: '/scratch', sizeBytes: 1 } };
    expect(args(spec, undefined, '/run/volume')).toContain('--bind /run/volume /scratch');
  });

  it('creates a user namespace only for an ordinary user', () => {
    expect(args()).not.toContain('--unshare-user');
    expect(args(SPEC, 1051)).toContain('--unshare-user --uid 1051 --gid 1051');
  });

  it('mounts the mounts of the spec with their access', () => {
    expect(args()).toContain('--ro-bind /data/code /var/task');
    expect(args()).toContain('--bind /data/tmp /tmp');
  });

  it('makes the parent directories of a mount readable for all', () => {
    const mounts = [{ source: '/efs', target: '/mnt/efs/a', access: 'read-write' }] as const;
    expect(args({ ...SPEC, mounts })).toContain('--dir /mnt --dir /mnt/efs --bind /efs /mnt/efs/a');
  });

  it('creates the directories of the spec even if nothing is mounted there', () => {
    expect(args({ ...SPEC, mounts: [] })).toContain('--dir /var/task --dir /opt');
  });

  it('makes the root read-only after all mounts', () => {
    expect(args()).toMatch(/--remount-ro \/ --chdir \/var\/task$/);
  });

  it('makes bubblewrap die with its parent, and drops all capabilities', () => {
    expect(args()).toContain('--die-with-parent --cap-drop ALL');
  });

  it.each(['tmp', '/', '/tmp/../etc', '/a/./b', ''])('refuses the mount target %j', (target) => {
    const mounts = [{ source: '/x', target, access: 'read-only' }] as const;
    expect(() => args({ ...SPEC, mounts })).toThrow('plain absolute path');
  });
});
