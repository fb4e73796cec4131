/** What was found out about a host, as checks that `lamella doctor` prints: what there is, and what mends what is missing. */
import { runTool } from '../process/spawn.ts';
import { installCommand, TOOL_DIRECTORIES, TOOL_PACKAGES } from './host-tools.ts';
import type { NetworkTrial } from './host-trial.ts';
import type { KernelSettings } from './kernel-settings.ts';
import { isReadable } from './kernel-settings.ts';
import type { CgroupSupport, SandboxTools, VolumeSupport } from './sandbox-host.ts';

export type HostCheck = {
  readonly name: string;
  readonly ok: boolean;
  /** Whether functions cannot run without it. */
  readonly isRequired: boolean;
  /** What was found. */
  readonly detail: string;
  /** What to do about it; undefined when there is nothing to do. */
  readonly remedy: string | undefined;
};

/** The first bubblewrap with everything that is asked of it (`--info-fd`, `--args`, `--cap-drop`). */
const MIN_BUBBLEWRAP = [0, 3] as const;

export function checkUser(isRoot: boolean): HostCheck {
  const detail = isRoot
    ? 'root: every execution environment has a user id of its own'
    : 'an ordinary user: execution environments run as that user, apart by namespaces only';
  return { name: 'user', ok: true, isRequired: false, detail, remedy: undefined };
}

export function checkTools(tools: Partial<SandboxTools>): HostCheck[] {
  return [...new Set(Object.values(TOOL_PACKAGES))].map((owner) => {
    const names = Object.entries(TOOL_PACKAGES).flatMap(([name, by]) => (by === owner ? [name] : []));
    const missing = names.filter((name) => !(name in tools));
    return {
      name: owner,
      ok: missing.length === 0,
      isRequired: true,
      detail: missing.length === 0 ? 'installed' : `${missing.join(', ')} not found in ${TOOL_DIRECTORIES.join(', ')}`,
      remedy: missing.length === 0 ? undefined : installCommand(owner),
    };
  });
}

export async function checkVersion(bwrap: string | undefined): Promise<HostCheck[]> {
  if (bwrap === undefined) return [];
  const { stdout, stderr } = await runTool(bwrap, ['--version']);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  const isNewEnough =
    Number(major) > MIN_BUBBLEWRAP[0] || (Number(major) === MIN_BUBBLEWRAP[0] && Number(minor) >= MIN_BUBBLEWRAP[1]);
  return [
    {
      name: 'bubblewrap version',
      ok: isNewEnough,
      isRequired: true,
      detail: stdout.trim() || stderr.trim(),
      remedy: isNewEnough ? undefined : `Install bubblewrap ${MIN_BUBBLEWRAP.join('.')} or newer.`,
    },
  ];
}

export function checkSettings(settings: KernelSettings, isRoot: boolean): HostCheck[] {
  const switches = [
    { value: settings.maxUserNamespaces, key: 'user.max_user_namespaces', fix: '15000' },
    { value: settings.unprivilegedUserNamespaces, key: 'kernel.unprivileged_userns_clone', fix: '1' },
  ];
  // Root makes its namespaces without a user namespace.
  return switches
    .filter(({ value }) => value === 0)
    .map(({ key, fix }) => ({
      name: 'user namespaces',
      ok: isRoot,
      isRequired: true,
      detail: `${key} is 0${isRoot ? ', which does not matter to root' : ''}`,
      remedy: isRoot ? undefined : `sudo sysctl -w ${key}=${fix} (and the same in /etc/sysctl.d/ to keep it)`,
    }));
}

export function checkProcChildren(): HostCheck {
  const ok = isReadable(`/proc/self/task/${process.pid}/children`);
  return {
    name: '/proc',
    ok,
    isRequired: true,
    detail: ok ? 'complete' : 'the kernel does not list the children of processes (CONFIG_PROC_CHILDREN)',
    remedy: ok ? undefined : 'Use a kernel with CONFIG_PROC_CHILDREN; every distribution has it.',
  };
}

export function checkTrial(failure: string | undefined, settings: KernelSettings, isRoot: boolean): HostCheck {
  return {
    name: 'sandbox',
    ok: failure === undefined,
    isRequired: true,
    detail: failure ?? 'a process ran in a sandbox and was gone with it',
    remedy: failure === undefined ? undefined : explainFailure(failure, settings, isRoot),
  };
}

export function checkNetwork({ failure }: NetworkTrial, settings: KernelSettings, isRoot: boolean): HostCheck {
  return {
    name: 'network of its own',
    ok: failure === undefined,
    isRequired: false,
    detail: failure ?? '`--network isolated` can be had: a process ran in a network of its own',
    remedy: failure === undefined ? undefined : explainFailure(failure, settings, isRoot, '--unshare-net'),
  };
}

export function checkCgroups(cgroups: CgroupSupport): HostCheck[] {
  const remedy = 'Start as root, or with `systemd-run --user --scope -p Delegate=yes lamella start`.';
  if (cgroups.kind === 'none') {
    const detail = `no control groups: ${cgroups.reason}; memory is limited by looking at the processes several times a second (polling), CPU is not`;
    return [{ name: 'memory and CPU limits', ok: false, isRequired: false, detail, remedy }];
  }
  const directory = cgroups.kind === 'v2' ? cgroups.directory : cgroups.memory;
  const hasCpu = cgroups.kind === 'v2' ? cgroups.controllers.includes('cpu') : cgroups.cpu !== undefined;
  const detail = `cgroup ${cgroups.kind} at ${directory}${hasCpu ? '' : ', without a CPU controller'}`;
  return [
    { name: 'memory and CPU limits', ok: hasCpu, isRequired: false, detail, remedy: hasCpu ? undefined : remedy },
  ];
}

export function checkVolumes(volumes: VolumeSupport): HostCheck {
  const ok = volumes.kind === 'loop';
  return {
    name: 'size of /tmp',
    ok,
    isRequired: false,
    detail: ok ? 'a file system of the configured size for each environment' : `not limited: ${volumes.reason}`,
    remedy: ok ? undefined : 'Start as root on a machine with loop devices (in a container: `--privileged`).',
  };
}

export function checkProcessLimit(isApart: boolean): HostCheck {
  const detail = isApart
    ? 'counted for each execution environment'
    : 'this kernel counts all processes of a user together';
  const remedy = isApart ? undefined : 'Use Linux 5.14 or newer, or start as root; until then there is no limit.';
  return { name: 'process limit', ok: isApart, isRequired: false, detail, remedy };
}

/**
 * Why a trial failed and what mends it, from bubblewrap's or nsenter's output and the kernel's settings. `namespace` is
 * the option by which bubblewrap makes the one that was tried. Pure.
 */
export function explainFailure(
  output: string,
  settings: KernelSettings,
  isRoot: boolean,
  namespace: '--unshare-pid' | '--unshare-net' = '--unshare-pid',
): string {
  if (/max_\S*_namespaces|No space left on device/.test(output)) {
    return (
      "The kernel's limit on namespaces is reached, or is 0. Raise it: " +
      '`sudo sysctl -w user.max_net_namespaces=15000 user.max_user_namespaces=15000` ' +
      '(and the same in /etc/sysctl.d/ to keep it).'
    );
  }
  if (settings.appArmorRestricts === 1 && !isRoot) {
    return (
      'AppArmor keeps ordinary users from making namespaces (Ubuntu). Allow it: ' +
      '`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` (and the same in /etc/sysctl.d/ to keep it), ' +
      'or give bubblewrap an AppArmor profile with `userns,`, or start the service as root.'
    );
  }
  if (settings.seccomp === 2 || /Operation not permitted|No permissions/.test(output)) {
    return (
      'Something keeps this process from making namespaces; in a container that is its seccomp profile or missing ' +
      'rights. Start the container with `--privileged`, or with `--cap-add SYS_ADMIN --security-opt ' +
      'seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`.'
    );
  }
  if (/proc on/.test(output)) {
    return 'The container hides parts of /proc. Start it with `--security-opt systempaths=unconfined`.';
  }
  return `Look at what bubblewrap says; \`bwrap --ro-bind / / ${namespace} true\` should work here and does not.`;
}
