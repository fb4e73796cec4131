/**
 * Carries what became of an event to the service that an ARN names. What a service is, is given: a function from ARN and
 * text to a promise.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import type { RequestId } from '../../protocol/names.ts';
import { parseFunctionReference, renderFunctionArn } from '../../protocol/names.ts';
import type { EventSender } from '../../services/events/schedules.ts';
import { isRecursive } from '../recursion.ts';
import { createTraces } from '../trace-header.ts';
import type { Delivery, MessageAttribute } from './async-destinations.ts';
import { renderBusEvent, renderObjectKey } from './async-destinations.ts';
import type { AsyncInvocations } from './async-invocations.ts';

export type OutgoingMessage = {
  readonly arn: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttribute>>;
  readonly traceId: string;
};

/** Resolves once the event is durable. What the trace's chain of calls has gone through is counted. */
export function createEventSender({
  accept,
  settings,
  clock,
}: {
  accept: AsyncInvocations['accept'];
  settings: Pick<FunctionSettings, 'directory' | 'recursion'>;
  clock: Clock;
}): EventSender {
  const traces = createTraces(clock);
  return async (arn, event, traceId) => {
    const { region, account, name, qualifier } = parseFunctionReference(arn) ?? {};
    if (!region || !account || !name) throw new Error(`${arn} is no ARN of a function`);
    const scope = { region, account };
    if (!settings.directory.has(scope, name, qualifier)) throw new Error(`the function ${arn} does not exist`);
    const trace = traces.start(traceId, renderFunctionArn(scope, name));
    await accept({
      scope,
      name,
      qualifier,
      requestId: randomUUID() as RequestId,
      payload: Buffer.from(event),
      traceId: trace.forFunction,
      isRecursive: isRecursive(settings, scope, name, trace),
    });
  };
}

/** The services that events are reported to. Each rejects when it cannot take what it is given. */
export type DeliveryServices = {
  readonly sendEvent: EventSender;
  readonly sendToQueue: (message: OutgoingMessage) => Promise<void>;
  readonly publish: (message: OutgoingMessage) => Promise<void>;
  readonly putEvent: (busArn: string, event: string) => Promise<void>;
  readonly putObject: (bucket: string, key: string, content: Buffer) => Promise<void>;
};

export function createDelivery(services: DeliveryServices): Delivery {
  return async (parcel) => {
    const { arn, body, traceId } = parcel;
    const [, , service = '', region = '', account = '', resource = ''] = arn.split(':');
    switch (service) {
      case 'lambda':
        return services.sendEvent(arn, body, traceId);
      case 'sqs':
        return services.sendToQueue(parcel);
      case 'sns':
        return services.publish(parcel);
      case 'events':
        return services.putEvent(arn, renderBusEvent(parcel, { id: randomUUID(), account, region }));
      case 's3':
        return services.putObject(resource, renderObjectKey(parcel.event, randomUUID()), Buffer.from(body));
      default:
        throw new Error(`Lamella delivers nothing to ${service || arn}`);
    }
  };
}
