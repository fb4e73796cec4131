/**
 * Schedules: a name, an expression, a function. Each sends EventBridge's event, or the input that it was given, as an
 * asynchronous invocation when its time has come. What was missed while the service was down is not made up for, but for
 * a single time (`at`), which then comes late.
 */
import { randomUUID } from 'node:crypto';
import type { AdjustableClock, Cancel } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { renderRuleArn, renderScheduleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { parseScheduleExpression, type ScheduleExpression } from './schedule-expression.ts';

/** Sends an event, given as JSON text, to the function of an ARN. Rejects when there is none. */
export type EventSender = (functionArn: string, event: string, traceId: string | undefined) => Promise<void>;

export type ScheduleDraft = {
  readonly expression: string;
  /** IANA name; UTC if not given. */
  readonly timeZone?: string | undefined;
  /** ARN, with a qualifier if need be. */
  readonly functionArn: string;
  /** JSON text of the event, instead of EventBridge's. */
  readonly input?: string | undefined;
  readonly isEnabled: boolean;
  /**
   * Whose event the function gets: a rule's of EventBridge, or a schedule's of EventBridge Scheduler, which alone knows
   * single times and time zones.
   */
  readonly kind: 'rule' | 'schedule';
};

export type Schedule = ScheduleDraft & {
  readonly scope: Scope;
  readonly name: string;
  readonly createdMs: number;
  /** Undefined when it is disabled or over. */
  readonly nextMs: number | undefined;
};

export type Schedules = {
  /** Makes or replaces. @throws InvalidSchedule */
  put(scope: Scope, name: string, draft: ScheduleDraft): Schedule;
  find(scope: Scope, name: string): Schedule | undefined;
  list(): Schedule[];
  /** Whether there was one. */
  remove(scope: Scope, name: string): boolean;
  /** Sends the event now; resolves once it is durable. */
  fire(schedule: Schedule): Promise<void>;
  /** Starts no more. */
  close(): void;
};

/** A jump of the clock over more times than these leaves the others out: nobody waits for half a million events. */
const MOST_IN_A_JUMP = 1000;

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
  send: EventSender;
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
   * Waits for the next time, and at it for the one after that before anything else: a clock may jump over several. `jump`
   * is the latest one, by where it led to, and how many times it has passed so far.
   */
  const arm = (schedule: Schedule, expression: ScheduleExpression, jump: Jump = { toMs: undefined, passed: 0 }) => {
    const { scope, name, nextMs, createdMs } = schedule;
    if (nextMs === undefined) return;
    const cancel = clock.after(Math.max(0, nextMs - clock.epochMs()), () => {
      timers.delete(nameOf(scope, name));
      const { movingToMs } = clock;
      const passed = jump.toMs === movingToMs ? jump.passed + 1 : 1;
      const isSkipping = movingToMs !== undefined && passed >= MOST_IN_A_JUMP;
      if (isSkipping) log.warn({ schedule: name }, `of one jump of the clock, ${MOST_IN_A_JUMP} times are fired`);
      const following = {
        ...schedule,
        nextMs: expression.nextMs(isSkipping ? movingToMs : nextMs, createdMs),
      };
      arm(following, expression, { toMs: movingToMs, passed });
      const sent = fire(schedule, nextMs);
      sent
        .then(() => sql.setNext.run({ ...key(scope, name), nextMs: following.nextMs ?? null }))
        .catch((failure: unknown) => log.warn({ err: failure, schedule: name }, 'a scheduled event could not be sent'));
    });
    timers.set(nameOf(scope, name), cancel);
  };

  const fire = async (schedule: Schedule, atMs: number): Promise<void> => {
    await send(schedule.functionArn, schedule.input ?? renderEvent(schedule, atMs), undefined);
  };

  const schedules: Schedules = {
    put(scope, name, draft) {
      const expression = parseScheduleExpression(draft.expression, draft.timeZone);
      const nowMs = Math.trunc(clock.epochMs());
      const nextMs = draft.isEnabled ? expression.nextMs(nowMs, nowMs) : undefined;
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
    fire: (schedule) => fire(schedule, clock.epochMs()),
    close() {
      for (const cancel of timers.values()) cancel();
      timers.clear();
    },
  };

  for (const schedule of schedules.list()) {
    if (schedule.nextMs === undefined) continue;
    const expression = parseScheduleExpression(schedule.expression, schedule.timeZone);
    // From now: the time that was to be next has passed meanwhile, or is one of a clock that was ahead.
    const nowMs = clock.epochMs();
    const createdMs = Math.min(schedule.createdMs, nowMs);
    const nextMs = expression.kind === 'at' ? schedule.nextMs : expression.nextMs(nowMs, createdMs);
    const adjusted = { ...schedule, createdMs, nextMs };
    if (nextMs !== schedule.nextMs) sql.setNext.run({ ...key(adjusted.scope, adjusted.name), nextMs: nextMs ?? null });
    arm(adjusted, expression);
  }
  return schedules;
}

function scheduleOf({ region, account, name, document, created_ms, next_ms }: Row): Schedule {
  const draft = JSON.parse(document) as ScheduleDraft;
  return { ...draft, scope: { region, account }, name, createdMs: created_ms, nextMs: next_ms ?? undefined };
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html */
function renderEvent({ scope, name, kind }: Schedule, atMs: number): string {
  const isRule = kind === 'rule';
  return JSON.stringify({
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: isRule ? 'aws.events' : 'aws.scheduler',
    account: scope.account,
    time: renderIsoSeconds(atMs),
    region: scope.region,
    resources: [isRule ? renderRuleArn(scope, name) : renderScheduleArn(scope, name)],
    // EventBridge Scheduler gives it as text.
    detail: isRule ? {} : '{}',
  });
}
