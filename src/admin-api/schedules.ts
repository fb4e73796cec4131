/** Control calls of schedules, and of the events that arrived at an event bus. The library has the same. */
import * as v from 'valibot';
import { parseFunctionReference, renderFunctionArn } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import type { EventBus } from '../services/events/event-bus.ts';
import { InvalidSchedule } from '../services/events/schedule-expression.ts';
import type { Schedule, Schedules } from '../services/events/schedules.ts';
import { flag, members, objectOf, oneOf, parseConfiguration, text } from '../wire/configuration.ts';
import type { AdminRoute } from './admin-api.ts';
import { AdminError } from './admin-api.ts';

/** A schedule as a client gives it. */
export type ScheduleInput = {
  /** `rate(5 minutes)`, `cron(0 10 ? * MON-FRI *)` or `at(2026-11-22T10:00:00)` */
  readonly expression: string;
  /** Such as `Europe/Zurich`; UTC if not given. */
  readonly timeZone?: string | undefined;
  /** Name or ARN, with a qualifier if need be. */
  readonly function: string;
  /** The event, instead of EventBridge's own. */
  readonly input?: unknown;
  /** True if not given. */
  readonly enabled?: boolean | undefined;
  /** Whose event: a rule's, or a schedule's of EventBridge Scheduler, as it is for `at` and time zones if not given. */
  readonly kind?: 'rule' | 'schedule' | undefined;
  /** The service's own if not given. */
  readonly region?: string | undefined;
};

export type ScheduleOutput = ScheduleInput & {
  readonly name: string;
  /** ISO 8601; undefined when there is none any more. */
  readonly nextTime: string | undefined;
};

export type ScheduleAdmin = {
  list(): ScheduleOutput[];
  /** Makes or replaces. @throws AdminError */
  put(name: string, input: ScheduleInput): ScheduleOutput;
  /** Sends the event now. @throws AdminError */
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
    list: () => schedules.list().map(render),
    put(name, input) {
      if (!/^[A-Za-z0-9_.-]{1,64}$/.test(name)) {
        throw new AdminError(400, `"${name}" is no name of a schedule: letters, digits, _ . and -, 1 to 64 of them.`);
      }
      const scope = scopeOf(input.region);
      try {
        return render(
          schedules.put(scope, name, {
            expression: input.expression,
            timeZone: input.timeZone,
            functionArn: functionArnOf(scope, input.function),
            input: input.input === undefined ? undefined : JSON.stringify(input.input),
            isEnabled: input.enabled ?? true,
            kind:
              input.kind ?? (input.timeZone !== undefined || input.expression.startsWith('at') ? 'schedule' : 'rule'),
          }),
        );
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
        schedules.put(parameters.name ?? '', {
          region: regionOf(query),
          ...parseConfiguration(SCHEDULE, input, 'A schedule'),
        }),
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

const EXAMPLE = { expression: 'rate(5 minutes)', function: 'NAME' };
const SCHEDULE = objectOf(
  EXAMPLE,
  members(EXAMPLE, {
    expression: text,
    timeZone: v.optional(text),
    function: text,
    input: v.optional(v.unknown()),
    enabled: v.optional(flag),
    kind: v.optional(oneOf(['rule', 'schedule'])),
    region: v.optional(text),
  }),
);

function functionArnOf(scope: Scope, text: string): string {
  const reference = parseFunctionReference(text);
  if (reference === undefined) throw new AdminError(400, `"${text}" is no name or ARN of a function.`);
  const { region = scope.region, account = scope.account, name, qualifier } = reference;
  return renderFunctionArn({ region, account }, name, qualifier);
}

function render({
  name,
  scope,
  expression,
  timeZone,
  functionArn,
  input,
  isEnabled,
  kind,
  nextMs,
}: Schedule): ScheduleOutput {
  return {
    name,
    expression,
    timeZone,
    function: functionArn,
    input: input === undefined ? undefined : JSON.parse(input),
    enabled: isEnabled,
    kind,
    region: scope.region,
    nextTime: nextMs === undefined ? undefined : new Date(nextMs).toISOString(),
  };
}
