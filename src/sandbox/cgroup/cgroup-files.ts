/**
 * Reads and writes cgroup files, and names the service's directory in the cgroup tree. Shared by both versions of
 * cgroups; the names of control files are in `cgroup-v1.ts` and `cgroup-v2.ts`.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { sleep } from '../../clock.ts';
import { isServiceDead, serviceMark } from '../process/service-mark.ts';

const PREFIX = 'lamella-';
const REMOVAL_ATTEMPTS = 200;
const REMOVAL_PAUSE_MS = 5;

/** A file that is read often: opened once, read from its start each time. After it is removed, returns the last text. */
export class PolledFile {
  readonly #path: string;
  readonly #buffer = Buffer.alloc(4096);
  #fd: number | undefined;
  #last = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** Returns the text of the file, or an empty string if it was never readable. */
  read(): string {
    try {
      this.#fd ??= openSync(this.#path, 'r');
      this.#last = this.#buffer.toString('latin1', 0, readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0));
    } catch {
      // This kernel does not have the file, or the group was removed.
    }
    return this.#last;
  }

  /** Returns the number at the start of the file; undefined if there is none. */
  readNumber(): number | undefined {
    const value = Number.parseInt(this.read(), 10);
    return Number.isNaN(value) ? undefined : value;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** Returns the value of `key` in a text of `key value` lines; undefined if the key is missing. */
export function field(text: string, key: string): number | undefined {
  const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1;
  if (at === 0 && !text.startsWith(`${key} `)) return undefined;
  return Number.parseInt(text.slice(at + key.length + 1), 10);
}

/** Writes a control file. Throws if the kernel refuses the value. */
export function writeControl(directory: string, file: string, value: string | number): void {
  writeFileSync(join(directory, file), String(value));
}

/** Writes an optional control file that some kernels lack, such as swap accounting. Returns false on failure. */
export function tryWriteControl(directory: string, file: string, value: string | number): boolean {
  try {
    writeControl(directory, file, value);
    return true;
  } catch {
    return false;
  }
}

/** Reads a control file; undefined if it does not exist. */
export function readControl(directory: string, file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), 'latin1');
  } catch {
    return undefined;
  }
}

/** Returns the pids of the processes in a group; none if the group does not exist. */
export function readPids(directory: string): number[] {
  try {
    return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Creates the service's directory below `parent`, named after its mark. A process may run several services. */
export function createServiceDirectory(parent: string): string {
  const name = `${PREFIX}${serviceMark()}`;
  for (let count = 0; ; count++) {
    const directory = join(parent, `${name}-${count}`);
    if (tryCreate(directory)) return directory;
  }
}

/** Removes a group as soon as the kernel has released its last process. Gives up after one second. */
export async function removeGroup(directory: string, clock: Clock): Promise<void> {
  for (let attempt = 0; attempt < REMOVAL_ATTEMPTS; attempt++) {
    if (tryRemove(directory)) return;
    await sleep(clock, REMOVAL_PAUSE_MS);
  }
}

/** Returns the directories below `parent` that belong to services that no longer run. */
export function abandonedDirectories(parent: string): string[] {
  return readdirSync(parent).flatMap((name) => {
    const [, mark] = /^lamella-(\d+-\d+-\d+)(?:-\d+)?$/.exec(name) ?? [];
    return mark !== undefined && isServiceDead(mark) ? [join(parent, name)] : [];
  });
}

/** Removes a group and its subgroups, except those that still contain a process. */
export function removeGroups(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(directory, entry.name));
  }
  tryRemove(directory);
}

/** Returns false if it exists already. */
function tryCreate(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw failure;
  }
}

/** Removes a group. Returns false if it cannot be removed, for example because a process is in it. */
export function tryRemove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
