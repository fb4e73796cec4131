/** Telemetry from the API to real servers: extensions subscribe over HTTP and receive events. */
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { type Cancel, type Clock, systemClock } from '../../clock.ts';
import type { Listener } from '../../http/listener.ts';
import type { TelemetryEvent } from '../../protocol/payloads.ts';
import { startRuntimeApi } from '../server.ts';
import { RuntimeSession, type SessionEvent } from '../session.ts';
import { TelemetryStream } from './telemetry-stream.ts';

/** The environment's own address. Servers on other addresses of this machine must never be called. */
const HOST = '127.93.7.1';
const metadata = { accountId: '123456789012', functionName: 'hello', functionVersion: '$LATEST', handler: 'h' };

type Reply = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string };
type Received = { readonly time: string; readonly type: string; readonly record: unknown };

let stream: TelemetryStream;
let session: RuntimeSession;
let listener: Listener;
let events: SessionEvent[];
let cleanUps: (() => Promise<unknown>)[];

beforeEach(async () => {
  cleanUps = [];
  await open(systemClock);
});
afterEach(async () => {
  stream.close();
  await listener.close();
  for (const cleanUp of cleanUps) await cleanUp();
});

async function open(clock: Clock): Promise<void> {
  events = [];
  stream = new TelemetryStream({ clock });
  session = new RuntimeSession((event) => events.push(event), stream);
  listener = await startRuntimeApi({
    session,
    metadata,
    host: HOST,
    port: 0,
    onFailure: (failure) => {
      throw failure;
    },
  });
}

function call(method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Reply> {
  return new Promise((resolve, reject) => {
    httpRequest({ host: HOST, port: listener.port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { statusCode = 0, headers: received } = response;
        resolve({ status: statusCode, headers: received, body: Buffer.concat(chunks).toString() });
      });
    })
      .on('error', reject)
      .end(body);
  });
}

async function register(name: string): Promise<string> {
  const reply = await call(
    'POST',
    '/2020-01-01/extension/register',
    { 'Lambda-Extension-Name': name },
    '{"events":["INVOKE"]}',
  );
  return reply.headers['lambda-extension-identifier'] as string;
}

function subscribe(identifier: string, destination: object, more: object = {}): Promise<Reply> {
  const asked = { schemaVersion: '2022-12-13', types: ['platform', 'function', 'extension'], destination, ...more };
  return put('/2022-07-01/telemetry', identifier, asked);
}

function put(path: string, identifier: string, body: object): Promise<Reply> {
  return call('PUT', path, { 'Lambda-Extension-Identifier': identifier }, JSON.stringify(body));
}

/** A clock that records which timers were started. */
class WatchedClock extends FakeClock {
  readonly started: number[] = [];

  override after(ms: number, action: () => void): Cancel {
    this.started.push(ms);
    return super.after(ms, action);
  }

  /** Resolves when an attempt has ended, with the delay before the next one. */
  async delayAfterAttempt(): Promise<number> {
    await expect.poll(() => this.started.at(-1)).not.toBe(ATTEMPT_MS);
    return this.started.at(-1) ?? 0;
  }
}

const ATTEMPT_MS = 5000;

/** A subscriber's HTTP server; `statuses` are the status codes of its first responses (0: no response), then 200. */
async function httpSubscriber(statuses: number[] = [], host = HOST, port = 0) {
  const requests: { method: string; url: string; headers: IncomingMessage['headers']; batch: Received[] }[] = [];
  let arrived = 0;
  const waiting: { count: number; resolve: () => void }[] = [];
  const server: Server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const status = statuses.shift() ?? 200;
      arrived += 1;
      if (status !== 0) {
        requests.push({ method, url, headers, batch: JSON.parse(Buffer.concat(chunks).toString()) as Received[] });
        response.writeHead(status).end();
      }
      for (const entry of waiting.splice(0)) {
        if (arrived >= entry.count) entry.resolve();
        else waiting.push(entry);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  cleanUps.push(stop);
  const { port: bound } = server.address() as AddressInfo;
  return {
    port: bound,
    requests,
    stop,
    destination: { protocol: 'HTTP', URI: `http://sandbox.localdomain:${bound}/hook?a=b` },
    received: (count: number) =>
      requests.length >= count ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ count, resolve })),
    events: () => requests.flatMap(({ batch }) => batch),
  };
}

async function tcpSubscriber() {
  let text = '';
  const waiting: { count: number; resolve: () => void }[] = [];
  const server: TcpServer = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += chunk.toString();
      for (const entry of waiting.splice(0)) {
        if (text.split('\n').length > entry.count) entry.resolve();
        else waiting.push(entry);
      }
    });
    cleanUps.unshift(async () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  return {
    destination: { protocol: 'TCP', port },
    received: (count: number) => new Promise<void>((resolve) => waiting.push({ count, resolve })),
    text: () => text,
  };
}

function line(text: string, type: 'function' | 'extension' = 'function'): TelemetryEvent {
  return { type, record: text, isStructured: false, epochMs: Date.UTC(2026, 10, 22) };
}

const initStart: TelemetryEvent = {
  type: 'platform.initStart',
  epochMs: Date.UTC(2026, 10, 22),
  record: {
    initializationType: 'on-demand',
    phase: 'init',
    runtimeVersion: 'provided:al2023.v1',
    runtimeVersionArn: 'arn',
    functionName: 'hello',
    functionVersion: '$LATEST',
    instanceId: 'stream',
    instanceMaxMemory: 134_217_728,
  },
};

const FAST = { buffering: { timeoutMs: 25 } };

describe('subscribing to telemetry', () => {
  it('returns 200 and "OK"', async () => {
    const subscriber = await httpSubscriber();
    const reply = await subscribe(await register('ext'), subscriber.destination);
    expect([reply.status, reply.body]).toEqual([200, '"OK"']);
    expect(events).toContainEqual({
      kind: 'telemetry-subscribed',
      api: 'Telemetry',
      name: 'ext',
      state: 'Subscribed',
      types: ['platform', 'function', 'extension'],
    });
  });

  it('requires a known identifier, like every call of an extension', async () => {
    const missing = await call('PUT', '/2022-07-01/telemetry', {}, '{}');
    expect([missing.status, missing.body]).toEqual([
      403,
      '{"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}\n',
    ]);
    expect((await put('/2022-07-01/telemetry', 'nonsense', {})).body).toContain('Extension.InvalidExtensionIdentifier');
    const unknown = 'a29b05a8-9efc-4a4c-a2ab-d4a1a3f1f2b3';
    const reply = await put('/2020-08-15/logs', unknown, {});
    expect([reply.status, reply.body]).toEqual([
      403,
      `{"errorMessage":"Unknown extension ${unknown}","errorType":"Extension.UnknownExtensionIdentifier"}\n`,
    ]);
  });

  it('is rejected with 400 and all problems', async () => {
    const reply = await subscribe(await register('ext'), { protocol: 'HTTP', URI: 'http://sandbox' }, { types: [] });
    expect([reply.status, reply.body]).toEqual([
      400,
      '{"errorType":"ValidationError","errorMessage":"URI port is not provided; types should not be empty"}\n',
    ]);
  });

  it('accepts PUT only', async () => {
    expect((await call('POST', '/2022-07-01/telemetry')).status).toBe(405);
    expect((await call('GET', '/2020-08-15/logs')).status).toBe(405);
  });

  it('is closed when the environment has initialized', async () => {
    const subscriber = await httpSubscriber();
    const identifier = await register('ext');
    const polls = [
      call('GET', '/2020-01-01/extension/event/next', { 'Lambda-Extension-Identifier': identifier }),
      call('GET', '/2018-06-01/runtime/invocation/next'),
    ].map((poll) => poll.catch(() => undefined));
    await expect.poll(() => events.at(-1)?.kind).toBe('all-ready');
    const reply = await subscribe(identifier, subscriber.destination);
    expect([reply.status, reply.body]).toEqual([
      403,
      '{"errorMessage":"Telemetry API subscription is closed already","errorType":"Telemetry.SubscriptionClosed"}\n',
    ]);
    const logs = await put('/2020-08-15/logs', identifier, {
      types: ['function'],
      destination: subscriber.destination,
    });
    expect(logs.body).toContain('"errorType":"Logs.SubscriptionClosed"');
    session.reset();
    await Promise.all(polls);
  });

  it('can be repeated, and reports that', async () => {
    const subscriber = await httpSubscriber();
    const identifier = await register('ext');
    await subscribe(identifier, subscriber.destination, FAST);
    expect((await subscribe(identifier, subscriber.destination, FAST)).body).toBe('"OK"');
    await stream.flush(5000);
    expect(subscriber.events().map(({ type, record }) => [type, (record as { state: string }).state])).toEqual([
      ['platform.telemetrySubscription', 'Subscribed'],
      ['platform.telemetrySubscription', 'Already subscribed'],
    ]);
  });

  it('uses only one of the two APIs', async () => {
    const subscriber = await httpSubscriber();
    const identifier = await register('ext');
    await subscribe(identifier, subscriber.destination);
    const reply = await put('/2020-08-15/logs', identifier, {
      types: ['function'],
      destination: subscriber.destination,
    });
    expect([reply.status, JSON.parse(reply.body)]).toMatchObject([400, { errorType: 'Logs.AccessDenied' }]);
  });

  it("without telemetry gets the response of AWS's emulator: accepted, not supported", async () => {
    const plain = new RuntimeSession(() => undefined);
    const api = await startRuntimeApi({ session: plain, metadata, host: HOST, port: 0, onFailure: () => undefined });
    await listener.close();
    listener = api;
    const reply = await subscribe(await register('ext'), { protocol: 'TCP', port: 1 });
    expect([reply.status, reply.body]).toEqual([
      202,
      '{"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}\n',
    ]);
  });
});

describe('delivering telemetry', () => {
  it('posts batches as JSON arrays to the environment itself, with the requested host name', async () => {
    const subscriber = await httpSubscriber();
    await subscribe(await register('ext'), subscriber.destination, FAST);
    stream.publish(line('one\n'));
    stream.publish(line('two\n', 'extension'));
    await subscriber.received(1);
    await stream.flush(5000);
    expect(subscriber.requests[0]).toMatchObject({
      method: 'POST',
      url: '/hook?a=b',
      headers: { 'content-type': 'application/json', host: `sandbox.localdomain:${subscriber.port}` },
    });
    expect(subscriber.events().slice(1)).toEqual([
      { time: '2026-11-22T00:00:00.000Z', type: 'function', record: 'one\n' },
      { time: '2026-11-22T00:00:00.000Z', type: 'extension', record: 'two\n' },
    ]);
  });

  it('writes one JSON text per line over TCP', async () => {
    const subscriber = await tcpSubscriber();
    await subscribe(await register('ext'), subscriber.destination, FAST);
    const received = subscriber.received(2);
    stream.publish(line('one\n'));
    await received;
    const lines = subscriber.text().split('\n');
    expect(lines.map((text) => (text === '' ? '' : JSON.parse(text).type))).toEqual([
      'platform.telemetrySubscription',
      'function',
      '',
    ]);
  });

  it('sends a new subscriber all events since initialization started, in order', async () => {
    const subscriber = await httpSubscriber();
    stream.publish(initStart);
    stream.publish(line('before anybody listened\n'));
    await subscribe(await register('ext'), subscriber.destination);
    await stream.flush(5000);
    expect(subscriber.events().map(({ type }) => type)).toEqual([
      'platform.initStart',
      'function',
      'platform.telemetrySubscription',
    ]);
  });

  it('sends each subscriber its categories in its schema', async () => {
    const [telemetry, logs] = [await httpSubscriber(), await httpSubscriber()];
    await subscribe(await register('one'), telemetry.destination, { types: ['function'] });
    await put('/2020-08-15/logs', await register('two'), { types: ['platform'], destination: logs.destination });
    stream.publish(line('output\n'));
    stream.publish({ type: 'platform.end', record: { requestId: 'id' }, epochMs: 0 });
    await stream.flush(5000);
    expect(telemetry.events().map(({ type }) => type)).toEqual(['function']);
    expect(logs.events().map(({ type }) => type)).toEqual(['platform.logsSubscription', 'platform.end']);
  });

  it('retries a rejected batch without losing or reordering events', async () => {
    const subscriber = await httpSubscriber([500, 503]);
    await subscribe(await register('ext'), subscriber.destination, { ...FAST, types: ['function'] });
    stream.publish(line('one\n'));
    await subscriber.received(1);
    stream.publish(line('two\n'));
    await stream.flush(5000);
    const [first, second, third, ...rest] = subscriber.requests.map(({ batch }) => batch.map(({ record }) => record));
    expect([first, second, third, rest.flat()]).toEqual([['one\n'], ['one\n'], ['one\n'], ['two\n']]);
  });

  it('waits for a subscriber that does not listen yet', async () => {
    const early = await httpSubscriber();
    await early.stop();
    await subscribe(await register('ext'), early.destination, { ...FAST, types: ['function'] });
    stream.publish(line('one\n'));
    const late = await httpSubscriber([], HOST, early.port);
    await late.received(1);
    expect(late.events().map(({ record }) => record)).toEqual(['one\n']);
  });

  it('drops a batch after the last attempt, and reports the loss to the subscriber', async () => {
    await listener.close();
    const clock = new WatchedClock();
    await open(clock);
    const subscriber = await httpSubscriber(new Array(12).fill(500));
    await subscribe(await register('ext'), subscriber.destination);
    clock.advance(1000);
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt++) {
      await subscriber.received(attempt);
      delays.push(await clock.delayAfterAttempt());
      clock.advance(1000);
    }
    await subscriber.received(13);
    expect(delays).toEqual([25, 50, 100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000]);
    expect(subscriber.requests.at(-1)?.batch).toMatchObject([
      {
        type: 'platform.logsDropped',
        record: { droppedRecords: 1, reason: 'could not send events: http request failed with status 500' },
      },
    ]);
  });

  it('aborts an attempt that gets no response', async () => {
    await listener.close();
    const clock = new WatchedClock();
    await open(clock);
    const subscriber = await httpSubscriber([0]);
    await subscribe(await register('ext'), subscriber.destination, { types: ['function'] });
    stream.publish(line('one\n'));
    clock.advance(1000);
    await subscriber.received(1);
    clock.advance(ATTEMPT_MS);
    clock.advance(await clock.delayAfterAttempt());
    await subscriber.received(2);
    expect(subscriber.events().map(({ record }) => record)).toEqual(['one\n']);
  });

  it('sends nothing while the environment is frozen, and continues when it runs again', async () => {
    await listener.close();
    const clock = new FakeClock();
    await open(clock);
    const subscriber = await httpSubscriber();
    await subscribe(await register('ext'), subscriber.destination, { types: ['function'] });
    stream.publish(line('one\n'));
    stream.pause();
    clock.advance(60_000);
    expect(clock.pending).toBe(0);
    expect(subscriber.requests).toEqual([]);
    stream.resume();
    await subscriber.received(1);
  });

  it('drops output beyond its limits, and reports how much', async () => {
    await listener.close();
    const clock = new WatchedClock();
    await open(clock);
    const subscriber = await httpSubscriber([0]);
    const limits = { buffering: { maxItems: 1000, maxBytes: 262_144, timeoutMs: 30_000 } };
    await subscribe(await register('ext'), subscriber.destination, limits);
    const lost: number[] = [];
    stream.onDropped = (event) => lost.push(event.record.droppedRecords);
    for (let count = 0; count < 5000; count++) stream.publish(line(`line ${count}\n`));
    await subscriber.received(1);
    clock.advance(ATTEMPT_MS);
    await expect.poll(() => clock.started.at(-1)).toBe(25);
    clock.advance(25);
    await stream.flush(60_000);
    const received = subscriber.events();
    const dropped = received.filter(({ type }) => type === 'platform.logsDropped');
    expect(dropped.map(({ record }) => (record as { droppedRecords: number }).droppedRecords)).toEqual(lost);
    const lines = received.filter(({ type }) => type === 'function').length;
    expect([lines + (lost[0] ?? 0), lines <= 3000, lost.length]).toEqual([5000, true, 1]);
  });

  it('never calls another host, whatever the path is', async () => {
    const elsewhere = await httpSubscriber([], '127.0.0.1');
    const here = await httpSubscriber([], HOST, elsewhere.port);
    const URI = `http://sandbox.localdomain:${here.port}//127.0.0.1:${elsewhere.port}/`;
    await subscribe(await register('ext'), { protocol: 'HTTP', URI });
    await stream.flush(5000);
    expect([elsewhere.requests.length, here.requests[0]?.url]).toEqual([0, `//127.0.0.1:${elsewhere.port}/`]);
  });

  it('costs nothing without a subscriber after initialization', () => {
    const clock = new FakeClock();
    const idle = new TelemetryStream({ clock });
    idle.publish(initStart);
    expect(idle.isWatched).toBe(true);
    idle.closeSubscriptions(new Set());
    expect([idle.isWatched, clock.pending, idle.flush(100)]).toEqual([false, 0, undefined]);
  });

  it('outlives a reset, and ends when the extension does not register again', async () => {
    const subscriber = await httpSubscriber();
    await subscribe(await register('ext'), subscriber.destination, { types: ['function'] });
    stream.closeSubscriptions(new Set(['ext']));
    session.reset();
    stream.publish(line('after the reset\n'));
    await stream.flush(5000);
    expect(subscriber.events().map(({ record }) => record)).toEqual(['after the reset\n']);
    stream.closeSubscriptions(new Set());
    expect(stream.isWatched).toBe(false);
  });
});
