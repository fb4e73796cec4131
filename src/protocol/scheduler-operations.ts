/**
 * EventBridge Scheduler's operations, with the constraints of the API model (2021-06-30).
 * https://docs.aws.amazon.com/scheduler/latest/APIReference/
 */
import { SCHEDULER_ARN_PATTERNS } from './arn.ts';
import { type RestOperation, required } from './member-constraints.ts';

/** https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html */
export const SCHEDULER_QUOTAS = {
  pageItems: 100,
  maximumEventAgeSeconds: 86_400,
  maximumRetryAttempts: 185,
  /** How far a start date may be in the past. */
  startAgeMs: 5 * 60_000,
} as const;

const name = { type: 'string', min: 1, max: 64, pattern: '^[0-9a-zA-Z-_.]+$' } as const;
const clientToken = { type: 'string', min: 1, max: 64, pattern: '^[a-zA-Z0-9-_]+$' } as const;
const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
/** Seconds since 1970, with or without a fraction. */
const timestamp = { type: 'double' } as const;
const state = { type: 'string', values: ['ENABLED', 'DISABLED'] } as const;
const maxResults = { type: 'integer', min: 1, max: 100 } as const;
const nextToken = { type: 'string', min: 1, max: 2048 } as const;
const tagKey = { type: 'string', min: 1, max: 128 } as const;
const tags = {
  type: 'list',
  min: 0,
  max: 200,
  of: {
    type: 'structure',
    members: { Key: required(tagKey), Value: required({ type: 'string', min: 1, max: 256 }) },
  },
} as const;
const resourceArn = {
  type: 'string',
  min: 1,
  max: 1011,
  pattern: SCHEDULER_ARN_PATTERNS.scheduleGroup,
} as const;

/** The parameters of targets that Lamella records without effect are kept as they are, in the form of the model. */
const ecsParameters = {
  type: 'structure',
  members: {
    TaskDefinitionArn: required({ type: 'string', min: 1, max: 1600 }),
    TaskCount: { type: 'integer', min: 1, max: 10 },
    LaunchType: { type: 'string', values: ['EC2', 'FARGATE', 'EXTERNAL'] },
    PlatformVersion: { type: 'string', min: 1, max: 64 },
    Group: { type: 'string', min: 1, max: 255 },
    EnableECSManagedTags: flag,
    EnableExecuteCommand: flag,
    PropagateTags: { type: 'string', values: ['TASK_DEFINITION'] },
    ReferenceId: { type: 'string', max: 1024 },
    NetworkConfiguration: {
      type: 'structure',
      members: {
        awsvpcConfiguration: {
          type: 'structure',
          members: {
            AssignPublicIp: { type: 'string', values: ['ENABLED', 'DISABLED'] },
            SecurityGroups: { type: 'list', min: 1, max: 5, of: text },
            Subnets: required({ type: 'list', min: 1, max: 16, of: text }),
          },
        },
      },
    },
  },
} as const;

const target = {
  type: 'structure',
  members: {
    Arn: required({ type: 'string', min: 1, max: 1600 }),
    RoleArn: required({
      type: 'string',
      min: 1,
      max: 1600,
      pattern: SCHEDULER_ARN_PATTERNS.role,
    }),
    DeadLetterConfig: {
      type: 'structure',
      members: {
        Arn: {
          type: 'string',
          min: 1,
          max: 1600,
          pattern: SCHEDULER_ARN_PATTERNS.queue,
        },
      },
    },
    RetryPolicy: {
      type: 'structure',
      members: {
        MaximumEventAgeInSeconds: { type: 'integer', min: 60, max: SCHEDULER_QUOTAS.maximumEventAgeSeconds },
        MaximumRetryAttempts: { type: 'integer', min: 0, max: SCHEDULER_QUOTAS.maximumRetryAttempts },
      },
    },
    Input: { type: 'string', min: 1 },
    EcsParameters: ecsParameters,
    EventBridgeParameters: {
      type: 'structure',
      members: {
        DetailType: required({ type: 'string', min: 1, max: 128 }),
        Source: required({
          type: 'string',
          min: 1,
          max: 256,
          pattern: '^(?=[/\\.\\-_A-Za-z0-9]+)((?!aws\\.).*)|(\\$(\\.[\\w_-]+(\\[(\\d+|\\*)\\])*)*)$',
        }),
      },
    },
    KinesisParameters: {
      type: 'structure',
      members: { PartitionKey: required({ type: 'string', min: 1, max: 256 }) },
    },
    SageMakerPipelineParameters: {
      type: 'structure',
      members: {
        PipelineParameterList: {
          type: 'list',
          min: 0,
          max: 200,
          of: { type: 'structure', members: { Name: required(text), Value: required(text) } },
        },
      },
    },
    SqsParameters: { type: 'structure', members: { MessageGroupId: { type: 'string', min: 1, max: 128 } } },
  },
} as const;

const schedule = {
  Name: required(name),
  GroupName: name,
  ScheduleExpression: required({ type: 'string', min: 1, max: 256 }),
  ScheduleExpressionTimezone: { type: 'string', min: 1, max: 50 },
  StartDate: timestamp,
  EndDate: timestamp,
  Description: { type: 'string', min: 0, max: 512 },
  State: state,
  KmsKeyArn: {
    type: 'string',
    min: 1,
    max: 2048,
    pattern: SCHEDULER_ARN_PATTERNS.kmsKey,
  },
  Target: required(target),
  FlexibleTimeWindow: required({
    type: 'structure',
    members: {
      Mode: required({ type: 'string', values: ['OFF', 'FLEXIBLE'] }),
      MaximumWindowInMinutes: { type: 'integer', min: 1, max: 1440 },
    },
  }),
  ActionAfterCompletion: { type: 'string', values: ['NONE', 'DELETE'] },
  ClientToken: clientToken,
} as const;

const ofSchedule = { Name: required(name), GroupName: name } as const;
const names = { groupName: 'GroupName', clientToken: 'ClientToken' } as const;

export const SCHEDULER_OPERATIONS = {
  CreateSchedule: { method: 'POST', path: '/schedules/{Name}', status: 200, members: schedule },
  UpdateSchedule: { method: 'PUT', path: '/schedules/{Name}', status: 200, members: schedule },
  GetSchedule: { method: 'GET', path: '/schedules/{Name}', status: 200, query: names, members: ofSchedule },
  DeleteSchedule: {
    method: 'DELETE',
    path: '/schedules/{Name}',
    status: 200,
    query: names,
    members: { ...ofSchedule, ClientToken: clientToken },
  },
  ListSchedules: {
    method: 'GET',
    path: '/schedules',
    status: 200,
    query: { ScheduleGroup: 'GroupName' },
    members: { GroupName: name, NamePrefix: name, State: state, MaxResults: maxResults, NextToken: nextToken },
  },
  CreateScheduleGroup: {
    method: 'POST',
    path: '/schedule-groups/{Name}',
    status: 200,
    members: { Name: required(name), Tags: tags, ClientToken: clientToken },
  },
  GetScheduleGroup: {
    method: 'GET',
    path: '/schedule-groups/{Name}',
    status: 200,
    members: { Name: required(name) },
  },
  DeleteScheduleGroup: {
    method: 'DELETE',
    path: '/schedule-groups/{Name}',
    status: 200,
    query: names,
    members: { Name: required(name), ClientToken: clientToken },
  },
  ListScheduleGroups: {
    method: 'GET',
    path: '/schedule-groups',
    status: 200,
    members: { NamePrefix: name, MaxResults: maxResults, NextToken: nextToken },
  },
  TagResource: {
    method: 'POST',
    path: '/tags/{ResourceArn}',
    status: 200,
    members: { ResourceArn: required(resourceArn), Tags: required(tags) },
  },
  UntagResource: {
    method: 'DELETE',
    path: '/tags/{ResourceArn}',
    status: 200,
    members: {
      ResourceArn: required(resourceArn),
      TagKeys: required({ type: 'list', min: 0, max: 200, of: tagKey }),
    },
  },
  ListTagsForResource: {
    method: 'GET',
    path: '/tags/{ResourceArn}',
    status: 200,
    members: { ResourceArn: required(resourceArn) },
  },
} as const satisfies Readonly<Record<string, RestOperation>>;
