import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import { extensionFailed, type Fault, runtimeExited, timedOut } from '../../protocol/faults.ts';
import type { InitializationType, TelemetryEvent } from '../../protocol/payloads.ts';
import type { Extension } from '../../runtime-api/extensions/extensions.ts';
import { TelemetryStream } from '../../runtime-api/telemetry/telemetry-stream.ts';
import type { Invocation } from '../invocation.ts';
import { EnvironmentTelemetry } from './telemetry.ts';

/** A stream with or without subscribers that records what is published. */
class RecordingStream extends TelemetryStream {
  readonly events: TelemetryEvent[] = [];
  hasSubscriber = true;

  override get isWatched(): boolean {
    return this.hasSubscriber;
  }

  override publish(event: TelemetryEvent): void {
    this.events.push(event);
  }
}

const crash = runtimeExited({ kind: 'exited', code: 1 }, false);
const invocation = {
  requestId: 'r1',
  invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:hello',
  traceId: 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1',
} as Invocation;
const ready: Extension = {
  name: 'ext',
  identifier: 'id',
  kind: 'external',
  events: new Set(['INVOKE', 'SHUTDOWN']),
  state: 'Ready',
};

let clock: FakeClock;
let stream: RecordingStream;
let lines: string[];
let tail: string[];

beforeEach(() => {
  clock = new FakeClock(Date.UTC(2026, 9, 8, 7));
  stream = new RecordingStream({ clock });
  lines = [];
  tail = [];
});

function telemetryOf(
  logging: object = { format: 'Text' },
  tracingMode = 'PassThrough',
  initializationType: InitializationType = 'on-demand',
): EnvironmentTelemetry {
  const version = {
    scope: { region: 'us-east-1', account: '123456789012' },
    name: 'hello',
    version: '$LATEST',
    configuration: { runtime: 'provided.al2023', memoryMib: 128, logging, tracingMode },
  } as unknown as FunctionVersion;
  return new EnvironmentTelemetry({
    version,
    logStream: '2026/10/08/[$LATEST]abc',
    initializationType,
    clock,
    stream,
    log: (line, belongsToInvocation) => {
      lines.push(line);
      if (belongsToInvocation) tail.push(line);
    },
  });
}

/** Reports a cold invocation as the driver does, with 1.5 ms between the steps. */
function invokeCold(telemetry: EnvironmentTelemetry, fault?: Fault): void {
  telemetry.initStarted('init');
  telemetry.runtimeStarted();
  telemetry.output('extension', 'extension starts\n');
  telemetry.initEnded('init', 80.1234, undefined, [ready]);
  telemetry.invocationStarted(invocation);
  telemetry.offered(clock.monotonicMs());
  telemetry.output('function', 'works\n');
  clock.advance(1.5);
  if (!fault) {
    telemetry.responseStarted(clock.monotonicMs());
    clock.advance(1.5);
    telemetry.responded(clock.monotonicMs(), 50);
    clock.advance(1.5);
  }
  telemetry.runtimeDone(clock.monotonicMs(), fault);
  clock.advance(1.5);
  const durationMs = fault?.status === 'timeout' ? 3000 : 6;
  telemetry.invocationEnded(clock.monotonicMs(), { durationMs, initMs: 80.1234, maxMemoryUsedMb: 36, fault }, 1);
}

function recordOf(type: TelemetryEvent['type']): unknown {
  return stream.events.find((event) => event.type === type)?.record;
}

describe('the telemetry of an environment', () => {
  it('has the order of AWS', () => {
    invokeCold(telemetryOf());
    expect(stream.events.map(({ type }) => type)).toEqual([
      'platform.initStart',
      'extension',
      'platform.initRuntimeDone',
      'platform.extension',
      'platform.initReport',
      'platform.start',
      'function',
      'platform.runtimeDone',
      'platform.end',
      'platform.report',
    ]);
  });

  it('names the environment and its memory in bytes when initialization starts', () => {
    invokeCold(telemetryOf());
    expect(recordOf('platform.initStart')).toEqual({
      initializationType: 'on-demand',
      phase: 'init',
      runtimeVersion: expect.stringMatching(/^provided:al2023\.v\d+$/),
      runtimeVersionArn: expect.stringMatching(/^arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$/),
      functionName: 'hello',
      functionVersion: '$LATEST',
      instanceId: '2026/10/08/[$LATEST]abc',
      instanceMaxMemory: 134_217_728,
    });
    expect(recordOf('platform.initReport')).toEqual({
      initializationType: 'on-demand',
      phase: 'init',
      status: 'success',
      metrics: { durationMs: 80.123 },
    });
    expect(recordOf('platform.extension')).toEqual({ name: 'ext', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] });
  });

  it("divides the runtime's time into response latency, response duration and overhead", () => {
    invokeCold(telemetryOf());
    expect(recordOf('platform.runtimeDone')).toEqual({
      requestId: 'r1',
      status: 'success',
      spans: [
        { name: 'responseLatency', start: '2026-10-08T07:00:00.000Z', durationMs: 1.5 },
        { name: 'responseDuration', start: '2026-10-08T07:00:00.001Z', durationMs: 1.5 },
        { name: 'runtimeOverhead', start: '2026-10-08T07:00:00.003Z', durationMs: 1.5 },
      ],
      metrics: { durationMs: 4.5, producedBytes: 50 },
    });
  });

  it('reports the metrics and the time of the extensions', () => {
    invokeCold(telemetryOf());
    expect(recordOf('platform.report')).toEqual({
      requestId: 'r1',
      metrics: {
        durationMs: 6,
        billedDurationMs: 87,
        memorySizeMB: 128,
        maxMemoryUsedMB: 36,
        initDurationMs: 80.123,
      },
      spans: [{ name: 'extensionOverhead', start: '2026-10-08T07:00:00.004Z', durationMs: 1.5 }],
      status: 'success',
    });
  });

  it.each([
    [timedOut(3), { status: 'timeout' }, 'RequestId: r1\tStatus: timeout\n'],
    [
      crash,
      { status: 'error', errorType: 'Runtime.ExitError' },
      'RequestId: r1\tStatus: error\tErrorType: Runtime.ExitError\n',
    ],
    [
      extensionFailed('Extension.Crash', 'exit code 0'),
      { status: 'error', errorType: 'Extension.Crash' },
      'RequestId: r1\tStatus: error\tErrorType: Extension.Crash\n',
    ],
  ])('reports a failure by its status: %#', (fault, verdict, text) => {
    invokeCold(telemetryOf(), fault);
    expect(recordOf('platform.runtimeDone')).toEqual({
      requestId: 'r1',
      ...verdict,
      metrics: { durationMs: 1.5, producedBytes: 0 },
    });
    expect(recordOf('platform.report')).toMatchObject(verdict);
    expect(recordOf('platform.fault')).toBe(text);
  });

  it('clamps the duration of a timed out invocation in the report only', () => {
    invokeCold(telemetryOf(), timedOut(3));
    expect(recordOf('platform.report')).toMatchObject({ metrics: { durationMs: 3000 } });
    expect(recordOf('platform.runtimeDone')).toMatchObject({ metrics: { durationMs: 1.5 } });
  });

  it('reports once that the runtime is done', () => {
    const telemetry = telemetryOf();
    telemetry.invocationStarted(invocation);
    telemetry.runtimeDone(1, undefined);
    telemetry.runtimeDone(2, crash);
    expect(stream.events.filter(({ type }) => type === 'platform.runtimeDone')).toHaveLength(1);
  });

  it('does not report the runtime when there was none to start', () => {
    const telemetry = telemetryOf();
    telemetry.initStarted('init');
    telemetry.initEnded('init', 1, crash, []);
    expect(stream.events.map(({ type }) => type)).toEqual(['platform.initStart', 'platform.initReport']);
  });

  it('carries the trace when the function is traced', () => {
    invokeCold(telemetryOf({ format: 'Text' }, 'Active'));
    expect(recordOf('platform.start')).toMatchObject({
      tracing: { type: 'X-Amzn-Trace-Id', value: invocation.traceId },
    });
  });

  it('creates no events without subscribers when the format is text', () => {
    stream.hasSubscriber = false;
    invokeCold(telemetryOf());
    expect(stream.events).toEqual([]);
    expect(lines).toHaveLength(7);
  });
});

describe('the text log', () => {
  it('shows subscriptions and extensions before START', () => {
    const telemetry = telemetryOf();
    telemetry.initStarted('init');
    telemetry.subscribed('Telemetry', {
      name: 'ext',
      state: 'Subscribed',
      types: ['platform', 'function', 'extension'],
    });
    telemetry.subscribed('Logs', { name: 'old', state: 'Already subscribed', types: ['platform'] });
    telemetry.initEnded('init', 80, undefined, [ready]);
    telemetry.invocationStarted(invocation);
    expect(lines.slice(1)).toEqual([
      'TELEMETRY\tName: ext\tState: Subscribed\tTypes: [Platform, Function, Extension]\n',
      'LOGS\tName: old\tState: Already subscribed\tTypes: [platform]\n',
      'EXTENSION\tName: ext\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n',
      'START RequestId: r1 Version: $LATEST\n',
    ]);
  });

  it('shows the error of an extension that failed', () => {
    const telemetry = telemetryOf();
    telemetry.initStarted('init');
    telemetry.extensionFailed('ext', 'Extension.ConfigInvalid');
    telemetry.initEnded('init', 80, crash, [{ ...ready, state: 'InitError', events: new Set() }]);
    expect(lines.slice(1)).toEqual([
      'EXTENSION\tName: ext\tState: InitError\tEvents: []\tError Type: Extension.ConfigInvalid\n',
      'INIT_REPORT Init Duration: 80.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n',
    ]);
  });

  it('shows INIT_START once, outside the log tail, and INIT_REPORT only for a failure', () => {
    const telemetry = telemetryOf();
    telemetry.initStarted('init');
    telemetry.initEnded('init', 80, undefined, []);
    telemetry.initStarted('invoke');
    telemetry.initEnded('invoke', 80, undefined, []);
    expect(lines).toEqual([expect.stringMatching(/^INIT_START /)]);
    expect(tail).toEqual([]);
  });
});

describe('the text log of a provisioned environment', () => {
  it('shows INIT_REPORT also after a successful initialization', () => {
    const telemetry = telemetryOf({ format: 'Text' }, 'PassThrough', 'provisioned-concurrency');
    telemetry.initStarted('init');
    telemetry.initEnded('init', 80, undefined, [ready]);
    expect(lines.slice(1)).toEqual([
      'EXTENSION\tName: ext\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n',
      'INIT_REPORT Init Duration: 80.00 ms\n',
    ]);
  });
});

describe('the text log of a traced function', () => {
  it('ends with the trace', () => {
    invokeCold(telemetryOf({ format: 'Text' }, 'Active'));
    expect(lines.at(-1)).toMatch(
      /^REPORT .*\t\nXRAY TraceId: 1-5bef4de7-ad49b0e87f6ef6c87fc2e700\tSegmentId: 9a9197af755a6419\tSampled: true\t\n$/,
    );
  });
});

describe('the JSON log', () => {
  const json = { format: 'JSON', systemLogLevel: 'DEBUG', applicationLogLevel: 'WARN' };

  it("has the platform's events as lines, without END", () => {
    stream.hasSubscriber = false;
    invokeCold(telemetryOf(json));
    const types = lines.map((line) => (line.startsWith('{') ? (JSON.parse(line) as { type: string }).type : line));
    expect(types).toEqual([
      'platform.initStart',
      'extension starts\n',
      'platform.initRuntimeDone',
      'platform.extension',
      'platform.initReport',
      'platform.start',
      'platform.runtimeDone',
      'platform.report',
    ]);
  });

  it("has the function's lines from its ApplicationLogLevel upwards; subscribers get all lines", () => {
    const telemetry = telemetryOf(json);
    const warn = '{"level":"WARN","timestamp":"2026-10-08T07:00:00Z"}\n';
    telemetry.output('function', '{"level":"INFO","timestamp":"2026-10-08T07:00:00Z"}\n');
    telemetry.output('function', warn);
    expect(lines).toEqual([warn]);
    expect(stream.events).toMatchObject([{ isStructured: true }, { isStructured: true, record: warn }]);
  });
});
