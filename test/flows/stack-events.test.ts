/** The event sources of SAM functions, end to end: a stack creates them, and the functions run. */
import { gunzipSync } from 'node:zlib';
import { DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  CreateScheduleCommand,
  GetScheduleCommand,
  ListScheduleGroupsCommand,
  SchedulerClient,
} from '@aws-sdk/client-scheduler';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LISTENING_RUNTIME, type Listener, listenForEvents } from '../support/event-listener.ts';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { requestHost } from '../support/host-request.ts';
import { ROLE, type RunningService, startService } from '../support/running-service.ts';
import { StackClient } from '../support/stack-client.ts';

const HOUR_MS = 3_600_000;

let service: RunningService;
let listener: Listener;
let stacks: StackClient;
let s3: S3Client;
let scheduler: SchedulerClient;
let dynamodb: DynamoDBClient;

beforeAll(async () => {
  service = await startService();
  listener = await listenForEvents();
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const options = { endpoint: service.url, region: 'us-east-1', credentials, maxAttempts: 1 };
  stacks = new StackClient(service.url);
  s3 = new S3Client({ ...options, forcePathStyle: true });
  scheduler = new SchedulerClient(options);
  dynamodb = new DynamoDBClient(options);
  await s3.send(new CreateBucketCommand({ Bucket: 'code' }));
  const Body = await zipOf({ bootstrap: LISTENING_RUNTIME });
  await s3.send(new PutObjectCommand({ Bucket: 'code', Key: 'code.zip', Body }));
});
afterAll(async () => {
  for (const client of [s3, scheduler, dynamodb, stacks.client]) client.destroy();
  await service.close();
  await listener.close();
});

/** A SAM template with one function that posts its events to the listener as `name`. */
const templateOf = (name: string, Events: object, Resources: object = {}) => ({
  Transform: 'AWS::Serverless-2016-10-31',
  Resources: {
    F: {
      Type: 'AWS::Serverless::Function',
      Properties: {
        Runtime: 'provided.al2023',
        Handler: 'handler',
        CodeUri: 's3://code/code.zip',
        Environment: { Variables: { LISTENER: `${listener.url}/${name}` } },
        Events,
      },
    },
    ...Resources,
  },
});
const created = async (name: string, template: object) => {
  const stack = await stacks.create(name, template);
  expect(stack.StackStatus, (await stacks.events(name)).join('\n')).toBe('CREATE_COMPLETE');
  return stack;
};
const removed = async (id: string | undefined) => {
  await stacks.client.send(new DeleteStackCommand({ StackName: id }));
  expect((await stacks.settled(String(id))).StackStatus).toBe('DELETE_COMPLETE');
};

it('a schedule of EventBridge Scheduler runs its function, and can be fired before its time', async () => {
  const events = (minutes: number) => ({
    Tick: {
      Type: 'ScheduleV2',
      Properties: {
        ScheduleExpression: `rate(${minutes} minutes)`,
        ScheduleExpressionTimezone: 'Europe/Zurich',
        FlexibleTimeWindow: { Mode: 'OFF' },
        GroupName: { Ref: 'Group' },
        Input: '{"at": "<aws.scheduler.scheduled-time>"}',
        RetryPolicy: { MaximumRetryAttempts: 2 },
      },
    },
  });
  const Group = {
    Type: 'AWS::Scheduler::ScheduleGroup',
    Properties: { Name: 'ticks', Tags: [{ Key: 'a', Value: 'b' }] },
  };
  const { StackId } = await created('ticks', templateOf('ticks', events(60), { Group }));
  // The first time of a rate is that of its creation.
  const first = (await listener.next('ticks')).event as { at: string };
  service.lamella.clock.advance(HOUR_MS);
  const second = (await listener.next('ticks')).event as { at: string };
  expect(Date.parse(second.at) - Date.parse(first.at)).toBe(HOUR_MS);

  expect(service.lamella.schedules.list()).toMatchObject([
    { name: 'schedule/ticks/FTick', kind: 'schedule', function: expect.stringMatching(/:function:ticks-F-/) },
  ]);
  await service.lamella.schedules.fire('schedule/ticks/FTick');
  await listener.next('ticks');

  const broken = { Arn: 'arn:aws:sqs:us-east-1:123456789012:missing', RoleArn: ROLE };
  const once = { ScheduleExpression: 'at(2999-01-01T00:00:00)', FlexibleTimeWindow: { Mode: 'OFF' } } as const;
  await scheduler.send(new CreateScheduleCommand({ Name: 'broken', GroupName: 'ticks', Target: broken, ...once }));
  await expect(service.lamella.schedules.fire('schedule/ticks/broken')).rejects.toThrow('does not exist');

  const updated = await stacks.update('ticks', templateOf('ticks', events(30), { Group }));
  expect(updated.StackStatus).toBe('UPDATE_COMPLETE');
  const named = new GetScheduleCommand({ GroupName: 'ticks', Name: 'FTick' });
  expect((await scheduler.send(named)).ScheduleExpression).toBe('rate(30 minutes)');

  await removed(StackId);
  expect(service.lamella.schedules.list()).toEqual([]);
  const { ScheduleGroups = [] } = await scheduler.send(new ListScheduleGroupsCommand({}));
  expect(ScheduleGroups.map(({ Name }) => Name)).toEqual(['default']);
});

it('a bucket of a stack invokes the function of its S3 event, and no longer after an update', async () => {
  const bucket = (more: object = {}) => ({ Uploads: { Type: 'AWS::S3::Bucket', Properties: more } });
  const events = {
    Upload: {
      Type: 'S3',
      Properties: {
        Bucket: { Ref: 'Uploads' },
        Events: 's3:ObjectCreated:*',
        Filter: { S3Key: { Rules: [{ Name: 'suffix', Value: '.jpg' }] } },
      },
    },
  };
  const Outputs = { Bucket: { Value: { Ref: 'Uploads' } } };
  const stack = await created('uploads', { ...templateOf('uploads', events, bucket()), Outputs });
  const Bucket = stacks.outputs(stack).Bucket;
  const put = (Key: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
  await put('no.png');
  await put('my photo.jpg');
  const { Records } = (await listener.next('uploads')).event as { Records: { s3: { object: { key: string } } }[] };
  expect(Records.map(({ s3: { object } }) => object.key)).toEqual(['my+photo.jpg']);

  const updated = await stacks.update('uploads', { ...templateOf('uploads', {}, bucket()), Outputs });
  expect(updated.StackStatus, (await stacks.events('uploads')).join('\n')).toBe('UPDATE_COMPLETE');
  const found = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  expect(found.LambdaFunctionConfigurations).toBeUndefined();
  for (const Key of ['no.png', 'my photo.jpg']) await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  await removed(stack.StackId);
});

it('a bucket whose function gives it no permission fails as on AWS', async () => {
  const { Resources } = templateOf('refused', {});
  const LambdaConfigurations = [{ Event: 's3:ObjectCreated:*', Function: { 'Fn::GetAtt': ['F', 'Arn'] } }];
  const Uploads = { Type: 'AWS::S3::Bucket', Properties: { NotificationConfiguration: { LambdaConfigurations } } };
  const Transform = 'AWS::Serverless-2016-10-31';
  const { StackStatus, StackId } = await stacks.create('refused', { Transform, Resources: { ...Resources, Uploads } });
  expect(StackStatus).toBe('ROLLBACK_COMPLETE');
  const failed = (await stacks.events(String(StackId))).find((event) => event.startsWith('Uploads CREATE_FAILED'));
  expect(failed).toMatch(/Unable to validate the following destination configurations \(Service: S3, Status Code: 400/);
});

it('a subscription of a stack sends the log lines of one function to another', async () => {
  const Group = { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: '/app/lines' } };
  const Items = {
    Type: 'AWS::Serverless::SimpleTable',
    Properties: { TableName: 'lines', PrimaryKey: { Name: 'id', Type: 'Number' } },
  };
  const events = {
    Lines: { Type: 'CloudWatchLogs', Properties: { LogGroupName: { Ref: 'Group' }, FilterPattern: 'wanted' } },
  };
  const { StackId } = await created('lines', templateOf('lines', events, { Group, Items }));
  const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: 'lines' }));
  expect(Table).toMatchObject({
    TableStatus: 'ACTIVE',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'N' }],
  });
  await service.createFunction(
    'writer',
    { bootstrap: shellRuntime('echo "a wanted line"; echo "another line"; respond null') },
    { LoggingConfig: { LogGroup: '/app/lines' } },
  );
  await service.invoke('writer');
  const { awslogs } = (await listener.next('lines')).event as { awslogs: { data: string } };
  const data = JSON.parse(gunzipSync(Buffer.from(awslogs.data, 'base64')).toString());
  expect(data).toMatchObject({ messageType: 'DATA_MESSAGE', logGroup: '/app/lines', owner: '123456789012' });
  expect(data.logEvents.map(({ message }: { message: string }) => message.trim())).toEqual(['a wanted line']);
  await removed(StackId);
});

it('REST APIs of a stack can have their OpenAPI document in a bucket', async () => {
  const operation = (text: string) => ({
    'x-amazon-apigateway-integration': {
      type: 'mock',
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      responses: { default: { statusCode: '200', responseTemplates: { 'application/json': text } } },
    },
  });
  const document = { openapi: '3.0.1', info: { title: 'mock' }, paths: { '/hello': { get: operation('"hi"') } } };
  await s3.send(new PutObjectCommand({ Bucket: 'code', Key: 'api.json', Body: JSON.stringify(document) }));
  const include = { 'Fn::Transform': { Name: 'AWS::Include', Parameters: { Location: 's3://code/api.json' } } };
  const api = (name: string, Properties: object) => ({
    [name]: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: name, ...Properties } },
    [`${name}Deployment`]: {
      Type: 'AWS::ApiGateway::Deployment',
      Properties: { RestApiId: { Ref: name }, StageName: 'prod' },
    },
  });
  const stack = await created('documents', {
    Resources: {
      ...api('Located', { BodyS3Location: { Bucket: 'code', Key: 'api.json' } }),
      ...api('Included', { Body: include }),
    },
    Outputs: { Located: { Value: { Ref: 'Located' } }, Included: { Value: { Ref: 'Included' } } },
  });
  for (const id of Object.values(stacks.outputs(stack))) {
    const host = `${id}.execute-api.us-east-1.amazonaws.com`;
    expect((await requestHost(service.lamella.http.url, host, '/prod/hello')).text).toBe('"hi"');
  }
  await removed(stack.StackId);
});
