/** AWS::Scheduler::Schedule and AWS::Scheduler::ScheduleGroup. */
import { SCHEDULER_OPERATIONS } from '../../protocol/scheduler-operations.ts';
import { wireMembers } from '../../wire/rest-json-protocol.ts';
import { tagChanges, tagList, tagMap, tolerateMissing } from './members.ts';
import type { Json, Properties, ResourceProvider } from './provider.ts';

export const schedulerSchedule: ResourceProvider = {
  type: 'AWS::Scheduler::Schedule',
  naming: { property: 'Name', maxLength: 64 },
  async create(properties, context) {
    const { ScheduleArn } = await context.call('scheduler', 'CreateSchedule', {
      ...membersOf(properties),
      ClientToken: context.token,
    });
    const physicalId = String(properties.Name);
    context.created(physicalId);
    return { physicalId, attributes: { Arn: String(ScheduleArn) } };
  },
  async update({ physicalId, properties: before }, properties, context) {
    const isMoved = String(before.GroupName ?? 'default') !== String(properties.GroupName ?? 'default');
    const operation = isMoved ? 'CreateSchedule' : 'UpdateSchedule';
    const { ScheduleArn } = await context.call('scheduler', operation, {
      ...membersOf(properties),
      ...(isMoved && { ClientToken: context.token }),
    });
    if (isMoved) await tolerateMissing(context.call('scheduler', 'DeleteSchedule', named(before)));
    return { physicalId, attributes: { Arn: String(ScheduleArn) } };
  },
  delete: ({ properties }, context) => tolerateMissing(context.call('scheduler', 'DeleteSchedule', named(properties))),
};

function named({ Name, GroupName }: Properties) {
  return { Name: String(Name), GroupName };
}

/** Templates write dates as ISO 8601, and numbers perhaps as text. */
function membersOf(properties: Properties): Record<string, unknown> {
  const { StartDate, EndDate, ...others } = properties;
  const dates = Object.entries({ StartDate, EndDate }).filter(([, date]) => date !== undefined);
  const members = {
    ...others,
    ...Object.fromEntries(dates.map(([name, date]) => [name, secondsOf(date)])),
  };
  return wireMembers(members, SCHEDULER_OPERATIONS.CreateSchedule.members);
}

function secondsOf(date: Json | undefined): number | string {
  const ms = Date.parse(String(date));
  return Number.isNaN(ms) ? String(date) : ms / 1000;
}

export const schedulerScheduleGroup: ResourceProvider = {
  type: 'AWS::Scheduler::ScheduleGroup',
  naming: { property: 'Name', maxLength: 64 },
  async create(properties, context) {
    const Name = String(properties.Name);
    const Tags = tagList(tagMap(properties.Tags));
    const { ScheduleGroupArn } = await context.call('scheduler', 'CreateScheduleGroup', { Name, Tags });
    context.created(Name);
    const { CreationDate, LastModificationDate, State } = await context.call('scheduler', 'GetScheduleGroup', { Name });
    const dates = { CreationDate: isoDate(CreationDate), LastModificationDate: isoDate(LastModificationDate) };
    return { physicalId: Name, attributes: { Arn: String(ScheduleGroupArn), State: String(State), ...dates } };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    const ResourceArn = String(attributes.Arn);
    if (removed.length > 0) await context.call('scheduler', 'UntagResource', { ResourceArn, TagKeys: removed });
    if (Object.keys(set).length > 0) {
      await context.call('scheduler', 'TagResource', { ResourceArn, Tags: tagList(set) });
    }
    return { physicalId, attributes };
  },
  delete: ({ physicalId }, context) =>
    tolerateMissing(context.call('scheduler', 'DeleteScheduleGroup', { Name: physicalId })),
};

function isoDate(seconds: unknown): string {
  return new Date(Number(seconds) * 1000).toISOString();
}
