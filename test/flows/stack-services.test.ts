/** Stacks with resources of S3, SQS, SNS, EventBridge, DynamoDB, Parameter Store and Secrets Manager: created, changed, deleted. */
import { DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import {
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  ListTagsOfResourceCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, ListTargetsByRuleCommand, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ListSubscriptionsByTopicCommand, PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningService, startService } from '../support/running-service.ts';
import { StackClient } from '../support/stack-client.ts';

let service: RunningService;
let stacks: StackClient;
let s3: S3Client;
let sqs: SQSClient;
let sns: SNSClient;
let events: EventBridgeClient;
let ssm: SSMClient;
let secrets: SecretsManagerClient;
let dynamodb: DynamoDBClient;

beforeAll(async () => {
  service = await startService();
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const options = { endpoint: service.url, region: 'us-east-1', credentials, maxAttempts: 1 };
  stacks = new StackClient(service.url);
  s3 = new S3Client({ ...options, forcePathStyle: true });
  sqs = new SQSClient(options);
  sns = new SNSClient(options);
  events = new EventBridgeClient(options);
  ssm = new SSMClient(options);
  secrets = new SecretsManagerClient(options);
  dynamodb = new DynamoDBClient(options);
});
afterAll(async () => {
  for (const client of [s3, sqs, sns, events, ssm, secrets, dynamodb, stacks.client]) client.destroy();
  await service.close();
});

const arnOf = (name: string) => ({ 'Fn::GetAtt': [name, 'Arn'] });
const policy = (Action: string, Resource: unknown) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: '*', Action, Resource }],
});

function templateOf({ timeout = '60', pattern = ['shop'], value = 'one', index = 'by-day' } = {}) {
  return {
    Resources: {
      Dead: { Type: 'AWS::SQS::Queue', Properties: { FifoQueue: false } },
      Queue: {
        Type: 'AWS::SQS::Queue',
        Properties: {
          VisibilityTimeout: timeout,
          RedrivePolicy: { deadLetterTargetArn: arnOf('Dead'), maxReceiveCount: 3 },
        },
      },
      QueuePolicy: {
        Type: 'AWS::SQS::QueuePolicy',
        Properties: { Queues: [{ Ref: 'Queue' }], PolicyDocument: policy('sqs:SendMessage', arnOf('Queue')) },
      },
      Ordered: { Type: 'AWS::SQS::Queue', Properties: { FifoQueue: true, ContentBasedDeduplication: 'true' } },
      Topic: { Type: 'AWS::SNS::Topic', Properties: { DisplayName: 'News' } },
      TopicPolicy: {
        Type: 'AWS::SNS::TopicPolicy',
        Properties: { Topics: [{ Ref: 'Topic' }], PolicyDocument: policy('sns:Publish', { Ref: 'Topic' }) },
      },
      Subscription: {
        Type: 'AWS::SNS::Subscription',
        Properties: {
          TopicArn: { Ref: 'Topic' },
          Protocol: 'sqs',
          Endpoint: arnOf('Queue'),
          RawMessageDelivery: true,
          FilterPolicy: { kind: ['good'] },
        },
      },
      Mail: {
        Type: 'AWS::SNS::Subscription',
        Properties: { TopicArn: { Ref: 'Topic' }, Protocol: 'email', Endpoint: 'me@example.com' },
      },
      Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: 'orders' } },
      Rule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          EventBusName: { Ref: 'Bus' },
          EventPattern: { source: pattern },
          Targets: [
            { Id: 'queue', Arn: arnOf('Queue'), InputPath: '$.detail', RetryPolicy: { MaximumRetryAttempts: '2' } },
          ],
        },
      },
      Bucket: {
        Type: 'AWS::S3::Bucket',
        Properties: {
          VersioningConfiguration: { Status: 'Enabled' },
          PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
          Tags: [{ Key: 'team', Value: 'a' }],
        },
      },
      BucketPolicy: {
        Type: 'AWS::S3::BucketPolicy',
        Properties: { Bucket: { Ref: 'Bucket' }, PolicyDocument: policy('s3:GetObject', arnOf('Bucket')) },
      },
      Table: {
        Type: 'AWS::DynamoDB::Table',
        Properties: {
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: ['id', 'day'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
          GlobalSecondaryIndexes: [
            {
              IndexName: index,
              KeySchema: [{ AttributeName: 'day', KeyType: 'HASH' }],
              Projection: { ProjectionType: 'ALL' },
            },
          ],
          StreamSpecification: { StreamViewType: 'NEW_IMAGE' },
          TimeToLiveSpecification: { AttributeName: 'expires', Enabled: value === 'one' },
          Tags: [{ Key: 'value', Value: value }],
        },
      },
      Parameter: { Type: 'AWS::SSM::Parameter', Properties: { Type: 'String', Value: value, Tags: { team: 'a' } } },
      Secret: {
        Type: 'AWS::SecretsManager::Secret',
        Properties: {
          GenerateSecretString: {
            SecretStringTemplate: '{"user":"admin"}',
            GenerateStringKey: 'password',
            PasswordLength: '20',
            ExcludePunctuation: true,
          },
        },
      },
    },
    Outputs: {
      Queue: { Value: { Ref: 'Queue' } },
      Ordered: { Value: { 'Fn::GetAtt': ['Ordered', 'QueueName'] } },
      Topic: { Value: { Ref: 'Topic' } },
      Rule: { Value: { Ref: 'Rule' } },
      Bucket: { Value: { Ref: 'Bucket' } },
      BucketArn: { Value: arnOf('Bucket') },
      Table: { Value: { Ref: 'Table' } },
      TableArn: { Value: arnOf('Table') },
      Stream: { Value: { 'Fn::GetAtt': ['Table', 'StreamArn'] } },
      Parameter: { Value: { Ref: 'Parameter' } },
      Secret: { Value: { Ref: 'Secret' } },
    },
  };
}

const bodies = async (QueueUrl: string | undefined) => {
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  return Messages.map(({ Body }) => Body);
};
const putEvent = (Source: string, Detail: object) =>
  events.send(
    new PutEventsCommand({
      Entries: [{ Source, DetailType: 'order', Detail: JSON.stringify(Detail), EventBusName: 'orders' }],
    }),
  );

describe('a stack of other services', () => {
  it('creates, changes and deletes what its template names', async () => {
    const created = await stacks.create('shop', templateOf());
    expect(created.StackStatus, (await stacks.events('shop')).join('\n')).toBe('CREATE_COMPLETE');
    const outputs = stacks.outputs(created);
    const QueueUrl = outputs.Queue;
    expect(QueueUrl).toMatch(/\/shop-Queue-[A-Za-z0-9]{12}$/);
    expect(outputs.Ordered).toMatch(/^shop-Ordered-[A-Za-z0-9]{12}\.fifo$/);
    expect(outputs.Bucket).toMatch(/^shop-bucket-[a-z0-9]{12}$/);
    expect(outputs.BucketArn).toBe(`arn:aws:s3:::${outputs.Bucket}`);
    expect(outputs.Rule).toMatch(/^orders\|shop-Rule-[A-Za-z0-9]{12}$/);

    const queueAttributes = async () =>
      (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes ?? {};
    expect(await queueAttributes()).toMatchObject({ VisibilityTimeout: '60' });
    expect(JSON.parse(String((await queueAttributes()).RedrivePolicy))).toMatchObject({ maxReceiveCount: 3 });
    expect((await queueAttributes()).Policy).toContain('sqs:SendMessage');

    const publish = (Message: string, kind: string) => {
      const MessageAttributes = { kind: { DataType: 'String', StringValue: kind } };
      return sns.send(new PublishCommand({ TopicArn: outputs.Topic, Message, MessageAttributes }));
    };
    await publish('wanted', 'good');
    await publish('unwanted', 'bad');
    await putEvent('shop', { id: 1 });
    await putEvent('other', { id: 2 });
    expect((await bodies(QueueUrl)).sort()).toEqual(['wanted', '{"id":1}']);

    const Bucket = outputs.Bucket;
    expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled');
    expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toContain('s3:GetObject');
    const { TagSet = [] } = await s3.send(new GetBucketTaggingCommand({ Bucket }));
    expect(TagSet).toEqual(expect.arrayContaining([{ Key: 'team', Value: 'a' }]));
    expect((await ssm.send(new GetParameterCommand({ Name: outputs.Parameter }))).Parameter?.Value).toBe('one');
    const secret = await secrets.send(new GetSecretValueCommand({ SecretId: outputs.Secret }));
    expect(JSON.parse(String(secret.SecretString))).toEqual({
      user: 'admin',
      password: expect.stringMatching(/^[A-Za-z0-9]{20}$/),
    });

    const TableName = outputs.Table;
    expect(outputs.TableArn).toMatch(new RegExp(`:table/${TableName}$`));
    expect(outputs.Stream).toMatch(new RegExp(`^${outputs.TableArn}/stream/`));
    await dynamodb.send(new PutItemCommand({ TableName, Item: { id: { S: '1' }, day: { S: 'mon' } } }));
    const described = async () => {
      const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
      const { TimeToLiveDescription } = await dynamodb.send(new DescribeTimeToLiveCommand({ TableName }));
      const { Tags = [] } = await dynamodb.send(new ListTagsOfResourceCommand({ ResourceArn: Table?.TableArn }));
      const indexes = Table?.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName);
      return [indexes, TimeToLiveDescription?.TimeToLiveStatus, Tags.find(({ Key }) => Key === 'value')?.Value];
    };
    expect(await described()).toEqual([['by-day'], 'ENABLED', 'one']);

    const updated = await stacks.update('shop', templateOf({ timeout: '5', pattern: ['other'], value: 'two' }));
    expect(updated.StackStatus, (await stacks.events('shop')).join('\n')).toBe('UPDATE_COMPLETE');
    expect(stacks.outputs(updated)).toEqual(outputs);
    expect((await queueAttributes()).VisibilityTimeout).toBe('5');
    expect(await described()).toEqual([['by-day'], 'DISABLED', 'two']);
    const byDay = {
      TableName,
      IndexName: 'by-day',
      KeyConditionExpression: '#d = :d',
      ExpressionAttributeNames: { '#d': 'day' },
      ExpressionAttributeValues: { ':d': { S: 'mon' } },
    };
    expect((await dynamodb.send(new QueryCommand(byDay))).Count).toBe(1);
    await putEvent('shop', { id: 3 });
    await putEvent('other', { id: 4 });
    expect(await bodies(QueueUrl)).toEqual(['{"id":4}']);
    expect((await ssm.send(new GetParameterCommand({ Name: outputs.Parameter }))).Parameter?.Value).toBe('two');
    const unchanged = await secrets.send(new GetSecretValueCommand({ SecretId: outputs.Secret }));
    expect(unchanged.SecretString).toBe(secret.SecretString);

    const indexed = await stacks.update('shop', templateOf({ timeout: '7', value: 'three', index: 'other' }));
    expect(indexed.StackStatus, (await stacks.events('shop')).join('\n')).toBe('UPDATE_COMPLETE');
    expect(await described()).toEqual([['other'], 'DISABLED', 'three']);
    expect((await dynamodb.send(new QueryCommand({ ...byDay, IndexName: 'other' }))).Count).toBe(1);

    const id = String(created.StackId);
    await stacks.client.send(new DeleteStackCommand({ StackName: 'shop' }));
    expect((await stacks.settled(id)).StackStatus, (await stacks.events(id)).join('\n')).toBe('DELETE_COMPLETE');
    const refused = (promise: Promise<unknown>) =>
      promise.then(
        () => 'still there',
        (error: Error) => error.name,
      );
    expect(await refused(queueAttributes())).toMatch(/QueueDoesNotExist/);
    expect(await refused(described())).toMatch(/ResourceNotFound/);
    expect(await refused(s3.send(new GetBucketVersioningCommand({ Bucket })))).toBe('NoSuchBucket');
    expect(await refused(ssm.send(new GetParameterCommand({ Name: outputs.Parameter })))).toBe('ParameterNotFound');
    expect(await refused(secrets.send(new GetSecretValueCommand({ SecretId: outputs.Secret })))).toMatch(/NotFound/);
    expect(await refused(sns.send(new ListSubscriptionsByTopicCommand({ TopicArn: outputs.Topic })))).toMatch(
      /NotFound/,
    );
    const Rule = String(outputs.Rule).split('|')[1];
    expect(await refused(events.send(new ListTargetsByRuleCommand({ Rule, EventBusName: 'orders' })))).toMatch(
      /NotFound/,
    );
  });

  it('rolls back when one of its resources cannot be made', async () => {
    const template = templateOf();
    const broken = {
      ...template,
      Resources: {
        ...template.Resources,
        Broken: { Type: 'AWS::SQS::Queue', DependsOn: 'Queue', Properties: { VisibilityTimeout: 99_999 } },
      },
      Outputs: {},
    };
    const { StackStatus, StackId } = await stacks.create('broken', broken);
    const history = await stacks.events(String(StackId));
    expect(StackStatus, history.join('\n')).toBe('ROLLBACK_COMPLETE');
    expect(history.find((event) => event.startsWith('Broken CREATE_FAILED'))).toMatch(
      /VisibilityTimeout.*\(Service: Sqs, Status Code: 400, Request ID: /,
    );
  });

  it('refuses properties that the type does not have, and takes any for a type that is only recorded', async () => {
    const Properties = { VisibilityTimeOut: 5, Colour: 'red' };
    const { StackId, StackStatus } = await stacks.create('odd', {
      Resources: { Queue: { Type: 'AWS::SQS::Queue', Properties } },
    });
    expect(StackStatus).toBe('ROLLBACK_COMPLETE');
    expect(await stacks.events(String(StackId))).toContain(
      'Queue CREATE_FAILED Property validation failure: [Encountered unsupported properties in {/}: [VisibilityTimeOut, Colour]]',
    );
    const Resources = {
      Alarm: {
        Type: 'AWS::CloudWatch::Alarm',
        Properties: { ...Properties, ComparisonOperator: 'x', EvaluationPeriods: 1 },
      },
    };
    expect((await stacks.create('recorded', { Resources })).StackStatus).toBe('CREATE_COMPLETE');
  });
});
