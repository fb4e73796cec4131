/**
 * EventBridge: events, buses, rules and targets. Archives, connections and API destinations are refused by name.
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { EVENTS_OPERATIONS, EVENTS_TARGET_PREFIX } from '../../protocol/events-operations.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { createJsonApi } from '../../wire/json-protocol.ts';
import { createBusHandlers } from './bus-handlers.ts';
import type { EventRules } from './event-rules.ts';
import { createRuleHandlers } from './rule-handlers.ts';
import type { RuleStore } from './rule-store.ts';

export type EventsApiOptions = {
  readonly store: RuleStore;
  readonly rules: EventRules;
  readonly clock: Clock;
  readonly log: Log;
};

/** PutEvents takes 1 MiB, which JSON escapes can make six times as long. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;

/** Creates the API of EventBridge. */
export function createEventsApi(options: EventsApiOptions): ServiceApi {
  return createJsonApi({
    name: 'EventBridge',
    targetPrefix: EVENTS_TARGET_PREFIX,
    operations: EVENTS_OPERATIONS,
    handlers: { ...createBusHandlers(options), ...createRuleHandlers(options) },
    bodyLimitBytes: BODY_LIMIT_BYTES,
    log: options.log,
  });
}
