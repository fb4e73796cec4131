import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runtimeExited } from '../protocol/faults.ts';
import { type Effect, type EnvironmentEvent, type EnvironmentState, step } from './lifecycle.ts';

const held = { requestId: 'r1', timeoutMs: 3000 };
const crash = runtimeExited({ kind: 'exited', code: 1 }, false);

const states = {
  cold: { phase: 'cold', since: 'creation' },
  'cold again': { phase: 'cold', since: 'reset' },
  initializing: { phase: 'initializing', stage: 'init', startedAt: 0, limitMs: 10_000, held, reported: undefined },
  'initializing inside': {
    phase: 'initializing',
    stage: 'invoke',
    startedAt: 0,
    limitMs: 3000,
    held,
    reported: undefined,
  },
  'initializing ahead': {
    phase: 'initializing',
    stage: 'init',
    startedAt: 0,
    limitMs: 130_000,
    held: undefined,
    reported: undefined,
  },
  idle: { phase: 'idle', unreportedInitMs: undefined },
  thawing: { phase: 'thawing', held, unreportedInitMs: 80 },
  invoking: { phase: 'invoking', held, startedAt: 0, initMs: 80 },
  settling: { phase: 'settling', held, startedAt: 0, initMs: 80 },
  resetting: { phase: 'resetting', afterwards: { kind: 'nothing' } },
  'resetting, to retry': { phase: 'resetting', afterwards: { kind: 'initialize-inside', held } },
  'resetting, to conclude': {
    phase: 'resetting',
    afterwards: {
      kind: 'conclude',
      held,
      fault: crash,
      durationMs: 5,
      initMs: 80,
      hasResponded: false,
      hasStarted: true,
    },
  },
  'resetting, to conclude an initialization': {
    phase: 'resetting',
    afterwards: {
      kind: 'conclude',
      held,
      fault: crash,
      durationMs: 5,
      initMs: undefined,
      hasResponded: false,
      hasStarted: false,
    },
  },
  'resetting, has responded': {
    phase: 'resetting',
    afterwards: {
      kind: 'conclude',
      held,
      fault: crash,
      durationMs: 5,
      initMs: undefined,
      hasResponded: true,
      hasStarted: true,
    },
  },
  stopping: { phase: 'stopping', held: undefined },
  'stopping, holding': { phase: 'stopping', held },
  gone: { phase: 'gone' },
} as const satisfies Record<string, EnvironmentState>;

const events = {
  invoke: { kind: 'invoke', at: 100, held },
  thaw: { kind: 'thaw', at: 100, held },
  thawed: { kind: 'thawed', at: 100 },
  initialize: { kind: 'initialize', at: 100, timeoutMs: 3000 },
  registered: { kind: 'registered', at: 100 },
  ready: { kind: 'ready', at: 100 },
  'init-error': { kind: 'init-error', at: 100, errorType: 'Runtime.Unknown', body: '{}' },
  responded: { kind: 'responded', at: 100 },
  exited: { kind: 'exited', at: 100, fault: crash },
  unstartable: { kind: 'unstartable', at: 100, fault: crash },
  deadline: { kind: 'deadline', at: 3001 },
  ended: { kind: 'ended', at: 100 },
  stop: { kind: 'stop', at: 100 },
} as const satisfies Record<EnvironmentEvent['kind'], EnvironmentEvent>;

/** state, event, next phase ('=' for the same, '-' for refused), effects in order. */
const TABLE: readonly [keyof typeof states, keyof typeof events, string, string][] = [
  ['cold', 'invoke', 'initializing', 'log-init-start arm-deadline start-extensions'],
  ['cold', 'initialize', 'initializing', 'log-init-start arm-deadline start-extensions'],
  ['cold', 'stop', 'gone', ''],
  ['cold', 'deadline', '=', ''],
  ['cold', 'thaw', '-', ''],
  ['cold', 'thawed', '-', ''],
  ['cold', 'registered', '-', ''],
  ['cold', 'ready', '-', ''],
  ['cold', 'init-error', '-', ''],
  ['cold', 'responded', '-', ''],
  ['cold', 'exited', '-', ''],
  ['cold', 'unstartable', '-', ''],
  ['cold', 'ended', '-', ''],
  ['cold again', 'invoke', 'initializing', 'log-init-start arm-deadline start-extensions'],
  ['initializing', 'ready', 'invoking', 'log-init-report log-start arm-deadline offer'],
  ['initializing', 'thaw', '-', ''],
  ['initializing', 'thawed', '-', ''],
  ['initializing', 'registered', '=', 'start-runtime'],
  ['initializing', 'init-error', 'initializing', ''],
  ['initializing', 'exited', 'resetting', 'disarm-deadline log-init-report end-processes'],
  ['initializing', 'unstartable', 'resetting', 'disarm-deadline log-init-report end-processes'],
  ['initializing', 'deadline', 'resetting', 'disarm-deadline log-init-report end-processes'],
  ['initializing', 'stop', 'stopping', 'disarm-deadline end-processes'],
  ['initializing', 'invoke', '-', ''],
  ['initializing', 'initialize', '-', ''],
  ['initializing', 'responded', '-', ''],
  ['initializing', 'ended', '-', ''],
  ['initializing inside', 'ready', 'invoking', 'log-init-report log-start offer'],
  ['initializing inside', 'init-error', 'resetting', 'disarm-deadline log-init-report end-processes'],
  ['initializing ahead', 'ready', 'idle', 'disarm-deadline log-init-report release'],
  ['initializing ahead', 'exited', 'resetting', 'disarm-deadline log-init-report end-processes'],
  ['idle', 'invoke', 'invoking', 'log-start arm-deadline offer'],
  ['idle', 'thaw', 'thawing', ''],
  ['idle', 'thawed', '-', ''],
  ['idle', 'exited', 'resetting', 'disarm-deadline end-processes'],
  ['idle', 'stop', 'stopping', 'disarm-deadline end-processes'],
  ['idle', 'registered', '-', ''],
  ['idle', 'ready', '=', ''],
  ['idle', 'deadline', '=', ''],
  ['idle', 'initialize', '-', ''],
  ['idle', 'init-error', '-', ''],
  ['idle', 'responded', '-', ''],
  ['idle', 'unstartable', '-', ''],
  ['idle', 'ended', '-', ''],
  ['thawing', 'thawed', 'invoking', 'log-start arm-deadline offer'],
  ['thawing', 'exited', 'resetting', 'disarm-deadline end-processes'],
  ['thawing', 'stop', 'stopping', 'disarm-deadline end-processes'],
  ['thawing', 'ready', '=', ''],
  ['thawing', 'deadline', '=', ''],
  ['thawing', 'invoke', '-', ''],
  ['thawing', 'thaw', '-', ''],
  ['thawing', 'initialize', '-', ''],
  ['thawing', 'registered', '-', ''],
  ['thawing', 'init-error', '-', ''],
  ['thawing', 'responded', '-', ''],
  ['thawing', 'unstartable', '-', ''],
  ['thawing', 'ended', '-', ''],
  ['invoking', 'responded', 'settling', 'deliver'],
  ['invoking', 'exited', 'resetting', 'disarm-deadline log-runtime-done end-processes'],
  ['invoking', 'deadline', 'resetting', 'disarm-deadline log-runtime-done end-processes'],
  ['invoking', 'stop', 'stopping', 'disarm-deadline end-processes'],
  ['invoking', 'thaw', '-', ''],
  ['invoking', 'thawed', '-', ''],
  ['invoking', 'registered', '-', ''],
  ['invoking', 'ready', '=', ''],
  ['invoking', 'invoke', '-', ''],
  ['invoking', 'initialize', '-', ''],
  ['invoking', 'init-error', '-', ''],
  ['invoking', 'unstartable', '-', ''],
  ['invoking', 'ended', '-', ''],
  ['settling', 'thaw', '-', ''],
  ['settling', 'thawed', '-', ''],
  ['settling', 'registered', '-', ''],
  ['settling', 'ready', 'idle', 'disarm-deadline log-report release'],
  ['settling', 'exited', 'resetting', 'disarm-deadline log-runtime-done end-processes'],
  ['settling', 'deadline', 'resetting', 'disarm-deadline log-runtime-done end-processes'],
  ['settling', 'stop', 'stopping', 'disarm-deadline end-processes'],
  ['settling', 'invoke', '-', ''],
  ['settling', 'initialize', '-', ''],
  ['settling', 'init-error', '-', ''],
  ['settling', 'responded', '-', ''],
  ['settling', 'unstartable', '-', ''],
  ['settling', 'ended', '-', ''],
  ['resetting', 'ended', 'cold', 'release'],
  ['resetting', 'stop', 'stopping', ''],
  ['resetting', 'thaw', '-', ''],
  ['resetting', 'thawed', '=', ''],
  ['resetting', 'registered', '=', ''],
  ['resetting', 'ready', '=', ''],
  ['resetting', 'init-error', '=', ''],
  ['resetting', 'responded', '=', ''],
  ['resetting', 'exited', '=', ''],
  ['resetting', 'unstartable', '=', ''],
  ['resetting', 'deadline', '=', ''],
  ['resetting', 'invoke', '-', ''],
  ['resetting', 'initialize', '-', ''],
  ['resetting, to retry', 'ended', 'initializing', 'log-init-start arm-deadline start-extensions'],
  ['resetting, to retry', 'invoke', '-', ''],
  ['resetting, to conclude', 'invoke', '-', ''],
  ['resetting, to conclude', 'ended', 'cold', 'log-report fail release'],
  ['resetting, to conclude an initialization', 'ended', 'cold', 'log-start log-runtime-done log-report fail release'],
  ['resetting, has responded', 'ended', 'cold', 'log-report release'],
  ['stopping', 'ended', 'gone', ''],
  ['stopping, holding', 'ended', 'gone', 'abandon'],
  ['stopping', 'stop', '=', ''],
  ['stopping', 'thaw', '-', ''],
  ['stopping', 'thawed', '=', ''],
  ['stopping', 'registered', '=', ''],
  ['stopping', 'ready', '=', ''],
  ['stopping', 'init-error', '=', ''],
  ['stopping', 'responded', '=', ''],
  ['stopping', 'exited', '=', ''],
  ['stopping', 'unstartable', '=', ''],
  ['stopping', 'deadline', '=', ''],
  ['stopping', 'invoke', '-', ''],
  ['stopping', 'initialize', '-', ''],
  ['gone', 'invoke', '-', ''],
  ['gone', 'initialize', '-', ''],
  ['gone', 'thaw', '-', ''],
  ['gone', 'thawed', '-', ''],
  ['gone', 'registered', '=', ''],
  ['gone', 'ready', '=', ''],
  ['gone', 'init-error', '=', ''],
  ['gone', 'responded', '=', ''],
  ['gone', 'exited', '=', ''],
  ['gone', 'unstartable', '=', ''],
  ['gone', 'deadline', '=', ''],
  ['gone', 'ended', '=', ''],
  ['gone', 'stop', '=', ''],
];

describe("an environment's lifecycle", () => {
  it.each(TABLE)('%s, %s: %s, %s', (from, event, to, effects) => {
    const result = step(states[from], events[event]);
    if (to === '-') {
      expect(result).toEqual({ refused: `${event} while ${states[from].phase}` });
      return;
    }
    if ('refused' in result) throw new Error(result.refused);
    expect(result.effects.map((effect) => effect.kind).join(' ')).toBe(effects);
    if (to === '=') expect(result.to).toEqual(states[from]);
    else expect(result.to.phase).toBe(to);
  });

  it('has a row for every phase and event', () => {
    const phases = new Set(Object.values(states).map((state) => state.phase));
    const rows = new Set(TABLE.map(([from, event]) => `${states[from].phase} ${event}`));
    const missing = [...phases].flatMap((phase) =>
      Object.keys(events)
        .map((event) => `${phase} ${event}`)
        .filter((pair) => !rows.has(pair)),
    );
    expect(missing).toEqual([]);
  });

  it("has the same transitions in the table and in the header's diagram", () => {
    const header = readFileSync(new URL('./lifecycle.ts', import.meta.url), 'utf8');
    const drawn = [...header.matchAll(/^ \* {3}(\S+) --> (\S+):/gm)].map((match) => `${match[1]} -> ${match[2]}`);
    const real = TABLE.filter(([from, , to]) => to !== '=' && to !== '-' && to !== states[from].phase).map(
      ([from, , to]) => `${states[from].phase} -> ${to}`,
    );
    expect([...new Set(drawn)].sort()).toEqual([...new Set(real)].sort());
  });

  it('gives initialization 10 s before the invocation and the function timeout inside it', () => {
    expect(effect('arm-deadline', states.cold, events.invoke)).toEqual({ kind: 'arm-deadline', at: 10_100 });
    expect(effect('arm-deadline', states['cold again'], events.invoke)).toEqual({ kind: 'arm-deadline', at: 3100 });
    expect(effect('arm-deadline', states.cold, events.initialize)).toEqual({ kind: 'arm-deadline', at: 130_100 });
  });

  it('gives initialization ahead of any call 130 s, or the function timeout if that is longer', () => {
    for (const [timeoutMs, at] of [
      [3000, 130_100],
      [600_000, 600_100],
    ] as const) {
      const result = step({ phase: 'cold', since: 'creation' }, { ...events.initialize, timeoutMs });
      expect('effects' in result && result.effects).toContainEqual({ kind: 'arm-deadline', at });
    }
  });

  it('starts the invocation clock after an initialization before it, and at the start of one inside it', () => {
    expect(effect('offer', states.initializing, events.ready)).toEqual({ kind: 'offer', deadlineAt: 3100 });
    expect(effect('offer', states['initializing inside'], events.ready)).toEqual({ kind: 'offer', deadlineAt: 3000 });
  });

  it('reports Init Duration only when initialization ran before the invocation', () => {
    const ahead = step(states.initializing, events.ready);
    const inside = step(states['initializing inside'], events.ready);
    expect(ahead).toMatchObject({ to: { initMs: 100 } });
    expect(inside).toMatchObject({ to: { initMs: undefined, startedAt: 0 } });
  });

  it('reports a timed out invocation with exactly its timeout', () => {
    const timedOut = step(states.invoking, events.deadline);
    expect(timedOut).toMatchObject({ to: { afterwards: { kind: 'conclude', durationMs: 3000 } } });
  });

  it('reports the error of init/error rather than the exit that follows', () => {
    const reported = step(states.initializing, events['init-error']);
    if ('refused' in reported) throw new Error(reported.refused);
    const exited = step(reported.to, events.exited);
    expect(exited).toMatchObject({
      effects: [{}, { kind: 'log-init-report', fault: { errorType: 'Runtime.Unknown' } }, {}],
    });
  });

  it('runs an invocation with new processes when the old ones exit while they are thawed for it', () => {
    const exited = step(states.thawing, events.exited);
    expect(exited).toMatchObject({ to: { afterwards: { kind: 'initialize-inside', held } } });
  });

  it('starts the invocation clock once the processes are thawed, and reports their Init Duration', () => {
    const thawed = step(states.thawing, { kind: 'thawed', at: 500 });
    expect(thawed).toMatchObject({ to: { phase: 'invoking', startedAt: 500, initMs: 80 } });
    expect(effect('offer', states.thawing, { kind: 'thawed', at: 500 })).toEqual({ kind: 'offer', deadlineAt: 3500 });
  });

  it('holds the invocation of an environment that is stopped while it thaws', () => {
    expect(step(states.thawing, events.stop)).toMatchObject({ to: { phase: 'stopping', held } });
  });

  it('keeps the response of a runtime that exits afterwards', () => {
    const exited = step(states.settling, events.exited);
    expect(exited).toMatchObject({ to: { afterwards: { kind: 'conclude', hasResponded: true } } });
  });
});

function effect(kind: Effect['kind'], state: EnvironmentState, event: EnvironmentEvent): Effect | undefined {
  const result = step(state, event);
  if ('refused' in result) throw new Error(result.refused);
  return result.effects.find((candidate) => candidate.kind === kind);
}
