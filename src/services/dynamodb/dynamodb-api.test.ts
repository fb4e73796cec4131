/** DynamoDB with AWS's SDK: tables and items, what is refused, and another DynamoDB in its place. */
import * as sdk from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';
import { silentLog } from '../../log.ts';
import { createDynamoEngine } from './dynamodb-engine.ts';

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
  expect(await refusal(client.send(new sdk.TransactWriteItemsCommand({ TransactItems: [] })))).toMatch(
    /^UnknownOperationException: Lamella does not support the DynamoDB operation 'TransactWriteItems'\./,
  );
});

it('tables survive a restart of the engine', async () => {
  const directory = `${apis.root}/restarts`;
  const call = async (engine: ReturnType<typeof createDynamoEngine>, operation: string, input: object) => {
    const { body } = await engine.request(SCOPE, operation, Buffer.from(JSON.stringify(input)));
    return JSON.parse(body.toString());
  };
  const first = createDynamoEngine({ directory, log: silentLog });
  await call(first, 'CreateTable', { TableName, ...KEYS });
  await call(first, 'DescribeTable', { TableName });
  await call(first, 'PutItem', { TableName, Item: item('ann', 1, 10) });
  await first.close();
  const second = createDynamoEngine({ directory, log: silentLog });
  expect((await call(second, 'Scan', { TableName })).Items).toEqual([item('ann', 1, 10)]);
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
