/**
 * SQS's API over the queues: what each operation takes and answers, in AWS's names and words. How that is written on the
 * wire is in `sqs-wire.ts`; what a queue does is in `queues/`.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseQueueArn, renderAccountArn } from '../../protocol/arn.ts';
import { SQS_ATTRIBUTES, SQS_QUOTAS, type SqsOperationName } from '../../protocol/sqs-operations.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import { md5Of, md5OfAttributes, selectAttributes } from '../../queues/message-attributes.ts';
import { invalidParameter, missingParameter, SqsError } from '../../queues/sqs-error.ts';
import type { ApiCall, ServiceHandler } from '../../wire/api-call.ts';
import type { OutgoingSqsMessage, SqsMessage, SqsMessages } from './sqs-messages.ts';
import type { SqsQueue, SqsQueues } from './sqs-queues.ts';
import { attributeOf } from './sqs-queues.ts';
import { createSqsWire, type SqsOperation } from './sqs-wire.ts';

export type SqsApiOptions = {
  readonly sqsQueues: SqsQueues;
  readonly sqsMessages: SqsMessages;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the service begins to close: who waits for messages is answered then. */
  readonly closing: AbortSignal;
};

type Input = Readonly<Record<string, unknown>>;
type Answer = Readonly<Record<string, unknown>>;

/** Answers for SQS. */
export function createSqsApi({ sqsQueues, sqsMessages, clock, log, closing }: SqsApiOptions): ServiceHandler {
  // As many as like wait at the same time.
  setMaxListeners(0, closing);
  /** Moves that were asked for; they are done when they are answered. */
  const moves: { readonly source: string; readonly task: Answer }[] = [];

  const queueOf = (input: Input, { scope }: ApiCall): SqsQueue => {
    const url = textOf(input, 'QueueUrl');
    const [, account, name] = /(?:^|\/)(\d{12})\/([^/?]+)\/?$/.exec(url) ?? [];
    if (!account || !name) {
      // A bare name is taken too, as AWS does.
      if (/^[A-Za-z0-9_-]+$/.test(url)) return sqsQueues.get(scope, url);
      throw new SqsError('QueueDoesNotExist', 'The specified queue does not exist.');
    }
    return sqsQueues.get({ region: scope.region, account }, name);
  };
  const urlOf = ({ scope: { account }, name }: SqsQueue, { baseUrl }: ApiCall) => `${baseUrl}/${account}/${name}`;
  const queueNamedByArn = (input: Input, name: string): SqsQueue => {
    const arn = textOf(input, name);
    if (parseQueueArn(arn) === undefined) {
      throw new SqsError(
        'InvalidParameterValue',
        `You must use this format to specify the ${name}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
      );
    }
    const queue = sqsQueues.findByArn(arn);
    if (queue !== undefined) return queue;
    throw new SqsError(
      'ResourceNotFoundException',
      `The resource that you specified for the ${name} parameter doesn't exist.`,
    );
  };

  /** With a signal that aborts when the client goes away or the service closes. `AbortSignal.any` leaks in Node.js 20. */
  const untilEnd = async <Result>(
    { response }: ApiCall,
    wait: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> => {
    const ended = new AbortController();
    const end = () => ended.abort();
    if (closing.aborted) end();
    closing.addEventListener('abort', end);
    response.once('close', end);
    return wait(ended.signal).finally(() => closing.removeEventListener('abort', end));
  };

  const operations: { readonly [Name in SqsOperationName]: SqsOperation } = {
    CreateQueue(input, call) {
      const queue = sqsQueues.create(
        call.scope,
        textOf(input, 'QueueName'),
        textsOf(input, 'Attributes'),
        textsOf(input, 'tags'),
      );
      return { QueueUrl: urlOf(queue, call) };
    },
    GetQueueUrl(input, call) {
      const account = optionalText(input, 'QueueOwnerAWSAccountId') ?? call.scope.account;
      return { QueueUrl: urlOf(sqsQueues.get({ ...call.scope, account }, textOf(input, 'QueueName')), call) };
    },
    ListQueues(input, call) {
      const { count, after } = pageOf(input);
      const found = sqsQueues.list(call.scope, optionalText(input, 'QueueNamePrefix') ?? '', after, count + 1);
      return renderPage('QueueUrls', found, count, (queue) => urlOf(queue, call), input.MaxResults !== undefined);
    },
    ListDeadLetterSourceQueues(input, call) {
      const { count, after } = pageOf(input);
      const found = sqsQueues.sourcesOf(queueOf(input, call)).filter(({ name }) => name > after);
      return renderPage('queueUrls', found, count, (queue) => urlOf(queue, call), true);
    },
    async DeleteQueue(input, call) {
      const queue = queueOf(input, call);
      sqsQueues.remove(queue);
      await sqsMessages.clear(queue);
      return {};
    },
    GetQueueAttributes(input, call) {
      const queue = queueOf(input, call);
      return { Attributes: renderAttributes(queue, sqsMessages, listOf(input, 'AttributeNames')) };
    },
    SetQueueAttributes(input, call) {
      sqsQueues.setAttributes(queueOf(input, call), textsOf(input, 'Attributes'));
      return {};
    },
    ListQueueTags(input, call) {
      const { tags } = queueOf(input, call);
      return Object.keys(tags).length > 0 ? { Tags: tags } : {};
    },
    TagQueue(input, call) {
      const queue = queueOf(input, call);
      const tags = { ...queue.tags, ...textsOf(input, 'Tags') };
      if (Object.keys(tags).length > 50) {
        throw new SqsError('InvalidParameterValue', `Too many tags added for queue ${queue.name}.`);
      }
      sqsQueues.setTags(queue, tags);
      return {};
    },
    UntagQueue(input, call) {
      const queue = queueOf(input, call);
      const gone = new Set(listOf(input, 'TagKeys'));
      sqsQueues.setTags(queue, Object.fromEntries(Object.entries(queue.tags).filter(([key]) => !gone.has(key))));
      return {};
    },

    async SendMessage(input, call) {
      const [sent] = await sqsMessages.send(queueOf(input, call), [outgoingOf(input, call)]);
      return {
        MessageId: sent?.messageId,
        MD5OfMessageBody: sent?.md5OfBody,
        MD5OfMessageAttributes: sent?.md5OfAttributes,
        MD5OfMessageSystemAttributes: sent?.md5OfSystemAttributes,
      };
    },
    async SendMessageBatch(input, call) {
      const queue = queueOf(input, call);
      const entries = entriesOf(input, 'SendMessageBatchRequestEntry');
      const judged = entries.map((entry) =>
        judge(entry, () => {
          const message = outgoingOf(entry, call);
          return { message, size: sqsMessages.check(queue, message, true) };
        }),
      );
      const fit = judged.flatMap((entry) => ('value' in entry ? [entry] : []));
      const size = fit.reduce((sum, { value }) => sum + value.size, 0);
      if (size > SQS_QUOTAS.messageBytes) {
        throw new SqsError(
          'BatchRequestTooLong',
          `Batch requests cannot be longer than ${SQS_QUOTAS.messageBytes} bytes. You have sent ${size} bytes.`,
        );
      }
      const sent = await sqsMessages.send(
        queue,
        fit.map(({ value }) => value.message),
      );
      return renderBatch(
        judged,
        fit.map(({ id }, index) => ({
          Id: id,
          MessageId: sent[index]?.messageId,
          MD5OfMessageBody: sent[index]?.md5OfBody,
          MD5OfMessageAttributes: sent[index]?.md5OfAttributes,
          MD5OfMessageSystemAttributes: sent[index]?.md5OfSystemAttributes,
        })),
      );
    },
    async ReceiveMessage(input, call) {
      const queue = queueOf(input, call);
      const within = (name: string, min: number, max: number, reason: string) => {
        const value = optionalNumber(input, name);
        if (value !== undefined && (value < min || value > max)) throw invalidParameter(name, value, reason);
        return value;
      };
      const request = {
        count: within('MaxNumberOfMessages', 1, 10, 'Must be between 1 and 10, if provided.') ?? 1,
        visibilitySeconds: within('VisibilityTimeout', 0, 43_200, 'Must be between 0 and 43200, if provided.'),
        waitSeconds: within('WaitTimeSeconds', 0, 20, 'Must be >= 0 and <= 20, if provided.'),
      };
      const messages = await untilEnd(call, (signal) => sqsMessages.receive(queue, { ...request, signal }));
      if (messages.length === 0) return {};
      const system = [...listOf(input, 'AttributeNames'), ...listOf(input, 'MessageSystemAttributeNames')];
      const wanted = listOf(input, 'MessageAttributeNames');
      return { Messages: messages.map((message) => renderMessage(message, system, wanted)) };
    },
    async DeleteMessage(input, call) {
      await sqsMessages.remove(queueOf(input, call), [textOf(input, 'ReceiptHandle')]);
      return {};
    },
    async DeleteMessageBatch(input, call) {
      const queue = queueOf(input, call);
      const entries = entriesOf(input, 'DeleteMessageBatchRequestEntry');
      const judged = await Promise.all(
        entries.map((entry) => judge(entry, () => sqsMessages.remove(queue, [textOf(entry, 'ReceiptHandle')]))),
      );
      return renderBatch(judged);
    },
    async ChangeMessageVisibility(input, call) {
      await changeVisibility(queueOf(input, call), input);
      return {};
    },
    async ChangeMessageVisibilityBatch(input, call) {
      const queue = queueOf(input, call);
      const entries = entriesOf(input, 'ChangeMessageVisibilityBatchRequestEntry');
      return renderBatch(await Promise.all(entries.map((entry) => judge(entry, () => changeVisibility(queue, entry)))));
    },
    async PurgeQueue(input, call) {
      await sqsMessages.purge(queueOf(input, call));
      return {};
    },

    async StartMessageMoveTask(input) {
      const source = queueNamedByArn(input, 'SourceArn');
      if (sqsQueues.sourcesOf(source).length === 0) {
        throw new SqsError('InvalidParameterValue', 'Source queue must be configured as a Dead Letter Queue.');
      }
      const target = input.DestinationArn === undefined ? undefined : queueNamedByArn(input, 'DestinationArn');
      const waiting = sqsMessages.counts(source).visible;
      const startedMs = Math.trunc(clock.epochMs());
      const moved = await sqsMessages.redrive(source, target);
      const handle = Buffer.from(JSON.stringify({ taskId: randomUUID(), sourceArn: source.arn })).toString('base64');
      const task = {
        ApproximateNumberOfMessagesMoved: moved,
        ApproximateNumberOfMessagesToMove: waiting,
        DestinationArn: target?.arn,
        MaxNumberOfMessagesPerSecond: optionalNumber(input, 'MaxNumberOfMessagesPerSecond'),
        SourceArn: source.arn,
        StartedTimestamp: startedMs,
        Status: 'COMPLETED',
      };
      moves.unshift({ source: source.arn, task });
      moves.splice(1000);
      return { TaskHandle: handle };
    },
    ListMessageMoveTasks(input) {
      const { arn } = queueNamedByArn(input, 'SourceArn');
      const count = optionalNumber(input, 'MaxResults') ?? 1;
      return {
        Results: moves
          .filter(({ source }) => source === arn)
          .slice(0, count)
          .map(({ task }) => task),
      };
    },
    CancelMessageMoveTask() {
      // A move is over before its handle is known.
      throw new SqsError('ResourceNotFoundException', 'Task does not exist.');
    },

    AddPermission(input, call) {
      const queue = queueOf(input, call);
      const statements = statementsOf(queue);
      const label = textOf(input, 'Label');
      if (statements.some(({ Sid }) => Sid === label)) {
        throw invalidParameter('Label', label, 'Already exists.');
      }
      const statement = {
        Sid: label,
        Effect: 'Allow',
        Principal: {
          AWS: oneOrMany(
            listOf(input, 'AWSAccountIds').map((account) => renderAccountArn({ ...queue.scope, account })),
          ),
        },
        Action: oneOrMany(listOf(input, 'Actions').map((action) => `SQS:${action}`)),
        Resource: queue.arn,
      };
      setStatements(queue, [...statements, statement]);
      return {};
    },
    RemovePermission(input, call) {
      const queue = queueOf(input, call);
      const statements = statementsOf(queue);
      const label = textOf(input, 'Label');
      const left = statements.filter(({ Sid }) => Sid !== label);
      if (left.length === statements.length) {
        throw invalidParameter('Label', label, "can't find label.");
      }
      setStatements(queue, left);
      return {};
    },
  };

  function setStatements(queue: SqsQueue, Statement: readonly PolicyStatement[]): void {
    const policy = { Version: '2008-10-17', Id: `${queue.arn}/SQSDefaultPolicy`, Statement };
    sqsQueues.setAttributes(queue, { Policy: Statement.length === 0 ? '' : JSON.stringify(policy) });
  }

  async function changeVisibility(queue: SqsQueue, input: Input): Promise<void> {
    const seconds = optionalNumber(input, 'VisibilityTimeout');
    if (seconds === undefined) throw missingParameter('VisibilityTimeout');
    if (seconds < 0 || seconds > SQS_QUOTAS.visibilitySeconds) {
      throw invalidParameter('VisibilityTimeout', seconds, 'VisibilityTimeout must be an integer between 0 and 43200');
    }
    await sqsMessages.changeVisibility(queue, textOf(input, 'ReceiptHandle'), seconds);
  }

  return createSqsWire({ operations, log });
}

function outgoingOf(input: Input, { accessKeyId, scope, request }: ApiCall): OutgoingSqsMessage {
  const trace = request.headers['x-amzn-trace-id'];
  if (typeof input.MessageBody !== 'string') throw missingParameter('MessageBody');
  return {
    body: input.MessageBody,
    groupId: input.MessageGroupId as string | undefined,
    attributes: attributesOf(input, 'MessageAttributes'),
    systemAttributes: attributesOf(input, 'MessageSystemAttributes'),
    delaySeconds: optionalNumber(input, 'DelaySeconds'),
    traceHeader: Array.isArray(trace) ? trace[0] : trace,
    senderId: accessKeyId?.startsWith('A') ? accessKeyId : scope.account,
  };
}

function attributesOf(input: Input, name: string): MessageAttributes {
  const given = (input[name] ?? {}) as MessageAttributes;
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

function renderMessage(message: SqsMessage, system: readonly string[], wanted: readonly string[]): Answer {
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

function renderAttributes(queue: SqsQueue, messages: SqsMessages, names: readonly string[]): Answer | undefined {
  const { visible, leased, delayed } = messages.counts(queue);
  const all: Record<string, string | undefined> = {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(leased),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    CreatedTimestamp: String(Math.floor(queue.createdMs / 1000)),
    LastModifiedTimestamp: String(Math.floor(queue.modifiedMs / 1000)),
  };
  for (const name of Object.keys(SQS_ATTRIBUTES)) all[name] = attributeOf(queue, name);
  for (const name of names) {
    if (name !== 'All' && !Object.hasOwn(all, name) && !FIFO_ATTRIBUTES.has(name)) {
      throw new SqsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    }
  }
  const chosen = Object.entries(all).filter(
    ([name, value]) => value !== undefined && (names.includes('All') || names.includes(name)),
  );
  return chosen.length > 0 ? Object.fromEntries(chosen) : undefined;
}

const FIFO_ATTRIBUTES: ReadonlySet<string> = new Set([
  'FifoQueue',
  'ContentBasedDeduplication',
  'DeduplicationScope',
  'FifoThroughputLimit',
]);

type Judged<Value> = { readonly id: string; readonly value: Value } | { readonly id: string; readonly error: SqsError };

/** One entry of a batch: what came of it, or its own refusal. */
function judge<Value>(entry: Input, run: () => Promise<Value>): Promise<Judged<Value>>;
function judge<Value>(entry: Input, run: () => Value): Judged<Value>;
function judge(entry: Input, run: () => unknown): unknown {
  const id = textOf(entry, 'Id');
  const refuse = (failure: unknown) => {
    if (failure instanceof SqsError) return { id, error: failure };
    throw failure;
  };
  try {
    const value = run();
    return value instanceof Promise ? value.then(() => ({ id, value: undefined }), refuse) : { id, value };
  } catch (failure) {
    return refuse(failure);
  }
}

function renderBatch(judged: readonly Judged<unknown>[], successful?: readonly Answer[]): Answer {
  const failed = judged.flatMap((entry) =>
    'error' in entry ? [{ Id: entry.id, SenderFault: true, Code: entry.error.code, Message: entry.error.message }] : [],
  );
  const succeeded = successful ?? judged.flatMap((entry) => ('error' in entry ? [] : [{ Id: entry.id }]));
  return { Successful: succeeded, ...(failed.length > 0 && { Failed: failed }) };
}

function entriesOf(input: Input, what: string): readonly Input[] {
  const entries = (input.Entries ?? []) as readonly Input[];
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
  for (const entry of entries) {
    const id = optionalText(entry, 'Id') ?? '';
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

function pageOf(input: Input): { readonly count: number; readonly after: string } {
  const count = optionalNumber(input, 'MaxResults') ?? SQS_QUOTAS.listResults;
  if (count < 1 || count > SQS_QUOTAS.listResults) {
    throw invalidParameter('MaxResults', count, 'MaxResults must be an integer between 1 and 1000.');
  }
  return { count, after: Buffer.from(optionalText(input, 'NextToken') ?? '', 'base64').toString('utf8') };
}

/** A client that did not say how many it can take is not told of more. */
function renderPage(
  member: string,
  found: readonly SqsQueue[],
  count: number,
  render: (queue: SqsQueue) => string,
  hasToken: boolean,
): Answer {
  const page = found.slice(0, count);
  const last = page.at(-1);
  const token = hasToken && found.length > count && last ? Buffer.from(last.name).toString('base64') : undefined;
  return { [member]: page.length > 0 ? page.map(render) : undefined, NextToken: token };
}

/** A list of one is written without its brackets in policies. */
function oneOrMany(texts: readonly string[]): string | readonly string[] {
  const [only] = texts;
  return texts.length === 1 && only !== undefined ? only : texts;
}

type PolicyStatement = Readonly<Record<string, unknown>>;

function statementsOf({ attributes }: SqsQueue): readonly PolicyStatement[] {
  if (attributes.Policy === undefined) return [];
  const { Statement } = JSON.parse(attributes.Policy) as { readonly Statement?: unknown };
  return Array.isArray(Statement) ? (Statement as PolicyStatement[]) : [];
}

// The wire has checked that what is there has the type of its table.

function optionalText(input: Input, name: string): string | undefined {
  return (input[name] as string | undefined) || undefined;
}

function textOf(input: Input, name: string): string {
  const text = optionalText(input, name);
  if (text === undefined) throw missingParameter(name);
  return text;
}

function optionalNumber(input: Input, name: string): number | undefined {
  return input[name] as number | undefined;
}

function listOf(input: Input, name: string): readonly string[] {
  return (input[name] ?? []) as readonly string[];
}

function textsOf(input: Input, name: string): Readonly<Record<string, string>> {
  return (input[name] ?? {}) as Readonly<Record<string, string>>;
}
