/**
 * The walkthrough's own runtime and functions, unchanged, on a PHP layer without Lamella's runtime and a vendor layer built
 * with Composer. Composer gets Guzzle from Debian's package through path repositories, so that no network is needed.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildComposerLayer } from '../../src/packaging/composer/composer-layer.ts';
import { startFakeRuntimeApi } from '../support/fake-runtime-api.ts';
import { CACHE_DIR, laidOutPhpLayer, spawnInside, temporaryDirectory, writePackage } from '../support/php-sandbox.ts';
import { requirePackages } from '../support/system-packages.ts';

requirePackages('php-guzzlehttp-guzzle');

const EXAMPLE = resolve(import.meta.dirname, '../../examples/walkthrough');
const DEBIAN = '/usr/share/php';
const directory = temporaryDirectory();
let opt: string;

/** Debian's libraries as Composer packages. */
const LIBRARIES = [
  ['guzzlehttp/guzzle', '7.4.5', 'GuzzleHttp', 'GuzzleHttp\\', ['functions_include.php']],
  ['guzzlehttp/promises', '1.5.2', 'GuzzleHttp/Promise', 'GuzzleHttp\\Promise\\', ['functions_include.php']],
  ['guzzlehttp/psr7', '2.4.3', 'GuzzleHttp/Psr7', 'GuzzleHttp\\Psr7\\', []],
  ['psr/http-client', '1.0.1', 'Psr/Http/Client', 'Psr\\Http\\Client\\', []],
  ['psr/http-message', '1.0.1', 'Psr/Http/Message', 'Psr\\Http\\Message\\', []],
  ['symfony/deprecation-contracts', '2.5.0', 'Symfony/Contracts/Deprecation', 'Unused\\', ['function.php']],
] as const;

describe("the walkthrough's own runtime", () => {
  beforeAll(async () => {
    const libraries = join(directory.path, 'libraries');
    for (const [name, version, from, prefix, files] of LIBRARIES) {
      const place = join(libraries, name);
      cpSync(join(DEBIAN, from), place, { recursive: true });
      const needs = name === 'guzzlehttp/guzzle' ? LIBRARIES.filter(([other]) => other !== name) : [];
      writePackage(place, {
        'composer.json': JSON.stringify({
          name,
          version,
          require: Object.fromEntries(needs.map(([other]) => [other, '*'])),
          autoload: { 'psr-4': { [prefix]: '' }, files },
        }),
      });
    }
    const project = join(directory.path, 'project');
    cpSync(EXAMPLE, project, { recursive: true });
    const composer = JSON.parse(readFileSync(join(EXAMPLE, 'composer.json'), 'utf8')) as object;
    const repositories = [{ type: 'path', url: '../libraries/*/*' }];
    writePackage(project, { 'composer.json': JSON.stringify({ ...composer, repositories }) });
    // Debian's Guzzle is old: PHP 8.3 is the newest version without deprecation warnings.
    opt = await laidOutPhpLayer(directory.path, { version: '8.3', bootstrap: join(EXAMPLE, 'bootstrap') });
    const vendor = join(directory.path, 'vendor.zip');
    await buildComposerLayer({ directory: project, output: vendor, version: '8.3', cacheDir: CACHE_DIR });
    execFileSync('unzip', ['-q', vendor, '-d', opt]);
  }, 300_000);
  afterAll(directory.remove);

  it.each([
    ['hello', 'Hello, World!'],
    ['goodbye', 'Goodbye, World!'],
  ])('runs %s, cold and warm, and sends its string unchanged', async (handler, expected) => {
    const api = await startFakeRuntimeApi();
    const environment = { AWS_LAMBDA_RUNTIME_API: api.address, LAMBDA_TASK_ROOT: '/var/task', _HANDLER: handler };
    const process = spawnInside({ opt, task: EXAMPLE, argv: ['/opt/bootstrap'], environment });
    try {
      for (let call = 0; call < 3; call++) {
        expect(await api.invoke('{"name": "World"}')).toMatchObject({ kind: 'response', body: expected });
      }
      expect(api.connections()).toBeGreaterThan(3);
    } finally {
      process.kill('SIGKILL');
      await api.close();
    }
  });

  it('exits on an uncaught error, because it has no error handling', async () => {
    const api = await startFakeRuntimeApi();
    const task = writePackage(join(directory.path, 'throws'), {
      'src/hello.php': '<?php function hello() { throw new Exception("unexpected"); }',
    });
    const environment = { AWS_LAMBDA_RUNTIME_API: api.address, LAMBDA_TASK_ROOT: '/var/task', _HANDLER: 'hello' };
    const process = spawnInside({ opt, task, argv: ['/opt/bootstrap'], environment });
    try {
      void api.invoke('{}');
      expect(await new Promise((resolve) => process.once('exit', resolve))).toBe(255);
    } finally {
      await api.close();
    }
  });
});
