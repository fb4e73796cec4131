/** Filter policies of subscriptions, on the attributes or on the body of a message. Pure. */

import { createEventPattern, InvalidPattern } from '../../protocol/event-pattern.ts';
import { parseJson } from '../../protocol/json.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import type { Publication, Subscription } from './topic.ts';

/** https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html */
const MAX_KEYS = 5;

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
    const keys = Object.keys(policy as object).length;
    return keys > MAX_KEYS ? `Filter policy can not have more than ${MAX_KEYS} keys` : undefined;
  } catch (failure) {
    return failure instanceof InvalidPattern ? failure.message : 'failed to parse JSON.';
  }
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
