import { describe, expect, it } from 'vitest';
import { invalidEntrypoint, runtimeExited, timedOut } from '../../protocol/faults.ts';
import { billedMs, renderInitReport, renderInitStart, renderReport, renderStart } from './report.ts';

const fields = {
  requestId: 'id',
  durationMs: 3.014,
  initMs: undefined,
  memorySizeMb: 128,
  maxMemoryUsedMb: 36,
  fault: undefined,
  trace: undefined,
};

describe('log lines of the platform', () => {
  it('ends a successful REPORT with a tab', () => {
    expect(renderReport(fields)).toBe(
      'REPORT RequestId: id\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n',
    );
  });

  it('has Init Duration after the memory on a cold start, and bills it', () => {
    expect(renderReport({ ...fields, durationMs: 295.33, initMs: 12.68 })).toBe(
      'REPORT RequestId: id\tDuration: 295.33 ms\tBilled Duration: 309 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 12.68 ms\t\n',
    );
  });

  it('has the status of a failure, without the tab at the end', () => {
    expect(renderReport({ ...fields, durationMs: 3000, initMs: 402.04, fault: timedOut(3) })).toBe(
      'REPORT RequestId: id\tDuration: 3000.00 ms\tBilled Duration: 3403 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 402.04 ms\tStatus: timeout\n',
    );
    const fault = runtimeExited({ kind: 'exited', code: 1 }, false);
    expect(renderReport({ ...fields, fault })).toMatch(/\tStatus: error\tError Type: Runtime\.ExitError\n$/);
  });

  it('has the trace of a traced function after REPORT', () => {
    const trace = 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1;Lineage=1:a87bd80c:0';
    const xray = 'XRAY TraceId: 1-5bef4de7-ad49b0e87f6ef6c87fc2e700\tSegmentId: 9a9197af755a6419';
    expect(renderReport({ ...fields, trace })).toBe(
      `REPORT RequestId: id\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n${xray}\tSampled: true\t\n`,
    );
    const unsampled = trace.replace('Sampled=1', 'Sampled=0');
    expect(renderReport({ ...fields, trace: unsampled, fault: timedOut(3) })).toMatch(
      new RegExp(`\tStatus: timeout\n${xray}\t\n$`),
    );
  });

  it('bills whole milliseconds and at least one', () => {
    expect([billedMs(2.46, 413.61), billedMs(600_000, 516.31), billedMs(0, undefined), billedMs(5, undefined)]).toEqual(
      [417, 600_517, 1, 5],
    );
  });

  it('renders INIT_START, INIT_REPORT and START as AWS does', () => {
    expect(renderInitStart('provided.al2023', 'eu-west-1')).toMatch(
      /^INIT_START Runtime Version: provided:al2023\.v\d+\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:[0-9a-f]{64}\n$/,
    );
    expect(renderInitReport('init', 0.444, invalidEntrypoint({ kind: 'missing' }))).toBe(
      'INIT_REPORT Init Duration: 0.44 ms\tPhase: init\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n',
    );
    expect(renderInitReport('invoke', 9999.8, timedOut(10))).toBe(
      'INIT_REPORT Init Duration: 9999.80 ms\tPhase: invoke\tStatus: timeout\n',
    );
    expect(renderInitReport('init', 1236.04, undefined)).toBe('INIT_REPORT Init Duration: 1236.04 ms\n');
    expect(renderStart('id', '$LATEST')).toBe('START RequestId: id Version: $LATEST\n');
  });
});

describe('payloads of the platform', () => {
  it.each([
    [
      timedOut(1),
      '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id Error: Task timed out after 1.00 seconds"}',
    ],
    [
      runtimeExited({ kind: 'exited', code: 0 }, false),
      '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited without providing a reason"}',
    ],
    [
      runtimeExited({ kind: 'exited', code: 137 }, false),
      '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited with error: exit status 137"}',
    ],
    [
      runtimeExited({ kind: 'signaled', signal: 'SIGSEGV' }, false),
      '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id Error: Runtime exited with error: signal: segmentation fault"}',
    ],
    [
      runtimeExited({ kind: 'signaled', signal: 'SIGKILL' }, true),
      '{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: id Error: Runtime exited with error: signal: killed"}',
    ],
    [
      invalidEntrypoint({ kind: 'missing' }),
      '{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: id Error: Couldn\'t find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}',
    ],
  ])('%#: have the type before the message', (fault, payload) => {
    expect(fault.payload('id')).toBe(payload);
  });
});
