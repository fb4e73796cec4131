/**
 * Adds and removes global secondary indexes of a table, which the engine cannot: the table is copied to one beside it, made again
 * with its new indexes, and filled again, while nothing else happens in the region. A journal says how far that is, so that a service
 * that is killed in between goes on from there, or back, before the next request of the region.
 */
import type { Scope } from '../../protocol/names.ts';
import type { DynamoEngine } from './dynamodb-engine.ts';
import { EngineError, type Json, performInEngine } from './table-operations.ts';
import type { Rebuild, TableSettingsStore } from './table-settings.ts';

export type RebuildDependencies = { readonly engine: DynamoEngine; readonly settings: TableSettingsStore };

type Perform = (operation: string, input: Json) => Promise<Json>;

const BATCH_ITEMS = 25;

/** Makes the table again with its new indexes, and returns its description. @throws EngineError */
export function rebuildTable({ engine, settings }: RebuildDependencies, scope: Scope, input: Json): Promise<Json> {
  const table = String(input.TableName);
  return engine.exclusively(scope, async (request) => {
    const perform: Perform = (operation, members) => performInEngine({ request }, scope, operation, members);
    const { Table } = await perform('DescribeTable', { TableName: table });
    const { Tags } = await perform('ListTagsOfResource', { ResourceArn: (Table as Json).TableArn });
    const rebuild: Rebuild = { phase: 'copying', definition: definitionOf(Table as Json, input), tags: Tags };
    settings.set(scope, table, { rebuild });
    try {
      await create(copyOf(table), rebuild.definition, perform);
      await copyItems(table, copyOf(table), perform);
    } catch (failure) {
      await abandon(scope, table, settings, perform);
      throw failure;
    }
    await finish(scope, table, rebuild, settings, perform);
    return (await perform('DescribeTable', { TableName: table })).Table as Json;
  });
}

/** Ends what a killed service has begun. */
export async function recoverTables({ engine, settings }: RebuildDependencies, scope: Scope): Promise<void> {
  const begun = settings.rebuilds(scope);
  if (begun.length === 0) return;
  await engine.exclusively(scope, async (request) => {
    const perform: Perform = (operation, members) => performInEngine({ request }, scope, operation, members);
    for (const { table, rebuild } of begun) {
      if (rebuild.phase === 'copying') await abandon(scope, table, settings, perform);
      else await finish(scope, table, rebuild, settings, perform);
    }
  });
}

/** The original is still whole. */
async function abandon(scope: Scope, table: string, settings: TableSettingsStore, perform: Perform): Promise<void> {
  await remove(copyOf(table), perform);
  settings.set(scope, table, { rebuild: undefined });
}

/** The copy is whole. */
async function finish(
  scope: Scope,
  table: string,
  rebuild: Rebuild,
  settings: TableSettingsStore,
  perform: Perform,
): Promise<void> {
  settings.set(scope, table, { rebuild: { ...rebuild, phase: 'copied' } });
  await remove(table, perform);
  const { TableArn } = await create(table, rebuild.definition, perform);
  await copyItems(copyOf(table), table, perform);
  const { tags: Tags } = rebuild;
  if (Array.isArray(Tags) && Tags.length > 0) await perform('TagResource', { ResourceArn: TableArn, Tags });
  await remove(copyOf(table), perform);
  settings.set(scope, table, { rebuild: undefined });
}

/** A name that a client would not choose, of at most 255 characters. */
function copyOf(table: string): string {
  return `${table.slice(0, 230)}.lamella-rebuild`;
}

/** The CreateTable of the table with its changed indexes. */
function definitionOf(table: Json, input: Json): Json {
  const updates = input.GlobalSecondaryIndexUpdates as readonly Json[];
  const removed = updates.flatMap(({ Delete }) => (Delete === undefined ? [] : [(Delete as Json).IndexName]));
  const added = updates.flatMap(({ Create }) => (Create === undefined ? [] : [Create as Json]));
  const isOnDemand = ((table.BillingModeSummary ?? {}) as Json).BillingMode === 'PAY_PER_REQUEST';
  const kept = ((table.GlobalSecondaryIndexes ?? []) as readonly Json[]).filter(
    ({ IndexName }) => !removed.includes(IndexName),
  );
  const indexes = [...kept, ...added].map((index) => indexOf(index, isOnDemand));
  const local = ((table.LocalSecondaryIndexes ?? []) as readonly Json[]).map((index) => indexOf(index, true));
  const definitions = (input.AttributeDefinitions ?? table.AttributeDefinitions) as readonly Json[];
  const used = new Set(
    [table, ...indexes, ...local].flatMap(({ KeySchema }) =>
      (KeySchema as readonly Json[]).map(({ AttributeName }) => AttributeName),
    ),
  );
  const known = new Map(
    [...(table.AttributeDefinitions as readonly Json[]), ...definitions].map((one) => [one.AttributeName, one]),
  );
  return {
    AttributeDefinitions: [...known.values()].filter(({ AttributeName }) => used.has(AttributeName)),
    KeySchema: table.KeySchema,
    BillingMode: isOnDemand ? 'PAY_PER_REQUEST' : 'PROVISIONED',
    ...(!isOnDemand && throughputOf(table)),
    ...(local.length > 0 && { LocalSecondaryIndexes: local }),
    ...(indexes.length > 0 && { GlobalSecondaryIndexes: indexes }),
  };
}

function indexOf(index: Json, isWithoutThroughput: boolean): Json {
  const { IndexName, KeySchema, Projection } = index;
  return { IndexName, KeySchema, Projection, ...(!isWithoutThroughput && throughputOf(index)) };
}

function throughputOf({ ProvisionedThroughput }: Json): Json {
  if (ProvisionedThroughput === undefined) return {};
  const { ReadCapacityUnits, WriteCapacityUnits } = ProvisionedThroughput as Json;
  return { ProvisionedThroughput: { ReadCapacityUnits, WriteCapacityUnits } };
}

/** Creates a table and waits until it is active. What is left of an earlier attempt is removed. */
async function create(TableName: string, definition: Json, perform: Perform): Promise<Json> {
  await remove(TableName, perform);
  await perform('CreateTable', { TableName, ...definition });
  for (;;) {
    const { Table } = await perform('DescribeTable', { TableName });
    if ((Table as Json).TableStatus === 'ACTIVE') return Table as Json;
  }
}

/** Removes a table, if it exists, and waits until it is gone. */
async function remove(TableName: string, perform: Perform): Promise<void> {
  try {
    await perform('DeleteTable', { TableName });
    for (;;) await perform('DescribeTable', { TableName });
  } catch (failure) {
    if (failure instanceof EngineError && failure.code.endsWith('#ResourceNotFoundException')) return;
    throw failure;
  }
}

async function copyItems(from: string, to: string, perform: Perform): Promise<void> {
  let start: unknown;
  do {
    const page = await perform('Scan', { TableName: from, ...(start !== undefined && { ExclusiveStartKey: start }) });
    const items = page.Items as readonly Json[];
    for (let index = 0; index < items.length; index += BATCH_ITEMS) {
      const puts = items.slice(index, index + BATCH_ITEMS).map((Item) => ({ PutRequest: { Item } }));
      await perform('BatchWriteItem', { RequestItems: { [to]: puts } });
    }
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
}
