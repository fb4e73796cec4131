/**
 * Makes a folder where a person named one. Not by Node's recursive `mkdir`: where the kernel makes no folders, as in
 * /proc, that tries for ever.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder and those above it, as far as missing. Throws what the system says when it cannot. */
export function makeFolder(path: string, mode?: number): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path), mode);
  mkdirSync(path, { mode });
}
