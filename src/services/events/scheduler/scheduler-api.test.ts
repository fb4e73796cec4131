/** EventBridge Scheduler with AWS's SDK. Deliveries are checked at their targets, on an adjustable clock. */
import * as sdk from '@aws-sdk/client-scheduler';
import * as sqs from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../../test/support/running-apis.ts';

const ARN = `arn:aws:scheduler:us-east-1:${TEST_ACCOUNT}`;
const FUNCTION = `arn:aws:lambda:us-east-1:${TEST_ACCOUNT}:function:f`;
const QUEUE = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:q`;
const DEAD = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:dead`;
const RoleArn = `arn:aws:iam::${TEST_ACCOUNT}:role/scheduler`;
const MINUTE_MS = 60_000;

let apis: RunningApis;
let client: sdk.SchedulerClient;
let queues: sqs.SQSClient;
const urls: Record<string, string | undefined> = {};

beforeAll(async () => {
  apis = await startApis();
  const options = { endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, maxAttempts: 1 };
  client = new sdk.SchedulerClient(options);
  queues = new sqs.SQSClient(options);
  for (const QueueName of ['q', 'dead']) {
    urls[QueueName] = (await queues.send(new sqs.CreateQueueCommand({ QueueName }))).QueueUrl;
  }
});
afterAll(async () => {
  client.destroy();
  queues.destroy();
  await apis.close();
});
beforeEach(async () => {
  (apis.notified as unknown[]).length = 0;
  const { Schedules = [] } = await client.send(new sdk.ListSchedulesCommand({}));
  for (const { Name, GroupName } of Schedules) await remove(String(Name), GroupName);
});

const create = (Name: string, ScheduleExpression: string, more: Partial<sdk.CreateScheduleCommandInput> = {}) =>
  client.send(
    new sdk.CreateScheduleCommand({
      Name,
      ScheduleExpression,
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: FUNCTION, RoleArn },
      ...more,
    }),
  );
const remove = (Name: string, GroupName?: string) =>
  client.send(new sdk.DeleteScheduleCommand({ Name, ...(GroupName !== undefined && { GroupName }) }));
/** Deliveries are asynchronous; a request to the same process comes after them. */
const advance = async (ms: number) => {
  apis.backgroundClock.advance(ms);
  await client.send(new sdk.ListSchedulesCommand({}));
};
const nowSeconds = () => Math.floor(apis.backgroundClock.epochMs() / 1000);
const inMinutes = (minutes: number) => new Date((nowSeconds() + minutes * 60) * 1000);
const at = (date: Date) => `at(${date.toISOString().slice(0, 19)})`;
const sent = () => apis.notified.map(({ event }) => JSON.parse(event));
const received = async (queue: string) => {
  const QueueUrl = urls[queue];
  const { Messages = [] } = await queues.send(
    new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
  );
  for (const { ReceiptHandle } of Messages)
    await queues.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  return Messages;
};
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.SchedulerServiceException) =>
      `${error.$metadata.httpStatusCode} ${error.name}: ${'Message' in error ? error.Message : error.message}`,
  );

describe('a schedule', () => {
  it('is returned as it was created, with the defaults, and is gone after its deletion', async () => {
    const StartDate = inMinutes(10);
    const { ScheduleArn } = await create('nightly', 'cron(0 3 * * ? *)', {
      ScheduleExpressionTimezone: 'Europe/Zurich',
      Description: 'd',
      StartDate,
      Target: { Arn: QUEUE, RoleArn, Input: 'x', DeadLetterConfig: { Arn: DEAD } },
    });
    expect(ScheduleArn).toBe(`${ARN}:schedule/default/nightly`);
    const { $metadata: _, ...found } = await client.send(new sdk.GetScheduleCommand({ Name: 'nightly' }));
    expect(found).toEqual({
      Arn: ScheduleArn,
      Name: 'nightly',
      GroupName: 'default',
      ScheduleExpression: 'cron(0 3 * * ? *)',
      ScheduleExpressionTimezone: 'Europe/Zurich',
      StartDate,
      Description: 'd',
      State: 'ENABLED',
      ActionAfterCompletion: 'NONE',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: QUEUE,
        RoleArn,
        Input: 'x',
        DeadLetterConfig: { Arn: DEAD },
        RetryPolicy: { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 },
      },
      CreationDate: expect.any(Date),
      LastModificationDate: expect.any(Date),
    });
    const { Schedules } = await client.send(new sdk.ListSchedulesCommand({ NamePrefix: 'night', State: 'ENABLED' }));
    expect(Schedules).toMatchObject([{ Name: 'nightly', Target: { Arn: QUEUE }, GroupName: 'default' }]);
    expect(await refusal(create('nightly', 'rate(1 hour)'))).toBe(
      '409 ConflictException: Schedule nightly already exists.',
    );
    await remove('nightly');
    expect(await refusal(client.send(new sdk.GetScheduleCommand({ Name: 'nightly' })))).toBe(
      '404 ResourceNotFoundException: Schedule nightly does not exist.',
    );
  });

  it('sends the default event, at once and then at its rate, until its end date', async () => {
    await create('often', 'rate(5 minutes)', { EndDate: inMinutes(11) });
    await advance(60 * MINUTE_MS);
    expect(sent()).toHaveLength(3);
    expect(sent()[0]).toEqual({
      version: '0',
      id: expect.any(String),
      'detail-type': 'Scheduled Event',
      source: 'aws.scheduler',
      account: TEST_ACCOUNT,
      time: expect.any(String),
      region: 'us-east-1',
      resources: [`${ARN}:schedule/default/often`],
      detail: '{}',
    });
    const times = sent().map(({ time }) => Date.parse(time));
    expect(times.map((time) => time - (times[0] ?? 0))).toEqual([0, 5 * MINUTE_MS, 10 * MINUTE_MS]);
  });

  it('waits for its start date, and sends its own input with context attributes', async () => {
    const StartDate = inMinutes(30);
    const Input = '{"at":"<aws.scheduler.scheduled-time>","n":<aws.scheduler.attempt-number>,"other":"<x>"}';
    await create('later', 'rate(1 hour)', { StartDate, Target: { Arn: FUNCTION, RoleArn, Input } });
    await advance(29 * MINUTE_MS);
    expect(sent()).toEqual([]);
    await advance(2 * MINUTE_MS);
    expect(sent()).toEqual([{ at: StartDate.toISOString().replace('.000', ''), n: 1, other: '<x>' }]);
  });

  it('is deleted after its single time if it says so, and stays otherwise', async () => {
    const expression = at(inMinutes(1));
    await create('once', expression, { ActionAfterCompletion: 'DELETE' });
    await create('kept', expression);
    await advance(2 * MINUTE_MS);
    expect(sent()).toHaveLength(2);
    const { Schedules = [] } = await client.send(new sdk.ListSchedulesCommand({}));
    expect(Schedules.map(({ Name }) => Name)).toEqual(['kept']);
  });

  it('does nothing while it is disabled; an update enables it', async () => {
    await create('off', 'rate(1 minute)', { State: 'DISABLED' });
    await advance(5 * MINUTE_MS);
    expect(sent()).toEqual([]);
    await client.send(
      new sdk.UpdateScheduleCommand({
        Name: 'off',
        ScheduleExpression: 'rate(1 minute)',
        FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 5 },
        Target: { Arn: FUNCTION, RoleArn },
      }),
    );
    await advance(MINUTE_MS);
    expect(sent()).toHaveLength(1);
  });

  it('calls queues, buses and any operation of a service that Lamella has', async () => {
    const once = { State: 'ENABLED' as const };
    const expression = at(inMinutes(1));
    await create('queue', expression, { ...once, Target: { Arn: QUEUE, RoleArn, Input: 'to a queue' } });
    await create('universal', expression, {
      ...once,
      Target: {
        Arn: 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage',
        RoleArn,
        Input: JSON.stringify({ QueueUrl: urls.q, MessageBody: 'by an operation' }),
      },
    });
    await create('bus', expression, {
      ...once,
      Target: {
        Arn: `arn:aws:events:us-east-1:${TEST_ACCOUNT}:event-bus/default`,
        RoleArn,
        EventBridgeParameters: { Source: 'shop', DetailType: 'tick' },
        // The detail of an event is an object: this is refused, and goes to the dead-letter queue.
        Input: 'no object',
        DeadLetterConfig: { Arn: DEAD },
      },
    });
    await advance(2 * MINUTE_MS);
    expect((await received('q')).map(({ Body }) => Body).sort()).toEqual(['by an operation', 'to a queue']);
    const [dead] = await received('dead');
    expect(dead?.Body).toBe('no object');
    expect(dead?.MessageAttributes?.ERROR_MESSAGE?.StringValue).toMatch(/MalformedDetail/);
  });

  it('sends what cannot be delivered to its dead-letter queue', async () => {
    const missing = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:missing`;
    await create('broken', at(inMinutes(1)), {
      Target: { Arn: missing, RoleArn, Input: 'lost', DeadLetterConfig: { Arn: DEAD } },
    });
    await advance(2 * MINUTE_MS);
    const [{ Body, MessageAttributes = {} } = {}] = await received('dead');
    expect(Body).toBe('lost');
    const texts = Object.fromEntries(
      Object.entries(MessageAttributes).map(([name, value]) => [name, value.StringValue]),
    );
    expect(texts).toMatchObject({
      SCHEDULE_ARN: `${ARN}:schedule/default/broken`,
      TARGET_ARN: missing,
      RETRY_ATTEMPTS: '0',
      ERROR_MESSAGE: expect.stringMatching(/does not exist/),
    });
  });
});

describe('a schedule group', () => {
  it('has schedules and tags, and takes its schedules with it', async () => {
    const Tags = [{ Key: 'team', Value: 'a' }];
    const { ScheduleGroupArn } = await client.send(new sdk.CreateScheduleGroupCommand({ Name: 'shop', Tags }));
    expect(ScheduleGroupArn).toBe(`${ARN}:schedule-group/shop`);
    const ResourceArn = ScheduleGroupArn;
    await client.send(new sdk.TagResourceCommand({ ResourceArn, Tags: [{ Key: 'stage', Value: 'b' }] }));
    await client.send(new sdk.UntagResourceCommand({ ResourceArn, TagKeys: ['team'] }));
    expect((await client.send(new sdk.ListTagsForResourceCommand({ ResourceArn }))).Tags).toEqual([
      { Key: 'stage', Value: 'b' },
    ]);
    await create('tick', 'rate(1 minute)', { GroupName: 'shop', StartDate: inMinutes(1) });
    const listed = await client.send(new sdk.ListSchedulesCommand({ GroupName: 'shop' }));
    expect(listed.Schedules?.map(({ Arn }) => Arn)).toEqual([`${ARN}:schedule/shop/tick`]);
    const { ScheduleGroups = [], NextToken } = await client.send(new sdk.ListScheduleGroupsCommand({ MaxResults: 1 }));
    expect(ScheduleGroups.map(({ Name }) => Name)).toEqual(['default']);
    const rest = await client.send(new sdk.ListScheduleGroupsCommand({ NextToken }));
    expect(rest.ScheduleGroups).toMatchObject([{ Name: 'shop', State: 'ACTIVE', Arn: ScheduleGroupArn }]);
    await client.send(new sdk.DeleteScheduleGroupCommand({ Name: 'shop' }));
    await advance(5 * MINUTE_MS);
    expect(sent()).toEqual([]);
    expect(await refusal(create('tick', 'rate(1 minute)', { GroupName: 'shop' }))).toBe(
      '404 ResourceNotFoundException: Schedule group shop does not exist.',
    );
  });
});

describe('EventBridge Scheduler refuses', () => {
  // The expressions and their message were recorded on AWS (LocalStack's tests of the service).
  it.each(['cron(0 1 * * * *)', 'cron(71 8 1 * ? *)', 'rate(10 seconds)', 'rate( 10 minutes )', ' rate(10 minutes)'])(
    'the expression %j',
    async (expression) => {
      expect(await refusal(create('bad', expression))).toBe(
        `400 ValidationException: Invalid Schedule Expression ${expression}.`,
      );
    },
  );

  it('names, dates, windows and targets that are not valid', async () => {
    expect(await refusal(create('a b', 'rate(1 minute)'))).toBe(
      "400 ValidationException: 1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: " +
        'Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$',
    );
    expect(await refusal(create('bad', 'rate(1 minute)', { StartDate: inMinutes(-10) }))).toBe(
      '400 ValidationException: The StartDate you specify cannot be earlier than 5 minutes ago.',
    );
    expect(await refusal(create('bad', 'rate(1 minute)', { ScheduleExpressionTimezone: 'Mars/Olympus' }))).toMatch(
      /^400 ValidationException: .*Mars\/Olympus/,
    );
    expect(await refusal(create('bad', 'rate(1 minute)', { FlexibleTimeWindow: { Mode: 'FLEXIBLE' } }))).toMatch(
      /^400 ValidationException: .*MaximumWindowInMinutes/,
    );
    const targeting = (Arn: string) => refusal(create('bad', 'rate(1 minute)', { Target: { Arn, RoleArn } }));
    expect(await targeting('arn:aws:s3:::bucket')).toMatch(/^400 ValidationException: .*Provided Arn/);
    expect(await targeting('arn:aws:scheduler:::aws-sdk:ec2:startInstances')).toMatch(
      /^400 ValidationException: Lamella does not support ec2:startInstances as a target/,
    );
    expect(await targeting('arn:aws:scheduler:::aws-sdk:sqs:receiveMessage')).toMatch(/only reads/);
  });
});
