/**
 * Opens the doors' port. What answers there is loaded with the first request, so that a service that nobody calls over
 * HTTP starts without it. When nobody asked for a port, the usual one is taken if it is free, else any.
 */
import type { Clock } from '../clock.ts';
import { type Listener, type ListenOptions, listen } from '../http/listener.ts';
import type { Closeable } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import type { FrontDoorsOptions } from './gateway-port.ts';
import type { Doors } from './gateways.ts';
import type { HealthChecks, HealthChecksOptions, TargetHealth } from './load-balancer/health-checks.ts';

export type OpenDoorsOptions = Omit<FrontDoorsOptions, 'doors' | 'boundHost'> & {
  readonly doors: Doors;
  readonly host: string;
  /** Of health checks, which tests need not wait for. */
  readonly backgroundClock: Clock;
  /** Undefined for the usual one. */
  readonly port: number | undefined;
};

export type OpenDoors = Closeable & {
  readonly port: number;
  /** The health of a load balancer's targets. */
  healthOf(door: string): readonly TargetHealth[];
  /** Stops accepting, gives requests in flight `graceMs` milliseconds, then cuts them. */
  drain(graceMs: number): Promise<void>;
};

/** As `sam local start-api`. */
export const USUAL_DOORS_PORT = 3000;
/** The longest head of a request that any door takes: function URLs do, in bytes. */
const HEAD_BYTES = 1_048_576;
/** How long a client may take to send the head of a request: a load balancer's idle time-out on AWS. */
const HEAD_PATIENCE_MS = 60_000;

/** Listens. @throws OperatorError 'port-in-use' or 'cannot-listen' */
export async function openDoors({
  host,
  port,
  log,
  backgroundClock,
  ...options
}: OpenDoorsOptions): Promise<OpenDoors> {
  let handler: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { createFrontDoors } = await import('./gateway-port.ts');
    return createFrontDoors({ ...options, boundHost: host, log });
  };
  const health = watchHealth({ ...options, log, clock: backgroundClock });
  const listener = await listenThere(port, log, {
    host,
    handler: async (request, response) => {
      handler ??= load();
      await (await handler)(request, response);
    },
    maxHeaderBytes: HEAD_BYTES,
    headPatienceMs: HEAD_PATIENCE_MS,
    onFailure: (failure) => log.error({ err: failure }, 'a request to a door could not be answered'),
  });
  return {
    port: listener.port,
    healthOf: (door) => health.of(door),
    async drain(graceMs) {
      await health.close();
      await listener.drain(graceMs);
    },
    async close() {
      await health.close();
      await listener.close();
    },
  };
}

/** Health checks, loaded once a door asks for any. */
function watchHealth(
  options: Omit<FrontDoorsOptions, 'boundHost' | 'doors'> & { readonly doors: Doors },
): HealthChecks {
  const { doors, accountId, defaultRegion, clock, log } = options;
  let loading: Promise<HealthChecks> | undefined;
  let checks: HealthChecks | undefined;
  const load = async () => {
    const [{ createHealthChecks }, { invokeTarget }] = await Promise.all([
      import('./load-balancer/health-checks.ts'),
      import('./invoke-target.ts'),
    ]);
    const invoke = (...[target, event]: Parameters<HealthChecksOptions['invoke']>) =>
      invokeTarget(options, target, event);
    checks = createHealthChecks({ doors, invoke, accountId, defaultRegion, clock });
    return checks;
  };
  const follow = () => {
    const isAsked = doors.all().some((config) => config.kind === 'load-balancer' && config.healthCheck !== undefined);
    if (!isAsked || loading !== undefined) return;
    loading = load();
    loading.catch((failure: unknown) => log.error({ err: failure }, 'health checks could not be started'));
  };
  follow();
  const stopFollowing = doors.onChange(follow);
  return {
    of: (door) => checks?.of(door) ?? [],
    async close() {
      stopFollowing();
      await (await loading)?.close();
    },
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
