/**
 * SNS's topics and subscriptions: which there are, and who receives what is published. Delivery goes to functions and
 * queues, by the two senders that are given. Standard topics only.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { renderSubscriptionArn, renderTopicArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import { deadLetterArnOf } from '../../queues/redrive-policy.ts';
import type { Database } from '../../storage/database.ts';
import { isWanted } from './sns-filter.ts';
import { notificationEvent, notificationText } from './sns-notification.ts';
import type { Publication, Subscription, Topic } from './topic.ts';

/** Where notifications go. Both reject when there is no such target. */
export type NotificationSenders = {
  readonly invoke: (functionArn: string, event: string, traceId: string | undefined) => Promise<void>;
  readonly send: (
    queueArn: string,
    body: string,
    attributes: MessageAttributes,
    traceId: string | undefined,
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
  /** By ARN, those behind `after`. */
  list(scope: Scope, after: string, count: number): Topic[];
  setAttribute(topic: Topic, name: string, value: string): void;
  setTags(topic: Topic, tags: Readonly<Record<string, string>>): void;
  /** Its subscriptions go with it. */
  remove(arn: string): void;
  /** The same endpoint twice is one subscription. */
  subscribe(
    topic: Topic,
    protocol: 'lambda' | 'sqs',
    endpoint: string,
    attributes: Readonly<Record<string, string>>,
  ): Subscription;
  findSubscription(arn: string): Subscription | undefined;
  setSubscriptionAttribute(subscription: Subscription, name: string, value: string): void;
  unsubscribe(arn: string): void;
  /** Of a topic, or of all topics of a scope. */
  subscriptions(of: Topic | Scope, after: string, count: number): Subscription[];
  /** Resolves with the message's id once every subscriber has it. */
  publish(topic: Topic, publication: Publication): Promise<string>;
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
    remove: (arn) => void sql.remove.run(arn),
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
    async publish(topic, publication) {
      const messageId = randomUUID();
      const subscribers = topics.subscriptions(topic, '', Number.MAX_SAFE_INTEGER);
      await Promise.all(
        subscribers.map(async (subscription) => {
          if (!isWanted(subscription, publication)) return;
          const { protocol, endpoint, attributes } = subscription;
          const message = publication.messageFor?.[protocol] ?? publication.message;
          const notification = { ...publication, message, messageId, topic, subscription, atMs: clock.epochMs() };
          const isRaw = attributes.RawMessageDelivery === 'true';
          const sendTo = (queueArn: string) =>
            senders.send(
              queueArn,
              isRaw ? message : notificationText(notification),
              isRaw ? publication.attributes : {},
              publication.traceId,
            );
          const sent =
            protocol === 'lambda'
              ? senders.invoke(endpoint, notificationEvent(notification), publication.traceId)
              : sendTo(endpoint);
          await sent
            .catch(async (failure: unknown) => {
              const deadLetterArn = attributes.RedrivePolicy && deadLetterArnOf(attributes.RedrivePolicy);
              if (!deadLetterArn) throw failure;
              await sendTo(deadLetterArn);
            })
            .catch((failure: unknown) =>
              log.warn({ err: failure, topic: topic.arn, endpoint }, 'a notification could not be delivered'),
            );
        }),
      );
      return messageId;
    },
  };
  return topics;
}

function topicOf({ arn, region, account, name, attributes, tags }: TopicRow): Topic {
  return { arn, scope: { region, account }, name, attributes: JSON.parse(attributes), tags: JSON.parse(tags) };
}

function subscriptionOf({ arn, topic, protocol, endpoint, attributes }: SubscriptionRow): Subscription {
  return { arn, topicArn: topic, protocol: protocol as 'lambda' | 'sqs', endpoint, attributes: JSON.parse(attributes) };
}
