/**
 * The gateways that are set up: kept in the database when the control endpoint set them, for this run only when they came
 * from the command line or the library. In the order in which they are asked. Function URLs are not among them: those
 * are functions' own.
 */
import type { Database } from '../storage/database.ts';
import { type GatewayConfig, parseGatewayConfig, renderGatewayConfig } from './gateway-config.ts';

export type Gateways = {
  /** By name. */
  all(): readonly GatewayConfig[];
  get(name: string): GatewayConfig | undefined;
  /** Sets or replaces, and keeps. @throws ConfigurationError */
  put(name: string, input: unknown): GatewayConfig;
  /** Sets or replaces for this run. */
  add(config: GatewayConfig): void;
  /** Whether there was one. */
  remove(name: string): boolean;
  /** Calls back after each change; answers how to stop that. */
  onChange(listener: () => void): () => void;
};

type Row = { readonly name: string; readonly document: string };

export function createGateways(database: Database): Gateways {
  const sql = {
    all: database.prepare<Row>('SELECT name, document FROM door ORDER BY name'),
    put: database.prepare('INSERT OR REPLACE INTO door VALUES (:name, :document)'),
    remove: database.prepare('DELETE FROM door WHERE name = :name'),
  };
  const gateways = new Map<string, GatewayConfig>();
  const listeners = new Set<() => void>();
  for (const { name, document } of sql.all.all()) gateways.set(name, parseGatewayConfig(name, JSON.parse(document)));
  const sortByName = () => [...gateways.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  let all: readonly GatewayConfig[] = sortByName();
  const changed = () => {
    all = sortByName();
    for (const listener of listeners) listener();
  };

  return {
    all: () => all,
    get: (name) => gateways.get(name),
    put(name, input) {
      const config = parseGatewayConfig(name, input);
      sql.put.run({ name, document: JSON.stringify(renderGatewayConfig(config)) });
      gateways.set(name, config);
      changed();
      return config;
    },
    add(config) {
      gateways.set(config.name, config);
      changed();
    },
    remove(name) {
      sql.remove.run({ name });
      const had = gateways.delete(name);
      if (had) changed();
      return had;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
