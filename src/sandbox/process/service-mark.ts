/**
 * The mark that a service leaves on what may outlive it, if it is killed: control groups, waiting processes. It is one
 * that no other process, living or dead, has: pid namespace, pid, time of its start. So the next service can tell what
 * belongs to nobody any more.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** The mark of this process: three numbers, joined by dashes. */
export function serviceMark(): string {
  return `${pidNamespace()}-${process.pid}-${startTime(process.pid) ?? 0}`;
}

/** Whether the service that left this mark is gone for certain. */
export function isServiceDead(mark: string): boolean {
  const [, space, pid, started] = /^(\d+)-(\d+)-(\d+)$/.exec(mark) ?? [];
  // In another pid namespace the number means another process: not ours to judge.
  return space === pidNamespace() && startTime(Number(pid)) !== Number(started);
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
}

/** When a process began, in the kernel's ticks since boot; undefined if there is none. */
function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name may hold blanks and brackets; fields count from behind its last bracket.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}
