/** Health checks, on a fake clock. */
import { afterEach, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { parseGatewayConfig } from '../gateway-config.ts';
import { createHealthChecks, type HealthChecks } from './health-checks.ts';

let checks: HealthChecks | undefined;
afterEach(() => checks?.close());

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function watch(respond: () => Promise<Buffer | undefined>, healthCheck: object = {}) {
  const clock = new FakeClock(0);
  const events: object[] = [];
  const gateway = parseGatewayConfig('web', {
    kind: 'load-balancer',
    routes: ['/a/* -> one', '/b/* -> one'],
    healthCheck: { path: '/health', intervalSeconds: 10, timeoutSeconds: 5, healthyThreshold: 2, ...healthCheck },
  });
  checks = createHealthChecks({
    gateways: { all: () => [gateway], onChange: () => () => undefined },
    invoke: (_, event) => {
      events.push(event);
      return respond();
    },
    accountId: '123456789012',
    defaultRegion: 'us-east-1',
    clock,
  });
  return { clock, events, health: () => checks?.of('web') };
}

it('checks each function once in an interval, with the event of a health check', async () => {
  const { clock, events, health } = watch(async () => Buffer.from('{"statusCode":200}'));
  expect(health()).toEqual([{ function: 'one', state: 'initial', reason: undefined }]);
  await settled();
  expect(events).toMatchObject([{ path: '/health', headers: { 'user-agent': 'ELB-HealthChecker/2.0' } }]);
  expect(health()).toEqual([{ function: 'one', state: 'healthy', reason: undefined }]);
  clock.advance(9_999);
  await settled();
  expect(events).toHaveLength(1);
  clock.advance(1);
  await settled();
  expect(events).toHaveLength(2);
});

it('changes the state after as many checks as the threshold', async () => {
  let status = 200;
  const { clock, health } = watch(async () => Buffer.from(JSON.stringify({ statusCode: status })));
  await settled();
  const after = async (next: number) => {
    status = next;
    clock.advance(10_000);
    await settled();
    return health()?.[0]?.state;
  };
  expect(await after(500)).toBe('healthy');
  expect(await after(500)).toBe('unhealthy');
  expect(health()?.[0]?.reason).toBe('Health checks failed with these codes: [500]');
  expect(await after(200)).toBe('unhealthy');
  expect(await after(200)).toBe('healthy');
});

it.each([
  [async () => undefined, /the function failed/],
  [async () => Buffer.from('"text"'), /not a JSON object/],
  [async () => Buffer.from('{"statusCode":204}'), /\[204\]/],
])('marks a function as unhealthy at the first check', async (respond, reason) => {
  const { health } = watch(respond, { matcher: '200,300-399' });
  await settled();
  expect(health()).toEqual([{ function: 'one', state: 'unhealthy', reason: expect.stringMatching(reason) }]);
});

it('counts a check that cannot be made as failed, and goes on checking', async () => {
  let isBroken = true;
  const { clock, health } = watch(async () => {
    if (isBroken) throw new Error('no memory');
    return Buffer.from('{"statusCode":200}');
  });
  await settled();
  expect(health()).toMatchObject([{ state: 'unhealthy' }]);
  isBroken = false;
  for (let passes = 0; passes < 2; passes++) {
    clock.advance(10_000);
    await settled();
  }
  expect(health()).toMatchObject([{ state: 'healthy' }]);
});

it('does not wait longer than the timeout', async () => {
  const { clock, health } = watch(() => new Promise(() => undefined));
  clock.advance(5000);
  await settled();
  expect(health()).toMatchObject([{ state: 'unhealthy', reason: 'Request timed out' }]);
});
