/**
 * Event patterns, the filters of EventBridge, SNS and event source mappings: the values that a JSON document must have.
 * Pure. A pattern is parsed once and then matches many documents. The rules for patterns and the texts of errors are those
 * of AWS's own matcher, https://github.com/aws/event-ruler, without its line and column.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */

import { createGlob, type Glob } from './glob.ts';
import { parseJson } from './json.ts';

export type EventPattern = {
  /** Whether a document (parsed JSON) matches. */
  matches(document: unknown): boolean;
};

/** A pattern is invalid; the message is the reason. */
export class InvalidPattern extends Error {}

type Test = (value: unknown, isPresent: boolean) => boolean;
type Json = { readonly [name: string]: unknown };

/** Nested lists count as one flat list. */
const NESTING = Number.POSITIVE_INFINITY;

/** Parses the JSON text of a pattern. @throws InvalidPattern */
export function parseEventPattern(text: string): EventPattern {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    throw new InvalidPattern('the pattern is not valid JSON');
  }
  return createEventPattern(json);
}

/** As `parseEventPattern`, for JSON that is already parsed. @throws InvalidPattern */
export function createEventPattern(json: unknown): EventPattern {
  const test = objectTest(json, '');
  return { matches: (document) => test(document, document !== undefined) };
}

function objectTest(pattern: unknown, at: string): Test {
  if (!isObject(pattern))
    throw new InvalidPattern(at === '' ? 'Filter is not an object' : `"${nameOf(at)}" must be an object or an array`);
  if (Object.keys(pattern).length === 0) throw new InvalidPattern('Empty objects are not allowed');
  const tests = Object.entries(pattern).map(([name, value]): ((document: Json) => boolean) => {
    const here = at ? `${at}.${name}` : name;
    if (name === '$or') {
      if (!Array.isArray(value) || value.length < 2)
        throw new InvalidPattern(`${here} must list at least two patterns`);
      const branches = value.map((branch, index) => objectTest(branch, `${here}[${index}]`));
      return (document) => branches.some((branch) => branch(document, true));
    }
    const test = Array.isArray(value) ? leafTest(value, here) : objectTest(value, here);
    return (document) => test(...valueAt(document, name));
  });
  return (document, isPresent) => {
    // A list of objects matches when one of them does. If an object is absent, so are all its members.
    if (Array.isArray(document)) {
      return document.flat(NESTING).some((item) => isObject(item) && tests.every((test) => test(item)));
    }
    const object = isObject(document) ? document : isPresent ? undefined : {};
    return object !== undefined && tests.every((test) => test(object));
  };
}

/** The member of that name; a name with dots can also be a path to a nested member. And whether it is present. */
function valueAt(document: Json, name: string): [value: unknown, isPresent: boolean] {
  if (Object.hasOwn(document, name)) return [document[name], true];
  const dot = name.indexOf('.');
  const inner = dot < 0 ? undefined : document[name.slice(0, dot)];
  return isObject(inner) ? valueAt(inner, name.slice(dot + 1)) : [undefined, false];
}

/** A list of alternatives. If the value is a list, one of its items must match. */
function leafTest(alternatives: readonly unknown[], at: string): Test {
  if (alternatives.length === 0) throw new InvalidPattern('Empty arrays are not allowed');
  const tests = alternatives.map((alternative) => alternativeTest(alternative, at));
  return (value, isPresent) => tests.some((test) => test(value, isPresent));
}

function alternativeTest(alternative: unknown, at: string): Test {
  if (!isObject(alternative)) {
    if (Array.isArray(alternative)) {
      throw new InvalidPattern('Match value must be String, number, true, false, or null');
    }
    return eachOf((value) => value === alternative);
  }
  const entries = Object.entries(alternative);
  const [operator, operand] = entries[0] ?? [];
  if (operator === undefined || entries.length !== 1) {
    throw new InvalidPattern(operator === undefined ? 'Empty objects are not allowed' : ONE_KEY);
  }
  if (operator === 'exists') {
    if (typeof operand !== 'boolean') throw new InvalidPattern('exists match pattern must be either true or false.');
    return (_, isPresent) => isPresent === operand;
  }
  if (operator === 'anything-but') return anythingBut(operand, at);
  return eachOf(valueTest(operator, operand, at));
}

/** Absent values match nothing but `exists`. */
function eachOf(test: (value: unknown) => boolean): Test {
  return (value, isPresent) => isPresent && (Array.isArray(value) ? value.flat(NESTING).some(test) : test(value));
}

const ONE_KEY = 'Only one key allowed in match expression';
/** The operators that can be negated. */
const NEGATABLE = ['prefix', 'suffix', 'equals-ignore-case', 'wildcard'];

function anythingBut(operand: unknown, at: string): Test {
  let excluded: (value: unknown) => boolean;
  if (isObject(operand)) {
    const entries = Object.entries(operand);
    const [operator, of] = entries[0] ?? [];
    if (operator === undefined) throw new InvalidPattern('Anything-But expression name not found');
    if (!NEGATABLE.includes(operator)) throw new InvalidPattern(`Unsupported anything-but pattern: ${operator}`);
    if (entries.length > 1) throw new InvalidPattern(ONE_KEY);
    const operands = Array.isArray(of) ? of : [of];
    if (operands.length === 0) throw new InvalidPattern('Empty arrays are not allowed');
    const tests = operands.map((one) => valueTest(operator, one, at));
    excluded = (value) => tests.some((test) => test(value));
  } else {
    const values = new Set(Array.isArray(operand) ? operand : [operand]);
    checkExcludedValues(Array.isArray(operand), [...values]);
    excluded = (value) => values.has(value);
  }
  return eachOf((value) => !excluded(value));
}

function valueTest(operator: string, operand: unknown, at: string): (value: unknown) => boolean {
  switch (operator) {
    case 'prefix':
      return textTest(operand, operator, (value, wanted) => value.startsWith(wanted));
    case 'suffix':
      return textTest(operand, operator, (value, wanted) => value.endsWith(wanted));
    case 'equals-ignore-case':
      return textTest(operand, operator, (value, wanted) => value.toLowerCase() === wanted.toLowerCase());
    case 'wildcard': {
      const glob = wildcardGlob(textOf(operand, operator));
      return (value) => typeof value === 'string' && glob(value);
    }
    case 'numeric':
      return numericTest(operand);
    case 'cidr':
      return cidrTest(textOf(operand, operator), at);
    default:
      throw new InvalidPattern(`Unrecognized match type ${operator}`);
  }
}

function textTest(
  operand: unknown,
  operator: string,
  compare: (value: string, wanted: string) => boolean,
): (value: unknown) => boolean {
  if (isObject(operand) && typeof operand['equals-ignore-case'] === 'string') {
    const wanted = operand['equals-ignore-case'].toLowerCase();
    return (value) => typeof value === 'string' && compare(value.toLowerCase(), wanted);
  }
  const wanted = textOf(operand, operator);
  return (value) => typeof value === 'string' && compare(value, wanted);
}

function textOf(operand: unknown, operator: string): string {
  if (typeof operand !== 'string') throw new InvalidPattern(`${operator} match pattern must be a string`);
  return operand;
}

/** `*` matches any characters, `\*` an asterisk and `\\` a backslash. */
function wildcardGlob(wildcard: string): Glob {
  const wrong = wildcard.match(/^(?:\\[*\\]|\*(?!\*)|[^*\\])*/)?.[0].length ?? 0;
  if (wrong < wildcard.length) {
    const isStar = wildcard[wrong] === '*';
    const reason = isStar ? 'Consecutive wildcard characters' : 'Invalid escape character';
    throw new InvalidPattern(`${reason} at pos ${isStar ? wrong : wrong + 1}`);
  }
  const parts = wildcard.match(/\\[*\\]|\*|[^*\\]+|\\/g) ?? [];
  return createGlob(
    parts.map((part) => (part === '*' ? '*' : { text: part.length === 2 ? part.replace('\\', '') : part })),
  );
}

const COMPARISONS: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

/** One comparison, or a range from `>` or `>=` to `<` or `<=`. */
function numericTest(operand: unknown): (value: unknown) => boolean {
  if (!Array.isArray(operand)) throw new InvalidPattern('Value of numeric must be an array.');
  const [operator, bound, second, top, ...more]: unknown[] = operand;
  const compare = comparison(operator, 'Unrecognized numeric range operator', Object.keys(COMPARISONS));
  const bottom = numberOf(bound, operator);
  if (operand.length === 2) return (value) => typeof value === 'number' && compare(value, bottom);
  if (operator !== '>' && operator !== '>=') throw new InvalidPattern('Too many elements in numeric expression');
  if (typeof second !== 'string') throw new InvalidPattern(`Bad value in numeric range: ${second}`);
  const compareTop = comparison(second, 'Bad numeric range operator', ['<', '<=']);
  const end = numberOf(top, second);
  if (more.length > 0) throw new InvalidPattern('Too many terms in numeric range expression');
  if (end <= bottom) throw new InvalidPattern('Bottom must be less than top');
  return (value) => typeof value === 'number' && compare(value, bottom) && compareTop(value, end);
}

function comparison(operator: unknown, reason: string, allowed: readonly string[]) {
  if (typeof operator !== 'string') throw new InvalidPattern(`Invalid member in numeric match: ${operator ?? ']'}`);
  const compare = allowed.includes(operator) ? COMPARISONS[operator] : undefined;
  if (compare === undefined) throw new InvalidPattern(`${reason}: ${operator}`);
  return compare;
}

function numberOf(value: unknown, operator: unknown): number {
  if (typeof value === 'number') return value;
  throw new InvalidPattern(`Value of ${operator === '=' ? 'equals' : operator} must be numeric`);
}

/** `anything-but` takes a text, a number, or a list of them. */
function checkExcludedValues(isList: boolean, values: readonly unknown[]): void {
  if (!isList && !['string', 'number'].includes(typeof values[0])) {
    throw new InvalidPattern('Value of anything-but must be an array or single string/number value.');
  }
  if (values.length === 0) throw new InvalidPattern('Empty arrays are not allowed');
  if (values.some((value) => typeof value !== 'string' && typeof value !== 'number')) {
    throw new InvalidPattern('Inside anything but list, start|null|boolean is not supported.');
  }
}

/** The last name in a path. */
function nameOf(at: string): string {
  return at.slice(at.lastIndexOf('.') + 1);
}

function cidrTest(cidr: string, at: string): (value: unknown) => boolean {
  const [, base = '', length = ''] = /^([\da-f.:]+)\/(\d{1,3})$/i.exec(cidr) ?? [];
  const from = addressOf(base);
  if (from === undefined || Number(length) > from.bits)
    throw new InvalidPattern(`${at}: ${cidr} is not a range of IP addresses`);
  const rest = BigInt(from.bits - Number(length));
  return (value) => {
    const address = typeof value === 'string' ? addressOf(value) : undefined;
    return address?.bits === from.bits && address.value >> rest === from.value >> rest;
  };
}

type Address = { readonly bits: 32 | 128; readonly value: bigint };

/** An IPv4 address or, with colons, an IPv6 address. */
function addressOf(text: string): Address | undefined {
  if (!text.includes(':')) {
    const parts = text.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : Number.NaN));
    return parts.length === 4 && parts.every((part) => part <= 255)
      ? { bits: 32, value: joined(parts, 8n) }
      : undefined;
  }
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail] = halves;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length > 2 || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined;
  const numbers = groups.map((group) => Number.parseInt(group, 16));
  return { bits: 128, value: joined(numbers, 16n) };
}

function joined(parts: readonly number[], bits: bigint): bigint {
  return parts.reduce((sum, part) => (sum << bits) | BigInt(part), 0n);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
