/** Opens functions and layers with their files and settings. */
import type { Clock } from '../clock.ts';
import { createEventSourceMappings, type EventSourceMappings } from '../event-sources/event-source-mappings.ts';
import { createFunctions, type Functions, type FunctionsOptions } from '../functions/functions.ts';
import {
  createHotDirectories,
  type HotDirectories,
  type HotDirectoriesOptions,
} from '../functions/hot-reload/hot-directories.ts';
import { type FunctionSettings, openSettings } from '../functions/settings/open-settings.ts';
import { createLayerPolicies, type LayerPolicies } from '../layers/layer-policies.ts';
import { createLayers, type Layers } from '../layers/layers.ts';
import { createOptTrees, type OptTrees } from '../layers/opt-tree.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { createArchives } from '../storage/archives.ts';
import type { DataDirectory } from '../storage/data-directory.ts';
import type { Database } from '../storage/database.ts';

export type OpenFunctionsOptions = Pick<FunctionsOptions, 'roleExists' | 'strictRuntimes' | 'stateDelayMs'> & {
  /** Directories that functions may run from. Without it there are none. */
  readonly hotReload?: Pick<HotDirectoriesOptions, 'allowed' | 'refusal' | 'built'>;
  readonly database: Database;
  readonly data: DataDirectory;
  readonly clock: Clock;
  readonly log: Log;
  /** Concurrent executions of one account and region. */
  readonly accountConcurrency: number;
  /** Returns a number in [0, 1) that selects the version of a weighted alias. */
  readonly chance: () => number;
};

export type OpenFunctions = {
  readonly functions: Functions;
  readonly hotDirectories: HotDirectories;
  readonly settings: FunctionSettings;
  readonly layers: Layers;
  readonly layerPolicies: LayerPolicies;
  readonly optTrees: OptTrees;
  readonly eventSourceMappings: EventSourceMappings;
};

/** Opens all of it; `lifetime` closes it. */
export function openFunctions(options: OpenFunctionsOptions, lifetime: Lifetime): OpenFunctions {
  const { database, data, clock, log, accountConcurrency, chance, roleExists, strictRuntimes, stateDelayMs } = options;
  const archives = createArchives(data, log);
  const optTrees = createOptTrees({ archives, data });
  const layers = createLayers({ database, archives, optTrees, clock });
  const hotDirectories = lifetime.own(
    createHotDirectories({
      ...(options.hotReload ?? { allowed: () => [] }),
      renew: (directory) => functions.renew(directory),
      clock,
      log,
    }),
  );
  const shared = { database, layers, archives, optTrees, hotDirectories, clock, log };
  const functions: Functions = lifetime.own(createFunctions({ ...shared, roleExists, strictRuntimes, stateDelayMs }));
  const settings = openSettings({ database, functions, clock, accountConcurrency, chance });
  return {
    functions,
    hotDirectories,
    settings,
    layers,
    layerPolicies: createLayerPolicies(database),
    optTrees,
    eventSourceMappings: createEventSourceMappings({ database, directory: settings.directory, clock }),
  };
}
