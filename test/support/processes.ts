/** The processes of this machine, read from /proc, for tests of what must be gone. */
import { readdirSync, readFileSync } from 'node:fs';

/** IDs of the other processes whose command line contains `text`. */
export function processesWith(text: string): number[] {
  return pids().filter(
    (pid) => pid !== process.pid && textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').includes(text),
  );
}

/** Identifies a process: its ID may be reused, the time of its start is not. */
export type Pinned = { readonly pid: number; readonly startedAt: string };

/** All descendants of the process `root`. */
export function descendantsOf(root: number): Pinned[] {
  const all = pids().flatMap((pid) => {
    const fields = statOf(pid);
    return fields ? [{ pid, parent: Number(fields[1]), startedAt: fields[19] ?? '' }] : [];
  });
  const found: Pinned[] = [];
  const parents = [root];
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    for (const child of all) {
      if (child.parent !== parent) continue;
      found.push({ pid: child.pid, startedAt: child.startedAt });
      parents.push(child.pid);
    }
  }
  return found;
}

/** Those that are still alive. A zombie is not. */
export function stillAlive(processes: readonly Pinned[]): Pinned[] {
  return processes.filter(({ pid, startedAt }) => {
    const fields = statOf(pid);
    return fields !== undefined && fields[19] === startedAt && fields[0] !== 'Z';
  });
}

/** A number from /proc/PID/status: `Uid`, or `VmRSS` and `VmHWM` in KiB. */
export function statusOf(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(textOf(`/proc/${pid}/status`))?.[1]);
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The fields of /proc/PID/stat from the state on: state, parent, ... */
function statOf(pid: number): string[] | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Empty if the process is gone. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
