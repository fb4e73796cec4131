/** Bundles the TypeScript runtime as the build does, and runs handlers written in a test with it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { type RuntimeUnderTest, startRuntime } from './runtime-harness.ts';

const ROOT = resolve(import.meta.dirname, '../..');

export type TypeScriptRuntime = {
  /** The bundle. */
  readonly main: string;
  /** Writes the files as a function's package and starts the runtime with it. `reset` closes it. */
  start(
    files: Readonly<Record<string, string>>,
    options?: {
      readonly handler?: string;
      readonly variables?: Readonly<Record<string, string>>;
      readonly node?: string;
    },
  ): Promise<RuntimeUnderTest>;
  /** Ends the processes of the test. */
  reset(): Promise<void>;
  remove(): void;
};

export function bundleTypeScriptRuntime(): TypeScriptRuntime {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-typescript-runtime-'));
  const main = join(directory, 'main.cjs');
  buildSync({
    entryPoints: [join(ROOT, 'runtimes/typescript/src/main.ts')],
    outfile: main,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
  });
  let running: RuntimeUnderTest[] = [];
  let count = 0;
  return {
    main,
    async start(files, { handler = 'index.handler', variables = {}, node = process.execPath } = {}) {
      const task = join(directory, `task-${count++}`);
      mkdirSync(task);
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(task, name)), { recursive: true });
        writeFileSync(join(task, name), content);
      }
      const runtime = await startRuntime({ argv: [node, main], task, handler, variables });
      running.push(runtime);
      return runtime;
    },
    async reset() {
      const all = running;
      running = [];
      await Promise.all(all.map((runtime) => runtime.close()));
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
