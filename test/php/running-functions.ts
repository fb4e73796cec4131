/**
 * Starts functions on the PHP runtime as its layer does on AWS. Each test has its own fake Runtime API, independent of
 * Lamella's. Functions are stopped after the test and removed at the end.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { FakeRuntimeApi } from '../support/fake-runtime-api.ts';
import { startFakeRuntimeApi } from '../support/fake-runtime-api.ts';
import { laidOutPhpLayer, spawnInside, temporaryDirectory, writePackage } from '../support/php-sandbox.ts';

export type RunningFunction = {
  /** Everything written so far to stdout and stderr. */
  output: () => string;
  /** Resolves when the output contains `text`. */
  wrote(text: string): Promise<void>;
  exited: Promise<number | null>;
  /** The directory that the function sees as /tmp. */
  tmp: string;
};

export type Functions = {
  readonly api: FakeRuntimeApi;
  /** The default layer of functions. */
  readonly opt: string;
  /** A directory for other files of the test. */
  readonly directory: string;
  /** Starts the layer's bootstrap with a package of `files` at /var/task. */
  start(
    handler: string,
    files: Readonly<Record<string, string>>,
    environment?: Readonly<Record<string, string>>,
    layer?: string,
  ): RunningFunction;
};

/** Call it at the top of a test file. It registers the hooks that prepare and clean up. */
export function runningFunctions(layer: Parameters<typeof laidOutPhpLayer>[1] = {}): Functions {
  const directory = temporaryDirectory();
  let opt = '';
  let api: FakeRuntimeApi | undefined;
  let started: ChildProcess[] = [];
  let count = 0;

  beforeAll(async () => {
    opt = await laidOutPhpLayer(directory.path, layer);
  }, 300_000);
  afterAll(directory.remove);
  beforeEach(async () => {
    api = await startFakeRuntimeApi();
  });
  afterEach(async () => {
    for (const process of started) process.kill('SIGKILL');
    started = [];
    await api?.close();
  });
  const currentApi = () => {
    if (api === undefined) throw new Error('no test is running');
    return api;
  };

  return {
    get api() {
      return currentApi();
    },
    get opt() {
      return opt;
    },
    directory: directory.path,
    start(handler, files, environment = {}, other = opt) {
      const root = join(directory.path, `f${count++}`);
      const task = writePackage(join(root, 'task'), { 'placeholder.txt': '', ...files });
      const tmp = join(root, 'tmp');
      mkdirSync(tmp);
      const process = spawnInside({
        opt: other,
        task,
        tmp,
        argv: ['/opt/bootstrap'],
        environment: {
          AWS_LAMBDA_RUNTIME_API: currentApi().address,
          LAMBDA_TASK_ROOT: '/var/task',
          AWS_LAMBDA_FUNCTION_NAME: 'fake',
          AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
          _HANDLER: handler,
          ...environment,
        },
      });
      started.push(process);
      let output = '';
      const waiting = new Set<() => void>();
      for (const stream of [process.stdout, process.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          for (const look of waiting) look();
        });
      }
      const exited = new Promise<number | null>((resolve) => process.once('close', resolve));
      const wrote = (text: string) =>
        new Promise<void>((resolve) => {
          const look = () => {
            if (!output.includes(text)) return;
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
          look();
        });
      return { output: () => output, wrote, exited, tmp };
    },
  };
}
