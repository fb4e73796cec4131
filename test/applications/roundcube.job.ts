/** Roundcube on SQLite: its login page with its files, and its error about the mail server, which is missing here. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/php-sandbox.ts';
import { copyOut, unpackDebian, withLibraries } from './debian-application.ts';
import { applicationLayer, GATEWAYS, type ServedApplication, serveApplication } from './served-application.ts';

const EXTENSIONS = ['ctype', 'curl', 'dom', 'exif', 'fileinfo', 'iconv', 'intl', 'mbstring', 'pdo_sqlite', 'simplexml'];
const SETTINGS = `<?php
$config = [
    'db_dsnw' => 'sqlite:////tmp/roundcube.db?mode=0640',
    'imap_host' => '127.0.0.1:1',
    'des_key' => '0123456789abcdef01234567',
    'temp_dir' => '/tmp',
    'log_driver' => 'stdout',
    'plugins' => [],
];
`;

const directory = temporaryDirectory();
let mail: ServedApplication;

beforeAll(async () => {
  const tree = unpackDebian(withLibraries('roundcube-core'), join(directory.path, 'debian'));
  const task = join(directory.path, 'task');
  copyOut(tree, '/var/lib/roundcube', join(task, 'app'), ['config', 'logs']);
  copyOut(tree, '/usr/share/php', join(task, 'lib'));
  mkdirSync(join(task, 'app/config'));
  copyOut(tree, '/etc/roundcube', join(task, 'app/config'));
  writeFileSync(join(task, 'app/config/config.inc.php'), SETTINGS);
  mkdirSync(join(task, 'php/conf.d'), { recursive: true });
  writeFileSync(join(task, 'php/conf.d/libraries.ini'), 'include_path = ".:/var/task/lib"\n');
  const entry = join(task, 'app/program/include/iniset.php');
  writeFileSync(entry, readFileSync(entry, 'utf8').replace("'/var/lib/roundcube/'", "'/var/task/app/'"));
  const layer = await applicationLayer(directory.path, '8.2', [...EXTENSIONS, 'tokenizer', 'xml', 'xmlwriter', 'zip']);
  mail = await serveApplication({ directory: directory.path, task, layer, handler: 'app/public_html/index.php' });
}, 600_000);
afterAll(async () => {
  await mail?.close();
  directory.remove();
});

it.each(GATEWAYS)(
  'Roundcube behind a %s shows its login page with all that belongs to it, and takes the form',
  async (gateway) => {
    const browser = mail.browser(gateway);
    const page = await browser.get('/');
    expect(page.text).toContain('Welcome to Roundcube Webmail');
    const named = [...page.text.matchAll(/<(?:script|link)[^>]+(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url);
    expect(named.length).toBeGreaterThan(5);
    for (const url of named)
      expect([url, (await browser.get(url.replaceAll('&amp;', '&'))).status]).toEqual([url, 200]);
    const answer = await browser.submit(page, /login-form/, { _user: 'somebody', _pass: 'a password' });
    expect([answer.status, answer.text.includes('Connection to storage server failed')]).toEqual([401, true]);
  },
  60_000,
);
