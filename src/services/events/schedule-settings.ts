/** Schedules as users write and read them in JSON, and the domain's drafts and schedules behind them. Pure. */
import * as v from 'valibot';
import { parseFunctionReference, renderFunctionArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { flag, members, objectOf, oneOf, parseConfiguration, text } from '../../wire/configuration.ts';
import { InvalidSchedule } from './schedule-expression.ts';
import type { Schedule, ScheduleDraft } from './schedules.ts';

/** The configuration of a schedule. */
export type ScheduleInput = {
  /** `rate(5 minutes)`, `cron(0 10 ? * MON-FRI *)` or `at(2026-11-22T10:00:00)` */
  readonly expression: string;
  /** IANA name, such as `Europe/Zurich`. Defaults to UTC. */
  readonly timeZone?: string | undefined;
  /** Name or ARN of the function, optionally with a qualifier. */
  readonly function: string;
  /** The event that the function receives. Defaults to EventBridge's event. */
  readonly input?: unknown;
  /** Defaults to true. */
  readonly enabled?: boolean | undefined;
  /**
   * Whose event the function receives: that of an EventBridge rule or of an EventBridge Scheduler schedule. Defaults to
   * `schedule` for `at` expressions and time zones, which only EventBridge Scheduler has, otherwise to `rule`.
   */
  readonly kind?: 'rule' | 'schedule' | undefined;
  /** Defaults to the service's region. */
  readonly region?: string | undefined;
};

export type ScheduleOutput = ScheduleInput & {
  readonly name: string;
  /** ISO 8601. Undefined when the schedule is disabled or over. */
  readonly nextTime: string | undefined;
};

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

/** Validates the JSON of a schedule. @throws ConfigurationError */
export function parseScheduleInput(json: unknown): ScheduleInput {
  return parseConfiguration(SCHEDULE, json, 'A schedule');
}

/** The draft for `Schedules.put`, with all defaults. @throws InvalidSchedule for the name or the function */
export function planSchedule(scope: Scope, name: string, input: ScheduleInput): ScheduleDraft {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(name)) {
    throw new InvalidSchedule(`Invalid schedule name "${name}": use 1 to 64 letters, digits, "_", "." or "-".`);
  }
  const { expression, timeZone } = input;
  return {
    expression,
    timeZone,
    functionArn: functionArnOf(scope, input.function),
    input: input.input === undefined ? undefined : JSON.stringify(input.input),
    isEnabled: input.enabled ?? true,
    kind: input.kind ?? (timeZone !== undefined || expression.startsWith('at') ? 'schedule' : 'rule'),
  };
}

export function renderSchedule({
  name,
  scope,
  expression,
  timeZone,
  functionArn,
  targetArn = functionArn,
  input,
  isEnabled,
  kind,
  nextMs,
}: Schedule): ScheduleOutput {
  return {
    name,
    expression,
    timeZone,
    function: targetArn,
    input: input === undefined ? undefined : JSON.parse(input),
    enabled: isEnabled,
    kind,
    region: scope.region,
    nextTime: nextMs === undefined ? undefined : new Date(nextMs).toISOString(),
  };
}

function functionArnOf(scope: Scope, text: string): string {
  const reference = parseFunctionReference(text);
  if (reference === undefined) throw new InvalidSchedule(`"${text}" is not a function name or ARN.`);
  const { region = scope.region, account = scope.account, name, qualifier } = reference;
  return renderFunctionArn({ region, account }, name, qualifier);
}
