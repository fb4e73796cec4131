import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AWS_LD_LIBRARY_PATH,
  CACHE_DIR,
  laidOutPhpLayer,
  runInside,
  temporaryFolder,
  unpackedPhpLayer,
  writePackage,
} from '../../test/support/php-sandbox.ts';
import { isGlibcLibrary, parseElf } from './elf.ts';
import { PHP_VERSIONS } from './php-builds.ts';
import type { PhpLayer } from './php-layer.ts';
import { buildPhpLayer } from './php-layer.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

describe('a PHP layer', () => {
  let opt: string;
  let layer: PhpLayer;
  beforeAll(async () => {
    opt = await unpackedPhpLayer(folder.path);
    layer = await buildPhpLayer({ version: '8.4', output: join(folder.path, 'again.zip'), cacheDir: CACHE_DIR });
  }, 300_000);

  it('has the same bytes each time it is built', () => {
    expect(
      readFileSync(join(folder.path, 'again.zip')).equals(readFileSync(join(folder.path, 'php-8.4-lean.zip'))),
    ).toBe(true);
  });

  it('carries every library that anything in it needs, except those of glibc', () => {
    const files = execFileSync('find', [opt, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n');
    const carried = new Set(layer.libraries);
    const needed = files
      .filter((file) => readFileSync(file).subarray(1, 4).toString() === 'ELF')
      .flatMap((file) => parseElf(readFileSync(file)).needed);
    expect(needed.length).toBeGreaterThan(20);
    expect(needed.filter((name) => !isGlibcLibrary(name) && !carried.has(name))).toEqual(layer.expectedFromSystem);
    expect([...carried].filter(isGlibcLibrary)).toEqual([]);
  });

  it('asks for no newer glibc than Amazon Linux 2023 has', () => {
    expect(layer.glibc).toMatch(/^2\.(\d|[12]\d|3[0-4])$/);
  });

  it.each([
    ['a clean environment', {}],
    ["AWS's LD_LIBRARY_PATH", { LD_LIBRARY_PATH: AWS_LD_LIBRARY_PATH }],
    ["the host's libraries first", { LD_LIBRARY_PATH: '/usr/lib/x86_64-linux-gnu' }],
  ])('starts as the interpreter of a script, with its own libraries, in %s', (_name, environment) => {
    const task = writePackage(join(folder.path, 'shebang'), {
      'script.php':
        '#!/opt/bin/php\n<?php curl_version(); echo PHP_VERSION, "\\n", file_get_contents("/proc/self/maps");',
    });
    execFileSync('chmod', ['+x', join(task, 'script.php')]);
    const [version, ...maps] = runInside({ opt, task, argv: ['/var/task/script.php'], environment }).split('\n');
    expect(version).toBe(layer.phpVersion);
    const mapped = maps.flatMap((line) => /\s(\/.*\.so[.\d]*)$/.exec(line)?.[1] ?? []);
    const foreign = mapped.filter((path) => !path.startsWith('/opt/') && !isGlibcLibrary(path.split('/').pop() ?? ''));
    expect([...new Set(foreign)].filter((path) => !path.includes('/ld-linux'))).toEqual([]);
  });

  it('does not lend its libraries to other programs', () => {
    const environment = { LD_LIBRARY_PATH: AWS_LD_LIBRARY_PATH };
    const script = 'echo shell_exec("LD_TRACE_LOADED_OBJECTS=1 /usr/bin/openssl version 2>&1 || true");';
    const listing = runInside({ opt, argv: ['/opt/bin/php', '-r', script], environment });
    expect(listing).not.toContain('/opt/');
  });

  it('hands the environment to $_ENV and loads what was asked for', () => {
    const script = 'echo json_encode([$_ENV["GREETING"], array_map("strtolower", get_loaded_extensions())]);';
    const run = runInside({ opt, argv: ['/opt/bin/php', '-r', script], environment: { GREETING: 'hi' } });
    const [greeting, extensions] = JSON.parse(run) as [string, string[]];
    expect(greeting).toBe('hi');
    expect(extensions).toEqual(expect.arrayContaining(['curl', 'openssl', 'mbstring', 'ctype', 'json']));
    expect(extensions).not.toContain('phar');
  });

  it('carries php-cgi when it is to serve web applications, and opcache for that alone', async () => {
    const web = await laidOutPhpLayer(folder.path, { webServer: true });
    expect(runInside({ opt: web, argv: ['/opt/bin/php-cgi', '-v'] })).toContain(`PHP ${layer.phpVersion} (cgi-fcgi)`);
    expect(runInside({ opt: web, argv: ['/opt/bin/php', '-m'] })).not.toContain('OPcache');
    const withOpcache = ['/opt/bin/php-cgi', '-d', 'zend_extension=opcache', '-v'];
    expect(runInside({ opt: web, argv: withOpcache })).toContain('Zend OPcache');
  });

  it('is smaller than 25 MB', () => {
    expect(layer.unzippedBytes).toBeLessThan(25_000_000);
    expect(statSync(join(folder.path, 'again.zip')).size).toBe(layer.zip.bytes);
  });

  it('takes its own bootstrap from the user, and then leaves our runtime out', async () => {
    const task = writePackage(join(folder.path, 'own'), { bootstrap: '#!/opt/bin/php\n<?php echo "mine";' });
    const own = await laidOutPhpLayer(folder.path, {
      version: '8.4',
      extensions: [],
      bootstrap: join(task, 'bootstrap'),
    });
    expect(runInside({ opt: own, argv: ['/opt/bootstrap'] })).toBe('mine');
    expect(execFileSync('ls', [join(own, 'lamella')], { encoding: 'utf8' })).not.toContain('runtime');
  });
});

describe('extensions', () => {
  const MANY = ['pdo_mysql', 'pdo_pgsql', 'xsl', 'xmlreader', 'redis', 'intl', 'phar', 'zip', 'opcache', 'sodium'];
  const NEEDED = ['pdo', 'mysqlnd', 'dom', 'igbinary', 'msgpack'];

  it.each(PHP_VERSIONS)(
    'all load in PHP %s, with those that they need',
    async (version) => {
      const opt = await laidOutPhpLayer(folder.path, { version, extensions: MANY });
      const script = 'echo PHP_VERSION, " ", strtolower(implode(" ", get_loaded_extensions()));';
      const [said, ...loaded] = runInside({ opt, argv: ['/opt/bin/php', '-r', script] }).split(' ');
      expect(said?.startsWith(`${version}.`)).toBe(true);
      expect(loaded).toEqual(expect.arrayContaining([...MANY, ...NEEDED].filter((name) => name !== 'opcache')));
      expect(loaded.join(' ')).toContain('zend opcache');
    },
    300_000,
  );

  it('that do not exist are refused with the list of those that do', async () => {
    const build = buildPhpLayer({
      version: '8.4',
      extensions: ['nope'],
      output: join(folder.path, 'x.zip'),
      cacheDir: CACHE_DIR,
    });
    await expect(build).rejects.toMatchObject({
      code: 'php-extension-unknown',
      message: expect.stringContaining('nope'),
    });
  });

  it('may be written as Composer writes them, and those inside the binary need no file', async () => {
    const request = { version: '8.4', output: join(folder.path, 'y.zip'), cacheDir: CACHE_DIR };
    const layer = await buildPhpLayer({ ...request, extensions: ['ext-ctype', 'ext-json', 'OpenSSL', 'Zend OPcache'] });
    expect(layer.extensions).toEqual(['ctype', 'opcache']);
  });
});

describe('versions', () => {
  it('that are too old for our runtime are packed without one, and that is said', async () => {
    const said: string[] = [];
    const opt = await laidOutPhpLayer(folder.path, { version: '7.4', extensions: ['json'] });
    expect(execFileSync('ls', [opt], { encoding: 'utf8' })).toBe('bin\nlamella\n');
    const request = { version: '7.4', extensions: ['json'], cacheDir: CACHE_DIR, output: join(folder.path, 'old.zip') };
    await buildPhpLayer({ ...request, onProgress: (message) => said.push(message) });
    expect(said.join()).toContain('the layer holds PHP alone');
  });

  it('that are not to be had are refused with the list of those that are', async () => {
    const build = buildPhpLayer({ version: '5.6', output: join(folder.path, 'x.zip'), cacheDir: CACHE_DIR });
    await expect(build).rejects.toMatchObject({ code: 'php-version-unknown', remedy: expect.stringContaining('8.4') });
  });
});
