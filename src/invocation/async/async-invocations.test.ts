/** The event queue alone, in situations that are hard to produce with the whole service. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../test/support/event-listener.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { createAdjustableClock } from '../../clock.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import { silentLog } from '../../log.ts';
import type { FunctionName, RequestId } from '../../protocol/names.ts';
import { createQueues, type Queues } from '../../queues/queue.ts';
import { type Database, openDatabase } from '../../storage/database.ts';
import { type AsyncInvocations, createAsyncInvocations } from './async-invocations.ts';

const SCOPE = { region: 'us-east-1', account: '123456789012' };
const EMPTY = { visible: 0, leased: 0, delayed: 0 };

let directory: string;
let database: Database;
let clock: ReturnType<typeof createAdjustableClock>;
let queues: Queues;
let events: AsyncInvocations;
let runs: string[];
/** While true, the disk is full. */
let isFull: boolean;
/** Ends the invocation in progress. */
let finish: (() => void) | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-events-'));
  database = openDatabase(join(directory, 'test.db'));
  clock = createAdjustableClock(new FakeClock());
  isFull = false;
  runs = [];
  const disk = createQueues({ database, clock, log: silentLog });
  queues = {
    ...disk,
    write: (change) => (isFull ? Promise.reject(new Error('database or disk is full')) : disk.write(change)),
    receive: (queue, request) =>
      isFull ? Promise.reject(new Error('database or disk is full')) : disk.receive(queue, request),
  };
  events = createAsyncInvocations({
    queues,
    settings: {
      resolve: () => ({ configuration: { stored: {} } }) as FunctionVersion,
      eventInvoke: { find: () => undefined },
      concurrency: { reserved: () => undefined },
    } as never,
    async invoke(_version, { requestId, payload }) {
      runs.push(requestId);
      if (payload.toString() === '"fills the disk"') isFull = true;
      if (payload.toString() === '"ends while closing"') await new Promise<void>((resolve) => (finish = resolve));
      return { kind: 'returned', payload: Buffer.from('null'), executedVersion: '$LATEST' } as never;
    },
    sendToDestination: async () => {},
    clock,
    log: silentLog,
    retrySeconds: [60, 120],
    concurrency: 1,
  });
});
afterEach(async () => {
  const closed = events.close();
  clock.advance(1000);
  await closed;
  queues.close();
  database.close();
  rmSync(directory, { recursive: true });
});

const accept = (requestId: string, event: unknown = {}) =>
  events.accept({
    scope: SCOPE,
    name: 'f' as FunctionName,
    qualifier: undefined,
    requestId: requestId as RequestId,
    payload: Buffer.from(JSON.stringify(event)),
    traceId: 'Root=1-00000000-000000000000000000000000',
    isRecursive: false,
  });

it('a disk that was full for a while blocks no event permanently', async () => {
  await Promise.all([accept('first', 'fills the disk'), accept('second')]);
  await eventually(() => expect(isFull).toBe(true));
  await expect(accept('third')).rejects.toThrow('full');
  isFull = false;
  await eventually(() => {
    clock.advance(1000);
    expect([events.pending(SCOPE, 'f'), runs]).toEqual([EMPTY, ['first', 'second']]);
  });
});

it('an event that ends while the service closes is not run again', async () => {
  await accept('first', 'ends while closing');
  await eventually(() => expect(finish).toBeDefined());
  const closed = events.close();
  finish?.();
  await closed;
  expect(events.pending(SCOPE, 'f')).toEqual(EMPTY);
});

it('the age of an event that is sent while the clock is being advanced starts when it is sent', async () => {
  clock.after(1000, () => void accept('on the way'));
  clock.advance(24 * 3600 * 1000);
  await eventually(() => expect(runs).toEqual(['on the way']));
});
