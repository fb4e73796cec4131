/**
 * A soak test: thousands of invocations, of which one in a hundred crashes, times out or runs out of memory. At the end
 * nothing may be left: no process, mount, control group, loop device, descriptor or directory, and the service's memory is
 * flat. `node scripts/run.mjs bench soak [invocations]` exits with 1 if something leaked.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CreateFunctionCommand, LambdaClient, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { ZipFile } from 'yazl';
import { ROOT } from './running-service.ts';

const INVOCATIONS = Number(process.argv[2] ?? 20_000);
const PARALLEL = 8;

const BOOTSTRAP = `#!/usr/bin/python3
import http.client, json, os, signal, time
api = os.environ['AWS_LAMBDA_RUNTIME_API']
connection = http.client.HTTPConnection(api)
while True:
    connection.request('GET', '/2018-06-01/runtime/invocation/next')
    event = connection.getresponse()
    what = json.loads(event.read())
    request_id = event.headers['Lambda-Runtime-Aws-Request-Id']
    if what == 'crash': os.kill(os.getpid(), signal.SIGSEGV)
    if what == 'exit': os._exit(7)
    if what == 'timeout': time.sleep(60)
    if what == 'memory':
        held = bytearray(300 << 20)
        held[::4096] = b'1' * len(held[::4096])
    if what == 'orphan' and os.fork() == 0: time.sleep(3600)
    connection.request('POST', f'/2018-06-01/runtime/invocation/{request_id}/response', json.dumps(what))
    connection.getresponse().read()
`;

const EXPECTED = new Set([
  'fine -> 200',
  'orphan -> 200',
  'crash -> Runtime.ExitError',
  'exit -> Runtime.ExitError',
  'timeout -> Sandbox.Timedout',
  'memory -> Runtime.OutOfMemory',
]);

const directory = mkdtempSync(join(tmpdir(), 'lamella-soak-'));
const service = spawn(
  join(ROOT, 'bin/lamella'),
  [
    'start',
    '--port',
    '0',
    '--data-dir',
    join(directory, 'data'),
    '--json',
    '--cpu',
    'unlimited',
    '--idle-seconds',
    '1',
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const pid = service.pid ?? 0;
const ended = new Promise<void>((settle) => service.once('exit', () => settle()));
const line = await new Promise<string>((settle) => createInterface({ input: service.stdout }).once('line', settle));
const { lambda: endpoint } = JSON.parse(line) as { lambda: string };
const lambda = new LambdaClient({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 's', secretAccessKey: 's' },
});
await lambda.send(
  new CreateFunctionCommand({
    FunctionName: 'soak',
    Handler: 'any',
    Runtime: 'provided.al2023',
    Role: 'arn:aws:iam::123456789012:role/any',
    MemorySize: 128,
    // Enough for a second initialization inside the invocation on a busy machine.
    Timeout: 3,
    Code: { ZipFile: await zipOf(BOOTSTRAP) },
  }),
);
await waitUntilFunctionActiveV2(
  { client: lambda, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.2 },
  { FunctionName: 'soak' },
);

const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });
const url = new URL(`${endpoint}/2015-03-31/functions/soak/invocations`);
const outcomes = new Map<string, number>();
const memory: number[] = [];
const startedAt = performance.now();
let sent = 0;
await Promise.all(Array.from({ length: PARALLEL }, client));

/** One client: sends the next invocation as soon as its previous one has ended. */
async function client(): Promise<void> {
  while (sent < INVOCATIONS) {
    sent += 1;
    if (sent % Math.ceil(INVOCATIONS / 20) === 0) memory.push(residentMb(pid));
    // One in a hundred fails, each way in turn. Some leave orphan processes.
    const kinds = ['crash', 'timeout', 'memory', 'exit'];
    const what =
      sent % 100 === 0 ? (kinds[(sent / 100) % kinds.length] ?? 'fine') : sent % 333 === 0 ? 'orphan' : 'fine';
    const outcome = await invoke(JSON.stringify(what));
    const key = `${what} -> ${outcome}`;
    outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
  }
}

const seconds = (performance.now() - startedAt) / 1000;
agent.destroy();
// Idle environments spin down after a second. Then only what belongs to the service itself is left.
const functions = () => descendants(pid).filter((child) => commandOf(child).includes('python3')).length;
const isAtRest = () => functions() === 0 && listenersOfEnvironments() === 0;
for (let second = 0; second < 30 && !isAtRest(); second++) await new Promise((settle) => setTimeout(settle, 1000));
const left = {
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
  sandboxes: functions(),
  listeners: listenersOfEnvironments(),
};
service.kill('SIGTERM');
await ended;
const after = {
  processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name) && rootOf(name).includes(directory)).length,
  mounts: readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((row) => row.includes(directory)).length,
  controlGroups: controlGroups(pid),
  loopDevices: loopDevices(),
  directories: readdirSync(join(directory, 'data'))
    .filter((name) => name === 'run')
    .flatMap((name) => readdirSync(join(directory, 'data', name), { recursive: true, encoding: 'utf8' })).length,
};
rmSync(directory, { recursive: true, force: true });

console.log(`${INVOCATIONS} invocations by ${PARALLEL} clients in ${seconds.toFixed(0)} s`);
for (const [key, count] of [...outcomes].sort()) console.log(`  ${key}: ${count}`);
console.log(`memory of the service over time (MB): ${memory.map((mb) => mb.toFixed(0)).join(' ')}`);
console.log('with no environment left:', JSON.stringify(left));
console.log('after the service has ended:', JSON.stringify(after));
const isFlat = Math.max(...memory.slice(-5)) <= 1.3 * Math.max(...memory.slice(4, 9));
const isClean = left.sandboxes === 0 && left.listeners === 0 && Object.values(after).every((count) => count === 0);
const isRight = [...outcomes.keys()].every((key) => EXPECTED.has(key));
console.log(isFlat && isClean && isRight ? 'nothing leaked' : 'SOMETHING LEAKED OR WENT WRONG');
process.exit(isFlat && isClean && isRight ? 0 : 1);

function invoke(body: string): Promise<string> {
  return new Promise((settle, reject) => {
    const call = request(url, { method: 'POST', agent, headers: { 'content-length': body.length } }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        const error = response.headers['x-amz-function-error'];
        settle(error ? String((JSON.parse(text) as { errorType: string }).errorType) : `${response.statusCode}`);
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function residentMb(of: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${of}/status`, 'latin1'))?.[1]) / 1024;
}

function descendants(of: number): string[] {
  const children = readFileSync(`/proc/${of}/task/${of}/children`, 'latin1').trim().split(' ').filter(Boolean);
  return children.flatMap((child) => [child, ...descendants(Number(child))]);
}

function commandOf(process: string): string {
  try {
    return readFileSync(`/proc/${process}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** The mounts of a process, if it is in one of our sandboxes. */
function rootOf(process: string): string {
  try {
    return `${readlinkSync(`/proc/${process}/cwd`)} ${readFileSync(`/proc/${process}/mountinfo`, 'latin1')}`;
  } catch {
    return '';
  }
}

function controlGroups(of: number): number {
  const found = readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' });
  return found.filter((path) => new RegExp(`lamella-\\d+-${of}-`).test(path)).length;
}

/** The service's listening sockets on port 9001: one per environment. */
function listenersOfEnvironments(): number {
  const sockets = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)));
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((row) => /^ *\d+: [0-9A-F]{8}:2329 \S+ 0A (?:\S+ +){5}(\d+)/.exec(row)?.[1])
    .filter((inode) => sockets.has(`socket:[${inode}]`)).length;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Devices whose file is in our directory, also when the file has been deleted. */
function loopDevices(): number {
  return readdirSync('/sys/block').filter((name) => {
    try {
      return readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}

function zipOf(bootstrap: string): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(bootstrap), 'bootstrap', { mode: 0o100755 });
  zip.end();
  return new Promise((settle) => {
    const chunks: Buffer[] = [];
    zip.outputStream.on('data', (chunk: Buffer) => chunks.push(chunk));
    zip.outputStream.once('end', () => settle(Buffer.concat(chunks)));
  });
}
