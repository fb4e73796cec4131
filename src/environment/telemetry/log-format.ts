/**
 * The JSON log format: which lines of the platform and of the function are logged, and in which form. A platform line is
 * the telemetry event; a function's line is not changed, except that a timestamp may be added. Pure. The lines of the
 * text format are in `report.ts`.
 * The rules and their sources are in docs/behavior/logging.md.
 */
import type { PlatformEvent } from '../../protocol/payloads.ts';
import { renderWithFractions } from '../../runtime-api/telemetry/telemetry-event.ts';

/** From the most detail to the least. */
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
export type LogLevel = (typeof LEVELS)[number];

/** The keys that the managed runtimes use for a line's time. */
const TIMESTAMP_KEYS = ['timestamp', 'time', '@timestamp'] as const;

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Renders the line of a platform event; undefined when it is below the function's SystemLogLevel or never logged. */
export function renderSystemLine(
  event: PlatformEvent,
  epochMs: number,
  minimum: string | undefined,
): string | undefined {
  const level = levelOf(event);
  if (level === undefined || rank(level) < rank(minimum)) return undefined;
  return `{"time":"${new Date(epochMs).toISOString()}","type":"${event.type}","record":${renderWithFractions(event.record)}}\n`;
}

/**
 * Renders a function's line for the log; undefined when it is below the function's ApplicationLogLevel. The level of a
 * JSON object with a valid timestamp is its `level`. Every other line counts as INFO, and an object without a timestamp
 * gets one, as its first member. The object is not rendered again: deep nesting would exceed the stack, and numbers would
 * lose digits.
 */
export function renderApplicationLine(line: string, minimum: string | undefined, epochMs: number): string | undefined {
  const object = parseObject(line);
  const level = object && hasTimestamp(object) ? declaredLevel(object) : 'INFO';
  if (rank(level) < rank(minimum)) return undefined;
  // A timestamp of its own that is not valid stays.
  if (!object || hasTimestamp(object) || Object.hasOwn(object, 'timestamp')) return line;
  const members = line.slice(line.indexOf('{') + 1);
  const isEmpty = members.trimStart().startsWith('}');
  return `{"timestamp":"${new Date(epochMs).toISOString()}"${isEmpty ? '' : ','}${members}`;
}

/** The log level that AWS gives an event; undefined for events that only telemetry subscribers receive. */
function levelOf(event: PlatformEvent): LogLevel | undefined {
  switch (event.type) {
    case 'platform.initStart':
      // INFO because it has the runtime's version, which Lamella's events always do.
      return 'INFO';
    case 'platform.initRuntimeDone':
    case 'platform.runtimeDone':
      return event.record.status === 'success' ? 'DEBUG' : 'WARN';
    case 'platform.initReport':
      if (event.record.status !== 'success') return 'WARN';
      return event.record.initializationType === 'on-demand' ? 'DEBUG' : 'INFO';
    case 'platform.start':
    case 'platform.telemetrySubscription':
    case 'platform.logsSubscription':
      return 'INFO';
    case 'platform.report':
      return event.record.status === 'success' ? 'INFO' : 'WARN';
    case 'platform.extension':
      return event.record.errorType === undefined ? 'INFO' : 'WARN';
    case 'platform.logsDropped':
      return 'WARN';
    case 'platform.end':
    case 'platform.fault':
      return undefined;
  }
}

function rank(level: string | undefined): number {
  const at = (LEVELS as readonly string[]).indexOf(level ?? 'INFO');
  return at === -1 ? LEVELS.indexOf('INFO') : at;
}

function declaredLevel(object: Readonly<Record<string, unknown>>): string {
  const { level } = object;
  return typeof level === 'string' ? level.toUpperCase() : 'INFO';
}

function hasTimestamp(object: Readonly<Record<string, unknown>>): boolean {
  return TIMESTAMP_KEYS.some((key) => {
    const value = object[key];
    return typeof value === 'string' && RFC_3339.test(value) && !Number.isNaN(Date.parse(value));
  });
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.trimStart().startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}
