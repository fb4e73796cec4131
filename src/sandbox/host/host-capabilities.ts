/**
 * Finds out what this machine can isolate and limit, and says for what it cannot which command mends it. The last word
 * has a trial: a real sandbox with a real process in it, because no list of settings foresees every container and
 * every security module.
 */
import { randomInt } from 'node:crypto';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { silentLog } from '../../log.ts';
import { OperatorError } from '../../operator-error.ts';
import { detectCgroups, hostCgroupSources } from '../cgroup/cgroup-detection.ts';
import { inheritedDescriptors } from '../process/inherited-descriptors.ts';
import { readAll, runTool, runToolSync } from '../process/spawn.ts';
import type { Sandbox } from '../sandbox.ts';
import { startSandboxes } from '../sandboxes.ts';
import { tryLoopVolume } from '../volumes/loop-volumes.ts';
import type {
  CgroupSupport,
  SandboxHost,
  SandboxIdentity,
  SandboxTools,
  VolumeSupport,
  VolumeTools,
} from './sandbox-host.ts';

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

/** What `lamella doctor` prints, and what sandboxes are made with. */
export type HostCapabilities = {
  readonly checks: readonly HostCheck[];
  /** Whether each sandbox can have a network of its own; undefined where that was not tried. */
  readonly isolatedNetwork: HostCheck | undefined;
  /** Undefined when a required check failed. */
  readonly host: SandboxHost | undefined;
};

/** Settings of the kernel that decide about user namespaces; undefined where the kernel has no such setting. */
export type KernelSettings = {
  readonly maxUserNamespaces: number | undefined;
  /** Debian's and Arch's own switch. */
  readonly unprivilegedUserNamespaces: number | undefined;
  /** Ubuntu's, since 23.10. */
  readonly appArmorRestricts: number | undefined;
  /** Mode of the seccomp filter on this process: 2 is a filter, as containers have. */
  readonly seccomp: number;
};

type ToolName = Exclude<keyof SandboxTools, 'shellAddsVariables'>;

const TOOL_FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const PACKAGES = { bwrap: 'bubblewrap', util: 'util-linux', core: 'coreutils' };
const TOOL_PACKAGES: Readonly<Record<ToolName, string>> = {
  bwrap: PACKAGES.bwrap,
  nsenter: PACKAGES.util,
  setpriv: PACKAGES.util,
  setsid: PACKAGES.util,
  mkfifo: PACKAGES.core,
  cat: PACKAGES.core,
  env: PACKAGES.core,
  nice: PACKAGES.core,
  sh: 'dash',
  bash: 'bash',
};
/** Names of programs that only volumes need. */
const VOLUME_TOOLS: Readonly<Record<keyof VolumeTools, string>> = {
  mkfs: 'mkfs.ext4',
  tune2fs: 'tune2fs',
  dumpe2fs: 'dumpe2fs',
  debugfs: 'debugfs',
  mount: 'mount',
  umount: 'umount',
  unshare: 'unshare',
  cp: 'cp',
};
/** The first bubblewrap with everything that is asked of it (`--info-fd`, `--args`, `--cap-drop`). */
const MIN_BUBBLEWRAP = [0, 3] as const;

/** Uids of functions when the service is root: out of the way of people and of other containers' ranges. */
const FIRST_UID = 1_900_000_000;
const UIDS_PER_SERVICE = 1024;
const SERVICES = 200_000;
const NAMESPACE_UID = 1051;

/**
 * Looks at everything; at networks of their own only when a port is given to listen on in them. Takes some 50 ms, with
 * networks 150, and never rejects.
 */
export async function probeHost({
  isolatedPort,
}: {
  isolatedPort?: number | undefined;
} = {}): Promise<HostCapabilities> {
  const isRoot = process.getuid?.() === 0;
  const tools = findTools();
  const cgroups = detectCgroups(hostCgroupSources());
  const checks: HostCheck[] = [checkUser(isRoot), ...checkTools(tools), ...(await checkVersion(tools.bwrap))];
  checks.push(...checkSettings(readSettings(), isRoot), checkProcChildren());
  let host: SandboxHost | undefined;
  let isolatedNetwork: HostCheck | undefined;
  if (isComplete(tools)) {
    const untried: SandboxHost = {
      tools,
      inheritedDescriptors: inheritedDescriptors(),
      identity: chooseIdentity(isRoot),
      cgroups,
      volumes: { kind: 'folders', reason: 'trial' },
      countsProcessesApart: isRoot || kernelAtLeast(release(), 5, 14),
      collectsCores: collectsCores(),
    };
    const [trial, networkTrial, volumes] = await Promise.all([
      tryHost(untried),
      isolatedPort === undefined ? undefined : tryNetwork(untried, isolatedPort),
      detectVolumes(tools, isRoot),
    ]);
    host = { ...untried, volumes };
    checks.push(checkTrial(trial, readSettings(), isRoot), checkVolumes(volumes));
    isolatedNetwork = networkTrial && checkNetwork(networkTrial, readSettings(), isRoot);
    if (isolatedNetwork) checks.push(isolatedNetwork);
  }
  checks.push(...checkCgroups(cgroups), checkProcessLimit(isRoot || kernelAtLeast(release(), 5, 14)));
  const isFit = checks.every((check) => check.ok || !check.isRequired);
  return { checks, isolatedNetwork, host: isFit ? host : undefined };
}

/** Whether memory that a crash leaves goes to a program of the host's; where the kernel does not say, that is assumed. */
function collectsCores(): boolean {
  try {
    return readFileSync('/proc/sys/kernel/core_pattern', 'latin1').startsWith('|');
  } catch {
    return true;
  }
}

/** The host to make sandboxes on. Throws `OperatorError` 'no-sandbox' with the first remedy when there is none. */
export function requireSandbox(capabilities: HostCapabilities): SandboxHost {
  if (capabilities.host !== undefined) return capabilities.host;
  const failed = capabilities.checks.find((check) => check.isRequired && !check.ok);
  throw new OperatorError('no-sandbox', {
    reason: failed === undefined ? 'nothing was found out about it' : `${failed.name}: ${failed.detail}`,
    remedy: failed?.remedy ?? 'Run `lamella doctor`.',
  });
}

/** Throws `OperatorError` 'no-sandbox' or 'no-isolated-network' unless every sandbox can have a network of its own. */
export function requireIsolatedNetwork(capabilities: HostCapabilities): void {
  requireSandbox(capabilities);
  const { isolatedNetwork } = capabilities;
  if (isolatedNetwork?.ok) return;
  throw new OperatorError('no-isolated-network', {
    reason: isolatedNetwork?.detail ?? 'it was not tried',
    remedy: isolatedNetwork?.remedy ?? 'Run `lamella doctor`.',
  });
}

/**
 * Why a trial failed and what mends it, from bubblewrap's or nsenter's words and the kernel's settings. `namespace` is
 * the option by which bubblewrap makes the one that was tried. Pure.
 */
export function explainFailure(
  words: string,
  settings: KernelSettings,
  isRoot: boolean,
  namespace: '--unshare-pid' | '--unshare-net' = '--unshare-pid',
): string {
  if (/max_\S*_namespaces|No space left on device/.test(words)) {
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
  if (settings.seccomp === 2 || /Operation not permitted|No permissions/.test(words)) {
    return (
      'Something keeps this process from making namespaces; in a container that is its seccomp profile or missing ' +
      'rights. Start the container with `--privileged`, or with `--cap-add SYS_ADMIN --security-opt ' +
      'seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`.'
    );
  }
  if (/proc on/.test(words)) {
    return 'The container hides parts of /proc. Start it with `--security-opt systempaths=unconfined`.';
  }
  return `Look at what bubblewrap says; \`bwrap --ro-bind / / ${namespace} true\` should work here and does not.`;
}

/**
 * A range of uids for functions within those that exist here; different for services of different number, where there
 * are enough. Pure.
 */
export function uidRange(uidMap: string, service: number): { firstUid: number; count: number } {
  const ranges = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , size = 0]) => ({ first, end: first + size }));
  const own = FIRST_UID + (service % SERVICES) * UIDS_PER_SERVICE;
  if (ranges.some(({ first, end }) => own >= first && own + UIDS_PER_SERVICE <= end)) {
    return { firstUid: own, count: UIDS_PER_SERVICE };
  }
  const largest = ranges.reduce((best, range) => (range.end - range.first > best.end - best.first ? range : best));
  // In a small range the highest may be nobody (65534) and its neighbor.
  const end = Math.min(largest.end, largest.end > 65_534 && largest.end <= 65_536 ? 65_534 : largest.end);
  const count = Math.max(1, Math.min(UIDS_PER_SERVICE, end - Math.max(largest.first, 1)));
  return { firstUid: end - count, count };
}

function chooseIdentity(isRoot: boolean): SandboxIdentity {
  if (!isRoot) return { kind: 'user-namespace', uid: NAMESPACE_UID };
  return { kind: 'own-uids', ...uidRange(readFileSync('/proc/self/uid_map', 'utf8'), randomInt(SERVICES)) };
}

function findTools(): Partial<SandboxTools> {
  const names = Object.keys(TOOL_PACKAGES) as ToolName[];
  const found: Partial<Record<ToolName, string>> = Object.fromEntries(
    names.flatMap((name) => {
      // dash where it is to be had: it starts fastest, and adds nothing to the environment.
      const path = (name === 'sh' ? [findTool('dash'), findTool(name)] : [findTool(name)]).find(Boolean);
      return path === undefined ? [] : [[name, path]];
    }),
  );
  const { sh, env } = found;
  if (sh === undefined || env === undefined) return found;
  return { ...found, shellAddsVariables: runToolSync(sh, ['-c', `exec ${env}`]).stdout.includes('_=') };
}

function findTool(name: string): string | undefined {
  return TOOL_FOLDERS.map((folder) => join(folder, name)).find(isExecutable);
}

/** Mounts a small volume to see whether that can be done here. */
async function detectVolumes(tools: SandboxTools, isRoot: boolean): Promise<VolumeSupport> {
  const folders = (reason: string): VolumeSupport => ({ kind: 'folders', reason });
  if (!isRoot) return folders('only root may mount file systems');
  const found = Object.entries(VOLUME_TOOLS).map(([name, program]) => ({ name, program, path: findTool(program) }));
  const missing = found.filter(({ path }) => path === undefined).map(({ program }) => program);
  if (missing.length > 0) return folders(`${missing.join(', ')} not found (packages e2fsprogs, mount, util-linux)`);
  const volumeTools = Object.fromEntries(found.map(({ name, path }) => [name, path])) as VolumeTools;
  const folder = mkdtempSync(join(tmpdir(), 'lamella-volume-'));
  try {
    const failure = await tryLoopVolume({ ...tools, ...volumeTools }, folder);
    return failure === undefined ? { kind: 'loop', tools: volumeTools } : folders(failure);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isComplete(tools: Partial<SandboxTools>): tools is SandboxTools {
  return Object.keys(TOOL_PACKAGES).every((name) => name in tools);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkUser(isRoot: boolean): HostCheck {
  const detail = isRoot
    ? 'root: every execution environment has a user id of its own'
    : 'an ordinary user: execution environments run as that user, apart by namespaces only';
  return { name: 'user', ok: true, isRequired: false, detail, remedy: undefined };
}

function checkTools(tools: Partial<SandboxTools>): HostCheck[] {
  return [...new Set(Object.values(TOOL_PACKAGES))].map((owner) => {
    const names = Object.entries(TOOL_PACKAGES).flatMap(([name, by]) => (by === owner ? [name] : []));
    const missing = names.filter((name) => !(name in tools));
    return {
      name: owner,
      ok: missing.length === 0,
      isRequired: true,
      detail: missing.length === 0 ? 'installed' : `${missing.join(', ')} not found in ${TOOL_FOLDERS.join(', ')}`,
      remedy: missing.length === 0 ? undefined : installCommand(owner),
    };
  });
}

async function checkVersion(bwrap: string | undefined): Promise<HostCheck[]> {
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

function checkSettings(settings: KernelSettings, isRoot: boolean): HostCheck[] {
  const switches = [
    { value: settings.maxUserNamespaces, key: 'user.max_user_namespaces', mend: '15000' },
    { value: settings.unprivilegedUserNamespaces, key: 'kernel.unprivileged_userns_clone', mend: '1' },
  ];
  // Root makes its namespaces without a user namespace.
  return switches
    .filter(({ value }) => value === 0)
    .map(({ key, mend }) => ({
      name: 'user namespaces',
      ok: isRoot,
      isRequired: true,
      detail: `${key} is 0${isRoot ? ', which does not matter to root' : ''}`,
      remedy: isRoot ? undefined : `sudo sysctl -w ${key}=${mend} (and the same in /etc/sysctl.d/ to keep it)`,
    }));
}

function checkProcChildren(): HostCheck {
  const ok = isReadable(`/proc/self/task/${process.pid}/children`);
  return {
    name: '/proc',
    ok,
    isRequired: true,
    detail: ok ? 'complete' : 'the kernel does not list the children of processes (CONFIG_PROC_CHILDREN)',
    remedy: ok ? undefined : 'Use a kernel with CONFIG_PROC_CHILDREN; every distribution has it.',
  };
}

function checkTrial(failure: string | undefined, settings: KernelSettings, isRoot: boolean): HostCheck {
  return {
    name: 'sandbox',
    ok: failure === undefined,
    isRequired: true,
    detail: failure ?? 'a process ran in a sandbox and was gone with it',
    remedy: failure === undefined ? undefined : explainFailure(failure, settings, isRoot),
  };
}

function checkNetwork({ failure }: NetworkTrial, settings: KernelSettings, isRoot: boolean): HostCheck {
  return {
    name: 'network of its own',
    ok: failure === undefined,
    isRequired: false,
    detail: failure ?? '`--network isolated` can be had: a process ran in a network of its own',
    remedy: failure === undefined ? undefined : explainFailure(failure, settings, isRoot, '--unshare-net'),
  };
}

function checkCgroups(cgroups: CgroupSupport): HostCheck[] {
  const remedy = 'Start as root, or with `systemd-run --user --scope -p Delegate=yes lamella start`.';
  if (cgroups.kind === 'none') {
    const detail = `no control groups: ${cgroups.reason}; memory is limited by looking at the processes several times a second (polling), CPU is not`;
    return [{ name: 'memory and CPU limits', ok: false, isRequired: false, detail, remedy }];
  }
  const folder = cgroups.kind === 'v2' ? cgroups.folder : cgroups.memory;
  const hasCpu = cgroups.kind === 'v2' ? cgroups.controllers.includes('cpu') : cgroups.cpu !== undefined;
  const detail = `cgroup ${cgroups.kind} at ${folder}${hasCpu ? '' : ', without a CPU controller'}`;
  return [
    { name: 'memory and CPU limits', ok: hasCpu, isRequired: false, detail, remedy: hasCpu ? undefined : remedy },
  ];
}

function checkVolumes(volumes: VolumeSupport): HostCheck {
  const ok = volumes.kind === 'loop';
  return {
    name: 'size of /tmp',
    ok,
    isRequired: false,
    detail: ok ? 'a file system of the configured size for each environment' : `not limited: ${volumes.reason}`,
    remedy: ok ? undefined : 'Start as root on a machine with loop devices (in a container: `--privileged`).',
  };
}

function checkProcessLimit(isApart: boolean): HostCheck {
  const detail = isApart
    ? 'counted for each execution environment'
    : 'this kernel counts all processes of a user together';
  const remedy = isApart ? undefined : 'Use Linux 5.14 or newer, or start as root; until then there is no limit.';
  return { name: 'process limit', ok: isApart, isRequired: false, detail, remedy };
}

type NetworkTrial = { readonly failure: string | undefined };

/** A process runs in a network of its own, and there the service is reached. */
async function tryNetwork(host: SandboxHost, isolatedPort: number): Promise<NetworkTrial> {
  const failure = await tryHost(host, isolatedPort, async ({ network }) => {
    const reached = await network?.connect(isolatedPort);
    reached?.destroy();
  });
  return { failure };
}

/** Undefined when all went well, else what went wrong. */
async function tryHost(
  host: SandboxHost,
  isolatedPort?: number,
  tryMore: (sandbox: Sandbox) => Promise<void> = async () => {},
): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'lamella-trial-'));
  const sandboxes = startSandboxes({
    // The groups are looked at by themselves; here they would only hide what is wrong with the rest.
    host: { ...host, cgroups: { kind: 'none', reason: 'trial' } },
    clock: systemClock,
    log: silentLog,
    runDirectory: join(folder, 'run'),
    isolatedPort,
  });
  try {
    const sandbox = await sandboxes.open({
      id: 'trial',
      slot: 0,
      mounts: [],
      hosts: {},
      workingDirectory: '/',
      memoryLimitBytes: undefined,
      limits: { openFiles: 256, processes: 64 },
    });
    const { output, exited } = sandbox.start({ argv: [host.tools.env], environment: { TRIAL: 'passed' } });
    const [text, exit] = await Promise.all([readAll(output), exited]);
    const hasPassed = exit.kind === 'exited' && exit.code === 0 && text === 'TRIAL=passed\n';
    if (!hasPassed) return `a process could not be started in a sandbox: ${text.trim() || JSON.stringify(exit)}`;
    await tryMore(sandbox);
    return undefined;
  } catch (failure) {
    return wordsOf(failure);
  } finally {
    await sandboxes.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What went wrong in the words of who noticed it. */
function wordsOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  return failure.cause === undefined ? failure.message : wordsOf(failure.cause);
}

function readSettings(): KernelSettings {
  return {
    maxUserNamespaces: readSetting('user/max_user_namespaces'),
    unprivilegedUserNamespaces: readSetting('kernel/unprivileged_userns_clone'),
    appArmorRestricts: readSetting('kernel/apparmor_restrict_unprivileged_userns'),
    seccomp: Number(/^Seccomp:\s*(\d)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0),
  };
}

function readSetting(name: string): number | undefined {
  const file = `/proc/sys/${name}`;
  return isReadable(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function kernelAtLeast(version: string, major: number, minor: number): boolean {
  const [have = 0, haveMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return have > major || (have === major && haveMinor >= minor);
}

/** The command of the package manager that this system has. */
function installCommand(name: string): string {
  const managers: readonly (readonly [string, string])[] = [
    ['apt-get', 'sudo apt-get install -y'],
    ['dnf', 'sudo dnf install -y'],
    ['yum', 'sudo yum install -y'],
    ['zypper', 'sudo zypper install -y'],
    ['pacman', 'sudo pacman -S --noconfirm'],
    ['apk', 'sudo apk add'],
  ];
  const found = managers.find(([tool]) => TOOL_FOLDERS.some((folder) => isExecutable(join(folder, tool))));
  return found === undefined ? `Install the package ${name}.` : `${found[1]} ${name}`;
}
