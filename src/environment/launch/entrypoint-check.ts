/**
 * Looks at a function's bootstrap before it is started and says what the kernel will: bubblewrap and nsenter only say
 * that it did not work. Follows execve(2): permission, then format, then interpreter, and the interpreter's in turn.
 * The reasons are the kernel's, in Go's words, because those are in Lambda's payloads (spec: bootstrap lookup).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { ElfHeader } from '../../elf/elf-header.ts';
import { ELF_MACHINES, isElf, parseElfHeader } from '../../elf/elf-header.ts';
import type { FunctionTrees } from './inside-path.ts';
import { lookUpInside, mayExecute } from './inside-path.ts';

export type EntrypointVerdict =
  | { readonly kind: 'ok'; readonly path: string }
  /** None of the candidates exists. */
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'unstartable';
      readonly path: string;
      readonly reason: ExecFailure;
      /** What exactly is wrong, for a person to mend; not part of Lambda's message. */
      readonly detail: string;
    };

export type ExecFailure =
  | 'permission denied'
  | 'no such file or directory'
  | 'exec format error'
  | 'too many levels of symbolic links';

/** Where Lambda looks for a custom runtime, in this order. */
const BOOTSTRAPS = ['/var/task/bootstrap', '/opt/bootstrap'];
/** The kernel reads so much of a script to find its interpreter, and so many interpreters of interpreters. */
const SHEBANG_BYTES = 256;
const MAX_INTERPRETERS = 5;
const HEADER_BYTES = 4096;
/** Relative interpreters are looked for from where the process starts. */
const WORKING_DIRECTORY = '/var/task';

/** Finds the function's bootstrap and says whether the kernel would start it. A folder of that name is passed over. */
export function checkEntrypoint(trees: FunctionTrees): EntrypointVerdict {
  for (const path of BOOTSTRAPS) {
    const found = lookUpInside(path, trees);
    if (found.kind === 'absent' || (found.kind === 'found' && found.stats.isDirectory())) continue;
    return checkExecutable(path, trees);
  }
  return { kind: 'missing' };
}

/** The same for one program by its absolute path inside, an extension for example. */
export function checkExecutable(path: string, trees: FunctionTrees): EntrypointVerdict {
  const problem = findProblem(path, trees, 0);
  return problem === undefined ? { kind: 'ok', path } : { kind: 'unstartable', path, ...problem };
}

type Problem = { readonly reason: ExecFailure; readonly detail: string };

function findProblem(path: string, trees: FunctionTrees, depth: number): Problem | undefined {
  const found = lookUpInside(path, trees);
  if (found.kind === 'absent')
    return { reason: 'no such file or directory', detail: `${printable(path)} does not exist` };
  if (found.kind === 'forbidden') {
    return { reason: 'permission denied', detail: `a folder above ${path} may not be searched by the function's user` };
  }
  const { stats, hostPath } = found;
  if (!stats.isFile()) return { reason: 'permission denied', detail: `${path} is not a regular file` };
  if (!mayExecute(stats)) {
    const mode = (stats.mode & 0o777).toString(8);
    return { reason: 'permission denied', detail: `${path} is not executable for the function's user (mode ${mode})` };
  }
  const start = readPart(hostPath, 0, HEADER_BYTES);
  // As an ordinary user we may not be allowed to read what we may run.
  if (start === undefined) return undefined;
  if (isElf(start)) return findElfProblem(path, hostPath, start, trees);
  return findScriptProblem(path, start.subarray(0, SHEBANG_BYTES), trees, depth);
}

function findScriptProblem(path: string, start: Buffer, trees: FunctionTrees, depth: number): Problem | undefined {
  const interpreter = parseShebang(start);
  if (interpreter === undefined) {
    return { reason: 'exec format error', detail: `${path} is neither a program nor a script that begins with #!` };
  }
  if (depth >= MAX_INTERPRETERS) {
    return { reason: 'too many levels of symbolic links', detail: `${path} is a script of scripts of scripts ...` };
  }
  const absolute = interpreter.startsWith('/') ? interpreter : `${WORKING_DIRECTORY}/${interpreter}`;
  const problem = findProblem(absolute, trees, depth + 1);
  if (problem === undefined) return undefined;
  const hint = interpreter.endsWith('\r') ? ' (the line ends in CR LF; it must end in LF alone)' : '';
  return { ...problem, detail: `the interpreter of ${path}: ${problem.detail}${hint}` };
}

/** The program that a script names on its first line, as the kernel reads it; undefined if it names none. */
export function parseShebang(start: Buffer): string | undefined {
  if (start.toString('latin1', 0, 2) !== '#!') return undefined;
  const text = start.toString('utf8');
  const end = text.search(/[\n\0]/);
  const name = /^[ \t]*([^ \t]*)/.exec(end < 0 ? text.slice(2) : text.slice(2, end))?.[1] ?? '';
  if (name === '') return undefined;
  // A first line longer than the kernel reads: fine as long as the name itself is whole.
  const isCut = end < 0 && start.length >= SHEBANG_BYTES && !/[ \t]/.test(text.slice(2).trimStart());
  return isCut ? undefined : name;
}

function findElfProblem(path: string, hostPath: string, start: Buffer, trees: FunctionTrees): Problem | undefined {
  const header = parseElfHeader(start);
  if (header === undefined || !header.isProgram) {
    return { reason: 'exec format error', detail: `${path} is a damaged or unlinked program` };
  }
  if (!runsHere(header)) {
    return { reason: 'exec format error', detail: `${path} was built for another processor than ${process.arch}` };
  }
  if (header.loader === undefined) return undefined;
  const { offset, length } = header.loader;
  const loader = readPart(hostPath, offset, Math.min(length, HEADER_BYTES))?.toString('utf8').replace(/\0.*$/s, '');
  if (loader === undefined) return undefined;
  const found = lookUpInside(loader, trees);
  if (found.kind === 'found') return undefined;
  return {
    reason: found.kind === 'absent' ? 'no such file or directory' : 'permission denied',
    detail: `${path} needs the loader ${printable(loader)}, which is not there (built for another C library?)`,
  };
}

function runsHere({ machine }: ElfHeader): boolean {
  const machines = ELF_MACHINES[process.arch];
  return machines === undefined || machines.includes(machine);
}

function readPart(hostPath: string, offset: number, length: number): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(hostPath, 'r');
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Shows what would not be seen, such as the carriage return of a Windows line. */
function printable(path: string): string {
  return JSON.stringify(path).slice(1, -1);
}
