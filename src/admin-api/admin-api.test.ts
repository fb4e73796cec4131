/** The admin API on a real port. */
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { createApiHandler } from '../api-port/api-port.ts';
import { createAdjustableClock } from '../clock.ts';
import { listen } from '../http/listener.ts';
import { silentLog } from '../log.ts';
import type { AdminRoute } from './admin-api.ts';
import { createAdminApi } from './admin-api.ts';
import { clockRoutes } from './clock.ts';

const never = async () => expect.unreachable();
let close: (() => Promise<void>) | undefined;

async function serve(routes: readonly AdminRoute[]): Promise<string> {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: createApiHandler({
      lambda: never,
      iam: never,
      sts: never,
      logs: never,
      admin: createAdminApi(routes),
      defaultRegion: 'us-east-1',
      accountId: '123456789012',
      allowedHosts: [],
      log: silentLog,
    }),
    onFailure: (failure) => expect.unreachable(String(failure)),
  });
  close = () => listener.close();
  return `http://127.0.0.1:${listener.port}/_lamella`;
}
afterEach(() => close?.());

const call = async (url: string, method = 'GET', input?: unknown) => {
  const response = await fetch(url, { method, ...(input !== undefined && { body: JSON.stringify(input) }) });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
};

describe('the admin API', () => {
  it('advances the clock', async () => {
    const base = new FakeClock(Date.UTC(2026, 10, 22, 10));
    const url = await serve(clockRoutes(createAdjustableClock(base)));
    expect(await call(`${url}/clock`)).toEqual({
      status: 200,
      body: { time: '2026-11-22T10:00:00.000Z', aheadSeconds: 0 },
    });
    expect((await call(`${url}/clock`, 'POST', { advanceSeconds: 90.5 })).body).toEqual({
      time: '2026-11-22T10:01:30.500Z',
      aheadSeconds: 90.5,
    });
    for (const input of [undefined, {}, { advanceSeconds: -1 }, { advanceSeconds: '5' }, []]) {
      expect((await call(`${url}/clock`, 'POST', input)).status).toBe(400);
    }
  });

  it('decodes path parameters and responds with 204 when there is nothing to return', async () => {
    const seen: unknown[] = [];
    const url = await serve([
      { method: 'PUT', path: '/things/{name}', handle: ({ parameters, input }) => void seen.push([parameters, input]) },
    ]);
    expect(await call(`${url}/things/a%20b`, 'PUT', [1])).toEqual({ status: 204, body: undefined });
    expect(seen).toEqual([[{ name: 'a b' }, [1]]]);
    expect((await call(`${url}/things/%ff`, 'PUT')).status).toBe(400);
  });

  it('lists its operations in a response to an unknown one', async () => {
    const url = await serve(clockRoutes(createAdjustableClock(new FakeClock())));
    expect(await call(`${url}/clock`, 'DELETE')).toMatchObject({ status: 405 });
    const { status, body } = await call(`${url}/clocks`);
    expect(status).toBe(404);
    expect(body.message).toContain('POST /_lamella/clock');
  });
});
