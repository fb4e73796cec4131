/**
 * The composition root: opens every part of a service in the order of their dependencies and connects them. It contains
 * none of Lambda's rules. Tests compose smaller services from the other files of this directory.
 */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { createScheduleAdmin, type ScheduleAdmin } from '../admin-api/schedules.ts';
import { type AdjustableClock, createAdjustableClock } from '../clock.ts';
import type { Emit } from '../environment/facts.ts';
import { createCredentialIssuer } from '../environment/launch/credentials.ts';
import type { BuiltDirectories, HotDirectories } from '../functions/hot-reload/hot-directories.ts';
import { Lifetime } from '../lifetime.ts';
import { OperatorError } from '../operator-error.ts';
import { isLoopback, type Options } from '../options.ts';
import { removeTree } from '../remove-tree.ts';
import type { RemoteDynamo } from '../services/dynamodb/dynamodb-api.ts';
import type { S3Api } from '../services/s3/s3-api.ts';
import { emptyTables } from '../storage/empty-tables.ts';
import { createServiceCall, type ServiceCall } from '../wire/service-call.ts';
import type { AccessKey } from '../wire/sigv4.ts';
import { openBackground } from './background.ts';
import { openBase, type ServiceBase } from './base.ts';
import { openEnvironments } from './environments.ts';
import { openFunctions } from './functions.ts';
import { collectGarbageRegularly } from './garbage.ts';
import { createMayInvoke, logGroupOf } from './invoke-grants.ts';
import { openApiPort } from './open-api-port.ts';
import { type HttpGateways, openHttpGateways } from './open-gateways.ts';
import { openLambdaApi } from './open-lambda-api.ts';
import { openCloudFormation } from './open-stacks.ts';
import { openServices } from './services.ts';

/** What a program that runs a service in its own process can see and do, beyond what clients can. */
export type Embedding = {
  /** Gets every log event and invocation, on the path of the invocation: it must return at once. */
  readonly observe?: Emit | undefined;
  /** Called before each invocation, on its path. */
  readonly onInvoke?: ((functionName: string, payload: Buffer) => void) | undefined;
  /** Directories that functions run from, in addition to those of the options. */
  readonly directories?: EmbeddedDirectories | undefined;
};

export type EmbeddedDirectories = BuiltDirectories & {
  /** Directories below which functions may be mounted, now. */
  readonly allowed: () => readonly string[];
};

export type OpenService = {
  readonly url: string;
  readonly http: { readonly url: string } & Pick<HttpGateways['admin'], 'list' | 'put' | 'remove'>;
  readonly schedules: ScheduleAdmin;
  readonly clock: AdjustableClock;
  /** Calls operations of all services, as the providers of stacks do. */
  readonly call: ServiceCall;
  /** Stores an object in a bucket that exists. */
  readonly writeObject: S3Api['writeObject'];
  readonly hotDirectories: Pick<HotDirectories, 'onChange' | 'renew'>;
  /**
   * Removes everything but layer versions and moves the clock back to the present. Running invocations are cut off;
   * requests that arrive meanwhile wait. @throws OperatorError 'cannot-reset' if the service keeps its data
   */
  reset(): Promise<void>;
};

/** How long running invocations may take to end when the service closes, in milliseconds. */
const DRAIN_MS = 4000;

/** Opens a whole service; `lifetime` closes it, also when this throws. @throws OperatorError */
export async function openService(
  options: Options,
  lifetime: Lifetime,
  embedding: Embedding = {},
): Promise<OpenService> {
  const base = await openBase(options, lifetime);
  let content = await openContent(base, { reset: () => reset(), embedding });
  let resetting: Promise<void> | undefined;
  lifetime.onClose(async () => {
    await resetting?.catch(() => undefined);
    await content.close(DRAIN_MS);
  });
  const startOver = async () => {
    if (!options.ephemeral) throw new OperatorError('cannot-reset', { directory: options.dataDir });
    for (const port of Object.values(base.ports)) port.suspend();
    await content
      .close(0)
      .catch((failure: unknown) => base.log.error({ err: failure }, 'could not close everything for a reset'));
    emptyTables(base.database, LAYER_TABLES);
    await removeTree(join(base.data.root, 's3'));
    content = await openContent(base, { reset, embedding });
  };
  const reset = (): Promise<void> => {
    resetting ??= startOver().finally(() => {
      resetting = undefined;
    });
    return resetting;
  };
  base.data.setProvisional(false);
  // The caller first learns that the service accepts connections.
  lifetime.onClose(base.clock.after(0, base.sandboxes.prepare));
  return {
    url: content.url,
    http: following(() => content.http),
    schedules: following(() => content.schedules),
    clock: following(() => content.clock),
    call: (...given) => content.call(...given),
    writeObject: (...given) => content.writeObject(...given),
    hotDirectories: following(() => content.hotDirectories),
    reset,
  };
}

/** Layer versions never change, and publishing them again would take longer than the rest of a test. */
const LAYER_TABLES = ['layer', 'layer_version'];

/** An object whose members are those of `current()` at the time of their use. */
function following<T extends object>(current: () => T): T {
  return new Proxy(current(), { get: (_, name) => Reflect.get(current(), name) });
}

/** What a reset closes and opens again. */
type Content = Omit<OpenService, 'reset'> & {
  /** Gives running invocations and requests `drainMs` milliseconds to end, then ends them. */
  close(drainMs: number): Promise<void>;
};

async function openContent(base: ServiceBase, given: Pick<Parts, 'reset' | 'embedding'>): Promise<Content> {
  const lifetime = new Lifetime();
  const drain = { ms: DRAIN_MS };
  try {
    const opened = await openParts(base, lifetime, { ...given, drain });
    return {
      ...opened,
      close(drainMs) {
        drain.ms = drainMs;
        return lifetime.close();
      },
    };
  } catch (failure) {
    await lifetime.close();
    throw failure;
  }
}

type Parts = {
  readonly reset: () => Promise<void>;
  readonly embedding: Embedding;
  /** How long running invocations may take when `lifetime` closes. */
  readonly drain: { readonly ms: number };
};

async function openParts(base: ServiceBase, lifetime: Lifetime, { reset, embedding, drain }: Parts) {
  const { options, clock, log, data, database, ports } = base;
  const { observe, onInvoke, directories } = embedding;
  // The time of everything that waits in the background. Running functions use the system clock, which cannot be moved.
  const backgroundClock = createAdjustableClock(clock);
  const closing = new AbortController();
  // Any number of clients can wait at the same time, for messages and for log events. Node warns at the eleventh.
  setMaxListeners(0, closing.signal);
  const shared = { options, database, clock, backgroundClock, log };
  const credentials = createCredentialIssuer();
  const services = openServices(
    {
      ...shared,
      functionIdentityOf: credentials.identityOf,
      root: data.root,
      remoteSqs: remoteOf(options.sqsEndpoint, options),
      remoteDynamo: remoteOf(options.dynamodbEndpoint, options),
      sendEvent: (...event) => background.sendEvent(...event),
      call: (...call) => serviceCall(...call),
      mayInvoke: (...asked) => mayInvoke(...asked),
      logGroupOf: (arn) => logGroupOf(settings, arn),
      publisher: { publish: (...published) => gateways.setManaged(...published), port: () => gateways.port },
      schedules: () => background.schedules,
      closing: closing.signal,
    },
    lifetime,
  );
  const opened = openFunctions(
    {
      ...shared,
      data,
      accountConcurrency: options.accountConcurrency,
      chance: Math.random,
      roleExists: options.strict.includes('roles') ? services.iam.roleExists : undefined,
      hotReload: {
        allowed: () => [...options.hotReloadDirs, ...(directories?.allowed() ?? [])],
        refusal: hotReloadRefusal(options, directories !== undefined),
        built: directories,
      },
      strictRuntimes: options.strict.includes('runtimes'),
      stateDelayMs: options.stateDelay > 0 ? options.stateDelay : undefined,
    },
    lifetime,
  );
  const environments = await openEnvironments(
    {
      ...shared,
      opened,
      bodies: base.clients.bodies,
      sandboxes: base.sandboxes,
      credentials,
      runDirectory: base.runDirectory,
      reportsInvocations: observe !== undefined,
      emit: (fact) => {
        if (fact.kind === 'log-event') services.logStore.append(fact);
        observe?.(fact);
      },
    },
    lifetime,
  );
  const { versionsInUse } = environments;
  const invoke: typeof environments.invoke =
    onInvoke === undefined
      ? environments.invoke
      : (version, invocation) => {
          onInvoke(version.name, invocation.payload);
          return environments.invoke(version, invocation);
        };
  lifetime.own(collectGarbageRegularly({ functions: opened.functions, versionsInUse, clock, log }));
  const { settings, eventSourceMappings } = opened;
  const mayInvoke = createMayInvoke(settings);
  const background = lifetime.own(openBackground({ ...shared, services, settings, eventSourceMappings, invoke }));
  lifetime.onClose(() => background.stop(drain.ms));

  const keys = accessKeysOf(options);
  const keyOf = (id: string) => keys.get(id) ?? credentials.keyOf(id) ?? services.sts.keyOf(id);
  let apiPort = options.port;
  const urls = () => ({ lambda: urlOf(options.host, apiPort), http: urlOf(options.host, gateways.port) });
  const gateways: HttpGateways = lifetime.own(
    await openHttpGateways({
      ...shared,
      ...base.clients,
      settings,
      invoke,
      keyOf,
      identityOf: services.sts.identityOf,
      findApiKey: ({ region, ...asked }) =>
        services.apiGateway.findApiKey({ region, account: options.accountId }, asked),
      urls,
      listen: ports.http.listen,
    }),
  );
  services.apiGateway.publishAll();
  services.loadBalancing.publishAll();
  const scope = { region: options.region, account: options.accountId };
  const schedules = createScheduleAdmin(background.schedules, scope);
  const lambda = openLambdaApi({
    ...shared,
    opened,
    services,
    environments: { ...environments, invoke },
    background,
    gateways,
  });
  const baseUrl = () => urlOf(reachableHost(options.host), apiPort);
  const operations = { ...services.operations, lambda: lambda.perform };
  const serviceCall = createServiceCall({
    operations,
    baseUrl,
  });
  const stacks = openCloudFormation({
    ...shared,
    services,
    call: serviceCall,
    baseUrl,
    clock: backgroundClock,
  });
  const port = await openApiPort({
    ...shared,
    ...base.clients,
    opened,
    services,
    environments,
    handlers: { ...services.handlers, lambda: lambda.handle, cloudformation: stacks.api.handle },
    callbacks: stacks.callbacks,
    invoke: lambda.invoke,
    background,
    gateways,
    schedules,
    keyOf,
    urls,
    listen: ports.api.listen,
    reset,
  });
  apiPort = port.port;
  lifetime.onClose(async () => {
    closing.abort();
    environments.drain();
    await Promise.all([port.drain(drain.ms), gateways.drain(drain.ms), background.stop(drain.ms)]);
  });
  // Before everything that its operations use.
  lifetime.own(stacks);
  await stacks.resume();
  const { list, put, remove } = gateways.admin;
  const { hotDirectories } = opened;
  return {
    url: urls().lambda,
    http: { url: urls().http, list, put, remove },
    schedules,
    clock: backgroundClock,
    call: createServiceCall({ operations: { ...operations, cloudformation: stacks.api.perform }, baseUrl }),
    writeObject: services.s3.writeObject,
    hotDirectories,
  };
}

/** Mounting a directory of the user's choice is for the user of this machine alone. */
function hotReloadRefusal({ host, hotReloadDirs }: Options, isEmbedded: boolean): string | undefined {
  if (!isLoopback(host)) {
    return (
      `The bucket hot-reload mounts directories of this machine, which is refused while the service listens on ${host}. ` +
      'Start Lamella with --host 127.0.0.1.'
    );
  }
  if (hotReloadDirs.length > 0 || isEmbedded) return undefined;
  return (
    'The bucket hot-reload mounts directories of this machine, and this service allows none. Start Lamella with ' +
    '--hot-reload-dir DIRECTORY.'
  );
}

/** The configured keys; without any, the one that Lamella's documentation uses. */
function accessKeysOf({ enforceAuth, accessKeys }: Options): ReadonlyMap<string, AccessKey> {
  const secrets = enforceAuth || accessKeys.size > 0 ? accessKeys : new Map([['lamella', 'lamella']]);
  return new Map([...secrets].map(([id, secret]) => [id, { secret }]));
}

function remoteOf(
  endpoint: string | undefined,
  { awsAccessKeyId, awsSecretAccessKey, awsSessionToken }: Options,
): RemoteDynamo | undefined {
  if (endpoint === undefined) return undefined;
  return {
    endpoint,
    accessKeyId: awsAccessKeyId,
    secretAccessKey: awsSecretAccessKey,
    sessionToken: awsSessionToken,
  };
}

/** The address at which this machine reaches a service that listens on `host`. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
