/**
 * Runs a real runtime process with a Runtime API that is not Lamella's: a program that starts the runtime itself and takes
 * events over HTTP, as AWS's Runtime Interface Emulator does. An observer between the two watches the runtime, so that it can
 * run the same cases as `runtime-harness.ts`.
 */
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { RuntimeResponse } from '../../src/runtime-api/session.ts';
import {
  deferred,
  type Ended,
  killGroup,
  type RuntimeSpec,
  type RuntimeUnderTest,
  variablesOf,
} from './runtime-harness.ts';
import { startObserver } from './runtime-observer.ts';
import { until } from './until.ts';

const BOOTSTRAP = join(import.meta.dirname, 'observed-bootstrap.mjs');
const INVOKE_PATH = '/2015-03-31/functions/function/invocations';
/** Longer than any case takes. The server's own default is minutes. */
const TIMEOUT_SECONDS = 20;

/**
 * `command` is a line of words separated by spaces. `{api}` stands for the address of the Runtime API, `{invoke}` for the
 * address of invocations. The runtime's command follows.
 */
export async function startForeign(command: string, spec: RuntimeSpec): Promise<RuntimeUnderTest> {
  const initialized = deferred<Awaited<RuntimeUnderTest['initialized']>>();
  const ended = deferred<Ended>();
  let readiness = deferred<void>();
  let answered: ((answer: RuntimeResponse & { readonly requestId: string }) => void) | undefined;
  let runtimePid: number | undefined;
  const observer = await startObserver((observation) => {
    switch (observation.kind) {
      case 'started':
        runtimePid = observation.pid;
        return;
      case 'ready':
        initialized.resolve({ kind: 'ready' });
        readiness.resolve();
        return;
      case 'answered':
        readiness = deferred();
        answered?.({ ...observation.answer, requestId: observation.requestId });
        return;
      case 'init-failed':
        initialized.resolve({ kind: 'failed', errorType: observation.errorType, body: observation.body });
        return;
      case 'ended':
        initialized.resolve(observation);
        ended.resolve(observation);
    }
  });

  const [api, invoke] = [await freeAddress(), await freeAddress()];
  const words = command.split(' ').map((word) => word.replace('{api}', api).replace('{invoke}', invoke));
  const [program = '', ...args] = [...words, process.execPath, BOOTSTRAP, spec.handler];
  const server = spawn(program, args, {
    cwd: spec.task,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...variablesOf(spec),
      AWS_LAMBDA_FUNCTION_TIMEOUT: String(TIMEOUT_SECONDS),
      OBSERVED: JSON.stringify({ observer: observer.address, argv: spec.argv, task: spec.task }),
    },
  });
  const output: Buffer[] = [];
  server.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  server.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const serverEnded = new Promise<Ended>((resolve, reject) => {
    server.once('error', reject);
    server.once('close', (code, signal) => resolve({ kind: 'ended', code, signal }));
  });
  serverEnded.then(ended.resolve, ended.reject);
  ended.promise.then(initialized.resolve, initialized.reject);
  await Promise.race([until(() => post(invoke, 'OPTIONS', '/', Buffer.alloc(0), {})), serverEnded]);

  let hasBegun = false;
  const send = (event: Buffer, traceId: string | undefined): Promise<boolean> => {
    hasBegun = true;
    return post(invoke, 'POST', INVOKE_PATH, event, traceId === undefined ? {} : { 'X-Amzn-Trace-Id': traceId });
  };
  return {
    process: server,
    get initialized() {
      // Such a server starts the runtime at the first event.
      if (!hasBegun) void send(Buffer.from('null'), undefined);
      return initialized.promise;
    },
    ended: ended.promise,
    ready: () => readiness.promise,
    async cutConnections() {
      readiness = deferred();
      observer.cutConnections();
      await Promise.race([readiness.promise, ended.promise]);
    },
    output: () => Buffer.concat(output).toString(),
    async invoke(event, { traceId } = {}) {
      if (hasBegun) {
        const stopped = await Promise.race([readiness.promise, ended.promise]);
        if (stopped) return stopped;
      }
      const answer = new Promise<RuntimeResponse & { readonly requestId: string }>((resolve) => {
        answered = resolve;
      });
      const payload = Buffer.isBuffer(event) ? event : Buffer.from(JSON.stringify(event));
      const sent = send(payload, traceId);
      const first = await Promise.race([answer, ended.promise]);
      await Promise.race([sent, ended.promise]);
      return first;
    },
    async close() {
      if (runtimePid !== undefined) killGroup(runtimePid);
      killGroup(server.pid);
      await serverEnded.catch(() => undefined);
      await observer.close();
    },
  };
}

/** Whether the server sent any response. */
function post(
  address: string,
  method: string,
  path: string,
  body: Buffer,
  headers: Record<string, string>,
): Promise<boolean> {
  const url = new URL(path, `http://${address}`);
  return new Promise((resolve) => {
    const call = request(url, { method, agent: false, headers: { ...headers, 'content-length': body.length } });
    call.on('error', () => resolve(false));
    call.once('response', (response) => response.resume().once('close', () => resolve(true)));
    call.end(body);
  });
}

/** A loopback address with a port that is free now. */
async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}
