import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { TelemetryBuffer } from './telemetry-buffer.ts';

const limits = { maxItems: 3, maxBytes: 100, timeoutMs: 1000 };

let clock: FakeClock;
let due: number;
let buffer: TelemetryBuffer;

beforeEach(() => {
  clock = new FakeClock();
  due = 0;
  buffer = bufferWith(limits);
});

function bufferWith(buffering: typeof limits, wantsPlatform = true): TelemetryBuffer {
  return new TelemetryBuffer({
    buffering,
    clock,
    onDue: () => {
      due += 1;
    },
    renderDropped: ({ records, bytes }) => (wantsPlatform ? `lost ${records} of ${bytes}` : undefined),
  });
}

function addAll(...events: string[]): void {
  for (const event of events) buffer.add(event, 'output');
}

describe('events for a subscriber', () => {
  it('are due when there are maxItems', () => {
    addAll('a', 'b');
    expect([due, buffer.takeDue()]).toEqual([0, undefined]);
    addAll('c');
    expect([due, buffer.takeDue()]).toEqual([1, ['a', 'b', 'c']]);
  });

  it('are due when they have maxBytes, and a batch exceeds that only with a single event', () => {
    addAll('x'.repeat(60), 'y'.repeat(60));
    expect(due).toBe(1);
    expect(buffer.takeDue()).toEqual(['x'.repeat(60)]);
    addAll('z'.repeat(130));
    expect(buffer.takeDue()).toEqual(['y'.repeat(60)]);
    expect(buffer.takeDue()).toEqual(['z'.repeat(130)]);
  });

  it('are due when the oldest has waited for timeoutMs', () => {
    addAll('a');
    clock.advance(999);
    addAll('b');
    expect(due).toBe(0);
    clock.advance(1);
    expect([due, buffer.takeDue()]).toEqual([1, ['a', 'b']]);
  });

  it('need a timer only while events are waiting', () => {
    expect(clock.pending).toBe(0);
    addAll('a', 'b', 'c');
    buffer.takeDue();
    expect(clock.pending).toBe(0);
    addAll('d');
    expect(clock.pending).toBe(1);
    buffer.clear();
    expect(clock.pending).toBe(0);
  });

  it('are due immediately when they are flushed', () => {
    addAll('a');
    buffer.flush();
    expect([due, buffer.takeDue(), buffer.isEmpty]).toEqual([1, ['a'], true]);
  });

  it('are dropped beyond twice the limits, and the number is reported to the subscriber', () => {
    addAll('a', 'b', 'c', 'd', 'e', 'f', 'lost', 'lost as well');
    expect(buffer.takeDue()).toEqual(['a', 'b', 'c']);
    addAll('g');
    expect(buffer.takeDue()).toEqual(['d', 'e', 'f']);
    buffer.flush();
    expect(buffer.takeDue()).toEqual(['lost 2 of 16', 'g']);
  });

  it('are reported as dropped in the last batch when no event follows', () => {
    addAll('a', 'b', 'c', 'd', 'e', 'f', 'lost');
    expect([buffer.takeDue(), buffer.takeDue()]).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e', 'f', 'lost 1 of 4'],
    ]);
    expect(buffer.isEmpty).toBe(true);
  });

  it('of the platform still fit when output fills the buffer', () => {
    addAll('a', 'b', 'c', 'd', 'e', 'f', 'lost');
    buffer.add('platform', 'platform');
    buffer.flush();
    expect([buffer.takeDue(), buffer.takeDue(), buffer.takeDue()]).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e', 'f'],
      ['lost 1 of 4', 'platform'],
    ]);
  });

  it('are dropped without a report for a subscriber without platform events', () => {
    buffer = bufferWith(limits, false);
    addAll('a', 'b', 'c', 'd', 'e', 'f', 'lost');
    expect([buffer.takeDue(), buffer.takeDue(), buffer.takeDue()]).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e', 'f'],
      undefined,
    ]);
  });

  it('never exceed three times the limits', () => {
    for (let count = 0; count < 10_000; count++) buffer.add(`event ${count}`, count % 2 === 0 ? 'platform' : 'output');
    let taken = 0;
    buffer.flush();
    for (let batch = buffer.takeDue(); batch; batch = buffer.takeDue()) taken += batch.length;
    expect(taken).toBeLessThanOrEqual(3 * limits.maxItems + 1);
  });
});
