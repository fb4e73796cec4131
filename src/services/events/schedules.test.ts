/** Schedules on an adjustable clock. The functions that they invoke are recorded calls. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { createAdjustableClock } from '../../clock.ts';
import { silentLog } from '../../log.ts';
import { type Database, openDatabase } from '../../storage/database.ts';
import { createSchedules, type ScheduleDraft, type Schedules } from './schedules.ts';

const SCOPE = { region: 'us-east-1', account: '123456789012' };
const ARN = 'arn:aws:lambda:us-east-1:123456789012:function:f';
const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;

let directory: string;
let database: Database;
let base: FakeClock;
let clock: ReturnType<typeof createAdjustableClock>;
let sent: { readonly arn: string; readonly event: string }[];
let schedules: Schedules;

const open = () =>
  createSchedules({
    database,
    clock,
    log: silentLog,
    send: async (arn, event) => void sent.push({ arn, event }),
  });
const put = (name: string, expression: string, more: Partial<ScheduleDraft> = {}) =>
  schedules.put(SCOPE, name, { expression, functionArn: ARN, isEnabled: true, kind: 'rule', ...more });
const times = () => sent.map(({ event }) => (JSON.parse(event) as { time: string }).time);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-schedules-'));
  database = openDatabase(join(directory, 'test.db'));
  base = new FakeClock(Date.parse('2026-11-22T10:00:30Z'));
  clock = createAdjustableClock(base);
  sent = [];
  schedules = open();
});
afterEach(() => {
  schedules.close();
  database.close();
  rmSync(directory, { recursive: true });
});

describe('a schedule', () => {
  it('sends the event of an EventBridge rule', () => {
    put('nightly', 'cron(0 3 * * ? *)');
    clock.advance(24 * 60 * MINUTE_MS);
    const [{ arn, event } = { arn: '', event: '{}' }] = sent;
    expect(arn).toBe(ARN);
    expect(JSON.parse(event)).toEqual({
      version: '0',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: '123456789012',
      time: '2026-11-23T03:00:00Z',
      region: 'us-east-1',
      resources: ['arn:aws:events:us-east-1:123456789012:rule/nightly'],
      detail: {},
    });
  });

  it('sends the event of an EventBridge Scheduler schedule, whose detail is text', () => {
    put('once', 'at(2026-11-22T12:00:00)', { kind: 'schedule', timeZone: 'Europe/Zurich' });
    clock.advance(60 * MINUTE_MS);
    expect(JSON.parse(sent[0]?.event ?? '')).toEqual({
      version: '0',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      'detail-type': 'Scheduled Event',
      source: 'aws.scheduler',
      account: '123456789012',
      time: '2026-11-22T11:00:00Z',
      region: 'us-east-1',
      resources: ['arn:aws:scheduler:us-east-1:123456789012:schedule/default/once'],
      detail: '{}',
    });
    clock.advance(YEAR_MS);
    expect(sent).toHaveLength(1);
  });

  it('sends its own input instead, and nothing while it is disabled', () => {
    put('own', 'rate(1 minute)', { input: '{"mine":1}' });
    put('off', 'rate(1 minute)', { isEnabled: false });
    clock.advance(MINUTE_MS);
    expect(sent).toEqual([{ arn: ARN, event: '{"mine":1}' }]);
  });

  it('starts a rate at its creation, and sends each event of a clock jump with its own time', () => {
    put('often', 'rate(5 minutes)');
    clock.advance(16 * MINUTE_MS);
    expect(times()).toEqual(['2026-11-22T10:05:30Z', '2026-11-22T10:10:30Z', '2026-11-22T10:15:30Z']);
  });

  it('sends the first thousand events of a longer jump, and continues after it', () => {
    put('often', 'rate(1 minute)');
    clock.advance(YEAR_MS);
    expect(sent).toHaveLength(1000);
    clock.advance(MINUTE_MS);
    expect(times().slice(1000)).toEqual(['2027-11-22T10:01:30Z']);
  });

  it('skips no times of several jumps that are long only in total', () => {
    put('often', 'rate(1 minute)');
    for (let hour = 0; hour < 17; hour += 1) clock.advance(60 * MINUTE_MS);
    expect(sent).toHaveLength(17 * 60);
  });

  it('is gone after its removal', () => {
    put('gone', 'rate(1 minute)');
    expect([schedules.remove(SCOPE, 'gone'), schedules.remove(SCOPE, 'gone')]).toEqual([true, false]);
    clock.advance(MINUTE_MS);
    expect(sent).toEqual([]);
  });
});

describe('after the service was down', () => {
  const restart = () => {
    schedules.close();
    schedules = open();
  };

  it('skips the times that passed while the service was down, except for one-time schedules', () => {
    put('often', 'rate(1 minute)');
    put('once', 'at(2026-11-22T10:01:00)', { kind: 'schedule' });
    schedules.close();
    base.advance(10 * MINUTE_MS);
    restart();
    clock.advance(0);
    expect(JSON.parse(sent[0]?.event ?? '')).toMatchObject({ source: 'aws.scheduler', time: '2026-11-22T10:01:00Z' });
    clock.advance(MINUTE_MS);
    expect(times().slice(1)).toEqual(['2026-11-22T10:11:30Z']);
  });

  it('is not delayed by a clock that was ahead before a restart', () => {
    clock.advance(YEAR_MS);
    put('often', 'rate(1 minute)');
    put('nightly', 'cron(0 3 * * ? *)');
    clock = createAdjustableClock(base);
    restart();
    expect(schedules.list().map(({ name, nextMs }) => [name, new Date(nextMs ?? 0).toISOString()])).toEqual([
      ['nightly', '2026-11-23T03:00:00.000Z'],
      ['often', '2026-11-22T10:01:30.000Z'],
    ]);
  });
});
