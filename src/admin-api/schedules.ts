/** Admin API for schedules, and for the events that an event bus received. The library offers the same calls. */
import type { Scope } from '../protocol/names.ts';
import type { EventBus } from '../services/events/event-bus.ts';
import { InvalidSchedule } from '../services/events/schedule-expression.ts';
import {
  parseScheduleInput,
  planSchedule,
  renderSchedule,
  type ScheduleInput,
  type ScheduleOutput,
} from '../services/events/schedule-settings.ts';
import type { Schedule, Schedules } from '../services/events/schedules.ts';
import type { AdminRoute } from './admin-api.ts';
import { AdminError } from './admin-api.ts';

export type ScheduleAdmin = {
  list(): ScheduleOutput[];
  /** Creates or replaces a schedule. @throws AdminError */
  put(name: string, input: ScheduleInput): ScheduleOutput;
  /** Sends the schedule's event now. @throws AdminError */
  fire(name: string, region?: string | undefined): Promise<void>;
  /** @throws AdminError */
  remove(name: string, region?: string | undefined): void;
};

export function createScheduleAdmin(schedules: Omit<Schedules, 'close'>, own: Scope): ScheduleAdmin {
  const scopeOf = (region: string | undefined) => ({ ...own, region: region ?? own.region });
  const existing = (name: string, region: string | undefined): Schedule => {
    const schedule = schedules.find(scopeOf(region), name);
    if (schedule === undefined)
      throw new AdminError(404, `There is no schedule "${name}" in ${scopeOf(region).region}.`);
    return schedule;
  };
  return {
    list: () => schedules.list().map(renderSchedule),
    put(name, input) {
      const scope = scopeOf(input.region);
      try {
        return renderSchedule(schedules.put(scope, name, planSchedule(scope, name, input)));
      } catch (failure) {
        if (failure instanceof InvalidSchedule) throw new AdminError(400, failure.message);
        throw failure;
      }
    },
    fire: async (name, region) => schedules.fire(existing(name, region)),
    remove(name, region) {
      existing(name, region);
      schedules.remove(scopeOf(region), name);
    },
  };
}

export function scheduleRoutes(schedules: ScheduleAdmin): readonly AdminRoute[] {
  const regionOf = (query: URLSearchParams) => query.get('region') ?? undefined;
  return [
    { method: 'GET', path: '/schedules', handle: () => ({ schedules: schedules.list() }) },
    {
      method: 'PUT',
      path: '/schedules/{name}',
      handle: ({ parameters, query, input }) =>
        schedules.put(parameters.name ?? '', { region: regionOf(query), ...parseScheduleInput(input) }),
    },
    {
      method: 'DELETE',
      path: '/schedules/{name}',
      handle: ({ parameters, query }) => schedules.remove(parameters.name ?? '', regionOf(query)),
    },
    {
      method: 'POST',
      path: '/schedules/{name}/fire',
      async handle({ parameters, query }) {
        await schedules.fire(parameters.name ?? '', regionOf(query)).catch((failure: unknown) => {
          if (failure instanceof AdminError) throw failure;
          throw new AdminError(409, failure instanceof Error ? failure.message : String(failure));
        });
      },
    },
  ];
}

export function eventBusRoutes(eventBus: EventBus): readonly AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/events',
      handle: ({ query }) => ({ events: eventBus.list(query.get('bus') ?? undefined) }),
    },
  ];
}
