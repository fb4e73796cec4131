/**
 * Runs every case with every runtime against a service, and prints the table. `node scripts/run.mjs conformance` starts
 * Lamella for it (`--network isolated` selects its network mode), `... conformance --endpoint URL` uses another service,
 * `... conformance --remote` uses AWS.
 */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { SERVICE_CASES } from './service-cases.ts';
import { serviceRuntimes } from './service-runtimes.ts';
import { openTarget, type Target } from './service-target.ts';

const runtimes = serviceRuntimes(Boolean(process.env.LAMELLA_CONFORMANCE_REMOTE));
const results = new Map<string, string>();
const prefix = `conformance-${process.pid}-${Date.now().toString(36)}`;

describe.each(runtimes)('a service, with the runtime $name,', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    target = await openTarget();
  });
  afterAll(() => target.close(), 120_000);

  for (const [index, { rule, needs, timeout = 10, handler, layer, run }] of SERVICE_CASES.entries()) {
    const isAsked = needs === undefined || !runtime.lacks.includes(needs);
    results.set(`${runtime.name} ${index}`, isAsked ? 'fails' : '');
    it.runIf(isAsked)(
      rule,
      async () => {
        const name = `${prefix}-${runtime.name}-${index}`;
        const layers = layer === undefined ? [] : [await target.publishLayer(name, layer)];
        await target.createFunction(name, runtime.files, {
          Runtime: runtime.runtime as 'provided.al2023',
          Handler: handler ?? runtime.handler,
          Timeout: timeout,
          MemorySize: 256,
          Layers: layers,
          Environment: { Variables: { GIVEN: 'by the customer' } },
        });
        await run({ invoke: (event) => target.invoke(name, event), log: () => target.logOf(name) });
        results.set(`${runtime.name} ${index}`, 'passes');
      },
      120_000,
    );
  }
});

afterAll(() => {
  const rows = SERVICE_CASES.map(
    ({ rule }, index) => `| ${rule} | ${runtimes.map(({ name }) => results.get(`${name} ${index}`)).join(' | ')} |`,
  );
  const head = `| a service ... | ${runtimes.map(({ name }) => name).join(' | ')} |\n|${'---|'.repeat(runtimes.length + 1)}`;
  process.stderr.write(`\n${head}\n${rows.join('\n')}\n`);
});
