/**
 * Schedule expressions of EventBridge: `rate(5 minutes)`, `cron(0 10 ? * MON-FRI *)`, `at(2026-11-22T10:00:00)`.
 * Computes the next time after a given one. Pure. The croner package evaluates cron expressions; AWS's six fields are
 * translated to its syntax.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
 */
import { Cron } from 'croner';

export type ScheduleExpression = {
  readonly kind: 'rate' | 'cron' | 'at';
  /**
   * The first time after `afterMs`. Undefined if there is none. Rates start at `anchorMs`, which is itself a time if it is
   * after `afterMs`.
   */
  nextMs(afterMs: number, anchorMs: number): number | undefined;
};

/** A schedule is invalid. The message is for the user. */
export class InvalidSchedule extends Error {}

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** @throws InvalidSchedule */
export function parseScheduleExpression(text: string, timeZone = 'UTC'): ScheduleExpression {
  if (!isTimeZone(timeZone)) {
    throw new InvalidSchedule(`Unknown time zone "${timeZone}". Use a name such as Europe/Zurich.`);
  }
  const [, kind, content = ''] = /^(rate|cron|at)\(([^()]*)\)$/.exec(text.trim()) ?? [];
  switch (kind) {
    case 'rate':
      return parseRate(content);
    case 'cron':
      return parseCron(content, timeZone);
    case 'at':
      return parseAt(content, timeZone);
    default:
      throw new InvalidSchedule(
        `Invalid schedule "${text}". Use rate(5 minutes), cron(0 10 ? * MON-FRI *) or at(2026-11-22T10:00:00).`,
      );
  }
}

function parseRate(content: string): ScheduleExpression {
  const [, digits = '', unit = '', plural = ''] = /^([1-9]\d{0,6}) (minute|hour|day)(s?)$/.exec(content) ?? [];
  const count = Number(digits);
  if (!unit || (count === 1) !== (plural === '')) {
    throw new InvalidSchedule(
      `Invalid rate(${content}). Use a number from 1 and minute, hour or day, with the plural from 2: rate(1 hour), rate(5 minutes).`,
    );
  }
  const periodMs = count * (UNIT_MS[unit] ?? 0);
  return {
    kind: 'rate',
    nextMs: (afterMs, anchorMs) =>
      afterMs < anchorMs ? anchorMs : anchorMs + (Math.floor((afterMs - anchorMs) / periodMs) + 1) * periodMs,
  };
}

function parseAt(content: string, timeZone: string): ScheduleExpression {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(content);
  const isDate = match !== null && !Number.isNaN(Date.parse(`${content}Z`));
  if (!isDate)
    throw new InvalidSchedule(`Invalid at(${content}). Use a time such as at(2026-11-22T10:00:00), without an offset.`);
  const atMs = new Cron(content, { timezone: timeZone, paused: true }).nextRun(new Date(0))?.getTime();
  return { kind: 'at', nextMs: (afterMs) => (atMs !== undefined && atMs > afterMs ? atMs : undefined) };
}

/** The six fields in order, with their maximum values. */
const FIELDS = [
  { name: 'minutes', max: 59 },
  { name: 'hours', max: 23 },
  { name: 'day of month', max: 31 },
  { name: 'month', max: 12 },
  { name: 'day of week', max: 6 },
  { name: 'year', max: 2199 },
] as const;

function parseCron(content: string, timeZone: string): ScheduleExpression {
  const fields = content.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) {
    throw new InvalidSchedule(
      `cron(${content}) has ${fields.length} fields instead of six: minutes, hours, day of month, month, day of week, year.`,
    );
  }
  const [, , dayOfMonth, , dayOfWeek] = fields;
  if ((dayOfMonth === '?') === (dayOfWeek === '?')) {
    throw new InvalidSchedule(`cron(${content}) must have ? as either the day of month or the day of week.`);
  }
  if (fields.some((field, index) => field.includes('?') && (field !== '?' || (index !== 2 && index !== 4)))) {
    throw new InvalidSchedule(`cron(${content}) has ? in a field other than the day of month and the day of week.`);
  }
  const pattern = fields.map((field, index) => {
    const days = index === 4 ? dayNumbers(field) : field;
    // On AWS, 5/10 continues to the end of the range.
    const max = FIELDS[index]?.max ?? 0;
    return (days === '?' ? '*' : days).replace(/(^|,)(\d+)\//g, `$1$2-${max}/`);
  });
  try {
    const cron = new Cron(`0 ${pattern.join(' ')}`, { timezone: timeZone, paused: true });
    return { kind: 'cron', nextMs: (afterMs) => nextMatch(cron, new Date(afterMs)) };
  } catch (failure) {
    throw new InvalidSchedule(`cron(${content}): ${failure instanceof Error ? failure.message : failure}`);
  }
}

/**
 * The next time that the pattern matches. When daylight saving time skips an hour, AWS skips the times in it, but
 * croner moves them to the next hour. When an hour repeats, both use the first one.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
 */
function nextMatch(cron: Cron, after: Date): number | undefined {
  let next = cron.nextRun(after);
  while (next !== null && !cron.match(next)) next = cron.nextRun(next);
  return next?.getTime();
}

/** On AWS, days of the week start at 1 (Sunday), in croner at 0. AWS writes the last Friday as 6L. */
function dayNumbers(field: string): string {
  if (field === 'L') return '6';
  return field
    .replace(/(^|[,-])([1-7])(?=$|[,\-#L/])/g, (_, before: string, day: string) => `${before}${Number(day) - 1}`)
    .replace(/(\d|[A-Z]{3})L/gi, '$1#L');
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
