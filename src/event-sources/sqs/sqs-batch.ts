/**
 * Batches of SQS messages: collects them from the queue, and splits them into events that fit into an invocation.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
import type { Clock } from '../../clock.ts';
import type { QueueAccess } from '../../services/sqs/queue-access.ts';
import type { SqsMessage } from '../../services/sqs/sqs-messages.ts';
import type { SqsRecord } from './sqs-event.ts';

export type Batch = { readonly messages: readonly SqsMessage[]; readonly takenMs: number };

/** A message with its record in the event. */
export type BatchItem = { readonly message: SqsMessage; readonly record: SqsRecord };

/** Maximum size of an event. */
const EVENT_BYTES = 6 * 1024 * 1024;
/** What a record adds to the size of its message's body, approximately. */
const MESSAGE_OVERHEAD = 1024;
const POLL_SECONDS = 20;
/** SQS returns at most 10 messages at once. */
const MAX_RECEIVED = 10;

/**
 * Collects messages until the batch is full or its window has passed. Returns an empty batch after a poll without any.
 */
export async function collectBatch({
  queueAccess,
  arn,
  batchSize,
  windowMs,
  clock,
  signal,
}: {
  queueAccess: Pick<QueueAccess, 'receive'>;
  arn: string;
  batchSize: number;
  windowMs: number;
  clock: Clock;
  signal: AbortSignal;
}): Promise<Batch> {
  const receive = (missing: number, waitSeconds: number) =>
    queueAccess.receive(arn, { count: Math.min(MAX_RECEIVED, missing), waitSeconds, signal });
  const messages = await receive(batchSize, POLL_SECONDS);
  const takenMs = clock.epochMs();
  if (messages.length === 0 || windowMs === 0) return { messages, takenMs };
  const endMs = takenMs + windowMs;
  let bytes = bytesOf(messages);
  while (messages.length < batchSize && bytes < EVENT_BYTES - MAX_RECEIVED * MESSAGE_OVERHEAD && !signal.aborted) {
    const leftMs = endMs - clock.epochMs();
    if (leftMs <= 0) break;
    const more = await receive(batchSize - messages.length, Math.min(leftMs / 1000, POLL_SECONDS));
    bytes += bytesOf(more);
    messages.push(...more);
  }
  return { messages: withoutDuplicates(messages), takenMs };
}

/** Splits items into events that are not too large for an invocation. */
export function* splitBatch(items: readonly BatchItem[]): Generator<readonly BatchItem[]> {
  let part: BatchItem[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item.record)) + 1;
    if (part.length > 0 && bytes + size > EVENT_BYTES - MESSAGE_OVERHEAD) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

function bytesOf(messages: readonly SqsMessage[]): number {
  return messages.reduce((sum, { body }) => sum + Buffer.byteLength(JSON.stringify(body)) + MESSAGE_OVERHEAD, 0);
}

/**
 * Keeps the last receipt of each message. A message is received again if its visibility timeout ends within the window.
 */
function withoutDuplicates(messages: readonly SqsMessage[]): SqsMessage[] {
  return [...new Map(messages.map((message) => [message.messageId, message])).values()];
}
