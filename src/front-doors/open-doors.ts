/**
 * Opens the doors' port. What answers there is loaded with the first request, so that a service that nobody calls over
 * HTTP starts without it. When nobody asked for a port, the usual one is taken if it is free, else any.
 */
import { type Listener, type ListenOptions, listen } from '../http/listener.ts';
import type { Closeable } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import type { Doors } from './doors.ts';
import type { FrontDoorsOptions } from './server.ts';

export type OpenDoorsOptions = Omit<FrontDoorsOptions, 'doors' | 'boundHost'> & {
  readonly doors: Doors;
  readonly host: string;
  /** Undefined for the usual one. */
  readonly port: number | undefined;
};

export type OpenDoors = Closeable & {
  readonly port: number;
  /** Stops accepting, gives requests in flight `graceMs` milliseconds, then cuts them. */
  drain(graceMs: number): Promise<void>;
};

/** As `sam local start-api`. */
export const USUAL_DOORS_PORT = 3000;
/** The longest head of a request that any door takes: function URLs do, in bytes. */
const HEAD_BYTES = 1_048_576;

/** Listens. @throws OperatorError 'port-in-use' or 'cannot-listen' */
export async function openDoors({ host, port, log, ...options }: OpenDoorsOptions): Promise<OpenDoors> {
  let handler: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { createFrontDoors } = await import('./server.ts');
    return createFrontDoors({ ...options, boundHost: host, log });
  };
  const listener = await listenThere(port, log, {
    host,
    handler: async (request, response) => {
      handler ??= load();
      await (await handler)(request, response);
    },
    maxHeaderBytes: HEAD_BYTES,
    onFailure: (failure) => log.error({ err: failure }, 'a request to a door could not be answered'),
  });
  return {
    port: listener.port,
    drain: (graceMs) => listener.drain(graceMs),
    close: () => listener.close(),
  };
}

async function listenThere(
  port: number | undefined,
  log: Log,
  options: Omit<ListenOptions, 'port'>,
): Promise<Listener> {
  if (port !== undefined) return listen({ ...options, port });
  try {
    return await listen({ ...options, port: USUAL_DOORS_PORT });
  } catch (failure) {
    if (!(failure instanceof OperatorError) || failure.code !== 'port-in-use') throw failure;
    const listener = await listen({ ...options, port: 0 });
    log.info({ port: listener.port }, `port ${USUAL_DOORS_PORT} is in use: the doors took another one`);
    return listener;
  }
}
