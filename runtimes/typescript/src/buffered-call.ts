/**
 * Calls a handler that returns its response as a whole, in every form that AWS's Node.js runtime supports: a promise, the
 * callback, `context.succeed`, `fail` and `done`, or no response. The first one wins.
 *
 * A promise or a `context` method responds immediately. The callback responds once the event loop is empty, unless
 * `callbackWaitsForEmptyEventLoop` is false. A handler that never responds returns null when the event loop is empty.
 * Node.js 24 and later support only promises and returned values, and the process exits when the event loop is empty.
 */
import type { Context } from './context.ts';
import type { AnyFunction } from './handler-locator.ts';
import { runtimeError } from './runtime-errors.ts';

export type HandlerResult =
  | { readonly kind: 'returned'; readonly body: string }
  | { readonly kind: 'failed'; readonly thrown: unknown };

/** Called when the event loop is empty. The process keeps running if the listener starts a request. */
export type OnIdle = { set(listener: (() => void) | undefined): void };

/** The parts of one call. `event` and `context` may throw; that counts as a failure of the handler. */
export type Call = {
  readonly handler: AnyFunction;
  readonly event: () => unknown;
  readonly context: () => Context;
  /** Whether the handler gets the callbacks of AWS's runtimes before Node.js 24. */
  readonly hasCallbacks: boolean;
};

/** Never rejects. */
export function callBuffered(
  { handler, event, context: make, hasCallbacks }: Call,
  onIdle: OnIdle,
): Promise<HandlerResult> {
  return new Promise((resolve) => {
    let isSettled = false;
    let context: Context | undefined;

    const done = (thrown?: unknown, result?: unknown) => {
      if (isSettled) return;
      isSettled = true;
      onIdle.set(undefined);
      resolve(isNullish(thrown) ? resultOf(result, hasCallbacks) : { kind: 'failed', thrown });
    };
    const succeed = (result?: unknown) => done(undefined, result);
    const fail = (thrown?: unknown) => done(isNullish(thrown) ? 'handled' : thrown, undefined);
    const callback = (thrown?: unknown, result?: unknown) => {
      if (isSettled || !isNullish(thrown) || context?.callbackWaitsForEmptyEventLoop === false) {
        return done(thrown, result);
      }
      isSettled = true;
      onIdle.set(() => {
        const handlerResult = resultOf(result, hasCallbacks);
        // Nothing can catch it at this point. As on AWS it ends the process.
        if (handlerResult.kind === 'failed') throw handlerResult.thrown;
        resolve(handlerResult);
      });
    };

    if (!hasCallbacks) {
      callAsync(handler, event, make).then(
        (result) => resolve(resultOf(result, hasCallbacks)),
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
      // Passed to the callback, because AWS's runtimes treat `throw null` as success.
      callback(thrown);
    }
  });
}

async function callAsync(handler: AnyFunction, event: () => unknown, make: () => Context): Promise<unknown> {
  return handler(event(), make());
}

/** A value that JSON cannot represent is a failure, with the message of AWS's runtime or of its native client. */
function resultOf(result: unknown, hasCallbacks: boolean): HandlerResult {
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

function isNullish(value: unknown): boolean {
  return value === undefined || value === null;
}
