import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BodyFailure, readBody } from './body.ts';
import type { Listener } from './listener.ts';
import { listen } from './listener.ts';

const LIMIT = 1000;

describe('readBody', () => {
  let listener: Listener;
  let url: string;
  const failures: unknown[] = [];

  beforeEach(async () => {
    failures.length = 0;
    listener = await listen({
      host: '127.0.0.1',
      port: 0,
      onFailure: (failure) => failures.push(failure),
      async handler(request, response) {
        try {
          const body = await readBody(request, LIMIT);
          response.end(`${body.length}:${body.toString('latin1').slice(0, 5)}`);
        } catch (failure) {
          if (!(failure instanceof BodyFailure)) throw failure;
          failures.push(failure.reason);
          response.writeHead(413).end(failure.message);
        }
      },
    });
    url = `http://127.0.0.1:${listener.port}/`;
  });
  afterEach(() => listener.close());

  const post = async (body: string | ReadableStream) => {
    const response = await fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit);
    return { status: response.status, text: await response.text() };
  };

  it('returns the whole body, up to and including the limit', async () => {
    expect(await post('x'.repeat(LIMIT))).toEqual({ status: 200, text: `${LIMIT}:xxxxx` });
    expect(await post('')).toEqual({ status: 200, text: '0:' });
  });

  it('returns a body that arrives in many pieces in order', async () => {
    const pieces = ['ab', 'c', 'd', 'ef'.repeat(100)];
    const stream = new ReadableStream({
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(Buffer.from(piece));
      },
    });
    expect(await post(stream)).toEqual({ status: 200, text: '204:abcde' });
  });

  it('refuses a declared size over the limit before the body is sent', async () => {
    const socket = await open(listener.port);
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${LIMIT + 1}\r\n\r\n`);
    expect(await firstLine(socket)).toBe('HTTP/1.1 413 Payload Too Large');
    socket.destroy();
  });

  it('refuses a chunked body over the limit while it still arrives', async () => {
    const socket = await open(listener.port);
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let sent = 0; sent <= LIMIT; sent += 256) socket.write(`100\r\n${'y'.repeat(256)}\r\n`);
    expect(await firstLine(socket)).toBe('HTTP/1.1 413 Payload Too Large');
    socket.destroy();
  });

  it('leaves the connection usable after a refusal', async () => {
    expect((await post('z'.repeat(5_000_000))).status).toBe(413);
    expect((await post('z')).status).toBe(200);
  });

  it('reports a client that disconnects', async () => {
    const socket = await open(listener.port);
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc');
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await expect.poll(() => failures).toEqual(['aborted']);
  });

  it('works for a client that waits for 100-continue', async () => {
    const request = httpRequest(url, { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 4 } });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('late');
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    await once(response, 'end');
  });
});

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

async function firstLine(socket: Socket): Promise<string> {
  const [data] = await once(socket, 'data');
  return String(data).split('\r\n')[0] ?? '';
}
