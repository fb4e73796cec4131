/** AWS::Events::Rule, AWS::Events::EventBus and AWS::Events::EventBusPolicy. */
import { parseEventBusArn, renderRuleArn } from '../../protocol/arn.ts';
import { documentText, pick, tagChanges, tagList, tagMap, tolerateMissing } from './members.ts';
import type { Json, Properties, ResourceContext, ResourceProvider } from './provider.ts';

export const eventsRule: ResourceProvider = {
  type: 'AWS::Events::Rule',
  naming: { property: 'Name', maxLength: 64 },
  async create(properties, context) {
    const name = String(properties.Name);
    const Arn = await putRule(properties, context);
    const bus = busOf(properties);
    // As on AWS, the id of a rule on another bus names the bus.
    const physicalId = bus === 'default' ? name : `${bus}|${name}`;
    context.created(physicalId);
    await putTargets({}, properties, context);
    return { physicalId, attributes: { Arn } };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    await putRule(properties, context);
    await putTargets(before, properties, context);
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    const ResourceARN = renderRuleArn(context.scope, String(properties.Name), busOf(properties));
    if (removed.length > 0) await context.call('events', 'UntagResource', { ResourceARN, TagKeys: removed });
    if (Object.keys(set).length > 0) await context.call('events', 'TagResource', { ResourceARN, Tags: tagList(set) });
    return { physicalId, attributes };
  },
  delete: ({ properties }, context) =>
    tolerateMissing(
      (async () => {
        await putTargets(properties, { ...properties, Targets: [] }, context);
        const EventBusName = busOf(properties);
        await context.call('events', 'DeleteRule', { Name: String(properties.Name), EventBusName });
      })(),
    ),
};

function busOf({ EventBusName }: Properties): string {
  const given = String(EventBusName ?? 'default');
  return parseEventBusArn(given)?.name ?? given;
}

async function putRule(properties: Properties, context: ResourceContext): Promise<string> {
  const { EventPattern } = properties;
  const { RuleArn } = await context.call('events', 'PutRule', {
    ...pick(properties, ['Name', 'Description', 'ScheduleExpression', 'State', 'RoleArn']),
    EventBusName: busOf(properties),
    ...(EventPattern !== undefined && { EventPattern: documentText(EventPattern) }),
    Tags: tagList(tagMap(properties.Tags)),
  });
  return String(RuleArn);
}

/** Puts the targets that are new or changed, and removes those that are gone. */
async function putTargets(before: Properties, after: Properties, context: ResourceContext): Promise<void> {
  const rule = { Rule: String(after.Name), EventBusName: busOf(after) };
  const [had, has] = [targetsOf(before), targetsOf(after)];
  const ids = new Set(has.map(({ Id }) => String(Id)));
  const gone = had.map(({ Id }) => String(Id)).filter((id) => !ids.has(id));
  if (gone.length > 0) await context.call('events', 'RemoveTargets', { ...rule, Ids: gone });
  const known = new Set(had.map((target) => JSON.stringify(target)));
  const Targets = has.filter((target) => !known.has(JSON.stringify(target))).map(withNumbers);
  if (Targets.length > 0) await context.call('events', 'PutTargets', { ...rule, Targets });
}

function targetsOf({ Targets }: Properties): readonly Properties[] {
  return Array.isArray(Targets) ? (Targets as readonly Properties[]) : [];
}

/** Templates may write numbers as texts. */
function withNumbers(target: Properties): Properties {
  const { RetryPolicy } = target;
  if (typeof RetryPolicy !== 'object' || RetryPolicy === null) return target;
  const numbers = Object.entries(RetryPolicy).map(([name, value]): [string, Json] => [name, Number(value)]);
  return { ...target, RetryPolicy: Object.fromEntries(numbers) };
}

export const eventsEventBus: ResourceProvider = {
  type: 'AWS::Events::EventBus',
  async create(properties, context) {
    const name = String(properties.Name);
    const { EventBusArn } = await context.call('events', 'CreateEventBus', {
      ...pick(properties, ['Name', 'Description', 'EventSourceName', 'KmsKeyIdentifier', 'DeadLetterConfig']),
      Tags: tagList(tagMap(properties.Tags)),
    });
    context.created(name);
    return { physicalId: name, attributes: { Arn: String(EventBusArn), Name: name, Policy: '' } };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    const ResourceARN = String(attributes.Arn);
    if (removed.length > 0) await context.call('events', 'UntagResource', { ResourceARN, TagKeys: removed });
    if (Object.keys(set).length > 0) await context.call('events', 'TagResource', { ResourceARN, Tags: tagList(set) });
    return { physicalId, attributes };
  },
  delete: ({ physicalId }, context) => tolerateMissing(context.call('events', 'DeleteEventBus', { Name: physicalId })),
};

export const eventsEventBusPolicy: ResourceProvider = {
  type: 'AWS::Events::EventBusPolicy',
  async create(properties, context) {
    const StatementId = String(properties.StatementId);
    const EventBusName = busOf(properties);
    const { Statement, Action, Principal } = properties;
    if (Statement === undefined) {
      await context.call('events', 'PutPermission', { EventBusName, StatementId, Action, Principal });
    } else {
      const Policy = JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Sid: StatementId, ...(Statement as object) }],
      });
      await context.call('events', 'PutPermission', { EventBusName, Policy });
    }
    return { physicalId: StatementId, attributes: {} };
  },
  delete: ({ physicalId, properties }, context) =>
    tolerateMissing(
      context.call('events', 'RemovePermission', { EventBusName: busOf(properties), StatementId: physicalId }),
    ),
};
