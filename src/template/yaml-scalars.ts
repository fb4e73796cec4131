/**
 * What a plain scalar of a YAML template means: YAML 1.1 as CloudFormation reads it. `yes`, `no`, `on` and `off` are
 * booleans. Dates, times and numbers with a leading zero (account ids) stay text.
 */

/** A number comes with its text where JavaScript would write it in another way: `2.0`. */
export type ScalarValue = { readonly value: null | boolean | number | string; readonly numberText?: string };

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const TRUES = new Set(['true', 'True', 'TRUE', 'yes', 'Yes', 'YES', 'on', 'On', 'ON']);
const FALSES = new Set(['false', 'False', 'FALSE', 'no', 'No', 'NO', 'off', 'Off', 'OFF']);

const INTEGER = /^[-+]?(?:0|[1-9][0-9_]*)$/;
const RADIX_INTEGER = /^([-+]?)(0x[0-9a-fA-F_]+|0b[01_]+)$/;
const FLOAT = /^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?$/;

/** The value of a plain scalar without a tag. */
export function readPlainScalar(text: string): ScalarValue {
  if (NULLS.has(text)) return { value: null };
  if (TRUES.has(text)) return { value: true };
  if (FALSES.has(text)) return { value: false };
  return readNumber(text) ?? { value: text };
}

/**
 * The value of a scalar with one of YAML's own tags, without its prefix: `str`, `int`, `float`, `bool`, `null`. Undefined
 * for other tags, which CloudFormation does not support, and where the text does not fit the tag.
 */
export function readTaggedScalar(tag: string, text: string): ScalarValue | undefined {
  if (tag === 'str') return { value: text };
  const read = tag === 'int' || tag === 'float' ? readNumber(text) : readPlainScalar(text);
  const type = { int: 'number', float: 'number', bool: 'boolean', null: 'object' }[tag];
  return read && typeof read.value === type ? read : undefined;
}

/** Whether YAML 1.1 reads the text as an octal number, which most YAML readers other than this one do. */
export function looksOctal(text: string): boolean {
  return /^[-+]?0[0-7_]+$/.test(text);
}

function readNumber(text: string): ScalarValue | undefined {
  const digits = text.replaceAll('_', '');
  if (INTEGER.test(text) || FLOAT.test(text)) return withText(Number(digits), digits);
  const radix = RADIX_INTEGER.exec(text);
  if (!radix) return undefined;
  const value = Number(radix[2]?.replaceAll('_', ''));
  return Number.isNaN(value) ? undefined : { value: radix[1] === '-' ? -value : value };
}

function withText(value: number, text: string): ScalarValue {
  if (!Number.isFinite(value)) return { value: text };
  return String(value) === text ? { value } : { value, numberText: text.replace(/^\+/, '') };
}
