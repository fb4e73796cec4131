/** Filter policies of subscriptions, on the attributes or on the body of a message. Pure. */

import { createEventPattern, InvalidPattern } from '../../protocol/event-pattern.ts';
import { parseJson } from '../../protocol/json.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import type { Publication, Subscription } from './topic.ts';

/** https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html */
const MAX_KEYS = 5;
const MAX_COMBINATIONS = 150;
const MAX_NUMBER = 1e9;

/** Whether a subscription accepts a message. A message that is not JSON matches no policy on the body. */
export function isWanted(
  { attributes: { FilterPolicy, FilterPolicyScope } }: Pick<Subscription, 'attributes'>,
  { message, attributes }: Pick<Publication, 'message' | 'attributes'>,
): boolean {
  if (!FilterPolicy) return true;
  const pattern = createEventPattern(parseJson(FilterPolicy));
  if (FilterPolicyScope !== 'MessageBody') return pattern.matches(valuesOf(attributes));
  try {
    return pattern.matches(parseJson(message));
  } catch {
    return false;
  }
}

/** Why a filter policy is invalid. Undefined if it is valid. */
export function findPolicyProblem(text: string): string | undefined {
  try {
    const policy: unknown = parseJson(text);
    createEventPattern(policy);
    const leaves = leavesOf(policy, 1);
    if (leaves.length > MAX_KEYS) return `Filter policy can not have more than ${MAX_KEYS} keys`;
    const combinations = leaves.reduce((product, { values, depth }) => product * values.length * depth, 1);
    if (combinations > MAX_COMBINATIONS) return 'Filter policy is too complex';
    const number = leaves.flatMap(({ values }) => values).find(isTooLarge);
    return number === undefined ? undefined : `Match value ${number} must be smaller than 1E9`;
  } catch (failure) {
    return failure instanceof InvalidPattern ? failure.message : 'failed to parse JSON.';
  }
}

type Leaf = { readonly values: readonly unknown[]; readonly depth: number };

/** The lists of values of a policy, with their depths. The branches of `$or` count together. */
function leavesOf(policy: unknown, depth: number): Leaf[] {
  return Object.entries(policy as object).flatMap(([name, value]: [string, unknown]) => {
    if (name === '$or' && Array.isArray(value)) return value.flatMap((branch) => leavesOf(branch, depth));
    return Array.isArray(value) ? [{ values: value, depth }] : leavesOf(value, depth + 1);
  });
}

function isTooLarge(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) >= MAX_NUMBER;
}

/** The first property of a policy with nested properties. Undefined if there is none. */
export function findNestedProperty(text: string): string | undefined {
  const policy = parseJson(text) as Readonly<Record<string, unknown>>;
  return Object.keys(policy).find((name) => name !== '$or' && !Array.isArray(policy[name]));
}

/** The values of attributes: `Number` as number, `String.Array` as list. */
function valuesOf(attributes: MessageAttributes): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { DataType, StringValue = '' }]) => {
      if (DataType.startsWith('Number')) return [name, Number(StringValue)];
      if (DataType !== 'String.Array') return [name, StringValue];
      try {
        return [name, parseJson(StringValue)];
      } catch {
        return [name, StringValue];
      }
    }),
  );
}
