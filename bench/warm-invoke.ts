/**
 * A warm invocation of a C function compared with a `node:http` echo, by a C client, in one run. All processes share one
 * CPU, so that the median is the sum of their work and does not depend on which core woke which. Rounds alternate: the
 * ratios count, not the times.
 */
import { cpuTimeUs, openBench, startCService, startEcho } from './c-service.ts';
import { percentile } from './running-service.ts';

const ROUNDS = Number(process.argv[2] ?? 9);
const REQUESTS = Number(process.argv[3] ?? 4000);
const CPU = '0';

const bench = openBench();
const service = await startCService(bench, CPU);
const echo = await startEcho(CPU);
try {
  const path = await service.createFunction('hello', bench.bootstrap);
  const targets = { echo, invoke: { ...service, path } };
  type Round = { readonly p50: number; readonly cpu: number };
  const rounds: { readonly echo: Round; readonly invoke: Round }[] = [];
  const measure = async (name: keyof typeof targets): Promise<Round> => {
    const target = targets[name];
    const before = cpuTimeUs(target.pid);
    const { p50 } = await bench.load(target, { requests: REQUESTS, cpus: CPU });
    return { p50, cpu: (cpuTimeUs(target.pid) - before) / REQUESTS };
  };
  for (let round = -2; round < ROUNDS; round += 1) {
    const both = { echo: await measure('echo'), invoke: await measure('invoke') };
    if (round >= 0) rounds.push(both);
  }
  const spread = (values: number[]) => [0, 0.5, 0.999].map((share) => percentile(values, share).toFixed(2)).join(' / ');
  console.log('minimum / median / maximum of the rounds');
  for (const what of ['p50', 'cpu'] as const) {
    console.log(`${what} of the echo, us:  ${spread(rounds.map(({ echo }) => echo[what]))}`);
    console.log(`${what} of an invocation: ${spread(rounds.map(({ invoke }) => invoke[what]))}`);
    console.log(`${what} ratio:            ${spread(rounds.map(({ echo, invoke }) => invoke[what] / echo[what]))}`);
  }
} finally {
  echo.stop();
  await service.stop();
  bench.close();
}
