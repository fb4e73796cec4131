/** phpMyAdmin on MariaDB, with its libraries from Debian's packages: a database is created, filled, searched and exported. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/php-sandbox.ts';
import type { Browser, Page } from './browser.ts';
import { copyOut, unpackDebian, withLibraries } from './debian-application.ts';
import { type MariaDb, startMariaDb } from './mariadb.ts';
import { applicationLayer, GATEWAYS, type ServedApplication, serveApplication } from './served-application.ts';

const EXTENSIONS = ['ctype', 'curl', 'iconv', 'mbstring', 'mysqli', 'simplexml', 'sodium', 'tokenizer', 'xml', 'zip'];
const SETTINGS = `<?php
$cfg['blowfish_secret'] = '0123456789abcdef0123456789abcdef';
$cfg['Servers'][1] = ['auth_type' => 'cookie', 'host' => getenv('DB_HOST'), 'port' => getenv('DB_PORT'), 'compress' => false];
$cfg['TempDir'] = '/tmp';
$cfg['VersionCheck'] = false;
`;

const directory = temporaryDirectory();
let database: MariaDb;
let admin: ServedApplication;

beforeAll(async () => {
  database = await startMariaDb(directory.path);
  const tree = unpackDebian(withLibraries('phpmyadmin'), join(directory.path, 'debian'));
  const task = join(directory.path, 'task');
  copyOut(tree, '/usr/share/phpmyadmin', join(task, 'public'), ['doc']);
  copyOut(tree, '/usr/share/php', join(task, 'lib'));
  mkdirSync(join(task, 'php/conf.d'), { recursive: true });
  writeFileSync(join(task, 'php/conf.d/libraries.ini'), 'include_path = ".:/var/task/lib"\n');
  writeFileSync(join(task, 'config.inc.php'), SETTINGS);
  const places = join(task, 'public/libraries/vendor_config.php');
  const moved = readFileSync(places, 'utf8')
    .replace('/var/lib/phpmyadmin/tmp/', '/tmp/')
    .replace('/etc/phpmyadmin/', '/var/task/');
  writeFileSync(places, moved);
  const layer = await applicationLayer(directory.path, '8.2', EXTENSIONS);
  const environment = { DB_HOST: database.host, DB_PORT: String(database.port) };
  admin = await serveApplication({ directory: directory.path, task, layer, handler: 'public/index.php', environment });
}, 600_000);
afterAll(async () => {
  await admin?.close();
  await database?.stop();
  directory.remove();
});

async function logIn(browser: Browser): Promise<Page> {
  const { user: pma_username, password: pma_password } = database;
  return browser.submit(await browser.get('/'), /login_form/, { pma_username, pma_password });
}

/** Runs SQL like the SQL page, which submits the form by script. */
function query(browser: Browser, page: Page, sql: string): Promise<Page> {
  const token = /token:"([^"]+)"|name="token" value="([^"]+)"/.exec(page.text);
  const fields = { token: token?.[1] ?? token?.[2] ?? '', sql_query: sql, sql_delimiter: ';', ajax_request: 'true' };
  return browser.post('/index.php?route=/import', Buffer.from(new URLSearchParams(fields).toString()), {
    'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
    'x-requested-with': 'XMLHttpRequest',
  });
}

describe.each(GATEWAYS)('phpMyAdmin behind a %s', (gateway) => {
  const name = gateway.replaceAll(' ', '_').toLowerCase();

  it('shows its login page with its style sheets and scripts', async () => {
    const browser = admin.browser(gateway);
    const page = await browser.get('/');
    expect([page.status, page.text.includes('Welcome to ')]).toEqual([200, true]);
    const named = [...page.text.matchAll(/<(?:script|link)[^>]+(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url);
    expect(named.length).toBeGreaterThan(10);
    for (const url of named)
      expect([url, (await browser.get(url.replaceAll('&amp;', '&'))).status]).toEqual([url, 200]);
  }, 60_000);

  it('logs a user of the database in, creates a table, shows and exports it', async () => {
    const browser = admin.browser(gateway);
    const home = await logIn(browser);
    expect(home.text).toContain('Server version:');
    const made = await query(
      browser,
      home,
      `CREATE DATABASE ${name}; CREATE TABLE ${name}.animal (id int PRIMARY KEY, name text); INSERT INTO ${name}.animal VALUES (1, 'Löwe & Co')`,
    );
    expect(JSON.parse(made.text)).toMatchObject({ success: true });
    const shown = await browser.get(`/index.php?route=/sql&db=${name}&table=animal`);
    expect(shown.text).toContain('Löwe &amp; Co');
    const form = await browser.get(`/index.php?route=/table/export&db=${name}&table=animal`);
    const exported = await browser.submit(form, /dump/, { what: 'csv', asfile: 'sendit', quick_or_custom: 'quick' });
    expect(exported.headers['content-disposition']).toBe('attachment; filename="animal.csv"');
    expect(exported.text).toBe('"id","name"\n"1","Löwe & Co"\n');
  }, 60_000);
});

it('nothing is logged as an error', async () => {
  expect(await admin.log()).not.toMatch(/PHP (Warning|Fatal)|php-cgi ended/);
});
