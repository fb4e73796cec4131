/**
 * The event of `lamella invoke`: read from the command line, a file or standard input, and checked before it is sent. The
 * service would reject the same events, but in the words of AWS's Java parser and without their text.
 */
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../operator-error.ts';
import { findJsonError, type JsonError } from '../wire/json-syntax.ts';

/** Options that give the event. At most one may be set. */
export type EventOptions = { readonly data?: unknown; readonly payload?: unknown; readonly event?: unknown };

type Source = { readonly name: string; readonly bytes: Buffer; readonly isTyped: boolean };

/** Maximum length of the part of a line that is shown below an error. */
const EXCERPT_CHARACTERS = 72;

/**
 * Reads the events, in their order; one that is empty if none was given. An option can be repeated. `--data` and `--payload` take JSON, `@FILE` as curl does, and `file://FILE` or
 * `fileb://FILE` as the AWS CLI does. No JSON value starts that way. `-` is standard input.
 * @throws OperatorError 'usage', 'file-unreadable' or 'event-invalid'
 */
export async function readEvents({ data, payload, event }: EventOptions): Promise<readonly Buffer[]> {
  const given = Object.entries({ '--data': data, '--payload': payload, '--event': event }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1) {
    throw new OperatorError('usage', {
      reason: `Give the event with one option only, not with ${given.map(([flag]) => flag).join(' and ')}.`,
      command: 'invoke',
    });
  }
  const [flag, value] = given[0] ?? [];
  if (flag === undefined) return [Buffer.alloc(0)];
  const events: Buffer[] = [];
  for (const one of Array.isArray(value) ? value : [value]) {
    const source = await readSource(flag, String(one));
    const error = source.bytes.length === 0 ? undefined : findJsonError(source.bytes);
    if (error !== undefined) throw invalidEvent(source, error);
    events.push(source.bytes);
  }
  return events;
}

/** Reads a value that is text, or `@FILE`, as an event is given; it need not be JSON. @throws OperatorError */
export async function readText(flag: string, value: string): Promise<Buffer> {
  return (await readSource(flag, value)).bytes;
}

async function readSource(flag: string, value: string): Promise<Source> {
  const file = flag === '--event' ? value.replace(/^@/, '') : /^(?:@|fileb?:\/\/)(.+)$/s.exec(value)?.[1];
  if (file === undefined) return { name: `The event of ${flag}`, bytes: Buffer.from(value), isTyped: true };
  if (file === '-') {
    return { name: 'The event on standard input', bytes: await readStandardInput(), isTyped: false };
  }
  const bytes = await readFile(file).catch((failure: Error) => {
    throw new OperatorError('file-unreadable', { file, reason: failure.message }, failure);
  });
  return { name: `The event in ${file}`, bytes, isTyped: false };
}

async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function invalidEvent({ name, bytes, isTyped }: Source, error: JsonError): OperatorError {
  const { line, column, reason } = describeError(error, bytes);
  const where = `Line ${line}, column ${column}`;
  return new OperatorError('event-invalid', {
    source: name,
    reason: `${where}: ${reason}.${renderExcerpt(bytes, line, column)}`,
    remedy: remedyFor(bytes, isTyped, reason),
  });
}

/** Positions count from 1, and columns in characters. The parser reports the column after an invalid word, in bytes. */
function describeError({ message, line, column }: JsonError, bytes: Buffer) {
  const text = lineOf(bytes, line);
  const before = text.subarray(0, Math.max(0, column - 1));
  const token = /^Unrecognized token '([^']*)'/.exec(message)?.[1];
  if (token !== undefined) {
    const word = /[\p{L}\p{N}_$.]+$/u.exec(before.toString().replace(/[^\p{L}\p{N}_$.]$/u, ''))?.[0] ?? token;
    const at = before.toString().lastIndexOf(word);
    return { line, column: Math.max(0, at) + 1, reason: `"${shorten(word)}" is not a JSON value` };
  }
  return { line, column: Math.max(1, before.toString().length + 1), reason: reasonOf(message) };
}

/** The parser's message in plain words. */
function reasonOf(message: string): string {
  const character = /^Unexpected character \('(.+?)' \(code/su.exec(message)?.[1];
  const found = character === undefined ? 'something else' : character === '"' ? 'a double quote' : `"${character}"`;
  const close = /^Unexpected close marker '(.)': expected '(.)'/.exec(message);
  if (close) return `expected "${close[2]}", found "${close[1]}"`;
  const missing = /expected close marker for (Object|Array).*line: (\d+), column: (\d+)/s.exec(message);
  if (missing) {
    const [, kind, line, column] = missing;
    const [open, end] = kind === 'Object' ? ['{', '}'] : ['[', ']'];
    return `the event ends before the "${end}" that closes the "${open}" at line ${line}, column ${column}`;
  }
  if (message.includes('expecting double-quote to start field name')) {
    return `expected a name in double quotes, found ${found}`;
  }
  if (message.includes('expecting comma to separate')) return `expected a comma, found ${found}`;
  if (message.includes('expecting a colon')) return `expected a colon after the name, found ${found}`;
  if (/expected a (valid )?value/.test(message)) return `expected a value, found ${found}`;
  if (message.includes('closing quote')) return 'the event ends inside a string';
  if (/^No content/.test(message)) return 'there is only white space';
  if (/^Illegal unquoted character/.test(message)) return 'a string contains a line break or another control character';
  const escaped = /^Unrecognized character escape '(.)'/su.exec(message)?.[1];
  if (escaped !== undefined) return `\\${escaped} is not an escape sequence of JSON`;
  if (/Leading zeroes/.test(message)) return 'a number starts with 0';
  if (/UTF-8/.test(message)) return 'the text is not valid UTF-8';
  if (/end-of-input/.test(message)) return 'the event ends too early';
  return message.replace(/ ?\(code [^)]*\)/g, '').replace(/\.$/, '');
}

function remedyFor(bytes: Buffer, isTyped: boolean, reason: string): string {
  const text = bytes.toString();
  const trimmed = text.trim();
  if (bytes[0] === 0xff || bytes[0] === 0xfe || bytes[1] === 0) return 'Save the file as UTF-8. It looks like UTF-16.';
  if (text.startsWith('\ufeff')) return 'Remove the byte order mark at the start: save the file as UTF-8 without BOM.';
  if (isBase64Json(trimmed)) return 'Give the JSON itself: this looks like JSON in base64.';
  if (/^\s*(\/\/|\/\*|#)/m.test(text)) return 'Remove comments: JSON has none.';
  if (isTyped && !trimmed.includes('"') && /^[[{]?\s*[\p{L}_/]/u.test(trimmed)) {
    if (/^\S+\.json$|^[./~]\S+$/.test(trimmed)) return `To read the event from a file, write --data @${trimmed}.`;
    return `Put the event in single quotes, so that the shell keeps its double quotes: --data '{"name":"World"}'. Text needs double quotes, too: --data '"text"'.`;
  }
  if (/[{[,:]\s*'/.test(text)) return "Use double quotes for names and strings. JSON has no 'single quotes'.";
  if (/,\s*[}\]]/.test(text)) return 'Remove the comma before the closing bracket.';
  const literal = /^"(True|False|None|undefined|NaN|Infinity|nil)"/.exec(reason)?.[1];
  if (literal !== undefined)
    return `Write ${literal === 'True' || literal === 'False' ? literal.toLowerCase() : 'null'} instead.`;
  if (/control character/.test(reason)) return 'Write line breaks in strings as \\n, and tabs as \\t.';
  if (/ends (before|inside|too)/.test(reason)) return 'Complete the event: its end is missing.';
  return 'Correct the event and try again.';
}

function isBase64Json(text: string): boolean {
  if (!/^[A-Za-z0-9+/]{4,}={0,2}$/.test(text)) return false;
  const decoded = Buffer.from(text, 'base64');
  return /^[[{"]/.test(decoded.toString('latin1')) && findJsonError(decoded) === undefined;
}

/** The line of the error with a mark below the position; empty if the line cannot be shown. */
function renderExcerpt(bytes: Buffer, line: number, column: number): string {
  const characters = lineOf(bytes, line).toString().replace(/\t/g, ' ').replace(/\p{C}/gu, '\u00b7');
  if (characters.trim() === '') return '';
  const start = Math.max(0, column - 1 - EXCERPT_CHARACTERS / 2);
  const part = characters.slice(start, start + EXCERPT_CHARACTERS);
  return `\n  ${part}\n  ${' '.repeat(Math.max(0, column - 1 - start))}^`;
}

function lineOf(bytes: Buffer, line: number): Buffer {
  let start = 0;
  for (let current = 1; current < line; current += 1) start = bytes.indexOf('\n', start) + 1;
  const end = bytes.indexOf('\n', start);
  return bytes.subarray(start, end < 0 ? bytes.length : end);
}

function shorten(word: string): string {
  return word.length > 40 ? `${word.slice(0, 40)}...` : word;
}
