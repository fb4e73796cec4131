/**
 * Functions on the PHP runtime, run as its layer runs it on AWS, each against a Runtime API of its own test that is not
 * Lamella's. Ended and removed after the test.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { FakeRuntimeApi } from '../support/fake-runtime-api.ts';
import { startFakeRuntimeApi } from '../support/fake-runtime-api.ts';
import { laidOutPhpLayer, spawnInside, temporaryFolder, writePackage } from '../support/php-sandbox.ts';

export type RunningFunction = {
  /** What it has written so far, to both outputs. */
  output: () => string;
  /** Settles once `text` is in the output. */
  wrote(text: string): Promise<void>;
  exited: Promise<number | null>;
  /** Its /tmp, from outside. */
  tmp: string;
};

export type Functions = {
  readonly api: FakeRuntimeApi;
  /** The layer that functions get unless another is given. */
  readonly opt: string;
  /** For whatever a test needs on disk. */
  readonly folder: string;
  /** Starts the layer's bootstrap with a package of `files` at /var/task. */
  start(
    handler: string,
    files: Readonly<Record<string, string>>,
    environment?: Readonly<Record<string, string>>,
    layer?: string,
  ): RunningFunction;
};

/** To be called at the top of a test file: registers what must happen before and after its tests. */
export function runningFunctions(layer: Parameters<typeof laidOutPhpLayer>[1] = {}): Functions {
  const folder = temporaryFolder();
  let opt = '';
  let api: FakeRuntimeApi | undefined;
  let started: ChildProcess[] = [];
  let count = 0;

  beforeAll(async () => {
    opt = await laidOutPhpLayer(folder.path, layer);
  }, 300_000);
  afterAll(folder.remove);
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
    folder: folder.path,
    start(handler, files, environment = {}, other = opt) {
      const root = join(folder.path, `f${count++}`);
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
