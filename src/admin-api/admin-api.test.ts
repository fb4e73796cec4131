/** Lamella's own calls, over a real port. */
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { createApiHandler } from '../api-port/api-port.ts';
import { createAdjustableClock } from '../clock.ts';
import { listen } from '../http/listener.ts';
import { silentLog } from '../log.ts';
import type { ControlRoute } from './admin-api.ts';
import { createControlApi } from './admin-api.ts';
import { clockRoutes } from './clock.ts';

const never = async () => expect.unreachable();
let close: (() => Promise<void>) | undefined;

async function serve(routes: readonly ControlRoute[]): Promise<string> {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: createApiHandler({
      lambda: never,
      iam: never,
      sts: never,
      logs: never,
      control: createControlApi(routes),
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
  return { status: response.status, answer: text === '' ? undefined : JSON.parse(text) };
};

describe('control calls', () => {
  it('move the clock on', async () => {
    const base = new FakeClock(Date.UTC(2026, 10, 22, 10));
    const url = await serve(clockRoutes(createAdjustableClock(base)));
    expect(await call(`${url}/clock`)).toEqual({
      status: 200,
      answer: { time: '2026-11-22T10:00:00.000Z', aheadSeconds: 0 },
    });
    expect((await call(`${url}/clock`, 'POST', { advanceSeconds: 90.5 })).answer).toEqual({
      time: '2026-11-22T10:01:30.500Z',
      aheadSeconds: 90.5,
    });
    for (const input of [undefined, {}, { advanceSeconds: -1 }, { advanceSeconds: '5' }, []]) {
      expect((await call(`${url}/clock`, 'POST', input)).status).toBe(400);
    }
  });

  it('give their path parameters decoded, and 204 for no answer', async () => {
    const seen: unknown[] = [];
    const url = await serve([
      { method: 'PUT', path: '/things/{name}', answer: ({ parameters, input }) => void seen.push([parameters, input]) },
    ]);
    expect(await call(`${url}/things/a%20b`, 'PUT', [1])).toEqual({ status: 204, answer: undefined });
    expect(seen).toEqual([[{ name: 'a b' }, [1]]]);
    expect((await call(`${url}/things/%ff`, 'PUT')).status).toBe(400);
  });

  it('say which calls there are when there is no such call', async () => {
    const url = await serve(clockRoutes(createAdjustableClock(new FakeClock())));
    expect(await call(`${url}/clock`, 'DELETE')).toMatchObject({ status: 405 });
    const { status, answer } = await call(`${url}/clocks`);
    expect(status).toBe(404);
    expect(answer.message).toContain('POST /_lamella/clock');
  });
});
