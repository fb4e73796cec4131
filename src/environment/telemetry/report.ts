/**
 * The platform's log lines, byte for byte as on AWS, including tabs, trailing tabs and line ends: INIT_START, START, END,
 * REPORT, INIT_REPORT. Pure. The rules and their sources are in docs/behavior/logs.md.
 */
import type { Fault } from '../../protocol/faults.ts';
import type { SubscriptionRecord, TelemetryApi } from '../../protocol/payloads.ts';
import { runtimeVersionOf } from '../../protocol/runtime-version.ts';

/** `INIT_START Runtime Version: provided:al2023.v1 ...`; `runtime` as configured, e.g. `provided.al2023`. */
export function renderInitStart(runtime: string, region: string): string {
  const { name, arn } = runtimeVersionOf(runtime, region);
  return `INIT_START Runtime Version: ${name}\tRuntime Version ARN: ${arn}\n`;
}

/** Without `fault`, the initialization succeeded; AWS then shows the line only for environments that are not on demand. */
export function renderInitReport(stage: 'init' | 'invoke', durationMs: number, fault: Fault | undefined): string {
  if (!fault) return `INIT_REPORT Init Duration: ${durationMs.toFixed(2)} ms\n`;
  const status = fault.status === 'timeout' ? 'timeout' : `${fault.status}\tError Type: ${fault.errorType}`;
  return `INIT_REPORT Init Duration: ${durationMs.toFixed(2)} ms\tPhase: ${stage}\tStatus: ${status}\n`;
}

export function renderStart(requestId: string, version: string): string {
  return `START RequestId: ${requestId} Version: ${version}\n`;
}

export function renderEnd(requestId: string): string {
  return `END RequestId: ${requestId}\n`;
}

export type ReportFields = {
  readonly requestId: string;
  readonly durationMs: number;
  /** Set on a cold start whose initialization ran before the invocation. */
  readonly initMs: number | undefined;
  readonly memorySizeMb: number;
  readonly maxMemoryUsedMb: number;
  /** Set when the platform saw the invocation fail, but not for an error that the handler reported. */
  readonly fault: Fault | undefined;
  /** The trace header, if the function has active tracing. */
  readonly trace: string | undefined;
};

export function renderReport(report: ReportFields): string {
  const { requestId, durationMs, initMs, memorySizeMb, maxMemoryUsedMb, fault, trace } = report;
  const duration = durationMs.toFixed(2);
  const billed = initMs === undefined ? Math.max(1, Math.ceil(Number(duration))) : billedMs(durationMs, initMs);
  const init = initMs === undefined ? '' : `\tInit Duration: ${initMs.toFixed(2)} ms`;
  const fields =
    `REPORT RequestId: ${requestId}\tDuration: ${duration} ms\tBilled Duration: ${billed} ms\t` +
    `Memory Size: ${memorySizeMb} MB\tMax Memory Used: ${maxMemoryUsedMb} MB${init}`;
  const traced = trace === undefined ? '' : renderTrace(trace);
  if (!fault) return `${fields}\t\n${traced}`;
  const type = fault.status === 'timeout' ? '' : `\tError Type: ${fault.errorType}`;
  return `${fields}\tStatus: ${fault.status}${type}\n${traced}`;
}

/** The second line of a traced function's REPORT, in the same log event: `XRAY TraceId: 1-...\tSegmentId: ...` */
function renderTrace(trace: string): string {
  const field = (name: string) => new RegExp(`(?:^|;)${name}=([^;]*)`).exec(trace)?.[1] ?? '';
  const sampled = field('Sampled') === '1' ? '\tSampled: true' : '';
  return `XRAY TraceId: ${field('Root')}\tSegmentId: ${field('Parent')}${sampled}\t\n`;
}

/** `EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE, SHUTDOWN]` */
export function renderExtension(
  extension: { readonly name: string; readonly events: ReadonlySet<string> },
  state: string,
  errorType?: string,
): string {
  const error = errorType === undefined ? '' : `\tError Type: ${errorType}`;
  return `EXTENSION\tName: ${extension.name}\tState: ${state}\tEvents: [${[...extension.events].join(', ')}]${error}\n`;
}

/** `TELEMETRY\tName: x\tState: Subscribed\tTypes: [Platform, Function]`; the Logs API's line has the types as requested. */
export function renderSubscription(api: TelemetryApi, { name, state, types }: SubscriptionRecord): string {
  const isTelemetry = api === 'Telemetry';
  const shown = isTelemetry ? types.map((type) => type.charAt(0).toUpperCase() + type.slice(1)) : types;
  return `${isTelemetry ? 'TELEMETRY' : 'LOGS'}\tName: ${name}\tState: ${state}\tTypes: [${shown.join(', ')}]\n`;
}

/** Milliseconds that AWS would bill: with initialization before the invocation, rounded up, at least 1. */
export function billedMs(durationMs: number, initMs: number | undefined): number {
  return Math.max(1, Math.ceil(Number((durationMs + (initMs ?? 0)).toFixed(2))));
}
