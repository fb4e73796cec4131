/** MediaWiki on SQLite: pages, style sheets, login, edit, search and API, behind every gateway. */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/php-sandbox.ts';
import { attribute, type Browser, type Page } from './browser.ts';
import { copyOut, unpackDebian } from './debian-application.ts';
import {
  applicationLayer,
  GATEWAYS,
  runScript,
  type ServedApplication,
  serveApplication,
} from './served-application.ts';

const EXTENSIONS = ['calendar', 'ctype', 'curl', 'dom', 'fileinfo', 'iconv', 'intl', 'mbstring', 'pdo_sqlite'];
const MORE_EXTENSIONS = ['simplexml', 'tokenizer', 'xml', 'xmlreader', 'xmlwriter'];
const PASSWORD = 'correct horse battery';
/** Settings for a wiki with read-only code, whose address is that of its gateway. */
const SETTINGS = `
$wgAssumeProxiesUseDefaultProtocolPorts = false;
$wgServer = WebRequest::detectServer(false);
$wgScriptPath = '';
$wgArticlePath = '/index.php/$1';
$wgUsePathInfo = true;
$wgSQLiteDataDir = '/tmp/wiki';
$wgTmpDirectory = '/tmp';
$wgCacheDirectory = '/tmp/wiki';
$wgUploadDirectory = '/tmp/images';
$wgEnableUploads = true;
$wgMainCacheType = CACHE_DB;
if (!is_dir('/tmp/wiki')) {
    mkdir('/tmp/wiki');
    mkdir('/tmp/images');
    foreach (glob(__DIR__ . '/../data/*.sqlite') as $file) {
        copy($file, '/tmp/wiki/' . basename($file));
    }
}
`;
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=',
  'base64',
);

const directory = temporaryDirectory();
let wiki: ServedApplication;

beforeAll(async () => {
  const tree = unpackDebian(['mediawiki', 'mediawiki-classes'], join(directory.path, 'debian'));
  const task = join(directory.path, 'task');
  // With its 98 MB of extensions it would be larger than a function may be.
  copyOut(tree, '/usr/share/mediawiki', join(task, 'public'), ['extensions', 'extensions-core', 'config', 'images']);
  const layer = await applicationLayer(directory.path, '8.2', [...EXTENSIONS, ...MORE_EXTENSIONS]);
  install(layer, task);
  wiki = await serveApplication({ directory: directory.path, task, layer, handler: 'public/index.php' });
}, 600_000);
afterAll(async () => {
  await wiki?.close();
  directory.remove();
});

/** Runs MediaWiki's own installer, and puts its settings and its database into the package. */
function install(layer: string, task: string): void {
  const tmp = join(directory.path, 'install');
  mkdirSync(join(tmp, 'wiki'), { recursive: true });
  const options = { dbtype: 'sqlite', dbpath: '/tmp/wiki', confpath: '/tmp', scriptpath: '', pass: PASSWORD };
  const flags = Object.entries({ ...options, server: 'http://localhost' }).map(([name, value]) => `--${name}=${value}`);
  runScript(layer, task, tmp, ['/var/task/public/maintenance/install.php', ...flags, 'Lamella Wiki', 'Admin']);
  mkdirSync(join(task, 'data'));
  for (const name of readdirSync(join(tmp, 'wiki')).filter((file) => file.endsWith('.sqlite'))) {
    copyFileSync(join(tmp, 'wiki', name), join(task, 'data', name));
    // MediaWiki makes them readable for the owner only; functions run as another user.
    chmodSync(join(task, 'data', name), 0o644);
  }
  const made = readFileSync(join(tmp, 'LocalSettings.php'), 'utf8');
  writeFileSync(join(task, 'public/LocalSettings.php'), made + SETTINGS);
}

async function loggedIn(browser: Browser): Promise<Page> {
  const login = await browser.get('/index.php?title=Special:UserLogin');
  return browser.submit(login, /userlogin/, { wpName: 'Admin', wpPassword: PASSWORD, wploginattempt: 'Log in' });
}

describe.each(GATEWAYS)('MediaWiki behind a %s', (gateway) => {
  const title = `From the ${gateway}`.replaceAll(' ', '_');

  it('shows its main page with its style sheets and images', async () => {
    const browser = wiki.browser(gateway);
    const page = await browser.get('/');
    expect([page.status, page.url.pathname]).toEqual([200, '/index.php/Main_Page']);
    expect(page.text).toContain('<strong>MediaWiki has been installed.</strong>');
    const sheets = [...page.text.matchAll(/<link rel="stylesheet"[^>]*>/g)].map(
      ([tag]) => attribute(tag, 'href') ?? '',
    );
    expect(sheets.length).toBeGreaterThan(0);
    for (const sheet of sheets) {
      const { status, headers, text } = await browser.get(sheet);
      expect([status, headers['content-type']]).toEqual([200, 'text/css; charset=utf-8']);
      expect(text.length).toBeGreaterThan(1000);
    }
    const picture =
      /\/resources\/assets\/[\w/-]+\.png/.exec(page.text)?.[0] ?? '/resources/assets/change-your-logo.svg';
    const image = await browser.get(picture);
    const onDisk = readFileSync(join(directory.path, 'task/public', picture));
    expect([image.status, image.bytes.equals(onDisk)]).toEqual([200, true]);
  }, 60_000);

  it('logs its administrator in, saves an edit, and finds it', async () => {
    const browser = wiki.browser(gateway);
    expect((await loggedIn(browser)).text).toContain('Special:UserLogout');
    const edit = await browser.get(`/index.php?title=${title}&action=edit`);
    const saved = await browser.submit(edit, /editform/, { wpTextbox1: `Ünïcödé '''bold''' + 100%`, wpSave: 'Save' });
    expect([saved.status, saved.url.pathname]).toEqual([200, `/index.php/${title}`]);
    expect(saved.text).toContain('Ünïcödé <b>bold</b> + 100%');

    const stranger = wiki.browser(gateway);
    const found = await stranger.get(`/index.php?search=${encodeURIComponent(title.replaceAll('_', ' '))}`);
    expect([found.url.pathname, found.text.includes('Ünïcödé <b>bold</b>')]).toEqual([`/index.php/${title}`, true]);
    const answer = await stranger.get(
      `/api.php?action=query&prop=revisions&rvprop=content&format=json&titles=${title}`,
    );
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.text).toContain(String.raw`\u00dcn\u00efc\u00f6d\u00e9 '''bold''' + 100%`);
    expect((await stranger.get('/index.php/No_such_page')).status).toBe(404);
  }, 60_000);

  it('accepts the upload of an image', async () => {
    const browser = wiki.browser(gateway);
    await loggedIn(browser);
    const name = `Pixel_${gateway.replaceAll(' ', '_')}.png`;
    const uploaded = await browser.submit(await browser.get('/index.php/Special:Upload'), /mw-upload-form/, {
      wpUploadFile: { filename: 'pixel.png', type: 'image/png', bytes: PIXEL },
      wpDestFile: name,
      wpIgnoreWarning: '1',
      wpUpload: 'Upload file',
    });
    expect([uploaded.status, uploaded.url.pathname]).toEqual([200, `/index.php/File:${name}`]);
    expect(uploaded.text).toMatch(new RegExp(`1 × 1 pixels[^]*file size: ${PIXEL.length} bytes[^]*image/png`));
  }, 60_000);
});

it('no PHP source is sent, and nothing is logged as an error', async () => {
  const browser = wiki.browser('HTTP API');
  expect((await browser.get('/LocalSettings.php')).text).not.toContain('wgSecretKey');
  expect((await browser.get('/vendor/composer/installed.json')).text).not.toContain('"packages"');
  expect(await wiki.log()).not.toMatch(/PHP (Warning|Fatal|Deprecated)|php-cgi ended/);
});
