/** Functions and layers in a data directory of a test, opened as the service opens them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OpenFunctions, type OpenFunctionsOptions, openFunctions } from '../../src/assembly/functions.ts';
import { systemClock } from '../../src/clock.ts';
import type { ConfigurationDraft, FunctionDraft } from '../../src/functions/function.ts';
import type { LayerVersion } from '../../src/layers/layer.ts';
import type { Layers } from '../../src/layers/layers.ts';
import { Lifetime } from '../../src/lifetime.ts';
import { silentLog } from '../../src/log.ts';
import type { FunctionName, LayerName, Scope } from '../../src/protocol/names.ts';
import { type DataDirectory, openDataDirectory } from '../../src/storage/data-directory.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { type RawEntry, rawZip } from './raw-zip.ts';

export const SCOPE: Scope = { region: 'eu-central-1', account: '123456789012' };
export const ROLE = 'arn:aws:iam::123456789012:role/lambda';

export type OpenedFunctions = Pick<OpenFunctions, 'functions' | 'layers'> & {
  readonly data: DataDirectory;
  readonly database: Database;
  close(): Promise<void>;
};

/** Opens functions in `directory`. Closing them keeps the directory. */
export function openFunctionsIn(
  directory: string,
  options: Partial<Omit<OpenFunctionsOptions, 'data' | 'database'>> = {},
): OpenedFunctions {
  const lifetime = new Lifetime();
  const data = lifetime.own(openDataDirectory({ directory }));
  const database = lifetime.own(openDatabase(data.database));
  const { functions, layers } = openFunctions(
    {
      database,
      data,
      clock: systemClock,
      log: silentLog,
      accountConcurrency: 1000,
      chance: Math.random,
      ...options,
    },
    lifetime,
  );
  return { data, database, layers, functions, close: () => lifetime.close() };
}

/** Creates a temporary directory. `remove` deletes it. */
export async function temporaryDirectory(): Promise<{ directory: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'lamella-functions-'));
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** The draft of a small function called `name`. */
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

/** A function's zip whose bootstrap contains `content` as a comment. */
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
