/** SQS's operations on messages: send, receive, delete, change visibility and purge, one by one and in batches. */
import type { InputOf } from '../../protocol/member-constraints.ts';
import { type SQS_OPERATIONS, SQS_QUOTAS } from '../../protocol/sqs-operations.ts';
import { type MessageAttributes, md5Of, md5OfAttributes, selectAttributes } from '../../queues/message-attributes.ts';
import { invalidParameter, missingParameter, SqsError } from '../../queues/sqs-error.ts';
import type { CallContext } from '../../wire/api-call.ts';
import { queueOf, requireText, type SqsHandlerDependencies, type SqsHandlers, type SqsResult } from './sqs-handlers.ts';
import type { OutgoingSqsMessage, SentMessage, SqsMessage } from './sqs-messages.ts';
import { checkFifoId, NO_DEDUPLICATION_ID } from './sqs-messages.ts';
import { attributeOf, isFifo, type SqsQueue } from './sqs-queues.ts';

type Input<Name extends keyof typeof SQS_OPERATIONS> = InputOf<(typeof SQS_OPERATIONS)[Name]>;

type MessageOperation =
  | 'SendMessage'
  | 'SendMessageBatch'
  | 'ReceiveMessage'
  | 'DeleteMessage'
  | 'DeleteMessageBatch'
  | 'ChangeMessageVisibility'
  | 'ChangeMessageVisibilityBatch'
  | 'PurgeQueue';

export function createMessageHandlers({
  sqsQueues,
  sqsMessages,
  closing,
}: SqsHandlerDependencies): Pick<SqsHandlers, MessageOperation> {
  const changeVisibility = async (queue: SqsQueue, input: VisibilityInput): Promise<void> => {
    const seconds = input.VisibilityTimeout;
    if (seconds === undefined) throw missingParameter('VisibilityTimeout');
    if (seconds < 0 || seconds > SQS_QUOTAS.visibilitySeconds) {
      throw invalidParameter('VisibilityTimeout', seconds, 'VisibilityTimeout must be an integer between 0 and 43200');
    }
    await sqsMessages.changeVisibility(queue, requireText(input.ReceiptHandle, 'ReceiptHandle'), seconds);
  };

  return {
    async SendMessage(input, call) {
      const [sent] = await sqsMessages.send(queueOf(sqsQueues, input, call), [outgoingOf(input, call)]);
      return renderSent(sent);
    },
    async SendMessageBatch(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const entries = entriesOf(input.Entries, 'SendMessageBatchRequestEntry');
      if (isFifo(queue)) checkFifoEntries(queue, entries);
      const results = await perEntry(entries, (entry) => {
        const message = outgoingOf(entry, call);
        return { message, size: sqsMessages.check(queue, message, true) };
      });
      const valid = results.flatMap((result) => ('value' in result ? [result] : []));
      const size = valid.reduce((sum, { value }) => sum + value.size, 0);
      if (size > SQS_QUOTAS.messageBytes) {
        throw new SqsError(
          'BatchRequestTooLong',
          `Batch requests cannot be longer than ${SQS_QUOTAS.messageBytes} bytes. You have sent ${size} bytes.`,
        );
      }
      const sent = await sqsMessages.send(
        queue,
        valid.map(({ value }) => value.message),
      );
      return renderBatch(
        results,
        valid.map(({ id }, index) => ({ Id: id, ...renderSent(sent[index]) })),
      );
    },

    async ReceiveMessage(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const within = (name: ReceiveLimit, min: number, max: number, reason: string) => {
        const value = input[name];
        if (value !== undefined && (value < min || value > max)) throw invalidParameter(name, value, reason);
        return value;
      };
      const request = {
        count: within('MaxNumberOfMessages', 1, 10, 'Must be between 1 and 10, if provided.') ?? 1,
        visibilitySeconds: within('VisibilityTimeout', 0, 43_200, 'Must be between 0 and 43200, if provided.'),
        waitSeconds: within('WaitTimeSeconds', 0, 20, 'Must be >= 0 and <= 20, if provided.'),
        attemptId: attemptIdOf(input.ReceiveRequestAttemptId),
      };
      const messages = await untilAbandoned(call, closing, (signal) =>
        sqsMessages.receive(queue, { ...request, signal }),
      );
      if (messages.length === 0) return {};
      const system = [...(input.AttributeNames ?? []), ...(input.MessageSystemAttributeNames ?? [])];
      const wanted = input.MessageAttributeNames ?? [];
      return { Messages: messages.map((message) => renderMessage(message, system, wanted)) };
    },

    async DeleteMessage(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      await sqsMessages.remove(queue, [requireText(input.ReceiptHandle, 'ReceiptHandle')]);
      return {};
    },
    async DeleteMessageBatch(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const entries = entriesOf(input.Entries, 'DeleteMessageBatchRequestEntry');
      return renderBatch(
        await perEntry(entries, ({ ReceiptHandle }) =>
          sqsMessages.remove(queue, [requireText(ReceiptHandle, 'ReceiptHandle')]),
        ),
      );
    },

    async ChangeMessageVisibility(input, call) {
      await changeVisibility(queueOf(sqsQueues, input, call), input);
      return {};
    },
    async ChangeMessageVisibilityBatch(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const entries = entriesOf(input.Entries, 'ChangeMessageVisibilityBatchRequestEntry');
      return renderBatch(await perEntry(entries, (entry) => changeVisibility(queue, entry)));
    },

    async PurgeQueue(input, call) {
      await sqsMessages.purge(queueOf(sqsQueues, input, call));
      return {};
    },
  };
}

/** A batch for a FIFO queue fails as a whole if an id is missing. Recorded on AWS. */
function checkFifoEntries(queue: SqsQueue, entries: readonly MessageInput[]): void {
  if (entries.some(({ MessageGroupId }) => MessageGroupId === undefined)) {
    throw new SqsError('InvalidParameterValue', missingParameter('MessageGroupId').message);
  }
  const isOptional = attributeOf(queue, 'ContentBasedDeduplication') === 'true';
  if (!isOptional && entries.some(({ MessageDeduplicationId }) => MessageDeduplicationId === undefined)) {
    throw new SqsError('InvalidParameterValue', NO_DEDUPLICATION_ID);
  }
}

function attemptIdOf(id: string | undefined): string | undefined {
  checkFifoId('ReceiveRequestAttemptId', id);
  return id;
}

type VisibilityInput = Pick<Input<'ChangeMessageVisibility'>, 'ReceiptHandle' | 'VisibilityTimeout'>;
type ReceiveLimit = 'MaxNumberOfMessages' | 'VisibilityTimeout' | 'WaitTimeSeconds';
type MessageInput = Omit<Input<'SendMessage'>, 'QueueUrl'>;

function outgoingOf(input: MessageInput, { accessKeyId, scope, request }: CallContext): OutgoingSqsMessage {
  const trace = request?.headers['x-amzn-trace-id'];
  if (input.MessageBody === undefined) throw missingParameter('MessageBody');
  return {
    body: input.MessageBody,
    groupId: input.MessageGroupId,
    deduplicationId: input.MessageDeduplicationId,
    attributes: attributesOf(input.MessageAttributes),
    systemAttributes: attributesOf(input.MessageSystemAttributes),
    delaySeconds: input.DelaySeconds,
    traceHeader: Array.isArray(trace) ? trace[0] : trace,
    senderId: accessKeyId?.startsWith('A') ? accessKeyId : scope.account,
  };
}

function attributesOf(given: MessageInput['MessageAttributes'] = {}): MessageAttributes {
  return Object.fromEntries(
    Object.entries(given).map(([key, { DataType, StringValue, BinaryValue }]) => [
      key,
      {
        DataType: DataType ?? '',
        ...(StringValue !== undefined && { StringValue }),
        ...(BinaryValue !== undefined && { BinaryValue }),
      },
    ]),
  );
}

function renderSent(sent: SentMessage | undefined): SqsResult {
  return {
    MessageId: sent?.messageId,
    MD5OfMessageBody: sent?.md5OfBody,
    MD5OfMessageAttributes: sent?.md5OfAttributes,
    MD5OfMessageSystemAttributes: sent?.md5OfSystemAttributes,
    SequenceNumber: sent?.sequenceNumber,
  };
}

function renderMessage(message: SqsMessage, system: readonly string[], wanted: readonly string[]): SqsResult {
  const systemAttributes = Object.entries(message.systemAttributes).filter(
    ([name]) => system.includes('All') || system.includes(name),
  );
  const attributes = selectAttributes(message.attributes, wanted);
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: md5Of(message.body),
    Body: message.body,
    Attributes: systemAttributes.length > 0 ? Object.fromEntries(systemAttributes) : undefined,
    MD5OfMessageAttributes: md5OfAttributes(attributes),
    MessageAttributes: Object.keys(attributes).length > 0 ? attributes : undefined,
  };
}

/** Runs `wait` with a signal that aborts when the client disconnects or the service closes. */
async function untilAbandoned<Result>(
  { response }: CallContext,
  closing: AbortSignal,
  wait: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  // Not `AbortSignal.any`, which leaks memory in Node.js 20.
  const abandoned = new AbortController();
  const abort = () => abandoned.abort();
  if (closing.aborted) abort();
  closing.addEventListener('abort', abort);
  response?.once('close', abort);
  return wait(abandoned.signal).finally(() => closing.removeEventListener('abort', abort));
}

type BatchEntry = { readonly Id?: string | undefined };

/** The entries of a batch, between 1 and 10 with distinct ids. @throws SqsError */
function entriesOf<Entry extends BatchEntry>(entries: readonly Entry[] = [], what: string): readonly Entry[] {
  if (entries.length === 0) {
    throw new SqsError('EmptyBatchRequest', `There should be at least one ${what} in the request.`);
  }
  if (entries.length > SQS_QUOTAS.batchEntries) {
    throw new SqsError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${SQS_QUOTAS.batchEntries}. You have sent ${entries.length}.`,
    );
  }
  const seen = new Set<string>();
  for (const { Id: id = '' } of entries) {
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(id)) {
      throw new SqsError(
        'InvalidBatchEntryId',
        'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
      );
    }
    if (seen.has(id)) throw new SqsError('BatchEntryIdsNotDistinct', `Id ${id} repeated.`);
    seen.add(id);
  }
  return entries;
}

type EntryResult<Value> =
  | { readonly id: string; readonly value: Value }
  | { readonly id: string; readonly error: SqsError };

/**
 * Runs `action` for each entry of a batch. An entry that SQS refuses has its own error and does not stop the others.
 */
function perEntry<Entry extends BatchEntry, Value>(
  entries: readonly Entry[],
  action: (entry: Entry) => Value | Promise<Value>,
): Promise<EntryResult<Value>[]> {
  return Promise.all(
    entries.map(async (entry): Promise<EntryResult<Value>> => {
      const id = requireText(entry.Id, 'Id');
      try {
        return { id, value: await action(entry) };
      } catch (failure) {
        if (failure instanceof SqsError) return { id, error: failure };
        throw failure;
      }
    }),
  );
}

/** `successful` defaults to the ids of the entries without an error. */
function renderBatch(results: readonly EntryResult<unknown>[], successful?: readonly SqsResult[]): SqsResult {
  const failed = results.flatMap((result) =>
    'error' in result
      ? [{ Id: result.id, SenderFault: true, Code: result.error.code, Message: result.error.message }]
      : [],
  );
  const succeeded = successful ?? results.flatMap((result) => ('error' in result ? [] : [{ Id: result.id }]));
  return { Successful: succeeded, ...(failed.length > 0 && { Failed: failed }) };
}
