import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CACHE_DIR, runInside, temporaryDirectory, writePackage } from '../../../test/support/php-sandbox.ts';
import { writeZip } from '../zip-writer.ts';
import { buildPhpLayer } from './php-layer.ts';
import type { OpcacheLayer } from './php-opcache-layer.ts';
import { buildOpcacheLayer } from './php-opcache-layer.ts';

const workspace = temporaryDirectory();
afterAll(workspace.remove);

describe('an opcache layer', () => {
  const opt = join(workspace.path, 'opt');
  const task = join(workspace.path, 'task');
  let layer: OpcacheLayer;
  beforeAll(async () => {
    writePackage(task, {
      'index.php': '<?php require "/opt/vendor/lib.php"; echo "task as compiled, ", lib();',
      'broken.php': '<?php class {',
      'src/fatal.php': '<?php function f($a, $a) {}',
      'zlast.php': '<?php echo "last as compiled";',
    });
    const content = {
      kind: 'bytes',
      bytes: Buffer.from('<?php function lib() { return "vendor as compiled"; }'),
    } as const;
    const at = (name: string) => join(workspace.path, name);
    await writeZip(at('vendor.zip'), [{ path: 'vendor/lib.php', mode: 0o644, content }]);
    await buildPhpLayer({ version: '8.5', output: at('php.zip'), cacheDir: CACHE_DIR });
    const request = { version: '8.5', layers: [at('vendor.zip')], output: at('opcache.zip'), cacheDir: CACHE_DIR };
    layer = await buildOpcacheLayer({ directory: task, ...request });
    for (const zip of ['php.zip', 'vendor.zip', 'opcache.zip']) {
      execFileSync('unzip', ['-q', '-o', at(zip), '-d', opt]);
    }
  }, 300_000);

  it('makes PHP run the compiled code of the function and of its vendor layer, without reading the files', () => {
    // Proof: changes of the files have no effect.
    writeFileSync(join(task, 'index.php'), '<?php echo "task read again";');
    writeFileSync(join(task, 'zlast.php'), '<?php echo "last read again";');
    writeFileSync(join(opt, 'vendor/lib.php'), '<?php function lib() { return "vendor read again"; }');
    const run = (file: string, environment: Record<string, string>) =>
      runInside({ opt, task, argv: ['/opt/bin/php', `/var/task/${file}`], environment });
    const withLayers = { PHP_INI_SCAN_DIR: '/opt/lamella/ini' };
    expect(run('index.php', withLayers)).toBe('task as compiled, vendor as compiled');
    expect(run('zlast.php', withLayers)).toBe('last as compiled');
    expect(run('index.php', {})).toBe('task read again');
  });

  it('has the same bytes each time it is built, with checksums that PHP accepts', async () => {
    const code = writePackage(join(workspace.path, 'same'), {
      // Compiles to instructions with unset operands.
      'index.php': `<?php namespace A; abstract class B { private ?array $x = [1, 'a' => null]; static function f(int ...$n): \\Generator
        { foreach ($n as $k => $v) { if ($v > 1 && isset($k)) yield $k => match (true) { $v < 3 => 'small', default => "large {$v}" }; } return; } }
        try { foreach (B::f(1, 2, 3) as $k => $v) { echo $k, $v; } unset($k); } finally { echo '!'; }`,
    });
    const build = async (name: string) => {
      const output = join(workspace.path, name);
      await buildOpcacheLayer({ directory: code, version: '8.5', layers: [], output, cacheDir: CACHE_DIR });
      return readFileSync(output);
    };
    expect((await build('same-1.zip')).equals(await build('same-2.zip'))).toBe(true);
    execFileSync('unzip', ['-q', '-o', join(workspace.path, 'same-1.zip'), '-d', opt]);
    writeFileSync(join(code, 'index.php'), '<?php echo "read again";');
    const checked = ['/opt/bin/php', '-d', 'opcache.file_cache_consistency_checks=1', '/var/task/index.php'];
    const environment = { PHP_INI_SCAN_DIR: '/opt/lamella/ini' };
    expect(runInside({ opt, task: code, argv: checked, environment })).toBe('1small2large 3!');
  });

  it('lists the files that PHP cannot compile, and contains all others', () => {
    expect(layer.skipped).toEqual(['/var/task/broken.php', '/var/task/src/fatal.php']);
    expect(layer.compiled).toBe(3);
  });

  it('does not modify the project', () => {
    expect(execFileSync('find', [task, '-name', '*.bin'], { encoding: 'utf8' })).toBe('');
  });

  it('is refused for a PHP version that cannot read it', async () => {
    const request = {
      version: '8.4',
      directory: task,
      layers: [],
      output: join(workspace.path, 'x.zip'),
      cacheDir: CACHE_DIR,
    };
    await expect(buildOpcacheLayer(request)).rejects.toMatchObject({
      code: 'opcache-unavailable',
      remedy: expect.stringContaining('8.5'),
    });
  });

  it('is refused for a directory that does not exist', async () => {
    const request = { version: '8.5', layers: [], output: join(workspace.path, 'x.zip'), cacheDir: CACHE_DIR };
    await expect(buildOpcacheLayer({ ...request, directory: join(workspace.path, 'none') })).rejects.toMatchObject({
      code: 'file-unreadable',
    });
  });
});
