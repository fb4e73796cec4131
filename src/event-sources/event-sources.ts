/**
 * Keeps one poller for each event source mapping that is enabled and has something to poll here: queues. Streams and
 * brokers are stored by `event-sources/event-source-mappings.ts`, and nothing polls them.
 */
import type { Scope } from '../protocol/names.ts';
import type { EventSourceMapping, EventSourceMappings } from './event-source-mappings.ts';
import { type Poller, type PollerOptions, startSqsPoller } from './sqs/sqs-poller.ts';

export type EventSources = {
  /** Ends all pollers; resolves when their batches have ended. */
  close(): Promise<void>;
};

/** Starts what is there, and follows every change. */
export function createEventSources({
  mappings,
  ...options
}: PollerOptions & { readonly mappings: EventSourceMappings }): EventSources {
  const pollers = new Map<string, { readonly mapping: EventSourceMapping; readonly poller: Poller }>();
  const closing = new Set<Promise<void>>();

  const stop = (uuid: string) => {
    const known = pollers.get(uuid);
    if (known === undefined) return;
    pollers.delete(uuid);
    const closed = known.poller
      .close()
      .catch((failure: unknown) => options.log.error({ err: failure, mapping: uuid }, 'a poller did not end well'))
      .finally(() => closing.delete(closed));
    closing.add(closed);
  };

  const follow = (scope: Scope, uuid: string, mapping: EventSourceMapping | undefined) => {
    stop(uuid);
    if (mapping === undefined || mapping.state !== 'Enabled' || mapping.source !== 'sqs') return;
    pollers.set(uuid, { mapping, poller: startSqsPoller(scope, mapping, options) });
  };

  for (const { scope, mapping } of mappings.everywhere()) follow(scope, mapping.uuid, mapping);
  const forget = mappings.onChange(follow);

  return {
    async close() {
      forget();
      for (const uuid of [...pollers.keys()]) stop(uuid);
      await Promise.all(closing);
    },
  };
}
