/**
 * The operations of DynamoDB that Lamella has. Their input is checked by the engine.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
 */

/** `X-Amz-Target: DynamoDB_20120810.GetItem` */
export const DYNAMODB_TARGET_PREFIX = 'DynamoDB_20120810';

export const DYNAMODB_STREAMS_TARGET_PREFIX = 'DynamoDBStreams_20120810';

export const DYNAMODB_OPERATIONS = {
  BatchGetItem: 'engine',
  BatchWriteItem: 'engine',
  CreateTable: 'table',
  DeleteItem: 'engine',
  DeleteTable: 'table',
  DescribeContinuousBackups: 'table',
  DescribeTable: 'table',
  DescribeTimeToLive: 'table',
  GetItem: 'engine',
  ListTables: 'engine',
  ListTagsOfResource: 'engine',
  PutItem: 'engine',
  Query: 'engine',
  Scan: 'engine',
  TagResource: 'engine',
  TransactGetItems: 'transaction',
  TransactWriteItems: 'transaction',
  UntagResource: 'engine',
  UpdateItem: 'engine',
  UpdateTable: 'table',
  UpdateTimeToLive: 'table',
} as const satisfies Readonly<Record<string, 'engine' | 'table' | 'transaction'>>;

export type DynamoOperation = keyof typeof DYNAMODB_OPERATIONS;
