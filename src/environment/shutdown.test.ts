/** How long the runtime may take to exit, on a clock that stands still. */
import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { RuntimeSession } from '../runtime-api/session.ts';
import type { Sandbox, SandboxProcess } from '../sandbox/sandbox.ts';
import { endProcesses } from './shutdown.ts';

it.each([
  ['500 ms with an internal extension', 'internal', 500],
  ['300 ms with external extensions only', 'external', 300],
])('a runtime that ignores SIGTERM is killed after %s', async (_, kind, ms) => {
  const clock = new FakeClock();
  const signals: string[] = [];
  const process = { exited: new Promise(() => {}), signal: (name: string) => signals.push(name) };
  const runtime = process as unknown as SandboxProcess;
  const all = [{ kind, name: 'one', events: new Set(['INVOKE']) }];
  const session = {
    extensions: { count: 1, all, publish: () => signals.push('SHUTDOWN') },
  } as unknown as RuntimeSession;
  const sandbox = { killAll: async () => signals.push('all killed') } as unknown as Sandbox;
  const ended = endProcesses({ runtime, extensions: new Map() }, 'timeout', { session, sandbox, clock });
  clock.advance(ms - 1);
  await Promise.resolve();
  expect(signals).toEqual(['SIGTERM']);
  clock.advance(1);
  await expect.poll(() => signals).toEqual(expect.arrayContaining(['SIGTERM', 'SIGKILL', 'SHUTDOWN']));
  clock.advance(2000);
  await ended;
  expect(signals).toEqual(['SIGTERM', 'SIGKILL', 'SHUTDOWN', 'all killed']);
});
