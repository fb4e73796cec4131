/**
 * The command line in this process, for tests with many commands. Only one at a time: it takes over the variables, the
 * working directory and the output of the process. What a process of its own is needed for is in `built-cli.ts`.
 */
import { main } from '../../src/cli/main.ts';
import { cleanEnvironment } from './built-cli.ts';

export type CliResult = { readonly code: number; readonly stdout: Buffer; readonly stderr: string };

/** Runs `lamella ARGS`. Of Lamella's and AWS's variables it gets only `environment`. */
export async function lamellaHere(
  args: readonly string[],
  { directory, environment = {} }: { directory: string; environment?: Record<string, string> },
): Promise<CliResult> {
  const variables = { ...process.env };
  const workingDirectory = process.cwd();
  const output = { stdout: capture(process.stdout), stderr: capture(process.stderr) };
  try {
    replaceVariables(cleanEnvironment(environment));
    process.chdir(directory);
    const code = await main(args);
    return { code, stdout: output.stdout.bytes(), stderr: output.stderr.bytes().toString() };
  } finally {
    for (const { release } of Object.values(output)) release();
    process.chdir(workingDirectory);
    replaceVariables(variables);
  }
}

function replaceVariables(variables: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!(name in variables)) delete process.env[name];
  Object.assign(process.env, variables);
}

type Captured = { bytes(): Buffer; release(): void };

function capture(stream: NodeJS.WriteStream): Captured {
  const { write } = stream;
  const listeners = stream.listeners('error');
  const chunks: Buffer[] = [];
  stream.write = ((chunk: string | Buffer, ...rest: unknown[]) => {
    chunks.push(Buffer.from(chunk));
    const done = rest.at(-1);
    if (typeof done === 'function') done();
    return true;
  }) as typeof stream.write;
  return {
    bytes: () => Buffer.concat(chunks),
    release() {
      stream.write = write;
      // `main` adds one each time.
      for (const listener of stream.listeners('error')) {
        if (!listeners.includes(listener)) stream.off('error', listener as () => void);
      }
    },
  };
}
