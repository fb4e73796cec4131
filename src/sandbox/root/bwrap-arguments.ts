/**
 * SandboxSpec and host root -> bubblewrap's arguments. Pure. They create the namespaces of a sandbox: a read-only root
 * with the host's programs, without the host's data, and with the mounts of the spec.
 * bubblewrap keeps the network in which it is started: the host's, or one created before (`network.ts`).
 *
 * `--dev` is not used: with it, bubblewrap nests a second user namespace, which nsenter cannot enter without root. As on
 * Lambda, there is no /dev/shm.
 */
import assert from 'node:assert/strict';
import type { Mount, SandboxSpec } from '../sandbox.ts';

/** The part of the host that sandboxes show. Determined once per service. */
export type HostRoot = {
  /** Entries of the root: links as on the host (`/bin` -> `usr/bin`), and directories to bind. */
  readonly programs: readonly ({ path: string; kind: 'link'; to: string } | { path: string; kind: 'directory' })[];
  /** The directory that becomes /etc. */
  readonly etc: string;
  /** Directories of the host's /etc to bind, relative to /etc. Their mount points exist in `etc`. */
  readonly etcDirectories: readonly string[];
};

/** Files that are bound over those in /etc, because they differ between sandboxes. */
export type IdentityFiles = { readonly passwd: string; readonly group: string; readonly hosts: string };

/** The hostname inside. */
export const HOSTNAME = 'sandbox';

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const DEVICE_LINKS = { fd: '', stdin: '/0', stdout: '/1', stderr: '/2' };

/**
 * Returns the arguments for `bwrap --args`, without the command. `volume` is the directory for `spec.volume`.
 * `userNamespaceUid` is undefined if the service is root.
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
      // By default, bubblewrap creates parent directories that only its own user can enter.
      return [
        ...directoriesAbove(target).flatMap((directory) => ['--dir', directory]),
        access === 'read-only' ? '--ro-bind' : '--bind',
        source,
        target,
      ];
    }),
    // Must be last: after it, bubblewrap cannot create mount points either.
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
