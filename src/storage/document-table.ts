/**
 * A table of JSON documents by scope, kind, parent and name, for services that have many small kinds of resources. The
 * areas own their tables and the types of the documents; the columns are in `migrations.ts`.
 */
import type { Scope } from '../protocol/names.ts';
import type { Database } from './database.ts';

/** Documents of one kind below one parent. */
export type Collection<Document extends object> = {
  find(name: string): Document | undefined;
  /** In the order of their creation. */
  all(): Document[];
  /** Creates or replaces it, and returns it. */
  put(name: string, document: Document): Document;
  remove(name: string): boolean;
  clear(): void;
};

export type DocumentTable = {
  collection<Document extends object>(scope: Scope, kind: string, parent: string): Collection<Document>;
  /** Removes all documents below a parent. */
  removeBelow(scope: Scope, parent: string): void;
  /** Documents of a kind in all scopes and below all parents. */
  everywhere<Document extends object>(
    kind: string,
  ): { readonly scope: Scope; readonly parent: string; readonly name: string; readonly document: Document }[];
};

type Row = { region: string; account: string; parent: string; name: string; document: string };

export function createDocumentTable(
  database: Database,
  table: 'api_gateway' | 'load_balancing' | 'scheduler',
): DocumentTable {
  const below = 'region = :region AND account = :account AND parent = :parent';
  const sql = {
    find: database.prepare<Row>(`SELECT * FROM ${table} WHERE ${below} AND kind = :kind AND name = :name`),
    all: database.prepare<Row>(`SELECT * FROM ${table} WHERE ${below} AND kind = :kind ORDER BY id`),
    put: database.prepare(
      `INSERT INTO ${table} (region, account, kind, parent, name, document)
         VALUES (:region, :account, :kind, :parent, :name, :document)
         ON CONFLICT (region, account, kind, parent, name) DO UPDATE SET document = excluded.document`,
    ),
    remove: database.prepare(`DELETE FROM ${table} WHERE ${below} AND kind = :kind AND name = :name`),
    clear: database.prepare(`DELETE FROM ${table} WHERE ${below} AND kind = :kind`),
    removeBelow: database.prepare(`DELETE FROM ${table} WHERE ${below}`),
    everywhere: database.prepare<Row>(`SELECT * FROM ${table} WHERE kind = ? ORDER BY id`),
  };
  return {
    collection<Document extends object>({ region, account }: Scope, kind: string, parent: string) {
      const at = { region, account, kind, parent };
      const documentOf = (row: Row) => JSON.parse(row.document) as Document;
      return {
        find(name: string) {
          const row = sql.find.get({ ...at, name });
          return row && documentOf(row);
        },
        all: () => sql.all.all(at).map(documentOf),
        put(name: string, document: Document) {
          sql.put.run({ ...at, name, document: JSON.stringify(document) });
          return document;
        },
        remove: (name: string) => sql.remove.run({ ...at, name }).changes > 0,
        clear: () => void sql.clear.run(at),
      };
    },
    removeBelow: ({ region, account }, parent) => void sql.removeBelow.run({ region, account, parent }),
    everywhere: <Document extends object>(kind: string) =>
      sql.everywhere.all(kind).map(({ region, account, parent, name, document }) => ({
        scope: { region, account },
        parent,
        name,
        document: JSON.parse(document) as Document,
      })),
  };
}
