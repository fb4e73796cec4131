/**
 * Runs schedules of EventBridge Scheduler's API: calls the target at each time, retries what may succeed later, sends the rest
 * to the dead-letter queue, and deletes a schedule after its last time if it says so.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule.html
 */
import { randomUUID } from 'node:crypto';
import { type Clock, sleep } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import { parseScheduleArn } from '../../../protocol/arn.ts';
import { renderIsoSeconds } from '../../../protocol/dates.ts';
import { parseJson } from '../../../protocol/json.ts';
import type { Scope } from '../../../protocol/names.ts';
import { SCHEDULER_QUOTAS } from '../../../protocol/scheduler-operations.ts';
import type { OperationMembers } from '../../../wire/api-call.ts';
import { type ServiceCall, ServiceCallFailure } from '../../../wire/service-call.ts';
import type { EventRules } from '../event-rules.ts';
import type { ScheduledTime } from '../schedules.ts';
import { type ApiSchedule, arnOfSchedule, type SchedulerStore } from './scheduler-store.ts';
import { parseTarget } from './scheduler-targets.ts';

export type ScheduleRunnerOptions = {
  readonly store: SchedulerStore;
  /** Sends text to functions, queues and topics. */
  readonly deliver: EventRules['deliver'];
  /** Sends a message with attributes to a dead-letter queue. */
  readonly sendToQueue: (
    queueArn: string,
    body: string,
    attributes: Readonly<Record<string, { readonly DataType: 'String'; readonly StringValue: string }>>,
  ) => Promise<void>;
  readonly call: ServiceCall;
  /** Removes the schedule and its timer. */
  readonly remove: (scope: Scope, group: string, name: string) => void;
  readonly clock: Clock;
  /** Ends waiting for a retry. */
  readonly closing: AbortSignal;
  readonly log: Log;
};

/** Calls the target of the schedule with this ARN. `event` is the default event, as JSON text. */
export type RunSchedule = (arn: string, event: string, time: ScheduledTime) => Promise<void>;

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 5 * 60_000;

export function createScheduleRunner(options: ScheduleRunnerOptions): RunSchedule {
  const { store, remove, log } = options;
  return async (arn, event, time) => {
    const { scope, group, name } = parseScheduleArn(arn) ?? {};
    const schedule = scope && group && name ? store.findSchedule(scope, group, name) : undefined;
    if (schedule === undefined || scope === undefined) throw new Error(`the schedule ${arn} does not exist`);
    const run: Run = { scope, schedule, event, time, executionId: randomUUID() };
    const failure = await attempt(options, run, 1);
    if (failure !== undefined && time.isManual) throw new Error(failure.message);
    if (failure !== undefined) {
      // Retries must not hold up the times that follow.
      void retry(options, run, failure).catch((lost: unknown) =>
        log.error({ err: lost, schedule: arn }, 'cannot retry the target of a schedule'),
      );
    }
    if (time.isLast && schedule.ActionAfterCompletion === 'DELETE') remove(scope, schedule.GroupName, schedule.Name);
  };
}

type Run = {
  readonly scope: Scope;
  readonly schedule: ApiSchedule;
  readonly event: string;
  readonly time: ScheduledTime;
  readonly executionId: string;
};

/** The failure, if there is one. */
async function attempt(options: ScheduleRunnerOptions, run: Run, number: number): Promise<Failure | undefined> {
  try {
    await callTarget(options, run, number);
    return undefined;
  } catch (failure) {
    const arn = arnOfSchedule(run.scope, run.schedule);
    options.log.warn({ err: failure, schedule: arn, attempt: number }, 'cannot call the target of a schedule');
    return failureOf(failure);
  }
}

type Failure = { readonly code: string; readonly message: string; readonly isTransient: boolean };

/** What is missing stays missing; a service that fails may recover. */
function failureOf(failure: unknown): Failure {
  const message = failure instanceof Error ? failure.message : String(failure);
  if (failure instanceof ServiceCallFailure) {
    return { code: failure.code, message, isTransient: failure.status >= 500 && failure.status !== 501 };
  }
  const isMissing = /does not exist|is not a|not exist/.test(message);
  const code = failure instanceof Error && failure.name !== 'Error' ? failure.name : 'ResourceNotFoundException';
  return { code, message, isTransient: !isMissing && !(failure instanceof PermanentFailure) };
}

class PermanentFailure extends Error {
  override readonly name = 'ValidationException';
}

async function callTarget({ deliver, call }: ScheduleRunnerOptions, run: Run, number: number): Promise<void> {
  const { scope, schedule } = run;
  const { Arn, SqsParameters, EventBridgeParameters } = schedule.Target;
  const text = inputOf(run, number);
  const target = parseTarget(Arn);
  switch (target.kind) {
    case 'function':
      if (!isJson(text)) throw new PermanentFailure('The input of a function must be valid JSON.');
      return deliver({ Arn }, text);
    case 'queue':
      return deliver({ Arn, SqsParameters: groupOf(SqsParameters?.MessageGroupId) }, text);
    case 'topic':
      return deliver({ Arn }, text);
    case 'bus': {
      const { Source, DetailType } = EventBridgeParameters ?? {};
      const Entries = [{ EventBusName: Arn, Source, DetailType, Detail: text }];
      return checkEntries(await call(scope, 'events', 'PutEvents', { Entries }));
    }
    case 'operation': {
      if (!isJson(text)) throw new PermanentFailure('The input of a universal target must be valid JSON.');
      const members = withBlobs(target.service, parseJson(text) as OperationMembers);
      const result = await call(scope, target.service, target.operation, members);
      return target.operation === 'PutEvents' ? checkEntries(result) : undefined;
    }
    case 'recorded':
      throw new PermanentFailure(`Lamella does not have the service '${target.service}'; nothing is called.`);
  }
}

function groupOf(MessageGroupId: string | undefined) {
  return MessageGroupId === undefined ? undefined : { MessageGroupId };
}

function checkEntries({ Entries }: OperationMembers): void {
  const [entry] = Entries as readonly { readonly ErrorCode?: string; readonly ErrorMessage?: string }[];
  if (entry?.ErrorCode !== undefined) throw new PermanentFailure(`${entry.ErrorCode}: ${entry.ErrorMessage}`);
}

/** The payload of an invocation is text or a structure in a schedule, and base64 inside the service. */
function withBlobs(service: string, members: OperationMembers): OperationMembers {
  const { Payload } = members;
  if (service !== 'lambda' || Payload === undefined) return members;
  const text = typeof Payload === 'string' ? Payload : JSON.stringify(Payload);
  return { ...members, Payload: Buffer.from(text).toString('base64') };
}

function isJson(text: string): boolean {
  try {
    parseJson(text);
    return true;
  } catch {
    return false;
  }
}

/** https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html */
function inputOf({ scope, schedule, event, time, executionId }: Run, number: number): string {
  const { Input } = schedule.Target;
  if (Input === undefined) return event;
  const attributes: Readonly<Record<string, string>> = {
    'schedule-arn': arnOfSchedule(scope, schedule),
    'scheduled-time': renderIsoSeconds(time.timeMs),
    'execution-id': executionId,
    'attempt-number': String(number),
  };
  return Input.replace(/<aws\.scheduler\.([a-z-]+)>/g, (whole, name: string) =>
    Object.hasOwn(attributes, name) ? (attributes[name] ?? whole) : whole,
  );
}

type Exhausted = 'MaximumRetryAttempts' | 'MaximumEventAgeInSeconds';

/** Tries again, with pauses that double, until the policy ends it. Then the event goes to the dead-letter queue. */
async function retry(options: ScheduleRunnerOptions, run: Run, first: Failure): Promise<void> {
  const { clock, closing } = options;
  const {
    MaximumRetryAttempts: most = SCHEDULER_QUOTAS.maximumRetryAttempts,
    MaximumEventAgeInSeconds: ageSeconds = SCHEDULER_QUOTAS.maximumEventAgeSeconds,
  } = run.schedule.Target.RetryPolicy ?? {};
  const endMs = clock.monotonicMs() + ageSeconds * 1000;
  let failure = first;
  for (let retries = 0; ; retries += 1) {
    const pauseMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** retries);
    const exhausted: Exhausted | undefined =
      retries >= most
        ? 'MaximumRetryAttempts'
        : clock.monotonicMs() + pauseMs > endMs
          ? 'MaximumEventAgeInSeconds'
          : undefined;
    if (!failure.isTransient) return sendToDeadLetters(options, run, failure, retries, undefined);
    if (exhausted !== undefined) return sendToDeadLetters(options, run, failure, retries, exhausted);
    await sleep(clock, pauseMs, closing);
    if (closing.aborted) return;
    const next = await attempt(options, run, retries + 2);
    if (next === undefined) return;
    failure = next;
  }
}

/** https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html */
async function sendToDeadLetters(
  { sendToQueue, log }: ScheduleRunnerOptions,
  { scope, schedule, time, event, executionId }: Run,
  { code, message }: Failure,
  retries: number,
  exhausted: Exhausted | undefined,
): Promise<void> {
  const queue = schedule.Target.DeadLetterConfig?.Arn;
  if (queue === undefined) return;
  const arn = arnOfSchedule(scope, schedule);
  const attributes = {
    ERROR_CODE: code,
    ERROR_MESSAGE: message.slice(0, 1024),
    ...(exhausted !== undefined && { EXHAUSTED_RETRY_CONDITION: exhausted }),
    EXECUTION_ID: executionId,
    IS_PAYLOAD_TRUNCATED: 'false',
    RETRY_ATTEMPTS: String(retries),
    SCHEDULE_ARN: arn,
    SCHEDULED_TIME: renderIsoSeconds(time.timeMs),
    TARGET_ARN: schedule.Target.Arn,
  };
  const rendered = Object.entries(attributes).map(
    ([name, StringValue]) => [name, { DataType: 'String', StringValue }] as const,
  );
  try {
    await sendToQueue(queue, schedule.Target.Input ?? event, Object.fromEntries(rendered));
  } catch (failure) {
    log.warn({ err: failure, schedule: arn, queue }, 'cannot send to the dead-letter queue of a schedule');
  }
}
