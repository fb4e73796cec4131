/** Waits until a target has the signals that a resource needs. */
import type { Signal, Signals } from '../signals.ts';
import type { ResourceContext } from './provider.ts';

/**
 * Resolves with the signals as soon as `isEnough` accepts them, or with undefined after `timeoutMs`. @throws the reason
 * of the context's signal
 */
export async function waitForSignals(
  signals: Signals,
  target: string,
  context: ResourceContext,
  { timeoutMs, isEnough }: { readonly timeoutMs: number; readonly isEnough: (all: readonly Signal[]) => boolean },
): Promise<readonly Signal[] | undefined> {
  let found: readonly Signal[] = signals.all(target);
  if (isEnough(found)) return found;
  let unwatch = () => {};
  const arrived = new Promise<readonly Signal[]>((resolve) => {
    unwatch = signals.watch(target, () => {
      found = signals.all(target);
      if (isEnough(found)) resolve(found);
    });
  });
  try {
    return await Promise.race([arrived, context.wait(timeoutMs).then(() => undefined)]);
  } finally {
    unwatch();
  }
}
