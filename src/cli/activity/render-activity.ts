/**
 * What functions do, as lines for a person or a program: one line for each invocation, and the function's log without
 * AWS's lines around it (START, END, REPORT), which say the same as that line. Pure.
 */
import colors from 'picocolors';
import type { Fact } from '../../environment/facts.ts';
import type { FunctionError } from '../error-remedies.ts';
import { parseFunctionError, renderFunctionError } from '../function-error.ts';

/** Lines of the platform in the text format. A failed INIT_REPORT is shown: nothing else tells its reason. */
const PLATFORM_LINE =
  /^(?:(?:START|END|REPORT) RequestId: [0-9a-f-]{36}\b|XRAY TraceId: |INIT_START Runtime Version: |INIT_REPORT Init Duration: [\d.]+ ms\s*$|(?:EXTENSION|TELEMETRY|LOGS)\tName: )/;
const PLATFORM_EVENT = /^\{"time":"[^"]*","type":"platform\./;

/** `TIME\tREQUEST_ID\tLEVEL\tMESSAGE`, as the Node.js runtimes write it, or `[LEVEL]\tTIME\tREQUEST_ID\tMESSAGE` (Python). */
const NODE_LINE = /^\d{4}-\d\d-\d\dT[\d:.]+Z\t(?:[0-9a-f-]{36}|undefined)?\t([A-Z]+)\t([\s\S]*)$/;
const PYTHON_LINE = /^\[([A-Z]+)\]\t\d{4}-\d\d-\d\dT[\d:.]+Z\t(?:[0-9a-f-]{36})?\t([\s\S]*)$/;

/** Members of a JSON log line that are shown in another way or repeat what the line already says. */
const KNOWN_MEMBERS = [
  'timestamp',
  'time',
  '@timestamp',
  'level',
  'message',
  'requestId',
  'AWSRequestId',
  'function_request_id',
];
/** Longest message that is shown whole, in characters. */
const MAX_MESSAGE = 16_384;

export type ActivityRenderer = (facts: readonly Fact[]) => string;

/**
 * Renders facts as text, each line with the time and the function's name. `sourceOf` is the directory of a function's
 * code, which stands for /var/task in its log. The error of an initialization is shown once, though Lambda tries again.
 */
export function createActivityRenderer(
  isColored: boolean,
  sourceOf: (functionName: string) => string | undefined = () => undefined,
): ActivityRenderer {
  /** By log stream: the error of an initialization whose invocation has not ended. */
  const failed = new Map<string, string>();
  const isRepeated = (fact: Fact) => {
    if (fact.kind === 'invocation') {
      failed.delete(fact.logStream);
      return false;
    }
    const before = failed.get(fact.logStream);
    if (before !== undefined && (FAILED_INIT_REPORT.test(fact.message) || before === initErrorIn(fact.message)))
      return true;
    const error = initErrorIn(fact.message);
    if (error !== undefined && failed.size < MAX_FAILED) failed.set(fact.logStream, error);
    return false;
  };
  return (facts) =>
    facts.map((fact) => (isRepeated(fact) ? '' : renderFact(fact, isColored, sourceOf(fact.functionName)))).join('');
}

/** Log streams whose error is remembered. An environment that ends during its initialization reports no invocation. */
const MAX_FAILED = 1_000;
const FAILED_INIT_REPORT = /^INIT_REPORT Init Duration: .*\tStatus: error\b/;

/** The error of an initialization without the time of its line; undefined for other lines. */
function initErrorIn(message: string): string | undefined {
  const start = message.startsWith('Init Error') ? 0 : message.indexOf('\tInit Error');
  return start < 0 ? undefined : message.slice(start).trim();
}

/** Renders facts on their own. */
export function renderActivity(facts: readonly Fact[], isColored: boolean): string {
  return createActivityRenderer(isColored)(facts);
}

/** Renders facts as JSON, one per line. */
export function renderActivityJson(facts: readonly Fact[]): string {
  return facts
    .map((fact) => {
      const { scope, epochMs, kind, ...rest } = fact;
      const time = new Date(epochMs).toISOString();
      const { region, account } = scope;
      return `${JSON.stringify({ type: kind, time, region, account, ...rest })}\n`;
    })
    .join('');
}

function renderFact(fact: Fact, isColored: boolean, source: string | undefined): string {
  const paint = isColored ? colors : colors.createColors(false);
  const head = `${paint.dim(timeOf(fact.epochMs))} ${paint.cyan(fact.functionName)}`;
  if (fact.kind === 'invocation') {
    const text = describeInvocation(fact);
    return `${head}  ${fact.status === 'success' ? paint.green(text) : paint.red(text)}\n`;
  }
  const message = renderLogMessage(fact.message);
  if (message === undefined) return '';
  const shown = source === undefined ? message : message.replaceAll('/var/task/', source === '' ? '' : `${source}/`);
  const [first = '', ...others] = shown.split('\n');
  return [`${head}  ${first}\n`, ...others.map((line) => `    ${line}\n`)].join('');
}

/** `ok, cold start, 1.52 ms (init 21.87 ms), 16 of 128 MB` */
export function describeInvocation(fact: Fact & { kind: 'invocation' }): string {
  const { status, errorType, isCold, durationMs, initMs, maxMemoryUsedMb, memorySizeMb } = fact;
  const what = status === 'success' ? 'ok' : `${status}${errorType === undefined ? '' : ` (${errorType})`}`;
  const init = initMs === undefined ? '' : ` (init ${initMs.toFixed(2)} ms)`;
  const start = isCold ? 'cold' : 'warm';
  return `${what}, ${start}, ${durationMs.toFixed(2)} ms${init}, ${maxMemoryUsedMb} of ${memorySizeMb} MB`;
}

/** A log event for a person: lines separated by `\n`. Undefined for a line of the platform that tells nothing new. */
export function renderLogMessage(event: string): string | undefined {
  const text = event.replace(/[\r\n]+$/, '');
  if (PLATFORM_LINE.test(text) || PLATFORM_EVENT.test(text)) return undefined;
  // Runtimes separate the lines of one event by carriage returns.
  const lines = printable(shorten(text.replace(/\r\n?/g, '\n')));
  const [, level, message] = NODE_LINE.exec(lines) ?? PYTHON_LINE.exec(lines) ?? [];
  if (message !== undefined) return withLevel(level, renderErrorIn(message) ?? message);
  return renderJson(lines) ?? renderErrorIn(lines) ?? lines;
}

/** A REPORT line in short, for logs that have no facts: `1.52 ms (init 21.87 ms), 16 of 128 MB`; undefined for others. */
export function summarizeReport(event: string): string | undefined {
  if (!event.startsWith('REPORT RequestId: ')) return undefined;
  const field = (name: string) => new RegExp(`\\t${name}: ([^\\t\\n]+)`).exec(event)?.[1];
  const [duration, init, used, size] = ['Duration', 'Init Duration', 'Max Memory Used', 'Memory Size'].map(field);
  const status = field('Status') ?? 'ended';
  const error = field('Error Type');
  const start = init === undefined ? 'warm' : 'cold';
  const cold = init === undefined ? '' : ` (init ${init})`;
  const failure = error === undefined ? '' : ` (${error})`;
  return `${status}${failure}, ${start}, ${duration}${cold}, ${used?.replace(' MB', '')} of ${size}`;
}

/** Control characters of a function must not reach the terminal. Colors may. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.replace(/\x1b\[[\d;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (found) => (found.length > 1 ? found : '\ufffd'));
}

function shorten(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}... (${text.length - MAX_MESSAGE} more)` : text;
}

/** INFO is what most lines are. */
function withLevel(level: unknown, message: string): string {
  return typeof level !== 'string' || level.toUpperCase() === 'INFO' ? message : `${level.toUpperCase()} ${message}`;
}

/** A line that is a JSON object: level, message, error with its trace, and the other members. */
function renderJson(line: string): string | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const error = parseFunctionError(value) ?? parseFunctionError(value.message);
  const others = Object.entries(value)
    .filter(([name]) => !KNOWN_MEMBERS.includes(name) && (error === undefined || !ERROR_MEMBERS.includes(name)))
    .map(([name, member]) => `${name}=${typeof member === 'string' ? member : JSON.stringify(member)}`);
  const { message } = value;
  const text = typeof message === 'string' ? message : message === undefined || error ? '' : JSON.stringify(message);
  const parts = [text, others.join(' ')].filter((part) => part !== '').join('  ');
  if (error === undefined) return withLevel(value.level, parts);
  const shown = renderFunctionError(error).trimEnd();
  return parts === ''
    ? withLevel(value.level ?? 'ERROR', shown)
    : `${withLevel(value.level ?? 'ERROR', parts)}\n${shown}`;
}

const ERROR_MEMBERS = ['errorType', 'errorMessage', 'stackTrace', 'trace', 'stack', 'cause'];

/** Text before an error as JSON, as in `Invoke Error \t{"errorType": ...}`; undefined for other lines. */
function renderErrorIn(line: string): string | undefined {
  const start = line.indexOf('{"error');
  if (start < 0) return undefined;
  const error: FunctionError | undefined = parseFunctionError(parseObject(line.slice(start)));
  if (error === undefined) return undefined;
  const before = line.slice(0, start).trim();
  return `${before === '' ? '' : `${before} `}${renderFunctionError(error).trimEnd()}`;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

/** The local time, `12:34:56`. */
function timeOf(epochMs: number): string {
  return new Date(epochMs).toTimeString().slice(0, 8);
}
