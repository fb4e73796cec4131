/** Durable queues on a real database, with a fake clock. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { silentLog } from '../log.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { createQueues, type Queues, type ReceiveRequest } from './queue.ts';

let directory: string;
let database: Database;
let clock: FakeClock;
let queues: Queues;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-queues-'));
  database = openDatabase(join(directory, 'test.db'));
  clock = new FakeClock();
  queues = createQueues({ database, clock, log: silentLog });
});
afterEach(() => {
  queues.close();
  database.close();
  rmSync(directory, { recursive: true });
});

const send = async (body: string, { queue = 'q', delayMs = 0 } = {}) => {
  const nowMs = clock.epochMs();
  const id = await queues.write((store) =>
    store.insert(queue, { body: Buffer.from(body), details: '{}', sentMs: nowMs, visibleMs: nowMs + delayMs }),
  );
  queues.wake(queue);
  return id;
};
const receive = async (more: Partial<ReceiveRequest> & { queue?: string } = {}) => {
  const { queue = 'q', ...request } = more;
  return queues.receive(queue, { count: 10, visibilityMs: 30_000, waitMs: 0, ...request });
};
const bodies = async (more: Parameters<typeof receive>[0] = {}) =>
  (await receive(more)).map(({ body }) => body.toString());
/** Lets everything proceed that does not wait for the clock. */
const settle = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

describe('a queue', () => {
  it('returns a message once, and again after its lease', async () => {
    await send('a');
    expect(await receive()).toMatchObject([{ receives: 1, firstReceivedMs: clock.epochMs() }]);
    const firstMs = clock.epochMs();
    clock.advance(29_999);
    expect(await bodies()).toEqual([]);
    clock.advance(1);
    expect(await receive()).toMatchObject([{ receives: 2, firstReceivedMs: firstMs }]);
  });

  it('does not return a removed message', async () => {
    const id = await send('a');
    await receive();
    expect(await queues.write((store) => store.remove('other', id))).toBe(false);
    expect(await queues.write((store) => store.remove('q', id))).toBe(true);
    clock.advance(60_000);
    expect(await bodies()).toEqual([]);
  });

  it('returns messages in the order in which they became visible', async () => {
    await send('late', { delayMs: 5000 });
    await send('one');
    await send('two');
    expect(await bodies({ count: 1, visibilityMs: 1000 })).toEqual(['one']);
    clock.advance(5000);
    expect(await bodies()).toEqual(['two', 'one', 'late']);
  });

  it('counts visible, leased and delayed messages', async () => {
    await send('a');
    await send('b');
    await send('c', { delayMs: 1000 });
    await receive({ count: 1 });
    expect(queues.store.counts('q', clock.epochMs())).toEqual({ visible: 1, leased: 1, delayed: 1 });
  });

  it('extends, ends or renews the lease of a message that was received', async () => {
    const id = await send('a');
    const extend = (ms: number) => queues.write((store) => store.extendLease('q', id, clock.epochMs() + ms));
    expect(await extend(1000)).toBe(false);
    await receive();
    expect(await extend(60_000)).toBe(true);
    clock.advance(59_999);
    expect(await bodies()).toEqual([]);
    expect(await extend(0)).toBe(true);
    expect(await extend(1000)).toBe(true);
    expect(await bodies()).toEqual([]);
    clock.advance(1000);
    expect(await bodies()).toEqual(['a']);
    await queues.write((store) => store.remove('q', id));
    expect(await extend(0)).toBe(false);
  });

  it('wakes a waiting receiver when a message arrives', async () => {
    const waiting = bodies({ waitMs: 20_000 });
    await settle();
    await send('a');
    expect(await waiting).toEqual(['a']);
  });

  it('wakes a waiting receiver when a message becomes visible', async () => {
    await send('a', { delayMs: 7000 });
    const waiting = bodies({ waitMs: 20_000 });
    await settle();
    clock.advance(7000);
    expect(await waiting).toEqual(['a']);
  });

  it('ends a wait on timeout and on an aborted signal', async () => {
    const waiting = bodies({ waitMs: 20_000 });
    const controller = new AbortController();
    const aborted = bodies({ waitMs: 20_000, signal: controller.signal });
    await settle();
    controller.abort();
    expect(await aborted).toEqual([]);
    clock.advance(20_000);
    expect(await waiting).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('lets many receivers wait without a warning, and ends them all when it closes', async () => {
    const warnings: string[] = [];
    const listener = ({ name }: Error) => warnings.push(name);
    process.on('warning', listener);
    const waiting = Array.from({ length: 30 }, (_, i) => receive({ queue: `q${i % 2}`, waitMs: 60_000 }));
    await settle();
    queues.close();
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 30 }, () => []));
    await settle();
    process.off('warning', listener);
    expect(warnings).not.toContain('MaxListenersExceededWarning');
  });

  it('returns each message to one of several waiting receivers', async () => {
    const waiting = Array.from({ length: 5 }, () => bodies({ count: 1, waitMs: 1000 }));
    await settle();
    await Promise.all(['a', 'b', 'c'].map((body) => send(body)));
    await settle();
    await settle();
    clock.advance(1000);
    expect((await Promise.all(waiting)).flat().sort()).toEqual(['a', 'b', 'c']);
  });

  it('moves a message that was received too often, and wakes receivers of the other queue', async () => {
    const limits = () => ({ redrive: { maxReceives: 2, to: 'dead' } });
    await send('a');
    const dead = receive({ queue: 'dead', waitMs: 1_000_000 });
    for (const _ of [1, 2]) {
      expect(await bodies({ limits, visibilityMs: 1000 })).toEqual(['a']);
      clock.advance(1000);
    }
    await send('b');
    expect(await bodies({ limits, count: 1 })).toEqual(['b']);
    expect(await dead).toMatchObject([{ source: 'q', receives: 3 }]);
  });

  it('moves dead letters back to the queue they came from', async () => {
    await send('a');
    await receive({ visibilityMs: 0 });
    await receive({ limits: () => ({ redrive: { maxReceives: 1, to: 'dead' } }) });
    await send('was sent here', { queue: 'dead' });
    expect(await queues.write((store) => store.move('dead', undefined, 10, clock.epochMs()))).toBe(1);
    expect(await receive()).toMatchObject([{ receives: 1, source: undefined }]);
    expect(await bodies({ queue: 'dead' })).toEqual(['was sent here']);
  });

  it('does not return messages that were sent before a given time', async () => {
    await send('old');
    clock.advance(1000);
    await send('new');
    const oldestSentMs = clock.epochMs();
    expect(await bodies({ limits: () => ({ oldestSentMs }) })).toEqual(['new']);
  });

  it('ends the leases of receivers that no longer exist', async () => {
    await send('a', { queue: 'async/one' });
    await send('b', { queue: 'sqs/one' });
    for (const queue of ['async/one', 'sqs/one']) await receive({ queue, visibilityMs: 1e12 });
    await queues.write((store) => store.endLeases('async/', clock.epochMs()));
    expect(await bodies({ queue: 'async/one' })).toEqual(['a']);
    expect(await bodies({ queue: 'sqs/one' })).toEqual([]);
    expect(queues.store.queues('async/')).toEqual(['async/one']);
  });

  it('rolls back a failed change, and no other of the same transaction', async () => {
    const bad = queues.write((store) => {
      store.insert('q', { body: Buffer.from('x'), details: '{}', sentMs: 0, visibleMs: 0 });
      throw new Error('no');
    });
    const good = send('a');
    await expect(bad).rejects.toThrow('no');
    await good;
    expect(await bodies()).toEqual(['a']);
  });

  it('survives a restart, and a clock that was set back before it', async () => {
    clock.advance(3_600_000);
    await send('a', { delayMs: 5000 });
    queues.close();
    clock = new FakeClock();
    queues = createQueues({ database, clock, log: silentLog });
    expect(await bodies()).toEqual([]);
    clock.advance(5000);
    expect(await bodies()).toEqual(['a']);
  });
});
