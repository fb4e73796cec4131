/**
 * The events of the Telemetry and Logs APIs, as unions on their `type`, and what a subscription can request. The order
 * of a record's members is AWS's. Sources: AWS's published event schemas and recordings, see
 * docs/behavior/telemetry.md.
 */

/** The two APIs that send an extension its function's telemetry. The Logs API is the older one. */
export type TelemetryApi = 'Telemetry' | 'Logs';

export const TELEMETRY_CATEGORIES = ['platform', 'function', 'extension'] as const;
/** What a subscription requests: the platform's events, the function's output, the extensions' output. */
export type TelemetryCategory = (typeof TELEMETRY_CATEGORIES)[number];

/** Oldest first. The Logs API defaults to its oldest version; the Telemetry API requires one. */
export const SCHEMA_VERSIONS = {
  Logs: ['2020-08-15', '2021-03-18'],
  Telemetry: ['2022-07-01', '2022-12-13', '2025-01-29'],
} as const satisfies Record<TelemetryApi, readonly string[]>;
export type SchemaVersion = (typeof SCHEMA_VERSIONS)[TelemetryApi][number];

/** Host names of a destination that mean the environment itself. */
export const SANDBOX_HOSTS = ['sandbox.localdomain', 'sandbox'] as const;

export type TelemetryStatus = 'success' | 'error' | 'failure' | 'timeout';
export type InitPhase = 'init' | 'invoke';
export type InitializationType = 'on-demand' | 'provisioned-concurrency';

export type TelemetrySpan = { readonly name: string; readonly start: string; readonly durationMs: number };

export type TracingContext = { readonly type: 'X-Amzn-Trace-Id'; readonly value: string };

type Verdict = { readonly status: TelemetryStatus; readonly errorType?: string };

/** An event of the platform. Durations are milliseconds with up to three decimals. */
export type PlatformEvent =
  | {
      readonly type: 'platform.initStart';
      readonly record: {
        readonly initializationType: InitializationType;
        readonly phase: InitPhase;
        readonly runtimeVersion: string;
        readonly runtimeVersionArn: string;
        readonly functionName: string;
        readonly functionVersion: string;
        /** The log stream's name. */
        readonly instanceId: string;
        /** Bytes. */
        readonly instanceMaxMemory: number;
      };
    }
  | {
      readonly type: 'platform.initRuntimeDone';
      readonly record: { readonly initializationType: InitializationType; readonly phase: InitPhase } & Verdict;
    }
  | {
      readonly type: 'platform.initReport';
      readonly record: {
        readonly initializationType: InitializationType;
        readonly phase: InitPhase;
        readonly metrics: { readonly durationMs: number };
      } & Verdict;
    }
  | {
      readonly type: 'platform.start';
      readonly record: {
        readonly requestId: string;
        readonly functionArn: string;
        readonly version: string;
        readonly tracing?: TracingContext;
        readonly tenantId?: string;
      };
    }
  | {
      readonly type: 'platform.runtimeDone';
      readonly record: {
        readonly requestId: string;
        readonly spans?: readonly TelemetrySpan[];
        readonly metrics: { readonly durationMs: number; readonly producedBytes: number };
        readonly tracing?: TracingContext;
        readonly tenantId?: string;
      } & Verdict;
    }
  | {
      readonly type: 'platform.report';
      readonly record: {
        readonly requestId: string;
        readonly metrics: {
          readonly durationMs: number;
          readonly billedDurationMs: number;
          readonly memorySizeMB: number;
          readonly maxMemoryUsedMB: number;
          readonly initDurationMs?: number;
        };
        readonly spans?: readonly TelemetrySpan[];
        readonly tracing?: TracingContext;
      } & Verdict;
    }
  | {
      readonly type: 'platform.extension';
      readonly record: {
        readonly name: string;
        readonly state: string;
        readonly events: readonly string[];
        readonly errorType?: string;
      };
    }
  | {
      readonly type: 'platform.telemetrySubscription' | 'platform.logsSubscription';
      readonly record: SubscriptionRecord;
    }
  | {
      readonly type: 'platform.logsDropped';
      readonly record: { readonly droppedBytes: number; readonly droppedRecords: number; readonly reason: string };
    }
  /** Logs API only: corresponds to END in the log. */
  | { readonly type: 'platform.end'; readonly record: { readonly requestId: string } }
  /** Logs API only. */
  | { readonly type: 'platform.fault'; readonly record: string };

export type SubscriptionRecord = {
  readonly name: string;
  readonly state: 'Subscribed' | 'Already subscribed';
  readonly types: readonly TelemetryCategory[];
};

/** A line that a process wrote, including its line end. */
export type OutputEvent = {
  readonly type: 'function' | 'extension';
  readonly record: string;
  /** Whether the function's log format is JSON. Newer schemas then parse a line that is a JSON object. */
  readonly isStructured: boolean;
};

/** An event with its time in milliseconds since 1970. */
export type TelemetryEvent = (PlatformEvent | OutputEvent) & { readonly epochMs: number };

/** The category in which subscriptions request an event. */
export function categoryOf(type: TelemetryEvent['type']): TelemetryCategory {
  return type === 'function' || type === 'extension' ? type : 'platform';
}
