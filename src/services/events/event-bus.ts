/**
 * Where destinations of EventBridge arrive: events are kept, the newest of them, to be looked at. No rule matches them and
 * nobody receives them.
 */
import type { Clock } from '../../clock.ts';
import type { Database } from '../../storage/database.ts';

export type BusEvent = { readonly busArn: string; readonly event: unknown };

export type EventBus = {
  /** Keeps an event, given as JSON text. */
  put(busArn: string, event: string): Promise<void>;
  /** The newest last; of one bus, or of all. */
  list(busArn?: string | undefined): BusEvent[];
};

const KEPT = 1000;

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
        trim.run(lastInsertRowid - KEPT);
      });
    },
    list: (busArn) =>
      list.all({ bus: busArn ?? null }).map(({ bus, event }) => ({ busArn: bus, event: JSON.parse(event) })),
  };
}
