import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CACHE_DIR,
  laidOutPhpLayer,
  runInside,
  temporaryDirectory,
  writePackage,
} from '../../../test/support/php-sandbox.ts';
import { buildComposerLayer } from './composer-layer.ts';

const workspace = temporaryDirectory();
afterAll(workspace.remove);

const GREETER = {
  'libs/greeter/composer.json': JSON.stringify({
    name: 'acme/greeter',
    version: '1.2.3',
    require: { 'acme/words': '^2.0' },
    autoload: { 'psr-4': { 'Acme\\Greeter\\': 'src/' } },
  }),
  'libs/greeter/src/Greeter.php':
    '<?php namespace Acme\\Greeter; final class Greeter { public static function greet(string $n): string { return \\Acme\\word() . " $n"; } }',
  'libs/words/composer.json': JSON.stringify({
    name: 'acme/words',
    version: '2.0.1',
    autoload: { files: ['words.php'] },
  }),
  'libs/words/words.php': '<?php namespace Acme; function word(): string { return "Hi"; }',
};

const PROJECT = {
  'app/composer.json': JSON.stringify({
    name: 'acme/app',
    require: { php: '>=8.1', 'acme/greeter': '*', 'ext-json': '*' },
    'require-dev': { 'acme/only-for-tests': '*' },
    repositories: [{ type: 'path', url: '../libs/*' }],
    autoload: { 'psr-4': { 'App\\': 'src/' }, classmap: ['legacy'], files: ['helpers.php'] },
    scripts: { 'post-install-cmd': 'exit 1' },
  }),
  'app/src/Hello.php':
    '<?php namespace App; final class Hello { public static function say(): string { return "from the project"; } }',
  'app/legacy/Old.php': '<?php class Old_Style { const WHAT = "old"; }',
  'app/helpers.php': '<?php function helper(): string { return "helped"; }',
};

describe('a Composer layer', () => {
  let opt: string;
  const app = () => join(workspace.path, 'project/app');
  beforeAll(async () => {
    writePackage(join(workspace.path, 'project'), { ...GREETER, ...PROJECT });
    opt = await laidOutPhpLayer(workspace.path);
    await build('vendor.zip');
    execFileSync('unzip', ['-q', join(workspace.path, 'vendor.zip'), '-d', opt]);
  }, 300_000);

  it('contains vendor/ with copies of the packages of path repositories, without development packages', async () => {
    const links = execFileSync('find', [join(opt, 'vendor'), '-type', 'l'], { encoding: 'utf8' });
    expect(links).toBe('');
    expect(readdirSync(join(opt, 'vendor/acme')).sort()).toEqual(['greeter', 'words']);
  });

  it("loads packages from /opt and the project's own classes, class maps and files from /var/task", () => {
    const script = `require '/opt/vendor/autoload.php';
      echo json_encode([Acme\\Greeter\\Greeter::greet('you'), App\\Hello::say(), Old_Style::WHAT, helper()]);`;
    const output = runInside({
      opt,
      task: app(),
      argv: ['/opt/bin/php', '-r', script],
      environment: { LAMBDA_TASK_ROOT: '/var/task' },
    });
    expect(JSON.parse(output)).toEqual(['Hi you', 'from the project', 'old', 'helped']);
  });

  it('has the same bytes each time, although the code of the project changed', async () => {
    writePackage(app(), { 'src/Another.php': '<?php namespace App; final class Another {}' });
    await build('again.zip');
    expect(
      readFileSync(join(workspace.path, 'again.zip')).equals(readFileSync(join(workspace.path, 'vendor.zip'))),
    ).toBe(true);
  });

  it('does not modify the project', () => {
    expect(existsSync(join(app(), 'vendor'))).toBe(false);
    expect(existsSync(join(app(), 'composer.lock'))).toBe(false);
  });

  it('lists the installed packages', async () => {
    const { packages } = await build('packages.zip');
    expect(packages).toEqual([
      { name: 'acme/greeter', version: '1.2.3' },
      { name: 'acme/words', version: '2.0.1' },
    ]);
  });

  function build(name: string) {
    return buildComposerLayer({
      directory: app(),
      output: join(workspace.path, name),
      version: '8.4',
      cacheDir: CACHE_DIR,
    });
  }
});

describe('a project that Composer cannot install', () => {
  const build = (name: string, json: unknown, extensions?: string[]) => {
    const directory = writePackage(join(workspace.path, name), {
      'composer.json': typeof json === 'string' ? json : JSON.stringify(json),
    });
    const output = join(workspace.path, `${name}.zip`);
    return buildComposerLayer({
      directory,
      output,
      version: '8.4',
      cacheDir: CACHE_DIR,
      ...(extensions && { extensions }),
    });
  };

  it('because an extension is missing in the layer, fails with its name', async () => {
    const json = { require: { 'ext-phar': '*' }, repositories: [{ 'packagist.org': false }] };
    await expect(build('phar', json)).rejects.toMatchObject({ code: 'composer-failed', message: /ext-phar/ });
    await expect(build('phar', json, ['phar'])).resolves.toMatchObject({ packages: [] });
  });

  it('because a package is not found, fails with its name', async () => {
    const json = { require: { 'acme/nowhere': '^1.0' }, repositories: [{ 'packagist.org': false }] };
    await expect(build('nowhere', json)).rejects.toMatchObject({ code: 'composer-failed', message: /acme\/nowhere/ });
  });

  it('because its repository is unreachable, fails as offline', async () => {
    const json = {
      require: { 'acme/far': '^1.0' },
      repositories: [{ type: 'composer', url: 'https://127.0.0.1:1/' }, { 'packagist.org': false }],
    };
    await expect(build('far', json)).rejects.toMatchObject({ code: 'composer-offline' });
  });

  it('because composer.json is missing or invalid, fails with its path', async () => {
    await expect(build('broken', '{"require": ')).rejects.toMatchObject({ code: 'composer-project-unreadable' });
    const missing = buildComposerLayer({
      directory: '/nonexistent',
      output: join(workspace.path, 'none.zip'),
      version: '8.4',
      cacheDir: CACHE_DIR,
    });
    await expect(missing).rejects.toMatchObject({ message: expect.stringContaining('/nonexistent/composer.json') });
  });
});
