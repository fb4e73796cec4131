/** Output of commands: results on standard output, everything else on standard error. Colors follow NO_COLOR. */
import colors from 'picocolors';
import { type Options, openHostWarning } from '../options.ts';

/** Writes to standard output. Resolves when the data was passed on, or when the reader has closed the pipe. */
export function writeResult(content: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(content, (failure) => {
      if (failure && !isClosedPipe(failure)) reject(failure);
      else resolve();
    });
  });
}

/** Writes a value as indented JSON to standard output. */
export function writeJson(value: unknown): Promise<void> {
  return writeResult(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Prints a line about progress or a warning to standard error. */
export function printStatus(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints `error: MESSAGE` to standard error, and the remedy below it. */
export function printError(message: string, remedy?: string): void {
  const paint = process.stderr.isTTY ? colors.red : String;
  printStatus(`${paint('error:')} ${message}`);
  if (remedy) printStatus(remedy);
}

/** Prints `warning: MESSAGE` to standard error. */
export function printWarning(message: string): void {
  const paint = process.stderr.isTTY ? colors.yellow : String;
  printStatus(`${paint('warning:')} ${message}`);
}

/** Warns if others on the network can reach the service. */
export function warnOfOpenHost(options: Options): void {
  const open = openHostWarning(options);
  if (open === undefined) return;
  printWarning(open.warning);
  printStatus(open.advice);
}

/** Renders a size for people, in decimal units. */
export function megabytes(bytes: number): string {
  return bytes >= 1_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`;
}

/**
 * Drops output after its reader has closed the pipe, as in `lamella --help | head -1`. Without this, the write fails with EPIPE and
 * ends the process with a stack trace. The command itself goes on: `lamella start` must not stop because of it.
 */
export function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (failure) => {
      if (!isClosedPipe(failure)) throw failure;
    });
  }
}

function isClosedPipe(failure: NodeJS.ErrnoException): boolean {
  return failure.code === 'EPIPE';
}
