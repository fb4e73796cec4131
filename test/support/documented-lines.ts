/** The lines of docs/deployment-tools.md, run as a user would: a test fails if they change and no longer work. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import { cleanEnvironment, type Ended, LAMELLA } from './built-cli.ts';

const PAGE = resolve(import.meta.dirname, '../../docs/deployment-tools.md');

/** The lines in the row of a tool. */
export function documentedLines(tool: string): string[] {
  const row = readFileSync(PAGE, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`| ${tool} |`));
  if (row === undefined) throw new Error(`${PAGE} has no row for ${tool}`);
  const [, , lines = ''] = row.split(/(?<!\\) \| |^\| /);
  return [...lines.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line);
}

export type LinesOptions = {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Directories of programs that come first on the PATH. */
  readonly programs?: readonly string[];
};

/** Runs lines in one bash in which `lamella` is this one. Variables of AWS and Lamella are only those given. */
export function runLines(lines: readonly string[], { cwd, environment, programs = [] }: LinesOptions): Promise<Ended> {
  const inherited = cleanEnvironment();
  const PATH = [dirname(LAMELLA), ...programs, inherited.PATH].join(delimiter);
  const env = { ...inherited, PATH, ...environment };
  return new Promise((settle) => {
    const options = { cwd, env, encoding: 'buffer' as const, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile('bash', ['-c', `set -e\n${lines.join('\n')}`], options, (failure, stdout, stderr) =>
      settle({ code: failure ? Number(failure.code ?? 1) : 0, stdout, stderr: stderr.toString() }),
    );
    // Tools read what they were not given from standard input.
    child.stdin?.end();
  });
}
