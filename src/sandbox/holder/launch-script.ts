/**
 * ProcessSpec -> the shell script that turns a waiting launcher into that process. Pure.
 *
 * The chain is sh -> nsenter -> (fork) -> setsid -> sh -> program. Each link has a reason:
 * - nsenter enters the sandbox and stays as the parent. It exits with the code or the signal of its child. It opens the
 *   namespaces through the service's descriptor of the holder's /proc directory, which always refers to that process.
 *   A pid could have been reused by then.
 * - setsid makes the program the leader of its own group, so that `kill 0` in a function does not reach nsenter.
 * - The second shell sets the function's variables inside the sandbox. If they were set earlier, an LD_PRELOAD of the
 *   function would be loaded into nsenter, outside. As arguments of env(1), they would be visible to all users in `ps`.
 *   The shell reads the script from its standard input: the same file whose first part was for the shell outside.
 */

import type { SandboxHost, SandboxTools } from '../host/sandbox-host.ts';
import type { ProcessLimits, ProcessSpec, SandboxSpec } from '../sandbox.ts';

/**
 * The network of the process: `shared` is the host's, `own` is the holder's. With `parent`, the holder's network belongs
 * to the parent of its user namespace, which `enterCommand` has to enter first.
 */
export type NetworkEntry =
  | { readonly kind: 'shared' | 'own' }
  | { readonly kind: 'parent'; readonly enterCommand: readonly string[] };

/** How a process enters a sandbox. */
export type SandboxEntry = {
  /** Path of the holder's /proc directory that never refers to another process. */
  readonly holderProc: string;
  readonly network: NetworkEntry;
  /** The uid and gid inside; undefined to keep those of the user namespace. */
  readonly setUid: number | undefined;
  readonly limits: Omit<ProcessLimits, 'processes'> & { readonly processes: number | undefined };
};

/** Variable that is set in the shell that sources the script outside the sandbox. */
export const OUTSIDE = 'outside';

/** The holder's namespaces: nsenter's option -> name in /proc. */
const NAMESPACES = { mount: 'mnt', pid: 'pid', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' };

/**
 * Entries of the holder's /proc directory that are opened before the parent namespace is entered, as descriptors from 3.
 * Never the directory itself: through a directory of the host's /proc, another process of the sandbox could reach the
 * host.
 */
const PARENT_ENTRIES = [...Object.values(NAMESPACES), 'user'].map((name) => `ns/${name}`).concat('cwd');
const FIRST_FD = 3;

/** Variables that shells use internally, refuse to set or overwrite. */
const SHELLS_OWN =
  /^(_|IFS|PWD|OLDPWD|PPID|OPTIND|OPTARG|LINENO|ENV|PS\d|U?E?UID|GROUPS|SHLVL|SHELLOPTS|POSIXLY_CORRECT|RANDOM|SECONDS|FUNCNAME|FUNCNEST|DIRSTACK|HIST\w*|MAIL\w*|BASH\w*|EPOCH\w*|SRANDOM|HOSTNAME|HOSTTYPE|MACHTYPE|OSTYPE)$/;

/** Returns the limits of a spec that this host can enforce. */
export function launchLimits(
  { limits }: SandboxSpec,
  host: Pick<SandboxHost, 'countsProcessesApart' | 'collectsCores'>,
): SandboxEntry['limits'] {
  return {
    ...limits,
    processes: host.countsProcessesApart ? limits.processes : undefined,
    // The host's program must not get the memory of a function, and piping it there takes long.
    coreBytes: host.collectsCores ? 0 : (limits.coreBytes ?? 0),
  };
}

/** Renders the script that will be stored in `file`. A POSIX shell sources it with `OUTSIDE` set. */
export function launchScript(process: ProcessSpec, entry: SandboxEntry, tools: SandboxTools, file: string): string {
  const { network } = entry;
  const closing = PARENT_ENTRIES.map((_, index) => ` ${FIRST_FD + index}<&-`).join('');
  const inside = programLines(process, tools, network.kind === 'parent' ? closing : '');
  return [`if [ "$${OUTSIDE}" ]; then`, ...enterLines(entry, tools, file), 'fi', ...inside, ''].join('\n');
}

function enterLines(
  { holderProc, network, setUid, limits }: SandboxEntry,
  tools: SandboxTools,
  file: string,
): string[] {
  // Inside the parent namespace, the service's descriptors in /proc cannot be opened. Open ones can still be used.
  const isParent = network.kind === 'parent';
  const at = (name: string): string =>
    isParent ? `/proc/self/fd/${FIRST_FD + PARENT_ENTRIES.indexOf(name)}` : `${holderProc}/${name}`;
  const redirections = isParent
    ? PARENT_ENTRIES.map((name, index) => ` ${FIRST_FD + index}<${quote(`${holderProc}/${name}`)}`).join('')
    : '';
  const namespaces = network.kind === 'own' ? { net: 'net', ...NAMESPACES } : NAMESPACES;
  const { openFiles, processes, lockedBytes, coreBytes = 0 } = limits;
  const command = [
    ...(network.kind === 'parent' ? network.enterCommand : []),
    tools.nsenter,
    ...Object.entries(namespaces).map(([option, name]) => `--${option}=${at(`ns/${name}`)}`),
    `--wd=${at('cwd')}`,
    ...(setUid === undefined
      ? [`--user=${at('ns/user')}`, '--preserve-credentials']
      : [`--setuid=${setUid}`, `--setgid=${setUid}`]),
    ...['--', tools.setsid, tools.sh],
  ];
  return [
    // If the host's own hard limits are lower, they stay. `ulimit -c` counts blocks of 512 bytes.
    `ulimit -c ${Math.floor(coreBytes / 512)} 2>/dev/null`,
    `ulimit -n ${openFiles} 2>/dev/null`,
    ...(lockedBytes === undefined ? [] : [`ulimit -l ${Math.floor(lockedBytes / 1024)} 2>/dev/null`]),
    // bash uses -u, dash uses -p. In bash, -p means something else, but -u has succeeded before it is tried.
    ...(processes === undefined ? [] : [`ulimit -u ${processes} 2>/dev/null || ulimit -p ${processes} 2>/dev/null`]),
    `exec ${command.map(quote).join(' ')} <${quote(file)}${redirections}`,
  ];
}

/** The part of the script that runs inside. `redirection` is appended to the program's command line. */
function programLines({ argv, environment }: ProcessSpec, tools: SandboxTools, redirection: string): string[] {
  const variables = Object.entries(environment);
  const unexportable = variables.filter(([name]) => !isPlain(name));
  // Only env can remove the variables that bash adds to the environment of each program.
  const needsEnv = unexportable.length > 0 || tools.shellAddsVariables;
  // Exported loader variables (LD_*) would also affect env itself.
  const forEnv = ([name]: [string, string]): boolean => needsEnv && (!isPlain(name) || name.startsWith('LD_'));
  const exported = variables.filter((variable) => !forEnv(variable));
  const command = [
    ...(needsEnv
      ? [tools.env, '-u', '_', '-u', 'SHLVL', ...variables.filter(forEnv).map(([name, value]) => `${name}=${value}`)]
      : []),
    // env would interpret a path with an equals sign as a variable.
    ...(needsEnv && argv[0].includes('=') ? [tools.nice, '-n', '0'] : []),
    ...argv,
  ];
  return [
    'unset PWD OLDPWD SHLVL',
    ...exported.map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec ${command.map(quote).join(' ')} </dev/null${redirection}`,
  ];
}

/** Whether a shell can export the variable. */
function isPlain(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !SHELLS_OWN.test(name);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
