/** Opens what runs functions: sandboxes, the pool of environments, admission and provisioned concurrency. */
import { randomUUID } from 'node:crypto';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceAccounts } from '../admin-api/environments.ts';
import type { Clock } from '../clock.ts';
import type { EnvironmentAccount } from '../environment/account.ts';
import { openEnvironment } from '../environment/environment.ts';
import type { Emit } from '../environment/facts.ts';
import type { CredentialIssuer } from '../environment/launch/credentials.ts';
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
import { createOwnerLookup } from '../http/connection-owner.ts';
import { createDispatcher, type Dispatcher } from '../invocation/dispatcher.ts';
import { EnvironmentPool } from '../invocation/pool.ts';
import { createProvisioner, type Provisioner, provisionTargets } from '../invocation/provisioner.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { exhaustedResource } from '../operator-error.ts';
import { type Options, resolveBuildOptions } from '../options.ts';
import { RUNTIME_API_PORT } from '../protocol/endpoints.ts';
import type { InitializationType } from '../protocol/payloads.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { removeTree } from '../remove-tree.ts';
import type { HostCapabilities } from '../sandbox/host/host-capabilities.ts';
import { createSandboxes } from '../sandbox/open-sandbox.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import type { OpenFunctions } from './functions.ts';

export type EnvironmentsOptions = {
  readonly options: Pick<Options, 'network' | 'cpu' | 'idleSeconds'>;
  readonly opened: Pick<OpenFunctions, 'functions' | 'settings' | 'optTrees'>;
  readonly capabilities: HostCapabilities;
  readonly credentials: CredentialIssuer;
  /** Holds the files of running sandboxes. Emptied now and when the lifetime ends. */
  readonly runDirectory: string;
  readonly emit: Emit;
  /** Whether `emit` gets a fact for each invocation too. */
  readonly reportsInvocations?: boolean | undefined;
  readonly clock: Clock;
  /** Measures how long environments are idle. */
  readonly backgroundClock: Clock;
  readonly log: Log;
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
  const { options, opened, capabilities, credentials, runDirectory, emit, clock, backgroundClock, log } = given;
  const { functions, settings, optTrees } = opened;
  const { network } = options;
  await prepareRunDirectory(runDirectory, log);
  lifetime.onClose(() => removeTree(runDirectory).catch(leftForNextStart(runDirectory, log)));
  const sandboxes = lifetime.own(
    createSandboxes({
      capabilities,
      clock,
      log,
      runDirectory: join(runDirectory, 'sandboxes'),
      usualVolumeBytes: QUOTAS.ephemeralStorageMib.default * 1024 * 1024,
      isolatedPort: network === 'isolated' ? RUNTIME_API_PORT : undefined,
    }),
  );
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
  const managedNodes = createManagedNodes({ cacheDir: resolveBuildOptions({}, 'start').cacheDir, log });
  const open = async (version: FunctionVersion, initializationType: InitializationType) => {
    const codeDirectory = await functions.openCode(version);
    if (codeDirectory === undefined) throw new Error('Lamella cannot run container images');
    const optDirectory = await optTrees.tree(version.configuration.layers.map(({ digest }) => digest));
    if (version.configuration.runtime !== undefined) await managedNodes.prepare(version.configuration.runtime);
    const managedRuntime = planManagedRuntime(version, { taskRoot: codeDirectory, optRoot: optDirectory }, log);
    return openEnvironment(environmentHost, {
      version,
      initializationType,
      managedRuntime,
      codeDirectory,
      optDirectory,
      credentials: credentials.issue({ roleArn: version.configuration.role, functionName: version.name }),
    });
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
        },
        environments,
      };
    },
    drain: () => pool.drain(),
  };
}

/**
 * Empties the directory, or creates it. What cannot be removed, such as files of another user, gets a name that no
 * sandbox uses and stays until the next start.
 */
async function prepareRunDirectory(directory: string, log: Log): Promise<void> {
  makeDirectory(directory, 0o700);
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    try {
      await removeTree(path);
    } catch (failure) {
      renameSync(path, join(directory, `left-${randomUUID()}`));
      leftForNextStart(path, log)(failure);
    }
  }
}

function leftForNextStart(path: string, log: Log): (failure: unknown) => void {
  return (failure) => log.warn({ err: failure, path }, 'could not remove old files; the next start tries again');
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
