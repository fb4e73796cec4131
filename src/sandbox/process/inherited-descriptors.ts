/**
 * Descriptors that the service inherited from its parent, beyond the three standard ones. Node passes most of them on
 * to every child, so a function would get them too. bash closes them for each child. The service does not close them
 * itself: as a library, it runs in a process that it does not own.
 */
import { readdirSync, readFileSync } from 'node:fs';

const CLOSE_ON_EXEC = 0o2000000;

/** Returns the descriptors that a child would inherit, without standard input, output and error. */
export function inheritedDescriptors(): number[] {
  return readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((fd) => fd > 2 && !isClosedOnExec(fd));
}

/** A program and its arguments. */
export type Command = { readonly file: string; readonly args: readonly string[] };

/** Wraps the command in bash, which closes `descriptors` first. Returns it unchanged if there are none. */
export function withDescriptorsClosed(descriptors: readonly number[], bash: string, command: Command): Command {
  if (descriptors.length === 0) return command;
  const closes = descriptors.map((fd) => `${fd}>&-`).join(' ');
  // If standard input is a socket, bash assumes a remote login and reads ~/.bashrc, unless --norc is given.
  return { file: bash, args: ['--norc', '-c', `exec ${closes}; exec "$@"`, bash, command.file, ...command.args] };
}

function isClosedOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
  } catch {
    return true; // The descriptor that listed the directory. It is closed by now.
  }
}
