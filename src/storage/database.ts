/**
 * The one door to SQLite: open a file, bring its schema up to date, run statements and transactions. Synchronous, so a
 * transaction can never be interleaved with another. What the tables mean is the areas' business.
 *
 * WAL with `synchronous = NORMAL`: what a commit returned from survives the death of this process, `kill -9` included,
 * for it is in the kernel's hands; only a power cut may take the last commits, and never the database's consistency.
 */
import Driver from 'libsql';
import { OperatorError } from '../operator-error.ts';
import type { Migration } from './migrations.ts';
import { MIGRATIONS } from './migrations.ts';

export type SqlValue = string | number | bigint | Uint8Array | null;
/** A row by column name. Blobs are Buffers; integers beyond 2^53 lose precision. */
export type SqlRow = Record<string, SqlValue>;
/** Values for `?` in order, or one object for `:name` parameters (keys without the colon). */
export type SqlParameters = readonly SqlValue[] | readonly [Readonly<Record<string, SqlValue>>];

/** A prepared statement; prepare once and keep it. */
export type Statement<Row = SqlRow> = {
  run(...parameters: SqlParameters): { readonly changes: number; readonly lastInsertRowid: number };
  get(...parameters: SqlParameters): Row | undefined;
  all(...parameters: SqlParameters): Row[];
};

export type Database = {
  prepare<Row = SqlRow>(sql: string): Statement<Row>;
  /**
   * Runs `action` in a transaction that takes the write lock at once; whatever it throws rolls everything back and is
   * thrown on. Called inside another transaction it is a savepoint of that one. `action` must be synchronous.
   */
  transaction<Result>(action: () => Result): Result;
  close(): void;
};

/** Beyond this, checking every page at the start takes longer than people like to wait for one. */
const CHECKED_AT_OPEN_BYTES = 64 * 1024 * 1024;
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens the database at `file`, made if missing, and applies the migrations that it lacks.
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
        // The driver's own `get` leaves its statement in the middle: called after `all`, it answers with the wrong row.
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
        if (result instanceof Promise) throw new Error('a transaction must be synchronous');
        guard(() => driver.exec(commit));
        return result;
      } catch (failure) {
        // SQLite itself rolls back on some errors (a full disk is one); there is nothing left to undo then.
        if (driver.inTransaction) driver.exec(rollback);
        throw failure;
      } finally {
        depth -= 1;
      }
    },
    close() {
      // The driver closes for good only when every statement is collected, so what the log holds is moved over here.
      try {
        guard(() => driver.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
      } finally {
        driver.close();
      }
    },
  };
}

/** A lock that no other process can have at the same time, and that ends with this one. */
export type FileLock = { release(): void };

/**
 * Locks `file`, a small database of its own, made if missing; undefined when another process (or another part of this
 * one) has it. SQLite takes an advisory lock of the kernel, which nothing can leave behind.
 * @throws OperatorError 'data-dir-unusable' or 'database-corrupt'
 */
export function lockFile(file: string): FileLock | undefined {
  let driver: Driver.Database | undefined;
  try {
    driver = new Driver(file);
    // Closing alone would keep the lock until everything of the driver is collected, hence the transaction's end.
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

/** The driver ends the whole process when it is given a boolean or undefined, so nothing unfit may reach it. */
function bound(parameters: SqlParameters): unknown[] | Record<string, unknown> {
  const first = parameters[0];
  const isNamed = parameters.length === 1 && typeof first === 'object' && first !== null && !ArrayBuffer.isView(first);
  const bindings = (isNamed ? first : [...parameters]) as unknown[] | Record<string, unknown>;
  for (const [name, value] of Object.entries(bindings)) {
    if (value === null || ArrayBuffer.isView(value)) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
      throw new TypeError(`SQL parameter ${name} is ${typeof value}; only text, numbers, bytes and null can be stored`);
    }
  }
  return bindings;
}

/** The driver gives blobs as bare ArrayBuffers. */
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
