/**
 * Conditions of policy statements: operators, keys and values. Pure.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
import { BlockList, isIP } from 'node:net';
import { arnElements } from '../../protocol/arn.ts';
import { createGlob, globTokens } from '../../protocol/glob.ts';

/** Condition keys with their values. A key without a value is not part of the request. */
export type ConditionContext = Readonly<Record<string, string | undefined>>;

/** All operators and all keys of an operator must match. One of several values is enough. */
export function matchesConditions(condition: unknown, context: ConditionContext): boolean {
  if (condition === undefined) return true;
  if (typeof condition !== 'object' || condition === null) return false;
  const values = new Map(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]));
  return Object.entries(condition).every(([operator, keys]) =>
    Object.entries((keys ?? {}) as Readonly<Record<string, unknown>>).every(([key, wanted]) =>
      matchesOperator(operator, values.get(key.toLowerCase()), listOf(wanted)),
    ),
  );
}

/** Whether `matchesConditions` knows an operator. One that it does not know never matches. */
export function isKnownOperator(operator: string): boolean {
  const { base, stem } = parseOperator(operator);
  return base === 'Null' || Object.hasOwn(COMPARISONS, stem);
}

type Operator = {
  readonly base: string;
  readonly stem: string;
  readonly isNegated: boolean;
  readonly isIfExists: boolean;
};

function parseOperator(operator: string): Operator {
  const [, base = '', ifExists] = /^(?:ForAnyValue:|ForAllValues:)?(\w+?)(IfExists)?$/.exec(operator) ?? [];
  const isNegated = /^(?:String|Arn|Numeric|Date)Not|^NotIpAddress$/.test(base);
  return { base, stem: isNegated ? base.replace('Not', '') : base, isNegated, isIfExists: ifExists !== undefined };
}

function matchesOperator(operator: string, value: string | undefined, wanted: readonly string[]): boolean {
  const { base, stem, isNegated, isIfExists } = parseOperator(operator);
  if (base === 'Null') return wanted.some((text) => (text.toLowerCase() === 'true') === (value === undefined));
  const compare = Object.hasOwn(COMPARISONS, stem) ? COMPARISONS[stem] : undefined;
  if (compare === undefined) return false;
  if (value === undefined) return isIfExists || isNegated;
  return wanted.some((text) => compare(text, value)) !== isNegated;
}

type Comparison = (wanted: string, value: string) => boolean;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  StringEquals: (wanted, value) => wanted === value,
  StringEqualsIgnoreCase: (wanted, value) => wanted.toLowerCase() === value.toLowerCase(),
  StringLike: matchesGlob,
  ArnEquals: matchesArn,
  ArnLike: matchesArn,
  Bool: (wanted, value) => wanted.toLowerCase() === value.toLowerCase(),
  IpAddress: matchesAddress,
  ...ordered('Numeric', Number),
  ...ordered('Date', (text) => (/^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text))),
};

/** `NumericEquals`, `NumericLessThan` and so on. What cannot be read as a number or date never matches. */
function ordered(type: string, read: (text: string) => number): Readonly<Record<string, Comparison>> {
  const by =
    (test: (value: number, limit: number) => boolean): Comparison =>
    (wanted, value) =>
      test(read(value), read(wanted));
  return {
    [`${type}Equals`]: by((value, limit) => value === limit),
    [`${type}LessThan`]: by((value, limit) => value < limit),
    [`${type}LessThanEquals`]: by((value, limit) => value <= limit),
    [`${type}GreaterThan`]: by((value, limit) => value > limit),
    [`${type}GreaterThanEquals`]: by((value, limit) => value >= limit),
  };
}

/** `wanted` is an address or a range: `203.0.113.0/24`. */
function matchesAddress(wanted: string, value: string): boolean {
  const [, network = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(wanted) ?? [];
  const version = isIP(network);
  if (version === 0 || isIP(value) !== version) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const length = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
  if (length > (version === 4 ? 32 : 128)) return false;
  const range = new BlockList();
  range.addSubnet(network, length, family);
  return range.check(value, family);
}

/** Each of the six elements of an ARN matches on its own. The last one contains the remaining colons. */
function matchesArn(pattern: string, arn: string): boolean {
  const wanted = sixElements(pattern);
  const given = sixElements(arn);
  return wanted.length === given.length && wanted.every((element, index) => matchesGlob(element, given[index] ?? ''));
}

export function sixElements(arn: string): readonly string[] {
  const parts = arnElements(arn);
  return [...parts.slice(0, 5), ...(parts.length > 5 ? [parts.slice(5).join(':')] : [])];
}

/** `*` and `?` match as in policies. */
export function matchesGlob(pattern: string, text: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === text;
  return createGlob(globTokens(pattern, { hasOne: true }))(text);
}

/** The values of an element that can be one value or an array. */
export function listOf(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}
