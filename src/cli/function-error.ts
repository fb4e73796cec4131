/**
 * Shows the error of a function to a person: type, message and stack trace once, with a remedy where one is known. The
 * payload and, in most runtimes, a line of the log contain the same error as JSON, which is hard to read. The payload on
 * standard output and the log in CloudWatch Logs are not changed.
 */
import { type FunctionError, remedyOf } from './error-remedies.ts';

/** Maximum depth at which an error is looked for in a JSON line, and of nested causes. */
const MAX_DEPTH = 4;

/** Parses the error that a function's payload or a JSON line of its log contains. */
export function parseFunctionError(value: unknown, depth = 0): FunctionError | undefined {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return undefined;
  const { errorType, errorMessage, stackTrace, trace, stack, cause } = value as Record<string, unknown>;
  if (typeof errorType !== 'string' && typeof errorMessage !== 'string') return undefined;
  const type = typeof errorType === 'string' ? errorType : 'Error';
  const message = typeof errorMessage === 'string' ? errorMessage : JSON.stringify(errorMessage ?? '');
  const lines = [stackTrace, trace, stack].map(linesOf).find((found) => found.length > 0) ?? [];
  return { type, message, trace: withoutHead(lines, message), cause: parseFunctionError(cause, depth + 1) };
}

/** Parses the payload of a failed function; undefined if it is not an error in Lambda's form. */
export function parseErrorPayload(payload: Buffer): FunctionError | undefined {
  try {
    return parseFunctionError(JSON.parse(payload.toString()));
  } catch {
    return undefined;
  }
}

/** Renders an error for the terminal, with its causes and its remedy. Ends with a line break. */
export function renderFunctionError(error: FunctionError): string {
  const lines: string[] = [];
  for (let current: FunctionError | undefined = error; current; current = current.cause) {
    const prefix = current === error ? '' : 'Caused by ';
    // Messages of the platform begin with the request ID, which the log has already.
    const message = current.message.replace(/^RequestId: \S+ (Error: )?/, '');
    lines.push(`${prefix}${current.type}${message === '' ? '' : `: ${message}`}`);
    lines.push(...current.trace.map((line) => (/^\s/.test(line) ? line : `    ${line}`)));
  }
  const remedy = remedyOf(error);
  if (remedy !== undefined) lines.push('', remedy);
  return `${lines.join('\n')}\n`;
}

/**
 * Removes the lines of a log that only repeat `error`. Returns the error with what those lines contain and the payload
 * lacks: the stack trace and the causes.
 */
export function separateError(
  log: string,
  error: FunctionError,
): { readonly log: string; readonly error: FunctionError } {
  let complete = error;
  const kept = log.split(/(?<=\n)/).filter((line) => {
    const repeated = findRepetition(line, error);
    if (repeated === undefined) return true;
    if (complete.trace.length === 0) complete = { ...complete, trace: repeated.trace };
    complete = { ...complete, cause: complete.cause ?? repeated.cause };
    return false;
  });
  return { log: kept.join(''), error: complete };
}

/** The error in a line of the log, if it is `error`: as JSON, or as Python's runtime writes it. */
function findRepetition(line: string, error: FunctionError): FunctionError | undefined {
  const start = line.indexOf('{');
  if (start >= 0 && line.trimEnd().endsWith('}')) {
    try {
      const found = findError(JSON.parse(line.slice(start)), error, 0);
      if (found !== undefined) return found;
    } catch {
      // The line is not JSON.
    }
  }
  // Several lines in one event, separated by carriage returns.
  const [head, ...rest] = line.replace(/[\r\n]+$/, '').split('\r');
  if (
    head === `[ERROR] ${error.type}: ${error.message.split('\n')[0]}` &&
    (rest.length > 0 || error.trace.length > 0)
  ) {
    return { ...error, trace: rest };
  }
  return undefined;
}

function findError(value: unknown, error: FunctionError, depth: number): FunctionError | undefined {
  const found = parseFunctionError(value);
  if (found?.type === error.type && found.message === error.message) return found;
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return undefined;
  for (const member of Object.values(value)) {
    const inner = findError(member, error, depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function linesOf(value: unknown): string[] {
  const lines = Array.isArray(value) ? value.filter((line) => typeof line === 'string') : [];
  const all = typeof value === 'string' ? [value] : lines;
  return all.flatMap((line) => line.replace(/\n$/, '').split('\n'));
}

/** Node's traces begin with the type and the message, which may have several lines. */
function withoutHead(lines: string[], message: string): string[] {
  if (lines[0] === undefined || /^\s+(at|File) |^#\d/.test(lines[0])) return lines;
  const length = message.split('\n').length;
  return lines.slice(0, length).join('\n').endsWith(message) ? lines.slice(length) : lines;
}
