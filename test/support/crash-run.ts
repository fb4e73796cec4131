/**
 * Sends asynchronous events to a service that is killed (`kill -9`) and restarted on the same data directory meanwhile. Reports
 * which acknowledged events never ran: none, if Lamella keeps its promise.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateFunctionCommand, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { type StartedService, startLamella } from './built-cli.ts';
import { zipOf } from './function-zip.ts';
import { clientOf, ROLE } from './running-service.ts';

export type CrashRun = {
  /** The service responded with 202. */
  readonly acknowledged: number;
  /** Sent without a response, because the service died. Such an event may run, and was sent again under another name. */
  readonly withoutResponse: number;
  /** Acknowledged, but never run. */
  readonly lost: readonly string[];
  /** Acknowledged, and run more than once. */
  readonly repeated: number;
  /** From each kill to the first connection that the next service accepts. */
  readonly restartMs: readonly number[];
  /** From the first event sent to the last one run. */
  readonly seconds: number;
  /** What the service reports about the function's events at the end. */
  readonly pending: unknown;
};

const FUNCTION = 'counts';
const SENDERS = 16;
/** After this long without a run, the events that have not run are lost. */
const SILENCE_MS = 60_000;

const BOOTSTRAP = `#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
listener = http.client.HTTPConnection(os.environ['LISTENER'])
while True:
    api.request('GET', '/2018-06-01/runtime/invocation/next')
    event = api.getresponse()
    body = event.read()
    listener.request('POST', '/', body)
    listener.getresponse().read()
    api.request('POST', f"/2018-06-01/runtime/invocation/{event.headers['Lambda-Runtime-Aws-Request-Id']}/response", b'{}')
    api.getresponse().read()
`;

/** Sends `events` events and kills the service `kills` times, evenly spread. */
export async function sendThroughCrashes({ events, kills }: { events: number; kills: number }): Promise<CrashRun> {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-crash-'));
  const runs = new Map<string, number>();
  const listener = await countRuns(runs);
  const begin = (port: string) =>
    startLamella(['--data-dir', join(directory, 'data'), '--cpu', 'unlimited', '--port', port, '--http-port', '0']);
  let service = await begin('0');
  try {
    const { url } = service;
    await createFunction(url, listener.address);
    const startedAt = performance.now();
    const restartMs: number[] = [];
    const acknowledged: string[] = [];
    let withoutResponse = 0;
    let sent = 0;
    let restarting: Promise<void> = Promise.resolve();
    const crash = async () => {
      const killedAt = performance.now();
      await service.stop('SIGKILL');
      service = await begin(new URL(url).port);
      restartMs.push(performance.now() - killedAt);
    };
    const sendUntilAcknowledged = async (event: number) => {
      for (let attempt = 1; ; attempt += 1) {
        await restarting;
        const name = `${event}.${attempt}`;
        if (await isAcknowledged(url, name)) {
          acknowledged.push(name);
          const due = Math.floor((acknowledged.length * (kills + 1)) / events);
          const before = Math.floor(((acknowledged.length - 1) * (kills + 1)) / events);
          if (due > before && due <= kills) restarting = crash();
          return;
        }
        withoutResponse += 1;
      }
    };
    await Promise.all(
      Array.from({ length: SENDERS }, async () => {
        while (sent < events) await sendUntilAcknowledged(sent++);
      }),
    );
    await restarting;
    await untilStill(runs, acknowledged);
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      acknowledged: acknowledged.length,
      withoutResponse,
      lost: acknowledged.filter((name) => !runs.has(name)),
      repeated: acknowledged.filter((name) => (runs.get(name) ?? 0) > 1).length,
      restartMs,
      seconds,
      pending: await pendingAtEnd(service),
    };
  } finally {
    await service.stop();
    await listener.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Counts the function's posts by event. */
async function countRuns(
  runs: Map<string, number>,
): Promise<{ readonly address: string; readonly close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const name = JSON.parse(Buffer.concat(chunks).toString()) as string;
      runs.set(name, (runs.get(name) ?? 0) + 1);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function createFunction(url: string, listener: string): Promise<void> {
  const client = clientOf(url);
  await client.send(
    new CreateFunctionCommand({
      FunctionName: FUNCTION,
      Runtime: 'provided.al2023',
      Handler: 'any',
      Role: ROLE,
      Environment: { Variables: { LISTENER: listener } },
      Code: { ZipFile: await zipOf({ bootstrap: BOOTSTRAP }) },
    }),
  );
  await waitUntilFunctionActiveV2(
    { client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.2 },
    { FunctionName: FUNCTION },
  );
  client.destroy();
}

async function isAcknowledged(url: string, name: string): Promise<boolean> {
  try {
    const { status } = await fetch(`${url}/2015-03-31/functions/${FUNCTION}/invocations`, {
      method: 'POST',
      body: JSON.stringify(name),
      headers: { 'X-Amz-Invocation-Type': 'Event' },
    });
    return status === 202;
  } catch {
    return false;
  }
}

/** Resolves when all of them have run, or when none has run for too long. */
async function untilStill(runs: ReadonlyMap<string, number>, names: readonly string[]): Promise<void> {
  let size = -1;
  let changedAt = performance.now();
  while (names.some((name) => !runs.has(name)) && performance.now() - changedAt < SILENCE_MS) {
    if (runs.size !== size) changedAt = performance.now();
    size = runs.size;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Resolves when the last event, which is removed shortly after it has run, is gone. */
async function pendingAtEnd({ url }: StartedService): Promise<unknown> {
  for (let look = 0; ; look += 1) {
    const pending = (await (await fetch(`${url}/_lamella/async/${FUNCTION}`)).json()) as Record<string, number>;
    if (look === 100 || Object.values(pending).every((count) => count === 0)) return pending;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
