/** The ready file of `lamella start`: JSON with the URLs of the service, written when it accepts connections. */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { OperatorError } from '../operator-error.ts';

/** The contents of the ready file and of `--json`. */
export type Ready = { readonly lambda: string; readonly http: string; readonly pid: number };

/** Writes the file with a rename, so that a program that waits for it never reads a part of it. */
export function writeReadyFile(file: string, ready: Ready): void {
  const staging = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(staging, `${JSON.stringify(ready)}\n`);
    renameSync(staging, file);
  } catch (failure) {
    rmSync(staging, { force: true });
    throw new OperatorError('file-unwritable', { file, reason: (failure as Error).message }, failure);
  }
}

/** Fails before the service starts if the ready file cannot be written then. */
export function checkReadyFile(file: string): void {
  const staging = `${file}.${process.pid}.tmp`;
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a directory');
    writeFileSync(staging, '');
  } catch (failure) {
    throw new OperatorError('file-unwritable', { file, reason: (failure as Error).message }, failure);
  } finally {
    rmSync(staging, { force: true });
  }
}

/** Removes the file, unless another service has replaced it. */
export function removeReadyFile(file: string): void {
  try {
    const ready: Partial<Ready> = JSON.parse(readFileSync(file, 'utf8'));
    if (ready.pid === process.pid) rmSync(file, { force: true });
  } catch {
    // The file was removed or replaced with something else.
  }
}
