/**
 * Reading and writing the files of control groups, and the naming of a service's directory among them. Shared by the
 * two versions of cgroups; knows neither's file names.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { sleep } from '../../clock.ts';
import { isServiceDead, serviceMark } from '../process/service-mark.ts';

const PREFIX = 'lamella-';
const REMOVAL_ATTEMPTS = 200;
const REMOVAL_PAUSE_MS = 5;

/** A file that is read often: opened once, read from its start each time. Once it is gone, it reads as it last did. */
export class PolledFile {
  readonly #path: string;
  readonly #buffer = Buffer.alloc(4096);
  #fd: number | undefined;
  #last = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** Empty if it never could be read. */
  read(): string {
    try {
      this.#fd ??= openSync(this.#path, 'r');
      this.#last = this.#buffer.toString('latin1', 0, readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0));
    } catch {
      // Not on this kernel, or the group has been removed.
    }
    return this.#last;
  }

  /** Its first number; undefined if there is none. */
  readNumber(): number | undefined {
    const value = Number.parseInt(this.read(), 10);
    return Number.isNaN(value) ? undefined : value;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** The value of `key` in lines of `key value`; undefined if there is no such line. */
export function field(text: string, key: string): number | undefined {
  const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1;
  if (at === 0 && !text.startsWith(`${key} `)) return undefined;
  return Number.parseInt(text.slice(at + key.length + 1), 10);
}

export function writeControl(directory: string, file: string, value: string | number): void {
  writeFileSync(join(directory, file), String(value));
}

/** For what some kernels do not have (swap accounting, say) and we can do without. */
export function tryWriteControl(directory: string, file: string, value: string | number): boolean {
  try {
    writeControl(directory, file, value);
    return true;
  } catch {
    return false;
  }
}

/** Undefined if there is no such file, or no longer. */
export function readControl(directory: string, file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), 'latin1');
  } catch {
    return undefined;
  }
}

export function readPids(directory: string): number[] {
  try {
    return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Makes a service's directory below `parent`. Its name has the service's mark, and counts the services of this process. */
export function createServiceDirectory(parent: string): string {
  const name = `${PREFIX}${serviceMark()}`;
  for (let count = 0; ; count++) {
    const directory = join(parent, `${name}-${count}`);
    if (tryCreate(directory)) return directory;
  }
}

/** Removes a group once the kernel has let go of its last process. */
export async function removeGroup(directory: string, clock: Clock): Promise<void> {
  for (let attempt = 0; attempt < REMOVAL_ATTEMPTS; attempt++) {
    if (tryRemove(directory)) return;
    await sleep(clock, REMOVAL_PAUSE_MS);
  }
}

/** The directories below `parent` of services that are gone. */
export function abandonedDirectories(parent: string): string[] {
  return readdirSync(parent).flatMap((name) => {
    const [, mark] = /^lamella-(\d+-\d+-\d+)(?:-\d+)?$/.exec(name) ?? [];
    return mark !== undefined && isServiceDead(mark) ? [join(parent, name)] : [];
  });
}

/** Removes a directory and those in it, as far as no process is left in them. */
export function removeGroups(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(directory, entry.name));
  }
  tryRemove(directory);
}

/** False if it is there already. */
function tryCreate(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw failure;
  }
}

/** False if it cannot be removed, as when a process is in it. */
export function tryRemove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
