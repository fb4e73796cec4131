/**
 * Calls a handler that answers whole, in any of the forms that AWS's Node.js runtime knows: by a promise, by the
 * callback, by `context.succeed`, `fail` and `done`, or not at all. The first word counts.
 *
 * An answer by promise or by `context` leaves at once. One by callback waits until nothing is left to do, unless
 * `callbackWaitsForEmptyEventLoop` is false. A handler that says nothing is done when nothing is left to do: null. From
 * Node.js 24 on there are promises and returned values alone, and the process ends with nothing left to do.
 */
import type { Context } from './context.ts';
import type { AnyFunction } from './handler-locator.ts';
import { runtimeError } from './runtime-errors.ts';

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

    const done = (thrown?: unknown, result?: unknown) => {
      if (isDecided) return;
      isDecided = true;
      onIdle.set(undefined);
      resolve(isNothing(thrown) ? verdictOn(result, hasCallbacks) : { kind: 'failed', thrown });
    };
    const succeed = (result?: unknown) => done(undefined, result);
    const fail = (thrown?: unknown) => done(isNothing(thrown) ? 'handled' : thrown, undefined);
    const callback = (thrown?: unknown, result?: unknown) => {
      if (isDecided || !isNothing(thrown) || context?.callbackWaitsForEmptyEventLoop === false) {
        return done(thrown, result);
      }
      isDecided = true;
      onIdle.set(() => {
        const verdict = verdictOn(result, hasCallbacks);
        // Nobody is left who could catch it: as on AWS it ends the process.
        if (verdict.kind === 'failed') throw verdict.thrown;
        resolve(verdict);
      });
    };

    if (!hasCallbacks) {
      callPlainly(handler, event, make).then(
        (result) => resolve(verdictOn(result, hasCallbacks)),
        (thrown) => resolve({ kind: 'failed', thrown }),
      );
      return;
    }
    onIdle.set(() => done(undefined, null));
    try {
      context = make();
      Object.assign(context, { succeed, fail, done });
      const result = handler(event(), context, callback);
      if (typeof result?.then === 'function') result.then(succeed, fail);
    } catch (thrown) {
      // As the callback's first argument: AWS's runtimes take `throw null` for no failure.
      callback(thrown);
    }
  });
}

async function callPlainly(handler: AnyFunction, event: () => unknown, make: () => Context): Promise<unknown> {
  return handler(event(), make());
}

/** What has no JSON fails, in the words of AWS's runtime and of its native client. */
function verdictOn(result: unknown, hasCallbacks: boolean): Verdict {
  try {
    const body: string | undefined = JSON.stringify(result === undefined ? null : result);
    // Functions and symbols.
    if (body === undefined) return { kind: 'failed', thrown: new TypeError('Wrong arguments') };
    return { kind: 'returned', body };
  } catch {
    const text = 'Unable to stringify response body';
    return { kind: 'failed', thrown: hasCallbacks ? new Error(text) : runtimeError('JSONStringifyError', text) };
  }
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}
