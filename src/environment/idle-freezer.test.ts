import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { IdleFreezer } from './idle-freezer.ts';

let clock: FakeClock;
let calls: string[];
let freezer: IdleFreezer;

beforeEach(() => {
  clock = new FakeClock();
  calls = [];
  freezer = new IdleFreezer({
    sandbox: {
      freeze: async () => void calls.push('freeze'),
      thaw: async () => void calls.push('thaw'),
    },
    clock,
    delayMs: 5,
    onFailure: (failure) => {
      throw failure;
    },
  });
});

describe('freezing between invocations', () => {
  it('starts after the delay, and ends before the next invocation', async () => {
    freezer.idle();
    clock.advance(4);
    expect(calls).toEqual([]);
    clock.advance(1);
    expect(calls).toEqual(['freeze']);
    await freezer.wake();
    expect(calls).toEqual(['freeze', 'thaw']);
  });

  it('costs back-to-back invocations nothing: no thaw to wait for, and at most one timer', () => {
    for (let call = 0; call < 100; call++) {
      freezer.idle();
      clock.advance(1);
      expect(freezer.wake()).toBeUndefined();
    }
    expect(clock.pending).toBeLessThanOrEqual(1);
    expect(calls).toEqual([]);
  });

  it('counts the delay from the last invocation', () => {
    freezer.idle();
    clock.advance(3);
    void freezer.wake();
    freezer.idle();
    clock.advance(4);
    expect(calls).toEqual([]);
    clock.advance(1);
    expect(calls).toEqual(['freeze']);
  });

  it('a second wake waits for the same thaw', async () => {
    freezer.idle();
    clock.advance(5);
    void freezer.wake();
    await freezer.wake();
    expect(calls).toEqual(['freeze', 'thaw']);
    expect(freezer.wake()).toBeUndefined();
  });

  it('does not freeze a busy environment', () => {
    freezer.idle();
    void freezer.wake();
    clock.advance(1000);
    expect(calls).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
