/**
 * The configured gateways, by name. Those of the admin API and the library are stored in the database; those of
 * `--route` last until the service stops. Function URLs are not gateways here: they belong to their functions.
 */
import type { Database } from '../storage/database.ts';
import {
  type GatewayConfig,
  type ManagedAddress,
  parseGatewayConfig,
  parseManagedConfig,
  renderGatewayConfig,
} from './gateway-config.ts';

export type Gateways = {
  /** All gateways, sorted by name. */
  all(): readonly GatewayConfig[];
  get(name: string): GatewayConfig | undefined;
  /** Creates or replaces a gateway and stores it. @throws ConfigurationError */
  put(name: string, input: unknown): GatewayConfig;
  /** Creates or replaces a gateway without storing it. */
  add(config: GatewayConfig): void;
  /**
   * Replaces the gateways that belong to `owner`, such as the stages of one API. They are not stored: the owner sets them
   * again after a restart. @throws ConfigurationError
   */
  setManaged(owner: string, gateways: readonly ManagedGateway[]): void;
  /** Removes a gateway. Returns false for an unknown name. */
  remove(name: string): boolean;
  /** Calls `listener` after each change. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
};

/** A gateway that an operation of AWS creates: its JSON form, and where it is. `name` follows the owner's. */
export type ManagedGateway = { readonly name: string; readonly address: ManagedAddress; readonly input: unknown };

type Row = { readonly name: string; readonly document: string };

export function createGateways(database: Database): Gateways {
  // The table has the name that gateways had at first.
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
    setManaged(owner, given) {
      const prefix = `${owner}/`;
      const configs = given.map(({ name, address, input }) => parseManagedConfig(`${prefix}${name}`, address, input));
      for (const name of gateways.keys()) if (name.startsWith(prefix)) gateways.delete(name);
      for (const config of configs) gateways.set(config.name, config);
      changed();
    },
    remove(name) {
      sql.remove.run({ name });
      const existed = gateways.delete(name);
      if (existed) changed();
      return existed;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
