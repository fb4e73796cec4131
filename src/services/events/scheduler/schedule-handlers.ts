/** EventBridge Scheduler's operations on schedules. */
import type { Clock } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import type { Scope } from '../../../protocol/names.ts';
import { type SCHEDULER_OPERATIONS, SCHEDULER_QUOTAS } from '../../../protocol/scheduler-operations.ts';
import type { RestHandlers } from '../../../wire/rest-json-protocol.ts';
import { InvalidSchedule, parseScheduleExpression } from '../schedule-expression.ts';
import type { Schedules } from '../schedules.ts';
import { conflict, invalid, pageOf, requireGroup, requireSchedule } from './scheduler-errors.ts';
import {
  type ApiSchedule,
  arnOfSchedule,
  DEFAULT_GROUP,
  type ScheduleMembers,
  type SchedulerStore,
  timerName,
} from './scheduler-store.ts';
import { parseTarget, UnsupportedTarget } from './scheduler-targets.ts';

type ScheduleOperations = Pick<
  typeof SCHEDULER_OPERATIONS,
  'CreateSchedule' | 'UpdateSchedule' | 'GetSchedule' | 'DeleteSchedule' | 'ListSchedules'
>;

export type ScheduleHandlersOptions = {
  readonly store: SchedulerStore;
  readonly schedules: () => Pick<Schedules, 'put' | 'remove'>;
  /** Of the schedules' times. */
  readonly clock: Clock;
  readonly log: Log;
};

export function createScheduleHandlers(options: ScheduleHandlersOptions): RestHandlers<ScheduleOperations> {
  const { store, schedules, clock, log } = options;
  const nowMs = () => Math.trunc(clock.epochMs());

  const save = (scope: Scope, schedule: ApiSchedule, isNew: boolean) => {
    store.saveSchedule(scope, schedule);
    const isOnce = schedule.ScheduleExpression.startsWith('at(');
    schedules().put(scope, timerName(schedule.GroupName, schedule.Name), {
      expression: schedule.ScheduleExpression,
      timeZone: schedule.ScheduleExpressionTimezone,
      functionArn: arnOfSchedule(scope, schedule),
      targetArn: schedule.Target.Arn,
      isEnabled: schedule.State !== 'DISABLED',
      kind: 'schedule',
      startsAtOnce: isNew,
      // AWS ignores both dates for a single time.
      startMs: isOnce ? undefined : milliseconds(schedule.StartDate),
      endMs: isOnce ? undefined : milliseconds(schedule.EndDate),
    });
    return { ScheduleArn: arnOfSchedule(scope, schedule) };
  };

  return {
    CreateSchedule(input, { scope }) {
      const group = input.GroupName ?? DEFAULT_GROUP;
      check(input, nowMs(), log);
      requireGroup(store, scope, group);
      const existing = store.findSchedule(scope, group, input.Name);
      // A client that repeats its request gets the same response.
      if (existing !== undefined && existing.ClientToken !== undefined && existing.ClientToken === input.ClientToken) {
        return { ScheduleArn: arnOfSchedule(scope, existing) };
      }
      if (existing !== undefined) throw conflict(`Schedule ${input.Name} already exists.`);
      return save(scope, { ...withDefaults(input), createdMs: nowMs(), modifiedMs: nowMs() }, true);
    },
    UpdateSchedule(input, { scope }) {
      check(input, nowMs(), log);
      const { createdMs } = requireSchedule(store, scope, input.GroupName, input.Name);
      // What the request leaves out goes back to its default.
      return save(scope, { ...withDefaults(input), createdMs, modifiedMs: nowMs() }, false);
    },
    GetSchedule({ Name, GroupName }, { scope }) {
      const schedule = requireSchedule(store, scope, GroupName, Name);
      const { createdMs, modifiedMs, ClientToken: _, ...members } = schedule;
      return {
        ...members,
        Arn: arnOfSchedule(scope, schedule),
        CreationDate: createdMs / 1000,
        LastModificationDate: modifiedMs / 1000,
      };
    },
    DeleteSchedule({ Name, GroupName }, { scope }) {
      const { GroupName: group } = requireSchedule(store, scope, GroupName, Name);
      schedules().remove(scope, timerName(group, Name));
      store.removeSchedule(scope, group, Name);
      return {};
    },
    ListSchedules({ GroupName, NamePrefix: prefix = '', State, ...given }, { scope }) {
      if (GroupName !== undefined) requireGroup(store, scope, GroupName);
      const groups = GroupName === undefined ? store.groups(scope).map(({ name }) => name) : [GroupName];
      const found = groups
        .flatMap((group) => store.schedules(scope, group))
        .filter((schedule) => schedule.Name.startsWith(prefix) && (State === undefined || schedule.State === State));
      const { page, nextToken } = pageOf(found, given);
      return { Schedules: page.map((schedule) => summaryOf(scope, schedule)), NextToken: nextToken };
    },
  };
}

function summaryOf(scope: Scope, schedule: ApiSchedule): object {
  const { Name, GroupName, State, Target, createdMs, modifiedMs } = schedule;
  return {
    Arn: arnOfSchedule(scope, schedule),
    CreationDate: createdMs / 1000,
    LastModificationDate: modifiedMs / 1000,
    GroupName,
    Name,
    State,
    Target: { Arn: Target.Arn },
  };
}

function withDefaults(input: ScheduleMembers) {
  const { MaximumEventAgeInSeconds, MaximumRetryAttempts } = input.Target.RetryPolicy ?? {};
  return {
    ...input,
    GroupName: input.GroupName ?? DEFAULT_GROUP,
    ActionAfterCompletion: input.ActionAfterCompletion ?? 'NONE',
    ScheduleExpressionTimezone: input.ScheduleExpressionTimezone ?? 'UTC',
    State: input.State ?? 'ENABLED',
    Target: {
      ...input.Target,
      RetryPolicy: {
        MaximumEventAgeInSeconds: MaximumEventAgeInSeconds ?? SCHEDULER_QUOTAS.maximumEventAgeSeconds,
        MaximumRetryAttempts: MaximumRetryAttempts ?? SCHEDULER_QUOTAS.maximumRetryAttempts,
      },
    },
  };
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.trunc(seconds * 1000);
}

/** @throws RestJsonError for what AWS refuses beyond the model */
function check(input: ScheduleMembers, nowMs: number, log: Log): void {
  checkExpression(input);
  const { StartDate, EndDate, FlexibleTimeWindow: window } = input;
  const isRecurring = !input.ScheduleExpression.startsWith('at(');
  if (isRecurring && StartDate !== undefined && StartDate * 1000 < nowMs - SCHEDULER_QUOTAS.startAgeMs) {
    throw invalid('The StartDate you specify cannot be earlier than 5 minutes ago.');
  }
  if (isRecurring && EndDate !== undefined && EndDate <= (StartDate ?? nowMs / 1000)) {
    throw invalid('The EndDate you specify must be later than the StartDate, and in the future.');
  }
  if ((window.Mode === 'FLEXIBLE') !== (window.MaximumWindowInMinutes !== undefined)) {
    throw invalid(
      'FlexibleTimeWindow must have MaximumWindowInMinutes with the mode FLEXIBLE, and must not have it with the mode OFF.',
    );
  }
  checkTarget(input, log);
}

function checkExpression({ ScheduleExpression: expression, ScheduleExpressionTimezone: zone }: ScheduleMembers): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone ?? 'UTC' });
  } catch {
    throw invalid(`Invalid Schedule Expression Timezone ${zone}.`);
  }
  try {
    if (expression !== expression.trim()) throw new InvalidSchedule();
    parseScheduleExpression(expression, zone);
  } catch (failure) {
    if (!(failure instanceof InvalidSchedule)) throw failure;
    throw invalid(`Invalid Schedule Expression ${expression}.`);
  }
}

function checkTarget({ Name, Target: target }: ScheduleMembers, log: Log): void {
  try {
    const { kind, ...parsed } = parseTarget(target.Arn);
    if (kind === 'bus' && target.EventBridgeParameters === undefined) {
      throw invalid(`EventBridgeParameters must be specified for the target ${target.Arn}.`);
    }
    if (kind === 'queue' && target.Arn.endsWith('.fifo') && target.SqsParameters?.MessageGroupId === undefined) {
      throw invalid(`SqsParameters with a MessageGroupId must be specified for the target ${target.Arn}.`);
    }
    if (kind === 'recorded') {
      log.warn(
        { schedule: Name, target: target.Arn, ...parsed },
        'the schedule is stored, but Lamella does not have the service of its target',
      );
    }
  } catch (failure) {
    if (!(failure instanceof UnsupportedTarget)) throw failure;
    throw invalid(failure.message);
  }
}
