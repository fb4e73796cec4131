import { describe, expect, it } from 'vitest';
import type { PlatformEvent } from '../../protocol/payloads.ts';
import { renderApplicationLine, renderSystemLine } from './log-format.ts';

const epochMs = Date.UTC(2026, 9, 8, 7, 30, 29, 470);
const init = { initializationType: 'on-demand', phase: 'init' } as const;
const provisioned = { initializationType: 'provisioned-concurrency', phase: 'init' } as const;
const metrics = { durationMs: 1, billedDurationMs: 1, memorySizeMB: 128, maxMemoryUsedMB: 9 };
const failed = { status: 'error', errorType: 'Runtime.ExitError' } as const;

const EVENTS: readonly [string, PlatformEvent][] = [
  [
    'INFO',
    {
      type: 'platform.initStart',
      record: {
        ...init,
        runtimeVersion: 'v',
        runtimeVersionArn: 'a',
        functionName: 'f',
        functionVersion: '1',
        instanceId: 's',
        instanceMaxMemory: 1,
      },
    },
  ],
  ['DEBUG', { type: 'platform.initRuntimeDone', record: { ...init, status: 'success' } }],
  ['WARN', { type: 'platform.initRuntimeDone', record: { ...init, ...failed } }],
  ['DEBUG', { type: 'platform.initReport', record: { ...init, status: 'success', metrics: { durationMs: 1 } } }],
  ['INFO', { type: 'platform.initReport', record: { ...provisioned, status: 'success', metrics: { durationMs: 1 } } }],
  ['WARN', { type: 'platform.initReport', record: { ...init, status: 'timeout', metrics: { durationMs: 1 } } }],
  ['INFO', { type: 'platform.start', record: { requestId: 'r', functionArn: 'a', version: '1' } }],
  [
    'DEBUG',
    {
      type: 'platform.runtimeDone',
      record: { requestId: 'r', status: 'success', metrics: { durationMs: 1, producedBytes: 0 } },
    },
  ],
  [
    'WARN',
    {
      type: 'platform.runtimeDone',
      record: { requestId: 'r', ...failed, metrics: { durationMs: 1, producedBytes: 0 } },
    },
  ],
  ['INFO', { type: 'platform.report', record: { requestId: 'r', metrics, status: 'success' } }],
  ['WARN', { type: 'platform.report', record: { requestId: 'r', metrics, status: 'timeout' } }],
  ['INFO', { type: 'platform.extension', record: { name: 'x', state: 'Ready', events: [] } }],
  ['WARN', { type: 'platform.extension', record: { name: 'x', state: 'InitError', events: [], errorType: 'E.X' } }],
  ['INFO', { type: 'platform.telemetrySubscription', record: { name: 'x', state: 'Subscribed', types: ['platform'] } }],
  ['WARN', { type: 'platform.logsDropped', record: { droppedBytes: 1, droppedRecords: 1, reason: 'r' } }],
];

describe('lines of the platform in the JSON log format', () => {
  it('are the telemetry events as AWS writes them', () => {
    const record = {
      requestId: '79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36',
      metrics: {
        durationMs: 1233.96,
        billedDurationMs: 1698,
        memorySizeMB: 256,
        maxMemoryUsedMB: 123,
        initDurationMs: 463.512,
      },
      status: 'success',
    } as const;
    expect(renderSystemLine({ type: 'platform.report', record }, epochMs, 'INFO')).toBe(
      '{"time":"2026-10-08T07:30:29.470Z","type":"platform.report","record":{"requestId":"79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36","metrics":{"durationMs":1233.96,"billedDurationMs":1698,"memorySizeMB":256,"maxMemoryUsedMB":123,"initDurationMs":463.512},"status":"success"}}\n',
    );
  });

  it.each(EVENTS)('at %s and below: $type', (level, event) => {
    const seenAt = ['DEBUG', 'INFO', 'WARN'].filter(
      (minimum) => renderSystemLine(event, epochMs, minimum) !== undefined,
    );
    expect(seenAt).toEqual(['DEBUG', 'INFO', 'WARN'].slice(0, ['DEBUG', 'INFO', 'WARN'].indexOf(level) + 1));
  });

  it('do not include END or a fault', () => {
    expect(renderSystemLine({ type: 'platform.end', record: { requestId: 'r' } }, epochMs, 'DEBUG')).toBeUndefined();
    expect(renderSystemLine({ type: 'platform.fault', record: 'r' }, epochMs, 'DEBUG')).toBeUndefined();
  });
});

describe("a function's lines in the JSON log format", () => {
  const at = (level: string) => `{"level":"${level}","timestamp":"2026-10-08T07:30:29Z","message":"m"}\n`;

  it.each([
    ['DEBUG', ['TRACE', 'DEBUG']],
    ['debug', ['TRACE', 'DEBUG']],
    ['INFO', ['TRACE', 'DEBUG', 'INFO']],
    ['ERROR', ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR']],
    ['FATAL', ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']],
    ['loud', ['TRACE', 'DEBUG', 'INFO']],
  ])('of level %s reach the log up to its level, unchanged', (level, expected) => {
    const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
    const kept = levels.filter((minimum) => renderApplicationLine(at(level), minimum, epochMs) !== undefined);
    expect(kept).toEqual(expected);
    expect(renderApplicationLine(at(level), 'TRACE', epochMs)).toBe(at(level));
  });

  it('count as INFO and are unchanged when they are not JSON objects', () => {
    for (const line of ['plain\n', '"text"\n', '[1]\n', '{broken\n', '\n', 'no end']) {
      expect(renderApplicationLine(line, 'INFO', epochMs)).toBe(line);
      expect(renderApplicationLine(line, 'WARN', epochMs)).toBeUndefined();
    }
  });

  it('count as INFO and get a timestamp when they do not have a valid one', () => {
    expect(renderApplicationLine('{"level":"ERROR","message":"m"}\n', 'INFO', epochMs)).toBe(
      '{"timestamp":"2026-10-08T07:30:29.470Z","level":"ERROR","message":"m"}\n',
    );
    expect(renderApplicationLine('{"level":"ERROR","message":"m"}\n', 'WARN', epochMs)).toBeUndefined();
    expect(renderApplicationLine('{"level":"DEBUG"}', 'INFO', epochMs)).toBe(
      '{"timestamp":"2026-10-08T07:30:29.470Z","level":"DEBUG"}',
    );
  });

  it('keep their text when they get a timestamp', () => {
    const timestamp = '"timestamp":"2026-10-08T07:30:29.470Z"';
    for (const [line, expected] of [
      ['{}\n', `{${timestamp}}\n`],
      [' { }', `{${timestamp} }`],
      ['{"n":12345678901234567890, "f":1.0,"f":2}\n', `{${timestamp},"n":12345678901234567890, "f":1.0,"f":2}\n`],
      ['{"timestamp":"soon","level":"ERROR"}\n', '{"timestamp":"soon","level":"ERROR"}\n'],
    ] as const)
      expect(renderApplicationLine(line, 'INFO', epochMs)).toBe(expected);
  });

  it.each([5000, 50_000, 120_000])('nested %i deep get a timestamp, in linear time', (depth) => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const line = `{"a":${open.repeat(depth / open.length)}1${close.repeat(depth / open.length)}}\n`;
      expect(renderApplicationLine(line, 'INFO', epochMs)).toBe(
        `{"timestamp":"2026-10-08T07:30:29.470Z",${line.slice(1)}`,
      );
    }
  });

  it('may use the timestamp keys of the managed runtimes', () => {
    for (const key of ['timestamp', 'time', '@timestamp']) {
      const line = `{"level":"ERROR","${key}":"2026-10-08T07:30:29.123+02:00"}\n`;
      expect(renderApplicationLine(line, 'ERROR', epochMs)).toBe(line);
    }
  });
});
