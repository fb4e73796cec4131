/**
 * Makes the global console write as AWS's Node.js runtime does: time, request ID and level before the message, or one
 * JSON object per line. Messages below the configured level are dropped. Line breaks inside a message become carriage
 * returns, so that the message stays one log event. https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
 */
import { writeSync } from 'node:fs';
import { format } from 'node:util';
import { failureOf } from '../../../src/runtime-client/failure.ts';
import type { CurrentInvocation } from './invoke-store.ts';
import { textOf } from './runtime-errors.ts';
import type { Settings } from './settings.ts';

/** In increasing order of severity. */
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;
type Level = (typeof LEVELS)[number];

/** Logs an error on behalf of the runtime itself. */
export type LogError = (what: string, error: unknown) => void;

/** Replaces the console's methods. Returns the function with which the runtime logs its own errors. */
export function patchConsole(settings: Settings, current: CurrentInvocation): LogError {
  const render = settings.isJsonLog ? renderJson : renderText(settings);
  const least = Math.max(0, LEVELS.indexOf(settings.logLevel as Level));
  const methodFor = (level: Level) => {
    if (level !== 'FATAL' && LEVELS.indexOf(level) < least) return () => undefined;
    // Without arguments the message is `undefined`. On AWS `console.log()` does not write an empty line.
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

function renderText({ runtimeGeneration }: Settings) {
  const outside = runtimeGeneration === 'managed-without-callbacks' ? '-' : 'undefined';
  return (level: Level, current: CurrentInvocation, args: readonly unknown[]): string =>
    `${now()}\t${current.requestId() ?? outside}\t${level}\t${format(...args)}`;
}

function renderJson(level: Level, current: CurrentInvocation, args: readonly unknown[]): string {
  const tenantId = current.tenantId();
  const record: Record<string, unknown> = {
    timestamp: now(),
    level,
    requestId: current.requestId(),
    ...(tenantId && { tenantId }),
  };
  if (args.length === 1) {
    record.message = args[0];
    try {
      return JSON.stringify(record, (_key, value) => (value instanceof Error ? describe(value) : value));
    } catch {
      // Circular, or a BigInt: log it as text.
      record.message = format(args[0]);
      return JSON.stringify(record);
    }
  }
  record.message = format(...args);
  const error = args.find((arg) => arg instanceof Error);
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

/** Text format of an error that the runtime itself logs. */
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
    // Circular, or one of its getters throws.
    return JSON.stringify(failureOf(error));
  }
}

/**
 * Writes to the descriptor directly. A stream would cost milliseconds in the first invocation, and its buffer would be lost
 * when the process is killed.
 */
function writeLine(line: string): void {
  let bytes = Buffer.from(`${line.replaceAll('\n', '\r')}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (failure) {
      // process.stdout in a handler makes the pipe non-blocking. Wait until a full pipe accepts data again.
      if ((failure as NodeJS.ErrnoException).code !== 'EAGAIN') throw failure;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function now(): string {
  return new Date().toISOString();
}
