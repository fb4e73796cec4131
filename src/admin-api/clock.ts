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
        const seconds = (input as { readonly advanceSeconds?: unknown } | undefined)?.advanceSeconds;
        const hint = 'Send {"advanceSeconds": N}, where N is a number of seconds, 0 or more';
        if (typeof seconds !== 'number') throw new AdminError(400, `${hint}.`);
        try {
          clock.advance(seconds * 1000);
        } catch (failure) {
          if (failure instanceof RangeError)
            throw new AdminError(400, `${hint}. The clock cannot go beyond the year 9999.`);
          throw failure;
        }
        return render();
      },
    },
  ];
}
