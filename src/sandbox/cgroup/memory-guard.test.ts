import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { createMemoryGuard } from './memory-guard.ts';

const MB = 1024 * 1024;
const children = new Set<ReturnType<typeof spawn>>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

/** Starts a process that holds `bytes` of memory; resolves when it does. */
async function holding(bytes: number): Promise<ReturnType<typeof spawn>> {
  const code = `const held = Buffer.alloc(${bytes}, 1); console.log(held.length); setInterval(() => held, 1e6)`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  await once(child.stdout, 'data');
  return child;
}

describe('the memory guard', () => {
  it('kills the largest process when the processes exceed the limit together', async () => {
    const [small, large] = await Promise.all([holding(10 * MB), holding(200 * MB)]);
    const clock = new FakeClock();
    const guard = createMemoryGuard({
      clock,
      limitBytes: 220 * MB,
      processIds: () => [small, large].flatMap(({ pid }) => pid ?? []),
      onSample: () => {},
    });
    const ended = once(large, 'exit');
    guard.resume();
    expect(guard.kills()).toBe(0);
    clock.advance(100);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(guard.kills()).toBeGreaterThan(0);
    expect(small.exitCode ?? small.signalCode).toBeNull();
    guard.pause();
  });

  it('kills no process below the limit, and samples rarely while much memory is left', async () => {
    const child = await holding(10 * MB);
    const clock = new FakeClock();
    let samples = 0;
    const guard = createMemoryGuard({
      clock,
      limitBytes: 1024 * MB,
      processIds: () => [child.pid ?? 0],
      onSample: () => samples++,
    });
    guard.resume();
    for (let tick = 0; tick < 100; tick++) clock.advance(10);
    expect(guard.kills()).toBe(0);
    expect(samples).toBeGreaterThan(5);
    expect(samples).toBeLessThan(15);
    guard.pause();
    clock.advance(1000);
    expect(samples).toBeLessThan(15);
  });
});
