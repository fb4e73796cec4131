/** What Lamella keeps about a table beside the engine: whether it is protected, and its time to live. */
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';

/** A change of a table's indexes that is in progress (`rebuild-table.ts`). */
export type Rebuild = {
  /** `copying`: the table is whole. `copied`: its copy is. */
  readonly phase: 'copying' | 'copied';
  /** The members of CreateTable, without the name. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly tags: unknown;
};

export type TableSettings = {
  readonly isProtected: boolean;
  /** The attribute with an item's time of expiry. Items do not expire here. */
  readonly timeToLive: string | undefined;
  readonly rebuild?: Rebuild | undefined;
};

export type TableSettingsStore = {
  get(scope: Scope, table: string): TableSettings;
  set(scope: Scope, table: string, changes: Partial<TableSettings>): void;
  remove(scope: Scope, table: string): void;
  /** The rebuilds of a region that have not ended. */
  rebuilds(scope: Scope): readonly { readonly table: string; readonly rebuild: Rebuild }[];
};

export function createTableSettings(database: Database): TableSettingsStore {
  const ofTable = 'region = :region AND account = :account AND name = :name';
  const sql = {
    get: database.prepare<{ document: string }>(`SELECT document FROM dynamodb_table WHERE ${ofTable}`),
    set: database.prepare('INSERT OR REPLACE INTO dynamodb_table VALUES (:region, :account, :name, :document)'),
    remove: database.prepare(`DELETE FROM dynamodb_table WHERE ${ofTable}`),
    all: database.prepare<{ name: string; document: string }>(
      'SELECT name, document FROM dynamodb_table WHERE region = :region AND account = :account',
    ),
  };
  const keyOf = ({ region, account }: Scope, name: string) => ({ region, account, name });
  const store: TableSettingsStore = {
    get(scope, table) {
      const row = sql.get.get(keyOf(scope, table));
      const none = { isProtected: false, timeToLive: undefined };
      return row === undefined ? none : { ...none, ...(JSON.parse(row.document) as TableSettings) };
    },
    set(scope, table, changes) {
      const document = JSON.stringify({ ...store.get(scope, table), ...changes });
      sql.set.run({ ...keyOf(scope, table), document });
    },
    remove: (scope, table) => void sql.remove.run(keyOf(scope, table)),
    rebuilds: ({ region, account }) =>
      sql.all.all({ region, account }).flatMap(({ name: table, document }) => {
        const { rebuild } = JSON.parse(document) as TableSettings;
        return rebuild === undefined ? [] : [{ table, rebuild }];
      }),
  };
  return store;
}
