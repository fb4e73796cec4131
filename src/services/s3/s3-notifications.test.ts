/**
 * Notifications of buckets, through AWS's SDK. Records and refusals have the form that was recorded on AWS (LocalStack's tests
 * of S3).
 */
import * as events from '@aws-sdk/client-eventbridge';
import * as sdk from '@aws-sdk/client-s3';
import * as sns from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const Bucket = 'photos';
const FUNCTION = `arn:aws:lambda:us-east-1:${TEST_ACCOUNT}:function:open`;
const QUEUE = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:q`;

let apis: RunningApis;
let s3: sdk.S3Client;
let queues: sqs.SQSClient;
let topics: sns.SNSClient;
let bus: events.EventBridgeClient;
let TopicArn: string | undefined;
const urls: Record<string, string | undefined> = {};

beforeAll(async () => {
  apis = await startApis();
  const options = { endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, maxAttempts: 1 };
  s3 = new sdk.S3Client({ ...options, forcePathStyle: true });
  queues = new sqs.SQSClient(options);
  topics = new sns.SNSClient(options);
  bus = new events.EventBridgeClient(options);
  await s3.send(new sdk.CreateBucketCommand({ Bucket }));
  for (const QueueName of ['q', 'bus', 'topic']) {
    urls[QueueName] = (await queues.send(new sqs.CreateQueueCommand({ QueueName }))).QueueUrl;
  }
  ({ TopicArn } = await topics.send(new sns.CreateTopicCommand({ Name: 'uploads' })));
  const Endpoint = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:topic`;
  await topics.send(new sns.SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint }));
});
afterAll(async () => {
  for (const client of [s3, queues, topics, bus]) client.destroy();
  await apis.close();
});

const configure = (NotificationConfiguration: sdk.NotificationConfiguration, SkipDestinationValidation = false) => {
  (apis.notified as unknown[]).length = 0;
  const input = { Bucket, NotificationConfiguration, SkipDestinationValidation };
  return s3.send(new sdk.PutBucketNotificationConfigurationCommand(input));
};
const configuration = async () => {
  const { $metadata: _, ...found } = await s3.send(new sdk.GetBucketNotificationConfigurationCommand({ Bucket }));
  return found;
};
const put = (Key: string, Body = 'content') => s3.send(new sdk.PutObjectCommand({ Bucket, Key, Body }));
const remove = (Key: string) => s3.send(new sdk.DeleteObjectCommand({ Bucket, Key }));
const records = () => apis.notified.flatMap(({ event }) => JSON.parse(event).Records);
const received = async (name: string) => {
  const QueueUrl = urls[name];
  const { Messages = [] } = await queues.send(new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  for (const { ReceiptHandle } of Messages)
    await queues.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  return Messages.map(({ Body }) => JSON.parse(String(Body)));
};

describe('a bucket', () => {
  it('invokes a function with a record of each event that it wants', async () => {
    await configure({
      LambdaFunctionConfigurations: [
        { Id: 'mine', LambdaFunctionArn: FUNCTION, Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:Delete'] },
      ],
    });
    const { ETag } = await put('a b/ü@(1).txt');
    const CopySource = `${Bucket}/${encodeURIComponent('a b/ü@(1).txt')}`;
    await s3.send(new sdk.CopyObjectCommand({ Bucket, Key: 'copy', CopySource }));
    await s3.send(new sdk.PutObjectTaggingCommand({ Bucket, Key: 'copy', Tagging: { TagSet: [] } }));
    await remove('copy');
    await remove('copy');
    const [first, ...others] = records();
    expect(first).toEqual({
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: 'us-east-1',
      eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      eventName: 'ObjectCreated:Put',
      userIdentity: { principalId: expect.stringMatching(/^AWS:/) },
      requestParameters: { sourceIPAddress: '127.0.0.1' },
      responseElements: { 'x-amz-request-id': expect.any(String), 'x-amz-id-2': expect.any(String) },
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: 'mine',
        bucket: { name: Bucket, ownerIdentity: { principalId: TEST_ACCOUNT }, arn: `arn:aws:s3:::${Bucket}` },
        object: {
          key: 'a+b/%C3%BC%40%281%29.txt',
          size: 7,
          eTag: ETag?.replaceAll('"', ''),
          sequencer: expect.stringMatching(/^[0-9A-F]{18}$/),
        },
      },
    });
    // A deletion of nothing is not an event, and tags were not asked for.
    expect(others.map(({ eventName }) => eventName)).toEqual(['ObjectCreated:Copy', 'ObjectRemoved:Delete']);
    expect(others[1].s3.object).toEqual({ key: 'copy', sequencer: expect.any(String) });
    const sequencers = [first, ...others].map(({ s3: { object } }) => object.sequencer);
    expect([...sequencers].sort()).toEqual(sequencers);
  });

  it('filters keys by prefix and suffix, and returns its configuration', async () => {
    const rules = [
      { Name: 'prefix', Value: 'in/' },
      { Name: 'SUFFIX', Value: '.jpg' },
    ] as sdk.FilterRule[];
    const wanted: sdk.LambdaFunctionConfiguration = {
      LambdaFunctionArn: FUNCTION,
      Events: ['s3:ObjectCreated:Put'],
      Filter: { Key: { FilterRules: rules } },
    };
    await configure({ LambdaFunctionConfigurations: [wanted] });
    expect(await configuration()).toEqual({
      LambdaFunctionConfigurations: [
        {
          Id: expect.any(String),
          LambdaFunctionArn: FUNCTION,
          Events: ['s3:ObjectCreated:Put'],
          Filter: {
            Key: {
              FilterRules: [
                { Name: 'Prefix', Value: 'in/' },
                { Name: 'Suffix', Value: '.jpg' },
              ],
            },
          },
        },
      ],
    });
    for (const key of ['in/a.jpg', 'in/a.png', 'a.jpg']) await put(key);
    expect(records().map(({ s3: { object } }) => object.key)).toEqual(['in/a.jpg']);
    await configure({});
    expect(await configuration()).toEqual({});
    await put('in/b.jpg');
    expect(records()).toEqual([]);
  });

  it('sends a test event and records to queues and topics', async () => {
    await configure({
      QueueConfigurations: [{ QueueArn: QUEUE, Events: ['s3:ObjectCreated:Put'] }],
      TopicConfigurations: [{ TopicArn, Events: ['s3:ObjectTagging:*'] }],
    });
    const tested = { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket };
    expect(await received('q')).toMatchObject([tested]);
    expect((await received('topic')).map(({ Message }) => JSON.parse(Message))).toMatchObject([tested]);
    await put('x');
    await s3.send(
      new sdk.PutObjectTaggingCommand({ Bucket, Key: 'x', Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }),
    );
    expect((await received('q'))[0].Records).toMatchObject([{ eventName: 'ObjectCreated:Put' }]);
    const [{ Subject, Message } = { Subject: '', Message: '{}' }] = await received('topic');
    expect(Subject).toBe('Amazon S3 Notification');
    const [record] = JSON.parse(Message).Records;
    expect(record).toMatchObject({ eventVersion: '2.3', eventName: 'ObjectTagging:Put' });
    expect(Object.keys(record.s3.object)).toEqual(['key', 'eTag']);
  });

  it('sends all events to EventBridge, and versions and markers with their ids', async () => {
    const Rule = 's3';
    const EventPattern = JSON.stringify({ source: ['aws.s3'], detail: { bucket: { name: [Bucket] } } });
    await bus.send(new events.PutRuleCommand({ Name: Rule, EventPattern }));
    const Arn = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:bus`;
    await bus.send(new events.PutTargetsCommand({ Rule, Targets: [{ Id: 'q', Arn }] }));
    await configure({
      EventBridgeConfiguration: {},
      LambdaFunctionConfigurations: [{ LambdaFunctionArn: FUNCTION, Events: ['s3:ObjectRemoved:*'] }],
    });
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await s3.send(new sdk.PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    const { VersionId } = await put('v 1');
    const { VersionId: marker } = await remove('v 1');
    await s3.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'v 1', VersionId }] } }));
    const sent = (await received('bus')).sort((a, b) =>
      a.detail.object.sequencer < b.detail.object.sequencer ? -1 : 1,
    );
    expect(sent).toMatchObject([
      {
        'detail-type': 'Object Created',
        source: 'aws.s3',
        account: TEST_ACCOUNT,
        region: 'us-east-1',
        resources: [`arn:aws:s3:::${Bucket}`],
        detail: {
          version: '0',
          bucket: { name: Bucket },
          object: { key: 'v 1', size: 7, etag: expect.any(String), 'version-id': VersionId },
          requester: TEST_ACCOUNT,
          'source-ip-address': '127.0.0.1',
          reason: 'PutObject',
        },
      },
      { detail: { object: { 'version-id': marker }, 'deletion-type': 'Delete Marker Created' } },
      { detail: { object: { 'version-id': VersionId }, 'deletion-type': 'Permanently Deleted' } },
    ]);
    expect(records()).toMatchObject([
      {
        eventName: 'ObjectRemoved:DeleteMarkerCreated',
        s3: { object: { key: 'v+1', eTag: 'd41d8cd98f00b204e9800998ecf8427e', versionId: marker } },
      },
      { eventName: 'ObjectRemoved:Delete', s3: { object: { versionId: VersionId } } },
    ]);
  });
});

describe('S3 refuses a configuration', () => {
  const refusal = (config: object, skips = false) =>
    configure(config as sdk.NotificationConfiguration, skips).then(
      () => expect.unreachable(),
      ({ name, message, $response: _, $metadata: __, $fault: ___, Code: ____, RequestId: _____, ...more }) =>
        ({ name, message, ...more }) as Record<string, string>,
    );
  const Events = ['s3:ObjectCreated:*'];
  const unable = { name: 'InvalidArgument', message: 'Unable to validate the following destination configurations' };

  it('with destinations that do not exist or do not allow it, unless it shall not look', async () => {
    const LambdaFunctionArn = `arn:aws:lambda:us-east-1:${TEST_ACCOUNT}:function:closed`;
    const closed = { LambdaFunctionConfigurations: [{ LambdaFunctionArn, Events }] };
    expect(await refusal(closed)).toMatchObject({
      ...unable,
      ArgumentName1: `${LambdaFunctionArn}, null`,
      ArgumentValue1: `Not authorized to invoke function [${LambdaFunctionArn}]`,
    });
    const QueueArn = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:missing`;
    expect(await refusal({ QueueConfigurations: [{ QueueArn, Events }] })).toMatchObject({
      ...unable,
      ArgumentName1: QueueArn,
      ArgumentValue1: 'The destination queue does not exist',
    });
    await configure(closed as sdk.NotificationConfiguration, true);
    expect(await configuration()).toMatchObject({ LambdaFunctionConfigurations: [{ LambdaFunctionArn }] });
  });

  it('that is not well-formed', async () => {
    const one = (more: object) => refusal({ QueueConfigurations: [{ QueueArn: QUEUE, Events, ...more }] }, true);
    expect(await one({ QueueArn: 'invalid-queue' })).toMatchObject({
      name: 'InvalidArgument',
      message: 'The ARN could not be parsed',
      ArgumentName: 'Queue',
      ArgumentValue: 'invalid-queue',
    });
    expect(await one({ Filter: { Key: { FilterRules: [{ Name: 'INVALID', Value: 'x' }] } } })).toMatchObject({
      message: 'filter rule name must be either prefix or suffix',
      ArgumentName: 'FilterRule.Name',
      ArgumentValue: 'INVALID',
    });
    expect(await one({ Filter: { Key: { FilterRules: [{ Name: 'prefix' }] } } })).toMatchObject({
      name: 'MalformedXML',
    });
    expect(await one({ Events: ['s3:ObjectEaten:*'] })).toMatchObject({
      message: 'The event is not supported for notifications',
    });
    const two = (one: object, other: object) =>
      refusal({ QueueConfigurations: [one, other].map((more) => ({ QueueArn: QUEUE, Events, ...more })) }, true);
    expect((await two({ Id: 'same' }, { Id: 'same', Events: ['s3:ObjectRemoved:*'] })).message).toMatch(
      /^Same ID used/,
    );
    expect((await two({}, { Events: ['s3:ObjectCreated:Put'] })).message).toMatch(/^Configurations overlap\./);
    const prefixed = (Value: string) => ({ Filter: { Key: { FilterRules: [{ Name: 'prefix', Value }] } } });
    expect((await two(prefixed('a/'), prefixed('a/b'))).message).toMatch(/^Configuration is ambiguously defined\./);
  });
});
