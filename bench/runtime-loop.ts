/**
 * The cost of the TypeScript runtime compared with AWS's own client for Node.js, alternating in one run on one CPU: from
 * starting the process to its first GET next, and the CPU time (user and system, all threads) of one warm invocation. The
 * bare loop is the minimum in Node.js: a socket, two fixed requests, no JSON.
 *
 * AWS's client is built by npm's install scripts, so it is not a dependency: give its directory.
 *   RIC=/path/to/node_modules/aws-lambda-ric npm run bench runtime-loop
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { headLine, ROOT, resultLine } from './running-service.ts';

const ROUNDS = 9;
const WARM_UP = 500;
const INVOCATIONS = 5000;
const EVENT = '{"name":"World"}';
const ACCEPTED = '{"status":"OK"}\n';

const BARE_LOOP = `
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
  const base = '/2018-06-01/runtime/invocation/';
  const next = 'GET ' + base + 'next HTTP/1.1\\r\\nHost: ' + host + '\\r\\n\\r\\n';
  let isPolling = true;
  const socket = require('node:net').connect({ host, port, noDelay: true, onread: {
    buffer: Buffer.alloc(65536),
    callback(count, buffer) {
      if (isPolling) {
        const text = buffer.toString('latin1', 0, count);
        const id = text.slice(text.indexOf('Request-Id: ') + 12, text.indexOf('Request-Id: ') + 48);
        const body = text.slice(text.indexOf('\\r\\n\\r\\n') + 4);
        const head = ' HTTP/1.1\\r\\nHost: ' + host + '\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n';
        socket.write('POST ' + base + id + '/response' + head + body, 'latin1');
      } else socket.write(next, 'latin1');
      isPolling = !isPolling;
      return true;
    },
  } });
  socket.write(next, 'latin1');`;

type Contender = { readonly name: string; readonly args: readonly string[] };
type Round = { readonly startMs: number; readonly cpuUs: number };

const directory = mkdtempSync(join(tmpdir(), 'lamella-runtime-loop-'));
try {
  writeFileSync(join(directory, 'index.js'), 'exports.handler = async (event) => event;\n');
  writeFileSync(join(directory, 'bare.cjs'), BARE_LOOP);
  const ric = process.env.RIC;
  const contenders: Contender[] = [
    { name: 'the least that Node can do', args: [join(directory, 'bare.cjs')] },
    { name: 'runtimes/typescript', args: [join(ROOT, 'dist/runtimes/typescript/main.cjs')] },
    ...(ric ? [{ name: `aws-lambda-ric ${versionOf(ric)}`, args: [join(ric, entryOf(ric)), 'index.handler'] }] : []),
  ];
  const rounds = new Map<Contender, Round[]>(contenders.map((each) => [each, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const contender of contenders) {
      const measured = await run(contender.args);
      // The first round fills the page cache.
      if (round > 0) rounds.get(contender)?.push(measured);
    }
  }
  console.log(headLine());
  const [bare = []] = rounds.values();
  for (const [{ name }, each] of rounds) {
    const values = (pick: (round: Round) => number) => [each.map(pick), bare.map(pick)] as const;
    const [starts, bareStarts] = values(({ startMs }) => startMs);
    const [costs, bareCosts] = values(({ cpuUs }) => cpuUs);
    console.log(resultLine(`${name}: start to first next`, starts, 'ms', bareStarts));
    console.log(resultLine(`${name}: CPU of an invocation`, costs, 'µs', bareCosts));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function run(args: readonly string[]): Promise<Round> {
  let served = 0;
  let startMs = 0;
  let cpuBefore = 0;
  let finish: (cpuUs: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      request.resume().once('end', () => response.writeHead(202, { 'Content-Length': ACCEPTED.length }).end(ACCEPTED));
      return;
    }
    if (served === 0) startMs = Number(process.hrtime.bigint() - began) / 1_000_000;
    if (served === WARM_UP) cpuBefore = cpuTimeUs(pid);
    if (served === WARM_UP + INVOCATIONS) {
      finish((cpuTimeUs(pid) - cpuBefore) / INVOCATIONS);
      return;
    }
    served += 1;
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Lambda-Runtime-Aws-Request-Id': `00000000-0000-4000-8000-${String(served).padStart(12, '0')}`,
      'Lambda-Runtime-Deadline-Ms': Date.now() + 3000,
      'Lambda-Runtime-Invoked-Function-Arn': 'arn:aws:lambda:us-east-1:123456789012:function:hello',
      'Lambda-Runtime-Trace-Id': `Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=${String(served).padStart(16, '0')}`,
      'Content-Length': EVENT.length,
    });
    response.end(EVENT);
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const began = process.hrtime.bigint();
  const child = spawn(process.execPath, args, {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      _HANDLER: 'index.handler',
      LAMBDA_TASK_ROOT: directory,
      AWS_LAMBDA_FUNCTION_NAME: 'hello',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/hello',
      AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
    },
  });
  const pid = child.pid ?? 0;
  const cpuUs = await finished;
  child.kill('SIGKILL');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  return { startMs, cpuUs };
}

/** Of all threads: AWS's client waits in a separate one. */
function cpuTimeUs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => {
    return sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]) / 1000;
  }, 0);
}

function versionOf(ric: string): string {
  return JSON.parse(readFileSync(join(ric, 'package.json'), 'utf8')).version;
}

function entryOf(ric: string): string {
  const { bin } = JSON.parse(readFileSync(join(ric, 'package.json'), 'utf8'));
  return bin['aws-lambda-ric'];
}
