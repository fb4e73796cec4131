/** EventBridge's operations on events, event buses and tags. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { parseEventBusArn, parseRuleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { createEventPattern, InvalidPattern } from '../../protocol/event-pattern.ts';
import { type EVENTS_OPERATIONS, EVENTS_QUOTAS } from '../../protocol/events-operations.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Scope } from '../../protocol/names.ts';
import { JsonError } from '../../wire/json-protocol.ts';
import type { OperationHandlers } from '../../wire/structure.ts';
import type { EventRules } from './event-rules.ts';
import { invalid, notFound, pageOf, requireBus, requireRule, tagsOf } from './events-errors.ts';
import { type Bus, DEFAULT_BUS, type RuleStore, type Tags } from './rule-store.ts';

type BusOperations = Pick<
  typeof EVENTS_OPERATIONS,
  | 'PutEvents'
  | 'TestEventPattern'
  | 'CreateEventBus'
  | 'DescribeEventBus'
  | 'DeleteEventBus'
  | 'ListEventBuses'
  | 'PutPermission'
  | 'RemovePermission'
  | 'TagResource'
  | 'UntagResource'
  | 'ListTagsForResource'
>;

type Entry = {
  readonly Time?: number | undefined;
  readonly Source?: string | undefined;
  readonly Resources?: readonly string[] | undefined;
  readonly DetailType?: string | undefined;
  readonly Detail?: string | undefined;
  readonly EventBusName?: string | undefined;
  readonly TraceHeader?: string | undefined;
};

export function createBusHandlers({
  store,
  rules,
  clock,
}: {
  store: RuleStore;
  rules: Pick<EventRules, 'put'>;
  clock: Clock;
}): OperationHandlers<BusOperations, object> {
  const putEntry = async (entry: Entry, scope: Scope): Promise<object> => {
    const fault = faultOf(entry);
    if (fault !== undefined) return { ErrorCode: fault[0], ErrorMessage: fault[1] };
    const bus = requireBus(store, scope, entry.EventBusName);
    const id = randomUUID();
    const event = {
      version: '0',
      id,
      'detail-type': entry.DetailType,
      source: entry.Source,
      account: scope.account,
      time: renderIsoSeconds(entry.Time === undefined ? clock.epochMs() : entry.Time * 1000),
      region: scope.region,
      resources: entry.Resources ?? [],
      detail: parseJson(entry.Detail as string),
    };
    await rules.put(bus.arn, JSON.stringify(event), entry.TraceHeader);
    return { EventId: id };
  };

  const changeTags = (arn: string, scope: Scope, change: (tags: Tags) => Tags): Tags => {
    const ruleArn = parseRuleArn(arn);
    if (ruleArn !== undefined) {
      const rule = requireRule(store, scope, ruleArn.bus, ruleArn.name);
      const tags = change(rule.tags);
      if (tags !== rule.tags) store.saveRule({ ...rule, tags });
      return tags;
    }
    const busArn = parseEventBusArn(arn);
    if (busArn === undefined)
      throw invalid(`Parameter ${arn} is not valid. Reason: Provided Arn is not in correct format.`);
    const bus = requireBus(store, scope, busArn.name);
    const tags = change(bus.tags);
    if (tags !== bus.tags) store.saveBus({ ...bus, tags });
    return tags;
  };

  return {
    async PutEvents({ Entries: entries }, { scope }) {
      if (entries.reduce((bytes, entry) => bytes + sizeOf(entry), 0) > EVENTS_QUOTAS.requestBytes) {
        throw invalid('Total size of the entries in the request is over the limit.');
      }
      // All buses exist, or nothing is sent.
      for (const { EventBusName } of entries) requireBus(store, scope, EventBusName);
      const results = await Promise.all(entries.map((entry) => putEntry(entry, scope)));
      return { FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length, Entries: results };
    },

    TestEventPattern({ EventPattern: pattern, Event: event }) {
      const parsed = parsedPattern(pattern);
      const document = parsedEvent(event);
      return { Result: parsed.matches(document) };
    },

    CreateEventBus({ Name: name, Description: description, Tags: tags, ...recorded }, { scope }) {
      if (recorded.EventSourceName !== undefined) {
        throw invalid('Lamella has no partner event sources: leave out EventSourceName.');
      }
      if (name.includes('/'))
        throw invalid(`Parameter Name is not valid. Reason: Event bus name '${name}' contains "/".`);
      if (store.findBus(scope, name) !== undefined) {
        throw new JsonError('ResourceAlreadyExistsException', `Event bus ${name} already exists.`);
      }
      const bus = store.saveBus({ scope, name, description, tags: tagsOf(tags), recorded });
      return { EventBusArn: bus.arn, Description: description, ...recorded };
    },
    DescribeEventBus: ({ Name: name }, { scope }) => renderBus(requireBus(store, scope, name)),
    DeleteEventBus({ Name: name }, { scope }) {
      if (name === DEFAULT_BUS) throw invalid(`Cannot delete event bus ${name}.`);
      const bus = store.findBus(scope, name);
      if (bus === undefined) return {};
      if (store.rules(scope, name).length > 0) throw invalid("Event bus can't be deleted since it has rules.");
      store.removeBus(bus);
      return {};
    },
    ListEventBuses({ NamePrefix: prefix = '', ...given }, { scope }) {
      const buses = store.buses(scope).filter(({ name }) => name.startsWith(prefix));
      const { page, nextToken } = pageOf(buses, given);
      return { EventBuses: page.map(renderBus), NextToken: nextToken };
    },

    PutPermission({ EventBusName, Action, Principal, StatementId, Policy }, { scope }) {
      const bus = requireBus(store, scope, EventBusName);
      store.saveBus({ ...bus, policy: Policy ?? withStatement(bus, { Action, Principal, StatementId }) });
      return {};
    },
    RemovePermission({ EventBusName, StatementId, RemoveAllPermissions: isAll = false }, { scope }) {
      const bus = requireBus(store, scope, EventBusName);
      const kept = isAll ? [] : statementsOf(bus).filter(({ Sid }) => Sid !== StatementId);
      if (!isAll && kept.length === statementsOf(bus).length) {
        throw notFound(
          bus.policy === undefined
            ? 'EventBus does not have a policy.'
            : 'Statement with the provided id does not exist.',
        );
      }
      store.saveBus({ ...bus, policy: kept.length > 0 ? renderPolicy(kept) : undefined });
      return {};
    },

    TagResource({ ResourceARN: arn, Tags: added }, { scope }) {
      changeTags(arn, scope, (tags) => ({ ...tags, ...tagsOf(added) }));
      return {};
    },
    UntagResource({ ResourceARN: arn, TagKeys: keys }, { scope }) {
      changeTags(arn, scope, (tags) => Object.fromEntries(Object.entries(tags).filter(([key]) => !keys.includes(key))));
      return {};
    },
    ListTagsForResource({ ResourceARN: arn }, { scope }) {
      const tags = changeTags(arn, scope, (present) => present);
      return { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
    },
  };
}

/** @throws JsonError InvalidEventPatternException */
export function parsedPattern(text: string) {
  const refused = (reason: string) =>
    new JsonError('InvalidEventPatternException', `Event pattern is not valid. Reason: ${reason}`);
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (failure) {
    throw refused(failure instanceof Error ? failure.message : String(failure));
  }
  try {
    return createEventPattern(json);
  } catch (failure) {
    throw failure instanceof InvalidPattern ? refused(failure.message) : failure;
  }
}

/** TestEventPattern wants the members that every event has. */
function parsedEvent(text: string): object {
  let event: unknown;
  try {
    event = parseJson(text);
  } catch {
    throw invalid('Parameter Event is not valid.');
  }
  const isEvent = typeof event === 'object' && event !== null && !Array.isArray(event);
  const missing = ['id', 'detail-type', 'source', 'account', 'time', 'region', 'resources'].some(
    (name) => !isEvent || !Object.hasOwn(event as object, name),
  );
  if (missing) throw invalid('Parameter Event is not valid.');
  return event as object;
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html */
function faultOf({ Source: source, DetailType: detailType, Detail: detail }: Entry): [string, string] | undefined {
  const missing = (name: string): [string, string] => [
    'InvalidArgument',
    `Parameter ${name} is not valid. Reason: ${name} is a required argument.`,
  ];
  if (!source) return missing('Source');
  if (source.startsWith('aws.')) {
    return ['NotAuthorizedForSourceException', `Not authorized for the source ${source}.`];
  }
  if (!detailType) return missing('DetailType');
  if (!detail) return missing('Detail');
  try {
    const json = parseJson(detail);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return undefined;
  } catch {
    // Not JSON.
  }
  return ['MalformedDetail', 'Detail is malformed.'];
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html */
function sizeOf({ Time, Source = '', DetailType = '', Detail = '', Resources = [] }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources].map((text) => Buffer.byteLength(text));
  return texts.reduce((sum, bytes) => sum + bytes, Time === undefined ? 0 : 14);
}

function renderBus({ name, arn, description, policy, createdMs, modifiedMs, recorded }: Bus): object {
  const times = name === DEFAULT_BUS ? {} : { CreationTime: createdMs / 1000, LastModifiedTime: modifiedMs / 1000 };
  return { Name: name, Arn: arn, Description: description, Policy: policy, ...recorded, ...times };
}

type Statement = { readonly Sid?: string };

function statementsOf({ policy }: Bus): readonly Statement[] {
  if (policy === undefined) return [];
  try {
    return (parseJson(policy) as { Statement?: Statement[] }).Statement ?? [];
  } catch {
    return [];
  }
}

function withStatement(
  bus: Bus,
  {
    Action = 'events:PutEvents',
    Principal = '*',
    StatementId = '',
  }: Record<'Action' | 'Principal' | 'StatementId', string | undefined>,
): string {
  const statement = {
    Sid: StatementId,
    Effect: 'Allow',
    Principal: Principal === '*' ? '*' : { AWS: Principal },
    Action,
    Resource: bus.arn,
  };
  return renderPolicy([...statementsOf(bus).filter(({ Sid }) => Sid !== StatementId), statement]);
}

function renderPolicy(statements: readonly Statement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}
