/**
 * The platform's output about one environment: lines for the log, in the function's format, and events for telemetry.
 * The driver reports what happens; this class renders it as AWS does. Without subscribers and in the text format, an
 * invocation costs its three lines, and no event is built.
 */
import type { Clock } from '../../clock.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import type { Fault } from '../../protocol/faults.ts';
import type {
  InitializationType,
  InitPhase,
  PlatformEvent,
  SubscriptionRecord,
  TelemetryApi,
  TelemetrySpan,
  TracingContext,
} from '../../protocol/payloads.ts';
import { runtimeVersionOf } from '../../protocol/runtime-version.ts';
import type { Extension } from '../../runtime-api/extensions/extensions.ts';
import type { TelemetryStream } from '../../runtime-api/telemetry/telemetry-stream.ts';
import type { Invocation } from '../invocation.ts';
import { renderApplicationLine, renderSystemLine } from './log-format.ts';
import {
  billedMs,
  renderEnd,
  renderExtension,
  renderInitReport,
  renderInitStart,
  renderReport,
  renderStart,
  renderSubscription,
} from './report.ts';

export type EnvironmentTelemetryOptions = {
  readonly version: FunctionVersion;
  readonly logStream: string;
  readonly initializationType: InitializationType;
  readonly clock: Clock;
  readonly stream: TelemetryStream;
  /** Writes a line to the log stream; `belongsToInvocation` when it is part of the caller's log tail. */
  readonly log: (line: string, belongsToInvocation: boolean) => void;
};

export type InvocationReport = {
  readonly durationMs: number;
  /** Duration of an initialization before the invocation. */
  readonly initMs: number | undefined;
  readonly maxMemoryUsedMb: number;
  readonly fault: Fault | undefined;
};

/** The invocation in progress; times are those of the monotonic clock. */
type Current = {
  readonly invocation: Invocation;
  offeredAt: number | undefined;
  responseStartedAt: number | undefined;
  respondedAt: number | undefined;
  producedBytes: number;
  runtimeDoneAt: number | undefined;
};

export class EnvironmentTelemetry {
  readonly #options: EnvironmentTelemetryOptions;
  readonly #isJson: boolean;
  /** Whether the runtime's process was started in the current initialization. */
  #hasRuntime = false;
  readonly #extensionErrors = new Map<string, string>();
  #current: Current | undefined;
  /** The reason that was logged since the last invocation ended. */
  #explanation: string | undefined;

  constructor(options: EnvironmentTelemetryOptions) {
    this.#options = options;
    this.#isJson = options.version.configuration.logging.format === 'JSON';
    options.stream.onDropped = (event) => {
      if (this.#isJson) this.#logSystem(event);
    };
  }

  /** Initialization starts; until it ends, extensions may subscribe. */
  initStarted(phase: InitPhase): void {
    const { version, logStream, stream, initializationType, log } = this.#options;
    this.#hasRuntime = false;
    this.#extensionErrors.clear();
    stream.open();
    stream.resume();
    const runtime = version.configuration.runtime ?? 'provided.al2023';
    // The text log has INIT_START only for an initialization before the invocation.
    if (!this.#isJson && phase === 'init') log(renderInitStart(runtime, version.scope.region), false);
    const { name, arn } = runtimeVersionOf(runtime, version.scope.region);
    this.#publish({
      type: 'platform.initStart',
      record: {
        initializationType,
        phase,
        runtimeVersion: name,
        runtimeVersionArn: arn,
        functionName: version.name,
        functionVersion: version.version,
        instanceId: logStream,
        instanceMaxMemory: version.configuration.memoryMib * 1024 * 1024,
      },
    });
  }

  /** The runtime's process was started, or its start failed. */
  runtimeStarted(): void {
    this.#hasRuntime = true;
  }

  /** An extension reported an error or could not be started. */
  extensionFailed(name: string, errorType: string): void {
    this.#extensionErrors.set(name, errorType);
  }

  /** An extension subscribed; the telemetry stream has that event already. */
  subscribed(api: TelemetryApi, record: SubscriptionRecord): void {
    if (!this.#isJson) {
      this.#options.log(renderSubscription(api, record), true);
      return;
    }
    const type = api === 'Telemetry' ? 'platform.telemetrySubscription' : 'platform.logsSubscription';
    this.#logSystem({ type, record });
  }

  /** Initialization has ended; `fault` when it failed. */
  initEnded(phase: InitPhase, durationMs: number, fault: Fault | undefined, extensions: readonly Extension[]): void {
    const { initializationType, log } = this.#options;
    if (this.#hasRuntime) {
      this.#publish({
        type: 'platform.initRuntimeDone',
        record: { initializationType, phase, ...statusOf(fault) },
      });
    }
    for (const { name, state, events } of extensions) {
      const errorType = this.#extensionErrors.get(name);
      if (!this.#isJson) log(renderExtension({ name, events }, state, errorType), true);
      this.#publish({
        type: 'platform.extension',
        record: { name, state, events: [...events], ...(errorType !== undefined && { errorType }) },
      });
    }
    // For on-demand environments, AWS reports only failures.
    if (!this.#isJson && (fault || initializationType !== 'on-demand'))
      log(renderInitReport(phase, durationMs, fault), true);
    this.#publish({
      type: 'platform.initReport',
      record: { initializationType, phase, ...statusOf(fault), metrics: { durationMs: rounded(durationMs) } },
    });
  }

  invocationStarted(invocation: Invocation): void {
    const { version, log } = this.#options;
    this.#current = {
      invocation,
      offeredAt: undefined,
      responseStartedAt: undefined,
      respondedAt: undefined,
      producedBytes: 0,
      runtimeDoneAt: undefined,
    };
    if (!this.#isJson) log(renderStart(invocation.requestId, version.version), true);
    if (!this.#hasReaders) return;
    this.#publish({
      type: 'platform.start',
      record: {
        requestId: invocation.requestId,
        functionArn: invocation.invokedFunctionArn,
        version: version.version,
        ...this.#tracing(invocation),
        ...tenantOf(invocation),
      },
    });
  }

  /** The runtime has been offered the invocation. */
  offered(at: number): void {
    if (this.#current) this.#current.offeredAt = at;
  }

  responseStarted(at: number): void {
    if (this.#current) this.#current.responseStartedAt = at;
  }

  responded(at: number, producedBytes: number): void {
    if (!this.#current) return;
    this.#current.respondedAt = at;
    this.#current.producedBytes = producedBytes;
  }

  /** Whether `runtimeDone` must be called when the runtime asks for its next invocation. */
  get awaitsRuntime(): boolean {
    return this.#hasReaders && this.#current?.respondedAt !== undefined && this.#current.runtimeDoneAt === undefined;
  }

  /** The runtime asked for the next invocation, or failed. Later calls for the same invocation do nothing. */
  runtimeDone(at: number, fault: Fault | undefined): void {
    const current = this.#current;
    if (!current || current.runtimeDoneAt !== undefined) return;
    current.runtimeDoneAt = at;
    if (!this.#hasReaders) return;
    const { offeredAt = at, respondedAt, responseStartedAt, producedBytes, invocation } = current;
    const spans =
      respondedAt === undefined || responseStartedAt === undefined
        ? undefined
        : [
            this.#span('responseLatency', offeredAt, responseStartedAt),
            this.#span('responseDuration', responseStartedAt, respondedAt),
            this.#span('runtimeOverhead', respondedAt, at),
          ];
    this.#publish({
      type: 'platform.runtimeDone',
      record: {
        requestId: invocation.requestId,
        ...statusOf(fault),
        ...(spans && { spans }),
        metrics: { durationMs: rounded(at - offeredAt), producedBytes },
        ...this.#tracing(invocation),
        ...tenantOf(invocation),
      },
    });
  }

  /** The invocation has ended: END and REPORT. */
  invocationEnded(at: number, report: InvocationReport, extensionCount: number): void {
    const current = this.#current;
    this.#explanation = undefined;
    if (!current) return;
    const { version, log } = this.#options;
    const { durationMs, initMs, maxMemoryUsedMb, fault } = report;
    const { requestId } = current.invocation;
    const memorySizeMb = version.configuration.memoryMib;
    if (!this.#isJson) {
      log(renderEnd(requestId), true);
      const trace = this.#tracing(current.invocation).tracing?.value;
      log(renderReport({ requestId, durationMs, initMs, memorySizeMb, maxMemoryUsedMb, fault, trace }), true);
    }
    if (this.#hasReaders) {
      if (fault) this.#publish({ type: 'platform.fault', record: renderFault(requestId, fault) });
      this.#publish({ type: 'platform.end', record: { requestId } });
      const runtimeDoneAt = fault ? undefined : current.runtimeDoneAt;
      const spans =
        extensionCount > 0 && runtimeDoneAt !== undefined
          ? { spans: [this.#span('extensionOverhead', runtimeDoneAt, at)] }
          : {};
      this.#publish({
        type: 'platform.report',
        record: {
          requestId,
          metrics: {
            durationMs: rounded(durationMs),
            billedDurationMs: billedMs(durationMs, initMs),
            memorySizeMB: memorySizeMb,
            maxMemoryUsedMB: maxMemoryUsedMb,
            ...(initMs !== undefined && { initDurationMs: rounded(initMs) }),
          },
          ...spans,
          ...this.#tracing(current.invocation),
          ...statusOf(fault),
        },
      });
    }
    this.#current = undefined;
  }

  /**
   * Logs why a program cannot be started, which AWS's lines do not tell. Only in the log stream: the caller's log tail and
   * subscribers of telemetry get exactly what AWS sends.
   */
  explained(reason: string): void {
    const { clock, log } = this.#options;
    // A failed initialization is repeated within the invocation.
    if (this.#explanation === reason) return;
    this.#explanation = reason;
    const line = `Lamella: ${reason}`;
    const time = new Date(clock.epochMs()).toISOString();
    log(this.#isJson ? `${JSON.stringify({ timestamp: time, level: 'ERROR', message: line })}\n` : `${line}\n`, false);
  }

  /** A line that the process of the runtime (`function`) or an external extension wrote, with its line end. */
  output(source: 'function' | 'extension', line: string): void {
    const { version, clock, stream, log } = this.#options;
    if (stream.isWatched) {
      stream.publish({ type: source, record: line, isStructured: this.#isJson, epochMs: clock.epochMs() });
    }
    if (!this.#isJson || source === 'extension') {
      log(line, true);
      return;
    }
    const kept = renderApplicationLine(line, version.configuration.logging.applicationLogLevel, clock.epochMs());
    if (kept !== undefined) log(kept, true);
  }

  /** Whether platform events have a reader: a subscriber, or the JSON log. */
  get #hasReaders(): boolean {
    return this.#isJson || this.#options.stream.isWatched;
  }

  #publish(event: PlatformEvent): void {
    const { stream, clock } = this.#options;
    if (stream.isWatched) stream.publish({ ...event, epochMs: clock.epochMs() });
    if (this.#isJson) this.#logSystem(event);
  }

  #logSystem(event: PlatformEvent): void {
    const { version, clock, log } = this.#options;
    const line = renderSystemLine(event, clock.epochMs(), version.configuration.logging.systemLogLevel);
    if (line !== undefined) log(line, true);
  }

  #tracing({ traceId }: Invocation): { readonly tracing?: TracingContext } {
    const isActive = this.#options.version.configuration.tracingMode === 'Active';
    return isActive ? { tracing: { type: 'X-Amzn-Trace-Id', value: traceId } } : {};
  }

  #span(name: string, from: number, to: number): TelemetrySpan {
    const { clock } = this.#options;
    const startEpochMs = clock.epochMs() - (clock.monotonicMs() - from);
    return { name, start: new Date(startEpochMs).toISOString(), durationMs: rounded(Math.max(0, to - from)) };
  }
}

function tenantOf({ tenantId }: Invocation): { readonly tenantId?: string } {
  return tenantId === undefined ? {} : { tenantId };
}

/** As on AWS, a timeout has no error type. */
function statusOf(fault: Fault | undefined): { status: Fault['status'] | 'success'; errorType?: string } {
  if (!fault) return { status: 'success' };
  return fault.status === 'timeout' ? { status: 'timeout' } : { status: fault.status, errorType: fault.errorType };
}

/** The record of `platform.fault`, in the form that AWS has used since 2024. */
function renderFault(requestId: string, fault: Fault): string {
  const errorType = fault.status === 'timeout' ? '' : `\tErrorType: ${fault.errorType}`;
  return `RequestId: ${requestId}\tStatus: ${fault.status}${errorType}\n`;
}

/** Milliseconds, rounded down to microseconds. */
function rounded(ms: number): number {
  return Math.trunc(ms * 1000) / 1000;
}
