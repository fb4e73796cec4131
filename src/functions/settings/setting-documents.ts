/**
 * The SQL of function settings: JSON documents by kind and qualifier. Deleting a function deletes them. The rules of
 * each kind are in its own file.
 */
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';

export type SettingKind =
  | 'alias'
  | 'policy'
  | 'url'
  | 'event-invoke'
  | 'reserved-concurrency'
  | 'provisioned-concurrency'
  | 'runtime-management'
  | 'recursion'
  | 'scaling'
  | 'code-signing';

/** A document with its key. `qualifier` is empty for the function itself. */
export type Setting<Document> = { readonly name: string; readonly qualifier: string; readonly document: Document };

export type SettingDocuments<Document> = {
  get(scope: Scope, name: string, qualifier: string): Document | undefined;
  /** Sets or replaces. The function must exist. */
  put(scope: Scope, name: string, qualifier: string, document: Document): void;
  /** Returns whether there was a document. */
  remove(scope: Scope, name: string, qualifier: string): boolean;
  /** The documents of one function after the qualifier `after`, by qualifier. */
  list(scope: Scope, name: string, after: string, count: number): Setting<Document>[];
  /** The documents of all functions of a scope, by name and qualifier. */
  listAll(scope: Scope): Setting<Document>[];
  /** The documents of all functions of all scopes. */
  everywhere(): (Setting<Document> & { readonly scope: Scope })[];
  /** Clears the cache. Call it when a function or a qualifier was deleted, which deletes its settings. */
  invalidate(): void;
};

/** Documents of each kind that are cached, so that invocations need not query the database. */
const CACHED_DOCUMENTS = 10_000;

/** There is no such document. */
const NONE = Symbol('none');

type Row = { name: string; qualifier: string; document: string };

/** Opens the settings of one kind. */
export function createSettingDocuments<Document>(database: Database, kind: SettingKind): SettingDocuments<Document> {
  const ofKind = `region = :region AND account = :account AND kind = '${kind}'`;
  const get = database.prepare<Row>(
    `SELECT * FROM function_setting WHERE ${ofKind} AND name = :name AND qualifier = :qualifier`,
  );
  const put = database.prepare(
    `INSERT OR REPLACE INTO function_setting VALUES (:region, :account, '${kind}', :name, :qualifier, :document)`,
  );
  const remove = database.prepare(
    `DELETE FROM function_setting WHERE ${ofKind} AND name = :name AND qualifier = :qualifier`,
  );
  const list = database.prepare<Row>(
    `SELECT * FROM function_setting WHERE ${ofKind} AND name = :name AND qualifier > :after
     ORDER BY qualifier LIMIT :count`,
  );
  const listAll = database.prepare<Row>(`SELECT * FROM function_setting WHERE ${ofKind} ORDER BY name, qualifier`);
  const everywhere = database.prepare<Row & { region: string; account: string }>(
    `SELECT * FROM function_setting WHERE kind = '${kind}' ORDER BY account, region, name, qualifier`,
  );
  const key = ({ region, account }: Scope, name: string, qualifier: string) => ({ region, account, name, qualifier });
  const cache = new Map<string, Document | typeof NONE>();
  const settingOf = (row: Row): Setting<Document> => ({
    name: row.name,
    qualifier: row.qualifier,
    document: JSON.parse(row.document),
  });

  return {
    get(scope, name, qualifier) {
      const cacheKey = `${scope.region}/${scope.account}/${name}:${qualifier}`;
      const cached = cache.get(cacheKey);
      if (cached !== undefined) return cached === NONE ? undefined : cached;
      const row = get.get(key(scope, name, qualifier));
      const document = row && settingOf(row).document;
      if (cache.size >= CACHED_DOCUMENTS) cache.clear();
      cache.set(cacheKey, document ?? NONE);
      return document;
    },
    put(scope, name, qualifier, document) {
      cache.clear();
      put.run({ ...key(scope, name, qualifier), document: JSON.stringify(document) });
    },
    remove(scope, name, qualifier) {
      cache.clear();
      return remove.run(key(scope, name, qualifier)).changes > 0;
    },
    list: ({ region, account }, name, after, count) => list.all({ region, account, name, after, count }).map(settingOf),
    listAll: ({ region, account }) => listAll.all({ region, account }).map(settingOf),
    everywhere: () =>
      everywhere.all().map((row) => ({ ...settingOf(row), scope: { region: row.region, account: row.account } })),
    invalidate: () => cache.clear(),
  };
}

/** Removes all settings of a deleted version or alias. */
export function removeQualifierSettings(
  database: Database,
  { region, account }: Scope,
  name: string,
  qualifier: string,
): void {
  database
    .prepare(
      `DELETE FROM function_setting
       WHERE region = :region AND account = :account AND name = :name AND qualifier = :qualifier`,
    )
    .run({ region, account, name, qualifier });
}
