/** The library: `start(options)` runs a whole service in this process. */
import type { ScheduleAdmin } from './admin-api/schedules.ts';
import { type Embedding, type OpenService, openService } from './assembly/open-service.ts';
import type { AdjustableClock } from './clock.ts';
import type { createGatewayAdmin } from './gateways/gateway-admin.ts';
import { Lifetime } from './lifetime.ts';
import { createLog } from './log.ts';
import { type Options, openHostWarning } from './options.ts';

export { resolveOptions } from './options.ts';

/** A running service. */
export type Lamella = {
  /** Endpoint URL for AWS clients, e.g. `http://127.0.0.1:3001`. */
  readonly url: string;
  /**
   * HTTP gateways (function URLs, HTTP and REST APIs, load balancers): their base URL, and their configuration by name.
   */
  readonly http: { readonly url: string } & Pick<ReturnType<typeof createGatewayAdmin>, 'list' | 'put' | 'remove'>;
  /** Schedules, which invoke functions asynchronously. */
  readonly schedules: ScheduleAdmin;
  /** The time of retries, schedules, visibility timeouts and expiry. A test can advance it. */
  readonly clock: Pick<AdjustableClock, 'advance' | 'epochMs'>;
  /** Gives running invocations 4 s to end, then ends everything. No process is left behind. Idempotent. */
  close(): Promise<void>;
};

/**
 * Starts a service and resolves once it accepts connections. Its log has a warning if `host` is not a loopback address:
 * whoever reaches the ports can run code here. Throws `OperatorError` when this machine, the data
 * directory or an address cannot be used; nothing is left running then.
 * @example
 * import { resolveOptions } from 'lamella/options';
 * const lamella = await start(resolveOptions({ port: 0, ephemeral: true }));
 * // any AWS client with endpoint lamella.url ...
 * await lamella.close();
 */
export async function start(options: Options): Promise<Lamella> {
  const open = openHostWarning(options);
  if (open !== undefined) createLog(options.logLevel).warn({ host: options.host }, `${open.warning} ${open.advice}`);
  const { url, http, schedules, clock, close } = await startQuietly(options);
  return { url, http, schedules, clock, close };
}

/** A running service with what the command line uses inside its own process. */
export type EmbeddedLamella = Lamella & Pick<OpenService, 'call' | 'writeObject' | 'hotDirectories'>;

/** Starts a service for the command line, which prints its own warnings. */
export async function startQuietly(options: Options, embedding: Embedding = {}): Promise<EmbeddedLamella> {
  const lifetime = new Lifetime();
  try {
    const service = await openService(options, lifetime, embedding);
    return { ...service, close: () => lifetime.close() };
  } catch (failure) {
    await lifetime.close();
    throw failure;
  }
}
