import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../tree.ts';
import { transformSam } from '../transform.ts';

const CODE = { Runtime: 'provided.al2023', Handler: 'index.php', CodeUri: 's3://artifacts/shop.zip' };

function made(
  event: JsonObject,
  more: { properties?: JsonObject; resources?: JsonObject } = {},
): Record<string, JsonObject> {
  const Shop = { Type: 'AWS::Serverless::Function', Properties: { ...CODE, Events: { E: event }, ...more.properties } };
  const output = transformSam({ Resources: { Shop, ...more.resources } }, { region: 'eu-west-1', parameters: {} });
  return output.Resources as Record<string, JsonObject>;
}

const propertiesOf = (resources: Record<string, JsonObject>, id: string): JsonObject =>
  resources[id]?.Properties as JsonObject;

const QUEUE = 'arn:aws:sqs:eu-west-1:123456789012:jobs';

describe('events that Lambda polls', () => {
  it('make a mapping, and let the role read the source', () => {
    const resources = made({ Type: 'SQS', Properties: { Queue: QUEUE, BatchSize: 5 } });
    expect(resources.ShopE).toEqual({
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: { FunctionName: { Ref: 'Shop' }, EventSourceArn: QUEUE, BatchSize: 5 },
    });
    expect(propertiesOf(resources, 'ShopRole').ManagedPolicyArns).toContain(
      'arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole',
    );
  });

  it('poll for the alias if there is one', () => {
    const resources = made({ Type: 'SQS', Properties: { Queue: QUEUE } }, { properties: { AutoPublishAlias: 'live' } });
    expect(propertiesOf(resources, 'ShopE').FunctionName).toEqual({ Ref: 'ShopAliaslive' });
  });

  it('take the type off a destination and let the role send to it', () => {
    const DestinationConfig = { OnFailure: { Type: 'SQS', Destination: QUEUE } };
    const resources = made({
      Type: 'Kinesis',
      Properties: { Stream: 's', StartingPosition: 'LATEST', DestinationConfig },
    });
    expect(propertiesOf(resources, 'ShopE').DestinationConfig).toEqual({ OnFailure: { Destination: QUEUE } });
    expect(propertiesOf(resources, 'ShopRole').Policies).toEqual([
      {
        PolicyName: 'ShopESQSPolicy',
        PolicyDocument: { Statement: [{ Action: 'sqs:SendMessage', Effect: 'Allow', Resource: QUEUE }] },
      },
    ]);
  });

  it.each<[JsonObject, string]>([
    [{ Type: 'SQS', Properties: {} }, "Resource with id [ShopE] is invalid. Missing required property 'Queue'."],
    [
      { Type: 'Kinesis', Properties: { Stream: 's' } },
      "Resource with id [ShopE] is invalid. Missing required property 'StartingPosition'.",
    ],
    [
      { Type: 'SQS', Properties: { Queue: QUEUE, FilterCriteria: { Filter: [] } } },
      'Event with id [E] is invalid. FilterCriteria field has a wrong format',
    ],
    [
      { Type: 'MQ', Properties: { Broker: 'b', Queues: ['q'] } },
      'Event with id [E] is invalid. No SourceAccessConfigurations for Amazon MQ event provided.',
    ],
    [
      { Type: 'SelfManagedKafka', Properties: { Topics: ['t'] } },
      'Event with id [E] is invalid. No KafkaBootstrapServers provided for self managed kafka as an event source',
    ],
    [
      { Type: 'Pigeon', Properties: {} },
      'Event with id [E] is invalid. Resource dict has missing or invalid value for key Type. Event Type is: Pigeon.',
    ],
  ])('are refused as %j', (event, message) => {
    expect(() => made(event)).toThrow(message);
  });
});

describe('S3 events', () => {
  const event = (Events: Json): JsonObject => ({ Type: 'S3', Properties: { Bucket: { Ref: 'Photos' }, Events } });
  const Photos = { Type: 'AWS::S3::Bucket' };

  it('go into the bucket, which waits for the permission', () => {
    const resources = made(event(['s3:ObjectCreated:*', 's3:ObjectRemoved:*']), { resources: { Photos } });
    expect(resources.Photos).toEqual({
      Type: 'AWS::S3::Bucket',
      DependsOn: ['ShopEPermission'],
      Properties: {
        NotificationConfiguration: {
          LambdaConfigurations: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'].map((Event) => ({
            Event,
            Function: { 'Fn::GetAtt': ['Shop', 'Arn'] },
          })),
        },
      },
    });
    expect(propertiesOf(resources, 'ShopEPermission')).toEqual({
      Action: 'lambda:InvokeFunction',
      FunctionName: { Ref: 'Shop' },
      Principal: 's3.amazonaws.com',
      SourceAccount: { Ref: 'AWS::AccountId' },
    });
  });

  it('refuse a property that the bucket does not have', () => {
    const bucket = { ...Photos, Properties: { Colour: 'blue' } };
    expect(() => made(event('s3:ObjectCreated:*'), { resources: { Photos: bucket } })).toThrow(
      'Resource with id [Photos] is invalid. property Colour not defined for resource of type AWS::S3::Bucket',
    );
  });
});

describe('SNS events', () => {
  it('subscribe the function', () => {
    const resources = made({ Type: 'SNS', Properties: { Topic: { Ref: 'News' }, FilterPolicy: { kind: ['a'] } } });
    expect(propertiesOf(resources, 'ShopE')).toEqual({
      Protocol: 'lambda',
      Endpoint: { 'Fn::GetAtt': ['Shop', 'Arn'] },
      TopicArn: { Ref: 'News' },
      FilterPolicy: { kind: ['a'] },
    });
    expect(propertiesOf(resources, 'ShopEPermission').SourceArn).toEqual({ Ref: 'News' });
  });

  it('subscribe a queue that is made, a FIFO queue for a FIFO topic', () => {
    const News = { Type: 'AWS::SNS::Topic', Properties: { FifoTopic: true } };
    const event = { Type: 'SNS', Properties: { Topic: { Ref: 'News' }, SqsSubscription: true } };
    const resources = made(event, { resources: { News } });
    expect(propertiesOf(resources, 'ShopE')).toMatchObject({
      Protocol: 'sqs',
      Endpoint: { 'Fn::GetAtt': ['ShopEQueue', 'Arn'] },
    });
    expect(propertiesOf(resources, 'ShopEQueue')).toEqual({ FifoQueue: true });
    expect(propertiesOf(resources, 'ShopEEventSourceMapping')).toMatchObject({ BatchSize: 10, Enabled: true });
    expect(resources).toHaveProperty('ShopEQueuePolicy');
  });
});

describe('schedules and rules', () => {
  it('make a rule with the function as its target', () => {
    const resources = made({
      Type: 'Schedule',
      Properties: { Schedule: 'rate(1 minute)', Enabled: false, Input: '{}' },
    });
    expect(propertiesOf(resources, 'ShopE')).toEqual({
      ScheduleExpression: 'rate(1 minute)',
      State: 'DISABLED',
      Targets: [{ Arn: { 'Fn::GetAtt': ['Shop', 'Arn'] }, Id: 'ShopELambdaTarget', Input: '{}' }],
    });
    expect(propertiesOf(resources, 'ShopEPermission')).toMatchObject({
      Principal: 'events.amazonaws.com',
      SourceArn: { 'Fn::GetAtt': ['ShopE', 'Arn'] },
    });
  });

  it('make a queue for events that cannot be delivered', () => {
    const Properties = { Pattern: { source: ['shop'] }, DeadLetterConfig: { Type: 'SQS', QueueLogicalId: 'Lost' } };
    const resources = made({ Type: 'EventBridgeRule', Properties });
    expect(resources.Lost?.Type).toBe('AWS::SQS::Queue');
    expect(propertiesOf(resources, 'ShopEQueuePolicy').Queues).toEqual([{ Ref: 'Lost' }]);
    expect(propertiesOf(resources, 'ShopE').Targets).toMatchObject([
      { DeadLetterConfig: { Arn: { 'Fn::GetAtt': ['Lost', 'Arn'] } } },
    ]);
  });

  it('cut the id of a target at 64 characters', () => {
    const Shop = {
      Type: 'AWS::Serverless::Function',
      Properties: {
        ...CODE,
        Events: { ['E'.repeat(70)]: { Type: 'Schedule', Properties: { Schedule: 'rate(1 day)' } } },
      },
    };
    const output = transformSam({ Resources: { Shop } }, { region: 'eu-west-1', parameters: {} });
    const rule = (output.Resources as Record<string, JsonObject>)[`Shop${'E'.repeat(70)}`];
    const Id = `Shop${'E'.repeat(64 - 4 - 12)}LambdaTarget`;
    expect(rule?.Properties).toMatchObject({ Targets: [{ Id }] });
  });

  it('refuse State together with Enabled', () => {
    const event = { Type: 'Schedule', Properties: { Schedule: 'rate(1 minute)', Enabled: true, State: 'ENABLED' } };
    expect(() => made(event)).toThrow('State and Enabled Properties cannot both be specified.');
  });

  it('of EventBridge Scheduler have a role', () => {
    const resources = made({ Type: 'ScheduleV2', Properties: { ScheduleExpression: 'rate(1 minute)' } });
    expect(propertiesOf(resources, 'ShopE')).toEqual({
      Name: 'ShopE',
      ScheduleExpression: 'rate(1 minute)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: { 'Fn::GetAtt': ['Shop', 'Arn'] }, RoleArn: { 'Fn::GetAtt': ['ShopERole', 'Arn'] } },
    });
    expect(propertiesOf(resources, 'ShopERole').Policies).toMatchObject([{ PolicyName: 'ShopELambdaPolicy' }]);
  });
});

describe('other events', () => {
  it('of Cognito go into the user pool, each trigger once', () => {
    const Users = { Type: 'AWS::Cognito::UserPool', Properties: { LambdaConfig: { PreSignUp: 'other' } } };
    const event = (Trigger: Json): JsonObject => ({
      Type: 'Cognito',
      Properties: { UserPool: { Ref: 'Users' }, Trigger },
    });
    const resources = made(event('PostConfirmation'), { resources: { Users } });
    expect(propertiesOf(resources, 'Users').LambdaConfig).toEqual({
      PreSignUp: 'other',
      PostConfirmation: { 'Fn::GetAtt': ['Shop', 'Arn'] },
    });
    expect(resources).toHaveProperty('ShopCognitoPermission');
    expect(() => made(event('PreSignUp'), { resources: { Users } })).toThrow(
      'Cognito trigger "PreSignUp" defined multiple times.',
    );
  });

  it('of log groups wait for the permission', () => {
    const resources = made({ Type: 'CloudWatchLogs', Properties: { LogGroupName: 'app', FilterPattern: 'ERROR' } });
    expect(resources.ShopE).toMatchObject({ Type: 'AWS::Logs::SubscriptionFilter', DependsOn: ['ShopEPermission'] });
    expect(propertiesOf(resources, 'ShopEPermission').SourceArn).toEqual({
      'Fn::Sub': [
        'arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:${__LogGroupName__}:*',
        { __LogGroupName__: 'app' },
      ],
    });
  });

  it('of IoT make a rule', () => {
    const resources = made({ Type: 'IoTRule', Properties: { Sql: "SELECT * FROM 'a'" } });
    expect(propertiesOf(resources, 'ShopE').TopicRulePayload).toEqual({
      Sql: "SELECT * FROM 'a'",
      RuleDisabled: false,
      Actions: [{ Lambda: { FunctionArn: { 'Fn::GetAtt': ['Shop', 'Arn'] } } }],
    });
  });
});
