/**
 * SNS's API over the topics: query protocol in, XML out, AWS's words for what is refused. What is published goes where
 * `services/sns/sns-topics.ts` says. https://docs.aws.amazon.com/sns/latest/api/
 */
import assert from 'node:assert/strict';
import type { Log } from '../../log.ts';
import { parseTopicArn, renderAccountArn, renderTopicArn } from '../../protocol/arn.ts';
import type { InputOf } from '../../protocol/member-constraints.ts';
import type { Scope } from '../../protocol/names.ts';
import {
  SNS_NAMESPACE,
  SNS_OPERATIONS,
  SNS_QUOTAS,
  SNS_TOPIC_ATTRIBUTES,
  SNS_VERSION,
} from '../../protocol/sns-operations.ts';
import { type MessageAttributes, sizeOf } from '../../queues/message-attributes.ts';
import type { ApiCall, ServiceHandler } from '../../wire/api-call.ts';
import { createQueryHandler, QueryError } from '../../wire/query-protocol.ts';
import { XmlEntries, type XmlStructure } from '../../wire/xml.ts';
import {
  checkArn,
  checkBatch,
  checkBatchSize,
  checkEndpoint,
  checkMessageAttributes,
  checkSubscriptionAttributes,
  invalid,
  requireKnown,
} from './sns-checks.ts';
import type { SnsTopics } from './sns-topics.ts';
import type { Publication, Subscription, Topic } from './topic.ts';

type Inputs = { readonly [Name in keyof typeof SNS_OPERATIONS]: InputOf<(typeof SNS_OPERATIONS)[Name]> };
type Texts = Readonly<Record<string, string>>;

const SUBSCRIPTION_DEFAULTS = { RawMessageDelivery: 'false', FilterPolicyScope: 'MessageAttributes' };

/** Answers for SNS. */
export function createSnsApi({ topics, log }: { topics: SnsTopics; log: Log }): ServiceHandler {
  const topicNamed = (arn: string): Topic => {
    checkArn('TopicArn', arn);
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
        const tags = tagsOf(Tags);
        const known = topics.find(renderTopicArn(scope, Name));
        if (known !== undefined && Object.entries(tags).some(([key, value]) => known.tags[key] !== value)) {
          throw invalid('Tags Reason: Topic already exists with different tags');
        }
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
        checkSubscriptionAttributes(Attributes, {}, 'Attributes Reason: ');
        const protocol = checkEndpoint(Protocol, Endpoint);
        const attributes = settled(Attributes);
        const subscription = topics.subscribe(topic, protocol, Endpoint, attributes);
        const present: Texts = { ...SUBSCRIPTION_DEFAULTS, ...subscription.attributes };
        if (Object.entries(attributes).some(([name, value]) => present[name] !== value)) {
          throw invalid('Attributes Reason: Subscription already exists with different attributes');
        }
        return { SubscriptionArn: subscription.arn };
      },
      Unsubscribe({ SubscriptionArn }) {
        checkArn('SubscriptionArn', SubscriptionArn);
        topics.unsubscribe(SubscriptionArn);
        return undefined;
      },
      GetSubscriptionAttributes: ({ SubscriptionArn }) => ({
        Attributes: new XmlEntries(subscriptionAttributes(subscriptionNamed(SubscriptionArn))),
      }),
      SetSubscriptionAttributes({ SubscriptionArn, AttributeName, AttributeValue = '' }) {
        const subscription = subscriptionNamed(SubscriptionArn);
        checkSubscriptionAttributes({ [AttributeName]: AttributeValue }, subscription.attributes, '');
        const [value = ''] = Object.values(settled({ [AttributeName]: AttributeValue }));
        topics.setSubscriptionAttribute(subscription, AttributeName, value);
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
        checkBatch(entries);
        for (const { MessageAttributes = {} } of entries) checkMessageAttributes(MessageAttributes);
        checkBatchSize(
          entries.reduce((sum, { Message, MessageAttributes = {} }) => sum + sizeOf(Message, MessageAttributes), 0),
        );
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
        const tags = { ...topic.tags, ...tagsOf(Tags) };
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
  checkMessageAttributes(attributes);
  if (sizeOf(Message, attributes) > SNS_QUOTAS.messageBytes) throw invalid('Message too long');
  const trace = call.request.headers['x-amzn-trace-id'];
  return {
    ...messagesOf(Message, MessageStructure),
    subject: Subject,
    attributes,
    traceId: Array.isArray(trace) ? trace[0] : trace,
  };
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

/** @throws QueryError for a key that is there twice */
function tagsOf(tags: readonly { readonly Key: string; readonly Value: string }[]): Texts {
  const byKey = Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
  if (Object.keys(byKey).length < tags.length) throw invalid('Duplicated keys are not allowed.');
  return byKey;
}

/** As they are kept: switches in small letters. */
function settled(attributes: Texts): Texts {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      name === 'RawMessageDelivery' ? value.toLowerCase() : value,
    ]),
  );
}

function subscriptionAttributes(subscription: Subscription): Texts {
  const { arn, topicArn, protocol, endpoint, attributes } = subscription;
  const owner = ownerOf(topicArn);
  const { FilterPolicyScope = 'MessageAttributes', ...rest } = attributes;
  return {
    SubscriptionArn: arn,
    TopicArn: topicArn,
    Protocol: protocol,
    Endpoint: endpoint,
    Owner: owner.account,
    SubscriptionPrincipal: renderAccountArn(owner),
    ConfirmationWasAuthenticated: 'true',
    PendingConfirmation: 'false',
    RawMessageDelivery: 'false',
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== '')),
    // Recorded on AWS: a scope of no policy is not shown.
    ...(rest.FilterPolicy && { FilterPolicyScope }),
  };
}

function ownerOf(topicArn: string): Scope {
  const topic = parseTopicArn(topicArn);
  assert(topic !== undefined, `a topic is stored under ${topicArn}`);
  return topic.scope;
}

function renderSubscription({ arn, topicArn, protocol, endpoint }: Subscription): XmlStructure {
  return {
    SubscriptionArn: arn,
    Owner: ownerOf(topicArn).account,
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

function notFound(message: string): QueryError {
  return new QueryError('NotFound', 404, message);
}
