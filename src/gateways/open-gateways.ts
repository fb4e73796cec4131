/**
 * Opens the HTTP port. Its handler is loaded with the first request, and health checks with the first gateway that has
 * one, so that the service starts faster. Without a configured port, listens on 3000 if it is free, or else on any.
 */
import type { Listen } from '../http/lasting-port.ts';
import type { Listener, ListenOptions } from '../http/listener.ts';
import type { Closeable } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import type { GatewayHandlerOptions } from './gateway-port.ts';
import type { Gateways } from './gateways.ts';
import type { HealthChecks, HealthChecksOptions, TargetHealth } from './load-balancer/health-checks.ts';

export type OpenGatewaysOptions = Omit<GatewayHandlerOptions, 'gateways' | 'boundHost'> & {
  /** Limits of the port's clients. Optional. */
  readonly limits?: ListenOptions['limits'];
  readonly bodies?: ListenOptions['bodies'];
  readonly gateways: Gateways;
  readonly host: string;
  /** Undefined for the default. 0 takes any free port. */
  readonly port: number | undefined;
  readonly listen: Listen;
};

export type OpenGateways = Closeable & {
  readonly port: number;
  /** The health of a load balancer's targets. Empty without a health check. */
  healthOf(gateway: string): readonly TargetHealth[];
  /** Stops accepting connections, gives requests in flight `graceMs` milliseconds, then cuts them. */
  drain(graceMs: number): Promise<void>;
};

/** The port of `sam local start-api`. */
export const DEFAULT_HTTP_PORT = 3000;
/** Maximum size of a request's head at any gateway, in bytes: the limit of function URLs. */
const HEAD_BYTES = 1_048_576;
/** How long a client may take to send the head of a request: the default idle timeout of a load balancer on AWS. */
const HEAD_TIMEOUT_MS = 60_000;

/** Listens. The caller closes it. @throws OperatorError 'port-in-use' or 'cannot-listen' */
export async function openGateways({
  host,
  port,
  listen,
  log,
  ...options
}: OpenGatewaysOptions): Promise<OpenGateways> {
  let handler: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { createGatewayHandler } = await import('./gateway-port.ts');
    return createGatewayHandler({ ...options, boundHost: host, log });
  };
  const health = watchHealth({ ...options, log, clock: options.backgroundClock });
  const listener = await listenOnPort(listen, port, log, {
    host,
    handler: async (request, response) => {
      handler ??= load();
      await (await handler)(request, response);
    },
    maxHeaderBytes: HEAD_BYTES,
    headTimeoutMs: HEAD_TIMEOUT_MS,
    limits: options.limits,
    bodies: options.bodies,
    onFailure: (failure) => log.error({ err: failure }, 'a request to the HTTP port failed'),
  });
  return {
    port: listener.port,
    healthOf: (gateway) => health.of(gateway),
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

/** Starts health checks once a gateway has one. */
function watchHealth(
  options: Omit<GatewayHandlerOptions, 'boundHost' | 'gateways'> & { readonly gateways: Gateways },
): HealthChecks {
  const { gateways, accountId, defaultRegion, clock, log } = options;
  let loading: Promise<HealthChecks> | undefined;
  let checks: HealthChecks | undefined;
  const load = async () => {
    const [{ createHealthChecks }, { invokeTarget }] = await Promise.all([
      import('./load-balancer/health-checks.ts'),
      import('./invoke-target.ts'),
    ]);
    const invoke = (...[target, event]: Parameters<HealthChecksOptions['invoke']>) =>
      invokeTarget(options, target, event);
    checks = createHealthChecks({ gateways, invoke, accountId, defaultRegion, clock });
    return checks;
  };
  const follow = () => {
    const isNeeded = gateways
      .all()
      .some((config) => config.kind === 'load-balancer' && config.healthCheck !== undefined);
    if (!isNeeded || loading !== undefined) return;
    loading = load();
    loading.catch((failure: unknown) => log.error({ err: failure }, 'cannot start health checks'));
  };
  follow();
  const stopFollowing = gateways.onChange(follow);
  return {
    of: (gateway) => checks?.of(gateway) ?? [],
    async close() {
      stopFollowing();
      await (await loading)?.close();
    },
  };
}

async function listenOnPort(
  listen: Listen,
  port: number | undefined,
  log: Log,
  options: Omit<ListenOptions, 'port'>,
): Promise<Listener> {
  if (port !== undefined) return listen({ ...options, port });
  try {
    return await listen({ ...options, port: DEFAULT_HTTP_PORT });
  } catch (failure) {
    if (!(failure instanceof OperatorError) || failure.code !== 'port-in-use') throw failure;
    const listener = await listen({ ...options, port: 0 });
    log.info(
      { port: listener.port },
      `port ${DEFAULT_HTTP_PORT} is in use: the HTTP gateways use port ${listener.port}`,
    );
    return listener;
  }
}
