/** Opens what runs functions: the pool of environments, admission and provisioned concurrency. */
import { join } from 'node:path';
import type { ResourceAccounts } from '../admin-api/environments.ts';
import type { Clock } from '../clock.ts';
import type { EnvironmentAccount } from '../environment/account.ts';
import { openEnvironment } from '../environment/environment.ts';
import type { Emit } from '../environment/facts.ts';
import type { CredentialIssuer } from '../environment/launch/credentials.ts';
import { isDebugged } from '../environment/launch/debug-plan.ts';
import { createDebugging } from '../environment/launch/debugging.ts';
import { createConnectionBudget, descriptorUse } from '../environment/launch/descriptors.ts';
import type { FunctionTrees } from '../environment/launch/inside-path.ts';
import { createManagedNodes } from '../environment/launch/managed-node.ts';
import {
  type ManagedRuntimePlan,
  managedRuntimePlan,
  needsManagedRuntime,
} from '../environment/launch/managed-runtime.ts';
import { createSlots } from '../environment/launch/slots.ts';
import { createOutputTurns } from '../environment/telemetry/output-reader.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { BodyBudget } from '../http/body-budget.ts';
import { createOwnerLookup } from '../http/connection-owner.ts';
import { createDispatcher, type Dispatcher } from '../invocation/dispatcher.ts';
import { EnvironmentPool } from '../invocation/pool.ts';
import { createProvisioner, type Provisioner, provisionTargets } from '../invocation/provisioner.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { exhaustedResource } from '../operator-error.ts';
import { type Options, resolveBuildOptions } from '../options.ts';
import type { InitializationType } from '../protocol/payloads.ts';
import type { Sandboxes } from '../sandbox/sandboxes.ts';
import type { OpenFunctions } from './functions.ts';

export type EnvironmentsOptions = {
  readonly options: Pick<Options, 'network' | 'cpu' | 'idleSeconds' | 'debug' | 'xdebug'>;
  readonly opened: Pick<OpenFunctions, 'functions' | 'settings' | 'optTrees'>;
  readonly sandboxes: Pick<Sandboxes, 'open'>;
  readonly credentials: CredentialIssuer;
  /** Holds the files of running sandboxes. */
  readonly runDirectory: string;
  readonly emit: Emit;
  /** Whether `emit` gets a fact for each invocation too. */
  readonly reportsInvocations?: boolean | undefined;
  readonly clock: Clock;
  /** Measures how long environments are idle. */
  readonly backgroundClock: Clock;
  readonly log: Log;
  readonly bodies: Pick<BodyBudget, 'usage'>;
};

export type Environments = {
  readonly invoke: Dispatcher['invoke'];
  readonly provisioner: Provisioner;
  versionsInUse(): Iterable<FunctionVersion>;
  /** What the service and each environment use now. */
  accounts(): Promise<ResourceAccounts>;
  /** Ends environments as soon as they are idle; running invocations continue. */
  drain(): void;
};

/** Opens all of it; `lifetime` closes it and ends every environment. */
export async function openEnvironments(given: EnvironmentsOptions, lifetime: Lifetime): Promise<Environments> {
  const { options, opened, sandboxes, credentials, runDirectory, emit, clock, backgroundClock, log } = given;
  const { functions, settings, optTrees } = opened;
  const { network } = options;
  const environmentHost = {
    openSandbox: sandboxes.open,
    slots: createSlots(),
    connections: createConnectionBudget(),
    findOwner: createOwnerLookup(),
    network,
    hasCpuLimit: options.cpu === 'limited',
    clock,
    turns: createOutputTurns(clock),
    emit,
    reportsInvocations: given.reportsInvocations,
    log,
  };
  const debugging = createDebugging({ xdebug: options.xdebug, directory: join(runDirectory, 'debug') });
  const managedNodes = createManagedNodes({ cacheDir: resolveBuildOptions({}, 'start').cacheDir, log });
  const open = async (version: FunctionVersion, initializationType: InitializationType) => {
    const codeDirectory = await functions.openCode(version);
    if (codeDirectory === undefined) throw new Error('Lamella cannot run container images');
    const optDirectory = await optTrees.tree(version.configuration.layers.map(({ digest }) => digest));
    if (version.configuration.runtime !== undefined) await managedNodes.prepare(version.configuration.runtime);
    const trees = { taskRoot: codeDirectory, optRoot: optDirectory };
    const managedRuntime = planManagedRuntime(version, trees, log);
    const debug = isDebugged(version.name, options.debug) ? await debugging.plan(version, trees) : undefined;
    const environment = await openEnvironment(environmentHost, {
      version,
      initializationType,
      managedRuntime,
      debug,
      codeDirectory,
      linkedCode: functions.linkedCode(version),
      optDirectory,
      credentials: credentials.issue({ roleArn: version.configuration.role, functionName: version.name }),
    }).catch((failure: unknown) => {
      if (debug) debugging.release(debug);
      throw failure;
    });
    return debug === undefined ? environment : debugging.watch(environment, debug);
  };
  const pool = lifetime.own(
    new EnvironmentPool({
      open: (version, initializationType) =>
        open(version, initializationType).catch((failure: unknown) => {
          throw exhaustedResource(failure, runDirectory) ?? failure;
        }),
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
      // Update the targets first, so that retiring does not prepare environments of an outdated revision.
      provisioner.reconcile();
      pool.retireOutdated();
    }),
  );
  const { invoke } = createDispatcher({
    pool,
    limitsOf: ({ scope, name, version }) => settings.concurrency.sharesOf(scope, name, version),
  });
  return {
    invoke,
    provisioner,
    versionsInUse: () => pool.versionsInUse(),
    async accounts() {
      const { connections } = environmentHost;
      const environments: EnvironmentAccount[] = [];
      // One after the other, so that other work goes on meanwhile.
      for (const environment of [...pool.environments()]) environments.push(await environment.account());
      return {
        service: {
          memoryBytes: process.memoryUsage.rss(),
          descriptors: descriptorUse(),
          connections: { used: connections.taken, limit: connections.limit },
          requestBodies: given.bodies.usage(),
        },
        environments,
      };
    },
    drain: () => pool.drain(),
  };
}

/** The plan that replaces a managed runtime; undefined for a function that starts with its own `bootstrap`. */
function planManagedRuntime(
  { name, configuration: { runtime } }: FunctionVersion,
  trees: FunctionTrees,
  log: Log,
): ManagedRuntimePlan | undefined {
  if (runtime === undefined || !needsManagedRuntime(runtime, trees)) return undefined;
  const plan = managedRuntimePlan(runtime, { cacheDir: resolveBuildOptions({}, 'start').cacheDir });
  if ('reason' in plan) throw new Error(plan.reason);
  if (plan.warning) log.warn({ function: name }, plan.warning);
  return plan;
}
