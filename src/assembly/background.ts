/**
 * Opens everything that invokes functions without a waiting client: asynchronous invocations and their destinations,
 * event source mappings, schedules.
 */
import type { AdjustableClock, Clock } from '../clock.ts';
import { sleep } from '../clock.ts';
import type { EventSourceMappings } from '../event-sources/event-source-mappings.ts';
import { createEventSources } from '../event-sources/event-sources.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import { type AsyncInvocations, createAsyncInvocations } from '../invocation/async/async-invocations.ts';
import { createEventSender } from '../invocation/async/event-sender.ts';
import type { OutgoingMessage } from '../invocation/async/invocation-record.ts';
import { createSendToDestination } from '../invocation/async/send-to-destination.ts';
import type { Dispatcher } from '../invocation/dispatcher.ts';
import type { Closeable } from '../lifetime.ts';
import type { Log } from '../log.ts';
import type { Options } from '../options.ts';
import { parseRuleArn, parseScheduleArn } from '../protocol/arn.ts';
import type { MessageAttributes } from '../queues/message-attributes.ts';
import { createSchedules, type EventSender, type Schedules } from '../services/events/schedules.ts';
import type { Database } from '../storage/database.ts';
import type { Services } from './services.ts';

export type BackgroundOptions = {
  readonly database: Database;
  readonly services: Pick<Services, 'queues' | 'queueAccess' | 'topics' | 'eventRules' | 'runSchedule' | 's3'>;
  readonly options: Pick<Options, 'asyncRetrySeconds' | 'asyncConcurrency'>;
  readonly settings: FunctionSettings;
  readonly eventSourceMappings: EventSourceMappings;
  readonly invoke: Dispatcher['invoke'];
  /** Time of retries, schedules and polling. */
  readonly backgroundClock: AdjustableClock;
  readonly clock: Clock;
  readonly log: Log;
};

export type Background = Closeable & {
  readonly asyncInvocations: Omit<AsyncInvocations, 'close'>;
  readonly schedules: Omit<Schedules, 'close'>;
  /** Invokes a function asynchronously. */
  readonly sendEvent: EventSender;
  /** Starts nothing new and waits at most `timeoutMs` for what is running. A second call waits for the first. */
  stop(timeoutMs: number): Promise<void>;
};

/** Resumes at once what an earlier service left. `close` writes pending queue changes: call `stop` first. */
export function openBackground({
  options,
  database,
  services,
  settings,
  eventSourceMappings,
  invoke,
  backgroundClock,
  clock,
  log,
}: BackgroundOptions): Background {
  const { queues, queueAccess } = services;
  const asyncInvocations = createAsyncInvocations({
    queues,
    settings,
    invoke,
    sendToDestination: (record) => sendToDestination(record),
    clock: backgroundClock,
    log,
    retrySeconds: options.asyncRetrySeconds,
    concurrency: options.asyncConcurrency,
  });
  const sendEvent = createEventSender({ accept: asyncInvocations.accept, settings, clock: backgroundClock });
  const sendToDestination = createSendToDestination({
    sendEvent,
    sendToQueue: ({ arn, body, attributes, traceId }) =>
      queueAccess.send(arn, { body, attributes: renderAttributes(attributes), traceId }),
    async publish({ arn, body, attributes, traceId }) {
      const topic = services.topics.find(arn);
      if (topic === undefined) throw new Error(`the topic ${arn} does not exist`);
      const publication = { message: body, subject: undefined, attributes: renderAttributes(attributes), traceId };
      await services.topics.publish(topic, publication);
    },
    putEvent: services.eventRules.put,
    putObject: services.s3.writeObject,
  });
  const eventSources = createEventSources({
    mappings: eventSourceMappings,
    queueAccess,
    settings,
    invoke,
    clock: backgroundClock,
    log,
  });
  const schedules = createSchedules({
    database,
    // The schedules of EventBridge's APIs name a rule, or themselves, instead of a function.
    send(arn, event, time) {
      if (parseRuleArn(arn) !== undefined) return services.eventRules.fire(arn, event);
      if (parseScheduleArn(arn) !== undefined) return services.runSchedule(arn, event, time);
      return sendEvent(arn, event, undefined);
    },
    clock: backgroundClock,
    log,
  });

  let stopping: Promise<void> | undefined;
  return {
    asyncInvocations,
    schedules,
    sendEvent,
    stop(timeoutMs) {
      stopping ??= Promise.race([
        (async () => {
          schedules.close();
          await Promise.all([eventSources.close(), asyncInvocations.close()]);
        })(),
        sleep(clock, timeoutMs),
      ]);
      return stopping;
    },
    // Before the environments are closed: the end of an invocation that is cut off then must not be counted as an
    // attempt.
    close: () => queues.close(),
  };
}

function renderAttributes(attributes: OutgoingMessage['attributes']): MessageAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { type, value }]) => [name, { DataType: type, StringValue: value }]),
  );
}
