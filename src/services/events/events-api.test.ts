/** EventBridge with AWS's SDK. Deliveries are checked at their targets. */
import * as logs from '@aws-sdk/client-cloudwatch-logs';
import * as sdk from '@aws-sdk/client-eventbridge';
import * as sqs from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const ARN = `arn:aws:events:us-east-1:${TEST_ACCOUNT}`;
const FUNCTION = `arn:aws:lambda:us-east-1:${TEST_ACCOUNT}:function:f`;
const QUEUE = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:q`;
const PATTERN = JSON.stringify({ source: ['shop'], detail: { total: [{ numeric: ['>', 10] }] } });

let apis: RunningApis;
let client: sdk.EventBridgeClient;
let queues: sqs.SQSClient;
let QueueUrl: string | undefined;

beforeAll(async () => {
  apis = await startApis();
  const options = { endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, maxAttempts: 1 };
  client = new sdk.EventBridgeClient(options);
  queues = new sqs.SQSClient(options);
  ({ QueueUrl } = await queues.send(new sqs.CreateQueueCommand({ QueueName: 'q' })));
});
afterAll(async () => {
  client.destroy();
  queues.destroy();
  await apis.close();
});
beforeEach(async () => {
  (apis.notified as unknown[]).length = 0;
  const { Rules = [] } = await client.send(new sdk.ListRulesCommand({}));
  for (const { Name } of Rules) await removeRule(String(Name));
});

const removeRule = async (Rule: string) => {
  const { Targets = [] } = await client.send(new sdk.ListTargetsByRuleCommand({ Rule }));
  const Ids = Targets.map(({ Id }) => String(Id));
  if (Ids.length > 0) await client.send(new sdk.RemoveTargetsCommand({ Rule, Ids }));
  await client.send(new sdk.DeleteRuleCommand({ Name: Rule }));
};
const putRule = (Name: string, more: Partial<sdk.PutRuleCommandInput> = { EventPattern: PATTERN }) =>
  client.send(new sdk.PutRuleCommand({ Name, ...more }));
const putTargets = (Rule: string, ...Targets: sdk.Target[]) =>
  client.send(new sdk.PutTargetsCommand({ Rule, Targets }));
const putEvent = (Detail: object, more: Partial<sdk.PutEventsRequestEntry> = {}) =>
  client.send(
    new sdk.PutEventsCommand({
      Entries: [{ Source: 'shop', DetailType: 'order', Detail: JSON.stringify(Detail), ...more }],
    }),
  );
const received = async () => {
  const { Messages = [] } = await queues.send(new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  for (const { ReceiptHandle } of Messages)
    await queues.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  return Messages.map(({ Body }) => JSON.parse(String(Body)));
};
const sent = () => apis.notified.map(({ arn, event }) => ({ arn, event: JSON.parse(event) }));
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.EventBridgeServiceException) => ({ name: error.name, message: error.message }),
  );

describe('events', () => {
  it('go to the targets of the rules that they match', async () => {
    await putRule('large');
    await putTargets('large', { Id: 'f', Arn: FUNCTION }, { Id: 'q', Arn: QUEUE });
    const { Entries, FailedEntryCount } = await putEvent({ total: 20 }, { Resources: ['r'], Time: new Date(0) });
    expect(FailedEntryCount).toBe(0);
    const event = {
      version: '0',
      id: Entries?.[0]?.EventId,
      'detail-type': 'order',
      source: 'shop',
      account: TEST_ACCOUNT,
      time: '1970-01-01T00:00:00Z',
      region: 'us-east-1',
      resources: ['r'],
      detail: { total: 20 },
    };
    expect(sent()).toEqual([{ arn: FUNCTION, event }]);
    expect(await received()).toEqual([event]);
    await putEvent({ total: 5 });
    expect(sent()).toHaveLength(1);
  });

  it('are not sent by a rule that is disabled or removed', async () => {
    await putRule('large');
    await putTargets('large', { Id: 'f', Arn: FUNCTION });
    await client.send(new sdk.DisableRuleCommand({ Name: 'large' }));
    await putEvent({ total: 20 });
    expect(sent()).toEqual([]);
    await client.send(new sdk.EnableRuleCommand({ Name: 'large' }));
    await putEvent({ total: 20 });
    expect(sent()).toHaveLength(1);
    await removeRule('large');
    await putEvent({ total: 20 });
    expect(sent()).toHaveLength(1);
  });

  it('can be transformed for each target', async () => {
    await putRule('large');
    await putTargets(
      'large',
      { Id: 'path', Arn: FUNCTION, InputPath: '$.detail' },
      { Id: 'text', Arn: FUNCTION, Input: '{"fixed":true}' },
      {
        Id: 'template',
        Arn: FUNCTION,
        InputTransformer: {
          InputPathsMap: { t: '$.detail.total' },
          InputTemplate: '{"total": <t>, "rule": "<aws.events.rule-name>"}',
        },
      },
    );
    await putEvent({ total: 30 });
    expect(sent().map(({ event }) => event)).toEqual([{ total: 30 }, { fixed: true }, { total: 30, rule: 'large' }]);
  });

  it('go through other buses, topics’ limits and log groups, and end a circle of buses', async () => {
    await client.send(new sdk.CreateEventBusCommand({ Name: 'other' }));
    const bus = { EventBusName: 'other' };
    const all = JSON.stringify({ source: [{ prefix: '' }] });
    await putRule('onward');
    await putTargets('onward', { Id: 'bus', Arn: `${ARN}:event-bus/other` });
    await putRule('back', { ...bus, EventPattern: all });
    const Targets = [
      { Id: 'q', Arn: QUEUE },
      { Id: 'circle', Arn: `${ARN}:event-bus/default` },
    ];
    await client.send(new sdk.PutTargetsCommand({ Rule: 'back', ...bus, Targets }));
    await putEvent({ total: 99 });
    expect((await received()).map(({ detail }) => detail)).toEqual([{ total: 99 }, { total: 99 }, { total: 99 }]);
    await client.send(new sdk.RemoveTargetsCommand({ Rule: 'back', ...bus, Ids: ['q', 'circle'] }));
    expect(await refusal(client.send(new sdk.DeleteEventBusCommand({ Name: 'other' })))).toMatchObject({
      message: "Event bus can't be deleted since it has rules.",
    });
    await client.send(new sdk.DeleteRuleCommand({ Name: 'back', ...bus }));
    await client.send(new sdk.DeleteEventBusCommand({ Name: 'other' }));
  });

  it('can be written to a log group', async () => {
    const options = { endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS };
    const groups = new logs.CloudWatchLogsClient(options);
    const logGroupName = '/aws/events/all';
    await groups.send(new logs.CreateLogGroupCommand({ logGroupName }));
    await putRule('large');
    await putTargets('large', { Id: 'l', Arn: `arn:aws:logs:us-east-1:${TEST_ACCOUNT}:log-group:${logGroupName}` });
    await putEvent({ total: 20 });
    const { events = [] } = await groups.send(new logs.FilterLogEventsCommand({ logGroupName }));
    expect(events.map(({ message }) => JSON.parse(String(message)).detail)).toEqual([{ total: 20 }]);
    groups.destroy();
  });

  it('go to the dead-letter queue of a target that does not exist', async () => {
    await putRule('large');
    const lost = `arn:aws:sqs:us-east-1:${TEST_ACCOUNT}:none`;
    await putTargets('large', { Id: 'lost', Arn: lost, DeadLetterConfig: { Arn: QUEUE } });
    await putEvent({ total: 20 });
    expect((await received()).map(({ detail }) => detail)).toEqual([{ total: 20 }]);
  });

  it.each<[string, Partial<sdk.PutEventsRequestEntry>, string, string]>([
    [
      'a source',
      { Source: undefined },
      'InvalidArgument',
      'Parameter Source is not valid. Reason: Source is a required argument.',
    ],
    [
      'a type',
      { DetailType: undefined },
      'InvalidArgument',
      'Parameter DetailType is not valid. Reason: DetailType is a required argument.',
    ],
    [
      'a detail',
      { Detail: undefined },
      'InvalidArgument',
      'Parameter Detail is not valid. Reason: Detail is a required argument.',
    ],
    ['an object as detail', { Detail: '[1]' }, 'MalformedDetail', 'Detail is malformed.'],
    ['JSON as detail', { Detail: '{' }, 'MalformedDetail', 'Detail is malformed.'],
  ])('without %s are refused one by one', async (_, entry, ErrorCode, ErrorMessage) => {
    const good = { Source: 'shop', DetailType: 'order', Detail: '{}' };
    const response = await client.send(new sdk.PutEventsCommand({ Entries: [{ ...good, ...entry }, good] }));
    expect(response).toMatchObject({
      FailedEntryCount: 1,
      Entries: [{ ErrorCode, ErrorMessage }, { EventId: expect.any(String) }],
    });
  });

  it('for a bus that does not exist are refused together', async () => {
    expect(await refusal(putEvent({}, { EventBusName: 'none' }))).toEqual({
      name: 'ResourceNotFoundException',
      message: 'Event bus none does not exist.',
    });
  });
});

describe('rules', () => {
  it('can be described, listed by target, tagged, and deleted only without targets', async () => {
    expect(
      await putRule('large', { EventPattern: PATTERN, Description: 'd', Tags: [{ Key: 'a', Value: '1' }] }),
    ).toMatchObject({
      RuleArn: `${ARN}:rule/large`,
    });
    expect(await client.send(new sdk.DescribeRuleCommand({ Name: 'large' }))).toMatchObject({
      Arn: `${ARN}:rule/large`,
      CreatedBy: TEST_ACCOUNT,
      EventBusName: 'default',
      EventPattern: PATTERN,
      State: 'ENABLED',
      Description: 'd',
    });
    await putTargets('large', { Id: 'f', Arn: FUNCTION });
    expect((await client.send(new sdk.ListRuleNamesByTargetCommand({ TargetArn: FUNCTION }))).RuleNames).toEqual([
      'large',
    ]);
    expect(await refusal(client.send(new sdk.DeleteRuleCommand({ Name: 'large' })))).toEqual({
      name: 'ValidationException',
      message: "Rule can't be deleted since it has targets.",
    });
    const ResourceARN = `${ARN}:rule/large`;
    await client.send(new sdk.TagResourceCommand({ ResourceARN, Tags: [{ Key: 'b', Value: '2' }] }));
    await client.send(new sdk.UntagResourceCommand({ ResourceARN, TagKeys: ['a'] }));
    expect((await client.send(new sdk.ListTagsForResourceCommand({ ResourceARN }))).Tags).toEqual([
      { Key: 'b', Value: '2' },
    ]);
    expect(await refusal(client.send(new sdk.DescribeRuleCommand({ Name: 'none' })))).toEqual({
      name: 'ResourceNotFoundException',
      message: 'Rule none does not exist on EventBus default.',
    });
  });

  it('with a schedule send an event at each time', async () => {
    await putRule('hourly', { ScheduleExpression: 'rate(1 hour)' });
    await putTargets('hourly', { Id: 'f', Arn: FUNCTION });
    apis.backgroundClock.advance(2 * 3600 * 1000);
    await expect.poll(() => sent().length).toBe(2);
    expect(sent()[0]?.event).toMatchObject({
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      resources: [`${ARN}:rule/hourly`],
      detail: {},
    });
    await removeRule('hourly');
    apis.backgroundClock.advance(3600 * 1000);
    expect(sent()).toHaveLength(2);
  });

  it.each<[string, Partial<sdk.PutRuleCommandInput>, string, RegExp]>([
    ['neither', {}, 'ValidationException', /^Parameter\(s\) EventPattern or ScheduleExpression must be specified\.$/],
    [
      'a broken schedule',
      { ScheduleExpression: 'cron(71 8 1 * ? *)' },
      'ValidationException',
      /^Parameter ScheduleExpression is not valid\.$/,
    ],
    [
      'a single time',
      { ScheduleExpression: 'at(2030-01-01T00:00:00)' },
      'ValidationException',
      /^Parameter ScheduleExpression is not valid\.$/,
    ],
    [
      'a broken pattern',
      { EventPattern: '{"a": []}' },
      'InvalidEventPatternException',
      /^Event pattern is not valid\. Reason: Empty arrays are not allowed$/,
    ],
  ])('with %s are refused', async (_, input, name, message) => {
    expect(await refusal(putRule('bad', input))).toEqual({ name, message: expect.stringMatching(message) });
  });

  it('refuse a sixth target, two kinds of input and unknown placeholders', async () => {
    await putRule('large');
    const target = (Id: string, more: Partial<sdk.Target> = {}) => ({ Id, Arn: FUNCTION, ...more });
    await putTargets('large', ...['1', '2', '3', '4', '5'].map((id) => target(id)));
    expect((await refusal(putTargets('large', target('6')))).name).toBe('LimitExceededException');
    expect(await refusal(putTargets('large', target('1', { Input: '{}', InputPath: '$' })))).toMatchObject({
      message: 'Only one of Input, InputPath, or InputTransformer must be provided for target 1.',
    });
    expect(
      await refusal(putTargets('large', target('1', { InputTransformer: { InputTemplate: '"<x>"' } }))),
    ).toMatchObject({
      message: 'InputTemplate for target 1 contains invalid placeholder x.',
    });
  });
});

describe('event buses', () => {
  it('can be created once, described, given permissions and deleted', async () => {
    await client.send(new sdk.CreateEventBusCommand({ Name: 'mine', Description: 'a bus' }));
    expect(await refusal(client.send(new sdk.CreateEventBusCommand({ Name: 'mine' })))).toEqual({
      name: 'ResourceAlreadyExistsException',
      message: 'Event bus mine already exists.',
    });
    const { EventBuses = [] } = await client.send(new sdk.ListEventBusesCommand({}));
    expect(EventBuses.map(({ Name }) => Name)).toEqual(['default', 'mine']);
    const permission = { EventBusName: 'mine', StatementId: 's', Action: 'events:PutEvents', Principal: '*' };
    await client.send(new sdk.PutPermissionCommand(permission));
    const { Policy, Arn } = await client.send(new sdk.DescribeEventBusCommand({ Name: 'mine' }));
    expect(Arn).toBe(`${ARN}:event-bus/mine`);
    expect(JSON.parse(String(Policy)).Statement).toMatchObject([{ Sid: 's', Principal: '*', Resource: Arn }]);
    await client.send(new sdk.RemovePermissionCommand({ EventBusName: 'mine', StatementId: 's' }));
    await client.send(new sdk.DeleteEventBusCommand({ Name: 'mine' }));
    await client.send(new sdk.DeleteEventBusCommand({ Name: 'mine' }));
    expect(await refusal(client.send(new sdk.DescribeEventBusCommand({ Name: 'mine' })))).toMatchObject({
      message: 'Event bus mine does not exist.',
    });
    expect(await refusal(client.send(new sdk.DeleteEventBusCommand({ Name: 'default' })))).toMatchObject({
      message: 'Cannot delete event bus default.',
    });
  });

  it('say whether a pattern matches', async () => {
    const event = { id: '1', 'detail-type': 't', source: 's', account: '1', time: 't', region: 'r', resources: [] };
    const test = async (EventPattern: string, Event: string) =>
      (await client.send(new sdk.TestEventPatternCommand({ EventPattern, Event }))).Result;
    expect(await test('{"source":["s"]}', JSON.stringify(event))).toBe(true);
    expect(await test('{"source":["x"]}', JSON.stringify(event))).toBe(false);
    expect((await refusal(test('{"source":["x"]}', '{}'))).message).toBe('Parameter Event is not valid.');
  });
});
