/** SNS with AWS's SDK and CLI. Deliveries are checked at their targets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { awsCli, findAwsCli } from '../../../test/support/aws-cli.ts';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const TOPIC = `arn:aws:sns:us-east-1:${TEST_ACCOUNT}:news`;
const FUNCTION = `arn:aws:lambda:us-east-1:${TEST_ACCOUNT}:function:f`;
const QUEUE = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:q`;

let apis: RunningApis;
let client: sdk.SNSClient;
let queues: sqs.SQSClient;
let QueueUrl: string | undefined;

beforeEach(async () => {
  apis = await startApis();
  const options = { endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, maxAttempts: 1 };
  client = new sdk.SNSClient(options);
  queues = new sqs.SQSClient(options);
  ({ QueueUrl } = await queues.send(new sqs.CreateQueueCommand({ QueueName: 'q' })));
  await client.send(new sdk.CreateTopicCommand({ Name: 'news' }));
});
afterEach(async () => {
  client.destroy();
  queues.destroy();
  await apis.close();
});

const subscribe = async (Protocol: string, Endpoint: string, Attributes: Record<string, string> = {}) =>
  (await client.send(new sdk.SubscribeCommand({ TopicArn: TOPIC, Protocol, Endpoint, Attributes }))).SubscriptionArn;
const publish = (Message: string, more: Partial<sdk.PublishCommandInput> = {}) =>
  client.send(new sdk.PublishCommand({ TopicArn: TOPIC, Message, ...more }));
const received = async () =>
  (
    await queues.send(
      new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
    )
  ).Messages ?? [];
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.SNSServiceException) => ({ name: error.name, message: error.message }),
  );

describe('topics', () => {
  it('can be created once, listed, configured, tagged and deleted', async () => {
    const { TopicArn } = await client.send(new sdk.CreateTopicCommand({ Name: 'news', Tags: [] }));
    expect(TopicArn).toBe(TOPIC);
    // Terraform sets all attributes of delivery.
    for (const [AttributeName, AttributeValue] of [
      ['DisplayName', 'News & more'],
      ['HTTPSuccessFeedbackSampleRate', '0'],
      ['FirehoseSuccessFeedbackSampleRate', '0'],
    ]) {
      await client.send(new sdk.SetTopicAttributesCommand({ TopicArn, AttributeName, AttributeValue }));
    }
    await client.send(
      new sdk.TagResourceCommand({
        ResourceArn: TOPIC,
        Tags: [
          { Key: 'a', Value: '1' },
          { Key: 'b', Value: '2' },
        ],
      }),
    );
    await client.send(new sdk.UntagResourceCommand({ ResourceArn: TOPIC, TagKeys: ['a'] }));
    expect((await client.send(new sdk.ListTagsForResourceCommand({ ResourceArn: TOPIC }))).Tags).toEqual([
      { Key: 'b', Value: '2' },
    ]);
    expect((await client.send(new sdk.GetTopicAttributesCommand({ TopicArn }))).Attributes).toMatchObject({
      TopicArn: TOPIC,
      Owner: TEST_ACCOUNT,
      DisplayName: 'News & more',
      SubscriptionsConfirmed: '0',
      Policy: expect.stringContaining('"SNS:Publish"'),
    });
    expect((await client.send(new sdk.ListTopicsCommand({}))).Topics).toEqual([{ TopicArn: TOPIC }]);
    await client.send(new sdk.DeleteTopicCommand({ TopicArn }));
    expect(await refused(publish('x'))).toEqual({ name: 'NotFoundException', message: 'Topic does not exist' });
  });
});

describe('subscriptions', () => {
  it('are stored with their attributes, one per endpoint', async () => {
    const arn = await subscribe('sqs', QUEUE, { RawMessageDelivery: 'true' });
    expect(await subscribe('sqs', QUEUE)).toBe(arn);
    expect((await client.send(new sdk.ListSubscriptionsByTopicCommand({ TopicArn: TOPIC }))).Subscriptions).toEqual([
      { SubscriptionArn: arn, TopicArn: TOPIC, Protocol: 'sqs', Endpoint: QUEUE, Owner: TEST_ACCOUNT },
    ]);
    const attributes = async () =>
      (await client.send(new sdk.GetSubscriptionAttributesCommand({ SubscriptionArn: arn }))).Attributes;
    expect(await attributes()).toMatchObject({ RawMessageDelivery: 'true', PendingConfirmation: 'false' });
    await client.send(
      new sdk.SetSubscriptionAttributesCommand({
        SubscriptionArn: arn,
        AttributeName: 'FilterPolicy',
        AttributeValue: '{"a":["b"]}',
      }),
    );
    expect(await attributes()).toMatchObject({ FilterPolicy: '{"a":["b"]}' });
    await client.send(new sdk.UnsubscribeCommand({ SubscriptionArn: arn }));
    expect((await client.send(new sdk.ListSubscriptionsCommand({}))).Subscriptions).toEqual([]);
  });

  it('show a filter policy with its scope, and can be repeated with the same or fewer attributes', async () => {
    const arn = await subscribe('sqs', QUEUE, { RawMessageDelivery: 'True' });
    const attributes = async () =>
      (await client.send(new sdk.GetSubscriptionAttributesCommand({ SubscriptionArn: arn }))).Attributes;
    const set = (AttributeName: string, AttributeValue: string) =>
      client.send(new sdk.SetSubscriptionAttributesCommand({ SubscriptionArn: arn, AttributeName, AttributeValue }));
    expect(await attributes()).toEqual({
      SubscriptionArn: arn,
      TopicArn: TOPIC,
      Protocol: 'sqs',
      Endpoint: QUEUE,
      Owner: TEST_ACCOUNT,
      SubscriptionPrincipal: `arn:aws:iam::${TEST_ACCOUNT}:root`,
      ConfirmationWasAuthenticated: 'true',
      PendingConfirmation: 'false',
      RawMessageDelivery: 'true',
    });
    await set('FilterPolicy', '{"a":["b"]}');
    expect(await attributes()).toMatchObject({ FilterPolicy: '{"a":["b"]}', FilterPolicyScope: 'MessageAttributes' });
    expect(await subscribe('sqs', QUEUE, { RawMessageDelivery: 'true' })).toBe(arn);
    expect(await subscribe('sqs', QUEUE, { FilterPolicyScope: 'MessageAttributes' })).toBe(arn);
    expect((await refused(subscribe('sqs', QUEUE, { RawMessageDelivery: 'false' }))).message).toBe(
      'Invalid parameter: Attributes Reason: Subscription already exists with different attributes',
    );
    expect((await refused(set('FilterPolicy', '{"a":{"b":["c"]}}'))).message).toBe(
      'Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy',
    );
    expect((await refused(set('FilterPolicyScope', 'Random'))).message).toBe(
      'Invalid parameter: FilterPolicyScope: Invalid value [Random]. Please use either MessageBody or MessageAttributes',
    );
  });

  it('are possible only for functions and queues, as the error says', async () => {
    expect((await refused(subscribe('https', 'https://example.com'))).message).toBe(
      'Invalid parameter: Protocol Reason: Lamella delivers to lambda and sqs, not to https',
    );
    expect((await refused(subscribe('sqs', 'q'))).message).toBe('Invalid parameter: SQS endpoint ARN');
    expect((await refused(subscribe('sqs', QUEUE, { FilterPolicy: '{"a":"b"}' }))).message).toContain('FilterPolicy');
    const six = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, ['x']]));
    for (const [policy, reason] of [
      [{ a: [{ numeric: ['<', 100, '>', 10] }] }, 'Too many elements in numeric expression'],
      [{ a: [[1]] }, 'Match value must be String, number, true, false, or null'],
      [six, 'Filter policy can not have more than 5 keys'],
      [{ a: Array(16).fill('x'), b: Array(10).fill('y') }, 'Filter policy is too complex'],
      [{ a: [1_000_000_001] }, 'Match value 1000000001 must be smaller than 1E9'],
    ] as const) {
      const { message } = await refused(subscribe('sqs', QUEUE, { FilterPolicy: JSON.stringify(policy) }));
      expect(message).toContain(`FilterPolicy: ${reason}`);
    }
    const largest = { a: Array(15).fill('x'), b: Array(10).fill('y') };
    await subscribe('sqs', QUEUE, { FilterPolicy: JSON.stringify(largest) });
  });
});

describe('a published message', () => {
  it('is delivered to a function as an event', async () => {
    const EventSubscriptionArn = await subscribe('lambda', FUNCTION);
    const { MessageId } = await publish('hello', {
      Subject: 'greeting',
      MessageAttributes: {
        a: { DataType: 'String', StringValue: 'b' },
        c: { DataType: 'Binary', BinaryValue: Buffer.from('d') },
      },
    });
    expect(apis.notified).toHaveLength(1);
    const [{ arn, event } = { arn: '', event: '{}' }] = apis.notified;
    expect(arn).toBe(FUNCTION);
    expect(JSON.parse(event)).toEqual({
      Records: [
        {
          EventSource: 'aws:sns',
          EventVersion: '1.0',
          EventSubscriptionArn,
          Sns: {
            Type: 'Notification',
            MessageId,
            TopicArn: TOPIC,
            Subject: 'greeting',
            Message: 'hello',
            Timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
            SignatureVersion: '1',
            Signature: expect.any(String),
            SigningCertUrl: expect.stringContaining('https://sns.us-east-1.amazonaws.com/'),
            UnsubscribeUrl: expect.stringContaining(EventSubscriptionArn ?? ''),
            MessageAttributes: { a: { Type: 'String', Value: 'b' }, c: { Type: 'Binary', Value: 'ZA==' } },
          },
        },
      ],
    });
  });

  it('is delivered to a queue in an envelope, or raw', async () => {
    const arn = await subscribe('sqs', QUEUE);
    const MessageAttributes = { a: { DataType: 'String', StringValue: 'b' } };
    const { MessageId } = await publish('"hello"', { MessageAttributes });
    const [wrapped] = await received();
    expect(wrapped?.Body).toMatch(/^\{\n {2}"Type" : "Notification",\n {2}"MessageId" : /);
    expect(JSON.parse(wrapped?.Body ?? '')).toMatchObject({
      MessageId,
      TopicArn: TOPIC,
      Message: '"hello"',
      MessageAttributes: { a: { Type: 'String', Value: 'b' } },
    });
    await client.send(
      new sdk.SetSubscriptionAttributesCommand({
        SubscriptionArn: arn,
        AttributeName: 'RawMessageDelivery',
        AttributeValue: 'true',
      }),
    );
    await publish('"hello"', { MessageAttributes });
    const [raw] = await received();
    expect([raw?.Body, raw?.MessageAttributes?.a?.StringValue]).toEqual(['"hello"', 'b']);
  });

  it('is delivered to subscribers whose filter policy it matches', async () => {
    await subscribe('sqs', QUEUE, { RawMessageDelivery: 'true', FilterPolicy: '{"kind":["a",{"numeric":[">",5]}]}' });
    const kind = (DataType: string, StringValue: string) => ({
      MessageAttributes: { kind: { DataType, StringValue } },
    });
    await publish('none');
    await publish('b', kind('String', 'b'));
    await publish('a', kind('String', 'a'));
    await publish('6', kind('Number', '6'));
    await publish('list', kind('String.Array', '["z","a"]'));
    expect((await received()).map(({ Body }) => Body)).toEqual(['a', '6', 'list']);
  });

  it('can be filtered by its body', async () => {
    await subscribe('sqs', QUEUE, {
      RawMessageDelivery: 'true',
      FilterPolicyScope: 'MessageBody',
      FilterPolicy: '{"a":{"b":[1]}}',
    });
    for (const body of ['{"a":{"b":2}}', 'plain', '{"a":{"b":1}}']) await publish(body);
    expect((await received()).map(({ Body }) => Body)).toEqual(['{"a":{"b":1}}']);
  });

  it('can differ by protocol, and be published in batches', async () => {
    await subscribe('sqs', QUEUE, { RawMessageDelivery: 'true' });
    await publish(JSON.stringify({ default: 'for all', sqs: 'for queues' }), { MessageStructure: 'json' });
    const batch = await client.send(
      new sdk.PublishBatchCommand({
        TopicArn: TOPIC,
        PublishBatchRequestEntries: [
          { Id: 'one', Message: '1' },
          { Id: 'two', Message: '2', Subject: 'a\nb' },
        ],
      }),
    );
    expect(batch).toMatchObject({ Successful: [{ Id: 'one' }], Failed: [{ Id: 'two', Code: 'InvalidParameter' }] });
    expect((await received()).map(({ Body }) => Body)).toEqual(['for queues', '1']);
  });

  it('goes to the dead-letter queue if the subscriber does not exist', async () => {
    const gone = QUEUE.replace(/q$/, 'gone');
    await subscribe('sqs', gone, { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: QUEUE }) });
    const { MessageId } = await publish('x');
    const [letter] = await received();
    expect(JSON.parse(letter?.Body ?? '')).toMatchObject({ Type: 'Notification', MessageId, Message: 'x' });
  });

  // Recorded on AWS by LocalStack's test suite (2025-10).
  it.each([
    [{ 'a^': { DataType: 'String', StringValue: 'x' } }, /^Invalid non-alphanumeric character '#x5E' was found/],
    [{ 'a.': { DataType: 'String', StringValue: 'x' } }, /^Invalid message attribute name ending with character '.'/],
    [{ 'a..b': { DataType: 'String', StringValue: 'x' } }, /^Message attribute name can not have successive '.'/],
    [{ a: { DataType: 'Odd', StringValue: 'x' } }, /^The message attribute 'a' has an invalid message attribute type/],
    [{ a: { DataType: 'Binary', StringValue: 'x' } }, /^The message attribute 'a' with type 'Binary' must use field/],
    [
      { a: { DataType: 'String', StringValue: '' } },
      /^The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'\.$/,
    ],
  ])('is rejected with the attributes %j', async (MessageAttributes, message) => {
    const alone = await refused(publish('x', { MessageAttributes }));
    expect(alone.name).toBe('InvalidParameterValueException');
    expect(alone.message).toMatch(message);
    const PublishBatchRequestEntries = [{ Id: 'a', Message: 'x', MessageAttributes }];
    const batch = new sdk.PublishBatchCommand({ TopicArn: TOPIC, PublishBatchRequestEntries });
    expect((await refused(client.send(batch))).message).toBe(alone.message);
  });

  it("is rejected in AWS's wording", async () => {
    expect((await refused(publish('x', { TopicArn: 'random' }))).message).toBe(
      'Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1',
    );
    const batch = (...ids: string[]) => {
      const PublishBatchRequestEntries = ids.map((Id) => ({ Id, Message: 'x'.repeat(200_000) }));
      return refused(client.send(new sdk.PublishBatchCommand({ TopicArn: TOPIC, PublishBatchRequestEntries })));
    };
    expect((await batch('a', 'b')).name).toBe('BatchRequestTooLongException');
    expect((await batch('a.b')).message).toBe(
      'The Id of a batch entry in the batch request contains an impermissible character: a.b',
    );
    expect((await refused(publish('x'.repeat(262_145)))).message).toBe('Invalid parameter: Message too long');
    expect((await refused(publish('{"a":1}', { MessageStructure: 'json' }))).message).toBe(
      'Invalid parameter: Message Structure - No default entry in JSON message body',
    );
  });
});

const cliPath = findAwsCli();

describe.skipIf(cliPath === undefined)('the AWS CLI', { timeout: 60_000 }, () => {
  it('creates, subscribes, publishes and lists', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lamella-sns-cli-'));
    const cli = awsCli(cliPath ?? '', apis.url, directory);
    try {
      const { TopicArn } = await cli.json('sns', 'create-topic', '--name', 'cli');
      const target = ['--topic-arn', TopicArn];
      await cli.json(
        'sns',
        'subscribe',
        ...target,
        '--protocol',
        'sqs',
        '--notification-endpoint',
        QUEUE,
        '--attributes',
        'RawMessageDelivery=true',
      );
      const { MessageId } = await cli.json(
        'sns',
        'publish',
        ...target,
        '--message',
        'hello',
        '--message-attributes',
        '{"a":{"DataType":"String","StringValue":"b"}}',
      );
      expect(MessageId).toMatch(/^[0-9a-f-]{36}$/);
      expect((await received())[0]?.Body).toBe('hello');
      expect((await cli.json('sns', 'list-subscriptions-by-topic', ...target)).Subscriptions).toHaveLength(1);
    } finally {
      cli.close();
      rmSync(directory, { recursive: true });
    }
  });
});
