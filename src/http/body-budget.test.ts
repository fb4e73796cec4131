import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { until } from '../../test/support/until.ts';
import { BodyFailure, readBody } from './body.ts';
import { BodyBudget } from './body-budget.ts';
import { type Listener, listen } from './listener.ts';

const MIB = 1024 * 1024;

describe('the room for request bodies', () => {
  let clock: FakeClock;
  let budget: BodyBudget;
  let listener: Listener;
  let sockets: Socket[];
  /** The server's ends. */
  let accepted: Socket[];
  /** Responses that wait for the test, by the length of their request's body. */
  let pending: Map<number, () => void>;

  beforeEach(async () => {
    clock = new FakeClock();
    budget = new BodyBudget(clock, { smallBytes: 2 * MIB, largeBytes: 6 * MIB, maxWaiting: 3 });
    sockets = [];
    accepted = [];
    pending = new Map();
    listener = await listen({
      host: '127.0.0.1',
      port: 0,
      bodies: budget,
      onConnection: (socket) => accepted.push(socket),
      onFailure: (failure) => expect.fail(String(failure)),
      async handler(request, response) {
        try {
          const { length } = await readBody(request, 5 * MIB);
          if (request.url === '/held') await new Promise<void>((resolve) => pending.set(length, resolve));
          response.end(String(length));
        } catch (failure) {
          if (!(failure instanceof BodyFailure)) throw failure;
          response.writeHead(failure.reason === 'busy' ? 503 : 413).end(failure.message);
        }
      },
    });
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await listener.close();
  });

  /** Begins a request with a body of `bytes` and sends some of it. */
  async function begin(bytes: number | 'chunked', sent: number, path = '/'): Promise<Socket> {
    const socket = connect(listener.port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    const framing = bytes === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\n${framing}\r\n\r\n`);
    if (sent > 0) socket.write(Buffer.alloc(sent, 'x'));
    return socket;
  }
  async function send(socket: Socket, bytes: number): Promise<void> {
    await new Promise<void>((resolve) => void socket.write(Buffer.alloc(bytes, 'x'), () => resolve()));
  }
  const statusOf = async (socket: Socket) => String((await once(socket, 'data'))[0]).slice(9, 12);
  const isUsed = (bytes: number) => until(() => budget.usage().used === bytes, 20);
  const isWaiting = (count: number) => until(() => budget.usage().waiting === count, 20);
  const post = async (bytes: number) => {
    const response = await fetch(`http://127.0.0.1:${listener.port}/`, { method: 'POST', body: Buffer.alloc(bytes) });
    return [response.status, await response.text()];
  };

  it('is taken with the first byte and kept until the response is sent', async () => {
    const socket = await begin(4 * MIB, 1, '/held');
    await isUsed(4 * MIB);
    await send(socket, 4 * MIB - 1);
    await until(() => pending.has(4 * MIB), 20);
    expect(budget.usage().used).toBe(4 * MIB);
    pending.get(4 * MIB)?.();
    expect(await statusOf(socket)).toBe('200');
    await isUsed(0);
  });

  it('is given back when the client disconnects', async () => {
    const socket = await begin(4 * MIB, 1000);
    await isUsed(4 * MIB);
    socket.destroy();
    await isUsed(0);
  });

  it('is waited for, without reading, by a body that does not fit', async () => {
    const first = await begin(4 * MIB, 1000);
    await isUsed(4 * MIB);
    const second = await begin(3 * MIB, 3 * MIB);
    await isWaiting(1);
    await send(first, 4 * MIB - 1000);
    expect(await statusOf(first)).toBe('200');
    expect(await statusOf(second)).toBe('200');
    expect(budget.usage()).toMatchObject({ waiting: 0 });
  });

  it('is not needed for small bodies, and of its own for those up to 1 MiB', async () => {
    for (let held = 0; held < 2; held += 1) await begin(3 * MIB, 1000);
    await isUsed(6 * MIB);
    expect(await post(MIB)).toEqual([200, String(MIB)]);
    for (let held = 0; held < 2; held += 1) await begin(MIB, 1000);
    await isUsed(8 * MIB);
    expect(await post(16 * 1024)).toEqual([200, String(16 * 1024)]);
  });

  it('is taken from uploads that are idle for two seconds while another request waits', async () => {
    const idle = [await begin(3 * MIB, 1000), await begin(3 * MIB, 1000)];
    await isUsed(6 * MIB);
    clock.advance(60_000);
    expect(budget.usage().used).toBe(6 * MIB);
    const other = post(2 * MIB);
    await isWaiting(1);
    clock.advance(1000);
    expect(budget.usage().waiting).toBe(1);
    clock.advance(1000);
    expect(await other).toEqual([200, String(2 * MIB)]);
    expect(await Promise.all(idle.map(statusOf))).toEqual(['503', '503']);
  });

  it('stays with uploads that go on, and a request that waits for 30 seconds is refused', async () => {
    const busy = await begin(4 * MIB, 1000);
    await isUsed(4 * MIB);
    await until(() => (accepted[0]?.bytesRead ?? 0) > 1000, 20);
    const other = post(3 * MIB);
    await isWaiting(1);
    const before = accepted[0]?.bytesRead ?? 0;
    for (let second = 1; second <= 30; second += 1) {
      await send(busy, 100 * 1024);
      await until(() => accepted[0]?.bytesRead === before + second * 100 * 1024, 20);
      clock.advance(1000);
    }
    expect((await other)[0]).toBe(503);
    await send(busy, 4 * MIB - 1000 - 30 * 100 * 1024);
    expect(await statusOf(busy)).toBe('200');
  });

  it('is refused at once when many requests wait', async () => {
    await begin(5 * MIB, 1000);
    await isUsed(5 * MIB);
    for (let count = 0; count < 3; count += 1) await begin(3 * MIB, 1000);
    await isWaiting(3);
    expect((await post(3 * MIB))[0]).toBe(503);
  });

  it('grows with a body of unknown size, which waits when there is no more', async () => {
    const held = await begin(5 * MIB, 1000);
    await isUsed(5 * MIB);
    const chunked = await begin('chunked', 0);
    for (let sent = 0; sent < 3; sent += 1) {
      chunked.write(`${MIB.toString(16)}\r\n`);
      chunked.write(Buffer.alloc(MIB, 'x'));
      chunked.write('\r\n');
    }
    chunked.write('0\r\n\r\n');
    await isWaiting(1);
    held.destroy();
    expect(await statusOf(chunked)).toBe('200');
    await isUsed(0);
  });
});
