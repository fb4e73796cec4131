/**
 * Databases of earlier versions, recorded as SQL in test/fixtures/databases. Lamella migrates them in one transaction
 * when it opens them, and refuses those of a newer version.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAdjustableClock, systemClock } from '../clock.ts';
import { Lifetime } from '../lifetime.ts';
import { silentLog } from '../log.ts';
import type { FunctionName, LayerName } from '../protocol/names.ts';
import { createSchedules } from '../services/events/schedules.ts';
import { openDataDirectory } from '../storage/data-directory.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { MIGRATIONS } from '../storage/migrations.ts';
import { openFunctions } from './functions.ts';
import { openServices } from './services.ts';

const FIXTURES = join(import.meta.dirname, '../../test/fixtures/databases');
const SCOPE = { region: 'us-east-1', account: '123456789012' };
const HELLO = 'hello' as FunctionName;

let root: string;
let file: string;
let lifetime: Lifetime;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lamella-upgrade-'));
  file = join(root, 'lamella.db');
  lifetime = new Lifetime();
});
afterEach(async () => {
  await lifetime.close();
  rmSync(root, { recursive: true });
});

/** Writes a recorded database to `file`. */
function restore(name: string): void {
  const database = openDatabase(file, []);
  const statements = readFileSync(join(FIXTURES, name), 'utf8').split('\n');
  for (const sql of statements) if (/^[A-Z]/.test(sql)) database.prepare(sql).run();
  database.close();
}

function open(path = file, migrations = MIGRATIONS): Database {
  return lifetime.own(openDatabase(path, migrations));
}

function openAreas(database: Database) {
  const data = lifetime.own(openDataDirectory({ directory: root }));
  const shared = { database, clock: systemClock, log: silentLog };
  const functions = openFunctions({ ...shared, data, accountConcurrency: 1000, chance: () => 0 }, lifetime);
  const sendEvent = async () => {};
  const closing = new AbortController().signal;
  const publisher = { publish: () => undefined, port: () => 3000 };
  const schedules = () =>
    lifetime.own(createSchedules({ ...shared, clock: createAdjustableClock(systemClock), send: sendEvent }));
  const call = async () => ({});
  const mayInvoke = () => true;
  const own = { sendEvent, schedules, closing, publisher, call, mayInvoke, logGroupOf: () => undefined };
  const more = { root, backgroundClock: systemClock, remoteSqs: undefined, remoteDynamo: undefined, ...own };
  return { ...functions, services: openServices({ ...shared, ...more }, lifetime) };
}

/** Every table and index, without comments and spacing. */
function schemaOf(database: Database): Record<string, string> {
  const rows = database.prepare<{ name: string; sql: string }>('SELECT name, sql FROM sqlite_master WHERE sql <> ?');
  const plain = (sql: string) =>
    sql
      .replace(/--.*/g, '')
      .replace(/\s+/g, ' ')
      .replace(/\( /g, '(')
      .replace(/ ([),])/g, '$1');
  return Object.fromEntries(rows.all('').map(({ name, sql }) => [name, plain(sql)]));
}

function versionOf(database: Database): unknown {
  return database.prepare('PRAGMA user_version').get()?.user_version;
}

describe('a database of an earlier version', () => {
  it.each(['schema-2.sql', 'schema-11.sql'])('gets the schema of a new one: %s', (name) => {
    restore(name);
    const database = open();
    expect(schemaOf(database)).toEqual(schemaOf(open(':memory:')));
    expect(versionOf(database)).toBe(MIGRATIONS.length);
  });

  it('keeps its functions and layers', () => {
    restore('schema-2.sql');
    const { functions, settings, layers } = openAreas(open());
    expect(functions.resolve(SCOPE, HELLO, '1').configuration).toMatchObject({
      runtime: 'provided.al2023',
      environment: { GREETING: 'hi' },
      layers: [{ arn: 'arn:aws:lambda:us-east-1:123456789012:layer:php:1' }],
    });
    expect(functions.tags(SCOPE, HELLO)).toEqual({ team: 'blue' });
    expect(layers.get(SCOPE, 'php' as LayerName, 1)).toMatchObject({ description: 'PHP', licenseInfo: 'MIT' });
    // Computed by the migration from the versions' documents.
    const { codeSize } = functions.get(SCOPE, HELLO).code;
    expect(settings.directory.usage(SCOPE).codeBytes).toBe(
      2 * codeSize + layers.get(SCOPE, 'php' as LayerName, 1).codeSize,
    );
  });

  it('keeps its settings and the data of the other services', () => {
    restore('schema-11.sql');
    const { settings, eventSourceMappings, layerPolicies, services } = openAreas(open());
    expect(settings.get(SCOPE, HELLO, 'live').version).toBe('1');
    expect(settings.urls.get(SCOPE, 'hello', '').authType).toBe('NONE');
    expect(settings.concurrency.everyProvision()).toMatchObject([{ name: 'hello', qualifier: 'live', count: 2 }]);
    expect(settings.codeSigning.attached(SCOPE, 'hello')).toContain(':code-signing-config:csc-');
    expect(layerPolicies.get(SCOPE, 'php', 1).statements).toHaveLength(1);
    expect(eventSourceMappings.everywhere()).toMatchObject([{ mapping: { functionName: 'hello', state: 'Enabled' } }]);
    expect(services.iam.roleExists(SCOPE, 'arn:aws:iam::123456789012:role/test')).toBe(true);
    expect(services.sqsQueues.get(SCOPE, 'orders').attributes).toEqual({ VisibilityTimeout: '60' });
    expect(services.topics.list(SCOPE, '', 10).map(({ name }) => name)).toEqual(['news']);
    expect(services.eventBus.list()).toHaveLength(1);
  });

  it('stays as it was when a migration fails', () => {
    restore('schema-11.sql');
    const broken = [...MIGRATIONS, { name: 'broken', sql: 'DROP TABLE door; CREATE NONSENSE' }];
    expect(() => openDatabase(file, broken)).toThrow(/syntax error/);
    const database = open(file, MIGRATIONS.slice(0, 11));
    expect(versionOf(database)).toBe(11);
    expect(database.prepare('SELECT name FROM door').all()).toEqual([{ name: 'shop' }]);
  });
});

it('a database of a newer version is refused with both versions and a remedy, and stays as it was', () => {
  const newer = [...MIGRATIONS, { name: 'more', sql: 'CREATE TABLE more (x)' }];
  openDatabase(file, newer).close();
  const before = readFileSync(file);
  expect(() => openDatabase(file)).toThrow(
    expect.objectContaining({
      code: 'database-too-new',
      message: expect.stringMatching(new RegExp(`${newer.length}\\D+${MIGRATIONS.length}`)),
      remedy: expect.stringMatching(/^Upgrade Lamella/),
    }),
  );
  expect(readFileSync(file)).toEqual(before);
});
