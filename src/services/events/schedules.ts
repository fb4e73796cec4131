/**
 * Schedules: a name, an expression and a function. At each time, a schedule invokes the function asynchronously with
 * EventBridge's event or with its own input. Times that passed while the service was not running are skipped, except
 * for one-time schedules (`at`), which then run late.
 */
import { randomUUID } from 'node:crypto';
import type { AdjustableClock, Cancel } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseRuleArn, parseScheduleArn, renderRuleArn, renderScheduleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { parseScheduleExpression, type ScheduleExpression } from './schedule-expression.ts';

/** Sends an event, which is JSON text, to the function with this ARN. Rejects if it does not exist. */
export type EventSender = (functionArn: string, event: string, traceId: string | undefined) => Promise<void>;

/** One time of a schedule. */
export type ScheduledTime = {
  readonly timeMs: number;
  /** No time follows. */
  readonly isLast: boolean;
  /** A user sends the event now: a failure is for the user, and nothing is tried again. */
  readonly isManual?: true;
};

/**
 * Sends the event of a schedule, which is JSON text, to its function, or to the rule or the schedule of EventBridge's APIs
 * that it belongs to. Resolves once the event is durable.
 */
export type ScheduleSender = (arn: string, event: string, time: ScheduledTime) => Promise<void>;

export type ScheduleDraft = {
  readonly expression: string;
  /** IANA name. Defaults to UTC. */
  readonly timeZone?: string | undefined;
  /** The function, optionally with a qualifier, or a rule of EventBridge's API, or a schedule of EventBridge Scheduler's. */
  readonly functionArn: string;
  /** What a rule's or schedule's event goes to, for lists. Optional. */
  readonly targetArn?: string | undefined;
  /** No time is before or after these, in milliseconds since 1970. A rate begins at `startMs`. */
  readonly startMs?: number | undefined;
  readonly endMs?: number | undefined;
  /** A rate without `startMs` has its first time at its creation, as in EventBridge Scheduler. Defaults to false. */
  readonly startsAtOnce?: boolean | undefined;
  /** The event as JSON text. Defaults to EventBridge's event. */
  readonly input?: string | undefined;
  readonly isEnabled: boolean;
  /**
   * Whose event the function receives: that of an EventBridge rule or of an EventBridge Scheduler schedule. On AWS only
   * the latter has one-time schedules and time zones.
   */
  readonly kind: 'rule' | 'schedule';
};

export type Schedule = ScheduleDraft & {
  readonly scope: Scope;
  readonly name: string;
  readonly createdMs: number;
  /** Undefined if the schedule is disabled or over. */
  readonly nextMs: number | undefined;
};

export type Schedules = {
  /** Creates or replaces a schedule. @throws InvalidSchedule */
  put(scope: Scope, name: string, draft: ScheduleDraft): Schedule;
  find(scope: Scope, name: string): Schedule | undefined;
  list(): Schedule[];
  /** False if there is no such schedule. */
  remove(scope: Scope, name: string): boolean;
  /** Sends the schedule's event now. Resolves once it is durable. */
  fire(schedule: Schedule): Promise<void>;
  /** Stops all schedules. */
  close(): void;
};

/** When the adjustable clock jumps over more times of one schedule than this, the others are skipped. */
const MAX_TIMES_PER_JUMP = 1000;

type Jump = { readonly toMs: number | undefined; readonly passed: number };

type Row = {
  region: string;
  account: string;
  name: string;
  document: string;
  created_ms: number;
  next_ms: number | null;
};

export function createSchedules({
  database,
  send,
  clock,
  log,
}: {
  database: Database;
  send: ScheduleSender;
  clock: AdjustableClock;
  log: Log;
}): Schedules {
  const ofSchedule = 'region = :region AND account = :account AND name = :name';
  const sql = {
    put: database.prepare(
      'INSERT OR REPLACE INTO schedule VALUES (:region, :account, :name, :document, :createdMs, :nextMs)',
    ),
    find: database.prepare<Row>(`SELECT * FROM schedule WHERE ${ofSchedule}`),
    list: database.prepare<Row>('SELECT * FROM schedule ORDER BY account, region, name'),
    remove: database.prepare(`DELETE FROM schedule WHERE ${ofSchedule}`),
    setNext: database.prepare(`UPDATE schedule SET next_ms = :nextMs WHERE ${ofSchedule}`),
  };
  const timers = new Map<string, Cancel>();
  const key = ({ region, account }: Scope, name: string) => ({ region, account, name });
  const nameOf = (scope: Scope, name: string) => Object.values(key(scope, name)).join('/');

  const disarm = (scope: Scope, name: string) => {
    timers.get(nameOf(scope, name))?.();
    timers.delete(nameOf(scope, name));
  };

  /**
   * Sets the timer for the next time. When it fires, sets the next timer before anything else, because the clock can
   * jump over several times. `jump` is the latest jump: its target, and how many times it has passed so far.
   */
  const arm = (schedule: Schedule, expression: ScheduleExpression, jump: Jump = { toMs: undefined, passed: 0 }) => {
    const { scope, name, nextMs, createdMs } = schedule;
    if (nextMs === undefined) return;
    const cancel = clock.after(Math.max(0, nextMs - clock.epochMs()), () => {
      timers.delete(nameOf(scope, name));
      const { movingToMs } = clock;
      const passed = jump.toMs === movingToMs ? jump.passed + 1 : 1;
      const isSkipping = movingToMs !== undefined && passed >= MAX_TIMES_PER_JUMP;
      if (isSkipping)
        log.warn(
          { schedule: name },
          `the clock jumped over more than ${MAX_TIMES_PER_JUMP} times of a schedule; the others are skipped`,
        );
      const following = {
        ...schedule,
        nextMs: nextTime(schedule, expression, isSkipping ? movingToMs : nextMs, createdMs),
      };
      arm(following, expression, { toMs: movingToMs, passed });
      const sent = fire(schedule, { timeMs: nextMs, isLast: following.nextMs === undefined });
      sent
        .then(() => sql.setNext.run({ ...key(scope, name), nextMs: following.nextMs ?? null }))
        .catch((failure: unknown) => log.warn({ err: failure, schedule: name }, 'cannot send a scheduled event'));
    });
    timers.set(nameOf(scope, name), cancel);
  };

  const fire = async (schedule: Schedule, time: ScheduledTime): Promise<void> => {
    await send(schedule.functionArn, schedule.input ?? renderEvent(schedule, time.timeMs), time);
  };

  const schedules: Schedules = {
    put(scope, name, draft) {
      const expression = parseScheduleExpression(draft.expression, draft.timeZone);
      const nowMs = Math.trunc(clock.epochMs());
      // A first time may be now.
      const afterMs = draft.startsAtOnce || draft.startMs !== undefined ? nowMs - 1 : nowMs;
      const nextMs = draft.isEnabled ? nextTime(draft, expression, afterMs, nowMs) : undefined;
      disarm(scope, name);
      const schedule: Schedule = { ...draft, scope, name, createdMs: nowMs, nextMs };
      const document = JSON.stringify(draft);
      sql.put.run({ ...key(scope, name), document, createdMs: nowMs, nextMs: nextMs ?? null });
      arm(schedule, expression);
      return schedule;
    },
    find(scope, name) {
      const row = sql.find.get(key(scope, name));
      return row && scheduleOf(row);
    },
    list: () => sql.list.all().map(scheduleOf),
    remove(scope, name) {
      disarm(scope, name);
      return sql.remove.run(key(scope, name)).changes > 0;
    },
    fire: (schedule) => fire(schedule, { timeMs: Math.trunc(clock.epochMs()), isLast: false, isManual: true }),
    close() {
      for (const cancel of timers.values()) cancel();
      timers.clear();
    },
  };

  for (const schedule of schedules.list()) {
    if (schedule.nextMs === undefined) continue;
    const expression = parseScheduleExpression(schedule.expression, schedule.timeZone);
    // Start from now. The stored next time may have passed, or may be of a clock that was ahead.
    const nowMs = clock.epochMs();
    const createdMs = Math.min(schedule.createdMs, nowMs);
    const nextMs = expression.kind === 'at' ? schedule.nextMs : nextTime(schedule, expression, nowMs, createdMs);
    const adjusted = { ...schedule, createdMs, nextMs };
    if (nextMs !== schedule.nextMs) sql.setNext.run({ ...key(adjusted.scope, adjusted.name), nextMs: nextMs ?? null });
    arm(adjusted, expression);
  }
  return schedules;
}

function nextTime(
  { startMs, endMs }: ScheduleDraft,
  expression: ScheduleExpression,
  afterMs: number,
  createdMs: number,
): number | undefined {
  const fromMs = startMs === undefined ? afterMs : Math.max(afterMs, startMs - 1);
  const nextMs = expression.nextMs(fromMs, startMs ?? createdMs);
  return nextMs !== undefined && endMs !== undefined && nextMs > endMs ? undefined : nextMs;
}

function scheduleOf({ region, account, name, document, created_ms, next_ms }: Row): Schedule {
  const draft = JSON.parse(document) as ScheduleDraft;
  return { ...draft, scope: { region, account }, name, createdMs: created_ms, nextMs: next_ms ?? undefined };
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html */
function renderEvent({ scope, name, kind, functionArn }: Schedule, atMs: number): string {
  const isRule = kind === 'rule';
  // The schedule of a rule of EventBridge's API names the rule, whose targets get the event.
  const ruleArn = parseRuleArn(functionArn) ? functionArn : renderRuleArn(scope, name);
  const scheduleArn = parseScheduleArn(functionArn) ? functionArn : renderScheduleArn(scope, name);
  return JSON.stringify({
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: isRule ? 'aws.events' : 'aws.scheduler',
    account: scope.account,
    time: renderIsoSeconds(atMs),
    region: scope.region,
    resources: [isRule ? ruleArn : scheduleArn],
    // EventBridge Scheduler sends it as text.
    detail: isRule ? {} : '{}',
  });
}
