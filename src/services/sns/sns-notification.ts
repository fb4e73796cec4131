/**
 * The notification that a subscriber of a topic receives: SNS's event for functions, its JSON text for queues. Pure.
 * The signature is a placeholder: notifications are not signed.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
 */
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import type { Subscription, Topic } from './topic.ts';

export type Notification = {
  readonly messageId: string;
  /** Only of FIFO topics. */
  readonly sequenceNumber?: string | undefined;
  readonly topic: Pick<Topic, 'arn' | 'scope'>;
  readonly subscription: Pick<Subscription, 'arn'>;
  readonly message: string;
  readonly subject: string | undefined;
  readonly attributes: MessageAttributes;
  readonly atMs: number;
};

const NO_SIGNATURE = Buffer.from('Lamella signs nothing').toString('base64');

/** The event of a subscribed function, as JSON text. */
export function notificationEvent(notification: Notification): string {
  const { messageId, topic, subscription, message, subject, attributes, atMs } = notification;
  const record = {
    EventSource: 'aws:sns',
    EventVersion: '1.0',
    EventSubscriptionArn: subscription.arn,
    Sns: {
      Type: 'Notification',
      MessageId: messageId,
      TopicArn: topic.arn,
      Subject: subject ?? null,
      Message: message,
      Timestamp: new Date(atMs).toISOString(),
      SignatureVersion: '1',
      Signature: NO_SIGNATURE,
      SigningCertUrl: certificateUrl(notification),
      UnsubscribeUrl: unsubscribeUrl(notification),
      MessageAttributes: renderAttributes(attributes),
    },
  };
  return JSON.stringify({ Records: [record] });
}

/** The body of the message in a subscribed queue, formatted as by SNS. */
export function notificationText(notification: Notification): string {
  const { messageId, sequenceNumber, topic, message, subject, attributes, atMs } = notification;
  const members: [string, string][] = [
    ['Type', quote('Notification')],
    ['MessageId', quote(messageId)],
    ...(sequenceNumber === undefined ? [] : [['SequenceNumber', quote(sequenceNumber)] as [string, string]]),
    ['TopicArn', quote(topic.arn)],
    ...(subject === undefined ? [] : [['Subject', quote(subject)] as [string, string]]),
    ['Message', quote(message)],
    ['Timestamp', quote(new Date(atMs).toISOString())],
    ['SignatureVersion', quote('1')],
    ['Signature', quote(NO_SIGNATURE)],
    ['SigningCertURL', quote(certificateUrl(notification))],
    ['UnsubscribeURL', quote(unsubscribeUrl(notification))],
  ];
  const entries = Object.entries(renderAttributes(attributes)).map(
    ([name, value]) => `    ${quote(name)} : ${JSON.stringify(value)}`,
  );
  if (entries.length > 0) members.push(['MessageAttributes', `{\n${entries.join(',\n')}\n  }`]);
  return `{\n${members.map(([name, value]) => `  "${name}" : ${value}`).join(',\n')}\n}`;
}

function renderAttributes(attributes: MessageAttributes): Readonly<Record<string, { Type: string; Value: string }>> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      { Type: DataType, Value: StringValue ?? BinaryValue ?? '' },
    ]),
  );
}

function certificateUrl({ topic: { scope } }: Notification): string {
  return `https://sns.${scope.region}.amazonaws.com/SimpleNotificationService-0000000000000000000000.pem`;
}

function unsubscribeUrl({ topic: { scope }, subscription }: Notification): string {
  return `https://sns.${scope.region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=${subscription.arn}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
