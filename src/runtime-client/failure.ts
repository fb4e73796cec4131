/**
 * An error as a runtime reports it to Lambda: the body that the invoker receives, and the headers beside it. The order
 * and names of the members are those of AWS's runtime for Node.js.
 */
import { types } from 'node:util';

export type Failure = {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
};

/** Describes anything that was thrown. Never throws itself. */
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

/** What headers and trailers may hold in all, less than Lambda's 1 MiB. */
const MAX_HEAD_BYTES = 1_000_000;

/** A failure as JSON in base64, for a trailer: without its trace, and with as much of its message as fits. */
export function renderTrailer(failure: Failure): string {
  const whole = toBase64(failure);
  if (whole.length <= MAX_HEAD_BYTES) return whole;
  // A character takes up to six bytes of JSON, and base64 makes four of three.
  return toBase64({ ...failure, errorMessage: failure.errorMessage.slice(0, MAX_HEAD_BYTES / 8 - 200), trace: [] });
}

function toBase64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}

/** For X-Ray: where it was thrown. '' if that cannot be told, or not in a header. */
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

/** JSON text for a header, which carries ASCII only. */
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

/** Errors of another realm (node:vm) are no instances of ours. */
function isError(thrown: unknown): thrown is Error {
  if (types.isNativeError(thrown)) return true;
  const { name, message, stack } = (thrown ?? {}) as Error;
  return Boolean(name && message && stack) && [name, message, stack].every((each) => typeof each === 'string');
}

/** The platform refuses the DEL character. */
function printable(text: string): string {
  return text.replaceAll('\x7f', '%7F');
}
