/**
 * The doors that are set up: kept in the database when the control endpoint set them, for this run only when they came
 * from the command line or the library. In the order in which they are asked. Function URLs are not among them: those
 * are functions' own.
 */
import type { Database } from '../storage/database.ts';
import { type DoorConfig, parseDoorConfig, renderDoorConfig } from './gateway-config.ts';

export type Doors = {
  /** By name. */
  all(): readonly DoorConfig[];
  get(name: string): DoorConfig | undefined;
  /** Sets or replaces, and keeps. @throws DoorConfigError */
  put(name: string, input: unknown): DoorConfig;
  /** Sets or replaces for this run. */
  add(config: DoorConfig): void;
  /** Whether there was one. */
  remove(name: string): boolean;
  /** Calls back after each change; answers how to stop that. */
  onChange(listener: () => void): () => void;
};

type Row = { readonly name: string; readonly document: string };

export function createDoors(database: Database): Doors {
  const sql = {
    all: database.prepare<Row>('SELECT name, document FROM door ORDER BY name'),
    put: database.prepare('INSERT OR REPLACE INTO door VALUES (:name, :document)'),
    remove: database.prepare('DELETE FROM door WHERE name = :name'),
  };
  const doors = new Map<string, DoorConfig>();
  const listeners = new Set<() => void>();
  for (const { name, document } of sql.all.all()) doors.set(name, parseDoorConfig(name, JSON.parse(document)));
  const sortByName = () => [...doors.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  let all: readonly DoorConfig[] = sortByName();
  const changed = () => {
    all = sortByName();
    for (const listener of listeners) listener();
  };

  return {
    all: () => all,
    get: (name) => doors.get(name),
    put(name, input) {
      const config = parseDoorConfig(name, input);
      sql.put.run({ name, document: JSON.stringify(renderDoorConfig(config)) });
      doors.set(name, config);
      changed();
      return config;
    },
    add(config) {
      doors.set(config.name, config);
      changed();
    },
    remove(name) {
      sql.remove.run({ name });
      const had = doors.delete(name);
      if (had) changed();
      return had;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
