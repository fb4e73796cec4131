/**
 * How Python writes values. AWS's translator is a Python program: its hashes are taken of Python's JSON, and its messages hold
 * values as `str` and `repr` give them.
 */
import { createHash } from 'node:crypto';
import type { Json } from '../tree.ts';

/** `json.dumps(value, separators=(",", ":"), sort_keys=True)`: keys in the order of code points, other than ASCII escaped. */
export function pythonJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => compareText(a, b));
    return `{${members.map(([key, member]) => `${quotedJson(key)}:${pythonJson(member)}`).join(',')}}`;
  }
  return typeof value === 'string' ? quotedJson(value) : JSON.stringify(value);
}

/** `str(value)`. */
export function pythonStr(value: Json | undefined): string {
  return typeof value === 'string' ? value : pythonRepr(value);
}

/** `repr(value)`, also of what is inside lists and maps. `undefined` is None. */
export function pythonRepr(value: Json | undefined): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${quoted(key)}: ${pythonRepr(member)}`)
    .join(', ')}}`;
}

/** Whether Python takes the value for true: not None, False, 0, or empty. */
export function isTruthy(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** The first digits of the SHA-1 of a text, or of a value's JSON; empty for nothing. */
export function hashOf(value: Json | undefined, length = 10): string {
  if (!isTruthy(value) || value === undefined) return '';
  const text = typeof value === 'string' ? value : pythonJson(value);
  return createHash('sha1').update(text, 'utf8').digest('hex').slice(0, length);
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll(quote, `\\${quote}`);
  return `${quote}${escaped}${quote}`;
}

/** Text as JSON in ASCII. */
export function quotedJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Order of code points, as Python sorts text. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  for (let at = 0; ; ) {
    const left = a.codePointAt(at);
    const right = b.codePointAt(at);
    if (left === undefined) return right === undefined ? 0 : -1;
    if (right === undefined) return 1;
    if (left !== right) return left - right;
    at += left > 0xffff ? 2 : 1;
  }
}
