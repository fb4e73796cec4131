/**
 * Calls a handler that answers whole, in any of the forms that AWS's Node.js runtime knows: by a promise, by the
 * callback, by `context.succeed`, `fail` and `done`, or not at all. The first word counts.
 *
 * An answer by promise or by `context` leaves at once. One by callback waits until nothing is left to do, unless
 * `callbackWaitsForEmptyEventLoop` is false. A handler that says nothing is done when nothing is left to do: null.
 */
import type { Context } from './context.ts';
import type { AnyFunction } from './handler-locator.ts';

export type Verdict =
  | { readonly kind: 'returned'; readonly body: string }
  | { readonly kind: 'failed'; readonly thrown: unknown };

/** Tells when the event loop has run empty; the process lives on if that leads to a request. */
export type OnIdle = { set(listener: (() => void) | undefined): void };

/** What a call is made of; each may throw, which is the handler's failure. */
export type Call = {
  readonly handler: AnyFunction;
  readonly event: () => unknown;
  readonly context: () => Context;
  /** Whether the context has the callbacks of AWS's runtimes before Node.js 24. */
  readonly hasCallbacks: boolean;
};

/** Never rejects. */
export function callBuffered({ handler, event, context: make, hasCallbacks }: Call, onIdle: OnIdle): Promise<Verdict> {
  return new Promise((resolve) => {
    let isDecided = false;
    let context: Context | undefined;

    const settle = (thrown: unknown, result: unknown) => {
      if (!isNothing(thrown)) return resolve({ kind: 'failed', thrown });
      const body = stringify(result);
      resolve(body === undefined ? { kind: 'failed', thrown: new Error(UNSTRINGIFIABLE) } : { kind: 'returned', body });
    };
    const done = (thrown?: unknown, result?: unknown) => {
      if (isDecided) return;
      isDecided = true;
      onIdle.set(undefined);
      settle(thrown, result);
    };
    const succeed = (result?: unknown) => done(undefined, result);
    const fail = (thrown?: unknown) => done(isNothing(thrown) ? 'handled' : thrown, undefined);
    const callback = (thrown?: unknown, result?: unknown) => {
      if (isDecided || !isNothing(thrown) || context?.callbackWaitsForEmptyEventLoop === false) {
        return done(thrown, result);
      }
      isDecided = true;
      onIdle.set(() => settle(thrown, result));
    };

    onIdle.set(() => done(undefined, null));
    try {
      context = make();
      if (hasCallbacks) Object.assign(context, { succeed, fail, done });
      const result = hasCallbacks ? handler(event(), context, callback) : handler(event(), context);
      if (typeof result?.then === 'function') result.then(succeed, fail);
      // Without callbacks, what a handler returns is the answer.
      else if (!hasCallbacks) succeed(result);
    } catch (thrown) {
      fail(thrown);
    }
  });
}

const UNSTRINGIFIABLE = 'Unable to stringify response body';

/** undefined for what has no JSON: circles, BigInts. */
function stringify(result: unknown): string | undefined {
  try {
    // Functions and symbols have none either, and go as undefined does.
    return JSON.stringify(result === undefined ? null : result) ?? 'null';
  } catch {
    return undefined;
  }
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}
