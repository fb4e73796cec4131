/**
 * Renders an error as a runtime reports it to Lambda: the body that the caller receives, and the headers. The names and
 * the order of the members are those of AWS's Node.js runtime.
 */
import { types } from 'node:util';

export type Failure = {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
};

/** Describes any thrown value. Never throws. */
export function failureOf(thrown: unknown): Failure {
  try {
    if (isError(thrown)) {
      return {
        errorType: printable(thrown.name),
        errorMessage: printable(thrown.message),
        trace: thrown.stack === undefined ? [] : printable(thrown.stack).split('\n'),
      };
    }
    return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, ' +
        'name, and stack',
      trace: [],
    };
  }
}

/** Maximum size of headers and trailers: below Lambda's 1 MiB. */
const MAX_HEAD_BYTES = 1_000_000;

/** Renders a failure as JSON in base64 for a trailer. If it is too long, the trace is omitted and the message is cut. */
export function renderTrailer(failure: Failure): string {
  const whole = toBase64(failure);
  if (whole.length <= MAX_HEAD_BYTES) return whole;
  // A character takes up to six bytes in JSON, and base64 needs four bytes for three.
  return toBase64({ ...failure, errorMessage: failure.errorMessage.slice(0, MAX_HEAD_BYTES / 8 - 200), trace: [] });
}

function toBase64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}

/** Renders the cause for X-Ray with the stack frames; '' if they cannot be read or do not fit into a header. */
export function renderCause(thrown: unknown, workingDirectory: string): string {
  try {
    const { name, message, stack } = thrown as Error;
    const frames = stack === undefined ? [] : printable(stack).split('\n').slice(1).map(parseFrame);
    const cause = {
      working_directory: workingDirectory,
      exceptions: [{ type: printable(name), message: printable(message), stack: frames }],
      paths: [...new Set(frames.map(({ path }) => path))],
    };
    const json = toAscii(JSON.stringify(cause));
    return json.length > MAX_HEAD_BYTES ? '' : json;
  } catch {
    return '';
  }
}

/** Escapes JSON for a header, which may contain ASCII only. */
function toAscii(json: string): string {
  return json.replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `    at label (path:12:5)` or `    at path:12:5`. */
function parseFrame(line: string): { path: string; line: number; label: string } {
  const text = line
    .trim()
    .replace(/[()]/g, '')
    .replace(/^\S*\s/, '');
  const space = text.lastIndexOf(' ');
  const [path = '', number = ''] = text.slice(space + 1).split(':');
  return { path, line: Number.parseInt(number, 10), label: space > 0 ? text.slice(0, space) : 'anonymous' };
}

/** `instanceof` does not work for errors of another realm (node:vm). */
function isError(thrown: unknown): thrown is Error {
  if (types.isNativeError(thrown)) return true;
  const { name, message, stack } = (thrown ?? {}) as Error;
  return Boolean(name && message && stack) && [name, message, stack].every((each) => typeof each === 'string');
}

/** Lambda rejects the DEL character. */
function printable(text: string): string {
  return text.replaceAll('\x7f', '%7F');
}
