/**
 * SNS's API over the topics: query protocol in, XML out, AWS's words for what is refused. What is published goes where
 * `queues/sns-topics.ts` says. https://docs.aws.amazon.com/sns/latest/api/
 */
import type { ApiCall, ServiceHandler } from '../http/api-call.ts';
import type { Log } from '../log.ts';
import type { InputOf } from '../protocol/member-constraints.ts';
import { parseFunctionReference } from '../protocol/names.ts';
import {
  SNS_NAMESPACE,
  SNS_OPERATIONS,
  SNS_QUOTAS,
  SNS_SUBSCRIPTION_ATTRIBUTES,
  SNS_TOPIC_ATTRIBUTES,
  SNS_VERSION,
} from '../protocol/sns-operations.ts';
import { checkAttributes, type MessageAttributes, sizeOf } from '../queues/message-attributes.ts';
import { findPolicyProblem } from '../queues/sns-filter.ts';
import type { Publication, SnsTopics, Subscription, Topic } from '../queues/sns-topics.ts';
import { SqsError } from '../queues/sqs-error.ts';
import { parseQueueArn } from '../queues/sqs-queues.ts';
import { createQueryHandler, QueryError } from './query-protocol.ts';
import { XmlEntries, type XmlStructure } from './xml.ts';

type Inputs = { readonly [Name in keyof typeof SNS_OPERATIONS]: InputOf<(typeof SNS_OPERATIONS)[Name]> };
type Texts = Readonly<Record<string, string>>;

/** Answers for SNS. */
export function createSnsApi({ topics, log }: { topics: SnsTopics; log: Log }): ServiceHandler {
  const topicNamed = (arn: string): Topic => {
    if (!/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]+$/.test(arn)) {
      throw invalid(`TopicArn Reason: ${arn} is not the ARN of a topic`);
    }
    const topic = topics.find(arn);
    if (topic === undefined) throw notFound('Topic does not exist');
    return topic;
  };
  const subscriptionNamed = (arn: string): Subscription => {
    const subscription = topics.findSubscription(arn);
    if (subscription === undefined) throw notFound('Subscription does not exist');
    return subscription;
  };
  const taggedTopic = (arn: string): Topic => {
    const topic = topics.find(arn);
    if (topic === undefined) throw new QueryError('ResourceNotFound', 404, 'Resource does not exist');
    return topic;
  };
  const subscriptionPage = (of: Topic | ApiCall['scope'], token: string | undefined): XmlStructure => {
    const { page, NextToken } = paged(token, (after, count) => topics.subscriptions(of, after, count));
    return { Subscriptions: page.map(renderSubscription), NextToken };
  };

  return createQueryHandler({
    name: 'SNS',
    version: SNS_VERSION,
    namespace: SNS_NAMESPACE,
    operations: SNS_OPERATIONS,
    handlers: {
      CreateTopic({ Name, Attributes = {}, Tags = [] }, { scope }) {
        if (Name.endsWith('.fifo') || Attributes.FifoTopic === 'true') {
          throw invalid('Lamella has standard topics only, no FIFO topics');
        }
        if (!/^[A-Za-z0-9_-]{1,256}$/.test(Name)) throw invalid('Topic Name');
        for (const name of Object.keys(Attributes)) requireKnown(SNS_TOPIC_ATTRIBUTES, name);
        const tags = Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
        return { TopicArn: topics.create(scope, Name, Attributes, tags).arn };
      },
      DeleteTopic({ TopicArn }) {
        topics.remove(TopicArn);
        return undefined;
      },
      ListTopics({ NextToken: token }, { scope }) {
        const { page, NextToken } = paged(token, (after, count) => topics.list(scope, after, count));
        return { Topics: page.map(({ arn }) => ({ TopicArn: arn })), NextToken };
      },
      GetTopicAttributes({ TopicArn }) {
        const topic = topicNamed(TopicArn);
        const confirmed = topics.subscriptions(topic, '', Number.MAX_SAFE_INTEGER).length;
        return { Attributes: new XmlEntries(topicAttributes(topic, confirmed)) };
      },
      SetTopicAttributes({ TopicArn, AttributeName, AttributeValue = '' }) {
        requireKnown(SNS_TOPIC_ATTRIBUTES, AttributeName);
        topics.setAttribute(topicNamed(TopicArn), AttributeName, AttributeValue);
        return undefined;
      },
      Subscribe({ TopicArn, Protocol, Endpoint = '', Attributes = {} }) {
        const topic = topicNamed(TopicArn);
        for (const [name, value] of Object.entries(Attributes)) checkSubscriptionAttribute(name, value);
        const protocol = checkEndpoint(Protocol, Endpoint);
        return { SubscriptionArn: topics.subscribe(topic, protocol, Endpoint, Attributes).arn };
      },
      Unsubscribe({ SubscriptionArn }) {
        topics.unsubscribe(SubscriptionArn);
        return undefined;
      },
      GetSubscriptionAttributes: ({ SubscriptionArn }) => ({
        Attributes: new XmlEntries(subscriptionAttributes(subscriptionNamed(SubscriptionArn))),
      }),
      SetSubscriptionAttributes({ SubscriptionArn, AttributeName, AttributeValue = '' }) {
        checkSubscriptionAttribute(AttributeName, AttributeValue);
        topics.setSubscriptionAttribute(subscriptionNamed(SubscriptionArn), AttributeName, AttributeValue);
        return undefined;
      },
      ListSubscriptions: ({ NextToken }, { scope }) => subscriptionPage(scope, NextToken),
      ListSubscriptionsByTopic: ({ TopicArn, NextToken }) => subscriptionPage(topicNamed(TopicArn), NextToken),
      async Publish(input, call) {
        if (input.PhoneNumber !== undefined) throw invalid('PhoneNumber Reason: Lamella sends no text messages');
        const arn = input.TopicArn ?? input.TargetArn;
        if (arn === undefined) throw invalid('TopicArn or TargetArn Reason: no value for required parameter');
        const publication = publicationOf(input, call);
        return { MessageId: await topics.publish(topicNamed(arn), publication) };
      },
      async PublishBatch({ TopicArn, PublishBatchRequestEntries: entries }, call) {
        const topic = topicNamed(TopicArn);
        checkBatch(entries.map(({ Id }) => Id));
        const Successful: XmlStructure[] = [];
        const Failed: XmlStructure[] = [];
        for (const entry of entries) {
          try {
            Successful.push({ Id: entry.Id, MessageId: await topics.publish(topic, publicationOf(entry, call)) });
          } catch (failure) {
            if (!(failure instanceof QueryError)) throw failure;
            Failed.push({ Id: entry.Id, Code: failure.code, Message: failure.message, SenderFault: true });
          }
        }
        return { Successful, Failed };
      },
      ListTagsForResource: ({ ResourceArn }) => ({
        Tags: Object.entries(taggedTopic(ResourceArn).tags).map(([Key, Value]) => ({ Key, Value })),
      }),
      TagResource({ ResourceArn, Tags }) {
        const topic = taggedTopic(ResourceArn);
        const tags = { ...topic.tags, ...Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])) };
        if (Object.keys(tags).length > 50) {
          throw new QueryError(
            'TagLimitExceeded',
            400,
            'Could not complete request: tag quota of per resource exceeded',
          );
        }
        topics.setTags(topic, tags);
        return {};
      },
      UntagResource({ ResourceArn, TagKeys }) {
        const topic = taggedTopic(ResourceArn);
        const left = Object.entries(topic.tags).filter(([key]) => !TagKeys.includes(key));
        topics.setTags(topic, Object.fromEntries(left));
        return {};
      },
    },
    log,
  });
}

type MessageInput = Pick<Inputs['Publish'], 'Message' | 'Subject' | 'MessageStructure' | 'MessageAttributes'>;

function publicationOf(
  { Message, Subject, MessageStructure, MessageAttributes = {} }: MessageInput,
  call: ApiCall,
): Publication {
  const attributes: MessageAttributes = MessageAttributes;
  if (Message === '') throw invalid('Empty message');
  if (
    Subject !== undefined &&
    (Subject === '' || Subject.length > SNS_QUOTAS.subjectLength || /[\n\r]/.test(Subject))
  ) {
    throw invalid('Subject');
  }
  try {
    checkAttributes(Object.fromEntries(Object.entries(attributes).map(withoutArrays)));
  } catch (failure) {
    if (failure instanceof SqsError) throw new QueryError('ParameterValueInvalid', 400, failure.message);
    throw failure;
  }
  if (sizeOf(Message, attributes) > SNS_QUOTAS.messageBytes) throw invalid('Message too long');
  const trace = call.request.headers['x-amzn-trace-id'];
  return {
    ...messagesOf(Message, MessageStructure),
    subject: Subject,
    attributes,
    traceId: Array.isArray(trace) ? trace[0] : trace,
  };
}

/** Lists are a type of SNS's own. */
function withoutArrays([name, value]: [string, MessageAttributes[string]]): [string, MessageAttributes[string]] {
  return [name, value.DataType === 'String.Array' ? { ...value, DataType: 'String' } : value];
}

function messagesOf(text: string, structure: string | undefined): Pick<Publication, 'message' | 'messageFor'> {
  if (structure === undefined) return { message: text };
  if (structure !== 'json') throw invalid('MessageStructure');
  let messages: unknown;
  try {
    messages = JSON.parse(text);
  } catch {
    throw invalid('Message Structure - JSON message body failed to parse');
  }
  const byProtocol = messages as Readonly<Record<string, unknown>> | null;
  if (typeof byProtocol?.default !== 'string') {
    throw invalid('Message Structure - No default entry in JSON message body');
  }
  const texts = Object.entries(byProtocol).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { message: byProtocol.default, messageFor: Object.fromEntries(texts) };
}

function checkBatch(ids: readonly string[]): void {
  const refuse = (code: string, message: string) => new QueryError(code, 400, message);
  if (ids.length === 0) throw refuse('EmptyBatchRequest', "The batch request doesn't contain any entries.");
  if (ids.length > SNS_QUOTAS.batchEntries) {
    throw refuse('TooManyEntriesInBatchRequest', 'The batch request contains more entries than permissible.');
  }
  if (new Set(ids).size < ids.length) {
    throw refuse('BatchEntryIdsNotDistinct', 'Two or more batch entries in the request have the same Id.');
  }
}

function checkEndpoint(protocol: string, endpoint: string): 'lambda' | 'sqs' {
  if (protocol === 'lambda') {
    if (endpoint.startsWith('arn:') && parseFunctionReference(endpoint) !== undefined) return protocol;
    throw invalid('Endpoint Reason: FunctionArn or Alias Arn must be valid');
  }
  if (protocol === 'sqs') {
    if (parseQueueArn(endpoint) !== undefined) return protocol;
    throw invalid('SQS endpoint ARN');
  }
  if (['http', 'https', 'email', 'email-json', 'sms', 'application', 'firehose'].includes(protocol)) {
    throw invalid(`Protocol Reason: Lamella delivers to lambda and sqs, not to ${protocol}`);
  }
  throw invalid(`Amazon SNS does not support this protocol string: ${protocol}`);
}

function checkSubscriptionAttribute(name: string, value: string): void {
  requireKnown(SNS_SUBSCRIPTION_ATTRIBUTES, name);
  if (name === 'RawMessageDelivery' && value !== 'true' && value !== 'false') {
    throw invalid(`Attributes Reason: RawMessageDelivery: Invalid value [${value}]. Must be true or false.`);
  }
  if (name === 'FilterPolicyScope' && value !== 'MessageAttributes' && value !== 'MessageBody') {
    throw invalid(
      `Attributes Reason: FilterPolicyScope: Invalid value [${value}]. Please use either MessageBody or MessageAttributes`,
    );
  }
  const problem = name === 'FilterPolicy' && value !== '' ? findPolicyProblem(value) : undefined;
  if (problem !== undefined) throw invalid(`Attributes Reason: FilterPolicy: ${problem}`);
}

function requireKnown(known: readonly string[], name: string): void {
  if (!known.includes(name)) throw invalid('AttributeName');
}

function topicAttributes({ arn, scope, attributes }: Topic, confirmed: number): Texts {
  return {
    Owner: scope.account,
    TopicArn: arn,
    DisplayName: '',
    Policy: defaultTopicPolicy(arn, scope.account),
    EffectiveDeliveryPolicy: DEFAULT_DELIVERY_POLICY,
    SubscriptionsConfirmed: String(confirmed),
    SubscriptionsPending: '0',
    SubscriptionsDeleted: '0',
    ...attributes,
  };
}

/** Of a topic that was given none: its own account may do everything with it. */
function defaultTopicPolicy(arn: string, account: string): string {
  const actions = [
    'GetTopicAttributes',
    'SetTopicAttributes',
    'AddPermission',
    'RemovePermission',
    'DeleteTopic',
    'Subscribe',
    'ListSubscriptionsByTopic',
    'Publish',
  ];
  const statement = {
    Sid: '__default_statement_ID',
    Effect: 'Allow',
    Principal: { AWS: '*' },
    Action: actions.map((action) => `SNS:${action}`),
    Resource: arn,
    Condition: { StringEquals: { 'AWS:SourceOwner': account } },
  };
  return JSON.stringify({ Version: '2008-10-17', Id: '__default_policy_ID', Statement: [statement] });
}

/** What SNS does for HTTP subscribers unless told otherwise. */
const DEFAULT_DELIVERY_POLICY = JSON.stringify({
  http: {
    defaultHealthyRetryPolicy: {
      minDelayTarget: 20,
      maxDelayTarget: 20,
      numRetries: 3,
      numMaxDelayRetries: 0,
      numNoDelayRetries: 0,
      numMinDelayRetries: 0,
      backoffFunction: 'linear',
    },
    disableSubscriptionOverrides: false,
    defaultRequestPolicy: { headerContentType: 'text/plain; charset=UTF-8' },
  },
});

function subscriptionAttributes(subscription: Subscription): Texts {
  const { arn, topicArn, protocol, endpoint, attributes } = subscription;
  return {
    SubscriptionArn: arn,
    TopicArn: topicArn,
    Protocol: protocol,
    Endpoint: endpoint,
    Owner: topicArn.split(':')[4] ?? '',
    ConfirmationWasAuthenticated: 'true',
    PendingConfirmation: 'false',
    RawMessageDelivery: 'false',
    ...attributes,
  };
}

function renderSubscription({ arn, topicArn, protocol, endpoint }: Subscription): XmlStructure {
  return {
    SubscriptionArn: arn,
    Owner: topicArn.split(':')[4],
    Protocol: protocol,
    Endpoint: endpoint,
    TopicArn: topicArn,
  };
}

function paged<Item extends { readonly arn: string }>(
  token: string | undefined,
  find: (after: string, count: number) => Item[],
): { readonly page: readonly Item[]; readonly NextToken: string | undefined } {
  const found = find(Buffer.from(token ?? '', 'base64').toString('utf8'), SNS_QUOTAS.pageItems + 1);
  const page = found.slice(0, SNS_QUOTAS.pageItems);
  const last = page.at(-1);
  return { page, NextToken: found.length > page.length && last ? Buffer.from(last.arn).toString('base64') : undefined };
}

function invalid(what: string): QueryError {
  return new QueryError('InvalidParameter', 400, `Invalid parameter: ${what}`);
}

function notFound(message: string): QueryError {
  return new QueryError('NotFound', 404, message);
}
