/** Removes unreferenced code, layers and merged trees when the service starts, and regularly from then on. */
import type { Cancel, Clock } from '../clock.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { Functions } from '../functions/functions.ts';
import type { Closeable } from '../lifetime.ts';
import type { Log } from '../log.ts';

const INTERVAL_MS = 10 * 60_000;

/** Starts collecting. `versionsInUse` returns the versions that environments run; closing waits for a running pass. */
export function collectGarbageRegularly({
  functions,
  versionsInUse,
  clock,
  log,
}: {
  functions: Pick<Functions, 'collectGarbage'>;
  versionsInUse: () => Iterable<FunctionVersion>;
  clock: Clock;
  log: Log;
}): Closeable {
  let collecting = Promise.resolve();
  let cancel: Cancel = () => undefined;
  const collect = () => {
    collecting = functions
      .collectGarbage(versionsInUse)
      .then((collected) => log.debug(collected, 'garbage collected'))
      .catch((failure: unknown) => log.error({ err: failure }, 'garbage collection failed'));
    cancel = clock.after(INTERVAL_MS, collect);
  };
  collect();
  return {
    async close() {
      cancel();
      await collecting;
    },
  };
}
