/**
 * The part of SNS that Lambda's users need: standard and FIFO topics that deliver to functions and queues. Constraints are those
 * of the API model (2010-03-31). https://docs.aws.amazon.com/sns/latest/api/
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

export const SNS_VERSION = '2010-03-31';
export const SNS_NAMESPACE = 'http://sns.amazonaws.com/doc/2010-03-31/';

const text = { type: 'string' } as const;
const attributes = { type: 'map', key: text, value: text } as const;
const tagKey = { type: 'string', min: 1, max: 128 } as const;
const tags = {
  type: 'list',
  of: { type: 'structure', members: { Key: required(tagKey), Value: required({ type: 'string', max: 256 }) } },
} as const;
const message = {
  Message: required(text),
  Subject: text,
  MessageStructure: text,
  MessageAttributes: {
    type: 'map',
    key: text,
    value: { type: 'structure', members: { DataType: required(text), StringValue: text, BinaryValue: text } },
    entry: ['Name', 'Value'],
  },
  MessageDeduplicationId: text,
  MessageGroupId: text,
} as const;

export const SNS_OPERATIONS = {
  CreateTopic: { Name: required(text), Attributes: attributes, Tags: tags, DataProtectionPolicy: text },
  DeleteTopic: { TopicArn: required(text) },
  GetSubscriptionAttributes: { SubscriptionArn: required(text) },
  GetTopicAttributes: { TopicArn: required(text) },
  ListSubscriptions: { NextToken: text },
  ListSubscriptionsByTopic: { TopicArn: required(text), NextToken: text },
  ListTagsForResource: { ResourceArn: required({ type: 'string', min: 1, max: 1011 }) },
  ListTopics: { NextToken: text },
  Publish: { TopicArn: text, TargetArn: text, PhoneNumber: text, ...message },
  PublishBatch: {
    TopicArn: required(text),
    PublishBatchRequestEntries: required({
      type: 'list',
      of: { type: 'structure', members: { Id: required(text), ...message } },
    }),
  },
  SetSubscriptionAttributes: { SubscriptionArn: required(text), AttributeName: required(text), AttributeValue: text },
  SetTopicAttributes: { TopicArn: required(text), AttributeName: required(text), AttributeValue: text },
  Subscribe: {
    TopicArn: required(text),
    Protocol: required(text),
    Endpoint: text,
    Attributes: attributes,
    ReturnSubscriptionArn: { type: 'boolean' },
  },
  TagResource: { ResourceArn: required({ type: 'string', min: 1, max: 1011 }), Tags: required(tags) },
  Unsubscribe: { SubscriptionArn: required(text) },
  UntagResource: {
    ResourceArn: required({ type: 'string', min: 1, max: 1011 }),
    TagKeys: required({ type: 'list', of: tagKey }),
  },
} as const satisfies Record<string, Members>;

/** https://docs.aws.amazon.com/general/latest/gr/sns.html */
export const SNS_QUOTAS = { messageBytes: 262_144, batchEntries: 10, pageItems: 100, subjectLength: 100 } as const;

/** Attributes that a client can set on topics and, below, on subscriptions. Those without an effect are stored. */
export const SNS_TOPIC_ATTRIBUTES = [
  'ApplicationFailureFeedbackRoleArn',
  'ApplicationSuccessFeedbackRoleArn',
  'ApplicationSuccessFeedbackSampleRate',
  'ContentBasedDeduplication',
  'DeliveryPolicy',
  'DisplayName',
  'FifoThroughputScope',
  'FifoTopic',
  'FirehoseFailureFeedbackRoleArn',
  'FirehoseSuccessFeedbackRoleArn',
  'FirehoseSuccessFeedbackSampleRate',
  'HTTPFailureFeedbackRoleArn',
  'HTTPSuccessFeedbackRoleArn',
  'HTTPSuccessFeedbackSampleRate',
  'KmsMasterKeyId',
  'LambdaFailureFeedbackRoleArn',
  'LambdaSuccessFeedbackRoleArn',
  'LambdaSuccessFeedbackSampleRate',
  'Policy',
  'SignatureVersion',
  'SQSFailureFeedbackRoleArn',
  'SQSSuccessFeedbackRoleArn',
  'SQSSuccessFeedbackSampleRate',
  'TracingConfig',
] as const;
export const SNS_SUBSCRIPTION_ATTRIBUTES = [
  'DeliveryPolicy',
  'FilterPolicy',
  'FilterPolicyScope',
  'RawMessageDelivery',
  'RedrivePolicy',
  'ReplayPolicy',
] as const;
