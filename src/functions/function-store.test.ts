import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../storage/database.ts';
import { MIGRATIONS } from '../storage/migrations.ts';

const STEP = MIGRATIONS.findIndex(({ name }) => name === 'the update that a version was published from');

it('an older database is migrated: what was published without a later change counts as published', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lamella-versions-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, 'a.db');
  const old = openDatabase(file, MIGRATIONS.slice(0, STEP));
  const insert = old.prepare(`
    INSERT INTO function_version VALUES ('r', 'a', ?, ?, ?, '{}', '{}', 0, '', '', ?, NULL, '', 0)`);
  for (const name of ['same', 'changed', 'unpublished']) {
    old.prepare("INSERT INTO function VALUES ('r', 'a', ?, '{}')").run(name);
    insert.run(name, 0, '{"description":"of $LATEST","timeoutSeconds":3}', null);
  }
  insert.run('same', 1, '{"timeoutSeconds":4}', 'digest 1');
  insert.run('same', 2, '{"description":"of the version","timeoutSeconds":3}', 'digest 2');
  insert.run('changed', 1, '{"timeoutSeconds":4}', 'digest 1');
  old.close();

  const migrated = openDatabase(file);
  const rows = migrated
    .prepare('SELECT name, published_from FROM function_version WHERE version = 0 ORDER BY name')
    .all();
  migrated.close();
  const anId = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(rows).toEqual([
    { name: 'changed', published_from: anId },
    { name: 'same', published_from: 'digest 2' },
    { name: 'unpublished', published_from: anId },
  ]);
});
