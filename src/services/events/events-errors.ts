/** EventBridge's errors, and how requests name buses and rules. */
import { parseEventBusArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import { type Bus, DEFAULT_BUS, type Rule, type RuleStore } from './rule-store.ts';

export function invalid(message: string): JsonError {
  return new JsonError('ValidationException', message);
}

export function notFound(message: string): JsonError {
  return new JsonError('ResourceNotFoundException', message);
}

/** The bus with this name or ARN; without one, the default bus. @throws JsonError ResourceNotFoundException */
export function requireBus(store: RuleStore, scope: Scope, nameOrArn: string = DEFAULT_BUS): Bus {
  const name = parseEventBusArn(nameOrArn)?.name ?? nameOrArn;
  const bus = store.findBus(scope, name);
  if (bus === undefined) throw notFound(`Event bus ${name} does not exist.`);
  return bus;
}

/** @throws JsonError ResourceNotFoundException */
export function requireRule(store: RuleStore, scope: Scope, busNameOrArn: string | undefined, name: string): Rule {
  const bus = requireBus(store, scope, busNameOrArn);
  const rule = store.findRule(scope, bus.name, name);
  if (rule === undefined) throw notFound(`Rule ${name} does not exist on EventBus ${bus.name}.`);
  return rule;
}

/** One page of a list. The token is the position of the next item. */
export function pageOf<Item>(
  items: readonly Item[],
  {
    Limit: limit = 100,
    NextToken: token,
  }: { readonly Limit?: number | undefined; readonly NextToken?: string | undefined },
): { readonly page: readonly Item[]; readonly nextToken: string | undefined } {
  const start = token === undefined ? 0 : Number(Buffer.from(token, 'base64url').toString('utf8')) || 0;
  const end = start + limit;
  return {
    page: items.slice(start, end),
    nextToken: end < items.length ? Buffer.from(String(end)).toString('base64url') : undefined,
  };
}

export function tagsOf(tags: readonly { readonly Key: string; readonly Value: string }[] = []) {
  return Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
}
