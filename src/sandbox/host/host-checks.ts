/**
 * The results of probing a host, as the checks that `lamella doctor` prints. A failed check states what is missing, what
 * does not work because of it, and what to do.
 */
import type { Guard } from '../process/guard.ts';
import { runTool } from '../process/spawn.ts';
import type { PackageName } from './host-tools.ts';
import { installCommand, TOOL_DIRECTORIES, TOOL_PACKAGES } from './host-tools.ts';
import type { NetworkTrial } from './host-trial.ts';
import type { KernelSettings } from './kernel-settings.ts';
import { isReadable } from './kernel-settings.ts';
import type { CgroupSupport, SandboxTools, VolumeSupport } from './sandbox-host.ts';

/** One check of a host. */
export type HostCheck = {
  readonly name: string;
  readonly ok: boolean;
  /** Whether functions cannot run at all while this check fails. */
  readonly isRequired: boolean;
  /** What was found. */
  readonly detail: string;
  /** Why a failed check matters; undefined if the check passed. */
  readonly impact: string | undefined;
  /** What to do about a failed check; undefined if the check passed. */
  readonly remedy: string | undefined;
};

type Failure = Required<Pick<HostCheck, 'impact' | 'remedy'>> & { readonly detail: string };

function passed(name: string, isRequired: boolean, detail: string): HostCheck {
  return { name, ok: true, isRequired, detail, impact: undefined, remedy: undefined };
}

function failed(name: string, isRequired: boolean, failure: Failure): HostCheck {
  return { name, ok: false, isRequired, ...failure };
}

/** The first bubblewrap with every option that Lamella uses (`--info-fd`, `--args`, `--cap-drop`). */
const MIN_BUBBLEWRAP = [0, 3] as const;

const WHY_PACKAGES: Readonly<Record<PackageName, string>> = {
  bubblewrap: 'bubblewrap creates the sandboxes in which functions run.',
  'util-linux': 'nsenter, setpriv and setsid start processes in a sandbox.',
  coreutils: 'Sandboxes are built with mkfifo, cat, env and nice.',
  dash: 'A shell starts each process of a function.',
  bash: 'bash closes the file descriptors that functions must not inherit.',
};

const TO_KEEP_IT = 'To keep the setting after a reboot, also put it into a file in /etc/sysctl.d/.';

/** Which user the service runs as. Never fails. */
export function checkUser(isRoot: boolean): HostCheck {
  const detail = isRoot
    ? 'root: each execution environment has its own user ID'
    : 'ordinary user: all execution environments have the same user ID and are separated by namespaces only';
  return passed('user', false, detail);
}

/** Whether the programs that build sandboxes are installed, one check per package. */
export function checkTools(tools: Partial<SandboxTools>): HostCheck[] {
  return [...new Set(Object.values(TOOL_PACKAGES))].map((owner) => {
    const names = Object.entries(TOOL_PACKAGES).flatMap(([name, by]) => (by === owner ? [name] : []));
    const missing = names.filter((name) => !(name in tools));
    if (missing.length === 0) return passed(owner, true, 'installed');
    return failed(owner, true, {
      detail: `${missing.join(', ')} not found in ${TOOL_DIRECTORIES.join(', ')}`,
      impact: WHY_PACKAGES[owner],
      remedy: installCommand([owner]),
    });
  });
}

/** Whether bubblewrap is recent enough. Returns no check if it is not installed. */
export async function checkVersion(bwrap: string | undefined): Promise<HostCheck[]> {
  if (bwrap === undefined) return [];
  const { stdout, stderr } = await runTool(bwrap, ['--version']);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  const isNewEnough =
    Number(major) > MIN_BUBBLEWRAP[0] || (Number(major) === MIN_BUBBLEWRAP[0] && Number(minor) >= MIN_BUBBLEWRAP[1]);
  const detail = stdout.trim() || stderr.trim();
  if (isNewEnough) return [passed('bubblewrap version', true, detail)];
  return [
    failed('bubblewrap version', true, {
      detail,
      impact: 'Older versions lack options that Lamella uses.',
      remedy: `Install bubblewrap ${MIN_BUBBLEWRAP.join('.')} or newer.`,
    }),
  ];
}

/** Whether the kernel's settings allow user namespaces. Returns checks only for settings that forbid them. */
export function checkSettings(settings: KernelSettings, isRoot: boolean): HostCheck[] {
  const switches = [
    { value: settings.maxUserNamespaces, key: 'user.max_user_namespaces', allowed: '15000' },
    { value: settings.unprivilegedUserNamespaces, key: 'kernel.unprivileged_userns_clone', allowed: '1' },
  ];
  return switches
    .filter(({ value }) => value === 0)
    .map(({ key, allowed }) => {
      if (isRoot) return passed('user namespaces', true, `${key} is 0; root does not need them`);
      return failed('user namespaces', true, {
        detail: `${key} is 0`,
        impact: 'Without root, each sandbox needs a user namespace.',
        remedy: `Run \`sudo sysctl -w ${key}=${allowed}\`. ${TO_KEEP_IT}`,
      });
    });
}

/** Whether /proc lists the children of processes. */
export function checkProcChildren(): HostCheck {
  if (isReadable(`/proc/self/task/${process.pid}/children`)) return passed('/proc', true, 'complete');
  return failed('/proc', true, {
    detail: 'the kernel does not list the children of processes (CONFIG_PROC_CHILDREN)',
    impact: 'Lamella finds the processes of a function through this list.',
    remedy: 'Use a kernel with CONFIG_PROC_CHILDREN, as distributions ship it.',
  });
}

/** The result of running a process in a sandbox. */
export function checkTrial(failure: string | undefined, settings: KernelSettings, isRoot: boolean): HostCheck {
  if (failure === undefined) return passed('sandbox', true, 'a test process ran in a sandbox');
  return failed('sandbox', true, {
    detail: failure,
    impact: 'Functions run only in sandboxes.',
    remedy: explainFailure(failure, settings, isRoot),
  });
}

/** The result of running a process in a sandbox with its own network. */
export function checkNetwork({ failure }: NetworkTrial, settings: KernelSettings, isRoot: boolean): HostCheck {
  const name = 'isolated network';
  if (failure === undefined) return passed(name, false, 'a test process ran in its own network (`--network isolated`)');
  return failed(name, false, {
    detail: failure,
    impact: '`lamella start --network isolated` does not work. The default, `--network shared`, does.',
    remedy: explainFailure(failure, settings, isRoot, '--unshare-net'),
  });
}

const COUNTED = [
  'private memory and shared mappings are counted, memfds are not, because this process lacks CAP_SYS_PTRACE',
  'private memory, shared mappings and memfds are counted',
] as const;

/**
 * Whether memory and CPU can be limited by cgroups. `canInspect`: whether the service may read the descriptors of
 * functions, which are other users for a service that is root.
 */
export function checkCgroups(cgroups: CgroupSupport, canInspect: boolean): HostCheck {
  const name = 'memory and CPU limits';
  const remedy = 'Start Lamella as root, or with `systemd-run --user --scope -p Delegate=yes lamella start`.';
  if (cgroups.kind === 'none') {
    return failed(name, false, {
      detail: `no cgroups: ${cgroups.reason}`,
      impact:
        `Memory limits are enforced by polling, several times a second: ${COUNTED[Number(canInspect)]}. ` +
        'CPU time is not limited.',
      remedy,
    });
  }
  const directory = cgroups.kind === 'v2' ? cgroups.directory : cgroups.memory;
  const hasCpu = cgroups.kind === 'v2' ? cgroups.controllers.includes('cpu') : cgroups.cpu !== undefined;
  const detail = `cgroup ${cgroups.kind} at ${directory}`;
  if (hasCpu) return passed(name, false, detail);
  return failed(name, false, {
    detail: `${detail}, without a CPU controller`,
    impact: 'CPU time is not limited.',
    remedy,
  });
}

/** Whether the size of /tmp can be limited. */
export function checkVolumes(volumes: VolumeSupport): HostCheck {
  const name = '/tmp size limit';
  if (volumes.kind === 'loop') return passed(name, false, 'each environment has a file system of the configured size');
  return failed(name, false, {
    detail: volumes.reason,
    impact: 'A function can write to /tmp until the disk is full.',
    remedy: volumes.remedy ?? 'Start Lamella as root on a machine with loop devices (in a container: `--privileged`).',
  });
}

/** Whether the number of processes can be limited for each sandbox. */
export function checkProcessLimit(countsPerSandbox: boolean): HostCheck {
  const name = 'process limit';
  if (countsPerSandbox) return passed(name, false, 'counted per execution environment');
  return failed(name, false, {
    detail: 'this kernel counts all processes of a user together',
    impact: 'The number of processes of a function is not limited.',
    remedy: 'Use Linux 5.14 or newer, or start Lamella as root.',
  });
}

/** Whether processes in sandboxes run with a system call filter and keyrings of their own (`guard.ts`). */
export function checkGuard(guard: Guard): HostCheck {
  const name = 'system calls';
  if (guard.kind === 'installed') return passed(name, false, 'filtered: no keyrings, no new user namespaces, no bpf');
  return failed(name, false, {
    detail: `not filtered: ${guard.reason}`,
    impact: 'A function can use the kernel keyrings of the user who started the service, and more of the kernel.',
    remedy: 'Use a kernel with CONFIG_SECCOMP_FILTER, and a data directory on a file system mounted without noexec.',
  });
}

/**
 * Explains why a trial failed and what to do, from the error output of bubblewrap or nsenter and the kernel's settings.
 * `namespace` is bubblewrap's option for the namespace that was tried. Pure.
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
      `\`sudo sysctl -w user.max_net_namespaces=15000 user.max_user_namespaces=15000\`. ${TO_KEEP_IT}`
    );
  }
  if (settings.appArmorRestricts === 1 && !isRoot) {
    return (
      'AppArmor does not let ordinary users create namespaces (Ubuntu). Allow it: ' +
      `\`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\`. ${TO_KEEP_IT} ` +
      'Alternatively, give bubblewrap an AppArmor profile with `userns,`, or start Lamella as root.'
    );
  }
  if (settings.seccomp === 2 || /Operation not permitted|No permissions/.test(output)) {
    return (
      'This process may not create namespaces. In a container, the cause is its seccomp profile or missing ' +
      'capabilities. Start the container with `--privileged`, or with `--cap-add SYS_ADMIN --security-opt ' +
      'seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`.'
    );
  }
  if (/proc on/.test(output)) {
    return 'The container hides parts of /proc. Start it with `--security-opt systempaths=unconfined`.';
  }
  return `Find out why \`bwrap --ro-bind / / ${namespace} true\` fails on this machine.`;
}
