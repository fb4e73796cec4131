/**
 * System calls of the running service that fail, by `strace --inject`: errors of the disk (EIO), of forks (EAGAIN) and of
 * sockets, at every edge. Requests fail with an error, acknowledged work stays, and the service works again afterwards.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, type StartedService, startLamella } from '../support/built-cli.ts';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { requirePackages } from '../support/system-packages.ts';
import { until } from '../support/until.ts';

requirePackages('strace');

const ACCOUNT = '123456789012';
const ROUNDS = 12;

let directory: string;
let service: StartedService;
let zip: Buffer;
let count = 0;
/** Work that the service has acknowledged. */
const functions: string[] = [];
const messages: string[] = [];
const QUEUE_JSON = { 'content-type': 'application/x-amz-json-1.0' };

beforeAll(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-faults-'));
  zip = await zipOf({ bootstrap: shellRuntime('echo a line; respond 1') });
  await start();
  expect((await sqs('CreateQueue', { QueueName: 'q' })).status).toBe(200);
}, 120_000);
afterAll(async () => {
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function start(): Promise<void> {
  service = await startLamella(['--data-dir', join(directory, 'data'), '--http-port', '0', '--idle-seconds', '1']);
}

type Answer = { readonly status: number; readonly text: string };

async function request(path: string, init: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(`${service.url}${path}`, { ...init, signal: AbortSignal.timeout(60_000) });
    return { status: response.status, text: await response.text() };
  } catch (failure) {
    return { status: 0, text: String(failure) };
  }
}

const sqs = (operation: string, input: object): Promise<Answer> =>
  request('/', {
    method: 'POST',
    headers: { ...QUEUE_JSON, 'x-amz-target': `AmazonSQS.${operation}` },
    body: JSON.stringify(input),
  });

const invoke = (name: string): Promise<Answer> =>
  request(`/2015-03-31/functions/${name}/invocations`, { method: 'POST', body: '{}' });

/** Creates a function, sends a message and invokes a function. Returns the refusals. */
async function work(): Promise<Answer[]> {
  count += 1;
  const name = `f${count}`;
  const body = {
    FunctionName: name,
    Runtime: 'provided.al2023',
    Handler: 'h',
    Role: `arn:aws:iam::${ACCOUNT}:role/any`,
    Timeout: 20,
    Code: { ZipFile: zip.toString('base64') },
  };
  const created = await request('/2015-03-31/functions', { method: 'POST', body: JSON.stringify(body) });
  if (created.status === 201) functions.push(name);
  const MessageBody = `m${count}`;
  const sent = await sqs('SendMessage', { QueueUrl: `${service.url}/${ACCOUNT}/q`, MessageBody });
  if (sent.status === 200) messages.push(MessageBody);
  // A cold start.
  const invoked = functions.length > 0 ? await invoke(functions.at(-1) ?? '') : { status: 200, text: '' };
  return [created, sent, invoked].filter(({ status }) => status < 200 || status > 299);
}

/** Attaches strace to every thread of the service, but not to its children, while `action` runs. */
async function withFaults(calls: string, injection: string, action: () => Promise<void>): Promise<number> {
  count += 1;
  const log = join(directory, `strace-${count}`);
  const threads = readdirSync(`/proc/${service.pid}/task`);
  const attach = threads.flatMap((thread) => ['-p', thread]);
  const args = ['-q', '-o', log, '-e', `trace=${calls}`, '-e', `inject=${calls}:${injection}`, ...attach];
  const strace = spawn('strace', args, { stdio: 'inherit' });
  const ended = new Promise((resolve) => strace.once('close', resolve));
  const isTraced = (thread: string) =>
    !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${service.pid}/task/${thread}/status`, 'utf8'));
  await until(() => threads.every(isTraced), 20);
  try {
    await action();
  } finally {
    strace.kill('SIGINT');
    await ended;
  }
  return readFileSync(log, 'utf8').split('(INJECTED)').length - 1;
}

/** What was acknowledged is there, and new work succeeds. */
async function expectRecovered(): Promise<void> {
  await until(async () => (await work()).length === 0, 60);
  const found = await Promise.all(functions.map((name) => request(`/2015-03-31/functions/${name}`, {})));
  expect(functions.filter((_, index) => found[index]?.status !== 200)).toEqual([]);
}

describe('system calls that fail', () => {
  it.each<[string, string, string, RegExp]>([
    ['writes of files', 'pwrite64', 'error=EIO:when=2+3', /disk I.O error|InternalFailure/],
    ['opening files', 'openat', 'error=EIO:when=3+5', /EIO: i.o error|bubblewrap failed/],
    // Not `read`: Node itself ends when it cannot read its own event descriptors.
    ['reads of files', 'pread64', 'error=EIO:when=3+5', /disk I.O error|InternalFailure/],
    [
      'making directories and renaming',
      '?mkdir,mkdirat,?rename,renameat,renameat2',
      'error=EIO:when=1+2',
      /The disk or the kernel failed/,
    ],
    ['forks', '?fork,?vfork,clone,clone3', 'error=EAGAIN:when=1+2', /Cannot start another process/],
    ['pipes and sockets', 'pipe2,socketpair,socket', 'error=EMFILE:when=1+2', /Too many open files/],
    ['accepting connections', 'accept4', 'error=ENOBUFS:when=2+3', /never/],
    ['writes to sockets', 'sendmsg,writev', 'error=EIO:when=1+3', /never/],
  ])('(%s) end no more than their request', { timeout: 200_000 }, async (name, calls, injection, named) => {
    const refusals: Answer[] = [];
    const injected = await withFaults(calls, injection, async () => {
      for (let round = 0; round < ROUNDS; round += 1) refusals.push(...(await work()));
    });
    expect(injected).toBeGreaterThan(0);
    for (const { status, text } of refusals) {
      // A connection that breaks has no response.
      if (status === 0 && name.includes('socket')) continue;
      expect([status, text]).toEqual([500, expect.stringMatching(named)]);
    }
    await expectRecovered();
  });

  it('lose no acknowledged work, also when the service is killed', { timeout: 120_000 }, async () => {
    await service.stop('SIGKILL');
    await start();
    await expectRecovered();
    const found = new Set<string>();
    for (;;) {
      const { text } = await sqs('ReceiveMessage', {
        QueueUrl: `${service.url}/${ACCOUNT}/q`,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 600,
      });
      const received = (JSON.parse(text) as { Messages?: { Body: string }[] }).Messages ?? [];
      if (received.length === 0) break;
      for (const { Body } of received) found.add(Body);
    }
    expect(messages.filter((body) => !found.has(body))).toEqual([]);
  });
});
