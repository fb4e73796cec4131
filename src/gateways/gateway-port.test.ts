/** Timeouts of gateways and faults of this machine, on a fake clock. The other tests of the HTTP port are in `test/flows/`. */
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { until } from '../../test/support/until.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { type Listener, listen } from '../http/listener.ts';
import { silentLog } from '../log.ts';
import { parseGatewayConfig, parseRouteOptions } from './gateway-config.ts';
import { createGatewayHandler } from './gateway-port.ts';

const authorized = (kind: 'http-api' | 'rest-api') =>
  parseGatewayConfig(`authorized-${kind}`, {
    kind,
    authorizers: { slow: { type: 'request', function: 'slow', authorizerResultTtlInSeconds: 0 } },
    routes: [{ route: `GET /${kind}`, function: 'slow', authorizer: 'slow' }],
  });
const CONFIGS = [
  ...parseRouteOptions(['GET /http -> slow', 'rest GET /rest -> slow', 'alb /alb -> slow']),
  authorized('http-api'),
  authorized('rest-api'),
];
let listener: Listener | undefined;
afterEach(() => listener?.close());

/** Opens gateways whose functions never respond, or fail by a fault of this machine. */
async function openGateways(clock: FakeClock, fault?: Error): Promise<string> {
  const handler = createGatewayHandler({
    gateways: { all: () => CONFIGS },
    settings: {
      urls: { locate: () => undefined } as never,
      policies: { find: () => undefined } as never,
      resolve: () => ({ configuration: { stored: {} } }) as FunctionVersion,
    },
    enforcesPolicies: false,
    invoke: () => (fault === undefined ? new Promise(() => undefined) : Promise.reject(fault)),
    defaultRegion: 'us-east-1',
    accountId: '123456789012',
    keyOf: () => undefined,
    findApiKey: () => undefined,
    identityOf: () => ({ account: '', arn: '', userId: '' }),
    boundHost: '127.0.0.1',
    allowedHosts: [],
    clock,
    backgroundClock: clock,
    log: silentLog,
  });
  listener = await listen({ host: '127.0.0.1', port: 0, handler, onFailure: () => undefined });
  return `http://127.0.0.1:${listener.port}`;
}

describe('a function that does not respond', () => {
  it.each([
    ['/http', 30_000, 503, '{"message":"Service Unavailable"}'],
    ['/rest', 29_000, 504, '{"message": "Endpoint request timed out"}'],
    ['/http-api', 10_000, 500, '{"message":"Internal Server Error"}'],
    ['/rest-api', 29_000, 500, '{"message":null}'],
  ])('times out at %s after %i ms', async (path, timeoutMs, status, body) => {
    const clock = new FakeClock();
    const pending = fetch(`${await openGateways(clock)}${path}`);
    await until(() => clock.pending === 1);
    clock.advance(timeoutMs - 1);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    const response = await pending;
    expect([response.status, await response.text()]).toEqual([status, body]);
  });
});

it.each([
  ['/http-api', '{"message":"Internal Server Error"}'],
  ['/rest-api', '{"message":null}'],
])('an authorizer whose function cannot be run on this machine is 500 at %s', async (path, body) => {
  const response = await fetch(`${await openGateways(new FakeClock(), new Error('no space left'))}${path}`);
  expect([response.status, await response.text()]).toEqual([500, body]);
});
