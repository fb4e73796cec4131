/** Timeouts of gateways, on a fake clock. The other tests of the HTTP port are in `test/flows/`. */
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { until } from '../../test/support/until.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { type Listener, listen } from '../http/listener.ts';
import { silentLog } from '../log.ts';
import { parseRouteOptions } from './gateway-config.ts';
import { createGatewayHandler } from './gateway-port.ts';

const CONFIGS = parseRouteOptions(['GET /http -> slow', 'rest GET /rest -> slow', 'alb /alb -> slow']);
let listener: Listener | undefined;
afterEach(() => listener?.close());

/** Opens gateways whose functions never respond. */
async function openGateways(clock: FakeClock): Promise<string> {
  const handler = createGatewayHandler({
    gateways: { all: () => CONFIGS },
    settings: {
      urls: { locate: () => undefined } as never,
      policies: { find: () => undefined } as never,
      resolve: () => ({ configuration: { stored: {} } }) as FunctionVersion,
    },
    enforcesPolicies: false,
    invoke: () => new Promise(() => undefined),
    defaultRegion: 'us-east-1',
    accountId: '123456789012',
    keyOf: () => undefined,
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
