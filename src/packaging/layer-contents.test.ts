import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CACHE_DIR, temporaryDirectory } from '../../test/support/php-sandbox.ts';
import { compareLayers, inspectLayer } from './layer-contents.ts';
import { buildPhpLayer, planPhpLayer } from './php/php-layer.ts';
import type { ZipEntry } from './zip-writer.ts';
import { writeZip } from './zip-writer.ts';

const workspace = temporaryDirectory();
afterAll(workspace.remove);

describe('inspectLayer', () => {
  const lean = join(workspace.path, 'lean.zip');
  const lent = join(workspace.path, 'lent.zip');
  let entries: readonly ZipEntry[];
  beforeAll(async () => {
    entries = (await planPhpLayer({ version: '8.4', cacheDir: CACHE_DIR })).entries;
    await buildPhpLayer({ version: '8.4', output: lean, cacheDir: CACHE_DIR });
    await buildPhpLayer({ version: '8.4', base: 'al2023', output: lent, cacheDir: CACHE_DIR });
  }, 300_000);

  it('describes a PHP layer in which nothing is missing', async () => {
    const zip = readFileSync(lean);
    const layer = await inspectLayer(lean);
    expect(layer).toMatchObject({
      zippedBytes: zip.length,
      codeSha256: createHash('sha256').update(zip).digest('base64'),
      limitBytes: 262_144_000,
      hasBootstrap: true,
      architectures: ['x86_64'],
      runsOnAmazonLinux2023: true,
      fromAmazonLinux2023: [],
      missing: [],
    });
    expect(layer.phpVersion).toMatch(/^8\.4\.\d+$/);
    expect(layer.extensions).toEqual(
      ['ctype', 'curl', 'iconv', 'tokenizer'].map((name) => ({ name, isEnabled: true })),
    );
    const listed = execFileSync('unzip', ['-Zt', lean], { encoding: 'utf8' });
    expect(listed).toContain(`${layer.unzippedBytes} bytes uncompressed`);
    expect(layer.files[0]).toMatchObject({ path: 'bin/php', mode: '755' });
  });

  it('distinguishes libraries of Amazon Linux 2023 from missing ones', async () => {
    const left = await inspectLayer(lent);
    expect(left).toMatchObject({ missing: [], runsOnAmazonLinux2023: true });
    expect(left.fromAmazonLinux2023).toContain('libcurl.so.4');

    const broken = join(workspace.path, 'broken.zip');
    await writeZip(
      broken,
      entries.filter(({ path }) => !path.endsWith('libcrypt.so.2')),
    );
    const { missing, runsOnAmazonLinux2023 } = await inspectLayer(broken);
    expect(missing).toContainEqual({ file: 'bin/php', library: 'libcrypt.so.2', versions: [] });
    expect(runsOnAmazonLinux2023).toBe(false);
  });

  it('lists modules that no ini file enables', async () => {
    const idle = join(workspace.path, 'idle.zip');
    await writeZip(
      idle,
      entries.filter(({ path }) => !path.endsWith('.ini')),
    );
    const { extensions } = await inspectLayer(idle);
    expect(extensions).toContainEqual({ name: 'curl', isEnabled: false });
  });

  it('lists truncated programs, and reads the others', async () => {
    const cut = join(workspace.path, 'cut.zip');
    const file = (path: string, bytes: Buffer): ZipEntry => ({ path, mode: 0o755, content: { kind: 'bytes', bytes } });
    const program = readFileSync('/bin/sh');
    const header = program.subarray(0, 16);
    await writeZip(cut, [
      file('bin/cut', program.subarray(0, 3000)),
      file('bin/header', header),
      file('bin/sh', program),
    ]);
    const layer = await inspectLayer(cut);
    expect(layer.damaged).toEqual(['bin/cut', 'bin/header']);
    expect([layer.architectures.length, layer.runsOnAmazonLinux2023]).toEqual([1, false]);
  });

  it('describes a layer without programs', async () => {
    const plain = join(workspace.path, 'plain.zip');
    await writeZip(plain, [
      { path: 'vendor/a.php', mode: 0o644, content: { kind: 'bytes', bytes: Buffer.from('<?php') } },
    ]);
    expect(await inspectLayer(plain)).toMatchObject({
      phpVersion: undefined,
      glibc: undefined,
      architectures: [],
      unzippedBytes: 5,
      missing: [],
    });
  });

  it('refuses a file that is not an archive or does not exist', async () => {
    writeFileSync(join(workspace.path, 'text.zip'), 'hello');
    for (const name of ['text.zip', 'none.zip']) {
      await expect(inspectLayer(join(workspace.path, name))).rejects.toMatchObject({ code: 'file-unreadable' });
    }
  });

  it('finds files that were added or removed, or have other contents or modes', async () => {
    const file = (path: string, text: string, mode = 0o644): ZipEntry => ({
      path,
      mode,
      content: { kind: 'bytes', bytes: Buffer.from(text) },
    });
    const write = async (name: string, files: ZipEntry[]) => {
      await writeZip(join(workspace.path, name), files);
      return inspectLayer(join(workspace.path, name));
    };
    const before = await write('a.zip', [file('same', '1'), file('old', '1'), file('text', '1'), file('run', '1')]);
    const after = await write('b.zip', [
      file('same', '1'),
      file('new', '1'),
      file('text', '2'),
      file('run', '1', 0o755),
    ]);
    expect(compareLayers(before, after).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'added new',
      'removed old',
      'mode run',
      'changed text',
    ]);
    expect(compareLayers(after, after)).toEqual([]);
  });
});
