/**
 * SQS's messages: send, receive, change visibility, remove, purge and redrive. Domain only, without protocols and URLs.
 * A message is durable when the promise of `send` resolves. A receipt handle names a message and its queue.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { renderQueueArn } from '../../protocol/arn.ts';
import { SQS_QUOTAS } from '../../protocol/sqs-operations.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import { checkAttributes, checkBody, md5Of, md5OfAttributes, sizeOf } from '../../queues/message-attributes.ts';
import type { Queues } from '../../queues/queue.ts';
import type { Message, NewMessage, QueueStore } from '../../queues/queue-store.ts';
import { invalidParameter, SqsError } from '../../queues/sqs-error.ts';
import type { SqsQueue, SqsQueues } from './sqs-queues.ts';
import { numberOf, redriveOf } from './sqs-queues.ts';

export type OutgoingSqsMessage = {
  readonly body: string;
  /** AWS uses the group for fairness between tenants. Here it is only stored. */
  readonly groupId?: string | undefined;
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
  /** Deletes all messages of a queue. */
  clear(queue: SqsQueue): Promise<void>;
  counts(queue: SqsQueue): { readonly visible: number; readonly leased: number; readonly delayed: number };
  /** Moves dead letters back to the queues they came from, or to `target`. Returns their number. */
  redrive(queue: SqsQueue, target: SqsQueue | undefined): Promise<number>;
};

const SWEEP_INTERVAL_MS = 60_000;
const GROUP_ID = /^[A-Za-z0-9!-/:-@[-`{-~]{1,128}$/;

/** The details of a stored message, in addition to its body. */
type Details = {
  readonly id: string;
  readonly sender: string;
  readonly attributes?: MessageAttributes;
  readonly trace?: string;
  readonly group?: string;
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
    await queues.write((store) => store.removeSentBefore(queue.key, oldestMs(queue)));
  };

  const messages: SqsMessages = {
    check(queue, { body, attributes, systemAttributes, delaySeconds, groupId }, isOfBatch = false) {
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
      if (groupId !== undefined && !GROUP_ID.test(groupId)) {
        const reason = 'MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.';
        throw invalidParameter('MessageGroupId', groupId, reason);
      }
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
      await queues.write((store) => {
        for (const { row } of rows) store.insert(queue.key, row);
      });
      queues.wake(queue.key);
      return rows.map(({ sent }) => sent);
    },
    async receive(queue, { count, visibilitySeconds, waitSeconds, signal }) {
      await sweep(queue);
      const taken = await queues.receive(queue.key, {
        count,
        visibilityMs: (visibilitySeconds ?? numberOf(queue, 'VisibilityTimeout')) * 1000,
        waitMs: (waitSeconds ?? numberOf(queue, 'ReceiveMessageWaitTimeSeconds')) * 1000,
        signal,
        limits: () => {
          const current = sqsQueues.find(queue.scope, queue.name) ?? queue;
          return {
            redrive: redriveOf(sqsQueues, current),
            oldestSentMs: oldestMs(current),
          };
        },
      });
      return taken.map((message) => renderMessage(queue, message));
    },
    async remove(queue, receiptHandles) {
      const ids = receiptHandles.map((handle) => parseReceiptHandle(queue, handle));
      await queues.write((store) => {
        for (const id of ids) store.remove(queue.key, id);
      });
    },
    async changeVisibility(queue, receiptHandle, seconds) {
      const id = parseReceiptHandle(queue, receiptHandle);
      const nowMs = clock.epochMs();
      const change = (store: QueueStore) => store.extendLease(queue.key, id, nowMs + seconds * 1000);
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
      await messages.clear(queue);
    },
    clear: (queue) => queues.write((store) => store.clear(queue.key)),
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

/** The row of a new message, and the response for its sender. */
function storedOf(
  queue: SqsQueue,
  { body, attributes, systemAttributes, delaySeconds, senderId, traceHeader, groupId }: OutgoingSqsMessage,
  nowMs: number,
): { readonly sent: SentMessage; readonly row: NewMessage } {
  const trace = systemAttributes.AWSTraceHeader?.StringValue ?? traceHeader;
  const details: Details = {
    id: randomUUID(),
    sender: senderId,
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(trace !== undefined && { trace }),
    ...(groupId !== undefined && { group: groupId }),
  };
  const delayMs = (delaySeconds ?? numberOf(queue, 'DelaySeconds')) * 1000;
  return {
    sent: {
      messageId: details.id,
      md5OfBody: md5Of(body),
      md5OfAttributes: md5OfAttributes(attributes),
      md5OfSystemAttributes: md5OfAttributes(systemAttributes),
    },
    row: { body: Buffer.from(body), details: JSON.stringify(details), sentMs: nowMs, visibleMs: nowMs + delayMs },
  };
}

function renderMessage(
  queue: SqsQueue,
  { id, body, details, sentMs, receives, firstReceivedMs, source }: Message,
): SqsMessage {
  const { id: messageId, sender, attributes = {}, trace, group } = JSON.parse(details) as Details;
  return {
    messageId,
    receiptHandle: renderReceiptHandle(queue, id, receives),
    body: body.toString('utf8'),
    attributes,
    systemAttributes: {
      ApproximateReceiveCount: String(receives),
      ...(trace !== undefined && { AWSTraceHeader: trace }),
      SentTimestamp: String(sentMs),
      SenderId: sender,
      ApproximateFirstReceiveTimestamp: String(firstReceivedMs),
      ...(group !== undefined && { MessageGroupId: group }),
      ...(source !== undefined && { DeadLetterQueueSourceArn: arnOfKey(source) }),
    },
  };
}

function arnOfKey(key: string): string {
  const [, account = '', region = '', name = ''] = key.split('/');
  return renderQueueArn({ region, account }, name);
}

function renderReceiptHandle({ arn }: SqsQueue, id: number, receives: number): string {
  return Buffer.from(`${randomUUID()} ${arn} ${id} ${receives}`).toString('base64');
}

function parseReceiptHandle({ arn }: SqsQueue, handle: string): number {
  const [, of, id] =
    /^[0-9a-f-]{36} (\S+) (\d{1,15}) \d+$/.exec(Buffer.from(handle, 'base64').toString('latin1')) ?? [];
  if (of === arn) return Number(id);
  throw new SqsError('ReceiptHandleIsInvalid', `The input receipt handle "${handle}" is not a valid receipt handle.`);
}
