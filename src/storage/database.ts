/**
 * The only module that uses SQLite: it opens a file, migrates its schema, and runs statements and transactions.
 * Synchronous, so transactions never interleave. The areas own their tables; the schema is in `migrations.ts`.
 *
 * WAL with `synchronous = NORMAL`: a commit that has returned survives the death of this process, even by `kill -9`,
 * because the kernel has the data. A power failure may lose the last commits, but never corrupts the database.
 */
import Driver from 'libsql';
import { OperatorError } from '../operator-error.ts';
import type { Migration } from './migrations.ts';
import { MIGRATIONS } from './migrations.ts';

export type SqlValue = string | number | bigint | Uint8Array | null;
/** A row by column name. Blobs are Buffers. Integers above 2^53 lose precision. */
export type SqlRow = Record<string, SqlValue>;
/** Values for `?` in order, or one object for `:name` parameters, with keys without the colon. */
export type SqlParameters = readonly SqlValue[] | readonly [Readonly<Record<string, SqlValue>>];

/** A prepared statement. Prepare it once and keep it. */
export type Statement<Row = SqlRow> = {
  run(...parameters: SqlParameters): { readonly changes: number; readonly lastInsertRowid: number };
  get(...parameters: SqlParameters): Row | undefined;
  all(...parameters: SqlParameters): Row[];
};

export type Database = {
  prepare<Row = SqlRow>(sql: string): Statement<Row>;
  /**
   * Runs `action`, which must be synchronous, in a transaction that takes the write lock at once. If `action` throws,
   * the transaction is rolled back and the error is rethrown. Inside another transaction it is a savepoint.
   */
  transaction<Result>(action: () => Result): Result;
  close(): void;
};

/** Larger databases are not checked page by page when they are opened, because that takes too long. */
const CHECKED_AT_OPEN_BYTES = 64 * 1024 * 1024;
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens the database at `file`, creates it if it does not exist, and applies missing migrations. The caller closes it.
 * @throws OperatorError 'data-dir-unusable', 'database-corrupt' or 'database-too-new'
 */
export function openDatabase(file: string, migrations: readonly Migration[] = MIGRATIONS): Database {
  const guard = <Result>(action: () => Result): Result => {
    try {
      return action();
    } catch (failure) {
      throw operatorErrorOf(failure, file) ?? failure;
    }
  };
  const driver = guard(() => new Driver(file, { timeout: BUSY_TIMEOUT_MS }));
  try {
    guard(() => prepareFile(driver, file));
    guard(() => migrate(driver, file, migrations));
  } catch (failure) {
    driver.close();
    throw failure;
  }

  let depth = 0;
  return {
    prepare<Row>(sql: string): Statement<Row> {
      const statement = guard(() => driver.prepare(sql));
      return {
        run: (...parameters) =>
          guard(() => {
            const { changes, lastInsertRowid } = statement.run(bound(parameters));
            return { changes, lastInsertRowid: Number(lastInsertRowid) };
          }),
        // Not the driver's `get`: it does not reset the statement, and after `all` returns the wrong row.
        get: (...parameters) => guard(() => rowsOf(statement.all(bound(parameters)))[0] as Row | undefined),
        all: (...parameters) => guard(() => rowsOf(statement.all(bound(parameters))) as Row[]),
      };
    },
    transaction(action) {
      const [begin, commit, rollback] =
        depth === 0
          ? ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK']
          : [
              `SAVEPOINT nested${depth}`,
              `RELEASE nested${depth}`,
              `ROLLBACK TO nested${depth}; RELEASE nested${depth}`,
            ];
      guard(() => driver.exec(begin));
      depth += 1;
      try {
        const result = action();
        if (result instanceof Promise) throw new Error('The action of a transaction must be synchronous');
        guard(() => driver.exec(commit));
        return result;
      } catch (failure) {
        // On some errors, such as a full disk, SQLite has rolled back already.
        if (driver.inTransaction) driver.exec(rollback);
        throw failure;
      } finally {
        depth -= 1;
      }
    },
    close() {
      // The driver closes the file only when all statements have been garbage-collected, so checkpoint the log here.
      try {
        guard(() => driver.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
      } finally {
        driver.close();
      }
    },
  };
}

/** An exclusive lock, which ends with this process. */
export type FileLock = { release(): void };

/**
 * Locks `file`, a small database that is created if it does not exist. Returns undefined if it is locked already, by
 * another process or by this one. SQLite uses an advisory lock of the kernel, which cannot become stale.
 * @throws OperatorError 'data-dir-unusable' or 'database-corrupt'
 */
export function lockFile(file: string): FileLock | undefined {
  let driver: Driver.Database | undefined;
  try {
    driver = new Driver(file);
    // A transaction, because its end releases the lock: after `close` the lock lasts until the garbage collector runs.
    driver.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (failure) {
    driver?.close();
    if (failure instanceof Error && 'code' in failure && failure.code === 'SQLITE_BUSY') return undefined;
    throw operatorErrorOf(failure, file) ?? failure;
  }
  const held = driver;
  return {
    release() {
      if (held.inTransaction) held.exec('ROLLBACK');
      held.close();
    },
  };
}

function prepareFile(driver: Driver.Database, file: string): void {
  driver.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
  const pages = number(driver, 'page_count') * number(driver, 'page_size');
  if (pages > CHECKED_AT_OPEN_BYTES) return;
  const verdict = String(Object.values(driver.prepare('PRAGMA quick_check(1)').all()[0] as object)[0]);
  if (verdict !== 'ok') throw new OperatorError('database-corrupt', { file, reason: verdict.replace(/\s+/g, ' ') });
}

function migrate(driver: Driver.Database, file: string, migrations: readonly Migration[]): void {
  if (number(driver, 'user_version') === migrations.length) return;
  driver.exec('BEGIN IMMEDIATE');
  try {
    const found = number(driver, 'user_version');
    if (found > migrations.length)
      throw new OperatorError('database-too-new', { file, found, known: migrations.length });
    for (const step of migrations.slice(found)) driver.exec(step.sql);
    driver.exec(`PRAGMA user_version = ${migrations.length}`);
    driver.exec('COMMIT');
  } catch (failure) {
    if (driver.inTransaction) driver.exec('ROLLBACK');
    throw failure;
  }
}

function number(driver: Driver.Database, pragma: string): number {
  return Number(Object.values(driver.prepare(`PRAGMA ${pragma}`).all()[0] as object)[0]);
}

/** The driver aborts the process if a parameter is a boolean or undefined, so they are refused here. */
function bound(parameters: SqlParameters): unknown[] | Record<string, unknown> {
  const first = parameters[0];
  const isNamed = parameters.length === 1 && typeof first === 'object' && first !== null && !ArrayBuffer.isView(first);
  const bindings = (isNamed ? first : [...parameters]) as unknown[] | Record<string, unknown>;
  for (const [name, value] of Object.entries(bindings)) {
    if (value === null || ArrayBuffer.isView(value)) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
      throw new TypeError(
        `SQL parameter ${name} is of type ${typeof value}; use a string, number, bigint, Buffer or null`,
      );
    }
  }
  return bindings;
}

/** The driver returns blobs as ArrayBuffers. */
function rowsOf(rows: unknown[]): SqlRow[] {
  for (const row of rows as Record<string, SqlValue | ArrayBuffer>[]) {
    for (const column in row) {
      const value = row[column];
      if (value instanceof ArrayBuffer) row[column] = Buffer.from(value);
    }
  }
  return rows as SqlRow[];
}

function operatorErrorOf(failure: unknown, file: string): OperatorError | undefined {
  if (!(failure instanceof Error) || failure instanceof OperatorError) return undefined;
  const code = 'code' in failure ? String(failure.code) : '';
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return new OperatorError('database-corrupt', { file, reason: failure.message }, failure);
  }
  if (/^SQLITE_FULL/.test(code)) return new OperatorError('disk-full', { path: file }, failure);
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|IOERR|BUSY)/.test(code) || failure.message.startsWith('ConnectionFailed')) {
    return new OperatorError('data-dir-unusable', { directory: file, reason: failure.message }, failure);
  }
  return undefined;
}
