import { describe, expect, it } from 'vitest';
import { InvalidSchedule, parseScheduleExpression } from './schedule-expression.ts';

/** Sunday. */
const START = '2026-11-22T10:00:00.000Z';

function times(expression: string, { count = 3, zone = 'UTC', after = START } = {}): (string | undefined)[] {
  const schedule = parseScheduleExpression(expression, zone);
  const anchor = Date.parse(START);
  const found: (string | undefined)[] = [];
  let at: number | undefined = Date.parse(after);
  for (let index = 0; index < count && at !== undefined; index += 1) {
    at = schedule.nextMs(at, anchor);
    found.push(at === undefined ? undefined : new Date(at).toISOString().replace(':00.000Z', ''));
  }
  return found;
}

describe('a schedule expression', () => {
  // 28 March 2027 has no 2:30 in Zurich, 31 October has two.
  it.each<[string, (string | undefined)[], Parameters<typeof times>[1]?]>([
    ['rate(5 minutes)', ['2026-11-22T10:05', '2026-11-22T10:10', '2026-11-22T10:15']],
    ['rate(1 day)', ['2026-11-23T10:00', '2026-11-24T10:00', '2026-11-25T10:00']],
    ['rate(2 hours)', ['2026-11-22T16:00'], { count: 1, after: '2026-11-22T14:30:00Z' }],
    ['cron(0 12 * * ? *)', ['2026-11-22T12:00', '2026-11-23T12:00', '2026-11-24T12:00']],
    ['cron(15 10 ? * MON-FRI *)', ['2026-11-23T10:15', '2026-11-24T10:15', '2026-11-25T10:15']],
    ['cron(0 8 ? * 2-3 *)', ['2026-11-23T08:00', '2026-11-24T08:00', '2026-11-30T08:00']],
    ['cron(0 8 ? * 1 *)', ['2026-11-29T08:00', '2026-12-06T08:00', '2026-12-13T08:00']],
    ['cron(0/20 11 * * ? *)', ['2026-11-22T11:00', '2026-11-22T11:20', '2026-11-22T11:40']],
    ['cron(0 0 1,15 JAN,12 ? *)', ['2026-12-01T00:00', '2026-12-15T00:00', '2027-01-01T00:00']],
    ['cron(0 9 L * ? *)', ['2026-11-30T09:00', '2026-12-31T09:00', '2027-01-31T09:00']],
    ['cron(0 9 ? * 6L *)', ['2026-11-27T09:00', '2026-12-25T09:00', '2027-01-29T09:00']],
    ['cron(0 9 ? * 2#1 *)', ['2026-12-07T09:00', '2027-01-04T09:00', '2027-02-01T09:00']],
    ['cron(0 9 3W * ? *)', ['2026-12-03T09:00', '2027-01-04T09:00', '2027-02-03T09:00']],
    ['cron(0 0 1 1 ? 2028-2029)', ['2028-01-01T00:00', '2029-01-01T00:00', undefined]],
    ['cron(30 2 * * ? *)', ['2026-11-23T01:30', '2026-11-24T01:30'], { count: 2, zone: 'Europe/Zurich' }],
    [
      'cron(30 2 * * ? *)',
      ['2027-03-27T01:30', '2027-03-29T00:30'],
      { count: 2, zone: 'Europe/Zurich', after: '2027-03-26T12:00:00Z' },
    ],
    [
      'cron(30 2 * * ? *)',
      ['2027-10-31T00:30', '2027-11-01T01:30'],
      { count: 2, zone: 'Europe/Zurich', after: '2027-10-30T12:00:00Z' },
    ],
    [
      'cron(0 0/2 * * ? *)',
      ['2027-03-28T02:00', '2027-03-28T04:00'],
      { count: 2, zone: 'Europe/Zurich', after: '2027-03-27T23:00:00Z' },
    ],
    ['at(2026-11-23T08:00:00)', ['2026-11-23T13:00', undefined], { count: 2, zone: 'America/New_York' }],
    ['at(2026-11-22T09:00:00)', [undefined], { count: 1 }],
  ])('%s', (expression, expected, more) => {
    expect(times(expression, more)).toEqual(expected);
  });

  it.each([
    'every day',
    'rate(0 minutes)',
    'rate(1 minutes)',
    'rate(5 minute)',
    'rate(5 seconds)',
    'cron(0 12 * * *)',
    'cron(0 12 * * * *)',
    'cron(0 12 ? * ? *)',
    'cron(61 12 * * ? *)',
    'cron(? 12 * * ? *)',
    'at(tomorrow)',
    'at(2026-13-01T00:00:00)',
    'at(2026-11-22T10:00:00Z)',
  ])('refuses %s', (expression) => {
    expect(() => parseScheduleExpression(expression)).toThrow(InvalidSchedule);
  });

  it('rejects an unknown time zone', () => {
    expect(() => parseScheduleExpression('rate(1 day)', 'Mars/Olympus')).toThrow('Unknown time zone');
  });
});
