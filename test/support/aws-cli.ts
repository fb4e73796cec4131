/** The unmodified AWS CLI of this machine, with a service as its endpoint. */
import { execFile, execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { startClientProgram } from './client-program.ts';

/** The first version 2 on the PATH, where a version manager's version 1 may come first; undefined if there is no version 2. */
export function findAwsCli(): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'aws'));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      const version = execFileSync(path, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      return version.startsWith('aws-cli/2');
    } catch {
      return false; // Not found, or a version manager's shim without an installed version.
    }
  });
}

/** The Python of a CLI that is a Python package, from its first line: it can load the CLI. */
export function pythonOf(path: string): string {
  return /^#!(\S*python\S*)/.exec(readFileSync(path, 'latin1').slice(0, 200))?.[1] ?? 'python3';
}

export type CliRun = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type AwsCli = {
  /** Runs `aws WORDS --endpoint-url URL` in the working directory. */
  run(...words: string[]): Promise<CliRun>;
  /** Like `run`, but returns the output as JSON. Throws the CLI's error output if it fails. */
  json(...words: string[]): Promise<ReturnType<typeof JSON.parse>>;
  /** Runs a bash script in which `aws` is the CLI with the endpoint. It stops at the first failure. */
  script(text: string): Promise<CliRun>;
  close(): void;
};

/** A CLI whose home and working directory are `directory`, so that it does not read this machine's profiles. */
export function awsCli(path: string, url: string, directory: string): AwsCli {
  const variables = {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_DEFAULT_OUTPUT: 'json',
    AWS_PAGER: '',
  };
  // Loaded once: starting the CLI takes a second of CPU time.
  const program = startClientProgram(pythonOf(path), ['aws_cli.py', path], directory, variables);
  const execute = (file: string, words: readonly string[]) =>
    new Promise<CliRun>((resolve) => {
      const env = { PATH: process.env.PATH, HOME: directory, ...variables };
      const options = { env, cwd: directory, maxBuffer: 64 * 1024 * 1024 };
      const child = execFile(file, words, options, (failure, stdout, stderr) =>
        resolve({ code: failure ? Number(failure.code ?? 255) : 0, stdout, stderr }),
      );
      child.stdin?.end();
    });
  const run = (...words: string[]): Promise<CliRun> => program.ask([...words, '--endpoint-url', url]);
  return {
    run,
    async json(...words) {
      const { code, stdout, stderr } = await run(...words);
      if (code !== 0) throw new Error(`aws ${words.join(' ')}: ${stderr}`);
      return stdout.trim() === '' ? undefined : JSON.parse(stdout);
    },
    close: program.close,
    script: (text) =>
      execute('bash', ['-c', `set -euo pipefail\naws() { '${path}' --endpoint-url '${url}' "$@"; }\n${text}`]),
  };
}
