import { describe, expect, it } from 'vitest';
import type { TelemetryEvent } from '../../protocol/payloads.ts';
import { renderTelemetryEvent } from './telemetry-event.ts';

const epochMs = Date.UTC(2026, 6, 9, 6, 5, 50, 581);

const report: TelemetryEvent = {
  type: 'platform.report',
  epochMs,
  record: {
    requestId: 'id',
    metrics: { durationMs: 5000, billedDurationMs: 5000, memorySizeMB: 128, maxMemoryUsedMB: 94 },
    status: 'timeout',
  },
};
const runtimeDone: TelemetryEvent = {
  type: 'platform.runtimeDone',
  epochMs,
  record: {
    requestId: 'id',
    status: 'error',
    errorType: 'Runtime.ExitError',
    metrics: { durationMs: 1.056, producedBytes: 0 },
  },
};

describe('a telemetry event', () => {
  it('is written as on AWS, with fractions of milliseconds', () => {
    expect(renderTelemetryEvent(report, '2022-12-13')).toBe(
      '{"time":"2026-07-09T06:05:50.581Z","type":"platform.report","record":{"requestId":"id","metrics":{"durationMs":5000.0,"billedDurationMs":5000,"memorySizeMB":128,"maxMemoryUsedMB":94},"status":"timeout"}}',
    );
  });

  it('has fewer members in the schemas of the Logs API, which call an error a failure', () => {
    expect(JSON.parse(renderTelemetryEvent(report, '2020-08-15') ?? '')).toMatchObject({
      record: { requestId: 'id', metrics: { durationMs: 5000 } },
    });
    expect(renderTelemetryEvent(report, '2020-08-15')).not.toContain('status');
    expect(renderTelemetryEvent(runtimeDone, '2021-03-18')).toMatch(
      /"record":\{"requestId":"id","status":"failure"\}\}$/,
    );
    expect(renderTelemetryEvent(runtimeDone, '2020-08-15')).toBeUndefined();
  });

  it('that only the Logs API has is not in the Telemetry API', () => {
    const end: TelemetryEvent = { type: 'platform.end', epochMs, record: { requestId: 'id' } };
    const fault: TelemetryEvent = { type: 'platform.fault', epochMs, record: 'RequestId: id' };
    expect(renderTelemetryEvent(end, '2020-08-15')).toContain('"record":{"requestId":"id"}');
    expect(renderTelemetryEvent(fault, '2021-03-18')).toContain('"record":"RequestId: id"');
    expect([renderTelemetryEvent(end, '2025-01-29'), renderTelemetryEvent(fault, '2022-07-01')]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('carries a structured line as an object from schema 2022-12-13 on, and as a string before', () => {
    const line: TelemetryEvent = { type: 'function', epochMs, record: '{"level":"INFO"}\n', isStructured: true };
    expect(renderTelemetryEvent(line, '2022-12-13')).toContain('"record":{"level":"INFO"}}');
    expect(renderTelemetryEvent(line, '2025-01-29')).toContain('"record":{"level":"INFO"}}');
    expect(renderTelemetryEvent(line, '2022-07-01')).toContain('"record":"{\\"level\\":\\"INFO\\"}\\n"}');
    expect(renderTelemetryEvent(line, '2021-03-18')).toContain('"record":"{');
    expect(renderTelemetryEvent({ ...line, isStructured: false }, '2022-12-13')).toContain('"record":"{');
    expect(renderTelemetryEvent({ ...line, record: '{no object}\n' }, '2022-12-13')).toContain('"record":"{no object}');
  });

  it('does not change a line that looks like a metric of the platform', () => {
    const record = 'x "durationMs":5,\n';
    const line: TelemetryEvent = { type: 'extension', epochMs, record, isStructured: false };
    expect(JSON.parse(renderTelemetryEvent(line, '2022-12-13') ?? '').record).toBe(record);
  });

  it('has the function of a start only in the newest schema', () => {
    const start: TelemetryEvent = {
      type: 'platform.start',
      epochMs,
      record: { requestId: 'id', functionArn: 'arn', version: '$LATEST' },
    };
    expect(renderTelemetryEvent(start, '2025-01-29')).toContain(
      '{"requestId":"id","functionArn":"arn","version":"$LATEST"}',
    );
    expect(renderTelemetryEvent(start, '2022-12-13')).toContain('{"requestId":"id","version":"$LATEST"}');
  });
});
