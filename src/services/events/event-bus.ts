/**
 * Event buses of EventBridge as destinations of functions: stores the latest events, which the admin API shows. There
 * are no rules, so nothing receives the events.
 */
import type { Clock } from '../../clock.ts';
import type { Database } from '../../storage/database.ts';

export type BusEvent = { readonly busArn: string; readonly event: unknown };

export type EventBus = {
  /** Stores an event, which is JSON text. */
  put(busArn: string, event: string): Promise<void>;
  /** The events of one bus, or of all buses. The newest is last. */
  list(busArn?: string | undefined): BusEvent[];
};

/** Number of stored events, over all buses. */
const KEPT_EVENTS = 1000;

export function createEventBus({ database, clock }: { database: Database; clock: Clock }): EventBus {
  const insert = database.prepare('INSERT INTO bus_event (bus, event, at_ms) VALUES (?, ?, ?)');
  const trim = database.prepare('DELETE FROM bus_event WHERE id <= ?');
  const list = database.prepare<{ bus: string; event: string }>(
    'SELECT bus, event FROM bus_event WHERE bus = coalesce(:bus, bus) ORDER BY id',
  );
  return {
    async put(busArn, event) {
      database.transaction(() => {
        const { lastInsertRowid } = insert.run(busArn, event, Math.trunc(clock.epochMs()));
        trim.run(lastInsertRowid - KEPT_EVENTS);
      });
    },
    list: (busArn) =>
      list.all({ bus: busArn ?? null }).map(({ bus, event }) => ({ busArn: bus, event: JSON.parse(event) })),
  };
}
