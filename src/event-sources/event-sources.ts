/**
 * Runs one poller for each enabled event source mapping of a queue. Mappings of streams and brokers are stored but not
 * polled.
 */
import type { Scope } from '../protocol/names.ts';
import type { EventSourceMappings } from './event-source-mappings.ts';
import type { EventSourceMapping } from './mapping-rules.ts';
import { type Poller, type PollerOptions, startSqsPoller } from './sqs/sqs-poller.ts';

export type EventSources = {
  /** Stops all pollers. Resolves when their batches have ended. */
  close(): Promise<void>;
};

/** Starts pollers for the existing mappings, and follows every change. */
export function createEventSources({
  mappings,
  ...options
}: PollerOptions & { readonly mappings: EventSourceMappings }): EventSources {
  const pollers = new Map<string, { readonly mapping: EventSourceMapping; readonly poller: Poller }>();
  const closing = new Set<Promise<void>>();

  const stop = (uuid: string) => {
    const running = pollers.get(uuid);
    if (running === undefined) return;
    pollers.delete(uuid);
    const closed = running.poller
      .close()
      .catch((failure: unknown) => options.log.error({ err: failure, mapping: uuid }, 'poller failed to stop'))
      .finally(() => closing.delete(closed));
    closing.add(closed);
  };

  const follow = (scope: Scope, uuid: string, mapping: EventSourceMapping | undefined) => {
    stop(uuid);
    if (mapping === undefined || mapping.state !== 'Enabled' || mapping.source !== 'sqs') return;
    pollers.set(uuid, { mapping, poller: startSqsPoller(scope, mapping, options) });
  };

  for (const { scope, mapping } of mappings.everywhere()) follow(scope, mapping.uuid, mapping);
  const unfollow = mappings.onChange(follow);

  return {
    async close() {
      unfollow();
      for (const uuid of [...pollers.keys()]) stop(uuid);
      await Promise.all(closing);
    },
  };
}
