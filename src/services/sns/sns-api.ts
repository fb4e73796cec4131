import { randomUUID } from 'node:crypto';
import type { Log } from '../../log.ts';
import { renderSubscriptionArn, renderTopicArn } from '../../protocol/arn.ts';
import {
  SNS_NAMESPACE,
  SNS_OPERATIONS,
  SNS_QUOTAS,
  SNS_TOPIC_ATTRIBUTES,
  SNS_VERSION,
} from '../../protocol/sns-operations.ts';
import type { CallContext, ServiceApi } from '../../wire/api-call.ts';
import { createQueryApi, QueryError } from '../../wire/query-protocol.ts';
import { XmlEntries, type XmlStructure } from '../../wire/xml.ts';
import {
  normalizeAttributes,
  ownerOf,
  SUBSCRIPTION_DEFAULTS,
  subscriptionAttributes,
  topicAttributes,
} from './sns-attributes.ts';
import {
  checkArn,
  checkEndpoint,
  checkFifoAttribute,
  checkFifoEndpoint,
  checkSubscriptionAttributes,
  checkTopicName,
  checkTopicPolicy,
  findTopic,
  invalid,
  isOtherProtocol,
  notFound,
  requireKnown,
} from './sns-checks.ts';
import { createPublishHandlers } from './sns-publish-handlers.ts';
import type { SnsTopics } from './sns-topics.ts';
import { isFifoTopic, type Subscription, type Topic } from './topic.ts';

type Texts = Readonly<Record<string, string>>;

/** Creates the handler of SNS's requests. */
export function createSnsApi({ topics, log }: { topics: SnsTopics; log: Log }): ServiceApi {
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
  const subscriptionPage = (of: Topic | CallContext['scope'], token: string | undefined): XmlStructure => {
    const { page, NextToken } = paged(token, (after, count) => topics.subscriptions(of, after, count));
    return { Subscriptions: page.map(renderSubscription), NextToken };
  };

  return createQueryApi({
    name: 'SNS',
    version: SNS_VERSION,
    namespace: SNS_NAMESPACE,
    operations: SNS_OPERATIONS,
    handlers: {
      CreateTopic({ Name, Attributes = {}, Tags = [] }, { scope }) {
        const isFifo = Attributes.FifoTopic === 'true';
        checkTopicName(Name, isFifo);
        for (const [name, value] of Object.entries(Attributes)) {
          requireKnown(SNS_TOPIC_ATTRIBUTES, name);
          checkFifoAttribute(isFifo, name, value);
          checkTopicPolicy(name, value);
        }
        // A standard topic does not show it.
        const attributes = isFifo ? Attributes : withoutFifoTopic(Attributes);
        const tags = tagsOf(Tags);
        const known = topics.find(renderTopicArn(scope, Name));
        if (known !== undefined && Object.entries(tags).some(([key, value]) => known.tags[key] !== value)) {
          throw invalid('Tags Reason: Topic already exists with different tags');
        }
        return { TopicArn: topics.create(scope, Name, attributes, tags).arn };
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
        const topic = findTopic(topics, TopicArn);
        const confirmed = topics.subscriptions(topic, '', Number.MAX_SAFE_INTEGER).length;
        return { Attributes: new XmlEntries(topicAttributes(topic, confirmed)) };
      },
      SetTopicAttributes({ TopicArn, AttributeName, AttributeValue = '' }) {
        requireKnown(SNS_TOPIC_ATTRIBUTES, AttributeName);
        const topic = findTopic(topics, TopicArn);
        if (AttributeName === 'FifoTopic') throw invalid('AttributeName');
        checkFifoAttribute(isFifoTopic(topic), AttributeName, AttributeValue);
        checkTopicPolicy(AttributeName, AttributeValue);
        topics.setAttribute(topic, AttributeName, AttributeValue);
        return undefined;
      },
      Subscribe({ TopicArn, Protocol, Endpoint = '', Attributes = {} }, { request }) {
        const topic = findTopic(topics, TopicArn);
        checkSubscriptionAttributes(Attributes, {}, 'Attributes Reason: ');
        // In a template, it must not keep the other resources from being made.
        if (request === undefined && isOtherProtocol(Protocol)) {
          log.warn(
            { topic: TopicArn, protocol: Protocol, endpoint: Endpoint },
            'the subscription is recorded and gets nothing: topics deliver to functions and queues',
          );
          return { SubscriptionArn: renderSubscriptionArn(TopicArn, randomUUID()) };
        }
        const protocol = checkEndpoint(Protocol, Endpoint);
        checkFifoEndpoint(topic, protocol, Endpoint);
        const attributes = normalizeAttributes(Attributes);
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
        const [value = ''] = Object.values(normalizeAttributes({ [AttributeName]: AttributeValue }));
        topics.setSubscriptionAttribute(subscription, AttributeName, value);
        return undefined;
      },
      ListSubscriptions: ({ NextToken }, { scope }) => subscriptionPage(scope, NextToken),
      ListSubscriptionsByTopic: ({ TopicArn, NextToken }) => subscriptionPage(findTopic(topics, TopicArn), NextToken),
      ...createPublishHandlers(topics),
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

function withoutFifoTopic({ FifoTopic: _, ...attributes }: Texts): Texts {
  return attributes;
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

/** @throws QueryError for a duplicate key */
function tagsOf(tags: readonly { readonly Key: string; readonly Value: string }[]): Texts {
  const byKey = Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
  if (Object.keys(byKey).length < tags.length) throw invalid('Duplicated keys are not allowed.');
  return byKey;
}
