/**
 * The invoke path in one table, which `npm run bench` prints and writes to a JSON file: C functions and a C client beside a
 * `node:http` echo in the same run, and beside AWS's emulator if LAMELLA_BENCH_RIE names its binary. Contenders take turns
 * in short rounds, and each ratio is that of the two rounds of a turn: other load on the machine changes both.
 *
 * Pinned: client, server and functions share one CPU, so a round trip takes as long as all of their work. Unpinned, it also
 * depends on which CPU wakes which.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { CreateFunctionUrlConfigCommand } from '@aws-sdk/client-lambda';
import {
  type Bench,
  type CService,
  cpuTimeUs,
  type LoadOptions,
  openBench,
  residentBytes,
  startCService,
  startEcho,
  type Target,
} from './c-service.ts';
import { percentile } from './running-service.ts';

const TURNS = 9;
const PINNED = '0';
const UNPINNED = `0-${availableParallelism() - 1}`;
const FUNCTIONS = 8;
const CONNECTIONS = 64;
const MB = 1024 * 1024;
const RESPONSE = '{"statusCode":200,"headers":{"content-type":"text/plain"},"body":"hello"}';
const OUTPUT = process.argv[2] ?? 'bench-results.json';

type Contender = Target & { readonly pid: number };
type Figure = { readonly p50: number; readonly rate: number; readonly cpu: number };
type Row = {
  readonly name: string;
  readonly unit: string;
  /** Minimum, median and maximum of the turns. */
  readonly value: readonly number[];
  readonly ratio?: readonly number[] | undefined;
  readonly against?: string;
  readonly goal?: string;
};

const rows: Row[] = [];
const bench = openBench();
try {
  await measureWarm(PINNED, 'pinned');
  await measureWarm(UNPINNED, 'unpinned');
  await measurePayloads();
  await measureMany();
  await measureGateways();
  await measureMemory();
} finally {
  bench.close();
}
writeFileSync(OUTPUT, `${JSON.stringify({ node: process.version, cpus: availableParallelism(), rows }, null, 2)}\n`);
console.log(`\n${OUTPUT} has these figures as JSON.`);

/** One client and one function. */
async function measureWarm(cpus: string, name: string): Promise<void> {
  await withService(cpus, [], async (service, echo) => {
    const invoke = { ...service, path: await service.createFunction('hello', bench.bootstrap) };
    const rie = await startRie(cpus);
    const contenders = { echo, invoke, ...(rie && { rie }) };
    const turns = await takeTurns(contenders, { requests: 3000, cpus });
    report(`${name}: p50`, 'us', turns, 'invoke', ({ p50 }) => p50, 'echo', name === 'pinned' ? '<= 3.2' : undefined);
    report(`${name}: CPU of the service`, 'us', turns, 'invoke', ({ cpu }) => cpu, 'echo', '<= 4');
    report(`${name}: invocations`, '/s', turns, 'invoke', ({ rate }) => rate, 'echo');
    if (rie) {
      report(`${name}: p50`, 'us', turns, 'invoke', ({ p50 }) => p50, 'rie');
      report(`${name}: CPU of the service`, 'us', turns, 'invoke', ({ cpu }) => cpu, 'rie');
      report(`${name}: invocations`, '/s', turns, 'invoke', ({ rate }) => rate, 'rie');
      rie.stop();
    }
  });
}

async function measurePayloads(): Promise<void> {
  await withService(PINNED, [], async (service, echo) => {
    const invoke = { ...service, path: await service.createFunction('hello', bench.bootstrap) };
    for (const [name, bodyBytes, requests, goal] of [
      ['100 KB', 100_000, 200, '<= 1.6'],
      ['5 MB', 5_000_000, 12, '<= 2.5'],
    ] as const) {
      const turns = await takeTurns({ echo, invoke }, { requests, bodyBytes, cpus: PINNED });
      report(`pinned, ${name} both ways: p50`, 'us', turns, 'invoke', ({ p50 }) => p50, 'echo', goal);
    }
  });
}

/** Many functions, and many clients of one function. */
async function measureMany(): Promise<void> {
  await withService(UNPINNED, [], async (service, echo) => {
    const names = Array.from({ length: FUNCTIONS }, (_, at) => `hello-${at}`);
    const paths: string[] = [];
    for (const name of names) paths.push(await service.createFunction(name, bench.bootstrap));
    const one = { ...service, path: paths[0] ?? '' };
    const load = { requests: 8000, cpus: UNPINNED };
    const eight = await takeTurns({ echo, invoke: one }, { ...load, connections: FUNCTIONS, paths });
    const goal = '>= 0.3';
    report(`unpinned, ${FUNCTIONS} functions: invocations`, '/s', eight, 'invoke', ({ rate }) => rate, 'echo', goal);
    const loads: number[] = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      const { pathP99 } = await bench.load(one, { ...load, connections: FUNCTIONS, paths });
      loads.push(Math.max(...pathP99) / percentile(pathP99, 0.5));
    }
    add({ name: "slowest function's p99, of the median one's", unit: 'x', value: spread(loads), goal: '<= 3' });

    const path = await service.createFunction('reserved', bench.bootstrap, { reserved: CONNECTIONS });
    const reserved = { ...service, path };
    const ofEight: number[] = [];
    const ofMany: number[] = [];
    let throttled = 0;
    for (let turn = 0; turn < TURNS; turn += 1) {
      const few = await bench.load(reserved, { ...load, connections: 8 });
      const many = await bench.load(reserved, { ...load, connections: CONNECTIONS });
      ofEight.push(few.requests / few.seconds);
      ofMany.push(many.requests / many.seconds);
      throttled += many.throttled;
    }
    const ratio = spread(ofMany.map((rate, at) => rate / (ofEight[at] ?? 1)));
    const name = `${CONNECTIONS} clients of one function: invocations`;
    add({ name, unit: '/s', value: spread(ofMany), ratio, against: '8 clients', goal: '>= 1' });
    add({ name: `${CONNECTIONS} clients: throttled`, unit: 'of all', value: [throttled], goal: '0' });
  });
}

async function measureGateways(): Promise<void> {
  const routes = ['POST /hello -> hello', 'rest POST /rest -> hello', 'alb /alb -> hello'];
  const more = routes.flatMap((route) => ['--route', route]);
  await withService(PINNED, more, async (service) => {
    const path = await service.createFunction('hello', bench.bootstrap, { variables: { RESPONSE } });
    const url = new CreateFunctionUrlConfigCommand({ FunctionName: 'hello', AuthType: 'NONE' });
    const { FunctionUrl = '' } = await service.client.send(url);
    const at = (gatewayPath: string, hostHeader?: string) => ({
      ...service.http,
      pid: service.pid,
      path: gatewayPath,
      ...(hostHeader && { hostHeader }),
    });
    const turns = await takeTurns(
      {
        invoke: { ...service, path },
        url: at('/', new URL(FunctionUrl).host),
        http: at('/hello'),
        rest: at('/rest'),
        alb: at('/alb'),
      },
      // As large as the event that a gateway makes of a request.
      { requests: 1000, cpus: PINNED },
    );
    for (const [gateway, name] of Object.entries({
      url: 'function URL',
      http: 'HTTP API',
      rest: 'REST API',
      alb: 'ALB',
    }))
      report(`pinned, ${name}: p50`, 'us', turns, gateway, ({ p50 }) => p50, 'invoke', '<= 1.2');
  });
}

async function measureMemory(): Promise<void> {
  await withService(UNPINNED, ['--idle-seconds', '3600'], async (service) => {
    const load = { cpus: UNPINNED };
    add({ name: 'resident memory at rest', unit: 'MB', value: [residentBytes(service.pid) / MB], goal: '<= 120' });
    const path = await service.createFunction('hello', bench.bootstrap);
    const one = { ...service, path };
    await bench.load(one, { ...load, requests: 20_000 });
    const early = residentBytes(service.pid);
    await bench.load(one, { ...load, requests: 180_000 });
    const late = residentBytes(service.pid);
    add({
      name: 'resident memory after 200,000 invocations',
      unit: 'MB',
      value: [late / MB],
      ratio: [late / early],
      against: '20,000',
      goal: '<= 1.15',
    });
  });
}

async function withService(
  cpus: string,
  more: readonly string[],
  use: (service: CService, echo: Contender) => Promise<void>,
): Promise<void> {
  const service = await startCService(bench, cpus, { more });
  const echo = await startEcho(cpus);
  try {
    await use(service, echo);
  } finally {
    echo.stop();
    await service.stop();
  }
}

type Turn = Readonly<Record<string, Figure>>;

/** Each contender has a round in each turn, after a warm-up. */
async function takeTurns(contenders: Readonly<Record<string, Contender>>, load: LoadOptions): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (let turn = -2; turn < TURNS; turn += 1) {
    const figures: Record<string, Figure> = {};
    for (const [name, contender] of Object.entries(contenders))
      figures[name] = await measure(bench, contender, load, name === 'echo');
    if (turn >= 0) turns.push(figures);
  }
  return turns;
}

async function measure(from: Bench, contender: Contender, load: LoadOptions, isEcho: boolean): Promise<Figure> {
  const before = cpuTimeUs(contender.pid);
  const { paths, ...others } = load;
  const result = await from.load(contender, isEcho || paths === undefined ? others : load);
  const cpu = (cpuTimeUs(contender.pid) - before) / result.requests;
  return { p50: result.p50, rate: result.requests / result.seconds, cpu };
}

function report(
  name: string,
  unit: string,
  turns: readonly Turn[],
  contender: string,
  pick: (figure: Figure) => number,
  against: string,
  goal?: string,
): void {
  const of = (turn: Turn, who: string) => pick(turn[who] as Figure);
  const value = spread(turns.map((turn) => of(turn, contender)));
  const ratio = spread(turns.map((turn) => of(turn, contender) / of(turn, against)));
  add({ name, unit, value, ratio, against, ...(goal && { goal }) });
}

function add(row: Row): void {
  if (rows.length === 0) console.log(line(['', 'minimum', 'median', 'maximum', '', 'ratio (min - max)', 'to', 'goal']));
  rows.push(row);
  const [least = 0, middle = least, most = least] = row.value.map((value) => format(value));
  const ratio = row.ratio?.map((each) => each.toFixed(2)) ?? [];
  const shown = ratio.length > 1 ? `${ratio[1]} (${ratio[0]} - ${ratio[2]})` : (ratio[0] ?? '');
  console.log(
    line([row.name, String(least), String(middle), String(most), row.unit, shown, row.against ?? '', row.goal ?? '']),
  );
}

function format(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toFixed(1);
}

function line([name = '', ...cells]: readonly string[]): string {
  const widths = [10, 10, 10, 8, 22, 12, 8];
  return name.padEnd(50) + cells.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('');
}

function spread(values: readonly number[]): number[] {
  return [0, 0.5, 1].map((share) => percentile(values, share));
}

/** AWS's emulator with the same bootstrap; undefined if its binary is not named. */
async function startRie(cpus: string): Promise<(Contender & { stop(): void }) | undefined> {
  const binary = process.env.LAMELLA_BENCH_RIE;
  if (binary === undefined) return undefined;
  const address = '127.0.0.1:19980';
  const args = ['-c', cpus, binary, '--runtime-interface-emulator-address', address, bench.bootstrap];
  const child = spawn('taskset', args, { stdio: 'ignore' });
  const target = { host: '127.0.0.1', port: 19980, path: '/2015-03-31/functions/function/invocations' };
  const stop = () => void child.kill();
  for (let attempt = 0; ; attempt += 1) {
    try {
      await bench.load(target, { requests: 1, cpus });
      return { ...target, pid: child.pid ?? 0, stop };
    } catch (failure) {
      if (attempt === 50) throw failure;
    }
  }
}
