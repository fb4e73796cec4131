/**
 * Kills what may survive of a service that was killed: the first process of a sandbox, and with it all others, and
 * bubblewrap's child. After its fork, the child waits on an eventfd for its parent. If bubblewrap dies at that moment, as
 * it does when its own parent dies, the child waits forever, because an eventfd has no end of file. The service's mark in
 * their environment identifies them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { HOLDER_NAME } from '../process/guard.ts';
import { isServiceDead } from '../process/service-mark.ts';

/** Holds the service's mark in the environment of bubblewrap, its child and the guard. Functions do not get it. */
export const MARK_VARIABLE = 'LAMELLA_SERVICE';

/** Kills the bubblewrap processes of dead services. Takes a few milliseconds. */
export function killAbandonedHolders(bwrap: string): void {
  const names = new Set([basename(bwrap), HOLDER_NAME]);
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !names.has(read(entry, 'comm').trimEnd())) continue;
    const variables = read(entry, 'environ').split('\0');
    const mark = variables.find((variable) => variable.startsWith(`${MARK_VARIABLE}=`))?.split('=')[1];
    if (mark !== undefined && isServiceDead(mark)) killQuietly(Number(entry));
  }
}

/** Reads a file in /proc. Returns an empty string if the process has exited or belongs to another user. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has already exited.
  }
}
