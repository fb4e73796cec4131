import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CACHE_DIR, runInside, temporaryDirectory } from '../../../test/support/php-sandbox.ts';
import { inspectLayer } from '../layer-contents.ts';
import { buildPhpExtensionLayer } from './php-extension-layer.ts';
import { buildPhpLayer } from './php-layer.ts';

const workspace = temporaryDirectory();
afterAll(workspace.remove);

describe('a layer of extensions', () => {
  const path = (name: string) => join(workspace.path, `${name}.zip`);
  const build = (name: string, extensions: readonly string[], variant: 'lean' | 'http' = 'lean') =>
    buildPhpExtensionLayer({ version: '8.4', extensions, variant, output: path(name), cacheDir: CACHE_DIR });
  /** The modules that PHP lists with the merged layers. */
  const modulesWith = (...layers: string[]): string[] => {
    const opt = join(workspace.path, layers.join('+'));
    for (const layer of layers) execFileSync('unzip', ['-q', '-o', path(layer), '-d', opt]);
    const environment = { PHP_INI_SCAN_DIR: '/opt/lamella/ini' };
    return runInside({ opt, argv: ['/opt/bin/php', '-m'], environment })
      .toLowerCase()
      .split('\n');
  };
  beforeAll(async () => {
    await buildPhpLayer({ version: '8.4', output: path('php'), cacheDir: CACHE_DIR });
  }, 300_000);

  it('adds its extensions, and those that they require, to the PHP layer', async () => {
    const layer = await build('redis', ['redis']);
    expect(layer.extensions).toEqual(['igbinary', 'msgpack', 'redis']);
    expect(modulesWith('php')).not.toContain('redis');
    expect(modulesWith('php', 'redis')).toEqual(expect.arrayContaining(['igbinary', 'msgpack', 'redis', 'curl']));
  });

  it('can be combined with another that contains the same extension', async () => {
    await build('redis', ['redis']);
    await build('igbinary', ['igbinary', 'intl']);
    const modules = modulesWith('php', 'redis', 'igbinary');
    expect(modules).toEqual(expect.arrayContaining(['redis', 'intl', 'igbinary']));
    expect(modules.join(' ')).not.toContain('warning');
  });

  it('does not contain libraries of the PHP layer', async () => {
    const layer = await build('intl', ['intl']);
    expect(layer.libraries).toContain('libicudata.so.67');
    expect(layer.libraries).not.toContain('libcrypto.so.3');
    const files = (await inspectLayer(path('intl'))).files.map((file) => file.path);
    expect(files).not.toContain('bin/php');
  });

  it('has the same bytes each time', async () => {
    await build('once', ['gd']);
    await build('again', ['gd']);
    expect(readFileSync(path('once')).equals(readFileSync(path('again')))).toBe(true);
  });

  it('is refused if the PHP layer has all of its extensions', async () => {
    await expect(build('none', ['curl'])).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('curl'),
    });
    await expect(build('none', ['mbstring'], 'http')).rejects.toMatchObject({ code: 'usage' });
  });
});
