/**
 * The JSON log format: which lines of the platform and of the function reach the log, and in what form. A line of the
 * platform is the telemetry event as it is; a line of the function stays what it is. Pure; the text format's lines are
 * in `report.ts`. Sources: lambda-behaviour.md 6.4 and 6.5 (documentation, recordings).
 */
import type { PlatformEvent } from '../../protocol/payloads.ts';
import { renderWithFractions } from '../../runtime-api/telemetry/telemetry-event.ts';

/** From the most detail to the least. */
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
export type LogLevel = (typeof LEVELS)[number];

/** The names under which the managed runtimes write a line's time. */
const TIMESTAMP_KEYS = ['timestamp', 'time', '@timestamp'] as const;

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** The line of a platform event; undefined when it is below the function's SystemLogLevel, or never logged. */
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
 * The line of a function as it reaches the log; undefined when it is below the function's ApplicationLogLevel. A JSON
 * object tells its own level, in `level`, provided that it has a valid timestamp; every other line counts as INFO, and
 * an object without a timestamp is given one.
 */
export function renderApplicationLine(line: string, minimum: string | undefined, epochMs: number): string | undefined {
  const object = parseObject(line);
  const level = object && hasTimestamp(object) ? declaredLevel(object) : 'INFO';
  if (rank(level) < rank(minimum)) return undefined;
  if (!object || hasTimestamp(object)) return line;
  const end = line.endsWith('\n') ? '\n' : '';
  return `${JSON.stringify({ timestamp: new Date(epochMs).toISOString(), ...object })}${end}`;
}

/** How important AWS holds an event; undefined for those that only subscribers hear of. */
function levelOf(event: PlatformEvent): LogLevel | undefined {
  switch (event.type) {
    case 'platform.initStart':
      // INFO because it names the runtime's version, which ours always does.
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
