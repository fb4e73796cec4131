/**
 * Checks before the start whether the kernel would execute a function's bootstrap, because bubblewrap and nsenter report
 * only that it failed. Follows execve(2): permission, then format, then the interpreter, which is checked the same way.
 * The reasons are the kernel's errors in the wording of Go, which Lambda's payloads contain.
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
      /** What exactly is wrong, so that a user can fix it. Not part of Lambda's message. */
      readonly detail: string;
    };

export type ExecFailure =
  | 'permission denied'
  | 'no such file or directory'
  | 'exec format error'
  | 'too many levels of symbolic links';

/** Where Lambda looks for a custom runtime, in this order. */
const BOOTSTRAPS = ['/var/task/bootstrap', '/opt/bootstrap'];
/** How many bytes of a script the kernel reads to find its interpreter. */
const SHEBANG_BYTES = 256;
/** How many nested interpreter scripts the kernel follows. */
const MAX_INTERPRETERS = 5;
const HEADER_BYTES = 4096;
/** Relative interpreters are resolved from the working directory of the process. */
const WORKING_DIRECTORY = '/var/task';

/** Finds the function's bootstrap and checks whether the kernel would start it. A directory of that name is skipped. */
export function checkEntrypoint(trees: FunctionTrees): EntrypointVerdict {
  for (const path of BOOTSTRAPS) {
    const found = lookUpInside(path, trees);
    if (found.kind === 'absent' || (found.kind === 'found' && found.stats.isDirectory())) continue;
    return checkExecutable(path, trees);
  }
  return { kind: 'missing' };
}

/** Checks one program, such as an extension, by its absolute path in the sandbox. */
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
    return { reason: 'permission denied', detail: `the function's user may not search a directory above ${path}` };
  }
  const { stats, hostPath } = found;
  if (!stats.isFile()) return { reason: 'permission denied', detail: `${path} is not a regular file` };
  if (!mayExecute(stats)) {
    const mode = (stats.mode & 0o777).toString(8);
    return { reason: 'permission denied', detail: `${path} is not executable by the function's user (mode ${mode})` };
  }
  const start = readPart(hostPath, 0, HEADER_BYTES);
  // An unprivileged user may be allowed to execute a file without being allowed to read it.
  if (start === undefined) return undefined;
  if (isElf(start)) return findElfProblem(path, hostPath, start, trees);
  return findScriptProblem(path, start.subarray(0, SHEBANG_BYTES), trees, depth);
}

function findScriptProblem(path: string, start: Buffer, trees: FunctionTrees, depth: number): Problem | undefined {
  const interpreter = parseShebang(start);
  if (interpreter === undefined) {
    return { reason: 'exec format error', detail: `${path} is neither a program nor a script that starts with #!` };
  }
  if (depth >= MAX_INTERPRETERS) {
    return {
      reason: 'too many levels of symbolic links',
      detail: `${path} has more than ${MAX_INTERPRETERS} nested script interpreters`,
    };
  }
  const absolute = interpreter.startsWith('/') ? interpreter : `${WORKING_DIRECTORY}/${interpreter}`;
  const problem = findProblem(absolute, trees, depth + 1);
  if (problem === undefined) return undefined;
  const hint = interpreter.endsWith('\r') ? ' (the line ends with CR LF; it must end with LF)' : '';
  return { ...problem, detail: `the interpreter of ${path}: ${problem.detail}${hint}` };
}

/** The interpreter in a script's first line, as the kernel reads it; undefined if there is none. */
export function parseShebang(start: Buffer): string | undefined {
  if (start.toString('latin1', 0, 2) !== '#!') return undefined;
  const text = start.toString('utf8');
  const end = text.search(/[\n\0]/);
  const name = /^[ \t]*([^ \t]*)/.exec(end < 0 ? text.slice(2) : text.slice(2, end))?.[1] ?? '';
  if (name === '') return undefined;
  // The first line may be longer than the kernel reads, as long as the interpreter's name is complete.
  const isCut = end < 0 && start.length >= SHEBANG_BYTES && !/[ \t]/.test(text.slice(2).trimStart());
  return isCut ? undefined : name;
}

function findElfProblem(path: string, hostPath: string, start: Buffer, trees: FunctionTrees): Problem | undefined {
  const header = parseElfHeader(start);
  if (header === undefined || !header.isProgram) {
    return { reason: 'exec format error', detail: `${path} is damaged or not a linked program` };
  }
  if (!runsHere(header)) {
    return { reason: 'exec format error', detail: `${path} was not built for this processor (${process.arch})` };
  }
  if (header.loader === undefined) return undefined;
  const { offset, length } = header.loader;
  const loader = readPart(hostPath, offset, Math.min(length, HEADER_BYTES))?.toString('utf8').replace(/\0.*$/s, '');
  if (loader === undefined) return undefined;
  const found = lookUpInside(loader, trees);
  if (found.kind === 'found') return undefined;
  return {
    reason: found.kind === 'absent' ? 'no such file or directory' : 'permission denied',
    detail: `${path} needs the loader ${printable(loader)}, which does not exist (was it built for another C library?)`,
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

/** Escapes invisible characters, such as the carriage return of a Windows line. */
function printable(path: string): string {
  return JSON.stringify(path).slice(1, -1);
}
