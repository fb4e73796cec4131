import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { listen } from './listener.ts';

const LARGE = 32 * 1024 * 1024;

/** Over a connection that the client never closes. */
function get(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', agent: new Agent({ keepAlive: true }) }, resolve)
      .once('error', reject)
      .end();
  });
}

it('a draining listener lets a slow client read its response to the end, and does not wait for idle connections', async () => {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: (_, response) => void response.end(Buffer.alloc(LARGE)),
    onFailure: (failure) => {
      throw failure;
    },
  });
  const response = await get(listener.port);
  // Only the end of the response can end the drain: the test fails by its own timeout first.
  const drained = listener.drain(600_000);
  let received = 0;
  // The kernel holds the first chunks. Before the rest is read, the server has time to check for idle connections.
  for await (const chunk of response) {
    received += chunk.length;
    await new Promise(setImmediate);
  }
  expect(received).toBe(LARGE);
  await drained;
});

/** Resolves when the server has closed the connection. */
function closedBy(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text));
    socket.on('error', () => undefined).once('close', () => resolve());
    socket.resume();
  });
}

async function limited(limits: object) {
  return listen({
    host: '127.0.0.1',
    port: 0,
    maxHeaderBytes: 1024 * 1024,
    inOrder: true,
    handler: (_, response) => void response.end('fine'),
    onFailure: () => undefined,
    limits: { maxConnections: 100, maxUnfinishedHeadBytes: 1024 * 1024, headTimeoutMs: 60_000, ...limits },
  });
}

const head = (bytes: number) => `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(bytes)}`;

it('a listener closes the connections with the largest unfinished heads, and serves others', async () => {
  const listener = await limited({ maxUnfinishedHeadBytes: 50_000 });
  const small = connect({ port: listener.port, host: '127.0.0.1' }, () => small.write(head(1000)));
  await Promise.all([101_000, 102_000].map((bytes) => closedBy(listener.port, head(bytes))));
  expect(small.readyState).toBe('open');
  const served = new Promise<string>((resolve) => small.once('data', (chunk) => resolve(chunk.toString())));
  small.write('\r\n\r\n');
  expect(await served).toContain('200 OK');
  await listener.close();
});

it('a listener closes a connection whose head does not end, but not while its client is paused', async () => {
  let isPaused = true;
  let looks = 0;
  let lookedTwice = () => {};
  const paused = new Promise<void>((resolve) => (lookedTwice = resolve));
  const listener = await limited({
    headTimeoutMs: 0,
    isPaused() {
      looks += 1;
      // The first look at a head has ended by the time of the second.
      if (looks === 2) lookedTwice();
      return isPaused;
    },
  });
  const closed = closedBy(listener.port, head(10));
  const idle = connect({ port: listener.port, host: '127.0.0.1' });
  expect(await Promise.race([closed.then(() => 'closed'), paused.then(() => 'open')])).toBe('open');
  isPaused = false;
  await closed;
  expect(idle.readyState).toBe('open');
  await listener.close();
});

it('a listener closes connections beyond its limit', async () => {
  const listener = await limited({ maxConnections: 2 });
  const kept = [1, 2].map(() => connect({ port: listener.port, host: '127.0.0.1' }));
  await Promise.all(kept.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  await closedBy(listener.port, head(10));
  expect(kept.map(({ readyState }) => readyState)).toEqual(['open', 'open']);
  await listener.close();
});

/** Sends requests, each after the response to the last one. Resolves with what came back until the server closed. */
function talk(port: number, requests: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const [first = '', ...others] = requests;
    let received = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(Buffer.from(first, 'latin1')));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const next = others.shift();
      if (next !== undefined) socket.write(Buffer.from(next, 'latin1'));
    });
    socket.on('error', () => undefined).once('close', () => resolve(received));
  });
}

const statusesOf = (responses: string) => [...responses.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status);

it('a listener answers a malformed request, also after a request to upgrade', async () => {
  const listener = await limited({});
  const malformed = 'GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n';
  expect(statusesOf(await talk(listener.port, [malformed]))).toEqual(['400']);
  expect(statusesOf(await talk(listener.port, ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', malformed]))).toEqual([
    '200',
    '400',
  ]);
  expect(statusesOf(await talk(listener.port, [`${head(1024 * 1024)}\r\n\r\n`]))).toEqual(['431']);
  const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
  const responses = await talk(listener.port, [upgrade, malformed]);
  expect([statusesOf(responses), responses]).toEqual([['200'], expect.stringContaining('Connection: close')]);
  const java = upgrade.replace('websocket', 'h2c');
  expect(statusesOf(await talk(listener.port, [java, 'GET / HTTP/1.0\r\n\r\n']))).toEqual(['200', '200']);
  await listener.close();
});

it('a listener sends one response to a request whose body turns out to be malformed', async () => {
  const listener = await limited({});
  const early = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n';
  expect(statusesOf(await talk(listener.port, [early, 'x\r\n\r\n']))).toEqual(['200']);
  expect(statusesOf(await talk(listener.port, [early, '0\r\nContent-Length: 5\r\n\r\n']))).toEqual(['200']);
  await listener.close();
});
