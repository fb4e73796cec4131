/** SQS with AWS's SDK, with the older query protocol, and with the AWS CLI. */
import { createHash } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { awsCli, findAwsCli } from '../../../test/support/aws-cli.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

let clock: FakeClock;
let apis: RunningApis;
let client: sdk.SQSClient;

beforeEach(async () => {
  clock = new FakeClock();
  apis = await startApis({ clock });
  client = clientIn('us-east-1');
});
afterEach(async () => {
  client.destroy();
  await apis.close();
});

const clientIn = (region: string) =>
  new sdk.SQSClient({ endpoint: apis.url, region, credentials: TEST_CREDENTIALS, maxAttempts: 1 });

const create = async (QueueName: string, Attributes: Record<string, string> = {}) =>
  (await client.send(new sdk.CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? '';
const arnOf = (name: string) => `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:${name}`;
const send = (QueueUrl: string, MessageBody: string, more: Partial<sdk.SendMessageCommandInput> = {}) =>
  client.send(new sdk.SendMessageCommand({ QueueUrl, MessageBody, ...more }));
const receive = async (QueueUrl: string, more: Partial<sdk.ReceiveMessageCommandInput> = {}) =>
  (await client.send(new sdk.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...more }))).Messages ?? [];
const bodies = async (QueueUrl: string, more: Partial<sdk.ReceiveMessageCommandInput> = {}) =>
  (await receive(QueueUrl, more)).map(({ Body }) => Body);
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.SQSServiceException) => ({ name: error.name, message: error.message }),
  );
const attributes = async (QueueUrl: string, ...AttributeNames: sdk.QueueAttributeName[]) =>
  (await client.send(new sdk.GetQueueAttributesCommand({ QueueUrl, AttributeNames }))).Attributes;

describe('queues', () => {
  it('can be created, found by name and listed by prefix, separately for each region', async () => {
    const url = await create('one');
    expect(url).toBe(`${apis.url}/${TEST_ACCOUNT}/one`);
    await create('two');
    expect((await client.send(new sdk.GetQueueUrlCommand({ QueueName: 'one' }))).QueueUrl).toBe(url);
    expect((await client.send(new sdk.ListQueuesCommand({}))).QueueUrls).toHaveLength(2);
    expect((await client.send(new sdk.ListQueuesCommand({ QueueNamePrefix: 'on' }))).QueueUrls).toEqual([url]);
    const elsewhere = clientIn('eu-west-1');
    expect((await elsewhere.send(new sdk.ListQueuesCommand({}))).QueueUrls).toBeUndefined();
    elsewhere.destroy();
  });

  it('are listed in pages', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const first = await client.send(new sdk.ListQueuesCommand({ MaxResults: 2 }));
    expect(first.QueueUrls).toHaveLength(2);
    const second = await client.send(new sdk.ListQueuesCommand({ MaxResults: 2, NextToken: first.NextToken }));
    expect([second.QueueUrls?.length, second.NextToken]).toEqual([1, undefined]);
  });

  it('can be created again with the same attributes, but not with others', async () => {
    const url = await create('one', { VisibilityTimeout: '5' });
    expect(await create('one')).toBe(url);
    expect(await create('one', { VisibilityTimeout: '5' })).toBe(url);
    expect(await refused(create('one', { VisibilityTimeout: '6' }))).toEqual({
      name: 'QueueNameExists',
      message: 'A queue already exists with the same name and a different value for attribute VisibilityTimeout',
    });
  });

  it("return their attributes, with AWS's defaults", async () => {
    const url = await create('one', { DelaySeconds: '7' });
    clock.advance(5000);
    await client.send(new sdk.SetQueueAttributesCommand({ QueueUrl: url, Attributes: { VisibilityTimeout: '11' } }));
    const created = Math.floor((clock.epochMs() - 5000) / 1000);
    expect(await attributes(url, 'All')).toEqual({
      QueueArn: arnOf('one'),
      ApproximateNumberOfMessages: '0',
      ApproximateNumberOfMessagesNotVisible: '0',
      ApproximateNumberOfMessagesDelayed: '0',
      CreatedTimestamp: String(created),
      LastModifiedTimestamp: String(created + 5),
      DelaySeconds: '7',
      MaximumMessageSize: '1048576',
      MessageRetentionPeriod: '345600',
      ReceiveMessageWaitTimeSeconds: '0',
      VisibilityTimeout: '11',
      SqsManagedSseEnabled: 'true',
    });
    expect(await attributes(url, 'DelaySeconds')).toEqual({ DelaySeconds: '7' });
    expect(await attributes(url)).toBeUndefined();
  });

  it('change permanently from the key of SQS to a KMS key', async () => {
    const QueueUrl = await create('one');
    const encryption = () =>
      attributes(QueueUrl, 'KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds', 'SqsManagedSseEnabled');
    const set = (Attributes: Record<string, string>) =>
      client.send(new sdk.SetQueueAttributesCommand({ QueueUrl, Attributes }));
    expect(await encryption()).toEqual({ SqsManagedSseEnabled: 'true' });
    await set({ KmsMasterKeyId: 'k' });
    expect(await encryption()).toEqual({
      KmsMasterKeyId: 'k',
      KmsDataKeyReusePeriodSeconds: '300',
      SqsManagedSseEnabled: 'false',
    });
    await set({ KmsMasterKeyId: '', KmsDataKeyReusePeriodSeconds: '300' });
    expect(await encryption()).toEqual({ SqsManagedSseEnabled: 'false' });
  });

  it.each([
    [{ DelaySeconds: '901' }, 'InvalidAttributeValue', 'Invalid value for the parameter DelaySeconds.'],
    [{ VisibilityTimeout: 'soon' }, 'InvalidAttributeValue', 'Invalid value for the parameter VisibilityTimeout.'],
    [{ Nonsense: '1' }, 'InvalidAttributeName', 'Unknown Attribute Nonsense.'],
    [{ RedrivePolicy: 'x' }, 'InvalidAttributeValue', 'Invalid value for the parameter RedrivePolicy.'],
    [
      {
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:no`,
          maxReceiveCount: 1,
        }),
      },
      'InvalidParameterValue',
      'Dead letter target does not exist.',
    ],
  ])('reject the attributes %j', async (given, name, message) => {
    const error = await refused(create('one', given as Record<string, string>));
    expect(error.name).toBe(name);
    expect(error.message).toContain(message);
  });

  it('reject invalid names', async () => {
    expect((await refused(create('a b'))).message).toBe(
      'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
    );
  });

  it('have tags and permissions', async () => {
    const QueueUrl = await create('one');
    await client.send(new sdk.TagQueueCommand({ QueueUrl, Tags: { a: '1', b: '2' } }));
    await client.send(new sdk.UntagQueueCommand({ QueueUrl, TagKeys: ['a'] }));
    expect((await client.send(new sdk.ListQueueTagsCommand({ QueueUrl }))).Tags).toEqual({ b: '2' });
    await client.send(
      new sdk.AddPermissionCommand({ QueueUrl, Label: 'x', AWSAccountIds: [TEST_ACCOUNT], Actions: ['SendMessage'] }),
    );
    expect(JSON.parse((await attributes(QueueUrl, 'Policy'))?.Policy ?? '').Statement).toMatchObject([
      { Sid: 'x', Action: 'SQS:SendMessage', Resource: arnOf('one') },
    ]);
    await client.send(new sdk.RemovePermissionCommand({ QueueUrl, Label: 'x' }));
    expect(await attributes(QueueUrl, 'Policy')).toBeUndefined();
  });

  it('that do not exist or were deleted are rejected', async () => {
    const url = await create('one');
    await send(url, 'gone');
    await client.send(new sdk.DeleteQueueCommand({ QueueUrl: url }));
    const missing = { name: 'QueueDoesNotExist', message: 'The specified queue does not exist.' };
    expect(await refused(send(url, 'x'))).toEqual(missing);
    expect(await refused(client.send(new sdk.GetQueueUrlCommand({ QueueName: 'one' })))).toEqual(missing);
    expect(await bodies(await create('one'))).toEqual([]);
  });
});

describe('messages', () => {
  it('arrive with their attributes and digests, which the SDK checks', async () => {
    const url = await create('one');
    const MessageAttributes: Record<string, sdk.MessageAttributeValue> = {
      'text.a': { DataType: 'String', StringValue: 'ü' },
      number: { DataType: 'Number.int', StringValue: '42' },
      bytes: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) },
    };
    const sent = await send(url, '{"a": "€"}', {
      MessageAttributes,
      MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1' } },
    });
    expect(sent.MD5OfMessageSystemAttributes).toMatch(/^[0-9a-f]{32}$/);
    const [message] = await receive(url, { MessageSystemAttributeNames: ['All'], MessageAttributeNames: ['All'] });
    expect(message).toMatchObject({
      MessageId: sent.MessageId,
      Body: '{"a": "€"}',
      MD5OfBody: sent.MD5OfMessageBody,
      MD5OfMessageAttributes: sent.MD5OfMessageAttributes,
      Attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: String(clock.epochMs()),
        ApproximateFirstReceiveTimestamp: String(clock.epochMs()),
        AWSTraceHeader: 'Root=1',
      },
    });
    expect(Object.keys(message?.MessageAttributes ?? {}).sort()).toEqual(['bytes', 'number', 'text.a']);
    expect(Buffer.from(message?.MessageAttributes?.bytes?.BinaryValue ?? [])).toEqual(Buffer.from([0, 255]));
  });

  it('have a digest of their attributes as documented', async () => {
    const sent = await send(await create('one'), 'x', {
      MessageAttributes: { foo: { DataType: 'String', StringValue: 'bar' } },
    });
    const bytes = Buffer.concat(
      ['foo', 'String', '\u0001', 'bar'].map((part) =>
        part === '\u0001' ? Buffer.of(1) : Buffer.concat([Buffer.of(0, 0, 0, part.length), Buffer.from(part)]),
      ),
    );
    expect(sent.MD5OfMessageAttributes).toBe(createHash('md5').update(bytes).digest('hex'));
  });

  it('are received with the requested attributes, and no others', async () => {
    const url = await create('one', { VisibilityTimeout: '0' });
    const value = { DataType: 'String', StringValue: 'v' };
    await send(url, 'x', { MessageAttributes: { a: value, 'b.one': value, 'b.two': value } });
    const names = async (...MessageAttributeNames: string[]) =>
      Object.keys((await receive(url, { MessageAttributeNames }))[0]?.MessageAttributes ?? {});
    expect(await names()).toEqual([]);
    expect(await names('a', 'zzz')).toEqual(['a']);
    expect(await names('b.*')).toEqual(['b.one', 'b.two']);
  });

  it('are invisible after receipt, visible again later, and gone when deleted', async () => {
    const url = await create('one', { VisibilityTimeout: '10' });
    await send(url, 'x');
    const [first] = await receive(url);
    expect(await bodies(url)).toEqual([]);
    expect(await attributes(url, 'ApproximateNumberOfMessagesNotVisible')).toEqual({
      ApproximateNumberOfMessagesNotVisible: '1',
    });
    clock.advance(10_000);
    const [second] = await receive(url, { MessageSystemAttributeNames: ['ApproximateReceiveCount'] });
    expect(second?.Attributes).toEqual({ ApproximateReceiveCount: '2' });
    expect(second?.ReceiptHandle).not.toBe(first?.ReceiptHandle);
    await client.send(new sdk.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: second?.ReceiptHandle }));
    await client.send(new sdk.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: second?.ReceiptHandle }));
    clock.advance(60_000);
    expect(await bodies(url)).toEqual([]);
  });

  it('can be made invisible for longer, or visible immediately', async () => {
    const url = await create('one');
    await send(url, 'x');
    const [message] = await receive(url);
    const change = (VisibilityTimeout: number) =>
      client.send(
        new sdk.ChangeMessageVisibilityCommand({
          QueueUrl: url,
          ReceiptHandle: message?.ReceiptHandle,
          VisibilityTimeout,
        }),
      );
    await change(100);
    clock.advance(99_999);
    expect(await bodies(url)).toEqual([]);
    await change(0);
    await change(5);
    expect(await bodies(url)).toEqual([]);
    clock.advance(5000);
    await change(1);
    expect(await bodies(url)).toEqual([]);
    await client.send(new sdk.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message?.ReceiptHandle }));
    expect((await refused(change(5))).message).toContain('Message does not exist or is not available');
  });

  it("become visible after the queue's delay or their own", async () => {
    const url = await create('one', { DelaySeconds: '5' });
    await send(url, 'queue');
    await send(url, 'own', { DelaySeconds: 0 });
    expect(await bodies(url)).toEqual(['own']);
    expect(await attributes(url, 'ApproximateNumberOfMessagesDelayed')).toEqual({
      ApproximateNumberOfMessagesDelayed: '1',
    });
    clock.advance(5000);
    expect(await bodies(url)).toEqual(['queue']);
  });

  it('are received with long polling', async () => {
    const url = await create('one');
    const waiting = bodies(url, { WaitTimeSeconds: 20 });
    await send(url, 'x');
    expect(await waiting).toEqual(['x']);
  });

  it('long polling leaves no listeners behind, and ends when the service closes', async () => {
    const { signal } = apis.closing;
    const others = getEventListeners(signal, 'abort');
    const listeners = () => getEventListeners(signal, 'abort').filter((listener) => !others.includes(listener));
    const url = await create('one');
    const waiting = bodies(url, { WaitTimeSeconds: 20 });
    await expect.poll(() => listeners().length).toBe(1);
    await send(url, 'x');
    await waiting;
    expect(listeners()).toEqual([]);
    const last = bodies(url, { WaitTimeSeconds: 20 });
    await expect.poll(() => listeners().length).toBe(1);
    apis.closing.abort();
    expect(await last).toEqual([]);
    expect(await bodies(url, { WaitTimeSeconds: 20 })).toEqual([]);
  });

  it('expire after the retention period', async () => {
    const url = await create('one', { MessageRetentionPeriod: '60' });
    await send(url, 'old');
    clock.advance(60_001);
    expect(await bodies(url)).toEqual([]);
    expect(await attributes(url, 'ApproximateNumberOfMessages')).toEqual({ ApproximateNumberOfMessages: '0' });
  });

  it('can be sent in batches, whose entries succeed or fail on their own', async () => {
    const QueueUrl = await create('one', { MaximumMessageSize: '1024' });
    const sent = await client.send(
      new sdk.SendMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: 'a', MessageBody: '1' },
          { Id: 'b', MessageBody: '\u0000' },
          { Id: 'c', MessageBody: '3', MessageAttributes: { n: { DataType: 'Number', StringValue: 'x' } } },
          { Id: 'd', MessageBody: '4', DelaySeconds: 900 },
          { Id: 'e', MessageBody: 'x'.repeat(1025) },
        ],
      }),
    );
    expect(sent.Successful?.map(({ Id }) => Id)).toEqual(['a', 'd']);
    expect(sent.Failed).toMatchObject([
      { Id: 'b', SenderFault: true, Code: 'InvalidMessageContents' },
      { Id: 'c', SenderFault: true, Code: 'InvalidParameterValue' },
      {
        Id: 'e',
        SenderFault: true,
        Code: 'InvalidParameterValue',
        Message: 'One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.',
      },
    ]);
    const [message] = await receive(QueueUrl);
    const handles = [message?.ReceiptHandle, 'nonsense'];
    const Entries = handles.map((ReceiptHandle, index) => ({ Id: `e${index}`, ReceiptHandle }));
    const changed = await client.send(
      new sdk.ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: Entries.map((entry) => ({ ...entry, VisibilityTimeout: 60 })),
      }),
    );
    expect(changed).toMatchObject({
      Successful: [{ Id: 'e0' }],
      Failed: [{ Id: 'e1', Code: 'ReceiptHandleIsInvalid' }],
    });
    const deleted = await client.send(new sdk.DeleteMessageBatchCommand({ QueueUrl, Entries }));
    expect(deleted).toMatchObject({
      Successful: [{ Id: 'e0' }],
      Failed: [{ Id: 'e1', Code: 'ReceiptHandleIsInvalid' }],
    });
  });

  it('can have attribute names with letters of any script', async () => {
    const QueueUrl = await create('one');
    const MessageAttributes = { 'attr.1øßä': { DataType: 'String', StringValue: 'v' } };
    await send(QueueUrl, 'x', { MessageAttributes });
    expect(await receive(QueueUrl, { MessageAttributeNames: ['*'] })).toMatchObject([{ MessageAttributes }]);
  });

  it('keep their message group', async () => {
    const QueueUrl = await create('one');
    await send(QueueUrl, 'x', { MessageGroupId: 'tenant-1' });
    const [message] = await receive(QueueUrl, { MessageSystemAttributeNames: ['MessageGroupId'] });
    expect(message?.Attributes).toEqual({ MessageGroupId: 'tenant-1' });
    expect((await refused(send(QueueUrl, 'x', { MessageGroupId: 'a b' }))).message).toBe(
      'Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and ' +
        'punctuation characters. 1 to 128 in length.',
    );
  });

  it("are rejected in AWS's wording", async () => {
    const QueueUrl = await create('one', { MaximumMessageSize: '1024' });
    const batch = (Entries: sdk.SendMessageBatchRequestEntry[]) =>
      refused(client.send(new sdk.SendMessageBatchCommand({ QueueUrl, Entries })));
    expect(await refused(send(QueueUrl, 'x'.repeat(1025)))).toEqual({
      name: 'InvalidParameterValue',
      message: 'One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.',
    });
    const attribute = (StringValue: string) =>
      refused(send(QueueUrl, 'x', { MessageAttributes: { a: { DataType: 'String', StringValue } } }));
    expect(await attribute('')).toEqual({
      name: 'InvalidParameterValue',
      message: "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
    });
    expect((await attribute('\b')).name).toBe('InvalidParameterValue');
    expect((await refused(send(QueueUrl, ''))).message).toBe('The request must contain the parameter MessageBody.');
    expect((await batch([])).name).toBe('EmptyBatchRequest');
    expect(await batch(Array.from({ length: 11 }, (_, n) => ({ Id: `${n}`, MessageBody: 'x' })))).toEqual({
      name: 'TooManyEntriesInBatchRequest',
      message: 'Maximum number of entries per request are 10. You have sent 11.',
    });
    expect(
      (
        await batch([
          { Id: 'a', MessageBody: 'x' },
          { Id: 'a', MessageBody: 'x' },
        ])
      ).message,
    ).toBe('Id a repeated.');
    expect((await batch([{ Id: 'a b', MessageBody: 'x' }])).name).toBe('InvalidBatchEntryId');
    expect((await refused(receive(QueueUrl, { MaxNumberOfMessages: 11 }))).message).toBe(
      'Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.',
    );
    expect((await refused(receive(QueueUrl, { WaitTimeSeconds: 21 }))).message).toBe(
      'Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.',
    );
  });

  it('can be purged, at most once a minute', async () => {
    const QueueUrl = await create('one');
    const purge = () => client.send(new sdk.PurgeQueueCommand({ QueueUrl }));
    await send(QueueUrl, 'x');
    await purge();
    expect(await bodies(QueueUrl)).toEqual([]);
    expect((await refused(purge())).name).toBe('PurgeQueueInProgress');
    clock.advance(60_000);
    await purge();
  });
});

describe('a dead-letter queue', () => {
  it('gets messages that were received too often, and can move them back', async () => {
    const dead = await create('dead');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: '2' });
    const url = await create('one', { RedrivePolicy, VisibilityTimeout: '0' });
    expect((await client.send(new sdk.ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }))).queueUrls).toEqual([url]);
    await send(url, 'x');
    expect([await bodies(url), await bodies(url), await bodies(url)]).toEqual([['x'], ['x'], []]);
    const [buried] = await receive(dead, { MessageSystemAttributeNames: ['All'], VisibilityTimeout: 0 });
    expect(buried?.Attributes?.DeadLetterQueueSourceArn).toBe(arnOf('one'));
    const task = await client.send(new sdk.StartMessageMoveTaskCommand({ SourceArn: arnOf('dead') }));
    expect(task.TaskHandle).toBeTruthy();
    const { Results } = await client.send(new sdk.ListMessageMoveTasksCommand({ SourceArn: arnOf('dead') }));
    expect(Results).toMatchObject([{ Status: 'COMPLETED', ApproximateNumberOfMessagesMoved: 1 }]);
    expect(await bodies(url)).toEqual(['x']);
  });
});

describe('the query protocol', () => {
  const query = async (parameters: Record<string, string>, path = '/') => {
    const response = await fetch(apis.url + path, {
      method: 'POST',
      body: new URLSearchParams({ Version: '2012-11-05', ...parameters }),
    });
    return { status: response.status, xml: await response.text() };
  };

  it('reads flattened lists and responds in XML', async () => {
    const created = await query({
      Action: 'CreateQueue',
      QueueName: 'one',
      'Attribute.1.Name': 'VisibilityTimeout',
      'Attribute.1.Value': '3',
      'Tag.1.Key': 'k',
      'Tag.1.Value': 'v',
    });
    const url = `${apis.url}/${TEST_ACCOUNT}/one`;
    expect(created).toMatchObject({ status: 200 });
    expect(created.xml).toMatch(
      new RegExp(
        `^<\\?xml version="1.0"\\?><CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><CreateQueueResult><QueueUrl>${url}</QueueUrl></CreateQueueResult><ResponseMetadata><RequestId>[0-9a-f-]{36}</RequestId></ResponseMetadata></CreateQueueResponse>$`,
      ),
    );
    const sent = await query(
      {
        Action: 'SendMessageBatch',
        'SendMessageBatchRequestEntry.1.Id': 'a',
        'SendMessageBatchRequestEntry.1.MessageBody': '<&>',
        'SendMessageBatchRequestEntry.1.MessageAttribute.1.Name': 'n',
        'SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType': 'String',
        'SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue': 'v',
        'SendMessageBatchRequestEntry.2.Id': 'b',
        'SendMessageBatchRequestEntry.2.MessageBody': '',
      },
      `/${TEST_ACCOUNT}/one`,
    );
    expect(sent.xml).toContain('<SendMessageBatchResultEntry><Id>a</Id>');
    expect(sent.xml).toContain('<BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault>');
    const received = await query({
      Action: 'ReceiveMessage',
      QueueUrl: url,
      'AttributeName.1': 'ApproximateReceiveCount',
      'MessageAttributeName.1': 'All',
    });
    expect(received.xml).toContain('<Body>&lt;&amp;&gt;</Body>');
    expect(received.xml).toContain('<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>');
    expect(received.xml).toContain(
      '<MessageAttribute><Name>n</Name><Value><DataType>String</DataType><StringValue>v</StringValue></Value></MessageAttribute>',
    );
    const tags = await query({ Action: 'ListQueueTags', QueueUrl: url });
    expect(tags.xml).toContain('<Tag><Key>k</Key><Value>v</Value></Tag>');
    const handle = /<ReceiptHandle>(.*?)<\/ReceiptHandle>/.exec(received.xml)?.[1] ?? '';
    const deleted = await query({ Action: 'DeleteMessage', QueueUrl: url, ReceiptHandle: handle });
    expect(deleted.xml).toMatch(/^<\?xml version="1.0"\?><DeleteMessageResponse xmlns="[^"]+"><ResponseMetadata>/);
  });

  it('has the old codes of errors', async () => {
    const missing = await query({ Action: 'GetQueueUrl', QueueName: 'no' });
    expect(missing.status).toBe(400);
    expect(missing.xml).toContain(
      '<Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>' +
        '<Message>The specified queue does not exist for this wsdl version.</Message><Detail></Detail></Error>',
    );
    expect((await query({ Action: 'Dance' })).xml).toContain('<Code>InvalidAction</Code>');
  });
});

describe('the JSON protocol', () => {
  const json = async (operation: string, input: unknown) => {
    const response = await fetch(apis.url, {
      method: 'POST',
      body: JSON.stringify(input),
      headers: { 'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': `AmazonSQS.${operation}` },
    });
    const { __type, message } = (await response.json()) as { __type?: string; message?: string };
    return [response.status, __type, response.headers.get('x-amzn-query-error'), message];
  };

  // Status, type, old code and message as recorded on AWS by LocalStack's test suite (2025-10).
  it('has the new types of errors, and their old codes in a header', async () => {
    const QueueUrl = await create('one');
    expect(await json('GetQueueUrl', { QueueName: 'no' })).toEqual([
      400,
      'com.amazonaws.sqs#QueueDoesNotExist',
      'AWS.SimpleQueueService.NonExistentQueue;Sender',
      'The specified queue does not exist.',
    ]);
    expect(await json('SendMessage', { QueueUrl, MessageBody: '' })).toEqual([
      400,
      'com.amazon.coral.service#MissingRequiredParameterException',
      'MissingParameter;Sender',
      'The request must contain the parameter MessageBody.',
    ]);
    expect(await json('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 11 })).toEqual([
      400,
      'com.amazon.coral.service#InvalidParameterValueException',
      'InvalidParameterValue;Sender',
      'Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.',
    ]);
    await json('PurgeQueue', { QueueUrl });
    expect(await json('PurgeQueue', { QueueUrl })).toEqual([
      403,
      'com.amazonaws.sqs#PurgeQueueInProgress',
      'AWS.SimpleQueueService.PurgeQueueInProgress;Sender',
      'Only one PurgeQueue operation on one is allowed every 60 seconds.',
    ]);
    expect(await json('DeleteMessageBatch', { QueueUrl, Entries: [{ Id: '', ReceiptHandle: 'x' }] })).toEqual([
      400,
      'com.amazonaws.sqs#InvalidBatchEntryId',
      'AWS.SimpleQueueService.InvalidBatchEntryId;Sender',
      'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
    ]);
  });
});

const cliPath = findAwsCli();

describe.skipIf(cliPath === undefined)('the AWS CLI', { timeout: 60_000 }, () => {
  it('creates, sends, receives and deletes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lamella-sqs-cli-'));
    const cli = awsCli(cliPath ?? '', apis.url, directory);
    try {
      const { QueueUrl } = await cli.json(
        'sqs',
        'create-queue',
        '--queue-name',
        'cli',
        '--attributes',
        'VisibilityTimeout=5',
      );
      const words = ['--queue-url', QueueUrl];
      await cli.json(
        'sqs',
        'send-message',
        ...words,
        '--message-body',
        'hello',
        '--message-attributes',
        '{"a":{"DataType":"String","StringValue":"b"}}',
      );
      const { Messages } = await cli.json(
        'sqs',
        'receive-message',
        ...words,
        '--attribute-names',
        'All',
        '--message-attribute-names',
        'All',
        '--wait-time-seconds',
        '1',
      );
      expect(Messages).toMatchObject([{ Body: 'hello', MessageAttributes: { a: { StringValue: 'b' } } }]);
      await cli.json('sqs', 'delete-message', ...words, '--receipt-handle', Messages[0].ReceiptHandle);
      const { Attributes } = await cli.json(
        'sqs',
        'get-queue-attributes',
        ...words,
        '--attribute-names',
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesNotVisible',
      );
      expect(Object.values(Attributes)).toEqual(['0', '0']);
      const missing = await cli.run('sqs', 'get-queue-url', '--queue-name', 'nowhere');
      expect(missing.stderr).toContain('(AWS.SimpleQueueService.NonExistentQueue)');
    } finally {
      cli.close();
      rmSync(directory, { recursive: true });
    }
  });
});
