/**
 * Ten functions with five versions each compared with ten thousand, in one run, side by side: the time of a list, a look-up
 * and a warm invocation for the client, the CPU time of an invocation in the service, its memory, and the time to restart on
 * its data directory. Functions are created through the API from two tiny archives in turn.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { writeZip } from '../src/packaging/zip-writer.ts';
import { percentile, ROOT } from './running-service.ts';

const VERSIONS = 5;
const COUNTS = [10, 10_000] as const;
const SAMPLES = 1000;
const MAKERS = 4;
/** Clock ticks of /proc per second: fixed for user space on Linux. */
const TICKS_PER_SECOND = 100;

type HttpResponse = { readonly status: number; readonly body: Buffer };

class Service {
  readonly count: number;
  readonly directory = mkdtempSync(join(tmpdir(), 'lamella-many-'));
  readonly agent = new Agent({ keepAlive: true, maxSockets: MAKERS });
  #child: ChildProcess | undefined;
  #url = '';

  constructor(count: number) {
    this.count = count;
  }

  /** Resolves with the milliseconds until the service accepted connections. */
  async start(): Promise<number> {
    const began = performance.now();
    const words = [
      'start',
      '--port',
      '0',
      '--data-dir',
      join(this.directory, 'data'),
      '--json',
      '--log-level',
      'error',
    ];
    const child = spawn(join(ROOT, 'bin', 'lamella'), words, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const line = await new Promise<string>((settle) => createInterface({ input: child.stdout }).once('line', settle));
    this.#url = (JSON.parse(line) as { lambda: string }).lambda;
    return performance.now() - began;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise<void>((settle) => child.once('exit', () => settle()));
    child.kill('SIGTERM');
    await ended;
  }

  /** CPU seconds that the service itself has used, without its functions. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child?.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Resident memory of the service itself, in MiB. */
  memoryMib(): number {
    const text = readFileSync(`/proc/${this.#child?.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
  }

  async call(method: string, path: string, body?: unknown): Promise<HttpResponse> {
    const response = await this.#send(method, path, body === undefined ? '' : JSON.stringify(body));
    if (response.status >= 300) throw new Error(`${method} ${path}: ${response.status} ${response.body}`);
    return response;
  }

  #send(method: string, path: string, body: string): Promise<HttpResponse> {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    return new Promise((settle, fail) => {
      const call = request(new URL(path, this.#url), { method, agent: this.agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => settle({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      });
      call.on('error', fail);
      call.end(body);
    });
  }
}

const archives = await twoArchives();
const services = COUNTS.map((count) => new Service(count));
try {
  const rows: Record<string, string[]> = {};
  const note = (name: string, value: number, unit: string) => {
    rows[name] = [...(rows[name] ?? []), `${value.toFixed(unit === 'MiB' ? 0 : 2)} ${unit}`];
  };
  for (const service of services) {
    await service.start();
    const { perCall, last } = await fill(service);
    note('create and publish, per call', perCall, 'ms');
    note('the last 50 functions, per call', last, 'ms');
    await service.stop();
  }
  for (const service of services) {
    const starts: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      if (round > 0) await service.stop();
      starts.push(await service.start());
    }
    note('start over the directory', percentile(starts, 0.5), 'ms');
    await service.call('GET', '/2015-03-31/functions/f-00000');
    note('memory after the start', service.memoryMib(), 'MiB');
  }
  const middles = await Promise.all(services.map((service) => middleMarker(service)));
  await compare('list, first page of 10', () => '/2015-03-31/functions/?MaxItems=10');
  await compare('list, a page in the middle', (_service, at) => `/2015-03-31/functions/?MaxItems=5${middles[at]}`);
  await compare('list all versions, first page', () => '/2015-03-31/functions/?FunctionVersion=ALL&MaxItems=10');
  await compare('get, any function', (service) => `/2015-03-31/functions/${any(service)}`);
  await compare('get, version 3 of any', (service) => `/2015-03-31/functions/${any(service)}?Qualifier=3`);
  await compare('settings of the account', () => '/2016-08-19/account-settings/', 'GET', 50);
  await compare('versions of any', (service) => `/2015-03-31/functions/${any(service)}/versions`);
  for (const service of services) {
    for (let index = 0; index < service.count; index += 1)
      await service.call('GET', `/2015-03-31/functions/${nameOf(index)}`);
    note('memory after every function was read', service.memoryMib(), 'MiB');
  }
  const invocation = '/2015-03-31/functions/f-00005:5/invocations';
  for (const service of services) for (let i = 0; i < 200; i += 1) await service.call('POST', invocation, { n: i });
  const before = services.map((service) => service.cpuSeconds());
  await compare('warm invocation of a version', () => invocation, 'POST', 3 * SAMPLES);
  for (const [at, service] of services.entries()) {
    const used = service.cpuSeconds() - (before[at] ?? 0);
    note("the service's CPU per warm invocation", (used / (3 * SAMPLES)) * 1e6, 'µs');
  }
  console.log(`${''.padEnd(44)}${COUNTS.map((count) => `${count} functions`.padStart(18)).join('')}`);
  for (const [name, values] of Object.entries(rows)) {
    console.log(`${name.padEnd(44)}${values.map((value) => value.padStart(18)).join('')}`);
  }

  /** Alternates between the services and notes the median of each. */
  async function compare(
    name: string,
    pathOf: (service: Service, at: number) => string,
    method = 'GET',
    samples = SAMPLES,
  ): Promise<void> {
    const times: number[][] = services.map(() => []);
    for (let round = 0; round < samples; round += 1) {
      for (const [at, service] of services.entries()) {
        const path = pathOf(service, at);
        const began = performance.now();
        await service.call(method, path, method === 'POST' ? { n: round } : undefined);
        times[at]?.push(performance.now() - began);
      }
    }
    for (const [at] of services.entries()) note(`${name}, p50`, percentile(times[at] ?? [], 0.5), 'ms');
  }
} finally {
  for (const service of services) {
    await service.stop();
    service.agent.destroy();
    rmSync(service.directory, { recursive: true, force: true });
  }
}

/** Creates the functions, some at a time. Resolves with the milliseconds per call: of all, and of the last functions. */
async function fill(service: Service): Promise<{ readonly perCall: number; readonly last: number }> {
  const times: number[] = [];
  let next = 0;
  const make = async () => {
    for (let index = next++; index < service.count; index = next++) {
      const name = nameOf(index);
      const began = performance.now();
      await service.call('POST', '/2015-03-31/functions', {
        FunctionName: name,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: 'arn:aws:iam::123456789012:role/any',
        Code: { ZipFile: archives[1] },
        Publish: true,
      });
      for (let version = 2; version <= VERSIONS; version += 1) {
        const code = { ZipFile: archives[version % 2], Publish: true };
        await service.call('PUT', `/2015-03-31/functions/${name}/code`, code);
      }
      times.push((performance.now() - began) / VERSIONS);
    }
  };
  await Promise.all(Array.from({ length: MAKERS }, make));
  return { perCall: percentile(times, 0.5), last: percentile(times.slice(-50), 0.5) };
}

/** The query parameter of the page of 5 in the middle of the list. */
async function middleMarker(service: Service): Promise<string> {
  let marker = '';
  const step = Math.min(50, service.count / 2);
  for (let passed = 0; passed < service.count / 2; passed += step) {
    const { body } = await service.call('GET', `/2015-03-31/functions/?MaxItems=${step}${marker}`);
    marker = `&Marker=${encodeURIComponent((JSON.parse(body.toString()) as { NextMarker: string }).NextMarker)}`;
  }
  return marker;
}

function any(service: Service): string {
  return nameOf(Math.floor(Math.random() * service.count));
}

function nameOf(index: number): string {
  return `f-${String(index).padStart(5, '0')}`;
}

/** As base64: two functions that differ, so that each upload is a new version. */
async function twoArchives(): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-many-zips-'));
  const made: string[] = [];
  for (const response of [0, 1]) {
    const path = join(directory, `${response}.zip`);
    const bytes = Buffer.from(`exports.handler = async () => ${response};\n`);
    await writeZip(path, [{ path: 'index.js', mode: 0o644, content: { kind: 'bytes', bytes } }]);
    made.push(readFileSync(path).toString('base64'));
  }
  rmSync(directory, { recursive: true });
  return made;
}
