/**
 * Sends a destination record to the service that its ARN names. The services are passed in as functions.
 */
import { randomUUID } from 'node:crypto';
import { parseArn } from '../../protocol/arn.ts';
import type { EventSender } from '../../services/events/schedules.ts';
import type { DestinationRecord, OutgoingMessage, SendToDestination } from './invocation-record.ts';
import { renderBusEvent, renderObjectKey } from './invocation-record.ts';

/** The services that can be destinations. Each function rejects when its service does not accept the record. */
export type DestinationServices = {
  readonly sendEvent: EventSender;
  readonly sendToQueue: (message: OutgoingMessage) => Promise<void>;
  readonly publish: (message: OutgoingMessage) => Promise<void>;
  readonly putEvent: (busArn: string, event: string) => Promise<void>;
  readonly putObject: (bucket: string, key: string, content: Buffer) => Promise<void>;
};

export function createSendToDestination(services: DestinationServices): SendToDestination {
  return async (record: DestinationRecord) => {
    const { arn, body, traceId, event } = record;
    const { service = '', region = '', account = '', resource = '' } = parseArn(arn) ?? {};
    switch (service) {
      case 'lambda':
        return services.sendEvent(arn, body, traceId);
      case 'sqs':
        return services.sendToQueue(record);
      case 'sns':
        return services.publish(record);
      case 'events':
        return services.putEvent(arn, renderBusEvent(record, { id: randomUUID(), account, region }));
      case 's3':
        return services.putObject(resource, renderObjectKey(event, randomUUID()), Buffer.from(body));
      default:
        throw new Error(`Lamella does not support ${service || `"${arn}"`} as a destination`);
    }
  };
}
