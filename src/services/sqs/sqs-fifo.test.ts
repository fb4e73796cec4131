/** FIFO queues with AWS's SDK. The order of groups is that which LocalStack's test suite recorded on AWS. */
import { createHash } from 'node:crypto';
import * as sdk from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

let clock: FakeClock;
let apis: RunningApis;
let client: sdk.SQSClient;

beforeEach(async () => {
  clock = new FakeClock();
  apis = await startApis({ clock });
  const options = { region: 'us-east-1', credentials: TEST_CREDENTIALS, maxAttempts: 1 };
  client = new sdk.SQSClient({ endpoint: apis.url, ...options });
});
afterEach(async () => {
  client.destroy();
  await apis.close();
});

const create = async (QueueName: string, Attributes: Record<string, string> = {}) =>
  (await client.send(new sdk.CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? '';
const createFifo = (name = 'q.fifo', more: Record<string, string> = {}) =>
  create(name, { FifoQueue: 'true', ContentBasedDeduplication: 'true', ...more });
const arnOf = (name: string) => `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:${name}`;
const send = (QueueUrl: string, MessageBody: string, more: Partial<sdk.SendMessageCommandInput> = {}) =>
  client.send(
    new sdk.SendMessageCommand({ QueueUrl, MessageBody, MessageGroupId: MessageBody.split('-')[0], ...more }),
  );
const sendAll = async (url: string, ...all: string[]) => {
  for (const body of all) {
    await send(url, body);
    clock.advance(1);
  }
};
const receive = async (QueueUrl: string, more: Partial<sdk.ReceiveMessageCommandInput> = {}) =>
  (
    await client.send(
      new sdk.ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ['All'],
        ...more,
      }),
    )
  ).Messages ?? [];
const bodies = async (QueueUrl: string, more: Partial<sdk.ReceiveMessageCommandInput> = {}) =>
  (await receive(QueueUrl, more)).map(({ Body }) => Body);
const remove = (QueueUrl: string, message: sdk.Message | undefined) =>
  client.send(new sdk.DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
const hide = (QueueUrl: string, message: sdk.Message | undefined, VisibilityTimeout: number) =>
  client.send(
    new sdk.ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle, VisibilityTimeout }),
  );
const set = (QueueUrl: string, Attributes: Record<string, string>) =>
  client.send(new sdk.SetQueueAttributesCommand({ QueueUrl, Attributes }));
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.SQSServiceException) => `${error.name}: ${error.message}`,
  );

const STANDARD_NAME =
  'InvalidParameterValue: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length';
const FIFO_NAME =
  'InvalidParameterValue: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, ' +
  'must end with .fifo suffix and be 1 to 80 in length';

describe('a FIFO queue', () => {
  it('has a name that ends in .fifo, and attributes with defaults', async () => {
    const QueueUrl = await create('a.fifo', { FifoQueue: 'true' });
    expect(await create('a.fifo', { FifoQueue: 'true' })).toBe(QueueUrl);
    const get = new sdk.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] });
    expect((await client.send(get)).Attributes).toMatchObject({
      QueueArn: arnOf('a.fifo'),
      FifoQueue: 'true',
      ContentBasedDeduplication: 'false',
      DeduplicationScope: 'queue',
      FifoThroughputLimit: 'perQueue',
    });
    expect((await client.send(new sdk.GetQueueUrlCommand({ QueueName: 'a.fifo' }))).QueueUrl).toBe(QueueUrl);
    expect(await refused(create('a', { FifoQueue: 'true' }))).toContain(FIFO_NAME);
    expect(await refused(create('b.fifo'))).toContain(STANDARD_NAME);
    expect(await refused(create(`${'x'.repeat(76)}.fifo`, { FifoQueue: 'true' }))).toContain(STANDARD_NAME);
  });

  it("rejects attributes that do not fit, with AWS's messages", async () => {
    const url = await createFifo();
    expect(await refused(create('a', { FifoQueue: 'false' }))).toContain('Unknown Attribute FifoQueue.');
    expect(await refused(create('a', { ContentBasedDeduplication: 'true' }))).toBe(
      'InvalidAttributeName: Unknown Attribute ContentBasedDeduplication.',
    );
    expect(await refused(create('a', { DeduplicationScope: 'queue' }))).toBe(
      'InvalidAttributeName: You can specify the DeduplicationScope only when FifoQueue is set to true.',
    );
    expect(await refused(set(url, { FifoQueue: 'false' }))).toBe(
      'InvalidAttributeValue: Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.',
    );
    expect(await refused(set(url, { DeduplicationScope: 'x' }))).toContain('InvalidAttributeValue');
    expect(await refused(set(url, { FifoThroughputLimit: 'perMessageGroupId' }))).toContain('InvalidAttributeValue');
    await set(url, { DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' });
    await create('dead');
    const policy = (name: string) => ({
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf(name), maxReceiveCount: 1 }),
    });
    const message = 'Reason: Dead-letter queue must be same type of queue as the source.';
    expect(await refused(set(url, policy('dead')))).toContain(message);
    expect(await refused(create('a', policy('q.fifo')))).toContain(message);
  });

  it("rejects messages that do not fit, with AWS's messages", async () => {
    const url = await createFifo('a.fifo', { ContentBasedDeduplication: 'false' });
    const noGroup = 'The request must contain the parameter MessageGroupId.';
    const noId =
      'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly';
    expect(await refused(send(url, 'x', { MessageGroupId: undefined }))).toContain(noGroup);
    expect(await refused(send(url, 'x'))).toBe(`InvalidParameterValue: ${noId}`);
    expect(await refused(send(url, 'x', { MessageDeduplicationId: 'a b' }))).toContain('MessageDeduplicationId');
    expect(await refused(send(url, 'x', { MessageDeduplicationId: '1', DelaySeconds: 2 }))).toBe(
      'InvalidParameterValue: Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter ' +
        'that is not valid for this queue type.',
    );
    await send(url, 'x', { MessageDeduplicationId: '1', DelaySeconds: 0 });
    const batch = (entry: Partial<sdk.SendMessageBatchRequestEntry>) =>
      client.send(
        new sdk.SendMessageBatchCommand({ QueueUrl: url, Entries: [{ Id: '1', MessageBody: 'x', ...entry }] }),
      );
    expect(await refused(batch({}))).toContain(noGroup);
    expect(await refused(batch({ MessageGroupId: 'g' }))).toContain(noId);
    expect(await refused(send(await create('standard'), 'x', { MessageDeduplicationId: '1' }))).toContain(
      'The request includes a parameter that is not valid for this queue type.',
    );
  });
});

describe('messages of a FIFO queue', () => {
  it('have a group, a deduplication id and a growing sequence number', async () => {
    const QueueUrl = await createFifo();
    const one = await send(QueueUrl, 'g-1');
    const { Successful = [] } = await client.send(
      new sdk.SendMessageBatchCommand({
        QueueUrl,
        Entries: [{ Id: 'a', MessageBody: 'g-2', MessageGroupId: 'g', MessageDeduplicationId: 'two' }],
      }),
    );
    expect(one.SequenceNumber).toMatch(/^\d{20}$/);
    expect(BigInt(Successful[0]?.SequenceNumber ?? 0)).toBeGreaterThan(BigInt(one.SequenceNumber ?? 0));
    const sha256 = createHash('sha256').update('g-1').digest('hex');
    expect((await receive(QueueUrl)).map(({ Attributes }) => Attributes)).toMatchObject([
      { MessageGroupId: 'g', MessageDeduplicationId: sha256, SequenceNumber: one.SequenceNumber },
      { MessageGroupId: 'g', MessageDeduplicationId: 'two', SequenceNumber: Successful[0]?.SequenceNumber },
    ]);
  });

  it('are sent once within 5 minutes, also after they were deleted', async () => {
    const url = await createFifo();
    const first = await send(url, 'g-1');
    await remove(url, (await receive(url))[0]);
    clock.advance(299_999);
    const again = await send(url, 'g-1', { MessageGroupId: 'other' });
    expect(again).toMatchObject({ MessageId: first.MessageId, SequenceNumber: first.SequenceNumber });
    expect(await bodies(url)).toEqual([]);
    clock.advance(1);
    expect((await send(url, 'g-1')).MessageId).not.toBe(first.MessageId);
    expect(await bodies(url)).toEqual(['g-1']);
    await client.send(new sdk.PurgeQueueCommand({ QueueUrl: url }));
    await send(url, 'g-1');
    expect(await bodies(url)).toEqual(['g-1']);
  });

  it('are deduplicated in their group with DeduplicationScope messageGroup', async () => {
    const url = await createFifo('q.fifo', { DeduplicationScope: 'messageGroup' });
    for (const MessageGroupId of ['a', 'a', 'b']) await send(url, 'x', { MessageGroupId });
    expect(await bodies(url)).toEqual(['x', 'x']);
  });

  it('are received in the order of their group, which waits for its messages in flight', async () => {
    const url = await createFifo();
    await sendAll(url, 'g1-1', 'g2-1', 'g1-2', 'g2-2', 'g1-3', 'g3-1');
    const [one, two] = await receive(url, { MaxNumberOfMessages: 2 });
    expect([one?.Body, two?.Body]).toEqual(['g1-1', 'g1-2']);
    await remove(url, one);
    expect(await bodies(url)).toEqual(['g2-1', 'g2-2', 'g3-1']);
    const waiting = bodies(url, { WaitTimeSeconds: 20 });
    await remove(url, two);
    expect(await waiting).toEqual(['g1-3']);
  });

  it('are received again when they become visible, before the others of their group', async () => {
    const url = await createFifo();
    await sendAll(url, 'g1-1', 'g1-2', 'g2-1');
    const [one] = await receive(url, { MaxNumberOfMessages: 2 });
    await hide(url, one, 0);
    expect(await bodies(url)).toEqual(['g2-1', 'g1-1']);
    clock.advance(30_000);
    expect(await bodies(url, { MaxNumberOfMessages: 2, VisibilityTimeout: 60 })).toEqual(['g1-1', 'g1-2']);
    expect(await bodies(url)).toEqual(['g2-1']);
  });

  it('can be received with a visibility timeout of zero', async () => {
    const url = await createFifo();
    await sendAll(url, 'g1-1', 'g2-1', 'g3-1', 'g2-2', 'g1-2');
    const more = { VisibilityTimeout: 0 };
    expect(await bodies(url, { ...more, MaxNumberOfMessages: 3 })).toEqual(['g1-1', 'g1-2', 'g2-1']);
    expect(await bodies(url, more)).toEqual(['g3-1', 'g1-1', 'g1-2', 'g2-1', 'g2-2']);
  });

  it("are delayed by the queue's delay", async () => {
    const url = await createFifo('q.fifo', { DelaySeconds: '2' });
    await sendAll(url, 'g-1', 'g-2', 'g-3');
    expect(await bodies(url)).toEqual([]);
    clock.advance(2000);
    expect(await bodies(url)).toEqual(['g-1', 'g-2', 'g-3']);
  });

  it('are delayed, or no longer delayed, by a change of the delay', async () => {
    const url = await createFifo();
    await sendAll(url, 'g-1', 'h-1', 'h-2');
    const [first] = await receive(url, { MaxNumberOfMessages: 1, VisibilityTimeout: 5 });
    expect(first?.Body).toBe('g-1');
    await set(url, { DelaySeconds: '60' });
    expect(await bodies(url)).toEqual([]);
    // The delay does not apply to a message that was received.
    clock.advance(5000);
    expect(await bodies(url)).toEqual(['g-1']);
    clock.advance(55_000);
    expect(await bodies(url, { VisibilityTimeout: 0 })).toContain('h-2');
    await sendAll(url, 'i-1');
    const waiting = bodies(url, { WaitTimeSeconds: 20 });
    await receive(url);
    await set(url, { DelaySeconds: '0' });
    expect((await waiting).concat(await bodies(url))).toContain('i-1');
    const standard = await create('standard', { DelaySeconds: '60' });
    await send(standard, 'x', { MessageGroupId: undefined });
    await set(standard, { DelaySeconds: '0' });
    expect(await bodies(standard)).toEqual([]);
  });

  it('can be deleted only while the receipt handle is valid', async () => {
    const url = await createFifo('q.fifo', { VisibilityTimeout: '1' });
    await send(url, 'g-1');
    const [first] = await receive(url);
    clock.advance(1000);
    expect(await refused(remove(url, first))).toContain('Reason: The receipt handle has expired.');
    expect(await refused(hide(url, first, 5))).toContain('is not available for visibility timeout change');
    const [second] = await receive(url);
    expect(await refused(remove(url, first))).toContain('Reason: The receipt handle has expired.');
    await remove(url, second);
    await remove(url, second);
  });

  it('are received again by a second attempt with the same id', async () => {
    const url = await createFifo();
    await sendAll(url, 'g-1', 'h-1');
    const attempt = { ReceiveRequestAttemptId: 'try', MaxNumberOfMessages: 1 };
    const first = await receive(url, attempt);
    clock.advance(20_000);
    expect(await receive(url, attempt)).toEqual(first);
    clock.advance(20_000);
    expect(await bodies(url)).toEqual(['h-1']);
    await remove(url, first[0]);
    expect(await receive(url, attempt)).toEqual([]);
  });

  it('are not received again by the same attempt when the timeout of one was changed', async () => {
    const url = await createFifo();
    await sendAll(url, 'g-1', 'g-2', 'h-1');
    const attempt = { ReceiveRequestAttemptId: 'try', MaxNumberOfMessages: 2 };
    const [, second] = await receive(url, attempt);
    await hide(url, second, 100);
    expect(await bodies(url, attempt)).toEqual(['h-1']);
    // The attempt now names the other message, and is forgotten after 5 minutes.
    expect(await bodies(url, { ...attempt, VisibilityTimeout: 400 })).toEqual(['h-1']);
    clock.advance(300_000);
    expect(await bodies(url, attempt)).toEqual(['g-1', 'g-2']);
  });

  it('go to a FIFO dead-letter queue and back, in their order', async () => {
    await createFifo('dead.fifo');
    const url = await createFifo('q.fifo', {
      VisibilityTimeout: '1',
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf('dead.fifo'), maxReceiveCount: 1 }),
    });
    const dead = `${apis.url}/${TEST_ACCOUNT}/dead.fifo`;
    await sendAll(url, 'g-1', 'g-2');
    await receive(url);
    clock.advance(1000);
    await send(url, 'g-3');
    expect(await bodies(url, { VisibilityTimeout: 0 })).toEqual(['g-3']);
    expect(await receive(dead, { VisibilityTimeout: 0 })).toMatchObject([
      { Body: 'g-1', Attributes: { MessageGroupId: 'g', DeadLetterQueueSourceArn: arnOf('q.fifo') } },
      { Body: 'g-2' },
    ]);
    await set(url, { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf('dead.fifo'), maxReceiveCount: 9 }) });
    await client.send(new sdk.StartMessageMoveTaskCommand({ SourceArn: arnOf('dead.fifo') }));
    expect(await bodies(url)).toEqual(['g-3', 'g-1', 'g-2']);
  });
});
