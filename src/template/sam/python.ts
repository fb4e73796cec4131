/**
 * How Python writes values. AWS's translator is a Python program: its hashes are taken of Python's JSON, and its messages hold
 * values as `str` and `repr` give them.
 */
import { createHash } from 'node:crypto';
import { isObject, type Json, type JsonObject, numberText } from '../tree.ts';

/** `json.dumps(value, separators=(",", ":"), sort_keys=True)`: keys in the order of code points, other than ASCII escaped. */
export function pythonJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((_, index) => memberJson(value, index)).join(',')}]`;
  if (isObject(value)) {
    const keys = Object.keys(value).sort(compareText);
    return `{${keys.map((key) => `${quotedJson(key)}:${memberJson(value, key)}`).join(',')}}`;
  }
  return scalarJson(value);
}

function memberJson(holder: JsonObject | Json[], key: string | number): string {
  return numberAt(holder, key) ?? pythonJson((holder as JsonObject)[key] as Json);
}

/** A value that is neither a list nor a map, as JSON. */
export function scalarJson(value: Json): string {
  return typeof value === 'string' ? quotedJson(value) : JSON.stringify(value);
}

/** A number as Python writes it: `2.0` stays `2.0`. Undefined if the member is not a number. */
export function numberAt(holder: JsonObject | Json[], key: string | number): string | undefined {
  const text = numberText(holder, key);
  return text === undefined || /^-?\d+$/.test(text) ? text : floatRepr(Number(text));
}

/** The shortest digits, with an exponent below 1e-4 and from 1e16 on. */
function floatRepr(value: number): string {
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
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
  if (Array.isArray(value)) return `[${value.map((_, index) => memberRepr(value, index)).join(', ')}]`;
  return `{${Object.keys(value)
    .map((key) => `${quoted(key)}: ${memberRepr(value, key)}`)
    .join(', ')}}`;
}

function memberRepr(holder: JsonObject | Json[], key: string | number): string {
  return numberAt(holder, key) ?? pythonRepr((holder as JsonObject)[key]);
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
