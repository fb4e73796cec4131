/**
 * AWS::DynamoDB::Table. A stream is recorded: it has an ARN, and nothing reads it. Encryption, backups, table classes, replicas
 * and resource policies are kept by the stack and have no effect.
 */
import { isMissing, pick, tagChanges, tagList, tagMap, tolerateMissing } from './members.ts';
import type { Json, PhysicalResource, Properties, ResourceContext, ResourceProvider } from './provider.ts';

const POLL_MS = 20;

export const dynamodbTable: ResourceProvider = {
  type: 'AWS::DynamoDB::Table',
  naming: { property: 'TableName', maxLength: 255 },
  async create(properties, context) {
    const TableName = String(properties.TableName);
    const { TableDescription } = await context.call('dynamodb', 'CreateTable', {
      ...withNumbers(pick(properties, ['TableName', 'AttributeDefinitions', 'KeySchema', 'BillingMode', 'TableClass'])),
      ...withNumbers(pick(properties, ['ProvisionedThroughput', 'LocalSecondaryIndexes', 'GlobalSecondaryIndexes'])),
      ...(properties.StreamSpecification !== undefined && {
        StreamSpecification: { StreamEnabled: true, ...(properties.StreamSpecification as Properties) },
      }),
      DeletionProtectionEnabled: isOn(properties.DeletionProtectionEnabled),
      Tags: tagList(tagMap(properties.Tags)),
    });
    context.created(TableName);
    await whenActive(TableName, context);
    await setTimeToLive(TableName, properties.TimeToLiveSpecification, context);
    const { TableArn, LatestStreamArn } = TableDescription as Properties;
    return tableOf(TableName, String(TableArn), LatestStreamArn, properties);
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    const TableName = physicalId;
    await updateIndexes(TableName, properties, context);
    await updateThroughput(TableName, properties, context);
    await setTimeToLive(TableName, properties.TimeToLiveSpecification, context);
    if (isOn(before.DeletionProtectionEnabled) !== isOn(properties.DeletionProtectionEnabled)) {
      const DeletionProtectionEnabled = isOn(properties.DeletionProtectionEnabled);
      await context.call('dynamodb', 'UpdateTable', { TableName, DeletionProtectionEnabled });
    }
    const ResourceArn = String(attributes.Arn);
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    if (removed.length > 0) await context.call('dynamodb', 'UntagResource', { ResourceArn, TagKeys: removed });
    if (Object.keys(set).length > 0) {
      await context.call('dynamodb', 'TagResource', { ResourceArn, Tags: tagList(set) });
    }
    return tableOf(TableName, ResourceArn, attributes.StreamArn, properties);
  },
  async delete({ physicalId: TableName }, context) {
    await tolerateMissing(context.call('dynamodb', 'DeleteTable', { TableName }));
    await whenGone(TableName, context);
  },
};

function tableOf(physicalId: string, Arn: string, stream: Json | undefined, properties: Properties): PhysicalResource {
  const hasStream = properties.StreamSpecification !== undefined;
  const StreamArn = typeof stream === 'string' ? stream : `${Arn}/stream/2026-01-01T00:00:00.000`;
  return { physicalId, attributes: { Arn, ...(hasStream && { StreamArn }) } };
}

function isOn(value: Json | undefined): boolean {
  return String(value) === 'true';
}

/** Capacities are numbers, which templates may write as text. */
function withNumbers(value: Properties): Properties;
function withNumbers(value: Json): Json;
function withNumbers(value: Json): Json {
  if (Array.isArray(value)) return value.map(withNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Properties).map(([name, item]) => [
      name,
      /^(Read|Write)CapacityUnits$/.test(name) ? Number(item) : withNumbers(item),
    ]),
  );
}

/** What the table has, not what the stack remembers: a step can be repeated, and a rollback follows one that failed. */
async function describe(TableName: string, context: ResourceContext): Promise<Properties> {
  const { Table } = await context.call('dynamodb', 'DescribeTable', { TableName });
  return Table as Properties;
}

async function updateThroughput(TableName: string, properties: Properties, context: ResourceContext): Promise<void> {
  const table = await describe(TableName, context);
  const wanted = (properties.BillingMode ?? 'PROVISIONED') as string;
  const summary = (table.BillingModeSummary ?? {}) as Properties;
  const isChanged = wanted !== (summary.BillingMode ?? 'PROVISIONED');
  const throughput =
    wanted === 'PROVISIONED' ? (properties.ProvisionedThroughput as Properties | undefined) : undefined;
  if (!isChanged && (throughput === undefined || sameThroughput(table.ProvisionedThroughput, throughput))) return;
  await context.call('dynamodb', 'UpdateTable', {
    TableName,
    BillingMode: wanted,
    ...(throughput !== undefined && { ProvisionedThroughput: withNumbers(throughput) }),
  });
  await whenActive(TableName, context);
}

function sameThroughput(one: Json | undefined, other: Json | undefined): boolean {
  const [given, wanted] = [one, other].map((throughput) => (throughput ?? {}) as Properties);
  return ['ReadCapacityUnits', 'WriteCapacityUnits'].every(
    (name) => Number(given?.[name] ?? 0) === Number(wanted?.[name] ?? 0),
  );
}

/** One index at a time, as DynamoDB wants it. An index with other keys is replaced. */
async function updateIndexes(TableName: string, properties: Properties, context: ResourceContext): Promise<void> {
  const [had, has] = [indexesOf(await describe(TableName, context)), indexesOf(properties)];
  const update = async (change: object) => {
    await context.call('dynamodb', 'UpdateTable', {
      TableName,
      AttributeDefinitions: properties.AttributeDefinitions,
      GlobalSecondaryIndexUpdates: [change],
    });
    await whenActive(TableName, context);
  };
  for (const [IndexName, index] of had) {
    const next = has.get(IndexName);
    if (next === undefined || !sameShape(index, next)) await update({ Delete: { IndexName } });
  }
  for (const [IndexName, index] of has) {
    const known = had.get(IndexName);
    const { ProvisionedThroughput: throughput } = index;
    if (known === undefined || !sameShape(known, index)) {
      await update({
        Create: withNumbers(pick(index, ['IndexName', 'KeySchema', 'Projection', 'ProvisionedThroughput'])),
      });
    } else if (throughput !== undefined && !sameThroughput(known.ProvisionedThroughput, throughput)) {
      await update({ Update: withNumbers(pick(index, ['IndexName', 'ProvisionedThroughput'])) });
    }
  }
}

/** Keys and projection, in any order of members. */
function sameShape(one: Properties, other: Properties): boolean {
  const shape = ({ KeySchema, Projection }: Properties) => {
    const keys = (KeySchema ?? []) as readonly Properties[];
    const { ProjectionType, NonKeyAttributes } = (Projection ?? {}) as Properties;
    return JSON.stringify([
      keys.map(({ AttributeName, KeyType }) => [AttributeName, KeyType]),
      ProjectionType,
      NonKeyAttributes,
    ]);
  };
  return shape(one) === shape(other);
}

function indexesOf({ GlobalSecondaryIndexes }: Properties): ReadonlyMap<string, Properties> {
  const list = Array.isArray(GlobalSecondaryIndexes) ? (GlobalSecondaryIndexes as readonly Properties[]) : [];
  return new Map(list.map((index) => [String(index.IndexName), index]));
}

async function setTimeToLive(TableName: string, given: Json | undefined, context: ResourceContext): Promise<void> {
  const { TimeToLiveDescription } = await context.call('dynamodb', 'DescribeTimeToLive', { TableName });
  const described = TimeToLiveDescription as Properties;
  const had = described.TimeToLiveStatus === 'ENABLED' ? String(described.AttributeName) : undefined;
  const { AttributeName, Enabled } = (given ?? {}) as Properties;
  const has = isOn(Enabled) ? String(AttributeName) : undefined;
  if (had === has) return;
  const set = (attribute: string, isEnabled: boolean) => {
    const TimeToLiveSpecification = { AttributeName: attribute, Enabled: isEnabled };
    return context.call('dynamodb', 'UpdateTimeToLive', { TableName, TimeToLiveSpecification });
  };
  if (had !== undefined) await set(had, false);
  if (has !== undefined) await set(has, true);
}

async function whenActive(TableName: string, context: ResourceContext): Promise<void> {
  for (;;) {
    const { TableStatus, GlobalSecondaryIndexes = [] } = await describe(TableName, context);
    const indexes = GlobalSecondaryIndexes as readonly Properties[];
    if (TableStatus === 'ACTIVE' && indexes.every(({ IndexStatus }) => IndexStatus === 'ACTIVE')) return;
    await context.wait(POLL_MS);
  }
}

async function whenGone(TableName: string, context: ResourceContext): Promise<void> {
  for (;;) {
    try {
      await describe(TableName, context);
    } catch (failure) {
      if (isMissing(failure)) return;
      throw failure;
    }
    await context.wait(POLL_MS);
  }
}
