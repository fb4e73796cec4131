/**
 * Runs every case with every runtime, each in a new process, and prints the results. Uses Lamella's Runtime API, or the
 * server started by the command in LAMELLA_CONFORMANCE_RUNTIME_API (`test/support/foreign-runtime-api.ts`).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { startForeign } from '../support/foreign-runtime-api.ts';
import { type RuntimeSpec, startRuntime } from '../support/runtime-harness.ts';
import { CASES } from './cases.ts';
import { prepareRuntimes, type Runtime } from './runtimes.ts';

const directory = mkdtempSync(join(tmpdir(), 'lamella-conformance-'));
const runtimes = prepareRuntimes(directory);
const passed = new Map<Runtime, number>();
const foreign = process.env.LAMELLA_CONFORMANCE_RUNTIME_API;
const start = (spec: RuntimeSpec) => (foreign ? startForeign(foreign, spec) : startRuntime(spec));

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  const rows = runtimes.map((runtime) => {
    const asked = CASES.filter(({ needs }) => needs === undefined || !runtime.lacks?.includes(needs)).length;
    return `| ${runtime.name} | ${runtime.version} | ${passed.get(runtime) ?? 0} of ${asked} | ${runtime.lacks?.join(', ') ?? ''} |`;
  });
  process.stderr.write(
    `\n| runtime | version | cases passed | not applicable |\n|---|---|---|---|\n${rows.join('\n')}\n`,
  );
});

describe.each(runtimes)('$name ($version)', (runtime) => {
  for (const { rule, needs, handler = runtime.handler ?? 'index.handler', run } of CASES) {
    const isAsked = needs === undefined || !runtime.lacks?.includes(needs);
    it.runIf(isAsked)(rule, async ({ onTestFinished }) => {
      const { argv, task, variables } = runtime;
      const started = await start({ argv, task, handler, ...(variables && { variables }) });
      // Also after a timeout of the test.
      onTestFinished(() => started.close());
      await run(started);
      passed.set(runtime, (passed.get(runtime) ?? 0) + 1);
    });
  }
});
