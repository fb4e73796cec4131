/**
 * Receives of FIFO queues with a ReceiveRequestAttemptId: a second one within 5 minutes has the same messages and receipt
 * handles, and their visibility timeout begins again. They are kept with the leases, in one transaction, so that a client
 * whose response was lost when the service was killed can repeat its attempt.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
 */
import type { Clock } from '../../clock.ts';
import type { Queues } from '../../queues/queue.ts';
import type { Message } from '../../queues/queue-store.ts';

export type ReceivedMessage = { readonly message: Message; readonly receiptHandle: string };

export type ReceiveAttempts = {
  /**
   * The messages of an earlier attempt. Undefined if there is none, or if one of its messages was deleted, became visible
   * or got another visibility timeout since.
   */
  repeat(queueKey: string, attemptId: string, visibilityMs: number): Promise<ReceivedMessage[] | undefined>;
  /** Called within a transaction of the queues, as the other two. */
  remember(queueKey: string, attemptId: string, received: readonly ReceivedMessage[]): void;
  sweep(queueKey: string): void;
  clear(queueKey: string): void;
};

/** A message of an attempt, as it is stored. */
type Taken = { readonly id: number; readonly receives: number; readonly visibleMs: number; readonly handle: string };

export function createReceiveAttempts({ queues, clock }: { queues: Queues; clock: Clock }): ReceiveAttempts {
  // Attempts expire like the messages that a queue has sent, but have a name space of their own.
  const ownerOf = (queueKey: string) => `${queueKey} attempts`;
  const remember: ReceiveAttempts['remember'] = (queueKey, attemptId, received) => {
    const taken = received.map(
      ({ message: { id, receives, visibleMs }, receiptHandle: handle }): Taken => ({ id, receives, visibleMs, handle }),
    );
    queues.deduplication.remember(ownerOf(queueKey), attemptId, JSON.stringify(taken), clock.epochMs());
  };
  return {
    remember,
    repeat: (queueKey, attemptId, visibilityMs) =>
      queues.write((store) => {
        const nowMs = Math.trunc(clock.epochMs());
        const text = queues.deduplication.find(ownerOf(queueKey), attemptId, nowMs);
        const received: ReceivedMessage[] = [];
        for (const { id, receives, visibleMs, handle } of JSON.parse(text ?? '[]') as Taken[]) {
          const message = store.find(queueKey, id);
          const isUnchanged = message?.visibleMs === visibleMs && message.receives === receives && visibleMs > nowMs;
          if (!isUnchanged) return undefined;
          received.push({
            message: { ...message, visibleMs: nowMs + Math.trunc(visibilityMs) },
            receiptHandle: handle,
          });
        }
        if (received.length === 0) return undefined;
        for (const { message } of received) store.extendLease(queueKey, message.id, message.visibleMs);
        remember(queueKey, attemptId, received);
        return received;
      }),
    sweep: (queueKey) => queues.deduplication.sweep(ownerOf(queueKey), clock.epochMs()),
    clear: (queueKey) => queues.deduplication.clear(ownerOf(queueKey)),
  };
}
