/**
 * The gate of the invoke path: it fails when a change makes a warm invocation a tenth dearer. Time would not do, on machines
 * that do other things meanwhile. Three numbers do not depend on them: executed source of ours, allocated memory, and
 * system calls that read or write. CPU time is compared with an echo's in the same run, with a bound that only a much
 * dearer invocation exceeds. `npm run bench` measures the time.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Bench,
  type CService,
  cpuTimeUs,
  openBench,
  startCService,
  startEcho,
  type Target,
} from '../bench/c-service.ts';
import { buildIfStale } from './support/built-cli.ts';

/** What an invocation costs today. Lower a number when it falls, so that it does not rise again unseen. */
const COST = { executed: 94_500, heapBytes: 29_000, reads: 3, writes: 3 };
const ALLOWED = 1.08;
/** CPU time of the service for an invocation, in that of `node:http` for an echo. */
const MAX_CPU_RATIO = 10;
const MAX_CPU_ROUNDS = 40;

const WARM_UP = 6000;
const ROUNDS = 5;
const INVOCATIONS = 800;
const COUNTED_INVOCATIONS = 300;
const CPU = '0';

type Answer = { readonly executed: number; readonly heapBytes: number };
type Measured = CService & { readonly path: string };

const PROGRAM = fileURLToPath(new URL('./support/measured-service.mjs', import.meta.url));
let bench: Bench;
let service: Measured;

beforeAll(() => {
  buildIfStale();
  bench = openBench();
});

afterAll(() => bench?.close());

async function start(nodeOptions: readonly string[], args: readonly string[], warmUp: number): Promise<Measured> {
  const started = await startCService(bench, CPU, { nodeOptions, program: [PROGRAM, ...args] });
  const measured = { ...started, path: await started.createFunction('hello', bench.bootstrap) };
  await bench.load(measured, { requests: warmUp, cpus: CPU });
  return measured;
}

/** What invocations cost in several rounds, the least first. */
async function costs(
  target: Measured,
  measure: (isBefore: boolean) => Promise<number> | number,
  requests = INVOCATIONS,
): Promise<number[]> {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await measure(true);
    await bench.load(target, { requests, cpus: CPU });
    found.push(((await measure(false)) - before) / requests);
  }
  return found.sort((a, b) => a - b);
}

it('executes no more of our source than before', async () => {
  // Optimized code does not count what it has inlined.
  const counted = await start(['--no-opt'], ['count'], 100);
  try {
    const executed = async (isBefore: boolean) => {
      const answer = (await counted.ask('read')) as Answer;
      return isBefore ? 0 : answer.executed;
    };
    const [least] = await costs(counted, executed, COUNTED_INVOCATIONS);
    expect(least).toBeLessThan(COST.executed * ALLOWED);
  } finally {
    await counted.stop();
  }
});

describe('a service at full speed', () => {
  beforeAll(async () => {
    // Nothing is collected while allocations are measured.
    service = await start(['--min-semi-space-size=128', '--max-semi-space-size=128'], [], WARM_UP);
  });
  afterAll(() => service?.stop());

  it('reads and writes no more often than the three messages of an invocation need', async () => {
    // In a round that others disturb, the function is frozen and continued, and its memory is read more often.
    const [reads] = await costs(service, () => systemCalls('syscr'));
    expect(reads).toBeLessThan(COST.reads + 0.9);
    const [writes] = await costs(service, () => systemCalls('syscw'));
    expect(writes).toBeLessThan(COST.writes + 0.9);
  });

  it.runIf(process.versions.node.startsWith('20.'))('allocates no more memory than before', async () => {
    const found = await costs(service, async (isBefore) => {
      const { heapBytes } = (await service.ask(isBefore ? 'collect' : 'read')) as Answer;
      return heapBytes;
    });
    expect(found[Math.floor(ROUNDS / 2)]).toBeLessThan(COST.heapBytes * ALLOWED);
  });

  it('takes little CPU time beside an echo', async () => {
    const echo = await startEcho(CPU);
    try {
      let ofEcho = Number.POSITIVE_INFINITY;
      let ofInvocation = Number.POSITIVE_INFINITY;
      // On a busy machine it takes a while until a round is undisturbed.
      for (let round = 0; round < MAX_CPU_ROUNDS && !(ofInvocation < ofEcho * MAX_CPU_RATIO); round += 1) {
        ofEcho = Math.min(ofEcho, await cpuTimeOf(echo, echo.pid));
        ofInvocation = Math.min(ofInvocation, await cpuTimeOf(service, service.pid));
      }
      expect(ofInvocation / ofEcho).toBeLessThan(MAX_CPU_RATIO);
    } finally {
      echo.stop();
    }
  });
});

/** The number of system calls of the service that read, or that write, by the kernel. */
function systemCalls(kind: 'syscr' | 'syscw'): number {
  return Number(new RegExp(`^${kind}: (\\d+)$`, 'm').exec(readFileSync(`/proc/${service.pid}/io`, 'latin1'))?.[1]);
}

/** CPU time per request in microseconds. */
async function cpuTimeOf(target: Target, pid: number): Promise<number> {
  const before = cpuTimeUs(pid);
  await bench.load(target, { requests: INVOCATIONS, cpus: CPU });
  return (cpuTimeUs(pid) - before) / INVOCATIONS;
}
