/**
 * What /proc tells about processes: who descends from whom, who stands still, how much memory each has held. A process
 * that goes away while we look counts as not there.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** All descendants of the given processes, without these themselves. */
export function descendantsOf(roots: Iterable<number>): number[] {
  const found: number[] = [];
  const open = [...roots];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    const children = childrenOf(pid);
    found.push(...children);
    open.push(...children);
  }
  return found;
}

/** The children of a process, by whichever of its threads. */
export function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    (readProc(`${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  );
}

/** Whether a process will run no further unless somebody sends it SIGCONT; true also when it is gone. */
export function isStopped(pid: number): boolean {
  return isInState(pid, 'TtZX') ?? true;
}

/** Whether a process waits in the kernel and hears no signal before that is over. */
export function isUninterruptible(pid: number): boolean {
  return isInState(pid, 'D') ?? false;
}

/** By the kernel's letters for states; undefined when the process is gone. */
function isInState(pid: number, letters: string): boolean | undefined {
  const stat = readProc(`${pid}/stat`);
  return stat === undefined ? undefined : letters.includes(stat.charAt(stat.lastIndexOf(')') + 2));
}

/** Memory of one process in bytes. */
export type ProcessMemory = {
  /** What it holds of its own now: resident, less the pages of files that it has mapped. */
  readonly own: number;
  /** The most it ever held of its own: resident at its highest, less the pages of files that it has mapped. */
  readonly ownPeak: number;
  /** Resident pages of its program and libraries. */
  readonly program: number;
};

export function memoryOf(pid: number): ProcessMemory | undefined {
  const status = readProc(`${pid}/status`);
  const highest = status === undefined ? undefined : kilobytes(status, 'VmHWM');
  // A kernel thread or a zombie has no memory.
  if (status === undefined || highest === undefined) return undefined;
  const mapped = kilobytes(status, 'RssFile') ?? 0;
  const code = (kilobytes(status, 'VmExe') ?? 0) + (kilobytes(status, 'VmLib') ?? 0);
  const own = Math.max(0, (kilobytes(status, 'VmRSS') ?? 0) - mapped);
  return { own, ownPeak: Math.max(0, highest - mapped), program: Math.min(mapped, code) };
}

function kilobytes(status: string, name: string): number | undefined {
  const at = status.indexOf(`\n${name}:`);
  return at < 0 ? undefined : Number.parseInt(status.slice(at + name.length + 2), 10) * 1024;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'latin1');
  } catch {
    return undefined;
  }
}
