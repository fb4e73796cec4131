/**
 * `start(options)`: the whole service in one process. The only file that knows every area: it opens each thing, hands
 * it what it needs, and owns it. No rule of Lambda's is here.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createControlApi } from './admin-api/admin-api.ts';
import { asyncRoutes } from './admin-api/async.ts';
import { clockRoutes } from './admin-api/clock.ts';
import { gatewayRoutes } from './admin-api/gateways.ts';
import {
  type ControlledSchedules,
  createControlledSchedules,
  eventBusRoutes,
  scheduleRoutes,
} from './admin-api/schedules.ts';
import { createApiHandler } from './api-port/api-port.ts';
import { createAuthenticator } from './api-port/authentication.ts';
import { openBackground } from './assembly/background.ts';
import { type AdjustableClock, type Cancel, type Clock, createAdjustableClock, systemClock } from './clock.ts';
import { openEnvironment } from './environment/environment.ts';
import type { Emit } from './environment/facts.ts';
import { createCredentialIssuer } from './environment/launch/credentials.ts';
import {
  type ManagedRuntimePlan,
  managedRuntimePlan,
  needsManagedRuntime,
} from './environment/launch/managed-runtime.ts';
import { createSlots } from './environment/launch/slots.ts';
import { createEventSourceMappings } from './event-sources/event-source-mappings.ts';
import type { FunctionVersion } from './functions/function.ts';
import { createFunctions, type Functions } from './functions/functions.ts';
import { openSettings } from './functions/settings/open-settings.ts';
import { createGatewayAdmin } from './gateways/gateway-admin.ts';
import { GatewayConfigError, parseRouteOptions } from './gateways/gateway-config.ts';
import { createGateways, type Gateways } from './gateways/gateways.ts';
import { openGateways } from './gateways/open-gateways.ts';
import { listen } from './http/listener.ts';
import { createDispatcher } from './invocation/dispatcher.ts';
import { EnvironmentPool } from './invocation/pool.ts';
import { createProvisioner, provisionTargets } from './invocation/provisioner.ts';
import { createLambdaApi } from './lambda-api/server.ts';
import { createLayerPolicies } from './layers/layer-policies.ts';
import { createLayers } from './layers/layers.ts';
import { createOptTrees } from './layers/opt-tree.ts';
import { type Closeable, Lifetime } from './lifetime.ts';
import { createLog, type Log } from './log.ts';
import { OperatorError } from './operator-error.ts';
import { type Options, resolveBuildOptions } from './options.ts';
import { RUNTIME_API_PORT } from './protocol/endpoints.ts';
import { QUOTAS } from './protocol/quotas.ts';
import { removeTree } from './remove-tree.ts';
import { probeHost, requireIsolatedNetwork } from './sandbox/host/host-capabilities.ts';
import { createSandboxes } from './sandbox/open-sandbox.ts';
import { createIamApi } from './services/iam/iam-api.ts';
import { createStsApi } from './services/iam/sts-api.ts';
import { createLogStore } from './services/logs/log-store.ts';
import { createLogsApi } from './services/logs/logs-api.ts';
import { createS3Api } from './services/s3/s3-api.ts';
import { createSnsApi } from './services/sns/sns-api.ts';
import { createSqsApi } from './services/sqs/sqs-api.ts';
import { createArchives } from './storage/archives.ts';
import { openDataDirectory } from './storage/data-directory.ts';
import { openDatabase } from './storage/database.ts';

export { resolveOptions } from './options.ts';

/** A running service. */
export type Lamella = {
  /** Where the API answers, e.g. `http://127.0.0.1:3001`: the endpoint URL for any AWS client. */
  readonly url: string;
  /** Function URLs, HTTP and REST APIs and load balancers: where they answer, and setting them up by name, in JSON. */
  readonly http: { readonly url: string } & Pick<ReturnType<typeof createGatewayAdmin>, 'list' | 'put' | 'remove'>;
  /** What happens at given times; functions are invoked asynchronously. */
  readonly schedules: ControlledSchedules;
  /** The time of retries, schedules, visibility and expiry, which tests may move on. */
  readonly clock: Pick<AdjustableClock, 'advance' | 'epochMs'>;
  /** Lets running invocations end (4 s at most), then ends everything; no process is left behind. Idempotent. */
  close(): Promise<void>;
};

/** How long invocations under way may take to end when the service closes, in milliseconds. */
const DRAIN_MS = 4000;

/** How often what nothing refers to any more is removed, in milliseconds. */
const GARBAGE_INTERVAL_MS = 10 * 60_000;

/**
 * Starts a service and resolves once it accepts connections. Throws `OperatorError` when this machine, the data folder
 * or the address is not fit; nothing is left behind then.
 * @example
 * import { resolveOptions } from 'lamella/options';
 * const lamella = await start(resolveOptions({ port: 0, ephemeral: true }));
 * // any AWS client with endpoint lamella.url ...
 * await lamella.close();
 */
export async function start(options: Options): Promise<Lamella> {
  const lifetime = new Lifetime();
  try {
    const opened = await open(options, lifetime);
    return { ...opened, close: () => lifetime.close() };
  } catch (failure) {
    await lifetime.close();
    throw failure;
  }
}

/** Opens everything in the order in which the next thing needs the last; `lifetime` closes it in reverse. */
async function open(options: Options, lifetime: Lifetime): Promise<Omit<Lamella, 'close'>> {
  const clock = systemClock;
  // What waits in the background goes by this one. Running functions do not: their time cannot be moved.
  const backgroundClock = createAdjustableClock(clock);
  // Requests that only wait for something to happen end when it is aborted.
  const closing = new AbortController();
  const log = createLog(options.logLevel);
  const isIsolated = options.network === 'isolated';
  const capabilities = await probeHost({ isolatedPort: isIsolated ? RUNTIME_API_PORT : undefined });
  if (isIsolated) requireIsolatedNetwork(capabilities);

  const data = lifetime.own(openDataDirectory(options.ephemeral ? 'ephemeral' : { directory: options.dataDir }));
  const database = lifetime.own(openDatabase(data.database));
  const logStore = lifetime.own(createLogStore({ database, clock, log }));
  const iam = createIamApi({ database, clock, log });
  const sts = createStsApi({ database, clock, log, iam });
  const s3 = createS3Api({ database, clock, log, root: data.root });
  const archives = createArchives(data);
  const optTrees = createOptTrees({ archives, data });
  const layers = createLayers({ database, archives, optTrees, clock });
  const functions = lifetime.own(
    createFunctions({
      database,
      layers,
      archives,
      optTrees,
      clock,
      log,
      roleExists: options.strict.includes('roles') ? iam.roleExists : undefined,
      strictRuntimes: options.strict.includes('runtimes'),
      stateDelayMs: options.stateDelay > 0 ? options.stateDelay : undefined,
    }),
  );

  const layerPolicies = createLayerPolicies(database);
  const settings = openSettings({
    database,
    functions,
    clock,
    accountConcurrency: options.accountConcurrency,
    chance: Math.random,
  });
  const eventSourceMappings = createEventSourceMappings({ database, directory: settings.directory, clock });

  const runDirectory = join(data.root, 'run');
  await removeTree(runDirectory);
  mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
  lifetime.onClose(() => removeTree(runDirectory));
  const sandboxes = lifetime.own(
    createSandboxes({
      capabilities,
      clock,
      log,
      runDirectory: join(runDirectory, 'sandboxes'),
      usualVolumeBytes: QUOTAS.ephemeralStorageMib.default * 1024 * 1024,
      isolatedPort: isIsolated ? RUNTIME_API_PORT : undefined,
    }),
  );
  const credentials = createCredentialIssuer();
  const emit: Emit = (fact) => {
    if (fact.kind === 'log-event') logStore.append(fact);
  };
  const environmentHost = {
    openSandbox: sandboxes.open,
    slots: createSlots(),
    network: options.network,
    hasCpuLimit: options.cpu === 'limited',
    clock,
    emit,
    log,
  };
  const pool = lifetime.own(
    new EnvironmentPool({
      open: async (version, initializationType) => {
        const codeDirectory = functions.codeDirectory(version);
        if (codeDirectory === undefined) throw new Error('a container image has no code to run here');
        const optDirectory = await optTrees.tree(version.configuration.layers.map(({ digest }) => digest));
        const managedRuntime = planOf(version, [codeDirectory, optDirectory], log);
        return openEnvironment(environmentHost, {
          version,
          initializationType,
          managedRuntime,
          codeDirectory,
          optDirectory,
          credentials: credentials.issue(),
        });
      },
      clock: backgroundClock,
      log,
      idleMs: options.idleSeconds * 1000,
      isCurrent: functions.isCurrent,
    }),
  );
  const provisioner = createProvisioner({ pool, targets: () => provisionTargets(settings) });
  provisioner.reconcile();
  lifetime.onClose(
    functions.onChange(() => {
      // First what is wanted, so that nothing is prepared for a revision that is past.
      provisioner.reconcile();
      pool.retireOutdated();
    }),
  );
  lifetime.own(collectRegularly(functions, () => pool.versionsInUse(), clock, log));
  const dispatcher = createDispatcher({
    pool,
    limitsOf: ({ scope, name, version }) => settings.concurrency.sharesOf(scope, name, version),
  });

  // A service that was given no keys knows the one that its own documents name.
  const isKeyed = options.enforceAuth || options.accessKeys.size > 0;
  const keys = isKeyed ? options.accessKeys : new Map([['lamella', 'lamella']]);
  const secretOf = (id: string) => keys.get(id) ?? credentials.secretOf(id) ?? sts.secretOf(id);

  const endpoint = options.sqsEndpoint;
  const background = openBackground({
    database,
    settings,
    eventSourceMappings,
    invoke: dispatcher.invoke,
    putObject: s3.writeObject,
    clock: backgroundClock,
    systemClock: clock,
    log,
    asyncRetrySeconds: options.asyncRetrySeconds,
    asyncConcurrency: options.asyncConcurrency,
    remoteSqs: endpoint === undefined ? undefined : { endpoint, ...awsKeysOf(options) },
  });
  lifetime.own(background);
  lifetime.onClose(() => background.stop(DRAIN_MS));
  const { asyncInvocations, sqsQueues, sqsMessages, topics } = background;
  const schedules = createControlledSchedules(background.schedules, {
    region: options.region,
    account: options.accountId,
  });

  const gateways = createGateways(database);
  addRoutes(gateways, options.routes);
  const gatewayPort = await openGateways({
    gateways,
    host: options.host,
    port: options.httpPort ?? (options.port === 0 ? 0 : undefined),
    settings,
    invoke: dispatcher.invoke,
    defaultRegion: options.region,
    accountId: options.accountId,
    secretOf,
    identityOf: sts.identityOf,
    allowedHosts: options.allowHost,
    backgroundClock,
    clock,
    log,
  });
  lifetime.own(gatewayPort);
  const gatewayAdmin = createGatewayAdmin(gateways, gatewayPort.healthOf);

  const handler = createApiHandler({
    lambda: createLambdaApi({
      layers,
      layerPolicies,
      functions,
      settings,
      eventSourceMappings,
      provisioner,
      invoke: dispatcher.invoke,
      acceptEvent: asyncInvocations.accept,
      renderFunctionUrl: (id, { region }) => `http://${id}.lambda-url.${region}.localhost:${gatewayPort.port}/`,
      readObject: s3.readObject,
      findSourceProblem: background.findSourceProblem,
      clock,
      log,
    }),
    iam: iam.handle,
    sts: sts.handle,
    logs: createLogsApi({ logStore, clock, log, closing: closing.signal }),
    s3: s3.handle,
    sqs: createSqsApi({ sqsQueues, sqsMessages, clock: backgroundClock, log, closing: closing.signal }),
    sns: createSnsApi({ topics, log }),
    control: createControlApi([
      ...clockRoutes(backgroundClock),
      ...gatewayRoutes(gatewayAdmin),
      ...asyncRoutes(asyncInvocations.pending),
      ...scheduleRoutes(schedules),
      ...eventBusRoutes(background.eventBus),
    ]),
    ...(options.enforceAuth
      ? {
          authenticator: createAuthenticator({ secretOf, clock }),
        }
      : {}),
    defaultRegion: options.region,
    accountId: options.accountId,
    boundHost: options.host,
    allowedHosts: options.allowHost,
    log,
  });
  const listener = await listen({
    host: options.host,
    port: options.port,
    handler,
    onFailure: (failure) => log.error({ err: failure }, 'a request could not be answered'),
  });
  lifetime.onClose(async () => {
    closing.abort();
    pool.drain();
    await Promise.all([listener.drain(DRAIN_MS), gatewayPort.drain(DRAIN_MS), background.stop(DRAIN_MS)]);
  });
  const urlOf = (port: number) => `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
  const { list, put, remove } = gatewayAdmin;
  const http = { url: urlOf(gatewayPort.port), list, put, remove };
  return { url: urlOf(listener.port), http, schedules, clock: backgroundClock };
}

/** The gateways of `--route`s, which last as long as the service runs. @throws OperatorError 'usage' */
function addRoutes(gateways: Gateways, routes: readonly string[]): void {
  try {
    for (const config of parseRouteOptions(routes)) gateways.add(config);
  } catch (failure) {
    if (!(failure instanceof GatewayConfigError)) throw failure;
    throw new OperatorError('usage', { reason: `--route: ${failure.message}`, command: 'start' }, failure);
  }
}

/** With which keys Lamella calls AWS's services elsewhere. */
function awsKeysOf(options: Pick<Options, 'awsAccessKeyId' | 'awsSecretAccessKey' | 'awsSessionToken'>) {
  return {
    accessKeyId: options.awsAccessKeyId,
    secretAccessKey: options.awsSecretAccessKey,
    sessionToken: options.awsSessionToken,
  };
}

/** What stands in for a managed runtime; undefined where a bootstrap is to be started. */
function planOf(
  { name, configuration: { runtime } }: FunctionVersion,
  folders: readonly (string | undefined)[],
  log: Log,
): ManagedRuntimePlan | undefined {
  if (runtime === undefined || !needsManagedRuntime(runtime, folders)) return undefined;
  const plan = managedRuntimePlan(runtime, { cacheDir: resolveBuildOptions({}, 'start').cacheDir });
  if ('reason' in plan) throw new Error(plan.reason);
  if (plan.remark) log.warn({ function: name }, plan.remark);
  return plan;
}

/** Removes unreferenced code, layers and merged trees now and from time to time. */
function collectRegularly(
  functions: Functions,
  inUse: () => Iterable<FunctionVersion>,
  clock: Clock,
  log: Log,
): Closeable {
  let collecting = Promise.resolve();
  let cancel: Cancel = () => undefined;
  const collect = () => {
    collecting = functions
      .collectGarbage(inUse)
      .then((collected) => log.debug(collected, 'garbage collected'))
      .catch((failure: unknown) => log.error({ err: failure }, 'garbage could not be collected'));
    cancel = clock.after(GARBAGE_INTERVAL_MS, collect);
  };
  collect();
  return {
    async close() {
      cancel();
      await collecting;
    },
  };
}
