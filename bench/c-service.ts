/** A service with C functions, the C client that loads it, and the CPU time that each process uses. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  CreateFunctionCommand,
  LambdaClient,
  PutFunctionConcurrencyCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { writeZip } from '../src/packaging/zip-writer.ts';
import { ROOT } from './running-service.ts';

/** One vCPU on AWS, so that no quota slows the function. */
const MEMORY_MB = 1769;

export type Load = {
  readonly seconds: number;
  readonly requests: number;
  readonly errors: number;
  readonly throttled: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly pathP99: readonly number[];
};

export type Target = {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Defaults to host and port. */
  readonly hostHeader?: string;
};

export type Bench = {
  readonly directory: string;
  /** The bootstrap of `runtime-client.c`. */
  readonly bootstrap: string;
  /** Runs the load on these CPUs. */
  load(target: Target, load: LoadOptions): Promise<Load>;
  close(): void;
};

export type LoadOptions = {
  readonly requests: number;
  readonly connections?: number;
  readonly bodyBytes?: number;
  /** Paths instead of the target's, one for each connection in turn. */
  readonly paths?: readonly string[];
  /** A list for `taskset`. */
  readonly cpus: string;
};

/** The size of a small event. */
const EVENT_BYTES = 15;

/** Compiles the programs. The caller closes it. */
export function openBench(): Bench {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-bench-'));
  const compile = (name: string) => {
    const program = join(directory, name);
    const { status } = spawnSync('cc', ['-O2', '-o', program, join(ROOT, `bench/${name}.c`)], { stdio: 'inherit' });
    if (status !== 0) throw new Error(`cannot compile bench/${name}.c: install gcc and libc6-dev`);
    return program;
  };
  const client = compile('load');
  return {
    directory,
    bootstrap: compile('runtime-client'),
    async load(
      { host, port, path, hostHeader = `${host}:${port}` },
      { requests, connections = 1, bodyBytes = EVENT_BYTES, paths = [path], cpus },
    ) {
      const numbers = [host, port, hostHeader, connections, requests, bodyBytes].map(String);
      const text = await output('taskset', ['-c', cpus, client, ...numbers, ...paths]);
      const result = JSON.parse(text) as Load;
      if (result.errors > 0) throw new Error(`${result.errors} of ${result.requests} requests to ${paths[0]} failed`);
      return result;
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${command} ended with ${code}`))));
  });
}

export type CService = Target & {
  readonly pid: number;
  readonly url: string;
  /** Where the HTTP gateways are. */
  readonly http: Target;
  readonly client: LambdaClient;
  /** Creates a function whose bootstrap is this file, and waits until it can be invoked. Returns the path of Invoke. */
  createFunction(name: string, bootstrap: string, options?: FunctionOptions): Promise<string>;
  /** Sends a message to the process and resolves with its answer. Only with a `program`. */
  ask(message: string): Promise<unknown>;
  stop(): Promise<void>;
};

export type FunctionOptions = {
  readonly variables?: Readonly<Record<string, string>>;
  readonly reserved?: number;
};

export type StartOptions = {
  /** More arguments of `lamella start`. */
  readonly more?: readonly string[];
  /** Options of its Node process. */
  readonly nodeOptions?: readonly string[];
  /** A program to run instead of `lamella start`, with its arguments. It gets a channel for messages. */
  readonly program?: readonly string[];
  /** The checkout that is measured. */
  readonly root?: string;
};

/** Starts a service on these CPUs with an empty data directory, without the lines that tell of invocations. */
export async function startCService(
  bench: Bench,
  cpus: string,
  { more = [], nodeOptions = [], program, root = ROOT }: StartOptions = {},
): Promise<CService> {
  const start = ['start', '--port', '0', '--http-port', '0', '--ephemeral', '--json', '--quiet', ...more];
  const command = [process.execPath, ...nodeOptions, ...(program ?? [join(root, 'bin', 'lamella'), ...start])];
  const child = spawn('taskset', ['-c', cpus, ...command], {
    stdio: ['ignore', 'pipe', 'inherit', program ? 'ipc' : 'ignore'],
  });
  const ended = new Promise<void>((settle) => child.once('exit', () => settle()));
  const { stdout } = child;
  if (stdout === null) throw new Error('the service has no output');
  const line = await new Promise<string>((settle) => createInterface({ input: stdout }).once('line', settle));
  const { lambda: url, http } = JSON.parse(line) as { lambda: string; http: string };
  const credentials = { accessKeyId: 'b', secretAccessKey: 'b' };
  const client = new LambdaClient({ endpoint: url, region: 'us-east-1', credentials });
  return {
    ...targetOf(url),
    http: targetOf(http),
    pid: child.pid ?? 0,
    url,
    client,
    async createFunction(name, bootstrap, { variables, reserved } = {}) {
      const zip = join(bench.directory, `${name}.zip`);
      await writeZip(zip, [{ path: 'bootstrap', mode: 0o755, content: { kind: 'file', source: bootstrap } }]);
      await client.send(
        new CreateFunctionCommand({
          FunctionName: name,
          Handler: 'any',
          Runtime: 'provided.al2023',
          Role: 'arn:aws:iam::123456789012:role/any',
          MemorySize: MEMORY_MB,
          Code: { ZipFile: readFileSync(zip) },
          ...(variables && { Environment: { Variables: variables } }),
        }),
      );
      await waitUntilFunctionActiveV2(
        { client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.2 },
        { FunctionName: name },
      );
      if (reserved !== undefined) {
        await client.send(
          new PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions: reserved }),
        );
      }
      return `/2015-03-31/functions/${name}/invocations`;
    },
    ask: (message) =>
      new Promise((resolve, reject) => {
        child.once('message', resolve);
        child.send(message, (failure) => failure && reject(failure));
      }),
    async stop() {
      client.destroy();
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function targetOf(url: string): Target {
  const { hostname, port, pathname } = new URL(url);
  return { host: hostname, port: Number(port), path: pathname };
}

const ECHO = `require('node:http').createServer((q, r) => { const c = []; q.on('data', (d) => c.push(d));
  q.on('end', () => { const b = Buffer.concat(c); r.writeHead(200, { 'content-length': b.length }).end(b); }); })
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

/** Starts the reference: a server of `node:http` that returns the request's body. */
export async function startEcho(cpus: string): Promise<Target & { readonly pid: number; stop(): void }> {
  const child = spawn('taskset', ['-c', cpus, process.execPath, '-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<string>((settle) => createInterface({ input: child.stdout }).once('line', settle));
  return { host: '127.0.0.1', port: Number(port), path: '/', pid: child.pid ?? 0, stop: () => void child.kill() };
}

/** CPU time of all threads of a process, in microseconds, as the scheduler counts it. */
export function cpuTimeUs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]) / 1000;
    } catch {
      return sum; // The thread has ended.
    }
  }, 0);
}

/** The resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024;
}
