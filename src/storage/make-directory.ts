/**
 * Creates directories at paths that a user chose. Node's recursive `mkdir` never returns where the kernel does not
 * allow directories, for example below /proc.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Creates a directory and its missing parents. Throws the file system's error. */
export function makeDirectory(path: string, mode?: number): void {
  if (isDirectory(path)) return;
  makeDirectory(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (failure) {
    // Another process may have created it.
    if (!isDirectory(path)) throw failure;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
