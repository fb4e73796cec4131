/**
 * ProcessSpec -> the shell script by which a waiting launcher turns into that process. Pure.
 *
 * The chain is sh -> nsenter -> (fork) -> setsid -> sh -> program. Each link is there for a reason:
 * - nsenter enters the sandbox and, as the parent, ends as its child ended: by the same code or the same signal.
 *   It opens the namespaces through the service's own descriptor of the holder's /proc directory, which means that
 *   process for ever; a bare pid could by then belong to somebody else.
 * - setsid makes the program lead a group of its own, so that `kill 0` in a function does not reach nsenter.
 * - The second shell sets the function's variables, once we are inside: set earlier, an LD_PRELOAD of the function
 *   would be loaded into nsenter, outside; given as arguments to env(1), they could be read by everybody in `ps`. It
 *   has the script as its standard input, the same file whose first part was for the shell outside.
 */

import type { SandboxHost, SandboxTools } from '../host/sandbox-host.ts';
import type { ProcessLimits, ProcessSpec, SandboxSpec } from '../sandbox.ts';

/**
 * Whose network: the host's, the holder's own, or the holder's own that belongs to a user namespace above the holder's
 * and has to be entered first, by the command `enterCommand`.
 */
export type NetworkEntry =
  | { readonly kind: 'shared' | 'own' }
  | { readonly kind: 'parent'; readonly enterCommand: readonly string[] };

export type SandboxEntry = {
  /** The holder's directory in /proc, by a path that cannot come to mean another process. */
  readonly holderProc: string;
  readonly network: NetworkEntry;
  /** The uid and gid to take inside; undefined to keep those of a user namespace. */
  readonly setUid: number | undefined;
  readonly limits: Omit<ProcessLimits, 'processes'> & { readonly processes: number | undefined };
};

/** Set, to anything, in the shell that sources the script outside. */
export const OUTSIDE = 'outside';

/** The holder's namespaces, by nsenter's option and the name in /proc. */
const NAMESPACES = { mount: 'mnt', pid: 'pid', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' };

/**
 * What of the holder is open on the way through a namespace above, from descriptor 3 on. Each for itself, never the
 * holder's directory: from a directory of the host's /proc, another process of the sandbox would find the way to the host.
 */
const PARENT_ENTRIES = [...Object.values(NAMESPACES), 'user'].map((name) => `ns/${name}`).concat('cwd');
const FIRST_FD = 3;

/** Variables that shells keep for themselves, refuse to set or set anew. */
const SHELLS_OWN =
  /^(_|IFS|PWD|OLDPWD|PPID|OPTIND|OPTARG|LINENO|ENV|PS\d|U?E?UID|GROUPS|SHLVL|SHELLOPTS|POSIXLY_CORRECT|RANDOM|SECONDS|FUNCNAME|FUNCNEST|DIRSTACK|HIST\w*|MAIL\w*|BASH\w*|EPOCH\w*|SRANDOM|HOSTNAME|HOSTTYPE|MACHTYPE|OSTYPE)$/;

/** What a spec's limits come to on a host that may not be able to keep them all. */
export function launchLimits(
  { limits }: SandboxSpec,
  host: Pick<SandboxHost, 'countsProcessesApart' | 'collectsCores'>,
): SandboxEntry['limits'] {
  return {
    ...limits,
    processes: host.countsProcessesApart ? limits.processes : undefined,
    // A function's memory is none of the host's business, and writing it there takes long.
    coreBytes: host.collectsCores ? 0 : (limits.coreBytes ?? 0),
  };
}

/** The script, for a file of the name `file`. A POSIX shell sources it with `OUTSIDE` set. */
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
  // In the namespace above, the service's descriptors cannot be opened any more; one that is open already can be used.
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
    // The host's own hard limits may be lower already; then those stand. Cores are counted in blocks of 512 bytes.
    `ulimit -c ${Math.floor(coreBytes / 512)} 2>/dev/null`,
    `ulimit -n ${openFiles} 2>/dev/null`,
    ...(lockedBytes === undefined ? [] : [`ulimit -l ${Math.floor(lockedBytes / 1024)} 2>/dev/null`]),
    // bash says -u, dash says -p (which means another thing in bash, but is not reached there).
    ...(processes === undefined ? [] : [`ulimit -u ${processes} 2>/dev/null || ulimit -p ${processes} 2>/dev/null`]),
    `exec ${command.map(quote).join(' ')} <${quote(file)}${redirections}`,
  ];
}

/** `redirection` is one more for the program itself. */
function programLines({ argv, environment }: ProcessSpec, tools: SandboxTools, redirection: string): string[] {
  const variables = Object.entries(environment);
  const unexportable = variables.filter(([name]) => !isPlain(name));
  // What bash adds to the environment of every program, only env can take away again.
  const needsEnv = unexportable.length > 0 || tools.shellAddsVariables;
  // A loader's variables would otherwise work on env already.
  const forEnv = ([name]: [string, string]): boolean => needsEnv && (!isPlain(name) || name.startsWith('LD_'));
  const exported = variables.filter((variable) => !forEnv(variable));
  const command = [
    ...(needsEnv
      ? [tools.env, '-u', '_', '-u', 'SHLVL', ...variables.filter(forEnv).map(([name, value]) => `${name}=${value}`)]
      : []),
    // env would take a path with an equals sign for one more variable.
    ...(needsEnv && argv[0].includes('=') ? [tools.nice, '-n', '0'] : []),
    ...argv,
  ];
  return [
    'unset PWD OLDPWD SHLVL',
    ...exported.map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec ${command.map(quote).join(' ')} </dev/null${redirection}`,
  ];
}

/** Whether a shell can export it like any other. */
function isPlain(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !SHELLS_OWN.test(name);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
