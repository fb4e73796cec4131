/**
 * EventBridge Scheduler: schedules in groups, each with a time expression and a target.
 * https://docs.aws.amazon.com/scheduler/latest/APIReference/
 */
import type { Clock } from '../../../clock.ts';
import { parseScheduleGroupArn } from '../../../protocol/arn.ts';
import type { Scope } from '../../../protocol/names.ts';
import { SCHEDULER_OPERATIONS } from '../../../protocol/scheduler-operations.ts';
import type { ServiceApi } from '../../../wire/api-call.ts';
import { createRestJsonApi, type RestHandlers } from '../../../wire/rest-json-protocol.ts';
import type { Schedules } from '../schedules.ts';
import { createScheduleHandlers, type ScheduleHandlersOptions } from './schedule-handlers.ts';
import { conflict, invalid, pageOf, requireGroup } from './scheduler-errors.ts';
import { arnOfGroup, DEFAULT_GROUP, type ScheduleGroup, type SchedulerStore, timerName } from './scheduler-store.ts';

type GroupOperations = Omit<
  typeof SCHEDULER_OPERATIONS,
  'CreateSchedule' | 'UpdateSchedule' | 'GetSchedule' | 'DeleteSchedule' | 'ListSchedules'
>;

const BODY_LIMIT_BYTES = 1024 * 1024;

/** Creates the API of EventBridge Scheduler. */
export function createSchedulerApi(options: ScheduleHandlersOptions): ServiceApi {
  return createRestJsonApi({
    name: 'EventBridge Scheduler',
    operations: SCHEDULER_OPERATIONS,
    handlers: { ...createScheduleHandlers(options), ...createGroupHandlers(options) },
    errors: { invalid: 'ValidationException', internal: 'InternalServerException', message: 'Message' },
    bodyLimitBytes: BODY_LIMIT_BYTES,
    log: options.log,
  });
}

function createGroupHandlers({
  store,
  schedules,
  clock,
}: {
  readonly store: SchedulerStore;
  readonly schedules: () => Pick<Schedules, 'remove'>;
  readonly clock: Clock;
}): RestHandlers<GroupOperations> {
  const nowMs = () => Math.trunc(clock.epochMs());
  const groupOfArn = (scope: Scope, arn: string): ScheduleGroup =>
    requireGroup(store, scope, parseScheduleGroupArn(arn)?.name ?? arn);
  return {
    CreateScheduleGroup({ Name: name, Tags = [] }, { scope }) {
      if (store.findGroup(scope, name) !== undefined) throw conflict(`Schedule group ${name} already exists.`);
      const group = { name, createdMs: nowMs(), modifiedMs: nowMs(), tags: tagsOf(Tags) };
      store.saveGroup(scope, group);
      return { ScheduleGroupArn: arnOfGroup(scope, group) };
    },
    GetScheduleGroup: ({ Name }, { scope }) => renderGroup(scope, requireGroup(store, scope, Name)),
    DeleteScheduleGroup({ Name: name }, { scope }) {
      requireGroup(store, scope, name);
      if (name === DEFAULT_GROUP) throw invalid('The default schedule group cannot be deleted.');
      for (const { Name } of store.schedules(scope, name)) schedules().remove(scope, timerName(name, Name));
      store.removeGroup(scope, name);
      return {};
    },
    ListScheduleGroups({ NamePrefix: prefix = '', ...given }, { scope }) {
      const found = store.groups(scope).filter(({ name }) => name.startsWith(prefix));
      const { page, nextToken } = pageOf(found, given);
      return { ScheduleGroups: page.map((group) => renderGroup(scope, group)), NextToken: nextToken };
    },
    TagResource({ ResourceArn, Tags }, { scope }) {
      const group = groupOfArn(scope, ResourceArn);
      store.saveGroup(scope, { ...group, tags: { ...group.tags, ...tagsOf(Tags) } });
      return {};
    },
    UntagResource({ ResourceArn, TagKeys }, { scope }) {
      const group = groupOfArn(scope, ResourceArn);
      const kept = Object.entries(group.tags).filter(([key]) => !TagKeys.includes(key));
      store.saveGroup(scope, { ...group, tags: Object.fromEntries(kept) });
      return {};
    },
    ListTagsForResource({ ResourceArn }, { scope }) {
      const { tags } = groupOfArn(scope, ResourceArn);
      return { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
    },
  };
}

function renderGroup(scope: Scope, group: ScheduleGroup): object {
  return {
    Arn: arnOfGroup(scope, group),
    CreationDate: group.createdMs / 1000,
    LastModificationDate: group.modifiedMs / 1000,
    Name: group.name,
    State: 'ACTIVE',
  };
}

function tagsOf(tags: readonly { readonly Key: string; readonly Value: string }[]): Record<string, string> {
  return Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
}
