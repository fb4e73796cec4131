/**
 * Access to queues by their ARN, for event source mappings, dead-letter queues, destinations and topics. This is the
 * access to the queues of this service; `remote-queues.ts` has the same interface to SQS elsewhere.
 */
import { parseQueueArn } from '../../protocol/arn.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import { deadLetterArnOf } from '../../queues/redrive-policy.ts';
import { SqsError } from '../../queues/sqs-error.ts';
import type { SqsMessage, SqsMessages } from './sqs-messages.ts';
import type { SqsQueue, SqsQueues } from './sqs-queues.ts';
import { attributeOf, numberOf } from './sqs-queues.ts';

export type QueueReceiveRequest = {
  readonly count: number;
  readonly waitSeconds: number;
  readonly signal: AbortSignal;
};

/** All functions reject if the queue cannot be reached. */
export type QueueAccess = {
  send(arn: string, message: QueueMessage): Promise<void>;
  receive(arn: string, request: QueueReceiveRequest): Promise<SqsMessage[]>;
  /** Messages that became visible meanwhile, so that other receivers have them, stay in a FIFO queue. */
  remove(arn: string, receiptHandles: readonly string[]): Promise<void>;
  /** Makes received messages visible again. */
  release(arn: string, receiptHandles: readonly string[]): Promise<void>;
  /** The queue's visibility timeout. */
  visibilitySeconds(arn: string): Promise<number>;
  /** The ARN of the queue's dead-letter queue. */
  deadLetterArn(arn: string): Promise<string | undefined>;
};

export type QueueMessage = {
  readonly body: string;
  readonly attributes: MessageAttributes;
  readonly traceId: string | undefined;
  readonly groupId?: string | undefined;
  /** Only for FIFO queues. */
  readonly deduplicationId?: string | undefined;
};

export function createQueueAccess({
  sqsQueues,
  sqsMessages,
}: {
  sqsQueues: SqsQueues;
  sqsMessages: SqsMessages;
}): QueueAccess {
  const queueAt = (arn: string): SqsQueue => {
    const target = parseQueueArn(arn);
    if (target === undefined) throw new SqsError('QueueDoesNotExist', `${arn} is not a queue ARN.`);
    return sqsQueues.get(target.scope, target.name);
  };
  return {
    async send(arn, { body, attributes, traceId, groupId, deduplicationId }) {
      const queue = queueAt(arn);
      await sqsMessages.send(queue, [
        {
          body,
          attributes,
          groupId,
          deduplicationId,
          systemAttributes: {},
          delaySeconds: undefined,
          traceHeader: traceId,
          senderId: queue.scope.account,
        },
      ]);
    },
    receive: async (arn, { count, waitSeconds, signal }) =>
      sqsMessages.receive(queueAt(arn), { count, waitSeconds, signal, visibilitySeconds: undefined }),
    async remove(arn, receiptHandles) {
      const queue = queueAt(arn);
      // One by one, as entries of a batch: in a FIFO queue a receipt handle can have expired, and the others have not.
      await Promise.all(
        receiptHandles.map((handle) =>
          sqsMessages.remove(queue, [handle]).catch((failure: unknown) => {
            if (!(failure instanceof SqsError)) throw failure;
          }),
        ),
      );
    },
    async release(arn, receiptHandles) {
      const queue = queueAt(arn);
      for (const handle of receiptHandles) {
        await sqsMessages.changeVisibility(queue, handle, 0).catch((failure: unknown) => {
          // The message is gone: another receiver removed it after its visibility timeout.
          if (!(failure instanceof SqsError)) throw failure;
        });
      }
    },
    visibilitySeconds: async (arn) => numberOf(queueAt(arn), 'VisibilityTimeout'),
    async deadLetterArn(arn) {
      const policy = attributeOf(queueAt(arn), 'RedrivePolicy');
      return policy === undefined ? undefined : deadLetterArnOf(policy);
    },
  };
}
