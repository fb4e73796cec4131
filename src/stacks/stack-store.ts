/** The tables of stacks. Rows are JSON documents; what they mean is in `stack.ts`. */
import type { Scope } from '../protocol/names.ts';
import type { Database } from '../storage/database.ts';
import type { ChangeSet } from './change-set.ts';
import type { ResourceRecord, Stack, StackDocument, StackEvent } from './stack.ts';

type StackRow = {
  readonly id: string;
  readonly region: string;
  readonly account: string;
  readonly name: string;
  readonly created_ms: number;
  readonly deleted_ms: number | null;
  readonly document: string;
};
type DocumentRow = { readonly document: string };

export type Export = { readonly name: string; readonly value: string; readonly stack: string };

export type StackStore = ReturnType<typeof createStackStore>;

export function createStackStore(database: Database) {
  const sql = {
    insertStack: database.prepare('INSERT INTO stack VALUES (?, ?, ?, ?, ?, NULL, ?)'),
    updateStack: database.prepare('UPDATE stack SET document = ?, deleted_ms = ? WHERE id = ?'),
    stack: database.prepare<StackRow>('SELECT * FROM stack WHERE id = ?'),
    named: database.prepare<StackRow>(
      'SELECT * FROM stack WHERE region = ? AND account = ? AND name = ? AND deleted_ms IS NULL',
    ),
    stacks: database.prepare<StackRow>(
      'SELECT * FROM stack WHERE region = ? AND account = ? ORDER BY created_ms DESC, id',
    ),
    unfinished: database.prepare<StackRow>("SELECT * FROM stack WHERE document ->> '$.operation' IS NOT NULL"),
    putResource: database.prepare(
      'INSERT INTO stack_resource VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document',
    ),
    resources: database.prepare<DocumentRow>('SELECT document FROM stack_resource WHERE stack = ? ORDER BY logical_id'),
    removeResource: database.prepare('DELETE FROM stack_resource WHERE stack = ? AND logical_id = ?'),
    insertEvent: database.prepare('INSERT INTO stack_event (stack, document) VALUES (?, ?)'),
    events: database.prepare<DocumentRow & { id: number }>(
      'SELECT id, document FROM stack_event WHERE stack = ? AND id < ? ORDER BY id DESC LIMIT ?',
    ),
    lastEvent: database.prepare<{ at: number }>(
      "SELECT document ->> '$.atMs' AS at FROM stack_event WHERE stack = ? ORDER BY id DESC LIMIT 1",
    ),
    putChangeSet: database.prepare(
      'INSERT INTO stack_change_set VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document',
    ),
    changeSet: database.prepare<DocumentRow>('SELECT document FROM stack_change_set WHERE id = ?'),
    changeSets: database.prepare<DocumentRow>(
      'SELECT document FROM stack_change_set WHERE stack = ? ORDER BY created_ms, id',
    ),
    removeChangeSet: database.prepare('DELETE FROM stack_change_set WHERE id = ?'),
    exported: database.prepare<Export>(
      'SELECT name, value, stack FROM stack_export WHERE region = ? AND account = ? AND name = ?',
    ),
    exports: database.prepare<Export>(
      'SELECT name, value, stack FROM stack_export WHERE region = ? AND account = ? ORDER BY name',
    ),
    insertExport: database.prepare('INSERT INTO stack_export VALUES (?, ?, ?, ?, ?)'),
    removeExports: database.prepare('DELETE FROM stack_export WHERE stack = ?'),
    importers: database.prepare<StackRow>(
      `SELECT * FROM stack WHERE region = ? AND account = ? AND deleted_ms IS NULL
       AND EXISTS (SELECT 1 FROM json_each(document, '$.imports') WHERE value = ?) ORDER BY name`,
    ),
  };
  const isIn = ({ region, account }: Scope, stack: Stack | undefined) =>
    stack?.scope.region === region && stack.scope.account === account;

  return {
    transaction: database.transaction,

    insert({ id, scope, name, createdMs, document }: Stack): void {
      sql.insertStack.run(id, scope.region, scope.account, name, createdMs, JSON.stringify(document));
    },
    update({ id, deletedMs, document }: Stack): void {
      sql.updateStack.run(JSON.stringify(document), deletedMs ?? null, id);
    },
    get: (id: string): Stack | undefined => stackOf(sql.stack.get(id)),
    /** By its id, also when it is deleted, or by its name. */
    find(scope: Scope, nameOrId: string): Stack | undefined {
      const named = stackOf(sql.named.get(scope.region, scope.account, nameOrId));
      if (named !== undefined) return named;
      const stack = stackOf(sql.stack.get(nameOrId));
      return isIn(scope, stack) ? stack : undefined;
    },
    /** Newest first, also the deleted ones. */
    list: (scope: Scope): Stack[] => sql.stacks.all(scope.region, scope.account).map(existing),
    unfinished: (): Stack[] => sql.unfinished.all().map(existing),

    putResource(stack: string, record: ResourceRecord): void {
      sql.putResource.run(stack, record.logicalId, JSON.stringify(record));
    },
    resources: (stack: string): ResourceRecord[] =>
      sql.resources.all(stack).map(({ document }) => JSON.parse(document) as ResourceRecord),
    removeResource(stack: string, logicalId: string): void {
      sql.removeResource.run(stack, logicalId);
    },

    addEvent(stack: string, event: StackEvent): void {
      sql.insertEvent.run(stack, JSON.stringify(event));
    },
    /** The time of a stack's newest event; 0 without one. */
    lastEventMs: (stack: string): number => sql.lastEvent.get(stack)?.at ?? 0,
    /** Newest first, `count` of those before the position. */
    events: (stack: string, before: number, count: number): { readonly at: number; readonly event: StackEvent }[] =>
      sql.events
        .all(stack, before, count)
        .map(({ id, document }) => ({ at: id, event: JSON.parse(document) as StackEvent })),

    putChangeSet(changeSet: ChangeSet): void {
      const { id, stackId, name, createdMs } = changeSet;
      sql.putChangeSet.run(id, stackId, name, createdMs, JSON.stringify(changeSet));
    },
    changeSet(id: string): ChangeSet | undefined {
      const row = sql.changeSet.get(id);
      return row && (JSON.parse(row.document) as ChangeSet);
    },
    /** Oldest first. */
    changeSets: (stack: string): ChangeSet[] =>
      sql.changeSets.all(stack).map(({ document }) => JSON.parse(document) as ChangeSet),
    removeChangeSet(id: string): void {
      sql.removeChangeSet.run(id);
    },

    exported: ({ region, account }: Scope, name: string): Export | undefined => sql.exported.get(region, account, name),
    exports: ({ region, account }: Scope): Export[] => sql.exports.all(region, account),
    /** Replaces what the stack exports. */
    setExports({ id, scope }: Stack, exports: readonly { readonly name: string; readonly value: string }[]): void {
      sql.removeExports.run(id);
      for (const { name, value } of exports) sql.insertExport.run(scope.region, scope.account, name, value, id);
    },
    importers: ({ region, account }: Scope, name: string): Stack[] =>
      sql.importers.all(region, account, name).map(existing),
  };
}

function existing(row: StackRow): Stack {
  return {
    id: row.id,
    scope: { region: row.region, account: row.account },
    name: row.name,
    createdMs: row.created_ms,
    deletedMs: row.deleted_ms ?? undefined,
    document: JSON.parse(row.document) as StackDocument,
  };
}

function stackOf(row: StackRow | undefined): Stack | undefined {
  return row && existing(row);
}
