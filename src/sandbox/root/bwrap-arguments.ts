/**
 * SandboxSpec and host facts -> bubblewrap's arguments. Pure. They make the holder's namespaces: a read-only root that
 * shows the host's programs and nothing of the host's data, with the function's own mounts in it.
 * The network is that of whoever starts bubblewrap: the host's, or one made before (`network.ts`).
 *
 * Not `--dev`: it makes bubblewrap nest a second user namespace, which an ordinary user's nsenter cannot enter. And no
 * /dev/shm, as on Lambda.
 */
import assert from 'node:assert/strict';
import type { Mount, SandboxSpec } from '../sandbox.ts';

/** What of the host a sandbox shows, found out once per service. */
export type HostRoot = {
  /** Directories of the root that are links on the host (`/bin` -> `usr/bin`) or directories to bind. */
  readonly programs: readonly ({ path: string; kind: 'link'; to: string } | { path: string; kind: 'directory' })[];
  /** A directory with the sandbox's /etc. */
  readonly etc: string;
  /** Directories of the host's /etc that are shown in it, as names below /etc; mount points for them exist. */
  readonly etcDirectories: readonly string[];
};

/** Files laid over those of /etc because they differ from one sandbox to the next. */
export type IdentityFiles = { readonly passwd: string; readonly group: string; readonly hosts: string };

/** The hostname inside. */
export const HOSTNAME = 'sandbox';

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const DEVICE_LINKS = { fd: '', stdin: '/0', stdout: '/1', stderr: '/2' };

/**
 * The arguments for `bwrap --args`, without the command. `volume` is the directory for `spec.volume`; `userNamespaceUid`
 * is undefined when running as root.
 */
export function bwrapArguments(
  spec: SandboxSpec,
  volume: string | undefined,
  root: HostRoot,
  files: IdentityFiles,
  userNamespaceUid: number | undefined,
): string[] {
  return [
    ...namespaces(userNamespaceUid),
    ...root.programs.flatMap((program) =>
      program.kind === 'link' ? ['--symlink', program.to, program.path] : ['--ro-bind', program.path, program.path],
    ),
    ...['--ro-bind', root.etc, '/etc'],
    ...root.etcDirectories.flatMap((name) => ['--ro-bind', `/etc/${name}`, `/etc/${name}`]),
    ...(['passwd', 'group', 'hosts'] as const).flatMap((name) => ['--ro-bind', files[name], `/etc/${name}`]),
    ...['--proc', '/proc'],
    ...['--tmpfs', '/dev'],
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...Object.entries(DEVICE_LINKS).flatMap(([name, fd]) => ['--symlink', `/proc/self/fd${fd}`, `/dev/${name}`]),
    ...['--remount-ro', '/dev'],
    ...spec.directories.flatMap((directory) => ['--dir', directory]),
    ...mountsOf(spec, volume).flatMap(({ source, target, access }) => {
      assert(/^\/(?!.*(\/|^)\.\.?(\/|$))./.test(target), `a mount's target is a plain absolute path: ${target}`);
      // Left to itself, bubblewrap makes the directories above for its own user only.
      return [
        ...directoriesAbove(target).flatMap((directory) => ['--dir', directory]),
        access === 'read-only' ? '--ro-bind' : '--bind',
        source,
        target,
      ];
    }),
    // Last, because it also keeps bubblewrap itself from making mount points.
    ...['--remount-ro', '/'],
    ...['--chdir', spec.workingDirectory],
  ];
}

function mountsOf({ mounts, volume }: SandboxSpec, source: string | undefined): readonly Mount[] {
  if (volume === undefined) return mounts;
  assert(source !== undefined, 'a spec with a volume needs a directory for it');
  return [...mounts, { source, target: volume.target, access: 'read-write' }];
}

function directoriesAbove(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}

function namespaces(userNamespaceUid: number | undefined): string[] {
  const user =
    userNamespaceUid === undefined
      ? []
      : ['--unshare-user', '--uid', `${userNamespaceUid}`, '--gid', `${userNamespaceUid}`];
  return [
    ...user,
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--hostname', HOSTNAME, '--die-with-parent', '--cap-drop', 'ALL'],
  ];
}
