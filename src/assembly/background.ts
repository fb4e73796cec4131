/**
 * Everything that invokes functions while nobody waits: asynchronous invocations, queues, topics, event source mappings,
 * schedules. Opens them in the order in which each needs the last, and closes them in reverse.
 */
import type { AdjustableClock, Clock } from '../clock.ts';
import { sleep } from '../clock.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { EventSourceMappings } from '../event-sources/event-source-mappings.ts';
import { createEventSources } from '../event-sources/event-sources.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import { createDelivery, createEventSender, type OutgoingMessage } from '../invocation/async/async-delivery.ts';
import { type AsyncInvocations, createAsyncInvocations } from '../invocation/async/async-invocations.ts';
import type { Log } from '../log.ts';
import type { MessageAttributes } from '../queues/message-attributes.ts';
import { createQueues } from '../queues/queue.ts';
import { createEventBus, type EventBus } from '../services/events/event-bus.ts';
import { createSchedules, type Schedules } from '../services/events/schedules.ts';
import { createSnsTopics, type SnsTopics } from '../services/sns/sns-topics.ts';
import { createQueueGateway, type QueueGateway } from '../services/sqs/queue-access.ts';
import { createRemoteQueues } from '../services/sqs/remote-queues.ts';
import { createSqsMessages, type SqsMessages } from '../services/sqs/sqs-messages.ts';
import { createSqsQueues, type SqsQueues } from '../services/sqs/sqs-queues.ts';
import type { Database } from '../storage/database.ts';

export type BackgroundOptions = {
  readonly database: Database;
  readonly settings: FunctionSettings;
  readonly eventSourceMappings: EventSourceMappings;
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly putObject: (bucket: string, key: string, content: Buffer) => Promise<void>;
  /** The clock of all that waits. */
  readonly clock: AdjustableClock;
  /** The wall clock. */
  readonly systemClock: Clock;
  readonly log: Log;
  readonly asyncRetrySeconds: readonly number[];
  readonly asyncConcurrency: number;
  /** SQS elsewhere, and with which keys. */
  readonly remoteSqs:
    | {
        readonly endpoint: string;
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        readonly sessionToken: string | undefined;
      }
    | undefined;
};

export type Background = {
  readonly asyncInvocations: Omit<AsyncInvocations, 'close'>;
  readonly sqsQueues: SqsQueues;
  readonly sqsMessages: SqsMessages;
  readonly topics: SnsTopics;
  readonly schedules: Omit<Schedules, 'close'>;
  readonly eventBus: EventBus;
  /** Why a queue cannot feed a function with this time-out, in AWS's words; undefined when it can. */
  readonly findSourceProblem: (queueArn: string, timeoutSeconds: number) => string | undefined;
  /** Starts nothing any more, and waits so long for what runs. A second call waits for the first. */
  stop(patienceMs: number): Promise<void>;
  /** After `stop`: writes what is left to write. */
  close(): void;
};

export function openBackground(options: BackgroundOptions): Background {
  const { database, settings, invoke, putObject, clock, log } = options;
  const queues = createQueues({ database, clock, log });
  const sqsQueues = createSqsQueues({ database, clock });
  const sqsMessages = createSqsMessages({ queues, sqsQueues, clock });
  const gateway: QueueGateway = options.remoteSqs
    ? createRemoteQueues({ ...options.remoteSqs, clock: options.systemClock })
    : createQueueGateway({ sqsQueues, sqsMessages });
  const eventBus = createEventBus({ database, clock });

  const asyncInvocations = createAsyncInvocations({
    queues,
    settings,
    invoke,
    deliver: (parcel) => deliver(parcel),
    clock,
    log,
    retrySeconds: options.asyncRetrySeconds,
    concurrency: options.asyncConcurrency,
  });
  const sendEvent = createEventSender({ accept: asyncInvocations.accept, settings, clock });
  const sendToQueue = (arn: string, body: string, attributes: MessageAttributes, traceId: string | undefined) =>
    gateway.send(arn, { body, attributes, traceId });
  const topics = createSnsTopics({ database, senders: { invoke: sendEvent, send: sendToQueue }, clock, log });
  const deliver = createDelivery({
    sendEvent,
    sendToQueue: ({ arn, body, attributes, traceId }) => sendToQueue(arn, body, attributesOf(attributes), traceId),
    async publish({ arn, body, attributes, traceId }) {
      const topic = topics.find(arn);
      if (topic === undefined) throw new Error(`the topic ${arn} does not exist`);
      await topics.publish(topic, { message: body, subject: undefined, attributes: attributesOf(attributes), traceId });
    },
    putEvent: eventBus.put,
    putObject,
  });
  const eventSources = createEventSources({
    mappings: options.eventSourceMappings,
    gateway,
    settings,
    invoke,
    clock,
    log,
  });
  const schedules = createSchedules({ database, send: sendEvent, clock, log });

  let stopping: Promise<void> | undefined;
  return {
    asyncInvocations,
    sqsQueues,
    sqsMessages,
    topics,
    schedules,
    eventBus,
    findSourceProblem(queueArn, timeoutSeconds) {
      if (options.remoteSqs !== undefined) return undefined;
      const queue = sqsQueues.findByArn(queueArn);
      if (queue === undefined) return NO_QUEUE;
      const visibility = Number(queue.attributes.VisibilityTimeout ?? 30);
      return visibility < timeoutSeconds
        ? `Queue visibility timeout: ${visibility} seconds is less than Function timeout: ${timeoutSeconds} seconds`
        : undefined;
    },
    stop(patienceMs) {
      stopping ??= Promise.race([
        (async () => {
          schedules.close();
          await Promise.all([eventSources.close(), asyncInvocations.close()]);
        })(),
        sleep(options.systemClock, patienceMs),
      ]);
      return stopping;
    },
    close: () => queues.close(),
  };
}

const NO_QUEUE =
  'Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. ' +
  'SQS Error Message: The specified queue does not exist.';

function attributesOf(attributes: OutgoingMessage['attributes']): MessageAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { type, value }]) => [name, { DataType: type, StringValue: value }]),
  );
}
