/**
 * SQS's messages: send, receive, change visibility, remove, purge and redrive. Domain only, without protocols and URLs.
 * A message is durable when the promise of `send` resolves. A receipt handle names a message and its queue.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { renderQueueArn } from '../../protocol/arn.ts';
import { SQS_QUOTAS } from '../../protocol/sqs-operations.ts';
import { contentDeduplicationId, deduplicationKey, FIFO_ID } from '../../queues/deduplication.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import { checkAttributes, checkBody, md5Of, md5OfAttributes, sizeOf } from '../../queues/message-attributes.ts';
import type { Queues } from '../../queues/queue.ts';
import type { Lease, Message, NewMessage, QueueStore } from '../../queues/queue-store.ts';
import { invalidParameter, missingParameter, SqsError } from '../../queues/sqs-error.ts';
import { createReceiveAttempts, type ReceivedMessage } from './receive-attempts.ts';
import type { SqsQueue, SqsQueues } from './sqs-queues.ts';
import { attributeOf, isFifo, numberOf, redriveOf } from './sqs-queues.ts';

export type OutgoingSqsMessage = {
  readonly body: string;
  /** Required in FIFO queues. In standard queues, where AWS uses it for fairness between tenants, it is only stored. */
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
  readonly attributes: MessageAttributes;
  readonly systemAttributes: MessageAttributes;
  /** Defaults to the queue's delay. */
  readonly delaySeconds: number | undefined;
  /** The X-Ray header of the sender's request, for messages without their own. */
  readonly traceHeader?: string | undefined;
  /** The sender's user id. */
  readonly senderId: string;
};

export type SentMessage = {
  readonly messageId: string;
  readonly md5OfBody: string;
  readonly md5OfAttributes: string | undefined;
  readonly md5OfSystemAttributes: string | undefined;
  readonly sequenceNumber?: string | undefined;
};

export type SqsMessage = {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: MessageAttributes;
  /** SenderId, SentTimestamp, ApproximateReceiveCount ... */
  readonly systemAttributes: Readonly<Record<string, string>>;
};

export type SqsReceiveRequest = {
  readonly count: number;
  /** Defaults to the queue's visibility timeout. */
  readonly visibilitySeconds: number | undefined;
  /** Defaults to the queue's wait time. */
  readonly waitSeconds: number | undefined;
  /** A second attempt with the same id receives the same messages of a FIFO queue. */
  readonly attemptId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type SqsMessages = {
  /** Sends all messages or none. @throws SqsError */
  send(queue: SqsQueue, messages: readonly OutgoingSqsMessage[]): Promise<SentMessage[]>;
  /**
   * Returns the size in bytes. @throws SqsError for a message that `send` rejects, with the message for batches if
   * needed
   */
  check(queue: SqsQueue, message: OutgoingSqsMessage, isOfBatch?: boolean): number;
  receive(queue: SqsQueue, request: SqsReceiveRequest): Promise<SqsMessage[]>;
  /** Messages that no longer exist are ignored. @throws SqsError ReceiptHandleIsInvalid */
  remove(queue: SqsQueue, receiptHandles: readonly string[]): Promise<void>;
  /** Also after the visibility timeout, as recorded on AWS. @throws SqsError if the message no longer exists */
  changeVisibility(queue: SqsQueue, receiptHandle: string, seconds: number): Promise<void>;
  purge(queue: SqsQueue): Promise<void>;
  /** Deletes a queue and all its messages. */
  removeQueue(queue: SqsQueue): Promise<void>;
  /** Applies the delay of a FIFO queue to the messages that were sent before it was changed, and not received yet. */
  applyDelay(queue: SqsQueue): Promise<void>;
  counts(queue: SqsQueue): { readonly visible: number; readonly leased: number; readonly delayed: number };
  /** Moves dead letters back to the queues they came from, or to `target`. Returns their number. */
  redrive(queue: SqsQueue, target: SqsQueue | undefined): Promise<number>;
};

const SWEEP_INTERVAL_MS = 60_000;

/** The details of a stored message, in addition to its body. */
type Details = {
  readonly id: string;
  readonly sender: string;
  readonly attributes?: MessageAttributes;
  readonly trace?: string;
  readonly group?: string;
  readonly deduplication?: string;
};

export function createSqsMessages({
  queues,
  sqsQueues,
  clock,
}: {
  queues: Queues;
  sqsQueues: SqsQueues;
  clock: Clock;
}): SqsMessages {
  /** When each queue was last purged, by key. */
  const purges = new Map<string, number>();
  const sweeps = new Map<string, number>();
  const oldestMs = (queue: SqsQueue) => clock.epochMs() - numberOf(queue, 'MessageRetentionPeriod') * 1000;
  /** Deletes expired messages, which are already invisible, from time to time. */
  const sweep = async (queue: SqsQueue) => {
    if (clock.epochMs() - (sweeps.get(queue.key) ?? 0) < SWEEP_INTERVAL_MS) return;
    sweeps.set(queue.key, clock.epochMs());
    await queues.write((store) => {
      store.removeSentBefore(queue.key, oldestMs(queue));
      if (!isFifo(queue)) return;
      queues.deduplication.sweep(queue.key, clock.epochMs());
      attempts.sweep(queue.key);
    });
  };

  /** Inserts a message of a FIFO queue, except if it was sent within the deduplication interval. */
  const insertOnce = (
    store: QueueStore,
    queue: SqsQueue,
    { row, sent, deduplicationId }: StoredMessage,
  ): SentMessage => {
    const isPerGroup = attributeOf(queue, 'DeduplicationScope') === 'messageGroup';
    const key = deduplicationKey(deduplicationId ?? '', isPerGroup ? row.group : undefined);
    const known = queues.deduplication.find(queue.key, key, row.sentMs);
    if (known !== undefined)
      return { ...sent, ...(JSON.parse(known) as Pick<SentMessage, 'messageId' | 'sequenceNumber'>) };
    const sequenceNumber = renderSequenceNumber(store.insert(queue.key, row));
    const result = { messageId: sent.messageId, sequenceNumber };
    queues.deduplication.remember(queue.key, key, JSON.stringify(result), row.sentMs);
    return { ...sent, sequenceNumber };
  };

  const attempts = createReceiveAttempts({ queues, clock });

  const clear = (store: QueueStore, queue: SqsQueue) => {
    store.clear(queue.key);
    queues.deduplication.clear(queue.key);
    attempts.clear(queue.key);
  };

  const messages: SqsMessages = {
    check(queue, message, isOfBatch = false) {
      const { body, attributes, systemAttributes, delaySeconds, groupId, deduplicationId } = message;
      checkBody(body);
      checkAttributes(attributes);
      for (const name of Object.keys(systemAttributes)) {
        if (name !== 'AWSTraceHeader') {
          throw new SqsError('InvalidParameterValue', `Message system attribute name '${name}' is invalid.`);
        }
      }
      if (delaySeconds !== undefined && (delaySeconds < 0 || delaySeconds > SQS_QUOTAS.delaySeconds)) {
        throw invalidParameter('DelaySeconds', delaySeconds, 'DelaySeconds must be >= 0 and <= 900.');
      }
      checkFifoId('MessageGroupId', groupId);
      checkFifoId('MessageDeduplicationId', deduplicationId);
      checkQueueType(queue, message);
      const size = sizeOf(body, attributes);
      const limit = numberOf(queue, 'MaximumMessageSize');
      if (size > limit) {
        throw new SqsError(
          'InvalidParameterValue',
          `One or more parameters ${isOfBatch ? 'cannot be validated' : 'are invalid'}. ` +
            `Reason: Message must be shorter than ${limit} bytes.`,
        );
      }
      return size;
    },
    async send(queue, outgoing) {
      for (const message of outgoing) messages.check(queue, message);
      const nowMs = clock.epochMs();
      const rows = outgoing.map((message) => storedOf(queue, message, nowMs));
      const sent = await queues.write((store) => {
        if (isFifo(queue)) return rows.map((stored) => insertOnce(store, queue, stored));
        for (const { row } of rows) store.insert(queue.key, row);
        return rows.map((stored) => stored.sent);
      });
      queues.wake(queue.key);
      if (isFifo(queue)) void sweep(queue).catch(() => {});
      return sent;
    },
    async receive(queue, { count, visibilitySeconds, waitSeconds, attemptId, signal }) {
      await sweep(queue);
      const visibilityMs = (visibilitySeconds ?? numberOf(queue, 'VisibilityTimeout')) * 1000;
      const attempt = isFifo(queue) ? attemptId : undefined;
      let received = attempt && (await attempts.repeat(queue.key, attempt, visibilityMs));
      if (!received) {
        await queues.receive(queue.key, {
          count,
          visibilityMs,
          waitMs: (waitSeconds ?? numberOf(queue, 'ReceiveMessageWaitTimeSeconds')) * 1000,
          signal,
          limits: () => {
            const current = sqsQueues.find(queue.scope, queue.name) ?? queue;
            return {
              redrive: redriveOf(sqsQueues, current),
              oldestSentMs: oldestMs(current),
              isFifo: isFifo(queue),
            };
          },
          onTaken(taken) {
            received = taken.map((message) => ({ message, receiptHandle: renderReceiptHandle(queue, message) }));
            if (attempt && taken.length > 0) attempts.remember(queue.key, attempt, received);
          },
        });
      }
      return (received || []).map((one) => renderMessage(queue, one));
    },
    async remove(queue, receiptHandles) {
      const handles = receiptHandles.map((handle) => ({ ...parseReceiptHandle(queue, handle), handle }));
      const nowMs = clock.epochMs();
      await queues.write((store) => {
        for (const { id, receives, handle } of handles) {
          if (isFifo(queue) && hasExpired(store.findLease(queue.key, id), receives, nowMs)) {
            throw invalidParameter('ReceiptHandle', handle, 'The receipt handle has expired.');
          }
        }
        for (const { id } of handles) store.remove(queue.key, id);
      });
      // The next messages of their groups become available.
      if (isFifo(queue)) queues.wake(queue.key);
    },
    async changeVisibility(queue, receiptHandle, seconds) {
      const { id, receives } = parseReceiptHandle(queue, receiptHandle);
      const nowMs = clock.epochMs();
      const change = (store: QueueStore) =>
        !(isFifo(queue) && hasExpired(store.findLease(queue.key, id), receives, nowMs)) &&
        store.extendLease(queue.key, id, nowMs + seconds * 1000);
      if (!(await queues.write(change))) {
        throw invalidParameter(
          'ReceiptHandle',
          receiptHandle,
          'Message does not exist or is not available for visibility timeout change.',
        );
      }
      queues.wake(queue.key);
    },
    async purge(queue) {
      const nowMs = clock.epochMs();
      if (nowMs - (purges.get(queue.key) ?? Number.NEGATIVE_INFINITY) < SQS_QUOTAS.purgeIntervalMs) {
        throw new SqsError(
          'PurgeQueueInProgress',
          `Only one PurgeQueue operation on ${queue.name} is allowed every 60 seconds.`,
        );
      }
      purges.set(queue.key, nowMs);
      await queues.write((store) => clear(store, queue));
    },
    removeQueue: (queue) =>
      queues.write((store) => {
        sqsQueues.remove(queue);
        clear(store, queue);
        purges.delete(queue.key);
        sweeps.delete(queue.key);
      }),
    async applyDelay(queue) {
      await queues.write((store) => store.delayUnreceived(queue.key, numberOf(queue, 'DelaySeconds') * 1000));
      queues.wake(queue.key);
    },
    counts: (queue) => queues.store.counts(queue.key, clock.epochMs()),
    async redrive(queue, target) {
      const sources = target === undefined ? sqsQueues.sourcesOf(queue) : [target];
      const moved = await queues.write((store) =>
        store.move(queue.key, target?.key, Number.MAX_SAFE_INTEGER, clock.epochMs()),
      );
      for (const { key } of sources) queues.wake(key);
      return moved;
    },
  };
  return messages;
}

type StoredMessage = {
  readonly sent: SentMessage;
  readonly row: NewMessage;
  /** Only in FIFO queues. */
  readonly deduplicationId: string | undefined;
};

/** @throws SqsError */
export function checkFifoId(
  name: 'MessageGroupId' | 'MessageDeduplicationId' | 'ReceiveRequestAttemptId',
  id: string | undefined,
): void {
  if (id === undefined || FIFO_ID.test(id)) return;
  const reason = `${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
  throw invalidParameter(name, id, reason);
}

/** Checks the parameters that only one type of queue has. */
function checkQueueType(queue: SqsQueue, { groupId, deduplicationId, delaySeconds }: OutgoingSqsMessage): void {
  if (!isFifo(queue)) {
    if (deduplicationId === undefined) return;
    const reason = 'The request includes a parameter that is not valid for this queue type.';
    throw invalidParameter('MessageDeduplicationId', deduplicationId, reason);
  }
  // Zero is allowed. Recorded on AWS.
  if (delaySeconds) {
    const reason = 'The request include parameter that is not valid for this queue type.';
    throw invalidParameter('DelaySeconds', delaySeconds, reason);
  }
  if (groupId === undefined) throw missingParameter('MessageGroupId');
  if (deduplicationId === undefined && attributeOf(queue, 'ContentBasedDeduplication') !== 'true') {
    throw new SqsError('InvalidParameterValue', NO_DEDUPLICATION_ID);
  }
}

export const NO_DEDUPLICATION_ID =
  'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly';

/** Whether the message became visible again, or was received again, since the receive of a handle. */
function hasExpired(lease: Lease | undefined, receives: number, nowMs: number): boolean {
  return lease !== undefined && (lease.receives !== receives || lease.visibleMs <= nowMs);
}

/** 20 digits, not consecutive, as on AWS. */
function renderSequenceNumber(id: number): string {
  return String(18_850_000_000_000_000_000n + BigInt(id) * 256n);
}

/** The row of a new message, and the response for its sender. */
function storedOf(queue: SqsQueue, message: OutgoingSqsMessage, nowMs: number): StoredMessage {
  const { body, attributes, systemAttributes, delaySeconds, senderId, traceHeader, groupId } = message;
  const deduplicationId = isFifo(queue) ? (message.deduplicationId ?? contentDeduplicationId(body)) : undefined;
  const trace = systemAttributes.AWSTraceHeader?.StringValue ?? traceHeader;
  const details: Details = {
    id: randomUUID(),
    sender: senderId,
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(trace !== undefined && { trace }),
    ...(groupId !== undefined && { group: groupId }),
    ...(deduplicationId !== undefined && { deduplication: deduplicationId }),
  };
  const delayMs = ((isFifo(queue) ? undefined : delaySeconds) ?? numberOf(queue, 'DelaySeconds')) * 1000;
  return {
    sent: {
      messageId: details.id,
      md5OfBody: md5Of(body),
      md5OfAttributes: md5OfAttributes(attributes),
      md5OfSystemAttributes: md5OfAttributes(systemAttributes),
    },
    row: {
      body: Buffer.from(body),
      details: JSON.stringify(details),
      sentMs: nowMs,
      visibleMs: nowMs + delayMs,
      ...(isFifo(queue) && { group: groupId }),
    },
    deduplicationId,
  };
}

function renderMessage(queue: SqsQueue, { message, receiptHandle }: ReceivedMessage): SqsMessage {
  const { id, body, details, sentMs, receives, firstReceivedMs, source } = message;
  const { id: messageId, sender, attributes = {}, trace, group, deduplication } = JSON.parse(details) as Details;
  return {
    messageId,
    receiptHandle,
    body: body.toString('utf8'),
    attributes,
    systemAttributes: {
      ApproximateReceiveCount: String(receives),
      ...(trace !== undefined && { AWSTraceHeader: trace }),
      SentTimestamp: String(sentMs),
      SenderId: sender,
      ApproximateFirstReceiveTimestamp: String(firstReceivedMs),
      ...(group !== undefined && { MessageGroupId: group }),
      ...(deduplication !== undefined && { MessageDeduplicationId: deduplication }),
      ...(isFifo(queue) && { SequenceNumber: renderSequenceNumber(id) }),
      ...(source !== undefined && { DeadLetterQueueSourceArn: arnOfKey(source) }),
    },
  };
}

function arnOfKey(key: string): string {
  const [, account = '', region = '', name = ''] = key.split('/');
  return renderQueueArn({ region, account }, name);
}

function renderReceiptHandle({ arn }: SqsQueue, { id, receives }: Message): string {
  return Buffer.from(`${randomUUID()} ${arn} ${id} ${receives}`).toString('base64');
}

function parseReceiptHandle({ arn }: SqsQueue, handle: string): { readonly id: number; readonly receives: number } {
  const [, of, id, receives] =
    /^[0-9a-f-]{36} (\S+) (\d{1,15}) (\d+)$/.exec(Buffer.from(handle, 'base64').toString('latin1')) ?? [];
  if (of === arn) return { id: Number(id), receives: Number(receives) };
  throw new SqsError('ReceiptHandleIsInvalid', `The input receipt handle "${handle}" is not a valid receipt handle.`);
}
