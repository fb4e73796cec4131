import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { HttpHandler, HttpRequest } from './exchange.ts';
import { type Listener, listen, type PlainRoutes } from './listener.ts';
import type { PlainRequest, PlainResponse } from './plain-connection.ts';

const listeners: Listener[] = [];
afterEach(() => Promise.all(listeners.splice(0).map((listener) => listener.close())));

const bodyOf = (request: PlainRequest | HttpRequest) => ('kind' in request ? request.body : request);

/** Answers with what it was sent, in chunks if the path says so. */
async function echo(request: PlainRequest | HttpRequest, response: PlainResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of bodyOf(request)) chunks.push(chunk);
  const body = Buffer.concat([Buffer.from(`${request.method} ${request.url} `), ...chunks]);
  const headers = ['Content-Type', 'text/plain', 'X-Host', String(request.headers.host)];
  if (!request.url?.includes('chunked')) headers.push('Content-Length', String(body.length));
  response.writeHead(200, headers).end(body);
}

async function start(plain: PlainRoutes | undefined): Promise<Listener> {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    plain,
    inOrder: true,
    handler: (request, response) => echo(request, response as unknown as PlainResponse),
    onFailure: () => undefined,
  });
  listeners.push(listener);
  return listener;
}

/** Sends pieces, each after an event loop turn, and returns everything that came back until the server was silent. */
function talk({ port }: Listener, pieces: readonly string[], responses: number): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, async () => {
      for (const piece of pieces) {
        await new Promise<void>((sent) => socket.write(Buffer.from(piece, 'latin1'), () => sent()));
        await new Promise(setImmediate);
      }
    });
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.split('HTTP/1.1 ').length > responses && !received.endsWith('\r\n\r\n')) socket.end();
      if (received.endsWith('0\r\n\r\n')) socket.end();
    });
    socket.on('error', () => undefined).once('close', () => resolve(received));
  });
}

const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const LARGE = 'x'.repeat(300_000);

it.each<[string, readonly string[], number]>([
  ['a request', [post('/a', 'hello')], 1],
  ['a request without a body', ['GET /a HTTP/1.1\r\nHost: a\r\n\r\n'], 1],
  ['bytes that are not text', [post('/a', '\0\xff\x80\r\n\r\n.')], 1],
  ['a response in chunks', [post('/chunked', 'hello')], 1],
  ['a large request', [post('/a', LARGE)], 1],
  ['a large response in chunks', [post('/chunked', LARGE)], 1],
  ['a body in pieces', [post('/a', 'hello').slice(0, -5), 'he', 'l', 'lo'], 1],
  ['a head in pieces', [post('/a', 'hello').slice(0, 30), post('/a', 'hello').slice(30)], 1],
  ['pipelined requests', [post('/a', '1') + post('/b', '2') + post('/c', LARGE)], 3],
  ['a request cut by the next piece', [post('/a', '1') + post('/b', '2').slice(0, 10), post('/b', '2').slice(10)], 2],
  [
    'a chunked request between plain ones',
    [
      post('/a', '1'),
      'POST /b HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n',
      post('/c', '3'),
    ],
    3,
  ],
])('%s gets the same response as from Node', async (_case, pieces, responses) => {
  const withPlain = await start({ takes: () => true, handler: echo });
  const withoutPlain = await start(undefined);
  const [one, other] = await Promise.all([withPlain, withoutPlain].map((each) => talk(each, pieces, responses)));
  const normal = (text = '') => text.replace(/^Date: .*$/gm, 'Date');
  expect(normal(one)).toBe(normal(other));
  expect(one?.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(responses);
});

it('a request that is not taken goes to the other handler, and so does the rest of its connection', async () => {
  const plain: string[] = [];
  const listener = await start({
    takes: ({ url }) => url !== '/other',
    handler(request, response) {
      plain.push(request.url);
      return echo(request, response);
    },
  });
  const responses = await talk(listener, [post('/a', '1'), post('/other', '2') + post('/b', '3')], 3);
  expect(responses.match(/POST \/\w+ \d/g)).toEqual(['POST /a 1', 'POST /other 2', 'POST /b 3']);
  expect(plain).toEqual(['/a']);
});

it('the handler learns of a client that disconnects while it waits, or in the middle of its body', async () => {
  const events: string[] = [];
  let onEvent = () => {};
  const seen = (count: number) =>
    new Promise<void>((resolve) => {
      onEvent = () => events.length === count && resolve();
      onEvent();
    });
  const note = (event: string) => {
    events.push(event);
    onEvent();
  };
  const listener = await start({
    takes: () => true,
    handler(request, response) {
      response.once('close', () => note('response closed'));
      if (request.method === 'POST') request.body.once('close', () => note(`complete: ${request.complete}`)).resume();
      note(request.method);
    },
  });
  const open = (text: string) => {
    const socket = connect({ port: listener.port, host: '127.0.0.1' }, () => socket.write(text));
    return socket.on('error', () => undefined);
  };
  const waiting = open('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  await seen(1);
  waiting.destroy();
  await seen(2);
  const sending = open(post('/a', 'hello').slice(0, -2));
  await seen(3);
  sending.destroy();
  await seen(5);
  expect(events).toEqual(['GET', 'response closed', 'POST', 'complete: false', 'response closed']);
});

it('a failing handler gets a 500 for its client and reports the failure', async () => {
  const failures: unknown[] = [];
  const handler: HttpHandler = () => undefined;
  const fail = () => Promise.reject(new Error('a bug'));
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler,
    plain: { takes: () => true, handler: fail },
    onFailure: (failure) => failures.push(failure),
  });
  listeners.push(listener);
  const response = await new Promise<string>((resolve) => {
    const socket = connect({ port: listener.port, host: '127.0.0.1' }, () => socket.write(post('/a', '1')));
    socket.once('data', (chunk) => resolve(chunk.toString()));
  });
  expect(response).toMatch(/^HTTP\/1\.1 500 /);
  expect(failures).toHaveLength(1);
});

it('a client that sends requests and reads no responses is not read from any more', async () => {
  let handled = 0;
  const listener = await start({
    takes: () => true,
    handler(_, response) {
      handled += 1;
      response.writeHead(200, ['Content-Length', String(LARGE.length)]).end(Buffer.from(LARGE));
    },
  });
  const COUNT = 400;
  const socket = connect({ port: listener.port, host: '127.0.0.1' });
  socket.pause();
  const flushed = new Promise<void>((resolve) => {
    for (let count = 0; count < COUNT; count += 1) socket.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
    socket.write('GET /last HTTP/1.1\r\nHost: a\r\n\r\n', () => resolve());
  });
  await flushed;
  for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
  // What the sockets of both sides hold: a few megabytes.
  expect(handled).toBeLessThan(COUNT / 4);
  let received = 0;
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received >= (COUNT + 1) * LARGE.length) resolve();
    });
    socket.resume();
  });
  expect(handled).toBe(COUNT + 1);
  socket.destroy();
});

it('a draining listener closes idle plain connections and lets others end', async () => {
  let answer: () => void = () => undefined;
  let arrive: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const listener = await start({
    takes: () => true,
    handler(request, response) {
      const send = () => response.writeHead(200, ['Content-Length', '2']).end('ok');
      if (request.url !== '/wait') return send();
      answer = send;
      arrive();
    },
  });
  const open = (path: string) => {
    const socket = connect({ port: listener.port, host: '127.0.0.1' });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return socket;
  };
  const idle = open('/a');
  await new Promise((resolve) => idle.once('data', resolve));
  const waiting = open('/wait');
  await arrived;
  const drained = listener.drain(600_000);
  await new Promise((resolve) => idle.once('close', resolve));
  const response = new Promise<string>((resolve) => waiting.once('data', (chunk) => resolve(chunk.toString())));
  answer();
  expect(await response).toContain('200 OK');
  await drained;
});
