import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../http/listener.ts';
import { startRuntimeApi } from '../runtime-api/server.ts';
import { type Offer, RuntimeSession, type SessionEvent } from '../runtime-api/session.ts';
import { createRuntimeClient, LambdaApiError, type RuntimeClient } from './runtime-client.ts';

const OFFER: Offer = {
  requestId: '8476a536-e9f4-11e8-9739-2dfe598c3fcd',
  deadlineMs: 1_542_409_706_888,
  invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:hello',
  traceId: 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0',
  clientContext: '{"custom":{"who":"Wörld"}}',
  cognitoIdentity: undefined,
  payload: Buffer.from('{"name":"Wörld"}'),
} as Offer;

let session: RuntimeSession;
let listener: Listener;
let events: SessionEvent[];
let client: RuntimeClient;

beforeEach(async () => {
  events = [];
  session = new RuntimeSession((event) => {
    events.push(event);
    if (event.kind === 'runtime-ready') queueMicrotask(() => session.offer(OFFER));
  });
  listener = await startRuntimeApi({
    session,
    metadata: { accountId: '123456789012', functionName: 'hello', functionVersion: '$LATEST', handler: 'h' },
    host: '127.0.0.1',
    port: 0,
    onFailure: (failure) => {
      throw failure;
    },
  });
  client = createRuntimeClient({ address: `127.0.0.1:${listener.port}` });
});
afterEach(async () => {
  client.close();
  await listener.close();
});

function answers() {
  return events.flatMap((event) => (event.kind === 'responded' ? [event.response] : []));
}

describe('a runtime client', () => {
  it('hands over an invocation with everything that Lambda says about it', async () => {
    const { payload, ...invocation } = await client.next();
    expect(payload.toString()).toBe('{"name":"Wörld"}');
    expect(invocation).toEqual({
      requestId: OFFER.requestId,
      deadlineMs: OFFER.deadlineMs,
      invokedFunctionArn: OFFER.invokedFunctionArn,
      traceId: OFFER.traceId,
      clientContext: '{"custom":{"who":"Wörld"}}',
      cognitoIdentity: undefined,
      tenantId: undefined,
      contentType: 'application/json',
    });
  });

  it('answers with text and with bytes', async () => {
    const { requestId } = await client.next();
    await client.respond(requestId, 'é');
    await client.next();
    await client.respond(requestId, Buffer.from([0, 255]));
    await client.next();
    await client.respond(requestId, Buffer.alloc(100_000, 'x'));
    expect(answers().map((answer) => answer.kind === 'response' && answer.payload)).toEqual([
      Buffer.from('é'),
      Buffer.from([0, 255]),
      Buffer.alloc(100_000, 'x'),
    ]);
  });

  it('answers in a stream, and says when it has been taken', async () => {
    const { requestId } = await client.next();
    const stream = client.stream(requestId, { contentType: 'text/plain' });
    stream.write('a');
    stream.end('b');
    await stream.accepted;
    expect(answers()).toMatchObject([{ kind: 'response', payload: Buffer.from('ab'), contentType: 'text/plain' }]);
  });

  it('ends a stream with what went wrong', async () => {
    const { requestId } = await client.next();
    const stream = client.stream(requestId);
    stream.write('half');
    await stream.fail(new TypeError('no'));
    const [answer] = answers();
    expect(answer?.kind === 'error' && JSON.parse(answer.payload.toString())).toMatchObject({
      errorType: 'TypeError',
      errorMessage: 'no',
    });
  });

  it('reports failures with type, message and trace', async () => {
    const { requestId } = await client.next();
    await client.fail(requestId, new RangeError('nö'));
    const [answer] = answers();
    expect(answer?.kind === 'error' && JSON.parse(answer.payload.toString())).toMatchObject({
      errorType: 'RangeError',
      errorMessage: 'nö',
      trace: expect.arrayContaining(['RangeError: nö']),
    });
  });

  it('reports that initialization failed', async () => {
    await client.failInitialization('no configuration');
    expect(events).toMatchObject([{ kind: 'init-error-reported' }]);
  });

  it('throws what Lambda refuses', async () => {
    const { requestId } = await client.next();
    await expect(client.respond('another', '1')).rejects.toMatchObject({
      status: 400,
      errorType: 'InvalidRequestID',
      message: 'Invalid request ID',
    });
    await expect(client.respond(requestId, 'x'.repeat(6_291_557))).rejects.toBeInstanceOf(LambdaApiError);
  });

  it('uses one connection for everything', async () => {
    let connections = 0;
    const counting = createServer((socket) => {
      connections++;
      socket.on('data', () => socket.write('HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nOK'));
    });
    await new Promise<void>((resolve) => counting.listen(0, '127.0.0.1', resolve));
    const { port } = counting.address() as { port: number };
    const other = createRuntimeClient({ address: `127.0.0.1:${port}` });
    for (let n = 0; n < 5; n++) await other.respond('id', 'x');
    other.close();
    await new Promise((resolve) => counting.close(resolve));
    expect(connections).toBe(1);
  });
});

describe('against servers that are not kind', () => {
  let server: ReturnType<typeof createServer>;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** Plays one script a connection: what is written when something arrives. */
  async function serve(...scripts: ((socket: Socket) => void)[]): Promise<RuntimeClient> {
    server = createServer((socket) => {
      const script = scripts.shift();
      socket.on('error', () => undefined);
      socket.once('data', () => script?.(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return createRuntimeClient({ address: `127.0.0.1:${(server.address() as { port: number }).port}` });
  }

  const HEAD = 'HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\nLambda-Runtime-Deadline-Ms: 1\r\n';

  it('asks again when the connection breaks while it waits', async () => {
    const other = await serve(
      (socket) => socket.destroy(),
      (socket) => socket.end(),
      (socket) => socket.end(`${HEAD}Content-Length: 2\r\n\r\n{}`),
    );
    expect((await other.next()).payload.toString()).toBe('{}');
  });

  it('gives up when nobody listens any more', async () => {
    const other = await serve((socket) => {
      server.close();
      socket.destroy();
    });
    await expect(other.next()).rejects.toThrow(/ECONNREFUSED/);
    await new Promise<void>((resolve) => server.listen(0, resolve));
  });

  it('understands an answer that arrives byte by byte', async () => {
    const bytes = Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${HEAD}Content-Length: 5\r\n\r\n"aé"`);
    const other = await serve((socket) => {
      const send = (at: number) => {
        if (at === bytes.length) socket.end();
        else socket.write(bytes.subarray(at, at + 1), () => setImmediate(send, at + 1));
      };
      send(0);
    });
    expect((await other.next()).payload.toString()).toBe('"aé"');
  });

  it.each([1, 3, 1000])('understands an answer in chunks that is cut every %d bytes', async (size) => {
    const body = 'x'.repeat(70_000);
    const chunks = [body.slice(0, 10), body.slice(10, 66_000), body.slice(66_000)];
    const text = chunks.map((chunk) => `${chunk.length.toString(16)};a=b\r\n${chunk}\r\n`).join('');
    const whole = Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${text}0\r\nTrailer: a\r\n\r\n`);
    const pieces: Buffer[] = [];
    // The beginning and the end are where it may go wrong.
    for (let at = 0; at < 300; at += size) pieces.push(whole.subarray(at, Math.min(at + size, 300)));
    pieces.push(whole.subarray(300, whole.length - 60));
    for (let at = whole.length - 60; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size));
    const other = await serve((socket) => {
      const send = (index: number) => {
        const piece = pieces[index];
        if (piece) socket.write(piece, () => setImmediate(send, index + 1));
      };
      send(0);
    });
    expect((await other.next()).payload.toString()).toBe(body);
    other.close();
  });

  it('does not take something else for an answer', async () => {
    const other = await serve((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n\r\n'));
    await expect(other.respond('one', '1')).rejects.toThrow('the response is not HTTP/1.1');
  });
});
