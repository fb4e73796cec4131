import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Clock } from '../clock.ts';
import { Deadline } from './deadline.ts';

function open() {
  const clock = new FakeClock();
  const reached: number[] = [];
  let timers = 0;
  const counted: Clock = {
    epochMs: () => clock.epochMs(),
    monotonicMs: () => clock.monotonicMs(),
    after(ms, action) {
      timers += 1;
      return clock.after(ms, action);
    },
  };
  const start = clock.monotonicMs();
  const deadline = new Deadline(counted, () => reached.push(clock.monotonicMs() - start));
  const arm = (inMs: number) => deadline.arm(clock.monotonicMs() + inMs);
  return { clock, deadline, arm, reached, timers: () => timers };
}

it('is reached once, at its time', () => {
  const { clock, arm, reached } = open();
  arm(3000);
  clock.advance(2999);
  expect(reached).toEqual([]);
  clock.advance(1);
  expect(reached).toEqual([3000]);
  clock.advance(10_000);
  expect(reached).toEqual([3000]);
});

it('needs one timer for many invocations that end before it', () => {
  const { clock, deadline, arm, reached, timers } = open();
  for (let count = 0; count < 1000; count += 1) {
    arm(3000);
    clock.advance(1);
    deadline.disarm();
  }
  expect(timers()).toBe(1);
  clock.advance(10_000);
  expect(reached).toEqual([]);
});

it('is that of the last invocation, also if an earlier one had a timer', () => {
  const { clock, deadline, arm, reached } = open();
  arm(3000);
  clock.advance(2000);
  deadline.disarm();
  arm(3000);
  clock.advance(2999);
  expect(reached).toEqual([]);
  clock.advance(1);
  expect(reached).toEqual([5000]);
});

it('can be earlier than the one before', () => {
  const { clock, arm, reached } = open();
  arm(10_000);
  arm(100);
  clock.advance(100);
  expect(reached).toEqual([100]);
  clock.advance(20_000);
  expect(reached).toEqual([100]);
});

it('is not reached after it was closed', () => {
  const { clock, deadline, arm, reached } = open();
  arm(100);
  deadline.close();
  clock.advance(1000);
  expect(reached).toEqual([]);
});
