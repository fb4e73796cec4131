/** Admin API of the clock of retries, schedules, visibility timeouts and expiry: reads it and advances it. */
import type { AdjustableClock } from '../clock.ts';
import type { AdminRoute } from './admin-api.ts';
import { AdminError } from './admin-api.ts';

export function clockRoutes(clock: AdjustableClock): readonly AdminRoute[] {
  const render = () => ({ time: new Date(clock.epochMs()).toISOString(), aheadSeconds: clock.aheadMs / 1000 });
  return [
    { method: 'GET', path: '/clock', handle: render },
    {
      method: 'POST',
      path: '/clock',
      handle({ input }) {
        const { advanceSeconds, time } = (input ?? {}) as {
          readonly advanceSeconds?: unknown;
          readonly time?: unknown;
        };
        const ms = time === undefined ? millisecondsOf(advanceSeconds) : millisecondsTo(time, clock.epochMs());
        try {
          clock.advance(ms);
        } catch (failure) {
          if (failure instanceof RangeError)
            throw new AdminError(400, `${HINT}. The clock cannot go beyond the year 9999.`);
          throw failure;
        }
        return render();
      },
    },
  ];
}

const HINT = 'Send {"advanceSeconds": N}, where N is a number of seconds, 0 or more';

function millisecondsOf(seconds: unknown): number {
  if (typeof seconds !== 'number') throw new AdminError(400, `${HINT}, or {"time": "2030-01-01T00:00:00Z"}.`);
  return seconds * 1000;
}

function millisecondsTo(time: unknown, nowMs: number): number {
  const ms = typeof time === 'string' ? Date.parse(time) - nowMs : Number.NaN;
  if (ms >= 0) return ms;
  const now = new Date(nowMs).toISOString();
  throw new AdminError(400, `"time" must be a time in ISO 8601 that is not past. The clock is at ${now}.`);
}
