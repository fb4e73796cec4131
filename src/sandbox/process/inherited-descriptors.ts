/**
 * Descriptors that this service itself was given by whoever started it, beyond the three standard ones. Node passes
 * those above its first few on to every child, so a function would have them too; bash closes them on the way.
 * The service itself leaves them alone: as a library it lives in somebody else's process.
 */
import { readdirSync, readFileSync } from 'node:fs';

const CLOSE_ON_EXEC = 0o2000000;

/** The descriptors that a child of ours would inherit, other than standard input, output and error. */
export function inheritedDescriptors(): number[] {
  return readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((fd) => fd > 2 && !isClosedOnExec(fd));
}

export type Command = { readonly file: string; readonly args: readonly string[] };

/** The command, run by way of bash, which first closes `descriptors`; as it is when there are none. */
export function withDescriptorsClosed(descriptors: readonly number[], bash: string, command: Command): Command {
  if (descriptors.length === 0) return command;
  const closes = descriptors.map((fd) => `${fd}>&-`).join(' ');
  // With a socket for standard input, bash takes itself for a remote login and would read ~/.bashrc.
  return { file: bash, args: ['--norc', '-c', `exec ${closes}; exec "$@"`, bash, command.file, ...command.args] };
}

function isClosedOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
  } catch {
    return true; // The one that listed the directory; closed by now.
  }
}
