/** DynamoDB with AWS's SDK: tables and items, what is refused, and another DynamoDB in its place. */
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/event-listener.ts';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';
import { silentLog } from '../../log.ts';
import { openDatabase } from '../../storage/database.ts';
import { createDynamoEngine } from './dynamodb-engine.ts';
import { recoverTables } from './rebuild-table.ts';
import { performInEngine } from './table-operations.ts';
import { createTableSettings } from './table-settings.ts';

const TableName = 'orders';
const SCOPE = { region: 'us-east-1', account: TEST_ACCOUNT };

let apis: RunningApis;
let client: sdk.DynamoDBClient;

const clientOf = (endpoint: string, region = 'us-east-1') =>
  new sdk.DynamoDBClient({ endpoint, region, credentials: TEST_CREDENTIALS, maxAttempts: 1 });

beforeAll(async () => {
  apis = await startApis();
  client = clientOf(apis.url);
});
afterAll(async () => {
  client.destroy();
  await apis.close();
});

const KEYS: Pick<sdk.CreateTableCommandInput, 'AttributeDefinitions' | 'KeySchema' | 'BillingMode'> = {
  AttributeDefinitions: [
    { AttributeName: 'customer', AttributeType: 'S' },
    { AttributeName: 'number', AttributeType: 'N' },
  ],
  KeySchema: [
    { AttributeName: 'customer', KeyType: 'HASH' },
    { AttributeName: 'number', KeyType: 'RANGE' },
  ],
  BillingMode: 'PAY_PER_REQUEST',
};
const create = async (name: string, more: Partial<sdk.CreateTableCommandInput> = {}, at = client) => {
  const { TableDescription } = await at.send(new sdk.CreateTableCommand({ TableName: name, ...KEYS, ...more }));
  await sdk.waitUntilTableExists({ client: at, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 }, { TableName: name });
  return TableDescription;
};
/** Performs an operation of an engine that no service has opened. */
const callOf = (engine: ReturnType<typeof createDynamoEngine>) => (operation: string, input: object) =>
  performInEngine(engine, SCOPE, operation, input as never);
/** Creates a table with one item. */
async function createIn(engine: ReturnType<typeof createDynamoEngine>, name: string, more: object = {}) {
  const call = callOf(engine);
  await call('CreateTable', { TableName: name, ...KEYS, ...more });
  await eventually(async () => {
    const { Table } = await call('DescribeTable', { TableName: name });
    expect(Table).toMatchObject({ TableStatus: 'ACTIVE' });
  });
  await call('PutItem', { TableName: name, Item: item('ann', 1, 10) });
}
const item = (customer: string, number: number, amount: number) => ({
  customer: { S: customer },
  number: { N: String(number) },
  amount: { N: String(amount) },
});
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    ({ name, message }: Error) => `${name}: ${message}`,
  );

describe('a table', () => {
  it('holds items that can be put, queried, updated under a condition, and deleted', async () => {
    const made = await create(TableName, { Tags: [{ Key: 'team', Value: 'a' }] });
    expect(made).toMatchObject({
      TableName,
      TableArn: `arn:aws:dynamodb:us-east-1:${TEST_ACCOUNT}:table/${TableName}`,
      DeletionProtectionEnabled: false,
    });
    const tags = await client.send(new sdk.ListTagsOfResourceCommand({ ResourceArn: made?.TableArn }));
    expect(tags.Tags).toEqual([{ Key: 'team', Value: 'a' }]);

    const Items = [item('ann', 1, 10), item('ann', 2, 20), item('bob', 1, 30)];
    const RequestItems = { [TableName]: Items.map((Item) => ({ PutRequest: { Item } })) };
    await client.send(new sdk.BatchWriteItemCommand({ RequestItems }));
    const query = {
      TableName,
      KeyConditionExpression: 'customer = :c AND #n > :n',
      ExpressionAttributeNames: { '#n': 'number' },
      ExpressionAttributeValues: { ':c': { S: 'ann' }, ':n': { N: '1' } },
    };
    expect((await client.send(new sdk.QueryCommand(query))).Items).toEqual([item('ann', 2, 20)]);

    const Key = { customer: { S: 'bob' }, number: { N: '1' } };
    const update = (ConditionExpression: string) =>
      client.send(
        new sdk.UpdateItemCommand({
          TableName,
          Key,
          UpdateExpression: 'SET amount = amount + :more',
          ConditionExpression,
          ExpressionAttributeValues: { ':more': { N: '5' } },
          ReturnValues: 'ALL_NEW',
        }),
      );
    expect((await update('attribute_exists(customer)')).Attributes?.amount).toEqual({ N: '35' });
    expect(await refusal(update('attribute_not_exists(customer)'))).toBe(
      'ConditionalCheckFailedException: The conditional request failed',
    );
    await client.send(new sdk.DeleteItemCommand({ TableName, Key }));
    expect((await client.send(new sdk.ScanCommand({ TableName }))).Count).toBe(2);
  });

  it('belongs to one region', async () => {
    await create('local');
    const other = clientOf(apis.url, 'eu-west-1');
    expect((await other.send(new sdk.ListTablesCommand({}))).TableNames).toEqual([]);
    expect((await create('local', {}, other))?.TableArn).toBe(`arn:aws:dynamodb:eu-west-1:${TEST_ACCOUNT}:table/local`);
    other.destroy();
  });

  it('gets and loses global secondary indexes with its items in it', async () => {
    const name = 'indexed';
    await create(name, { Tags: [{ Key: 'team', Value: 'a' }] });
    const RequestItems = {
      [name]: Array.from({ length: 25 }, (_, index) => ({ PutRequest: { Item: item('ann', index, index % 5) } })),
    };
    await client.send(new sdk.BatchWriteItemCommand({ RequestItems }));
    const AttributeDefinitions = [
      ...(KEYS.AttributeDefinitions ?? []),
      { AttributeName: 'amount', AttributeType: 'N' as const },
    ];
    const update = async (change: sdk.GlobalSecondaryIndexUpdate) => {
      const input = { TableName: name, AttributeDefinitions, GlobalSecondaryIndexUpdates: [change] };
      const { TableDescription } = await client.send(new sdk.UpdateTableCommand(input));
      return TableDescription?.GlobalSecondaryIndexes?.map(({ IndexName, IndexStatus }) => [IndexName, IndexStatus]);
    };
    const KeySchema = [{ AttributeName: 'amount', KeyType: 'HASH' as const }];
    const Create = { IndexName: 'by-amount', KeySchema, Projection: { ProjectionType: 'ALL' as const } };
    expect(await update({ Create })).toEqual([['by-amount', 'ACTIVE']]);
    const query = {
      TableName: name,
      IndexName: 'by-amount',
      KeyConditionExpression: 'amount = :a',
      ExpressionAttributeValues: { ':a': { N: '3' } },
    };
    expect((await client.send(new sdk.QueryCommand(query))).Count).toBe(5);
    expect(await update({ Delete: { IndexName: 'by-amount' } })).toBeUndefined();
    const { Count } = await client.send(new sdk.ScanCommand({ TableName: name }));
    const { TableNames } = await client.send(new sdk.ListTablesCommand({}));
    const ResourceArn = `arn:aws:dynamodb:us-east-1:${TEST_ACCOUNT}:table/${name}`;
    const { Tags } = await client.send(new sdk.ListTagsOfResourceCommand({ ResourceArn }));
    expect([Count, TableNames?.filter((table) => table.startsWith(name)), Tags]).toEqual([
      25,
      [name],
      [{ Key: 'team', Value: 'a' }],
    ]);
    // A key of another type than the items have: the table stays as it was.
    const wrong = { ...Create, KeySchema: [{ AttributeName: 'amount', KeyType: 'HASH' as const }] };
    const asText = [...(KEYS.AttributeDefinitions ?? []), { AttributeName: 'amount', AttributeType: 'S' as const }];
    const input = { TableName: name, AttributeDefinitions: asText, GlobalSecondaryIndexUpdates: [{ Create: wrong }] };
    expect(await refusal(client.send(new sdk.UpdateTableCommand(input)))).toMatch(/^ValidationException: /);
    expect((await client.send(new sdk.ScanCommand({ TableName: name }))).Count).toBe(25);
  });

  it('can be protected against deletion, and records a time to live', async () => {
    const name = 'kept';
    await create(name, { DeletionProtectionEnabled: true });
    const remove = () => client.send(new sdk.DeleteTableCommand({ TableName: name }));
    expect(await refusal(remove())).toMatch(/^ValidationException: .*protected against deletion/);
    const ttl = (Enabled: boolean) =>
      client.send(
        new sdk.UpdateTimeToLiveCommand({
          TableName: name,
          TimeToLiveSpecification: { AttributeName: 'expires', Enabled },
        }),
      );
    await ttl(true);
    const described = await client.send(new sdk.DescribeTimeToLiveCommand({ TableName: name }));
    expect(described.TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' });
    expect(await refusal(ttl(true))).toBe('ValidationException: TimeToLive is already enabled');
    await client.send(new sdk.UpdateTableCommand({ TableName: name, DeletionProtectionEnabled: false }));
    const { Table } = await client.send(new sdk.DescribeTableCommand({ TableName: name }));
    expect(Table?.DeletionProtectionEnabled).toBe(false);
    expect((await remove()).TableDescription?.TableStatus).toBe('DELETING');
    const waiting = { client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 };
    await sdk.waitUntilTableNotExists(waiting, { TableName: name });
  });
});

it('what the engine does not have is refused by name', async () => {
  const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' } as const;
  expect(
    await refusal(client.send(new sdk.CreateTableCommand({ TableName: 's', ...KEYS, StreamSpecification }))),
  ).toMatch(/^ValidationException: Lamella does not support streams of tables\./);
  expect(await refusal(client.send(new sdk.ExecuteStatementCommand({ Statement: 'x' })))).toMatch(
    /^UnknownOperationException: Lamella does not support the DynamoDB operation 'ExecuteStatement'\./,
  );
});

it('a request that ends the engine fails alone, and what is there stays there', async () => {
  const engine = createDynamoEngine({ directory: join(apis.root, 'crashes'), log: silentLog });
  await createIn(engine, TableName);
  // The engine does not expect a null here.
  await expect(callOf(engine)('BatchWriteItem', { RequestItems: { [TableName]: [null] } })).rejects.toThrow();
  expect((await callOf(engine)('Scan', { TableName })).Count).toBe(1);
  await engine.close();
});

it.each(['copying', 'copied'] as const)('a change of indexes that a killed service left %s is ended', async (phase) => {
  const database = openDatabase(join(apis.root, `${phase}.db`));
  const settings = createTableSettings(database);
  const engine = createDynamoEngine({ directory: join(apis.root, phase), log: silentLog });
  const call = callOf(engine);
  const index = {
    IndexName: 'by-number',
    KeySchema: [{ AttributeName: 'number', KeyType: 'HASH' }],
    Projection: { ProjectionType: 'ALL' },
  };
  const definition = { ...KEYS, GlobalSecondaryIndexes: [index] };
  await createIn(engine, `${TableName}.lamella-rebuild`, definition);
  // The copy is whole and the table is gone, or the other way round.
  if (phase === 'copying') await createIn(engine, TableName);
  settings.set(SCOPE, TableName, { rebuild: { phase, definition, tags: [] } });
  await recoverTables({ engine, settings }, SCOPE);
  expect((await call('ListTables', {})).TableNames).toEqual([TableName]);
  expect((await call('Scan', { TableName })).Items).toEqual([item('ann', 1, 10)]);
  const { Table } = await call('DescribeTable', { TableName });
  expect('GlobalSecondaryIndexes' in (Table as object)).toBe(phase === 'copied');
  expect(settings.rebuilds(SCOPE)).toEqual([]);
  await engine.close();
  database.close();
});

it('nulls are refused before they reach the engine', async () => {
  const post = async (operation: string, input: object) => {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}` };
    const response = await fetch(apis.url, { method: 'POST', headers, body: JSON.stringify(input) });
    return [response.status, ((await response.json()) as { message: string }).message];
  };
  expect(await post('PutItem', { TableName, Item: { customer: null } })).toEqual([
    400,
    'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes',
  ]);
  expect(await post('TagResource', { ResourceArn: 'x', Tags: [{ Key: 'a' }] })).toEqual([
    400,
    "1 validation error detected: Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
  ]);
  expect((await post('TransactWriteItems', { TransactItems: ['x'] }))[0]).toBe(400);
});

it('a transaction writes all of its items or none', async () => {
  const name = 'accounts';
  await create(name);
  const key = (customer: string) => ({ customer: { S: customer }, number: { N: '1' } });
  for (const customer of ['ann', 'bob']) {
    await client.send(new sdk.PutItemCommand({ TableName: name, Item: item(customer, 1, 10) }));
  }
  const add = (customer: string, by: number): sdk.TransactWriteItem => ({
    Update: {
      TableName: name,
      Key: key(customer),
      UpdateExpression: 'SET amount = amount + :by',
      ConditionExpression: 'amount >= :least',
      ExpressionAttributeValues: { ':by': { N: String(by) }, ':least': { N: String(-by) } },
    },
  });
  const transfer = (amount: number, more: Partial<sdk.TransactWriteItemsCommandInput> = {}) =>
    client.send(
      new sdk.TransactWriteItemsCommand({ TransactItems: [add('ann', -amount), add('bob', amount)], ...more }),
    );
  const amounts = async () => {
    const TransactItems = ['ann', 'bob'].map((customer) => ({ Get: { TableName: name, Key: key(customer) } }));
    const { Responses = [] } = await client.send(new sdk.TransactGetItemsCommand({ TransactItems }));
    return Responses.map(({ Item }) => Number(Item?.amount?.N));
  };
  await transfer(4, { ClientRequestToken: 'once' });
  await transfer(4, { ClientRequestToken: 'once' });
  expect(await amounts()).toEqual([6, 14]);
  const failure = await transfer(7).then(
    () => expect.unreachable(),
    (error: sdk.TransactionCanceledException) => error,
  );
  expect([failure.name, failure.CancellationReasons?.map(({ Code }) => Code)]).toEqual([
    'TransactionCanceledException',
    ['ConditionalCheckFailed', 'None'],
  ]);
  // Of many at the same time, each sees what the others have written.
  await Promise.all([1, 2, 3].map(() => transfer(1)));
  expect(await amounts()).toEqual([3, 17]);
  // An item that cannot be written takes the others with it.
  const broken: sdk.TransactWriteItem = {
    Update: {
      TableName: name,
      Key: key('bob'),
      UpdateExpression: 'SET amount = customer + :one',
      ExpressionAttributeValues: { ':one': { N: '1' } },
    },
  };
  expect(
    await refusal(client.send(new sdk.TransactWriteItemsCommand({ TransactItems: [add('ann', -1), broken] }))),
  ).toMatch(/^ValidationException: /);
  expect(await amounts()).toEqual([3, 17]);
  const twice = { TransactItems: [add('ann', -1), add('ann', 1)] };
  expect(await refusal(client.send(new sdk.TransactWriteItemsCommand(twice)))).toBe(
    'ValidationException: Transaction request cannot include multiple operations on one item',
  );
});

it('tables survive a restart of the engine', async () => {
  const directory = join(apis.root, 'restarts');
  const first = createDynamoEngine({ directory, log: silentLog });
  await createIn(first, TableName);
  await first.close();
  const second = createDynamoEngine({ directory, log: silentLog });
  expect((await callOf(second)('Scan', { TableName })).Items).toEqual([item('ann', 1, 10)]);
  await second.close();
});

it('all requests go to another DynamoDB if one is named', async () => {
  const { accessKeyId, secretAccessKey } = TEST_CREDENTIALS;
  const remoteDynamo = { endpoint: apis.url, accessKeyId, secretAccessKey, sessionToken: undefined };
  const near = await startApis({ remoteDynamo });
  const nearClient = clientOf(near.url);
  await create('far', {}, nearClient);
  expect((await client.send(new sdk.ListTablesCommand({}))).TableNames).toContain('far');
  expect(await refusal(nearClient.send(new sdk.GetItemCommand({ TableName: 'none', Key: {} })))).toMatch(
    /^ResourceNotFoundException: /,
  );
  nearClient.destroy();
  await near.close();
});
