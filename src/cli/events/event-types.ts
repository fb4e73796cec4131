/** All events that `lamella event` can write: those of `sam local generate-event`, and those of Lamella's gateways. */
import { CLOUDFRONT_EVENTS } from './cloudfront-events.ts';
import type { EventType } from './event-type.ts';
import { GATEWAY_EVENTS } from './gateway-events.ts';
import { MESSAGING_EVENTS } from './messaging-events.ts';
import { OPERATIONS_EVENTS } from './operations-events.ts';
import { STREAM_EVENTS } from './stream-events.ts';
import { USER_EVENTS } from './user-events.ts';

export const EVENT_TYPES: readonly EventType[] = [
  ...GATEWAY_EVENTS,
  ...MESSAGING_EVENTS,
  ...STREAM_EVENTS,
  ...OPERATIONS_EVENTS,
  ...USER_EVENTS,
  ...CLOUDFRONT_EVENTS,
].sort((a, b) => a.service.localeCompare(b.service));

/** Fills in the fields: the given ones, the others with their defaults. */
export function buildEvent({ fields, build }: EventType, given: Readonly<Record<string, string>>): unknown {
  return build((name) => given[name] ?? fields[name] ?? '');
}
