/**
 * The mark that a service puts on resources that can outlive it if it is killed: cgroups and waiting processes. It is
 * unique to the process: pid namespace, pid and start time. So the next service can tell which resources are abandoned.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** Returns the mark of this process: three numbers, joined by dashes. */
export function serviceMark(): string {
  return `${pidNamespace()}-${process.pid}-${startTime(process.pid) ?? 0}`;
}

/** Whether the service with this mark has certainly exited. */
export function isServiceDead(mark: string): boolean {
  const [, space, pid, started] = /^(\d+)-(\d+)-(\d+)$/.exec(mark) ?? [];
  // In another pid namespace the pid means a different process, whose state is unknown here.
  return space === pidNamespace() && startTime(Number(pid)) !== Number(started);
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
}

/** Start time of a process in ticks since boot; undefined if the process does not exist. */
function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name can contain spaces and parentheses. Count fields from after the last parenthesis.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}
