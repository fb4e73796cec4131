/**
 * A minimal Runtime API for measuring runtimes: it gives one event to one process again and again, and measures the cost.
 * Also builds the PHP layers to measure.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ROOT } from './running-service.ts';

export type Contender = {
  readonly name: string;
  readonly argv: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** A directory that must not exist when the contender starts. */
  readonly leavesBehind?: string;
  /** A file with the ID of a process that leaves the contender's group. It is killed with the contender. */
  readonly pidFile?: string;
};

export type Work = {
  readonly event: string;
  readonly warmUp: number;
  readonly invocations: number;
  readonly taskRoot: string;
};

export type Round = {
  /** From starting the process to its first GET next, and its CPU time until then, with its children's. */
  readonly startMs: number;
  readonly startCpuMs: number;
  /** Of one invocation. */
  readonly wallUs: number;
  readonly cpuUs: number;
  /** From the event's last byte to the response's, the median. */
  readonly latencyUs: number;
  readonly residentKib: number;
};

/** Builds a PHP layer and unpacks it. Returns the command that starts its PHP in place. */
export function layOutPhp(directory: string, name: string, ...options: readonly string[]): readonly string[] {
  const zip = join(directory, `${name}.zip`);
  for (const [program, ...args] of [
    [join(ROOT, 'bin/lamella'), 'layer', 'build', 'php', ...options, '-o', zip],
    ['unzip', '-q', zip, '-d', join(directory, name)],
  ]) {
    const done = spawnSync(program ?? '', args, { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  }
  const ini = join(directory, name, 'bin/php.ini');
  const moved = readFileSync(ini, 'utf8').replace('/opt/lamella/ext', join(directory, name, 'lamella/ext'));
  // Debian's Guzzle is older than PHP 8.4, which reports deprecations.
  writeFileSync(ini, `${moved}error_reporting = E_ALL & ~E_DEPRECATED\n`);
  return [join(directory, name, 'bin/php')];
}

/** Serves a fixed number of invocations to one runtime. */
export async function run({ argv, environment, leavesBehind, pidFile }: Contender, work: Work): Promise<Round> {
  if (leavesBehind !== undefined) rmSync(leavesBehind, { recursive: true, force: true });
  let served = 0;
  let before = { cpu: 0, wall: 0n };
  let start = { ms: 0, cpuMs: 0 };
  let handed = 0n;
  const latencies: number[] = [];
  let child: ChildProcess | undefined;
  let finish: (round: Round) => void = () => undefined;
  const finished = new Promise<Round>((settle) => {
    finish = settle;
  });
  const response = (socket: Socket, isNext: boolean): void => {
    if (!isNext) {
      if (served > work.warmUp) latencies.push(Number(process.hrtime.bigint() - handed) / 1000);
      socket.write(
        'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n',
      );
      return;
    }
    const pid = child?.pid ?? 0;
    if (served === 0) start = { ms: Number(process.hrtime.bigint() - began) / 1e6, cpuMs: treeCpuTimeUs(pid) / 1000 };
    if (served === work.warmUp) before = { cpu: cpuTimeUs(pid), wall: process.hrtime.bigint() };
    if (served === work.warmUp + work.invocations) {
      finish({
        startMs: start.ms,
        startCpuMs: start.cpuMs,
        latencyUs: latencies.sort((a, b) => a - b)[latencies.length >> 1] ?? Number.NaN,
        cpuUs: (cpuTimeUs(pid) - before.cpu) / Math.max(1, work.invocations),
        wallUs: Number(process.hrtime.bigint() - before.wall) / 1000 / Math.max(1, work.invocations),
        residentKib: Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
      });
      return;
    }
    served += 1;
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-${String(served).padStart(12, '0')}\r\nLambda-Runtime-Deadline-Ms: ${Date.now() + 60_000}\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:hello\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=${String(served).padStart(16, '0')};Sampled=0\r\nContent-Length: ${Buffer.byteLength(work.event)}\r\n\r\n${work.event}`,
    );
    handed = process.hrtime.bigint();
  };
  const server = createServer({ noDelay: true }, (socket) => serve(socket, response));
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const [command = '', ...args] = argv;
  const began = process.hrtime.bigint();
  child = spawn(command, args, {
    // Its own process group, to be killed with everything that it has started.
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      LAMBDA_TASK_ROOT: work.taskRoot,
      AWS_LAMBDA_FUNCTION_NAME: 'hello',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      _HANDLER: 'index.php',
      PATH: '/usr/bin:/bin',
      ...environment,
    },
  });
  const died = new Promise<never>((_, fail) => {
    child?.once('exit', (code) => fail(new Error(`${argv.at(-1)} ended with ${code}`)));
  });
  try {
    return await Promise.race([finished, died]);
  } finally {
    died.catch(() => undefined);
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    if (pidFile !== undefined && existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
    server.close();
  }
}

/** Reads the requests that have arrived on a connection. */
function serve(socket: Socket, response: (socket: Socket, isNext: boolean) => void): void {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  socket.on('data', (piece) => {
    text += piece;
    for (;;) {
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length:\s*(\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      const isNext = text.startsWith('GET');
      text = text.slice(end + 4 + length);
      response(socket, isNext);
    }
  });
}

/** The CPU time that a process has used, user and system, all threads; undefined when it is gone. */
function cpuTimeUs(pid: number): number {
  return Number(readProc(`${pid}/schedstat`).split(' ')[0]) / 1000;
}

/** The same for a process with its running children and those that it has waited for. */
function treeCpuTimeUs(pid: number): number {
  const TICK_US = 10_000;
  const fields = readProc(`${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
  const waitedFor = (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * TICK_US;
  const children = readProc(`${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean);
  return cpuTimeUs(pid) + waitedFor + children.reduce((sum, child) => sum + treeCpuTimeUs(Number(child)), 0);
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
