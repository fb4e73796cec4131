import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseElf } from './elf.ts';
import { renderStandIn } from './elf-stand-in.ts';

const PROGRAM = `
  #include <stdio.h>
  int first(int), second(void); extern void *some_variable;
  int main(void) { printf("%x %x %p", first(1), second(), some_variable); }`;
const REAL = 'int first(int x) { return x; } int second(void) { return 2; } void *some_variable = "text";';
const VERSIONS = 'REAL_1 { global: first; some_variable; };\nREAL_2 { global: second; } REAL_1;';

describe('a stand-in', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-stand-in-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each([
    ['versions', ['-Wl,--version-script=versions']],
    ['no versions', []],
  ])(
    'lets a program start that was linked with the real library with %s, and fails in every function',
    (_, options) => {
      compile('versions', VERSIONS);
      compile('real.c', REAL, ['-shared', '-fPIC', '-Wl,-soname,libreal.so.1', '-o', 'libreal.so', ...options]);
      compile('program.c', PROGRAM, ['-fPIC', '-Wl,-z,now', '-o', 'program', '-L.', '-lreal']);
      const wanted = parseElf(execFileSync('cat', ['program'], { cwd: directory }));
      const versionOf = (name: string) => wanted.versionedSymbols.find(({ symbol }) => symbol === name)?.version;
      const bytes = renderStandIn({
        soname: 'libreal.so.1',
        architecture: wanted.architecture,
        symbols: ['first', 'second', 'some_variable'].map((name) => ({
          name,
          version: versionOf(name),
          isVariable: name === 'some_variable',
        })),
        result: 0x0010_0000,
      });
      writeFileSync(join(directory, 'libreal.so.1'), bytes);
      const environment = { LD_LIBRARY_PATH: directory, LD_BIND_NOW: '1' };
      const { stdout, stderr } = spawnSync('./program', { cwd: directory, encoding: 'utf8', env: environment });
      expect({ stdout, stderr }).toEqual({ stdout: '100000 100000 (nil)', stderr: '' });

      const listing = spawnSync('readelf', ['-aW', 'libreal.so.1'], { cwd: directory, encoding: 'utf8' });
      expect(listing.stderr).toBe('');
      const elf = parseElf(bytes);
      expect(elf).toMatchObject({ soname: 'libreal.so.1', needed: [] });
      expect([...elf.versionsDefined]).toEqual(options.length > 0 ? ['REAL_1', 'REAL_2'] : []);
      expect([...elf.defines].sort()).toEqual(['first', 'second', 'some_variable']);
    },
  );

  it('can be rendered for an architecture other than that of this machine', () => {
    const symbols = [{ name: 'f', version: 'V_1', isVariable: false }];
    const bytes = renderStandIn({ soname: 'libf.so.1', architecture: 'arm64', symbols, result: 0x0010_0000 });
    expect(parseElf(bytes)).toMatchObject({ architecture: 'arm64', soname: 'libf.so.1' });
    // movz w0, #0x10, lsl #16; ret
    expect(bytes.includes(Buffer.from([0x00, 0x02, 0xa0, 0x52, 0xc0, 0x03, 0x5f, 0xd6]))).toBe(true);
  });

  function compile(file: string, source: string, options?: readonly string[]): void {
    writeFileSync(join(directory, file), source);
    if (options) execFileSync('gcc', [file, ...options], { cwd: directory, stdio: 'pipe' });
  }
});
