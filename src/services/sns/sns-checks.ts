/**
 * SNS's checks and their errors. Pure. Messages that AWS does not document were recorded on AWS by LocalStack's test
 * suite (2025-10).
 */

import { arnElements, isArn, parseFunctionReference, parseQueueArn, parseTopicArn } from '../../protocol/arn.ts';
import { parseJson } from '../../protocol/json.ts';
import { SNS_QUOTAS, SNS_SUBSCRIPTION_ATTRIBUTES } from '../../protocol/sns-operations.ts';
import { FIFO_ID } from '../../queues/deduplication.ts';
import type { MessageAttributes, MessageAttributeValue } from '../../queues/message-attributes.ts';
import { QueryError } from '../../wire/query-protocol.ts';
import { findNestedProperty, findPolicyProblem } from './sns-filter.ts';
import type { SnsTopics } from './sns-topics.ts';
import { isFifoTopic, type Topic } from './topic.ts';

type Texts = Readonly<Record<string, string>>;

export function invalid(what: string): QueryError {
  return new QueryError('InvalidParameter', 400, `Invalid parameter: ${what}`);
}

/** @throws QueryError if it is not the ARN of a topic or, for `SubscriptionArn`, of a subscription */
export function checkArn(name: 'TopicArn' | 'TargetArn' | 'SubscriptionArn', arn: string): void {
  if (name === 'SubscriptionArn' && arn === '') throw invalid(`${name} Reason: no value for required parameter`);
  const elements = arnElements(arn).length;
  if (elements < 6) throw invalid(`${name} Reason: An ARN must have at least 6 elements, not ${elements}`);
  const topic = parseTopicArn(arn);
  if (name === 'SubscriptionArn') {
    if (topic?.subscriptionId === undefined) throw invalid('SubscriptionId');
  } else if (topic === undefined) throw invalid(`${name} Reason: ${arn} is not the ARN of a topic`);
}

/** The topic of an ARN. @throws QueryError */
export function findTopic(topics: Pick<SnsTopics, 'find'>, arn: string): Topic {
  checkArn('TopicArn', arn);
  const topic = topics.find(arn);
  if (topic === undefined) throw notFound('Topic does not exist');
  return topic;
}

export function notFound(message: string): QueryError {
  return new QueryError('NotFound', 404, message);
}

/** @throws QueryError for a batch that is rejected as a whole, because of the number or ids of its entries */
export function checkBatch(entries: readonly { readonly Id: string; readonly Message: string }[]): void {
  const error = (code: string, message: string) => new QueryError(code, 400, message);
  const ids = entries.map(({ Id }) => Id);
  if (ids.length === 0) throw error('EmptyBatchRequest', "The batch request doesn't contain any entries.");
  if (ids.length > SNS_QUOTAS.batchEntries) {
    throw error('TooManyEntriesInBatchRequest', 'The batch request contains more entries than permissible.');
  }
  const subject = 'The Id of a batch entry in the batch request';
  for (const id of ids) {
    if (id.length > 80) throw error('InvalidBatchEntryId', `${subject} is too long: ${id}`);
    if (!/^[A-Za-z0-9_-]*$/.test(id))
      throw error('InvalidBatchEntryId', `${subject} contains an impermissible character: ${id}`);
  }
  if (new Set(ids).size < ids.length) {
    throw error('BatchEntryIdsNotDistinct', 'Two or more batch entries in the request have the same Id.');
  }
}

/** @throws QueryError if the messages of a batch are too long in total */
export function checkBatchSize(bytes: number): void {
  if (bytes > SNS_QUOTAS.messageBytes) {
    const message = 'The length of all the messages put together is more than the limit.';
    throw new QueryError('BatchRequestTooLong', 400, message);
  }
}

/** @throws QueryError */
export function checkMessageAttributes(attributes: MessageAttributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    checkAttributeName(name);
    checkAttributeValue(name, value);
  }
}

function checkAttributeName(name: string): void {
  if (name.length > 256) throw badAttribute('Length of message attribute name must be less than 256 bytes.');
  const odd = /[^A-Za-z0-9_.-]/.exec(name)?.[0];
  if (odd !== undefined) {
    throw badAttribute(
      `Invalid non-alphanumeric character '#x${odd.charCodeAt(0).toString(16).toUpperCase()}' was found in the message ` +
        'attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.',
    );
  }
  const position = name.startsWith('.') ? 'starting' : name.endsWith('.') ? 'ending' : undefined;
  if (position !== undefined)
    throw badAttribute(`Invalid message attribute name ${position} with character '.' was found.`);
  if (name.includes('..')) throw badAttribute("Message attribute name can not have successive '.' character.");
}

function checkAttributeValue(name: string, { DataType, StringValue, BinaryValue }: MessageAttributeValue): void {
  const about = `The message attribute '${name}'`;
  // Lists are a type that only SNS has.
  const kind = DataType === 'String.Array' ? 'String' : /^(String|Number|Binary)(\..{1,249})?$/.exec(DataType)?.[1];
  if (kind === undefined) {
    throw badAttribute(
      `${about} has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.`,
    );
  }
  const [value, other, field] =
    kind === 'Binary' ? [BinaryValue, StringValue, 'Binary'] : [StringValue, BinaryValue, 'String'];
  if (!value && other) throw badAttribute(`${about} with type '${DataType}' must use field '${field}'.`);
  if (!value) {
    throw badAttribute(
      `${about} must contain non-empty message attribute value for message attribute type '${DataType}'.`,
    );
  }
  if (kind === 'Number' && Number.isNaN(Number(value))) {
    throw badAttribute(`Could not cast message attribute '${name}' value to number.`);
  }
}

function badAttribute(message: string): QueryError {
  return new QueryError('ParameterValueInvalid', 400, message);
}

const FIFO_VALUES: Readonly<Record<string, RegExp>> = {
  FifoTopic: /^(true|false)$/,
  ContentBasedDeduplication: /^(true|false)$/,
  FifoThroughputScope: /^(Topic|MessageGroup)$/,
};

/** @throws QueryError for an attribute that only FIFO topics have, or a value that is not valid */
export function checkFifoAttribute(isFifo: boolean, name: string, value: string): void {
  const values = FIFO_VALUES[name];
  if (values === undefined || (!isFifo && value === 'false')) return;
  if (!isFifo || !values.test(value)) throw invalid(`Attributes Reason: ${name}`);
}

/** The policy of a topic is JSON. Its statements are stored, and not checked. @throws QueryError */
export function checkTopicPolicy(name: string, value: string): void {
  if (name !== 'Policy' || value === '' || isJsonObject(value)) return;
  throw invalid('Policy Error: null');
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = parseJson(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** @throws QueryError */
export function checkTopicName(name: string, isFifo: boolean): void {
  if (isFifo && !/^(?=.{1,256}$)[A-Za-z0-9_-]+\.fifo$/.test(name)) {
    throw new QueryError(
      'InvalidParameter',
      400,
      'Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, ' +
        'underscores, and hyphens, and must be between 1 and 256 characters long.',
    );
  }
  if (!isFifo && !/^[A-Za-z0-9_-]{1,256}$/.test(name)) throw invalid('Topic Name');
}

type FifoIds = { readonly MessageGroupId?: string | undefined; readonly MessageDeduplicationId?: string | undefined };

/** Checks the group and the deduplication id of a message. @throws QueryError */
export function checkFifoIds(topic: Topic, { MessageGroupId: group, MessageDeduplicationId: id }: FifoIds): void {
  for (const [name, value] of Object.entries({ MessageGroupId: group, MessageDeduplicationId: id })) {
    if (value === undefined || FIFO_ID.test(value)) continue;
    throw invalid(`The ${name} parameter can only include alphanumeric and punctuation characters. 1 to 128 in length`);
  }
  if (!isFifoTopic(topic)) {
    if (id === undefined) return;
    throw invalid(
      'MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this ' +
        'topic type',
    );
  }
  if (group === undefined) throw invalid('The MessageGroupId parameter is required for FIFO topics');
  if (id === undefined && topic.attributes.ContentBasedDeduplication !== 'true') {
    throw invalid(
      'The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
    );
  }
}

/** FIFO queues subscribe to FIFO topics only, and FIFO topics deliver to queues only. @throws QueryError */
export function checkFifoEndpoint(topic: Topic, protocol: string, endpoint: string): void {
  const prefix = 'Invalid parameter: Endpoint Reason: ';
  if (protocol === 'sqs' && endpoint.endsWith('.fifo') && !isFifoTopic(topic)) {
    throw invalid(`${prefix}FIFO SQS Queues can not be subscribed to standard SNS topics`);
  }
  if (protocol !== 'sqs' && isFifoTopic(topic)) throw invalid(`${prefix}Please use FIFO SQS queue`);
}

/** What SNS delivers to, and Lamella does not. */
export function isOtherProtocol(protocol: string): boolean {
  return ['http', 'https', 'email', 'email-json', 'sms', 'application', 'firehose'].includes(protocol);
}

/** @throws QueryError */
export function checkEndpoint(protocol: string, endpoint: string): 'lambda' | 'sqs' {
  if (protocol === 'lambda') {
    if (isArn(endpoint) && parseFunctionReference(endpoint) !== undefined) return protocol;
    throw invalid('Endpoint Reason: FunctionArn or Alias Arn must be valid');
  }
  if (protocol === 'sqs') {
    if (parseQueueArn(endpoint) !== undefined) return protocol;
    throw invalid('SQS endpoint ARN');
  }
  if (isOtherProtocol(protocol)) {
    throw invalid(`Protocol Reason: Lamella delivers to lambda and sqs, not to ${protocol}`);
  }
  throw invalid(`Amazon SNS does not support this protocol string: ${protocol}`);
}

/**
 * Checks the attributes `given` for a subscription that has the attributes `present`. `prefix` starts the error
 * message: `Attributes Reason: ` where a request can have several attributes.
 * @throws QueryError
 */
export function checkSubscriptionAttributes(given: Texts, present: Texts, prefix: string): void {
  for (const [name, value] of Object.entries(given)) {
    requireKnown(SNS_SUBSCRIPTION_ATTRIBUTES, name);
    const problem = problemOf(name, value);
    if (problem !== undefined) throw invalid(`${prefix}${name}: ${problem}`);
  }
  const { FilterPolicy, FilterPolicyScope } = { ...present, ...given };
  if (FilterPolicy && FilterPolicyScope !== 'MessageBody' && findNestedProperty(FilterPolicy) !== undefined) {
    throw invalid(`${prefix}Filter policy scope MessageAttributes does not support nested filter policy`);
  }
}

function problemOf(name: string, value: string): string | undefined {
  switch (name) {
    case 'RawMessageDelivery':
      return /^(true|false)$/i.test(value) ? undefined : `Invalid value [${value}]. Must be true or false.`;
    case 'FilterPolicyScope':
      return value === 'MessageAttributes' || value === 'MessageBody'
        ? undefined
        : `Invalid value [${value}]. Please use either MessageBody or MessageAttributes`;
    case 'FilterPolicy':
      return value === '' ? undefined : findPolicyProblem(value);
    case 'RedrivePolicy':
      return value === '' ? undefined : redriveProblem(value);
    default:
      return undefined;
  }
}

function redriveProblem(text: string): string | undefined {
  try {
    const { deadLetterTargetArn } = parseJson(text) as { readonly deadLetterTargetArn?: unknown };
    return typeof deadLetterTargetArn === 'string' && parseQueueArn(deadLetterTargetArn)
      ? undefined
      : 'deadLetterTargetArn is an invalid arn';
  } catch {
    return 'failed to parse JSON.';
  }
}

/** @throws QueryError */
export function requireKnown(known: readonly string[], name: string): void {
  if (!known.includes(name)) throw invalid('AttributeName');
}
