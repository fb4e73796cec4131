/** Event buses and rules with their targets, in the database. The bus `default` always exists. */
import type { Clock } from '../../clock.ts';
import { renderEventBusArn, renderRuleArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import type { TargetInput } from './input-transformer.ts';

export type Tags = Readonly<Record<string, string>>;

export type Bus = {
  readonly scope: Scope;
  readonly name: string;
  readonly arn: string;
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly description?: string | undefined;
  /** JSON text. Nothing evaluates it. */
  readonly policy?: string | undefined;
  readonly tags: Tags;
  /** Members that are stored and returned. */
  readonly recorded?: Readonly<Record<string, unknown>>;
};

export type RuleTarget = TargetInput & {
  readonly Id: string;
  readonly Arn: string;
  readonly RoleArn?: string | undefined;
  readonly SqsParameters?: { readonly MessageGroupId?: string | undefined } | undefined;
  readonly DeadLetterConfig?: { readonly Arn?: string | undefined } | undefined;
  readonly RetryPolicy?: object | undefined;
};

export type Rule = {
  readonly scope: Scope;
  readonly bus: string;
  readonly name: string;
  readonly arn: string;
  /** JSON text. A rule has a pattern, a schedule, or both. */
  readonly pattern?: string | undefined;
  readonly expression?: string | undefined;
  readonly state: string;
  readonly description?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly tags: Tags;
  readonly targets: readonly RuleTarget[];
};

export const DEFAULT_BUS = 'default';

export type RuleStore = {
  findBus(scope: Scope, name: string): Bus | undefined;
  saveBus(bus: Omit<Bus, 'arn' | 'createdMs' | 'modifiedMs'>): Bus;
  removeBus(bus: Bus): void;
  /** Ordered by name. */
  buses(scope: Scope): Bus[];
  findRule(scope: Scope, bus: string, name: string): Rule | undefined;
  saveRule(rule: Omit<Rule, 'arn'>): Rule;
  removeRule(rule: Rule): void;
  /** The rules of a bus, ordered by name. From memory after the first time. */
  rules(scope: Scope, bus: string): readonly Rule[];
};

export function createRuleStore({ database, clock }: { database: Database; clock: Clock }): RuleStore {
  type Row = { document: string };
  const inScope = 'region = :region AND account = :account';
  const sql = {
    saveBus: database.prepare('INSERT OR REPLACE INTO event_bus VALUES (:region, :account, :name, :document)'),
    findBus: database.prepare<Row>(`SELECT document FROM event_bus WHERE ${inScope} AND name = :name`),
    buses: database.prepare<Row>(`SELECT document FROM event_bus WHERE ${inScope} ORDER BY name`),
    removeBus: database.prepare(`DELETE FROM event_bus WHERE ${inScope} AND name = :name`),
    saveRule: database.prepare('INSERT OR REPLACE INTO event_rule VALUES (:region, :account, :bus, :name, :document)'),
    rules: database.prepare<Row>(`SELECT document FROM event_rule WHERE ${inScope} AND bus = :bus ORDER BY name`),
    removeRule: database.prepare(`DELETE FROM event_rule WHERE ${inScope} AND bus = :bus AND name = :name`),
  };
  const plain = ({ region, account }: Scope) => ({ region, account });
  const known = new Map<string, readonly Rule[]>();
  const keyOf = ({ region, account }: Scope, bus: string) => `${account}/${region}/${bus}`;

  const store: RuleStore = {
    findBus(scope, name) {
      const row = sql.findBus.get({ ...plain(scope), name });
      if (row !== undefined) return JSON.parse(row.document) as Bus;
      if (name !== DEFAULT_BUS) return undefined;
      return { scope, name, arn: renderEventBusArn(scope, name), createdMs: 0, modifiedMs: 0, tags: {} };
    },
    saveBus(draft) {
      const nowMs = Math.trunc(clock.epochMs());
      const createdMs = store.findBus(draft.scope, draft.name)?.createdMs ?? nowMs;
      const bus = { ...draft, arn: renderEventBusArn(draft.scope, draft.name), createdMs, modifiedMs: nowMs };
      sql.saveBus.run({ ...plain(bus.scope), name: bus.name, document: JSON.stringify(bus) });
      return bus;
    },
    removeBus: ({ scope, name }) => void sql.removeBus.run({ ...plain(scope), name }),
    buses(scope) {
      const stored = sql.buses.all(plain(scope)).map(({ document }) => JSON.parse(document) as Bus);
      if (stored.some(({ name }) => name === DEFAULT_BUS)) return stored;
      const all = [...stored, store.findBus(scope, DEFAULT_BUS) as Bus];
      return all.sort((one, other) => (one.name < other.name ? -1 : 1));
    },
    findRule: (scope, bus, name) => store.rules(scope, bus).find((rule) => rule.name === name),
    saveRule(draft) {
      const rule = { ...draft, arn: renderRuleArn(draft.scope, draft.name, draft.bus) };
      const { scope, bus, name } = rule;
      sql.saveRule.run({ ...plain(scope), bus, name, document: JSON.stringify(rule) });
      known.delete(keyOf(scope, bus));
      return rule;
    },
    removeRule({ scope, bus, name }) {
      sql.removeRule.run({ ...plain(scope), bus, name });
      known.delete(keyOf(scope, bus));
    },
    rules(scope, bus) {
      const key = keyOf(scope, bus);
      const found = known.get(key);
      if (found !== undefined) return found;
      const rules = sql.rules.all({ ...plain(scope), bus }).map(({ document }) => JSON.parse(document) as Rule);
      known.set(key, rules);
      return rules;
    },
  };
  return store;
}
