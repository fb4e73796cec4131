/**
 * SNS's topics and subscriptions, and the delivery of published messages to functions and queues.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { renderSubscriptionArn, renderTopicArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { contentDeduplicationId, createDeduplication, deduplicationKey } from '../../queues/deduplication.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import { deadLetterArnOf } from '../../queues/redrive-policy.ts';
import type { Database } from '../../storage/database.ts';
import { isWanted } from './sns-filter.ts';
import { notificationEvent, notificationText } from './sns-notification.ts';
import { isFifoTopic, type Publication, type Published, type Subscription, type Topic } from './topic.ts';

/** How notifications are sent. Both reject if the target does not exist. */
export type NotificationSenders = {
  readonly invoke: (functionArn: string, event: string, traceId: string | undefined) => Promise<void>;
  readonly send: (
    queueArn: string,
    body: string,
    attributes: MessageAttributes,
    traceId: string | undefined,
    ids: Pick<Publication, 'groupId' | 'deduplicationId'>,
  ) => Promise<void>;
};

export type SnsTopics = {
  create(
    scope: Scope,
    name: string,
    attributes: Readonly<Record<string, string>>,
    tags: Readonly<Record<string, string>>,
  ): Topic;
  find(arn: string): Topic | undefined;
  /** Ordered by ARN, after the ARN `after`. */
  list(scope: Scope, after: string, count: number): Topic[];
  setAttribute(topic: Topic, name: string, value: string): void;
  setTags(topic: Topic, tags: Readonly<Record<string, string>>): void;
  /** Also removes the topic's subscriptions. */
  remove(arn: string): void;
  /** Subscribing an endpoint again returns the existing subscription. */
  subscribe(
    topic: Topic,
    protocol: 'lambda' | 'sqs',
    endpoint: string,
    attributes: Readonly<Record<string, string>>,
  ): Subscription;
  findSubscription(arn: string): Subscription | undefined;
  setSubscriptionAttribute(subscription: Subscription, name: string, value: string): void;
  unsubscribe(arn: string): void;
  /** The subscriptions of a topic, or of all topics in a scope. */
  subscriptions(of: Topic | Scope, after: string, count: number): Subscription[];
  /**
   * Resolves after the delivery to all subscribers. Failed deliveries are logged. A FIFO topic does not deliver a message
   * again within the deduplication interval.
   */
  publish(topic: Topic, publication: Publication): Promise<Published>;
};

type TopicRow = { arn: string; region: string; account: string; name: string; attributes: string; tags: string };
type SubscriptionRow = { arn: string; topic: string; protocol: string; endpoint: string; attributes: string };

export function createSnsTopics({
  database,
  senders,
  clock,
  log,
}: {
  database: Database;
  senders: NotificationSenders;
  clock: Clock;
  log: Log;
}): SnsTopics {
  const sql = {
    insert: database.prepare(
      'INSERT OR IGNORE INTO sns_topic VALUES (:arn, :region, :account, :name, :attributes, :tags)',
    ),
    find: database.prepare<TopicRow>('SELECT * FROM sns_topic WHERE arn = ?'),
    list: database.prepare<TopicRow>(
      'SELECT * FROM sns_topic WHERE region = ? AND account = ? AND arn > ? ORDER BY arn LIMIT ?',
    ),
    setAttributes: database.prepare('UPDATE sns_topic SET attributes = ? WHERE arn = ?'),
    setTags: database.prepare('UPDATE sns_topic SET tags = ? WHERE arn = ?'),
    remove: database.prepare('DELETE FROM sns_topic WHERE arn = ?'),
    subscribe: database.prepare(
      'INSERT INTO sns_subscription VALUES (:arn, :topic, :protocol, :endpoint, :attributes)',
    ),
    findSubscription: database.prepare<SubscriptionRow>('SELECT * FROM sns_subscription WHERE arn = ?'),
    sameSubscription: database.prepare<SubscriptionRow>(
      'SELECT * FROM sns_subscription WHERE topic = ? AND protocol = ? AND endpoint = ?',
    ),
    setSubscription: database.prepare('UPDATE sns_subscription SET attributes = ? WHERE arn = ?'),
    unsubscribe: database.prepare('DELETE FROM sns_subscription WHERE arn = ?'),
    ofTopic: database.prepare<SubscriptionRow>(
      'SELECT * FROM sns_subscription WHERE topic = ? AND arn > ? ORDER BY arn LIMIT ?',
    ),
    ofScope: database.prepare<SubscriptionRow>(
      `SELECT * FROM sns_subscription WHERE topic IN (SELECT arn FROM sns_topic WHERE region = ? AND account = ?)
         AND arn > ? ORDER BY arn LIMIT ?`,
    ),
  };

  const deduplication = createDeduplication(database);

  /** Sends a message to one subscriber, or else to the subscription's dead-letter queue. */
  const deliver = async (
    topic: Topic,
    subscription: Subscription,
    published: Published,
    publication: Publication,
  ): Promise<void> => {
    const { protocol, endpoint, attributes } = subscription;
    const { traceId } = publication;
    const message = publication.messageFor?.[protocol] ?? publication.message;
    const notification = { ...publication, ...published, message, topic, subscription, atMs: clock.epochMs() };
    const isRaw = attributes.RawMessageDelivery === 'true';
    const sendTo = (queueArn: string) =>
      senders.send(
        queueArn,
        isRaw ? message : notificationText(notification),
        isRaw ? publication.attributes : {},
        traceId,
        {
          groupId: publication.groupId,
          deduplicationId: queueArn.endsWith('.fifo') ? publication.deduplicationId : undefined,
        },
      );
    try {
      if (protocol === 'lambda') await senders.invoke(endpoint, notificationEvent(notification), traceId);
      else await sendTo(endpoint);
    } catch (failure) {
      const deadLetterArn = attributes.RedrivePolicy && deadLetterArnOf(attributes.RedrivePolicy);
      if (!deadLetterArn) throw failure;
      await sendTo(deadLetterArn);
    }
  };

  const topics: SnsTopics = {
    create({ region, account }, name, attributes, tags) {
      const arn = renderTopicArn({ region, account }, name);
      const row = { arn, region, account, name, attributes: JSON.stringify(attributes), tags: JSON.stringify(tags) };
      sql.insert.run(row);
      return topicOf(sql.find.get(arn) ?? row);
    },
    find(arn) {
      const row = sql.find.get(arn);
      return row && topicOf(row);
    },
    list: ({ region, account }, after, count) => sql.list.all(region, account, after, count).map(topicOf),
    setAttribute: ({ arn, attributes }, name, value) =>
      void sql.setAttributes.run(JSON.stringify({ ...attributes, [name]: value }), arn),
    setTags: ({ arn }, tags) => void sql.setTags.run(JSON.stringify(tags), arn),
    remove(arn) {
      sql.remove.run(arn);
      deduplication.clear(arn);
    },
    subscribe(topic, protocol, endpoint, attributes) {
      const known = sql.sameSubscription.get(topic.arn, protocol, endpoint);
      if (known !== undefined) return subscriptionOf(known);
      const arn = renderSubscriptionArn(topic.arn, randomUUID());
      const row = { arn, topic: topic.arn, protocol, endpoint, attributes: JSON.stringify(attributes) };
      sql.subscribe.run(row);
      return subscriptionOf(row);
    },
    findSubscription(arn) {
      const row = sql.findSubscription.get(arn);
      return row && subscriptionOf(row);
    },
    setSubscriptionAttribute: ({ arn, attributes }, name, value) =>
      void sql.setSubscription.run(JSON.stringify({ ...attributes, [name]: value }), arn),
    unsubscribe: (arn) => void sql.unsubscribe.run(arn),
    subscriptions: (of, after, count) =>
      ('arn' in of ? sql.ofTopic.all(of.arn, after, count) : sql.ofScope.all(of.region, of.account, after, count)).map(
        subscriptionOf,
      ),
    publish: (topic, publication) =>
      isFifoTopic(topic) ? publishOnce(topic, publication) : send(topic, publication, { messageId: randomUUID() }),
  };

  async function send(topic: Topic, publication: Publication, published: Published): Promise<Published> {
    const subscribers = topics.subscriptions(topic, '', Number.MAX_SAFE_INTEGER);
    await Promise.all(
      subscribers
        .filter((subscription) => isWanted(subscription, publication))
        .map((subscription) =>
          deliver(topic, subscription, published, publication).catch((failure: unknown) =>
            log.warn(
              { err: failure, topic: topic.arn, endpoint: subscription.endpoint },
              'cannot deliver a notification',
            ),
          ),
        ),
    );
    return published;
  }

  /** Messages that are being delivered, by topic and deduplication key. */
  const inProgress = new Map<string, Promise<Published>>();

  /** Remembers a message once it is delivered: if the service dies before, the publisher's next attempt delivers it. */
  function publishOnce(topic: Topic, publication: Publication): Promise<Published> {
    const deduplicationId = publication.deduplicationId ?? contentDeduplicationId(publication.message);
    const isPerGroup = topic.attributes.FifoThroughputScope === 'MessageGroup';
    const key = deduplicationKey(deduplicationId, isPerGroup ? publication.groupId : undefined);
    const running = inProgress.get(`${topic.arn} ${key}`);
    if (running !== undefined) return running;
    const known = deduplication.find(topic.arn, key, clock.epochMs());
    if (known !== undefined) return Promise.resolve(JSON.parse(known) as Published);
    deduplication.sweep(topic.arn, clock.epochMs());
    // The time 0 is expired: this only takes the number.
    const number = deduplication.remember(topic.arn, key, '', 0);
    const published = { messageId: randomUUID(), sequenceNumber: String(10n ** 19n + BigInt(number) * 1000n) };
    const sending = send(topic, { ...publication, deduplicationId }, published)
      .then((sent) => {
        deduplication.remember(topic.arn, key, JSON.stringify(sent), clock.epochMs());
        return sent;
      })
      .finally(() => inProgress.delete(`${topic.arn} ${key}`));
    inProgress.set(`${topic.arn} ${key}`, sending);
    return sending;
  }
  return topics;
}

function topicOf({ arn, region, account, name, attributes, tags }: TopicRow): Topic {
  return { arn, scope: { region, account }, name, attributes: JSON.parse(attributes), tags: JSON.parse(tags) };
}

function subscriptionOf({ arn, topic, protocol, endpoint, attributes }: SubscriptionRow): Subscription {
  return { arn, topicArn: topic, protocol: protocol as 'lambda' | 'sqs', endpoint, attributes: JSON.parse(attributes) };
}
