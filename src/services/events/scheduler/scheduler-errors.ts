/** EventBridge Scheduler's errors, and how requests name schedules and groups. */
import type { Scope } from '../../../protocol/names.ts';
import { SCHEDULER_QUOTAS } from '../../../protocol/scheduler-operations.ts';
import { RestJsonError } from '../../../wire/rest-json-protocol.ts';
import { type ApiSchedule, DEFAULT_GROUP, type ScheduleGroup, type SchedulerStore } from './scheduler-store.ts';

export function invalid(message: string): RestJsonError {
  return new RestJsonError('ValidationException', 400, message);
}

export function conflict(message: string): RestJsonError {
  return new RestJsonError('ConflictException', 409, message);
}

function notFound(message: string): RestJsonError {
  return new RestJsonError('ResourceNotFoundException', 404, message);
}

/** @throws RestJsonError ResourceNotFoundException */
export function requireGroup(store: SchedulerStore, scope: Scope, name: string): ScheduleGroup {
  const group = store.findGroup(scope, name);
  if (group === undefined) throw notFound(`Schedule group ${name} does not exist.`);
  return group;
}

/** @throws RestJsonError ResourceNotFoundException */
export function requireSchedule(
  store: SchedulerStore,
  scope: Scope,
  group: string = DEFAULT_GROUP,
  name: string,
): ApiSchedule {
  requireGroup(store, scope, group);
  const schedule = store.findSchedule(scope, group, name);
  if (schedule === undefined) throw notFound(`Schedule ${name} does not exist.`);
  return schedule;
}

/** One page of a list. The token is the position of the next item. */
export function pageOf<Item>(
  items: readonly Item[],
  {
    MaxResults: limit = SCHEDULER_QUOTAS.pageItems,
    NextToken: token,
  }: { readonly MaxResults?: number | undefined; readonly NextToken?: string | undefined },
): { readonly page: readonly Item[]; readonly nextToken: string | undefined } {
  const start = token === undefined ? 0 : Number(Buffer.from(token, 'base64url').toString('utf8'));
  if (!Number.isSafeInteger(start) || start < 0) throw invalid('Invalid NextToken.');
  const end = start + limit;
  return {
    page: items.slice(start, end),
    nextToken: end < items.length ? Buffer.from(String(end)).toString('base64url') : undefined,
  };
}
