/**
 * The part of SQS that Lambda's users need: standard and FIFO queues. Wire names, error codes and limits are those of the API
 * model (2012-11-05). https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
 */
import type { Member, Members } from './member-constraints.ts';

export const SQS_VERSION = '2012-11-05';
export const SQS_NAMESPACE = 'http://queue.amazonaws.com/doc/2012-11-05/';
/** `X-Amz-Target: AmazonSQS.SendMessage` */
export const SQS_TARGET_PREFIX = 'AmazonSQS';

const string = { type: 'string' } as const;
const integer = { type: 'integer' } as const;
/** The query protocol flattens SQS's lists and maps: `AttributeName.1`, `Attribute.1.Name` and `Attribute.1.Value`. */
const list = <const Item extends Member>(flattened: string, of: Item) => ({ type: 'list', flattened, of }) as const;
const attributes = {
  type: 'map',
  flattened: 'Attribute',
  entry: ['Name', 'Value'],
  key: string,
  value: string,
} as const;
const tags = { type: 'map', flattened: 'Tag', entry: ['Key', 'Value'], key: string, value: string } as const;
const messageAttributes = (flattened: string) =>
  ({
    type: 'map',
    flattened,
    entry: ['Name', 'Value'],
    key: string,
    value: { type: 'structure', members: { DataType: string, StringValue: string, BinaryValue: string } },
  }) as const;
const message = {
  MessageBody: string,
  DelaySeconds: integer,
  MessageAttributes: messageAttributes('MessageAttribute'),
  MessageSystemAttributes: messageAttributes('MessageSystemAttribute'),
  MessageDeduplicationId: string,
  MessageGroupId: string,
} as const;
const entries = <const Ms extends Members>(operation: string, members: Ms) =>
  list(`${operation}RequestEntry`, { type: 'structure', members: { Id: string, ...members } });

/** Input members by operation. None is required here: SQS has its own error for a missing parameter. */
export const SQS_OPERATIONS = {
  AddPermission: {
    QueueUrl: string,
    Label: string,
    AWSAccountIds: list('AWSAccountId', string),
    Actions: list('ActionName', string),
  },
  CancelMessageMoveTask: { TaskHandle: string },
  ChangeMessageVisibility: { QueueUrl: string, ReceiptHandle: string, VisibilityTimeout: integer },
  ChangeMessageVisibilityBatch: {
    QueueUrl: string,
    Entries: entries('ChangeMessageVisibilityBatch', { ReceiptHandle: string, VisibilityTimeout: integer }),
  },
  CreateQueue: { QueueName: string, Attributes: attributes, tags },
  DeleteMessage: { QueueUrl: string, ReceiptHandle: string },
  DeleteMessageBatch: { QueueUrl: string, Entries: entries('DeleteMessageBatch', { ReceiptHandle: string }) },
  DeleteQueue: { QueueUrl: string },
  GetQueueAttributes: { QueueUrl: string, AttributeNames: list('AttributeName', string) },
  GetQueueUrl: { QueueName: string, QueueOwnerAWSAccountId: string },
  ListDeadLetterSourceQueues: { QueueUrl: string, NextToken: string, MaxResults: integer },
  ListMessageMoveTasks: { SourceArn: string, MaxResults: integer },
  ListQueues: { QueueNamePrefix: string, NextToken: string, MaxResults: integer },
  ListQueueTags: { QueueUrl: string },
  PurgeQueue: { QueueUrl: string },
  ReceiveMessage: {
    QueueUrl: string,
    AttributeNames: list('AttributeName', string),
    MessageSystemAttributeNames: list('MessageSystemAttributeName', string),
    MessageAttributeNames: list('MessageAttributeName', string),
    MaxNumberOfMessages: integer,
    VisibilityTimeout: integer,
    WaitTimeSeconds: integer,
    ReceiveRequestAttemptId: string,
  },
  RemovePermission: { QueueUrl: string, Label: string },
  SendMessage: { QueueUrl: string, ...message },
  SendMessageBatch: { QueueUrl: string, Entries: entries('SendMessageBatch', message) },
  SetQueueAttributes: { QueueUrl: string, Attributes: attributes },
  StartMessageMoveTask: { SourceArn: string, DestinationArn: string, MaxNumberOfMessagesPerSecond: integer },
  TagQueue: { QueueUrl: string, Tags: tags },
  UntagQueue: { QueueUrl: string, TagKeys: list('TagKey', string) },
} as const satisfies Record<string, Members>;

export type SqsOperationName = keyof typeof SQS_OPERATIONS;

/** Lists of results in XML: the element of each member. */
export const SQS_XML_NAMES: Readonly<Record<string, string>> = {
  QueueUrls: 'QueueUrl',
  queueUrls: 'QueueUrl',
  Messages: 'Message',
  Failed: 'BatchResultErrorEntry',
  Results: 'ListMessageMoveTasksResultEntry',
};

/** Maps of results in XML: the element of each member, and the names of an entry's two parts. */
export const SQS_XML_MAPS: Readonly<Record<string, readonly [element: string, key: string, value: string]>> = {
  Attributes: ['Attribute', 'Name', 'Value'],
  MessageAttributes: ['MessageAttribute', 'Name', 'Value'],
  Tags: ['Tag', 'Key', 'Value'],
};

export type SqsErrorRow = {
  readonly status: 400 | 403 | 404 | 500 | 503;
  readonly queryCode: string;
  /** `__type` in the JSON protocol, if it is not `com.amazonaws.sqs#` and the name. */
  readonly type?: string;
  /** The message in the query protocol, if it differs. */
  readonly queryMessage?: string;
};
const sender = (queryCode: string): SqsErrorRow => ({ status: 400, queryCode });
const simple = (name: string): SqsErrorRow => sender(`AWS.SimpleQueueService.${name}`);

/**
 * Errors by their name in the JSON protocol. The query protocol and the header x-amzn-query-error use other codes.
 * Recorded on AWS (2025-10).
 */
export const SQS_ERRORS = {
  BatchEntryIdsNotDistinct: simple('BatchEntryIdsNotDistinct'),
  BatchRequestTooLong: simple('BatchRequestTooLong'),
  EmptyBatchRequest: simple('EmptyBatchRequest'),
  InternalFailure: { status: 500, queryCode: 'InternalFailure' },
  InvalidAction: sender('InvalidAction'),
  InvalidAttributeName: sender('InvalidAttributeName'),
  InvalidAttributeValue: sender('InvalidAttributeValue'),
  InvalidBatchEntryId: simple('InvalidBatchEntryId'),
  InvalidMessageContents: sender('InvalidMessageContents'),
  InvalidParameterValue: {
    ...sender('InvalidParameterValue'),
    type: 'com.amazon.coral.service#InvalidParameterValueException',
  },
  MessageNotInflight: simple('MessageNotInflight'),
  MissingParameter: {
    ...sender('MissingParameter'),
    type: 'com.amazon.coral.service#MissingRequiredParameterException',
  },
  PurgeQueueInProgress: { ...simple('PurgeQueueInProgress'), status: 403 },
  QueueDoesNotExist: {
    ...simple('NonExistentQueue'),
    queryMessage: 'The specified queue does not exist for this wsdl version.',
  },
  QueueNameExists: sender('QueueAlreadyExists'),
  ReceiptHandleIsInvalid: sender('ReceiptHandleIsInvalid'),
  ResourceNotFoundException: { status: 404, queryCode: 'ResourceNotFoundException' },
  SerializationException: sender('MalformedInput'),
  ServiceUnavailable: { status: 503, queryCode: 'ServiceUnavailable' },
  TooManyEntriesInBatchRequest: simple('TooManyEntriesInBatchRequest'),
  UnsupportedOperation: simple('UnsupportedOperation'),
} as const satisfies Record<string, SqsErrorRow>;

export type SqsErrorCode = keyof typeof SQS_ERRORS;

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html */
export const SQS_QUOTAS = {
  messageBytes: 1_048_576,
  batchEntries: 10,
  receiveMessages: 10,
  waitSeconds: 20,
  visibilitySeconds: 43_200,
  delaySeconds: 900,
  messageAttributes: 10,
  listResults: 1000,
  purgeIntervalMs: 60_000,
} as const;

/** Attributes that a client can set: numbers with their range and default; the others are stored. */
export const SQS_ATTRIBUTES = {
  DelaySeconds: { min: 0, max: 900, default: '0' },
  MaximumMessageSize: { min: 1024, max: 1_048_576, default: '1048576' },
  MessageRetentionPeriod: { min: 60, max: 1_209_600, default: '345600' },
  ReceiveMessageWaitTimeSeconds: { min: 0, max: 20, default: '0' },
  VisibilityTimeout: { min: 0, max: 43_200, default: '30' },
  KmsDataKeyReusePeriodSeconds: { min: 60, max: 86_400 },
  KmsMasterKeyId: 'text',
  Policy: 'document',
  RedrivePolicy: 'document',
  RedriveAllowPolicy: 'document',
  SqsManagedSseEnabled: 'switch',
} as const;

/** Attributes of FIFO queues only, with their values. The first is the default. */
export const SQS_FIFO_ATTRIBUTES = {
  FifoQueue: ['true'],
  ContentBasedDeduplication: ['false', 'true'],
  DeduplicationScope: ['queue', 'messageGroup'],
  FifoThroughputLimit: ['perQueue', 'perMessageGroupId'],
} as const;
