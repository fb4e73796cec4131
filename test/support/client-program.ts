/** A Python program that responds to each line of JSON with a line of JSON: a client that is loaded once. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

export type ClientProgram = {
  // biome-ignore lint/suspicious/noExplicitAny: the program defines the response
  ask(request: unknown): Promise<any>;
  /** Ends the program after its pending requests. */
  close(): void;
};

/** Starts a program of test/fixtures/clients in `directory`, which is also its home directory. */
export function startClientProgram(
  python: string,
  [script, ...words]: readonly [string, ...string[]],
  directory: string,
  variables: Readonly<Record<string, string>>,
): ClientProgram {
  const program = resolve(import.meta.dirname, '../fixtures/clients', script);
  const env = { PATH: process.env.PATH, HOME: directory, ...variables };
  const child: ChildProcess = spawn(python, [program, ...words], {
    env,
    cwd: directory,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting: { readonly resolve: (response: unknown) => void; readonly reject: (failure: Error) => void }[] = [];
  if (child.stdout === null) throw new Error('The program has no standard output');
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)));
  child.once('close', (code) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`${script} exited with ${code}`));
  });
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin?.write(`${JSON.stringify(request)}\n`);
      }),
    close: () => void child.stdin?.end(),
  };
}
