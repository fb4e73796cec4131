/** Schedules and the clock of a whole service, through the admin API and through the library. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, LISTENING_RUNTIME, type Listener, listenForEvents } from '../support/event-listener.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function';

let service: RunningService;
let listener: Listener;

beforeAll(async () => {
  service = await startService();
  listener = await listenForEvents();
});
afterAll(async () => {
  await service.close();
  await listener.close();
});

const create = (name: string) =>
  service.createFunction(
    name,
    { bootstrap: LISTENING_RUNTIME },
    { Environment: { Variables: { LISTENER: `${listener.url}/${name}` } } },
  );
/** Calls the admin API. Resolves with the status and the response. */
async function admin(method: string, path: string, input?: unknown): Promise<[number, Record<string, unknown>]> {
  const body = input === undefined ? null : JSON.stringify(input);
  const response = await fetch(`${service.url}/_lamella${path}`, { method, body });
  const text = await response.text();
  return [response.status, text === '' ? {} : JSON.parse(text)];
}
const nowMs = () => service.lamella.clock.epochMs();

it('a schedule calls its function for each time of an hour when the clock is advanced', async () => {
  await create('ticks');
  const [status, made] = await admin('PUT', '/schedules/ticks', {
    expression: 'rate(20 minutes)',
    function: 'ticks',
  });
  expect([status, made]).toEqual([
    200,
    {
      name: 'ticks',
      expression: 'rate(20 minutes)',
      function: `${FUNCTION}:ticks`,
      enabled: true,
      kind: 'rule',
      region: 'us-east-1',
      nextTime: expect.any(String),
    },
  ]);
  const first = Date.parse(String(made.nextTime));
  const [, clock] = await admin('POST', '/clock', { advanceSeconds: 3600 });
  expect(clock.aheadSeconds).toBe(3600);
  const runs = [await listener.next('ticks'), await listener.next('ticks'), await listener.next('ticks')];
  const times = runs.map(({ event }) => (event as { time: string }).time).sort();
  expect(times).toEqual([0, 1, 2].map((n) => `${new Date(first + n * 1_200_000).toISOString().slice(0, 19)}Z`));
  expect(runs[0]?.event).toMatchObject({
    source: 'aws.events',
    resources: ['arn:aws:events:us-east-1:123456789012:rule/ticks'],
  });
  expect(await admin('DELETE', '/schedules/ticks')).toEqual([204, {}]);
  await admin('POST', '/clock', { advanceSeconds: 3600 });
  expect(listener.waiting('ticks')).toBe(0);
});

it('a schedule can be fired before its time', async () => {
  await create('fires');
  service.lamella.schedules.put('fires', {
    expression: 'at(2999-01-01T00:00:00)',
    timeZone: 'Europe/Zurich',
    function: 'fires',
    input: { mine: true },
  });
  expect(service.lamella.schedules.list()).toMatchObject([
    { name: 'fires', kind: 'schedule', nextTime: '2998-12-31T23:00:00.000Z' },
  ]);
  expect(await admin('POST', '/schedules/fires/fire')).toEqual([204, {}]);
  expect((await listener.next('fires')).event).toEqual({ mine: true });
  await service.lamella.schedules.fire('fires');
  await listener.next('fires');
  service.lamella.schedules.remove('fires');
  expect(await admin('POST', '/schedules/fires/fire')).toEqual([
    404,
    { message: 'There is no schedule "fires" in us-east-1.' },
  ]);
});

it('an invalid schedule is rejected with an example of a valid one', async () => {
  const refused = async (input: unknown) => {
    const [status, { message }] = await admin('PUT', '/schedules/bad', input);
    return [status, message];
  };
  expect(await refused({ expression: 'rate(1 fortnight)', function: 'f' })).toEqual([
    400,
    'Invalid rate(1 fortnight). Use a number from 1 and minute, hour or day, with the plural from 2: rate(1 hour), rate(5 minutes).',
  ]);
  expect(await refused({ expression: 'rate(1 hour)' })).toEqual([400, 'function is required, such as "NAME".']);
  expect(await refused({ expression: 'rate(1 hour)', function: 'f', kind: 'daily' })).toEqual([
    400,
    'kind must be "rule" or "schedule", not "daily".',
  ]);
  expect(await refused({ expression: 'rate(1 hour)', function: 'f', zone: 'UTC' })).toEqual([
    400,
    'zone is not supported. Supported members: expression, timeZone, function, input, enabled, kind, region.',
  ]);
  expect(await admin('GET', '/schedules')).toEqual([200, { schedules: [] }]);
});

it('a clock that was advanced by years continues from there', async () => {
  await create('years');
  const begunMs = nowMs();
  const days = 24 * 3600 * 1000;
  service.lamella.schedules.put('years', { expression: 'rate(365 days)', function: 'years' });
  service.lamella.clock.advance(3 * 365 * days);
  for (let year = 1; year <= 3; year += 1) await listener.next('years');
  const [{ nextTime } = { nextTime: undefined }] = service.lamella.schedules.list();
  expect(Date.parse(nextTime ?? '') - begunMs).toBeGreaterThan(4 * 365 * days - 1000);
  await eventually(async () =>
    expect(await admin('GET', '/async/years')).toEqual([200, { waiting: 0, running: 0, delayed: 0 }]),
  );
});
