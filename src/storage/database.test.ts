import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type SqlValue } from './database.ts';

let workspace: string;
beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'lamella-database-'));
});
afterEach(() => rm(workspace, { recursive: true }));

const STEPS = [
  { name: 'things', sql: 'CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE, content BLOB) STRICT' },
];

describe('openDatabase', () => {
  it('keeps rows when it is closed and opened again', () => {
    const file = join(workspace, 'a.db');
    const first = openDatabase(file, STEPS);
    first.prepare('INSERT INTO thing (name) VALUES (?)').run('one');
    first.close();
    const second = openDatabase(file, STEPS);
    expect(second.prepare('SELECT name FROM thing').all()).toEqual([{ name: 'one' }]);
    second.close();
  });

  it('applies only the steps that a database lacks', () => {
    const file = join(workspace, 'a.db');
    openDatabase(file, STEPS).close();
    const grown = openDatabase(file, [...STEPS, { name: 'more', sql: 'ALTER TABLE thing ADD COLUMN size INTEGER' }]);
    expect(grown.prepare('INSERT INTO thing (name, size) VALUES (?, ?)').run('x', 3).changes).toBe(1);
    grown.close();
  });

  it('leaves the schema unchanged when a step fails', () => {
    const file = join(workspace, 'a.db');
    openDatabase(file, STEPS).close();
    const broken = [
      ...STEPS,
      { name: 'good', sql: 'CREATE TABLE other (x) ' },
      { name: 'bad', sql: 'CREATE NONSENSE' },
    ];
    expect(() => openDatabase(file, broken)).toThrow(/syntax error/);
    const again = openDatabase(file, STEPS);
    expect(again.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'other'").get()).toEqual({ n: 0 });
    again.close();
  });

  it('refuses a database written by a newer version', () => {
    const file = join(workspace, 'a.db');
    openDatabase(file, [...STEPS, { name: 'more', sql: 'CREATE TABLE more (x)' }]).close();
    expect(() => openDatabase(file, STEPS)).toThrow(
      expect.objectContaining({
        code: 'database-too-new',
        message: expect.stringContaining('schema 2, this version supports 1'),
      }),
    );
  });

  it('refuses a file that is not a database', () => {
    const file = join(workspace, 'a.db');
    writeFileSync(file, 'garbage '.repeat(2000));
    expect(() => openDatabase(file, STEPS)).toThrow(expect.objectContaining({ code: 'database-corrupt' }));
  });

  it('refuses a truncated database', () => {
    const file = join(workspace, 'a.db');
    const whole = openDatabase(file, STEPS);
    const insert = whole.prepare('INSERT INTO thing (name, content) VALUES (?, ?)');
    for (let i = 0; i < 50; i += 1) insert.run(`n${i}`, Buffer.alloc(2000, i));
    whole.close();
    const descriptor = openSync(file, 'r+');
    ftruncateSync(descriptor, 32_768);
    closeSync(descriptor);
    expect(() => openDatabase(file, STEPS)).toThrow(expect.objectContaining({ code: 'database-corrupt' }));
  });

  it('reports a directory that cannot be used', () => {
    expect(() => openDatabase(join(workspace, 'missing', 'a.db'), STEPS)).toThrow(
      expect.objectContaining({ code: 'data-dir-unusable' }),
    );
  });
});

describe('statements', () => {
  it('accept positional and named parameters and return the stored values', () => {
    const database = openDatabase(join(workspace, 'a.db'), STEPS);
    const bytes = Buffer.from([0, 1, 255]);
    const inserted = database
      .prepare('INSERT INTO thing (name, content) VALUES (:name, :content)')
      .run({ name: 'n', content: bytes });
    database.prepare('INSERT INTO thing (name) VALUES (?)').run(null);
    const find = database.prepare<{ name: string; content: Buffer }>('SELECT name, content FROM thing WHERE id = ?');
    expect(find.get(inserted.lastInsertRowid)).toEqual({ name: 'n', content: bytes });
    expect(find.all(2)).toEqual([{ name: null, content: null }]);
    expect(find.get(99)).toBeUndefined();
    expect(find.get(inserted.lastInsertRowid)?.name).toBe('n');
    database.close();
  });

  it('throw for a value that SQLite cannot store, instead of aborting the process', () => {
    const database = openDatabase(join(workspace, 'a.db'), STEPS);
    const insert = database.prepare('INSERT INTO thing (name) VALUES (?)');
    expect(() => insert.run(undefined as unknown as SqlValue)).toThrow(TypeError);
    expect(() => insert.run(true as unknown as SqlValue)).toThrow(TypeError);
    database.close();
  });
});

describe('transaction', () => {
  it('is rolled back when its action throws', () => {
    const database = openDatabase(join(workspace, 'a.db'), STEPS);
    const insert = database.prepare('INSERT INTO thing (name) VALUES (?)');
    const attempt = () =>
      database.transaction(() => {
        insert.run('a');
        insert.run('a');
      });
    expect(attempt).toThrow(/UNIQUE/);
    expect(database.prepare('SELECT * FROM thing').all()).toEqual([]);
    expect(database.transaction(() => insert.run('a').changes)).toBe(1);
    database.close();
  });

  it('inside another one is rolled back alone', () => {
    const database = openDatabase(join(workspace, 'a.db'), STEPS);
    const insert = database.prepare('INSERT INTO thing (name) VALUES (?)');
    database.transaction(() => {
      insert.run('outer');
      expect(() =>
        database.transaction(() => {
          insert.run('inner');
          throw new Error('no');
        }),
      ).toThrow('no');
    });
    expect(database.prepare('SELECT name FROM thing').all()).toEqual([{ name: 'outer' }]);
    database.close();
  });
});
