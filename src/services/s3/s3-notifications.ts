/**
 * Sends the events of buckets to functions, queues, topics and EventBridge, and checks the destinations of a configuration as
 * S3 does. An event is durable, or its failure is in the log, before the response to the request that caused it.
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { renderBucketArn, renderEventBusArn } from '../../protocol/arn.ts';
import {
  type Notification,
  type NotificationConfig,
  notificationsFor,
  parseNotificationXml,
  renderNotificationXml,
} from './notification-config.ts';
import {
  type ChangeCause,
  type ObjectChange,
  type Occurrence,
  renderRecord,
  renderS3BusEvent,
  renderTestEvent,
} from './notification-records.ts';
import type { Bucket, S3Store } from './s3-store.ts';
import { S3Error } from './s3-wire.ts';

/** The services that can be destinations. Senders reject if the destination does not exist. */
export type NotificationServices = {
  readonly invoke: (functionArn: string, event: string, traceId: string | undefined) => Promise<void>;
  readonly send: (queueArn: string, body: string, traceId: string | undefined) => Promise<void>;
  readonly publish: (topicArn: string, message: string, traceId: string | undefined) => Promise<void>;
  readonly putEvent: (busArn: string, event: string, traceId: string | undefined) => Promise<void>;
  readonly queueExists: (arn: string) => Promise<boolean>;
  readonly topicExists: (arn: string) => boolean;
  /** Whether the policy of the function allows S3 to invoke it for the bucket. */
  readonly mayInvoke: (functionArn: string, bucketArn: string, account: string) => boolean;
};

export type S3Notifications = {
  /** Sends the events of a change. Failures are logged. */
  notify(bucket: Bucket, change: ObjectChange, cause: ChangeCause): Promise<void>;
  /** Sets the configuration of a bucket and sends test events. @throws S3Error */
  configure(
    bucket: Bucket,
    config: NotificationConfig,
    request: { readonly requestId: string; readonly skipsValidation: boolean },
  ): Promise<void>;
};

export type S3NotificationsOptions = {
  readonly store: S3Store;
  readonly services: NotificationServices;
  readonly clock: Clock;
  readonly log: Log;
};

const SETTING = 'notification';

export function createS3Notifications({ store, services, clock, log }: S3NotificationsOptions): S3Notifications {
  const parsed = new Map<string, { readonly document: string; readonly config: NotificationConfig | undefined }>();
  let sequence = 0n;

  const configOf = (bucket: Bucket): NotificationConfig | undefined => {
    const document = store.configuration(bucket.name, SETTING);
    if (document === undefined) return undefined;
    const known = parsed.get(bucket.name);
    if (known?.document === document) return known.config;
    const config = readStored(document);
    parsed.set(bucket.name, { document, config });
    return config;
  };

  const nextSequencer = (): string => {
    const fromTime = BigInt(Math.trunc(clock.epochMs())) << 20n;
    sequence = fromTime > sequence ? fromTime : sequence + 1n;
    return sequence.toString(16).toUpperCase().padStart(18, '0');
  };

  const deliver = ({ kind, arn }: Notification, text: string, traceId: string | undefined): Promise<void> => {
    if (kind === 'CloudFunction') return services.invoke(arn, text, traceId);
    return kind === 'Queue' ? services.send(arn, text, traceId) : services.publish(arn, text, traceId);
  };

  const attempt = async (bucket: Bucket, destination: string, delivery: () => Promise<void>): Promise<void> => {
    try {
      await delivery();
    } catch (failure) {
      log.warn({ err: failure, bucket: bucket.name, destination }, 'cannot send the event of a bucket');
    }
  };

  return {
    async notify(bucket, change, cause) {
      const config = configOf(bucket);
      if (config === undefined) return;
      const wanted = notificationsFor(config, change.event, change.key);
      if (wanted.length === 0 && !config.eventBridge) return;
      const occurrence: Occurrence = { bucket, change, cause, timeMs: clock.epochMs(), sequencer: nextSequencer() };
      await Promise.all([
        ...wanted.map((notification) => {
          const text = JSON.stringify({ Records: [renderRecord(occurrence, notification.id)] });
          return attempt(bucket, notification.arn, () => deliver(notification, text, cause.traceId));
        }),
        config.eventBridge &&
          attempt(bucket, 'EventBridge', () =>
            services.putEvent(renderEventBusArn(bucket.scope, 'default'), renderS3BusEvent(occurrence), cause.traceId),
          ),
      ]);
    },

    async configure(bucket, config, { requestId, skipsValidation }) {
      if (!skipsValidation) await checkDestinations(bucket, config, services);
      store.setConfiguration(bucket.name, SETTING, renderNotificationXml(config));
      if (skipsValidation) return;
      const text = renderTestEvent(bucket, requestId, clock.epochMs());
      const tested = config.notifications.filter(({ kind }) => kind !== 'CloudFunction');
      await Promise.all(
        tested.map((notification) => attempt(bucket, notification.arn, () => deliver(notification, text, undefined))),
      );
    },
  };
}

/** A configuration that an older version stored unchecked may not be valid: then it has no effect. */
function readStored(document: string): NotificationConfig | undefined {
  try {
    return parseNotificationXml(document);
  } catch (failure) {
    if (failure instanceof S3Error) return undefined;
    throw failure;
  }
}

/** @throws S3Error that names each destination and its problem, in S3's words */
async function checkDestinations(
  bucket: Bucket,
  { notifications }: NotificationConfig,
  services: NotificationServices,
): Promise<void> {
  const bucketArn = renderBucketArn(bucket.scope.region, bucket.name);
  const found = await Promise.all(
    notifications.map(async ({ kind, arn }) => {
      switch (kind) {
        case 'CloudFunction':
          return services.mayInvoke(arn, bucketArn, bucket.scope.account)
            ? []
            : [[`${arn}, null`, `Not authorized to invoke function [${arn}]`]];
        case 'Queue':
          if (arn.endsWith('.fifo')) return [[arn, 'FIFO queues are not supported as destinations']];
          return (await services.queueExists(arn)) ? [] : [[arn, 'The destination queue does not exist']];
        case 'Topic':
          return services.topicExists(arn) ? [] : [[arn, 'The destination topic does not exist']];
      }
    }),
  );
  const problems = found.flat();
  if (problems.length === 0) return;
  const members = problems.flatMap(([name, value], index) => [
    [`ArgumentName${index + 1}`, name],
    [`ArgumentValue${index + 1}`, value],
  ]);
  const message = 'Unable to validate the following destination configurations';
  throw new S3Error('InvalidArgument', Object.fromEntries(members), message);
}
