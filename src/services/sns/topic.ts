/** SNS's topics, subscriptions and published messages. */
import type { Scope } from '../../protocol/names.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';

export type Topic = {
  readonly scope: Scope;
  readonly name: string;
  readonly arn: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
};

export type Subscription = {
  readonly arn: string;
  readonly topicArn: string;
  readonly protocol: 'lambda' | 'sqs';
  /** ARN of the function or queue. */
  readonly endpoint: string;
  /** RawMessageDelivery, FilterPolicy, FilterPolicyScope ... */
  readonly attributes: Readonly<Record<string, string>>;
};

export type Publication = {
  readonly message: string;
  /** Other messages by protocol, for the message structure `json`. */
  readonly messageFor?: Readonly<Record<string, string>> | undefined;
  readonly subject: string | undefined;
  readonly attributes: MessageAttributes;
  readonly traceId: string | undefined;
  /** Required in FIFO topics. Standard topics pass it on to queues. */
  readonly groupId?: string | undefined;
  /** Only in FIFO topics, where it is always present. */
  readonly deduplicationId?: string | undefined;
};

export type Published = { readonly messageId: string; readonly sequenceNumber?: string | undefined };

export function isFifoTopic({ arn }: Pick<Topic, 'arn'>): boolean {
  return arn.endsWith('.fifo');
}
