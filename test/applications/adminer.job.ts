/** Adminer on MariaDB: one file that contains the application, its style sheet and its images. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/php-sandbox.ts';
import { unpackDebian } from './debian-application.ts';
import { type MariaDb, startMariaDb } from './mariadb.ts';
import { applicationLayer, GATEWAYS, type ServedApplication, serveApplication } from './served-application.ts';

const directory = temporaryDirectory();
let database: MariaDb;
let adminer: ServedApplication;

beforeAll(async () => {
  database = await startMariaDb(directory.path);
  const tree = unpackDebian(['adminer'], join(directory.path, 'debian'));
  const task = join(directory.path, 'task');
  mkdirSync(task);
  copyFileSync(join(tree.root, 'usr/share/adminer/adminer.php'), join(task, 'index.php'));
  const layer = await applicationLayer(directory.path, '8.2', ['ctype', 'mbstring', 'mysqli', 'simplexml']);
  adminer = await serveApplication({ directory: directory.path, task, layer, handler: 'index.php' });
}, 600_000);
afterAll(async () => {
  await adminer?.close();
  await database?.stop();
  directory.remove();
});

it.each(GATEWAYS)(
  'Adminer behind a %s lets a user in, runs SQL from a form and from an uploaded file',
  async (gateway) => {
    const browser = adminer.browser(gateway);
    const page = await browser.get('/');
    expect(page.text).toContain('Adminer');
    const [, sheet = ''] = /href="([^"]+file=default\.css[^"]*)"/.exec(page.text) ?? [];
    expect((await browser.get(sheet.replaceAll('&amp;', '&'))).headers['content-type']).toBe('text/css; charset=utf-8');

    const { host, port, user, password } = database;
    const home = await browser.submit(page, /auth\[/, {
      'auth[driver]': 'server',
      'auth[server]': `${host}:${port}`,
      'auth[username]': user,
      'auth[password]': password,
    });
    expect(home.text).toContain('Logged as');
    const name = gateway.replaceAll(' ', '_').toLowerCase();
    const sql = await browser.get(`${home.url.search}&sql=`);
    const made = await browser.submit(sql, /textarea name='query'|name="query"/, {
      query: `CREATE DATABASE ${name}; CREATE TABLE ${name}.a (t text); INSERT INTO ${name}.a VALUES ('Löwe & Co')`,
    });
    expect(made.text).toContain('1 row affected');
    const file = {
      filename: 'more.sql',
      type: 'application/sql',
      bytes: Buffer.from(`INSERT INTO ${name}.a VALUES ('up')`),
    };
    await browser.submit(await browser.get(`${home.url.search}&import=`), /sql_file/, { 'sql_file[]': file });
    expect(database.query(`SELECT * FROM ${name}.a`)).toBe('Löwe & Co\nup\n');
    const rows = await browser.get(`${home.url.search}&db=${name}&select=a`);
    expect(rows.text).toContain('Löwe &amp; Co');
  },
  60_000,
);
