/**
 * EventBridge's buses, rules and events, with the constraints of the API model (2015-10-07).
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

/** `X-Amz-Target: AWSEvents.PutEvents` */
export const EVENTS_TARGET_PREFIX = 'AWSEvents';

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
export const EVENTS_QUOTAS = { targetsPerRule: 5, requestBytes: 1024 * 1024, pageItems: 100 } as const;

const busName = { type: 'string', min: 1, max: 256, pattern: '[/\\.\\-_A-Za-z0-9]+' } as const;
/** A name or an ARN. */
const bus = { type: 'string', min: 1, max: 1600 } as const;
const ruleName = { type: 'string', min: 1, max: 64, pattern: '[\\.\\-_A-Za-z0-9]+' } as const;
const targetId = { type: 'string', min: 1, max: 64, pattern: '[\\.\\-_A-Za-z0-9]+' } as const;
const arn = { type: 'string', min: 1, max: 1600 } as const;
const roleArn = { type: 'string', min: 1, max: 1600 } as const;
const description = { type: 'string', max: 512 } as const;
const pattern = { type: 'string', max: 4096 } as const;
const nextToken = { type: 'string', min: 1, max: 2048 } as const;
const limit = { type: 'integer', min: 1, max: 100 } as const;
const tagKey = { type: 'string', min: 1, max: 128 } as const;
const tags = {
  type: 'list',
  of: {
    type: 'structure',
    members: { Key: required(tagKey), Value: required({ type: 'string', min: 0, max: 256 }) },
  },
} as const;
const text = { type: 'string' } as const;
const deadLetter = { type: 'structure', members: { Arn: arn } } as const;
const retryPolicy = {
  type: 'structure',
  members: {
    MaximumRetryAttempts: { type: 'integer', min: 0, max: 185 },
    MaximumEventAgeInSeconds: { type: 'integer', min: 60, max: 86_400 },
  },
} as const;

/** The members that Lamella acts on. The others of a target, such as those of ECS, belong to targets that it does not have. */
const target = {
  type: 'structure',
  members: {
    Id: required(targetId),
    Arn: required(arn),
    RoleArn: roleArn,
    Input: { type: 'string', max: 8192 },
    InputPath: { type: 'string', max: 256 },
    InputTransformer: {
      type: 'structure',
      members: {
        InputPathsMap: {
          type: 'map',
          max: 100,
          key: { type: 'string', min: 1, max: 256, pattern: '[A-Za-z0-9_\\-]+' },
          value: { type: 'string', max: 256 },
        },
        InputTemplate: required({ type: 'string', min: 1, max: 8192 }),
      },
    },
    SqsParameters: { type: 'structure', members: { MessageGroupId: text } },
    DeadLetterConfig: deadLetter,
    RetryPolicy: retryPolicy,
  },
} as const;

export const EVENTS_OPERATIONS = {
  PutEvents: {
    Entries: required({
      type: 'list',
      min: 1,
      max: 10,
      of: {
        type: 'structure',
        members: {
          Time: { type: 'double' },
          Source: text,
          Resources: { type: 'list', of: text },
          DetailType: text,
          Detail: text,
          EventBusName: bus,
          TraceHeader: { type: 'string', min: 1, max: 500 },
        },
      },
    }),
    EndpointId: text,
  },
  TestEventPattern: { EventPattern: required(pattern), Event: required(text) },
  CreateEventBus: {
    Name: required(busName),
    EventSourceName: text,
    Description: description,
    KmsKeyIdentifier: { type: 'string', max: 2048 },
    DeadLetterConfig: deadLetter,
    Tags: tags,
  },
  DescribeEventBus: { Name: bus },
  DeleteEventBus: { Name: required(busName) },
  ListEventBuses: { NamePrefix: busName, NextToken: nextToken, Limit: limit },
  PutRule: {
    Name: required(ruleName),
    ScheduleExpression: { type: 'string', max: 256 },
    EventPattern: pattern,
    State: { type: 'string', values: ['ENABLED', 'DISABLED', 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS'] },
    Description: description,
    RoleArn: roleArn,
    Tags: tags,
    EventBusName: bus,
  },
  DescribeRule: { Name: required(ruleName), EventBusName: bus },
  DeleteRule: { Name: required(ruleName), EventBusName: bus, Force: { type: 'boolean' } },
  EnableRule: { Name: required(ruleName), EventBusName: bus },
  DisableRule: { Name: required(ruleName), EventBusName: bus },
  ListRules: { NamePrefix: ruleName, EventBusName: bus, NextToken: nextToken, Limit: limit },
  ListRuleNamesByTarget: { TargetArn: required(arn), EventBusName: bus, NextToken: nextToken, Limit: limit },
  PutTargets: {
    Rule: required(ruleName),
    EventBusName: bus,
    Targets: required({ type: 'list', min: 1, max: 100, of: target }),
  },
  RemoveTargets: {
    Rule: required(ruleName),
    EventBusName: bus,
    Ids: required({ type: 'list', min: 1, max: 100, of: targetId }),
    Force: { type: 'boolean' },
  },
  ListTargetsByRule: { Rule: required(ruleName), EventBusName: bus, NextToken: nextToken, Limit: limit },
  PutPermission: {
    EventBusName: bus,
    Action: { type: 'string', min: 1, max: 64 },
    Principal: { type: 'string', min: 1, max: 12 },
    StatementId: { type: 'string', min: 1, max: 64 },
    Policy: text,
  },
  RemovePermission: { EventBusName: bus, StatementId: text, RemoveAllPermissions: { type: 'boolean' } },
  TagResource: { ResourceARN: required(arn), Tags: required(tags) },
  UntagResource: { ResourceARN: required(arn), TagKeys: required({ type: 'list', of: tagKey }) },
  ListTagsForResource: { ResourceARN: required(arn) },
} as const satisfies Record<string, Members>;
