/**
 * The part of CloudWatch Logs that Lambda's users need: groups, streams, events, retention and tags, with the
 * constraints of the API model (2014-03-28), and its error codes.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

/** `X-Amz-Target: Logs_20140328.DescribeLogGroups` */
export const LOGS_TARGET_PREFIX = 'Logs_20140328';

/** Wire code -> HTTP status. */
export const LOGS_ERRORS = {
  AccessDeniedException: 400,
  InvalidParameterException: 400,
  LimitExceededException: 400,
  ResourceAlreadyExistsException: 400,
  ResourceNotFoundException: 400,
  SerializationException: 400,
  ServiceUnavailableException: 503,
  UnknownOperationException: 400,
  ValidationException: 400,
} as const;

export type LogsErrorCode = keyof typeof LOGS_ERRORS;

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html */
export const LOGS_QUOTAS = {
  /** Maximum number of events in one response of GetLogEvents and FilterLogEvents. */
  pageEvents: 10_000,
  /** Approximate maximum size of the same response. */
  pageBytes: 1024 * 1024,
  /** Maximum number of groups or streams in one response of DescribeLogGroups and DescribeLogStreams. */
  pageItems: 50,
  /** AWS counts these bytes for each event in addition to its message. */
  eventOverheadBytes: 26,
  putBatchBytes: 1024 * 1024,
  putEventBytes: 1024 * 1024,
  putMaximumAgeMs: 14 * 24 * 3600 * 1000,
  putMaximumFutureMs: 2 * 3600 * 1000,
  putMaximumSpanMs: 24 * 3600 * 1000,
  /** Maximum number of events in one update of a live tail. If there are more, they are sampled. */
  liveTailUpdateEvents: 500,
  liveTailUpdateMs: 1000,
  liveTailSessionMs: 3 * 3600 * 1000,
  subscriptionFilters: 2,
} as const;

/** The values that PutRetentionPolicy accepts. */
export const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

const groupName = { type: 'string', min: 1, max: 512, pattern: '[\\.\\-_/#A-Za-z0-9]+' } as const;
const groupIdentifier = { type: 'string', min: 1, max: 2048, pattern: '[\\w#+=/:,.@-]*' } as const;
const streamName = { type: 'string', min: 1, max: 512, pattern: '[^:*]*' } as const;
const nextToken = { type: 'string', min: 1 } as const;
const timestamp = { type: 'integer', min: 0 } as const;
const describeLimit = { type: 'integer', min: 1, max: 50 } as const;
const eventsLimit = { type: 'integer', min: 1, max: 10000 } as const;
const filterPattern = { type: 'string', min: 0, max: 1024 } as const;
const tagKey = { type: 'string', min: 1, max: 128, pattern: '([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)' } as const;
const tagValue = { type: 'string', min: 0, max: 256, pattern: '([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)' } as const;
const tags = { type: 'map', min: 1, max: 50, key: tagKey, value: tagValue } as const;
const tagKeys = { type: 'list', min: 0, max: 50, of: tagKey } as const;
const logGroupClass = { type: 'string', values: ['STANDARD', 'INFREQUENT_ACCESS', 'DELIVERY'] } as const;
const resourceArn = { type: 'string', min: 1, max: 1011, pattern: '[\\w+=/:,.@-]*' } as const;
const filterName = { type: 'string', min: 1, max: 512, pattern: '[^:*]*' } as const;
const streamNames = { type: 'list', min: 1, max: 100, of: streamName } as const;

export const LOGS_OPERATIONS = {
  CreateLogGroup: {
    logGroupName: required(groupName),
    kmsKeyId: { type: 'string', max: 256 },
    tags,
    logGroupClass,
    deletionProtectionEnabled: { type: 'boolean' },
  },
  DeleteLogGroup: { logGroupName: required(groupName) },
  DescribeLogGroups: {
    accountIdentifiers: { type: 'list', min: 0, max: 20, of: { type: 'string', pattern: '\\d{12}' } },
    logGroupNamePrefix: groupName,
    logGroupNamePattern: { type: 'string', min: 0, max: 512, pattern: '[\\.\\-_/#A-Za-z0-9]*' },
    nextToken,
    limit: describeLimit,
    includeLinkedAccounts: { type: 'boolean' },
    logGroupClass,
    logGroupIdentifiers: { type: 'list', min: 1, max: 50, of: groupIdentifier },
  },
  CreateLogStream: { logGroupName: required(groupName), logStreamName: required(streamName) },
  DeleteLogStream: { logGroupName: required(groupName), logStreamName: required(streamName) },
  DescribeLogStreams: {
    logGroupName: groupName,
    logGroupIdentifier: groupIdentifier,
    logStreamNamePrefix: streamName,
    orderBy: { type: 'string', values: ['LogStreamName', 'LastEventTime'] },
    descending: { type: 'boolean' },
    nextToken,
    limit: describeLimit,
  },
  PutLogEvents: {
    logGroupName: required(groupName),
    logStreamName: required(streamName),
    logEvents: required({
      type: 'list',
      min: 1,
      max: 10000,
      of: {
        type: 'structure',
        members: { timestamp: required(timestamp), message: required({ type: 'string', min: 1 }) },
      },
    }),
    sequenceToken: nextToken,
  },
  GetLogEvents: {
    logGroupName: groupName,
    logGroupIdentifier: groupIdentifier,
    logStreamName: required(streamName),
    startTime: timestamp,
    endTime: timestamp,
    nextToken,
    limit: eventsLimit,
    startFromHead: { type: 'boolean' },
    unmask: { type: 'boolean' },
  },
  FilterLogEvents: {
    logGroupName: groupName,
    logGroupIdentifier: groupIdentifier,
    logStreamNames: streamNames,
    logStreamNamePrefix: streamName,
    startTime: timestamp,
    endTime: timestamp,
    filterPattern,
    nextToken,
    limit: eventsLimit,
    interleaved: { type: 'boolean' },
    unmask: { type: 'boolean' },
  },
  StartLiveTail: {
    logGroupIdentifiers: required({ type: 'list', min: 1, max: 10, of: groupIdentifier }),
    logStreamNames: streamNames,
    logStreamNamePrefixes: streamNames,
    logEventFilterPattern: filterPattern,
  },
  PutRetentionPolicy: { logGroupName: required(groupName), retentionInDays: required({ type: 'integer' }) },
  DeleteRetentionPolicy: { logGroupName: required(groupName) },
  PutSubscriptionFilter: {
    logGroupName: required(groupName),
    filterName: required(filterName),
    filterPattern: required(filterPattern),
    destinationArn: required({ type: 'string', min: 1 }),
    roleArn: { type: 'string', min: 1 },
    distribution: { type: 'string', values: ['Random', 'ByLogStream'] },
    applyOnTransformedLogs: { type: 'boolean' },
    fieldSelectionCriteria: { type: 'string', min: 0, max: 2000 },
    emitSystemFields: { type: 'list', of: { type: 'string' } },
  },
  DescribeSubscriptionFilters: {
    logGroupName: required(groupName),
    filterNamePrefix: filterName,
    nextToken,
    limit: describeLimit,
  },
  DeleteSubscriptionFilter: { logGroupName: required(groupName), filterName: required(filterName) },
  PutLogGroupDeletionProtection: {
    logGroupIdentifier: required(groupIdentifier),
    deletionProtectionEnabled: required({ type: 'boolean' }),
  },
  ListTagsForResource: { resourceArn: required(resourceArn) },
  TagResource: { resourceArn: required(resourceArn), tags: required(tags) },
  UntagResource: { resourceArn: required(resourceArn), tagKeys: required(tagKeys) },
  ListTagsLogGroup: { logGroupName: required(groupName) },
  TagLogGroup: { logGroupName: required(groupName), tags: required(tags) },
  UntagLogGroup: { logGroupName: required(groupName), tags: required(tagKeys) },
} as const satisfies Record<string, Members>;
