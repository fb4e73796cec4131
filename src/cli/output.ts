/** What the commands write: results on standard output, everything else on standard error. Colors follow NO_COLOR. */
import colors from 'picocolors';

/** Writes to standard output and resolves once it is out of our hands. */
export function writeResult(content: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(content, (failure) => (failure ? reject(failure) : resolve()));
  });
}

export function writeJson(value: unknown): Promise<void> {
  return writeResult(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** A line of progress or a remark for the person at the terminal. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** `error: ...`, and below it what to do about it. */
export function sayProblem(message: string, remedy?: string): void {
  const paint = process.stderr.isTTY ? colors.red : String;
  say(`${paint('error:')} ${message}`);
  if (remedy) say(remedy);
}

/** A size for people. */
export function megabytes(bytes: number): string {
  return bytes >= 1_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`;
}
