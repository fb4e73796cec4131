/** Control calls of the clock: what time it is for retries, schedules, visibility and expiry, and moving it on. */
import type { AdjustableClock } from '../clock.ts';
import type { ControlRoute } from './admin-api.ts';
import { ControlError } from './admin-api.ts';

export function clockRoutes(clock: AdjustableClock): readonly ControlRoute[] {
  const render = () => ({ time: new Date(clock.epochMs()).toISOString(), aheadSeconds: clock.aheadMs / 1000 });
  return [
    { method: 'GET', path: '/clock', answer: render },
    {
      method: 'POST',
      path: '/clock',
      answer({ input }) {
        const seconds = (input as { readonly advanceSeconds?: unknown } | undefined)?.advanceSeconds;
        const hint = 'Give {"advanceSeconds": N} with a number of seconds from 0';
        if (typeof seconds !== 'number') throw new ControlError(400, `${hint}.`);
        try {
          clock.advance(seconds * 1000);
        } catch (failure) {
          if (failure instanceof RangeError) throw new ControlError(400, `${hint}, to the year 9999 at most.`);
          throw failure;
        }
        return render();
      },
    },
  ];
}
