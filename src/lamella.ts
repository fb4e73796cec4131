/**
 * The library: `start()` runs a whole service in this process, `connect()` uses one that runs elsewhere. Functions, layers
 * and logs are in `library/`.
 */
import type { ScheduleAdmin } from './admin-api/schedules.ts';
import { type Embedding, type OpenService, openService } from './assembly/open-service.ts';
import type { AdjustableClock } from './clock.ts';
import type { createGatewayAdmin } from './gateways/gateway-admin.ts';
import type { LamellaClient, RemoteLamella } from './library/client.ts';
import { Lifetime } from './lifetime.ts';
import { createLog } from './log.ts';
import { type Options, openHostWarning, resolveClientOptions, resolveOptions } from './options.ts';

export type { LamellaClient, RemoteLamella } from './library/client.ts';
export type { FunctionDefinition, FunctionUrlDefinition } from './library/function-definition.ts';
export type { Functions, InvokeOptions, InvokeResult, PutFunction } from './library/functions.ts';
export { LamellaError } from './library/lamella-error.ts';
export type { LayerDefinition, LayerSource, Layers, PublishedLayer } from './library/layers.ts';
export type { LogEvent, LogsOptions } from './library/read-logs.ts';
export { resolveOptions } from './options.ts';

/** A running service of this process. */
export type Lamella = LamellaClient & {
  /**
   * HTTP gateways (function URLs, HTTP and REST APIs, load balancers): their base URL, and their configuration by name.
   */
  readonly http: { readonly url: string } & Pick<ReturnType<typeof createGatewayAdmin>, 'list' | 'put' | 'remove'>;
  /** Schedules, which invoke functions asynchronously. */
  readonly schedules: ScheduleAdmin;
  readonly clock: LamellaClock;
  /**
   * Removes everything but layer versions, and sets the clock to the present. The service keeps its ports; invocations
   * under way are cut off. @throws OperatorError 'cannot-reset' unless the service is ephemeral
   */
  reset(): Promise<void>;
  /** Gives running invocations 4 s to end, then ends everything. No process is left behind. Idempotent. */
  close(): Promise<void>;
};

/** The time of retries, schedules, visibility timeouts and expiry, which a test can move ahead. Functions see real time. */
export type LamellaClock = Pick<AdjustableClock, 'advance' | 'epochMs'> & {
  now(): Date;
  /** Moves the clock ahead to this time. Throws `RangeError` if it is past. */
  set(time: Date | number | string): void;
};

/** Options as for `lamella start`. Those that are left out come from variables, then from the defaults for tests. */
export type StartOptions = Partial<Options>;

/**
 * Starts a service and resolves once it accepts connections. By default, for tests: on free ports, and with data that is
 * removed at the end unless there is a `dataDir`. Its log has a warning if `host` is not a loopback address: any program that
 * reaches the ports can run code here. Throws `OperatorError` when this machine, the data directory or an address cannot
 * be used; nothing is left running then.
 * @example
 * const lamella = await start();
 * await lamella.functions.put({ name: 'hello', directory: 'src', handler: 'hello.php', layers: ['php:8.4'] });
 * const { payload } = await lamella.invoke('hello', { name: 'World' });
 * await lamella.close();
 */
export async function start(given: StartOptions = {}): Promise<Lamella> {
  const options = resolveOptions({ port: 0, httpPort: 0, ephemeral: given.dataDir === undefined, ...given });
  const open = openHostWarning(options);
  if (open !== undefined) createLog(options.logLevel).warn({ host: options.host }, `${open.warning} ${open.advice}`);
  const [service, { createClient }] = await Promise.all([startQuietly(options), import('./library/client.ts')]);
  const [[accessKeyId, secretAccessKey] = ['lamella', 'lamella']] = options.accessKeys;
  const { url, http, schedules, reset, close } = service;
  const { region, accountId } = options;
  const client = createClient({ url, region, accountId, accessKeyId, secretAccessKey });
  return { ...client, http, schedules, clock: clockOf(service.clock), reset, close };
}

export type ConnectOptions = {
  /** Endpoint URL. Defaults to AWS_ENDPOINT_URL, which `lamella run` sets, otherwise http://127.0.0.1:3001. */
  readonly url?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
};

/** Uses a service that runs already, such as the one of `lamella run`. Rejects if none is there. */
export async function connect(given: ConnectOptions = {}): Promise<RemoteLamella> {
  const { url: endpointUrl, ...rest } = given;
  const options = resolveClientOptions({ ...rest, endpointUrl }, 'run');
  const { createConnection } = await import('./library/api-connection.ts');
  const { createRemote } = await import('./library/client.ts');
  const target = { ...options, url: options.endpointUrl, accountId: '' };
  const { account } = await createConnection(target).call({
    operation: 'GET /functions',
    method: 'GET',
    path: '/_lamella/functions',
  });
  return createRemote({ ...target, accountId: account });
}

function clockOf(clock: AdjustableClock): LamellaClock {
  return {
    epochMs: () => clock.epochMs(),
    now: () => new Date(clock.epochMs()),
    advance: (ms) => clock.advance(ms),
    set(time) {
      const ms = new Date(time).getTime() - clock.epochMs();
      if (!(ms >= 0)) throw new RangeError('The clock can only be set to a time that is not past.');
      clock.advance(ms);
    },
  };
}

/** A running service with what the command line uses inside its own process. */
export type EmbeddedLamella = OpenService & Pick<Lamella, 'close'>;

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
