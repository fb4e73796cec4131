/**
 * The global console, writing as AWS's Node.js runtime does: time, request id and level before the message, or one JSON
 * object a line; levels below the configured one are silent. A message's own line ends become carriage returns, so that
 * it stays one event. https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
 */
import { writeSync } from 'node:fs';
import { format } from 'node:util';
import { failureOf } from '../../../src/runtime-client/failure.ts';
import type { CurrentInvocation } from './invoke-store.ts';
import { textOf } from './runtime-errors.ts';
import type { Settings } from './settings.ts';

/** From the least to the most urgent. */
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
type Level = (typeof LEVELS)[number];

/** How the runtime itself writes an error to the log. */
export type LogError = (what: string, error: unknown) => void;

/** Replaces the console's methods; gives the runtime's own way to log an error. */
export function patchConsole(settings: Settings, current: CurrentInvocation): LogError {
  const render = settings.isJsonLog ? renderJson : renderText(settings);
  const least = Math.max(0, LEVELS.indexOf(settings.logLevel as Level));
  const methodFor = (level: Level) => {
    if (level !== 'FATAL' && LEVELS.indexOf(level) < least) return () => undefined;
    // Without a message it is undefined, as on AWS: `console.log()` is not an empty line there.
    return (message?: unknown, ...more: unknown[]) => writeLine(render(level, current, [message, ...more]));
  };
  const info = methodFor('INFO');
  Object.assign(console, {
    trace: methodFor('TRACE'),
    debug: methodFor('DEBUG'),
    info,
    log: info,
    warn: methodFor('WARN'),
    error: methodFor('ERROR'),
    fatal: methodFor('FATAL'),
  });
  return (what, error) => {
    const thrown = error instanceof Error ? error : new Error(textOf(error));
    if (settings.isJsonLog) console.error(thrown);
    else console.error(what, `\t${renderLogged(thrown)}`);
  };
}

function renderText({ manners }: Settings) {
  const outside = manners === 'managed-without-callbacks' ? '-' : 'undefined';
  return (level: Level, current: CurrentInvocation, words: readonly unknown[]): string =>
    `${now()}\t${current.requestId() ?? outside}\t${level}\t${format(...words)}`;
}

function renderJson(level: Level, current: CurrentInvocation, words: readonly unknown[]): string {
  const tenantId = current.tenantId();
  const record: Record<string, unknown> = {
    timestamp: now(),
    level,
    requestId: current.requestId(),
    ...(tenantId && { tenantId }),
  };
  if (words.length === 1) {
    record.message = words[0];
    try {
      return JSON.stringify(record, (_key, value) => (value instanceof Error ? describe(value) : value));
    } catch {
      // Circular, or a BigInt: as text then.
      record.message = format(words[0]);
      return JSON.stringify(record);
    }
  }
  record.message = format(...words);
  const error = words.find((word) => word instanceof Error);
  if (error) Object.assign(record, describe(error, false));
  return JSON.stringify(record);
}

function describe(error: Error, withOwn = true): Record<string, unknown> {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : withOwn ? error.stack : [],
    ...(withOwn && { ...error }),
  };
}

/** An error that the runtime itself logs in text format. */
function renderLogged(error: Error): string {
  try {
    return JSON.stringify(error, (_key, value) => {
      if (!(value instanceof Error)) return value;
      const shown: Record<string, unknown> = {
        errorType: value.name,
        errorMessage: value.message,
        code: (value as NodeJS.ErrnoException).code,
        ...value,
      };
      if (typeof value.stack === 'string') shown.stack = value.stack.split('\n');
      return shown;
    });
  } catch {
    // Circular, or it fails when it is looked at.
    return JSON.stringify(failureOf(error));
  }
}

/**
 * Straight to the descriptor: a stream would cost milliseconds of the first invocation, and what it holds back is lost
 * when the process is killed.
 */
function writeLine(line: string): void {
  let bytes = Buffer.from(`${line.replaceAll('\n', '\r')}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (failure) {
      // The handler may have made the pipe non-blocking by using process.stdout; then a full one has to be waited for.
      if ((failure as NodeJS.ErrnoException).code !== 'EAGAIN') throw failure;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function now(): string {
  return new Date().toISOString();
}
