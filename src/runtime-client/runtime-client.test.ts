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

function responses() {
  return events.flatMap((event) => (event.kind === 'responded' ? [event.response] : []));
}

describe('a runtime client', () => {
  it('returns an invocation with all its headers', async () => {
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

  it('responds with text and with bytes', async () => {
    const { requestId } = await client.next();
    await client.respond(requestId, 'é');
    await client.next();
    await client.respond(requestId, Buffer.from([0, 255]));
    await client.next();
    await client.respond(requestId, Buffer.alloc(100_000, 'x'));
    expect(responses().map((response) => response.kind === 'response' && response.payload)).toEqual([
      Buffer.from('é'),
      Buffer.from([0, 255]),
      Buffer.alloc(100_000, 'x'),
    ]);
  });

  it('responds with a stream, and reports when it has been accepted', async () => {
    const { requestId } = await client.next();
    const stream = client.stream(requestId, { contentType: 'text/plain' });
    stream.write('a');
    stream.end('b');
    await stream.accepted;
    expect(responses()).toMatchObject([{ kind: 'response', payload: Buffer.from('ab'), contentType: 'text/plain' }]);
  });

  it('ends a stream with an error', async () => {
    const { requestId } = await client.next();
    const stream = client.stream(requestId);
    stream.write('half');
    await stream.fail(new TypeError('no'));
    const [response] = responses();
    expect(response?.kind === 'error' && JSON.parse(response.payload.toString())).toMatchObject({
      errorType: 'TypeError',
      errorMessage: 'no',
    });
  });

  it('reports errors with type, message and trace', async () => {
    const { requestId } = await client.next();
    await client.fail(requestId, new RangeError('nö'));
    const [response] = responses();
    expect(response?.kind === 'error' && JSON.parse(response.payload.toString())).toMatchObject({
      errorType: 'RangeError',
      errorMessage: 'nö',
      trace: expect.arrayContaining(['RangeError: nö']),
    });
  });

  it('reports that initialization failed', async () => {
    await client.failInitialization('no configuration');
    expect(events).toMatchObject([{ kind: 'init-error-reported' }]);
  });

  it("throws Lambda's errors", async () => {
    const { requestId } = await client.next();
    await expect(client.respond('another', '1')).rejects.toMatchObject({
      status: 400,
      errorType: 'InvalidRequestID',
      message: 'Invalid request ID',
    });
    await expect(client.respond(requestId, 'x'.repeat(6_291_557))).rejects.toBeInstanceOf(LambdaApiError);
  });

  it('uses one connection for all requests', async () => {
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

describe('a runtime client with a faulty server', () => {
  let server: ReturnType<typeof createServer>;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** Plays one script per connection when the first data arrives. */
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

  it('repeats the call when the connection breaks while it waits', async () => {
    const other = await serve(
      (socket) => socket.destroy(),
      (socket) => socket.end(),
      (socket) => socket.end(`${HEAD}Content-Length: 2\r\n\r\n{}`),
    );
    expect((await other.next()).payload.toString()).toBe('{}');
  });

  it('fails when nothing listens any more', async () => {
    const other = await serve((socket) => {
      server.close();
      socket.destroy();
    });
    await expect(other.next()).rejects.toThrow(/ECONNREFUSED/);
    await new Promise<void>((resolve) => server.listen(0, resolve));
  });

  it('parses a response that arrives byte by byte', async () => {
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

  it.each([1, 3, 1000])('parses a chunked response that is split every %d bytes', async (size) => {
    const body = 'x'.repeat(70_000);
    const chunks = [body.slice(0, 10), body.slice(10, 66_000), body.slice(66_000)];
    const text = chunks.map((chunk) => `${chunk.length.toString(16)};a=b\r\n${chunk}\r\n`).join('');
    const whole = Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${text}0\r\nTrailer: a\r\n\r\n`);
    const parts: Buffer[] = [];
    // Errors are likely at the beginning and at the end.
    for (let at = 0; at < 300; at += size) parts.push(whole.subarray(at, Math.min(at + size, 300)));
    parts.push(whole.subarray(300, whole.length - 60));
    for (let at = whole.length - 60; at < whole.length; at += size) parts.push(whole.subarray(at, at + size));
    const other = await serve((socket) => {
      const send = (index: number) => {
        const part = parts[index];
        if (part) socket.write(part, () => setImmediate(send, index + 1));
      };
      send(0);
    });
    expect((await other.next()).payload.toString()).toBe(body);
    other.close();
  });

  it('rejects a response that is not HTTP', async () => {
    const other = await serve((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n\r\n'));
    await expect(other.respond('one', '1')).rejects.toThrow('the response is not HTTP/1.1');
  });
});
