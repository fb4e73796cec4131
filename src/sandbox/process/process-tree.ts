/**
 * Reads from /proc: the descendants of processes, their states and their memory. A process that exits meanwhile counts
 * as missing.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Returns all descendants of the given processes, without these processes themselves. */
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

/** Returns the children of a process, of all its threads. */
export function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    (readProc(`${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  );
}

/** Whether a process is stopped, and runs only after a SIGCONT. Also true if it has exited. */
export function isStopped(pid: number): boolean {
  return isInState(pid, 'TtZX') ?? true;
}

/** Whether a process is in an uninterruptible wait in the kernel, and will receive signals only after it. */
export function isUninterruptible(pid: number): boolean {
  return isInState(pid, 'D') ?? false;
}

/** Compares with the kernel's letters for process states; undefined if the process has exited. */
function isInState(pid: number, letters: string): boolean | undefined {
  const stat = readProc(`${pid}/stat`);
  return stat === undefined ? undefined : letters.includes(stat.charAt(stat.lastIndexOf(')') + 2));
}

/** Memory of one process in bytes. */
export type ProcessMemory = {
  /** Current memory without files: private memory and mapped shared memory. */
  readonly own: number;
  /** The mapped shared memory in `own`. Other processes may map it, too. */
  readonly shared: number;
  /** Peak private memory: peak resident memory minus the currently mapped file pages. */
  readonly ownPeak: number;
  /** Resident pages of its program and libraries. */
  readonly program: number;
};

/** Returns the memory of a process; undefined if it has exited or has no memory. */
export function memoryOf(pid: number): ProcessMemory | undefined {
  let status = readProc(`${pid}/status`);
  // Kernel threads and zombies have no memory, and neither has a first thread that ended before the others.
  if (status !== undefined && kilobytes(status, 'VmHWM') === undefined) {
    const thread = threadsOf(pid).find((id) => id !== pid);
    status = thread === undefined ? undefined : readProc(`${pid}/task/${thread}/status`);
  }
  const highest = status === undefined ? undefined : kilobytes(status, 'VmHWM');
  if (status === undefined || highest === undefined) return undefined;
  const mapped = kilobytes(status, 'RssFile') ?? 0;
  const code = (kilobytes(status, 'VmExe') ?? 0) + (kilobytes(status, 'VmLib') ?? 0);
  const own = Math.max(0, (kilobytes(status, 'VmRSS') ?? 0) - mapped);
  const shared = Math.min(own, kilobytes(status, 'RssShmem') ?? 0);
  return { own, shared, ownPeak: Math.max(0, highest - mapped), program: Math.min(mapped, code) };
}

function kilobytes(status: string, name: string): number | undefined {
  const at = status.indexOf(`\n${name}:`);
  return at < 0 ? undefined : Number.parseInt(status.slice(at + name.length + 2), 10) * 1024;
}

/** Returns the threads of a process; none if it has exited. */
export function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
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
