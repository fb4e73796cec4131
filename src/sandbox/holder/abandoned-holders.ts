/**
 * Ends what bubblewrap may leave when a service is killed: between its fork and the word to go on, its child waits for
 * that word alone. If bubblewrap dies just then, as it does with its parent, the child waits for ever, and no pipe tells
 * it. It is known by the mark of its service in its environment.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isServiceDead } from '../process/service-mark.ts';

/** The variable by which bubblewrap and its children, but no process of a function, tell their service's mark. */
export const MARK_VARIABLE = 'LAMELLA_SERVICE';

/** Kills the bubblewraps of services that are gone. Takes some milliseconds. */
export function killAbandonedHolders(bwrap: string): void {
  const name = basename(bwrap);
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || read(entry, 'comm').trimEnd() !== name) continue;
    const variables = read(entry, 'environ').split('\0');
    const mark = variables.find((variable) => variable.startsWith(`${MARK_VARIABLE}=`))?.split('=')[1];
    if (mark !== undefined && isServiceDead(mark)) killQuietly(Number(entry));
  }
}

/** Empty when the process is gone, or not ours to look at. */
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
    // Gone by itself.
  }
}
