/**
 * Remembers since when files are unreferenced, so that they are removed only after a day: until then, a mistake with the
 * database can be undone. Each unreferenced file has an empty mark of the same name in `<directory>-unreferenced`, whose
 * time of modification says since when. Files that exist beside a new database are kept for good: they belong to
 * another one, which may come back.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How long a file is kept after the last reference to it is gone, in milliseconds. */
export const UNREFERENCED_KEPT_MS = 24 * 60 * 60_000;
/** The time of a mark that never expires. */
const NEVER = new Date(Date.UTC(2200, 0, 1));

export type Unreferenced = {
  /**
   * Returns those of the files `present` that have been unreferenced for a day at `nowMs`, and begins or ends the day of
   * the others. Synchronous, so that no reference can be added in between.
   */
  expired(present: Iterable<string>, isReferenced: (name: string) => boolean, nowMs: number): string[];
};

/** Opens the marks of the files in `directory`. */
export function createUnreferenced(directory: string): Unreferenced {
  const marks = marksOf(directory);
  const since = new Map<string, number>();
  for (const name of existsSync(marks) ? readdirSync(marks) : []) since.set(name, statSync(join(marks, name)).mtimeMs);
  const forget = (name: string) => {
    since.delete(name);
    rmSync(join(marks, name), { force: true });
  };
  return {
    expired(present, isReferenced, nowMs) {
      const expired: string[] = [];
      const names = new Set(present);
      for (const name of [...since.keys()]) if (!names.has(name)) forget(name);
      for (const name of names) {
        const known = since.get(name);
        if (isReferenced(name)) {
          if (known !== undefined) forget(name);
        } else if (known === undefined) {
          mark(marks, name, new Date(nowMs));
          since.set(name, nowMs);
        } else if (nowMs - known >= UNREFERENCED_KEPT_MS) {
          expired.push(name);
        }
      }
      return expired;
    },
  };
}

/** Keeps all files that are now in `directory` until something refers to them. Returns their number. */
export function keepUnreferenced(directory: string): number {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const name of names) mark(marksOf(directory), name, NEVER);
  return names.length;
}

function marksOf(directory: string): string {
  return `${directory}-unreferenced`;
}

function mark(marks: string, name: string, time: Date): void {
  mkdirSync(marks, { recursive: true, mode: 0o700 });
  writeFileSync(join(marks, name), '', { mode: 0o600 });
  utimesSync(join(marks, name), time, time);
}
