/** Puts the parts of stacks together: tables, providers, engine, change sets. */
import type { Clock } from '../clock.ts';
import type { Closeable } from '../lifetime.ts';
import type { Log } from '../log.ts';
import type { Database } from '../storage/database.ts';
import { resolveDynamicReferences } from '../template/dynamic-references.ts';
import { fromParsed } from '../template/tree.ts';
import type { ServiceCall } from '../wire/service-call.ts';
import { type ChangeSets, createChangeSets } from './change-sets.ts';
import { createOperations } from './engine/operations.ts';
import { createDynamicLookup, type ReadObject } from './lookups.ts';
import { createNestedStacks } from './nested-stacks.ts';
import { createPrepare, desiredOf } from './prepare.ts';
import { ACTING_PROVIDERS } from './providers/acting.ts';
import { customResourceProviders } from './providers/custom-resource.ts';
import { type NestedStacks, nestedStackProvider } from './providers/nested-stack.ts';
import type { Properties } from './providers/provider.ts';
import { createRegistry } from './providers/registry.ts';
import { loadResourceTypes } from './providers/type-table.ts';
import { waitConditionProviders } from './providers/wait-condition.ts';
import { CALLBACK_PREFIX, createSignals, type Signals } from './signals.ts';
import { createStackStore, type StackStore } from './stack-store.ts';
import { createStacks, type Stacks } from './stacks.ts';

export type OpenStacksOptions = {
  readonly database: Database;
  readonly call: ServiceCall;
  readonly readObject: ReadObject;
  /** The text of a template at an address of the local S3. */
  readonly readTemplate: (url: string) => Promise<string>;
  /** The service's URL for functions. */
  readonly baseUrl: () => string;
  /** Why functions cannot reach the service; undefined if they can. */
  readonly unreachable?: string | undefined;
  /** Whether stacks with resources that have no effect are refused. */
  readonly refusesRecorded: boolean;
  readonly clock: Clock;
  readonly log: Log;
};

export type OpenStacks = Closeable & {
  readonly stacks: Stacks;
  readonly changeSets: ChangeSets;
  readonly store: StackStore;
  readonly signals: Signals;
  /** Goes on with what an earlier service left. Call it once the services are there. */
  resume(): Promise<void>;
};

export function openStacks(options: OpenStacksOptions): OpenStacks {
  const { database, call, readObject, clock, log, baseUrl, unreachable } = options;
  const store = createStackStore(database);
  const signals = createSignals(database);
  const callbackUrl = (target: string) => `${baseUrl()}${CALLBACK_PREFIX}${target}`;
  let nested: NestedStacks | undefined;
  const registry = createRegistry([
    ...ACTING_PROVIDERS,
    ...waitConditionProviders(signals, callbackUrl),
    ...customResourceProviders({ signals, callbackUrl, unreachable }),
    nestedStackProvider(() => {
      if (nested === undefined) throw new Error('stacks are not open yet');
      return nested;
    }),
  ]);
  const lookup = createDynamicLookup(call);
  const resolveDynamic = async (properties: Properties, scope: Parameters<typeof lookup>[0]) =>
    (await resolveDynamicReferences(fromParsed(properties), (reference) => lookup(scope, reference))) as Properties;
  const engine = { store, registry, call, clock, log, resolveDynamic };
  const readDesired: Parameters<typeof createOperations>[1] = (stack, deployment) =>
    desiredOf({ store }, stack, deployment);
  const operations = createOperations(engine, readDesired);
  const prepare = createPrepare({
    store,
    registry,
    ssmParameter: (scope, name) => lookup(scope, { service: 'ssm', name }),
    readSnippet: createReadSnippet(readObject),
    refusesRecorded: options.refusesRecorded,
  });
  const dependencies = { ...engine, operations, prepare, readDesired };
  const stacks = createStacks(dependencies);
  nested = createNestedStacks({ store, stacks, operations, readTemplate: options.readTemplate });
  return {
    stacks,
    changeSets: createChangeSets(dependencies, stacks),
    store,
    signals,
    async resume() {
      if (store.unfinished().length === 0) return;
      await loadResourceTypes();
      operations.resume();
    },
    close: () => operations.close(),
  };
}

function createReadSnippet(readObject: ReadObject): (location: string) => Promise<string> {
  return async (location) => {
    const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(location) ?? [];
    if (bucket === undefined || key === undefined) {
      throw new Error('The location parameter is not a valid S3 uri.');
    }
    const found = await readObject(bucket, key);
    if ('bytes' in found) return found.bytes.toString('utf8');
    throw new Error(
      found.errorCode === 'NoSuchBucket' ? `S3 bucket [${bucket}] does not exist` : `${found.errorMessage}`,
    );
  };
}
