/** Schedules and schedule groups of EventBridge Scheduler's API, as documents. The timers are in `../schedules.ts`. */
import type { Clock } from '../../../clock.ts';
import { renderScheduleArn, renderScheduleGroupArn } from '../../../protocol/arn.ts';
import type { InputOf } from '../../../protocol/member-constraints.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { SCHEDULER_OPERATIONS } from '../../../protocol/scheduler-operations.ts';
import type { Database } from '../../../storage/database.ts';
import { createDocumentTable } from '../../../storage/document-table.ts';

export type ScheduleMembers = InputOf<(typeof SCHEDULER_OPERATIONS)['CreateSchedule']['members']>;

/** A schedule as its creation or last update described it, with AWS's defaults. */
export type ApiSchedule = ScheduleMembers & {
  readonly GroupName: string;
  readonly createdMs: number;
  readonly modifiedMs: number;
};

export type ScheduleGroup = {
  readonly name: string;
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly tags: Readonly<Record<string, string>>;
};

export const DEFAULT_GROUP = 'default';

export type SchedulerStore = {
  /** Every scope has the group `default`. */
  findGroup(scope: Scope, name: string): ScheduleGroup | undefined;
  saveGroup(scope: Scope, group: ScheduleGroup): void;
  /** Removes the group and all its schedules. */
  removeGroup(scope: Scope, name: string): void;
  /** Ordered by name. */
  groups(scope: Scope): ScheduleGroup[];
  findSchedule(scope: Scope, group: string, name: string): ApiSchedule | undefined;
  saveSchedule(scope: Scope, schedule: ApiSchedule): void;
  removeSchedule(scope: Scope, group: string, name: string): boolean;
  /** The schedules of one group, ordered by name. */
  schedules(scope: Scope, group: string): ApiSchedule[];
};

export function createSchedulerStore({ database, clock }: { database: Database; clock: Clock }): SchedulerStore {
  const table = createDocumentTable(database, 'scheduler');
  const openedMs = Math.trunc(clock.epochMs());
  const groupsOf = (scope: Scope) => table.collection<ScheduleGroup>(scope, 'group', '');
  const schedulesOf = (scope: Scope, group: string) => table.collection<ApiSchedule>(scope, 'schedule', group);
  const store: SchedulerStore = {
    findGroup: (scope, name) =>
      groupsOf(scope).find(name) ??
      (name === DEFAULT_GROUP ? { name, createdMs: openedMs, modifiedMs: openedMs, tags: {} } : undefined),
    saveGroup: (scope, group) => void groupsOf(scope).put(group.name, group),
    removeGroup(scope, name) {
      database.transaction(() => {
        table.removeBelow(scope, name);
        groupsOf(scope).remove(name);
      });
    },
    groups(scope) {
      const stored = groupsOf(scope).all();
      const all = stored.some(({ name }) => name === DEFAULT_GROUP)
        ? stored
        : [...stored, store.findGroup(scope, DEFAULT_GROUP) as ScheduleGroup];
      return all.sort((one, other) => (one.name < other.name ? -1 : 1));
    },
    findSchedule: (scope, group, name) => schedulesOf(scope, group).find(name),
    saveSchedule: (scope, schedule) => void schedulesOf(scope, schedule.GroupName).put(schedule.Name, schedule),
    removeSchedule: (scope, group, name) => schedulesOf(scope, group).remove(name),
    schedules: (scope, group) =>
      schedulesOf(scope, group)
        .all()
        .sort((one, other) => (one.Name < other.Name ? -1 : 1)),
  };
  return store;
}

export function arnOfSchedule(scope: Scope, { Name, GroupName }: ApiSchedule): string {
  return renderScheduleArn(scope, Name, GroupName);
}

export function arnOfGroup(scope: Scope, { name }: ScheduleGroup): string {
  return renderScheduleGroupArn(scope, name);
}

/** The name of its timer among those of rules and of the admin API's schedules. */
export function timerName(group: string, name: string): string {
  return `schedule/${group}/${name}`;
}
