/**
 * The cases also run against a foreign Runtime API. This test uses a program that starts runtimes as AWS's emulator does, so
 * that every test run covers this path. For the emulator itself see docs/conformance.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { bundleForChild } from '../support/bundle-for-child.ts';
import { startForeign } from '../support/foreign-runtime-api.ts';
import { CASES } from './cases.ts';
import { prepareRuntimes, type Runtime } from './runtimes.ts';

/** `program API INVOKE BOOTSTRAP...`: serves both APIs and starts the bootstrap with the first event. */
const PROGRAM = `
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { startRuntimeApi } from './runtime-api/server.ts';
import { RuntimeSession } from './runtime-api/session.ts';

const [api = '', invoke = '', program = '', ...args] = process.argv.slice(2);
const [host = '', port = ''] = api.split(':');
let answer: (payload: Buffer) => void = () => {};
let isReady: () => void = () => {};
let ready: Promise<void>;
const awaitPoll = () => { ready = new Promise<void>((resolve) => { isReady = resolve; }); };
awaitPoll();
const session = new RuntimeSession((event) => {
  if (event.kind === 'runtime-ready') isReady();
  if (event.kind !== 'responded') return;
  awaitPoll();
  answer('payload' in event.response ? event.response.payload : Buffer.alloc(0));
});
const metadata = { accountId: '', functionName: '', functionVersion: '', handler: '' };
await startRuntimeApi({ session, metadata, host, port: Number(port), onFailure: console.error });
let isStarted = false;
const start = () => {
  isStarted = true;
  spawn(program, args, { stdio: 'inherit', env: { ...process.env, AWS_LAMBDA_RUNTIME_API: api } });
};
createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  if (request.method !== 'POST') return response.end();
  if (!isStarted) start();
  await ready;
  const answered = new Promise<Buffer>((resolve) => { answer = resolve; });
  session.offer({
    requestId: randomUUID(), deadlineMs: Date.now() + 3000, invokedFunctionArn: 'arn',
    traceId: request.headers['x-amzn-trace-id'] ?? 'Root=1-0', clientContext: undefined, cognitoIdentity: undefined,
    payload: Buffer.concat(chunks),
  });
  response.end(await answered);
}).listen({ host, port: Number(invoke.split(':')[1]) });
`;

const directory = mkdtempSync(join(tmpdir(), 'lamella-foreign-'));
const [runtime] = prepareRuntimes(directory) as [Runtime];
let command: string;

beforeAll(async () => {
  const program = await bundleForChild(directory, PROGRAM, join(import.meta.dirname, '../../src'));
  command = `${process.execPath} ${program} {api} {invoke}`;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a runtime under a Runtime API that is started by a command', () => {
  for (const { rule, handler = 'index.handler', run } of CASES) {
    it(rule, async ({ onTestFinished }) => {
      const started = await startForeign(command, { ...runtime, handler });
      onTestFinished(() => started.close());
      await run(started);
    });
  }
});
