import { describe, expect, it } from 'vitest';
import { FakeClock } from '../test/support/fake-clock.ts';
import { createAdjustableClock } from './clock.ts';

describe('an adjustable clock', () => {
  it('follows its base', () => {
    const base = new FakeClock();
    const clock = createAdjustableClock(base);
    const fired: number[] = [];
    clock.after(100, () => fired.push(clock.monotonicMs()));
    base.advance(99);
    expect(fired).toEqual([]);
    base.advance(1);
    expect(fired).toEqual([100]);
    expect(clock.epochMs()).toBe(base.epochMs());
  });

  it('fires timers that become due in order and at their time, including those started on the way', () => {
    const base = new FakeClock();
    const clock = createAdjustableClock(base);
    const fired: [string, number][] = [];
    const note = (name: string) => fired.push([name, clock.monotonicMs()]);
    clock.after(300, () => note('later'));
    clock.after(100, () => {
      note('first');
      clock.after(50, () => note('started on the way'));
    });
    clock.after(5000, () => note('beyond'));
    clock.advance(1000);
    expect(fired).toEqual([
      ['first', 100],
      ['started on the way', 150],
      ['later', 300],
    ]);
    expect([clock.monotonicMs(), clock.aheadMs]).toEqual([1000, 1000]);
    base.advance(3999);
    expect(fired).toHaveLength(3);
    base.advance(1);
    expect(fired.at(-1)).toEqual(['beyond', 5000]);
  });

  it('cannot be moved back, or beyond the year 9999', () => {
    const clock = createAdjustableClock(new FakeClock());
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, 8e15]) {
      expect(() => clock.advance(ms)).toThrow(RangeError);
    }
    expect(clock.aheadMs).toBe(0);
  });

  it('does not fire canceled timers', () => {
    const base = new FakeClock();
    const clock = createAdjustableClock(base);
    const cancel = clock.after(100, () => expect.unreachable());
    cancel();
    clock.advance(1000);
    base.advance(1000);
    expect(base.pending).toBe(0);
  });
});
