/**
 * A port that stays open while what is behind it is replaced: clients keep their connections, and requests that arrive
 * meanwhile wait. The first `listen` binds it, each later one only brings another handler.
 */
import type { HttpHandler } from './exchange.ts';
import { type Listener, type ListenOptions, listen, type PlainRoutes } from './listener.ts';

/** Listens, or takes the place of the earlier listener on the same port. @throws OperatorError as `listen` does */
export type Listen = (options: ListenOptions) => Promise<Listener>;

export type LastingPort = {
  readonly listen: Listen;
  /** Lets requests wait until `listen` is called again. Until then, draining and closing the listener do nothing. */
  suspend(): void;
  /** Cuts every connection, also while it is suspended. */
  close(): Promise<void>;
};

export function createLastingPort(): LastingPort {
  let bound: Listener | undefined;
  let handler: HttpHandler;
  let plain: PlainRoutes | undefined;
  let suspended: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  return {
    async listen(options) {
      handler = options.handler;
      plain = options.plain;
      bound ??= await listen({
        ...options,
        handler: (request, response) =>
          suspended === undefined ? handler(request, response) : suspended.over.then(() => handler(request, response)),
        ...(plain && {
          plain: {
            // The other handler waits.
            takes: (...request) => suspended === undefined && plain?.takes(...request) === true,
            handler: (...exchange) => plain?.handler(...exchange),
          },
        }),
      });
      suspended?.end();
      suspended = undefined;
      const { host, port, usage, drain, close } = bound;
      return {
        host,
        port,
        usage,
        drain: async (graceMs) => (suspended === undefined ? drain(graceMs) : undefined),
        close: async () => (suspended === undefined ? close() : undefined),
      };
    },
    suspend() {
      if (bound === undefined || suspended !== undefined) return;
      let end = () => {};
      const over = new Promise<void>((resolve) => {
        end = resolve;
      });
      suspended = { over, end };
    },
    close: async () => bound?.close(),
  };
}
