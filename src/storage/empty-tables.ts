/** Removes all rows of a database, for a service that starts over without being restarted. */
import type { Database } from './database.ts';

/** Empties every table but those of `kept`, in one transaction. Nothing else may use the database meanwhile. */
export function emptyTables(database: Database, kept: readonly string[] = []): void {
  const tables = database
    .prepare<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .all()
    .map(({ name }) => name)
    .filter((name) => !kept.includes(name));
  database.transaction(() => {
    // Rows refer to rows of other tables, whose order is not known here.
    database.prepare('PRAGMA defer_foreign_keys = ON').all();
    for (const table of tables) database.prepare(`DELETE FROM "${table}"`).run();
  });
}
