/**
 * Makes a folder where a person named one. Not by Node's recursive `mkdir`: where the kernel makes no folders, as in
 * /proc, that tries for ever.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder and those above it, as far as missing. Throws what the system says when it cannot. */
export function makeDirectory(path: string, mode?: number): void {
  if (isFolder(path)) return;
  makeDirectory(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (failure) {
    // Another process may have been faster.
    if (!isFolder(path)) throw failure;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
