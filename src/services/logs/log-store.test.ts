import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { silentLog } from '../../log.ts';
import type { Database } from '../../storage/database.ts';
import { openDatabase } from '../../storage/database.ts';
import { createCollectorStep } from './log-collector.ts';
import type { LogGroup } from './log-groups.ts';
import type { LogStore, ReadRange } from './log-store.ts';
import { createLogStore } from './log-store.ts';

const SCOPE = { region: 'eu-west-1', account: '123456789012' };
const EVERYTHING: ReadRange = {
  streamIds: undefined,
  startMs: 0,
  endMs: Number.MAX_SAFE_INTEGER,
  direction: 'forward',
  beyond: undefined,
  limit: 100_000,
  maxBytes: 1e9,
};

describe('the log store', () => {
  let directory: string;
  let database: Database;
  let clock: FakeClock;
  let store: LogStore;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-logs-'));
    database = openDatabase(join(directory, 'test.db'));
    clock = new FakeClock();
    store = createLogStore({ database, clock, log: silentLog });
  });
  afterEach(() => {
    database.close();
    rmSync(directory, { recursive: true });
  });

  const append = (message: string, epochMs: number, logStream = 's', logGroup = 'g') =>
    store.append({ scope: SCOPE, logGroup, logStream, epochMs, message });
  const group = (name = 'g'): LogGroup => {
    const found = store.group(SCOPE, name);
    if (!found) throw new Error(`no group ${name}`);
    return found;
  };
  const texts = (range: Partial<ReadRange> = {}) =>
    store.read(group(), { ...EVERYTHING, ...range }).events.map(({ message }) => message);
  const chunkCount = () => database.prepare('SELECT count(*) AS count FROM log_chunk').get()?.count;

  it('append does not access the database; a moment later the events are written in one row', () => {
    for (let index = 0; index < 100; index += 1) append(`line ${index}`, clock.epochMs());
    expect(chunkCount()).toBe(0);
    clock.advance(1_000);
    expect(chunkCount()).toBe(1);
  });

  it('read returns events that were appended just before', () => {
    append('now', 5);
    expect(texts()).toEqual(['now']);
  });

  it('keeps events across a restart, in order and with stable positions', () => {
    append('a', 5);
    append('b', 5);
    const before = store.read(group(), EVERYTHING).events;
    store.close();
    store = createLogStore({ database, clock, log: silentLog });
    append('c', 5);
    const after = store.read(group(), EVERYTHING).events;
    expect(after.map(({ message }) => message)).toEqual(['a', 'b', 'c']);
    expect(after.slice(0, 2)).toEqual(before);
    expect(new Set(after.map(({ sequence }) => sequence)).size).toBe(3);
  });

  it('returns the events of many streams in order of time, then of arrival, in both directions, for any page size', () => {
    const expected: { at: number; text: string }[] = [];
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    for (let index = 0; index < 2_000; index += 1) {
      const at = random(60_000);
      expected.push({ at, text: `${index}` });
      append(`${index}`, at, `s${random(7)}`);
      if (random(50) === 0) store.flush();
    }
    expected.sort((a, b) => a.at - b.at || Number(a.text) - Number(b.text));
    const order = expected.map(({ text }) => text);
    for (const direction of ['forward', 'backward'] as const) {
      for (const limit of [100_000, 1_000, 37]) {
        const found: string[] = [];
        let beyond: ReadRange['beyond'];
        do {
          const page = store.read(group(), { ...EVERYTHING, direction, limit, beyond });
          expect(page.events.length).toBeLessThanOrEqual(limit);
          found.push(...page.events.map(({ message }) => message));
          beyond = page.next;
        } while (beyond !== undefined);
        expect(found).toEqual(direction === 'forward' ? order : order.toReversed());
      }
    }
    const window = expected.filter(({ at }) => at >= 20_000 && at <= 30_000).map(({ text }) => text);
    expect(texts({ startMs: 20_000, endMs: 30_000 })).toEqual(window);
    expect(texts({ startMs: 20_000, endMs: 30_000, direction: 'backward' })).toEqual(window.toReversed());
  });

  it('reads only the requested streams', () => {
    append('1', 1, 'a');
    append('2', 2, 'b');
    append('3', 3, 'c');
    const id = (name: string) => store.stream(group(), name)?.id ?? 0;
    expect(texts({ streamIds: [id('b')] })).toEqual(['2']);
    expect(texts({ streamIds: [id('a'), id('c')] })).toEqual(['1', '3']);
    expect(texts({ streamIds: [] })).toEqual([]);
  });

  it('separates regions and accounts', () => {
    append('here', 1);
    expect(store.group({ ...SCOPE, region: 'us-east-1' }, 'g')).toBeUndefined();
    expect(store.group({ ...SCOPE, account: '210987654321' }, 'g')).toBeUndefined();
  });

  it('stores any text unchanged', () => {
    const text = `tab\t, "quotes", \\, \u{1F600}, line end\n, nul \u0000, ${'é'.repeat(300_000)}`;
    append(text, 1);
    append('after', 2);
    expect(texts()).toEqual([text, 'after']);
    expect(group().storedBytes).toBe(Buffer.byteLength(text) + 'after'.length + 2 * 26);
  });

  it('a deleted group is gone immediately, and can be created again, empty', () => {
    append('old', 1);
    store.deleteGroup(group());
    expect(store.group(SCOPE, 'g')).toBeUndefined();
    append('new', 2);
    expect(texts()).toEqual(['new']);
    const step = createCollectorStep({ database, clock, log: silentLog });
    while (step());
    expect(chunkCount()).toBe(1);
    expect(texts()).toEqual(['new']);
  });

  it('a deleted stream is deleted with its events and their size', () => {
    append('1', 1, 'a');
    append('22', 2, 'b');
    const stream = store.stream(group(), 'a');
    if (stream) store.deleteStream(group(), stream);
    expect(texts()).toEqual(['22']);
    expect(group().storedBytes).toBe(28);
  });

  it('while the database cannot be written, events stay in a buffer of limited size and are written later', () => {
    const failing = { ...database, isBroken: true };
    failing.transaction = (action) => {
      if (failing.isBroken) throw new Error('disk full');
      return database.transaction(action);
    };
    store = createLogStore({ database: failing, clock, log: silentLog, maxWaitingBytes: 100_000 });
    append('first', 1, 'victim');
    for (let index = 0; index < 5_000; index += 1) append('x'.repeat(74), index, `s${index}`);
    expect(() => store.flush()).toThrow('disk full');
    failing.isBroken = false;
    clock.advance(5_000);
    const kept = texts();
    expect(kept.length).toBeGreaterThan(400);
    expect(kept.length).toBeLessThanOrEqual(1_000);
    expect(kept).not.toContain('first');
    expect(store.read(group(), { ...EVERYTHING, direction: 'backward', limit: 1 }).events[0]?.epochMs).toBe(4_999);
  });

  it('events beyond the retention of their group are deleted', () => {
    const day = 24 * 3600 * 1000;
    clock.advance(10 * day);
    append('old', clock.epochMs() - 4 * day, 'old');
    append('young', clock.epochMs() - 2 * day, 'young');
    store.setRetention(group(), 3);
    clock.advance(3600 * 1000);
    expect(texts()).toEqual(['young']);
    expect(store.stream(group(), 'old')).toBeUndefined();
    expect(group().storedBytes).toBe('young'.length + 26);
  });

  it('the oldest events are deleted when all logs combined exceed the maximum size', () => {
    for (let index = 0; index < 1_000; index += 1) {
      append(`${index} ${'x'.repeat(1_000)}`, index, 's', index % 2 ? 'odd' : 'even');
      if (index % 10 === 9) store.flush();
    }
    const step = createCollectorStep({ database, clock, log: silentLog, maxBytes: 200_000 });
    while (step());
    const bytes = group('odd').storedBytes + group('even').storedBytes;
    expect(bytes).toBeLessThanOrEqual(200_000);
    expect(bytes).toBeGreaterThan(180_000);
    expect(store.read(group('odd'), { ...EVERYTHING, direction: 'backward', limit: 1 }).events[0]?.message).toMatch(
      /^999 /,
    );
  });

  it('passes each appended event to subscribers', () => {
    const heard: string[] = [];
    const subscription = store.subscribe(({ message }) => heard.push(message));
    append('1', 1);
    subscription.close();
    append('2', 2);
    expect(heard).toEqual(['1']);
  });
});
