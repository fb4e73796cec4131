/**
 * Renders an event as JSON for a schema version. The schemas of the Logs API have fewer events and fewer members, and
 * some events that the Telemetry API does not have. Pure.
 * Sources: AWS's published event schemas, the Logs API's documentation, recordings (docs/behavior/telemetry.md).
 */
import type { SchemaVersion, TelemetryEvent } from '../../protocol/payloads.ts';

/** Renders the event on one line; undefined when the schema does not have it. */
export function renderTelemetryEvent(event: TelemetryEvent, schema: SchemaVersion): string | undefined {
  const record = renderRecord(event, schema);
  if (record === undefined) return undefined;
  return `{"time":"${new Date(event.epochMs).toISOString()}","type":"${event.type}","record":${record}}`;
}

/** Renders JSON in which whole milliseconds have a fraction, as AWS writes them: `5000.0`. */
export function renderWithFractions(record: unknown): string {
  return JSON.stringify(record).replace(/"((?:init)?[dD]urationMs)":(\d+)(?=[,}])/g, '"$1":$2.0');
}

function renderRecord(event: TelemetryEvent, schema: SchemaVersion): string | undefined {
  if ('isStructured' in event) {
    return (carriesObjects(schema) && event.isStructured && asObject(event.record)) || JSON.stringify(event.record);
  }
  return schema === '2020-08-15' || schema === '2021-03-18'
    ? renderForLogsApi(event, schema)
    : renderForTelemetryApi(event, schema);
}

function renderForTelemetryApi(event: PlatformTelemetry, schema: SchemaVersion): string | undefined {
  switch (event.type) {
    case 'platform.end':
    case 'platform.fault':
    case 'platform.logsSubscription':
      return undefined;
    case 'platform.start': {
      // Only the newest schema has the function's ARN.
      const { functionArn: _, ...older } = event.record;
      return renderWithFractions(schema === '2025-01-29' ? event.record : older);
    }
    default:
      return renderWithFractions(event.record);
  }
}

function renderForLogsApi(event: PlatformTelemetry, schema: '2020-08-15' | '2021-03-18'): string | undefined {
  const isNewer = schema === '2021-03-18';
  switch (event.type) {
    case 'platform.start': {
      const { requestId, version } = event.record;
      return JSON.stringify({ requestId, version });
    }
    case 'platform.report': {
      const { requestId, metrics } = event.record;
      return renderWithFractions({ requestId, metrics });
    }
    case 'platform.runtimeDone': {
      const { requestId, status } = event.record;
      // This schema does not have the status `error`.
      return isNewer ? JSON.stringify({ requestId, status: status === 'error' ? 'failure' : status }) : undefined;
    }
    case 'platform.initStart':
    case 'platform.initRuntimeDone':
    case 'platform.initReport':
      return isNewer ? renderWithFractions(event.record) : undefined;
    case 'platform.extension': {
      const { name, state, events } = event.record;
      return JSON.stringify({ name, state, events });
    }
    case 'platform.telemetrySubscription':
      return undefined;
    case 'platform.end':
    case 'platform.fault':
    case 'platform.logsSubscription':
    case 'platform.logsDropped':
      return JSON.stringify(event.record);
  }
}

type PlatformTelemetry = Exclude<TelemetryEvent, { readonly type: 'function' | 'extension' }>;

function carriesObjects(schema: SchemaVersion): boolean {
  return schema === '2022-12-13' || schema === '2025-01-29';
}

/** The line without its end, if it is a JSON object. */
function asObject(line: string): string | undefined {
  const text = line.trim();
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}
