/** FIFO topics with AWS's SDK. Deliveries are checked in the subscribed queues. */
import * as sdk from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const FIFO = { FifoTopic: 'true', ContentBasedDeduplication: 'true' };

let clock: FakeClock;
let apis: RunningApis;
let client: sdk.SNSClient;
let queues: sqs.SQSClient;

beforeEach(async () => {
  clock = new FakeClock();
  apis = await startApis({ clock });
  const options = { endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, maxAttempts: 1 };
  client = new sdk.SNSClient(options);
  queues = new sqs.SQSClient(options);
  await queues.send(new sqs.CreateQueueCommand({ QueueName: 'q.fifo', Attributes: { FifoQueue: 'true' } }));
  await queues.send(new sqs.CreateQueueCommand({ QueueName: 'q' }));
});
afterEach(async () => {
  client.destroy();
  queues.destroy();
  await apis.close();
});

const create = async (Name: string, Attributes: Record<string, string> = {}) =>
  (await client.send(new sdk.CreateTopicCommand({ Name, Attributes }))).TopicArn ?? '';
const subscribe = (TopicArn: string, queue: string, Attributes: Record<string, string> = {}) =>
  client.send(
    new sdk.SubscribeCommand({
      TopicArn,
      Protocol: 'sqs',
      Endpoint: `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:${queue}`,
      Attributes,
    }),
  );
const publish = (TopicArn: string, Message: string, more: Partial<sdk.PublishCommandInput> = {}) =>
  client.send(new sdk.PublishCommand({ TopicArn, Message, MessageGroupId: 'g', ...more }));
const received = async (name: string) =>
  (
    await queues.send(
      new sqs.ReceiveMessageCommand({
        QueueUrl: `${apis.url}/${TEST_ACCOUNT}/${name}`,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 0,
        MessageSystemAttributeNames: ['All'],
      }),
    )
  ).Messages ?? [];
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.SNSServiceException) => `${error.name}: ${error.message}`,
  );

describe('a FIFO topic', () => {
  it('has a name that ends in .fifo, and attributes with defaults', async () => {
    const TopicArn = await create('news.fifo', { FifoTopic: 'true' });
    const { Attributes } = await client.send(new sdk.GetTopicAttributesCommand({ TopicArn }));
    expect(Attributes).toMatchObject({ FifoTopic: 'true', ContentBasedDeduplication: 'false' });
    expect(await refused(create('news', { FifoTopic: 'true' }))).toContain('Fifo Topic names must end with .fifo');
    expect(await refused(create('other.fifo'))).toContain('Invalid parameter: Topic Name');
  });

  it('delivers to FIFO queues in order, and to standard queues', async () => {
    const arn = await create('news.fifo', FIFO);
    await subscribe(arn, 'q.fifo', { RawMessageDelivery: 'true' });
    await subscribe(arn, 'q');
    const sent = await Promise.all(['1', '2', '3'].map((message) => publish(arn, message)));
    const numbers = sent.map(({ SequenceNumber = '' }) => SequenceNumber);
    expect(numbers[0]).toMatch(/^\d{20}$/);
    expect(numbers).toEqual([...numbers].sort());
    const messages = await received('q.fifo');
    expect(messages.map(({ Body }) => Body)).toEqual(['1', '2', '3']);
    expect(messages[0]?.Attributes).toMatchObject({
      MessageGroupId: 'g',
      MessageDeduplicationId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const bodies = (await received('q')).map(({ Body = '' }) => JSON.parse(Body) as Record<string, string>);
    expect(bodies.map(({ SequenceNumber }) => SequenceNumber)).toEqual(numbers);
  });

  it('delivers a message once within 5 minutes', async () => {
    const arn = await create('news.fifo', FIFO);
    await subscribe(arn, 'q');
    const first = await publish(arn, 'x', { MessageDeduplicationId: '1' });
    const again = await publish(arn, 'y', { MessageDeduplicationId: '1', MessageGroupId: 'h' });
    expect(again).toMatchObject({ MessageId: first.MessageId, SequenceNumber: first.SequenceNumber });
    expect(await received('q')).toHaveLength(1);
    clock.advance(300_000);
    expect((await publish(arn, 'x', { MessageDeduplicationId: '1' })).MessageId).not.toBe(first.MessageId);
    const FifoThroughputScope = { AttributeName: 'FifoThroughputScope', AttributeValue: 'MessageGroup' };
    await client.send(new sdk.SetTopicAttributesCommand({ TopicArn: arn, ...FifoThroughputScope }));
    for (const MessageGroupId of ['i', 'i', 'j']) await publish(arn, 'x', { MessageGroupId });
    expect(await received('q')).toHaveLength(4);
  });

  it("rejects requests that do not fit, with AWS's messages", async () => {
    const arn = await create('news.fifo', { FifoTopic: 'true' });
    const standard = await create('news');
    expect(await refused(publish(arn, 'x', { MessageGroupId: undefined }))).toContain(
      'Invalid parameter: The MessageGroupId parameter is required for FIFO topics',
    );
    expect(await refused(publish(arn, 'x'))).toContain(
      'Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId ' +
        'provided explicitly',
    );
    const PublishBatchRequestEntries = [{ Id: '1', Message: 'x' }];
    expect(
      await refused(client.send(new sdk.PublishBatchCommand({ TopicArn: arn, PublishBatchRequestEntries }))),
    ).toContain('The MessageGroupId parameter is required for FIFO topics');
    expect(await refused(publish(standard, 'x', { MessageDeduplicationId: '1' }))).toContain(
      'The request includes MessageDeduplicationId parameter that is not valid for this topic type',
    );
    expect(await refused(subscribe(standard, 'q.fifo'))).toContain(
      'FIFO SQS Queues can not be subscribed to standard SNS topics',
    );
    const Endpoint = `arn:aws:lambda:us-east-1:${TEST_ACCOUNT}:function:f`;
    expect(
      await refused(client.send(new sdk.SubscribeCommand({ TopicArn: arn, Protocol: 'lambda', Endpoint }))),
    ).toContain('Please use FIFO SQS queue');
  });

  it('has batches, and a standard topic passes the group to its queues', async () => {
    const arn = await create('news.fifo', FIFO);
    await subscribe(arn, 'q.fifo', { RawMessageDelivery: 'true' });
    const PublishBatchRequestEntries = ['a', 'b'].map((Id) => ({ Id, Message: Id, MessageGroupId: 'g' }));
    const { Successful = [] } = await client.send(
      new sdk.PublishBatchCommand({ TopicArn: arn, PublishBatchRequestEntries }),
    );
    expect(Successful.map(({ SequenceNumber = '' }) => SequenceNumber.length)).toEqual([20, 20]);
    expect((await received('q.fifo')).map(({ Body }) => Body)).toEqual(['a', 'b']);
    const standard = await create('news');
    await subscribe(standard, 'q');
    await publish(standard, 'x');
    expect((await received('q'))[0]?.Attributes).toMatchObject({ MessageGroupId: 'g' });
  });
});
