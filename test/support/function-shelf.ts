/** Functions and layers over a data folder of their own, as the service wires them, for the tests of those areas. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { ConfigurationDraft, FunctionDraft } from '../../src/functions/function.ts';
import { createFunctions, type Functions, type FunctionsOptions } from '../../src/functions/functions.ts';
import type { LayerVersion } from '../../src/layers/layer.ts';
import { createLayers, type Layers } from '../../src/layers/layers.ts';
import { createOptTrees } from '../../src/layers/opt-tree.ts';
import { silentLog } from '../../src/log.ts';
import type { FunctionName, LayerName, Scope } from '../../src/protocol/names.ts';
import { createArchives } from '../../src/storage/archives.ts';
import { type DataDirectory, openDataDirectory } from '../../src/storage/data-directory.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { type RawEntry, rawZip } from './raw-zip.ts';

export const SCOPE: Scope = { region: 'eu-central-1', account: '123456789012' };
export const ROLE = 'arn:aws:iam::123456789012:role/lambda';

export type FunctionShelf = {
  readonly data: DataDirectory;
  readonly database: Database;
  readonly layers: Layers;
  readonly functions: Functions;
  close(): Promise<void>;
};

/** Opens a shelf in `folder`; closing it leaves the folder. */
export function openShelf(
  folder: string,
  options: Partial<Omit<FunctionsOptions, 'clock'>> & { readonly clock?: Clock } = {},
): FunctionShelf {
  const data = openDataDirectory({ directory: folder });
  const database = openDatabase(data.database);
  const archives = createArchives(data);
  const optTrees = createOptTrees({ archives, data });
  const clock = options.clock ?? systemClock;
  const layers = createLayers({ database, archives, optTrees, clock });
  const functions = createFunctions({ database, layers, archives, optTrees, log: silentLog, ...options, clock });
  return {
    data,
    database,
    layers,
    functions,
    async close() {
      functions.close();
      database.close();
      await data.close();
    },
  };
}

/** A new folder for a shelf, and its removal. */
export async function shelfFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'lamella-shelf-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** What a client sends for a small function called `name`. */
export function functionDraft(
  name: string,
  changes: { readonly code?: string; readonly configuration?: ConfigurationDraft } & Partial<
    Omit<FunctionDraft, 'name' | 'code' | 'configuration'>
  > = {},
): FunctionDraft {
  const { code = name, configuration, ...others } = changes;
  return {
    name: name as FunctionName,
    packageType: 'Zip',
    architecture: 'x86_64',
    configuration: { runtime: 'provided.al2023', handler: 'hello', role: ROLE, ...configuration },
    code: { kind: 'zip', zip: codeZip(code) },
    publish: false,
    tags: {},
    ...others,
  };
}

/** A function's zip whose bootstrap says `content`. */
export function codeZip(content: string): Buffer {
  return rawZip([{ name: 'bootstrap', content: `#!/bin/sh\n# ${content}\n`, mode: 0o100755 }]);
}

/** Publishes a layer with these entries. */
export function publishLayer(layers: Layers, name: string, entries: readonly RawEntry[]): Promise<LayerVersion> {
  return layers.publish(SCOPE, {
    name: name as LayerName,
    description: '',
    compatibleRuntimes: [],
    compatibleArchitectures: [],
    licenseInfo: undefined,
    zip: rawZip(entries),
  });
}
