/**
 * ProcessSpec -> the shell script by which a waiting launcher turns into that process. Pure.
 *
 * The chain is sh -> nsenter -> (fork) -> setsid -> env -> program. Each link is there for a reason:
 * - nsenter enters the sandbox and, as the parent, ends as its child ended: by the same code or the same signal.
 *   It opens the namespaces through the service's own descriptor of the holder's /proc folder, which means that
 *   process for ever; a bare pid could by then belong to somebody else.
 * - setsid makes the program lead a group of its own, so that `kill 0` in a function does not reach nsenter.
 * - env sets the function's variables only once we are inside. Set earlier, an LD_PRELOAD of the function would be
 *   loaded into nsenter, outside of the sandbox.
 */
import type { ProcessSpec, SandboxSpec } from './sandbox.ts';
import type { SandboxTools } from './sandbox-host.ts';

export type Entrance = {
  /** The holder's folder in /proc, by a path that cannot come to mean another process. */
  readonly holderProc: string;
  /** The uid and gid to take inside; undefined to keep those of a user namespace. */
  readonly setUid: number | undefined;
  readonly limits: { readonly openFiles: number; readonly processes: number | undefined };
};

/** How the limit on processes reads in a spec, on a host that may not be able to count them apart. */
export function launchLimits(spec: SandboxSpec, countsProcessesApart: boolean): Entrance['limits'] {
  return {
    openFiles: spec.limits.openFiles,
    processes: countsProcessesApart ? spec.limits.processes : undefined,
  };
}

/** The script; a POSIX shell sources it. */
export function launchScript(process: ProcessSpec, entrance: Entrance, tools: SandboxTools): string {
  const { openFiles, processes } = entrance.limits;
  return [
    'exec </dev/null',
    'ulimit -c 0',
    // The host's own hard limit may be lower already; then that stands.
    `ulimit -n ${openFiles} 2>/dev/null`,
    // bash says -u, dash says -p (which means another thing in bash, but is not reached there).
    ...(processes === undefined ? [] : [`ulimit -u ${processes} 2>/dev/null || ulimit -p ${processes} 2>/dev/null`]),
    `exec ${[...enter(entrance, tools), ...become(process, tools)].map(quote).join(' ')}`,
    '',
  ].join('\n');
}

function enter({ holderProc, setUid }: Entrance, tools: SandboxTools): string[] {
  const spaces = { mount: 'mnt', pid: 'pid', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' };
  return [
    tools.nsenter,
    ...Object.entries(spaces).map(([option, file]) => `--${option}=${holderProc}/ns/${file}`),
    `--wd=${holderProc}/cwd`,
    ...(setUid === undefined
      ? [`--user=${holderProc}/ns/user`, '--preserve-credentials']
      : [`--setuid=${setUid}`, `--setgid=${setUid}`]),
    '--',
  ];
}

function become({ argv, environment }: ProcessSpec, tools: SandboxTools): string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  // env would take a path with an equals sign for one more variable.
  const shield = argv[0].includes('=') ? [tools.nice, '-n', '0'] : [];
  return [tools.setsid, tools.env, '-i', ...variables, ...shield, ...argv];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
