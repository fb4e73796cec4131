/** WordPress on MariaDB: installation by its own form, a post, a comment and an image, behind every gateway. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/php-sandbox.ts';
import type { Browser, Page } from './browser.ts';
import { copyOut, unpackDebian } from './debian-application.ts';
import { type MariaDb, startMariaDb } from './mariadb.ts';
import { applicationLayer, GATEWAYS, type ServedApplication, serveApplication } from './served-application.ts';

const EXTENSIONS = [
  'ctype',
  'curl',
  'dom',
  'exif',
  'fileinfo',
  'gd',
  'iconv',
  'intl',
  'mbstring',
  'mysqli',
  'simplexml',
];
const MORE_EXTENSIONS = ['tokenizer', 'xml', 'xmlreader', 'xmlwriter', 'zip'];
const PACKAGES = ['wordpress', 'wordpress-theme-twentytwentythree', 'php-getid3', 'libjs-underscore', 'libjs-cropper'];
const PASSWORD = 'correct horse battery';
/** Its address is that of the gateway, its code is read-only, and it does not call itself for its cron jobs. */
const SETTINGS = `<?php
define('DB_NAME', 'wordpress');
define('DB_HOST', getenv('DB_HOST'));
define('DB_USER', getenv('DB_USER'));
define('DB_PASSWORD', getenv('DB_PASSWORD'));
define('DB_CHARSET', 'utf8mb4');
define('WP_HOME', (isset($_SERVER['HTTPS']) ? 'https://' : 'http://') . $_SERVER['HTTP_HOST']);
define('WP_SITEURL', WP_HOME);
define('DISALLOW_FILE_MODS', true);
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTH_KEY', 'a'); define('SECURE_AUTH_KEY', 'b'); define('LOGGED_IN_KEY', 'c'); define('NONCE_KEY', 'd');
define('AUTH_SALT', 'e'); define('SECURE_AUTH_SALT', 'f'); define('LOGGED_IN_SALT', 'g'); define('NONCE_SALT', 'h');
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
`;
/**
 * Uploads go to /tmp and are served from there. A real deployment sends them to S3 with a plugin. Two comments from one address
 * need no pause of 15 seconds.
 */
const PLUGIN = `<?php
add_filter('wp_is_comment_flood', '__return_false', 100);
add_filter('upload_dir', function (array $dirs): array {
    $at = fn (string $sub) => ['path' => "/tmp/uploads$sub", 'url' => WP_HOME . "/media.php$sub"];
    return ['basedir' => '/tmp/uploads', 'baseurl' => WP_HOME . '/media.php'] + $at($dirs['subdir']) + $dirs;
});
`;
const MEDIA = `<?php
$file = realpath('/tmp/uploads' . $_SERVER['PATH_INFO']);
header('Content-Type: ' . mime_content_type($file));
readfile($file);
`;

const directory = temporaryDirectory();
let database: MariaDb;
let site: ServedApplication;

beforeAll(async () => {
  database = await startMariaDb(directory.path);
  database.query('CREATE DATABASE wordpress');
  const tree = unpackDebian(PACKAGES, join(directory.path, 'debian'));
  const task = join(directory.path, 'task');
  copyOut(tree, '/usr/share/wordpress', join(task, 'public'));
  copyOut(tree, '/var/lib/wordpress/wp-content', join(task, 'public/wp-content'));
  writeFileSync(join(task, 'public/wp-config.php'), SETTINGS);
  writeFileSync(join(task, 'public/media.php'), MEDIA);
  mkdirSync(join(task, 'public/wp-content/mu-plugins'), { recursive: true });
  writeFileSync(join(task, 'public/wp-content/mu-plugins/plugin.php'), PLUGIN);
  const layer = await applicationLayer(directory.path, '8.4', [...EXTENSIONS, ...MORE_EXTENSIONS]);
  const { host, port, user, password } = database;
  const environment = { DB_HOST: `${host}:${port}`, DB_USER: user, DB_PASSWORD: password };
  site = await serveApplication({ directory: directory.path, task, layer, handler: 'public/index.php', environment });

  // The gateway that waits as long as the function's timeout.
  const browser = site.browser('function URL');
  const welcome = await browser.get('/');
  expect(welcome.url.pathname).toBe('/wp-admin/install.php');
  const done = await browser.submit(welcome, /install\.php\?step=2|id="setup"/, {
    weblog_title: 'Lamella & Sons',
    user_name: 'admin',
    admin_password: PASSWORD,
    admin_password2: PASSWORD,
    admin_email: 'admin@example.com',
    Submit: 'Install WordPress',
  });
  expect(done.text).toContain('WordPress has been installed');
}, 600_000);
afterAll(async () => {
  await site?.close();
  await database?.stop();
  directory.remove();
});

function logIn(browser: Browser): Promise<Page> {
  return browser
    .get('/wp-login.php')
    .then((page) => browser.submit(page, /loginform/, { log: 'admin', pwd: PASSWORD, 'wp-submit': 'Log In' }));
}

describe.each(GATEWAYS)('WordPress behind a %s', (gateway) => {
  it('shows its front page with its style sheets and scripts', async () => {
    const browser = site.browser(gateway);
    const page = await browser.get('/');
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=UTF-8']);
    expect(page.text).toContain('Lamella &amp; Sons');
    expect(page.text).toContain('Hello world!');
    const login = await browser.get('/wp-login.php');
    const named = [...login.text.matchAll(/(?:href|src)='([^']+\.(?:css|js)[^']*)'/g)].map(([, url = '']) => url);
    expect(named.length).toBeGreaterThan(3);
    for (const url of named) {
      const { status, headers } = await browser.get(url.replaceAll('&#038;', '&'));
      expect([url, status]).toEqual([url, 200]);
      expect(headers['content-type']).toMatch(/^(text\/css|text\/javascript|application\/(x-)?javascript)/);
    }
  }, 60_000);

  it('logs its author in, publishes through its REST API, and accepts a comment', async () => {
    const browser = site.browser(gateway);
    const dashboard = await logIn(browser);
    expect([dashboard.status, dashboard.url.pathname]).toEqual([200, '/wp-admin/']);
    const nonce = /createNonceMiddleware\( "([0-9a-f]+)" \)/.exec((await browser.get('/wp-admin/post-new.php')).text);
    const post = { title: `Ünïcödé from the ${gateway}`, content: '<p>Text & more</p>', status: 'publish' };
    const made = await browser.post('/index.php?rest_route=/wp/v2/posts', Buffer.from(JSON.stringify(post)), {
      'content-type': 'application/json',
      'x-wp-nonce': nonce?.[1] ?? '',
    });
    expect([made.status, made.text.slice(0, 300)]).toEqual([201, expect.anything()]);
    const { link } = JSON.parse(made.text) as { link: string };

    const stranger = site.browser(gateway);
    const shown = await stranger.get(link);
    expect(shown.text).toContain(`Ünïcödé from the ${gateway}`);
    const commented = await stranger.submit(shown, /commentform/, {
      comment: `A comment through the ${gateway}: ä & <b>ö</b>`,
      author: 'Stranger',
      email: 'stranger@example.com',
      submit: 'Post Comment',
    });
    expect([commented.status, commented.text.includes('A comment through the')]).toEqual([200, true]);
  }, 60_000);

  it('accepts an image, and shows it', async () => {
    const browser = site.browser(gateway);
    await logIn(browser);
    const picture = readFileSync(join(directory.path, 'task/public/wp-admin/images/wordpress-logo.png'));
    const library = await browser.submit(await browser.get('/wp-admin/media-new.php?browser-uploader'), /file-form/, {
      'async-upload': { filename: 'Löwe.png', type: 'image/png', bytes: picture },
      'html-upload': 'Upload',
    });
    expect([library.status, library.url.pathname]).toEqual([200, '/wp-admin/upload.php']);
    const urls = database.query(
      "SELECT guid FROM wordpress.wp_posts WHERE post_type = 'attachment' ORDER BY ID DESC LIMIT 1",
    );
    const { pathname } = new URL(urls.trim());
    const shown = await browser.get(pathname);
    expect([shown.headers['content-type'], shown.bytes.equals(picture)]).toEqual(['image/png', true]);
  }, 60_000);
});
