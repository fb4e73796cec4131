import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseElf } from '../../elf/elf.ts';
import type { LibraryRequest } from './php-libraries.ts';
import { collectLibraries } from './php-libraries.ts';

const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'x86_64';

describe('collectLibraries', () => {
  let workspace: string;
  beforeAll(() => {
    workspace = mkdtempSync(join(tmpdir(), 'lamella-libraries-'));
    mkdirSync(join(workspace, 'own'));
    mkdirSync(join(workspace, 'system/lib'), { recursive: true });
    library('own/libz.so.1', 'int old(void) { return 1; } int new(void) { return 2; }', {
      versions: 'ZLIB_1.2.9 { global: old; };\nZLIB_99.1 { global: new; } ZLIB_1.2.9;',
    });
    library('own/libidle.so.1', 'int idle(void) { return 1; }');
    library('system/lib/libfuture.so.1', '#include <stdlib.h>\nint future(void) { return arc4random(); }');
    program('uses-old', 'old', ['own/libz.so.1', 'own/libidle.so.1']);
    program('uses-new', 'new', ['own/libz.so.1']);
    program('uses-future', 'future', ['system/lib/libfuture.so.1']);
  });
  afterAll(() => rmSync(workspace, { recursive: true, force: true }));

  it('does not pack libraries of Amazon Linux 2023 for that base', async () => {
    expect(await collect('uses-old', { base: 'al2023' })).toMatchObject({ packed: [], leftToSystem: ['libz.so.1'] });
    expect(await collect('uses-old', { base: 'glibc' })).toMatchObject({ packed: ['libz.so.1'], leftToSystem: [] });
  });

  it('packs a library of which Amazon Linux 2023 has too old a version', async () => {
    expect(await collect('uses-new', { base: 'al2023' })).toMatchObject({ packed: ['libz.so.1'], leftToSystem: [] });
  });

  it('does not pack a library that a program is linked with and does not use', async () => {
    expect(parseElf(execFileSync('cat', [join(workspace, 'uses-old')])).needed).toContain('libidle.so.1');
    expect(await collect('uses-old', { base: 'glibc' })).toMatchObject({ unused: ['libidle.so.1'] });
  });

  it('refuses a library that needs a newer glibc than AWS has, unless anyGlibc is set', async () => {
    const future = { base: 'glibc', systemRoot: join(workspace, 'system') } as const;
    await expect(collect('uses-future', future)).rejects.toMatchObject({
      code: 'library-too-new',
      message: expect.stringMatching(/^uses-future needs libfuture\.so\.1, .* glibc 2\.36/),
    });
    expect(await collect('uses-future', { ...future, anyGlibc: true })).toMatchObject({ packed: ['libfuture.so.1'] });
  });

  it('refuses a library without a version that a program needs', async () => {
    library('own/libz.so.1', 'int old(void) { return 1; }', { versions: 'ZLIB_1.2.9 { global: old; };' });
    await expect(collect('uses-new', { base: 'glibc' })).rejects.toMatchObject({
      code: 'library-unsuitable',
      message: expect.stringContaining('libz.so.1 (ZLIB_99.1)'),
    });
  });

  it('refuses a program whose library is not found', async () => {
    rmSync(join(workspace, 'system/lib/libfuture.so.1'));
    await expect(collect('uses-future', { base: 'glibc' })).rejects.toMatchObject({
      code: 'library-missing',
      message: expect.stringContaining('libfuture.so.1'),
    });
  });

  async function collect(name: string, request: Pick<LibraryRequest, 'base' | 'systemRoot' | 'anyGlibc'>) {
    const { libraries, unused, leftToSystem } = await collectLibraries({
      programs: [join(workspace, name)],
      architecture: ARCHITECTURE,
      directories: [async () => join(workspace, 'own')],
      ...request,
    });
    return { packed: libraries.map(({ soname }) => soname), unused: [...unused], leftToSystem };
  }

  function library(path: string, source: string, { versions }: { versions?: string } = {}): void {
    const script = versions === undefined ? [] : ['-Wl,--version-script=versions'];
    writeFileSync(join(workspace, 'versions'), versions ?? '');
    compile(source, ['-shared', '-fPIC', `-Wl,-soname,${path.split('/').at(-1)}`, ...script, '-o', path]);
  }

  function program(name: string, uses: string, libraries: readonly string[]): void {
    compile(`int ${uses}(void); int main(void) { return ${uses}(); }`, [
      '-Wl,--no-as-needed',
      '-o',
      name,
      ...libraries,
    ]);
  }

  function compile(source: string, options: readonly string[]): void {
    writeFileSync(join(workspace, 'source.c'), source);
    execFileSync('gcc', ['source.c', ...options], { cwd: workspace, stdio: 'pipe' });
  }
});
