import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cpuGrowth, LINEAR } from '../../test/support/cpu-growth.ts';
import { compareVersions, isGlibcLibrary, libraryClosure, parseElf, requiredGlibc } from './elf.ts';
import { withSearchPath } from './elf-search-path.ts';

/** Any program will do. */
const PROGRAM = process.execPath;
const SHELL = '/bin/bash';

describe('parseElf', () => {
  it('finds the same needed libraries and loader as the dynamic loader itself', () => {
    const elf = parseElf(readFileSync(SHELL));
    const loaded = execFileSync('ldd', [SHELL], { encoding: 'utf8' });
    expect(elf.needed.length).toBeGreaterThan(0);
    for (const library of elf.needed) expect(loaded).toContain(`${library} =>`);
    expect(loaded).toContain(elf.interpreter);
    expect(elf.soname).toBeUndefined();
  });

  it('reads symbols and the versions that they are bound to', () => {
    const elf = parseElf(readFileSync(SHELL));
    expect(elf.versionNeeds.get('libc.so.6')).toContain('GLIBC_2.34');
    expect(elf.undefinedSymbols.has('fork') || elf.undefinedSymbols.has('execve')).toBe(true);
  });

  it('refuses a file that is not ELF', () => {
    expect(() => parseElf(Buffer.from('#!/bin/sh\n'))).toThrow('Not a 64-bit little-endian ELF file');
    expect(() => parseElf(Buffer.alloc(0))).toThrow('Not a 64-bit little-endian ELF file');
  });
});

describe('a hostile ELF file', () => {
  type Tables = { readonly dynamic: readonly (readonly [tag: bigint, value: bigint])[]; readonly symbols?: number };
  const AT = { dynamic: 64 + 2 * 56, rest: 4096 };

  /** One loaded segment and a dynamic table. `symbols`: so many, whose names are all the whole rest of the file. */
  function hostile(size: number, { dynamic, symbols = 0 }: Tables): Buffer {
    const bytes = Buffer.alloc(size, 'x');
    bytes.fill(0, 0, AT.rest);
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]).copy(bytes);
    bytes.writeBigUInt64LE(64n, 32);
    bytes.writeUInt16LE(56, 54);
    bytes.writeUInt16LE(2, 56);
    for (const [index, [type, offset]] of (
      [
        [1, 0],
        [2, AT.dynamic],
      ] as const
    ).entries()) {
      const at = 64 + 56 * index;
      bytes.writeUInt32LE(type, at);
      bytes.writeBigUInt64LE(BigInt(offset), at + 8);
      bytes.writeBigUInt64LE(BigInt(offset), at + 16);
      bytes.writeBigUInt64LE(BigInt(size - offset), at + 32);
    }
    for (const [index, [tag, value]] of dynamic.entries()) {
      bytes.writeBigUInt64LE(tag, AT.dynamic + 16 * index);
      bytes.writeBigUInt64LE(value, AT.dynamic + 16 * index + 8);
    }
    if (symbols > 0) {
      const sections = size - 128;
      bytes.fill(0, sections - symbols * 24);
      bytes.writeBigUInt64LE(BigInt(sections), 40);
      bytes.writeUInt16LE(64, 58);
      bytes.writeUInt16LE(2, 60);
      bytes.writeUInt32LE(11, sections + 4);
      bytes.writeBigUInt64LE(BigInt(sections - symbols * 24), sections + 24);
      bytes.writeBigUInt64LE(BigInt(symbols * 24), sections + 32);
      bytes.writeUInt32LE(1, sections + 40);
      bytes.writeBigUInt64LE(BigInt(AT.rest), sections + 64 + 24);
    }
    return bytes;
  }

  /** Version needs without an end: the next one is always at the same place. */
  const ENDLESS = [
    [5n, 4096n],
    [0x6ffffffen, 2048n],
    [0x6fffffffn, 2n ** 40n],
    [0n, 0n],
  ] as const;
  /** The same, with version definitions. */
  const ENDLESS_DEFINITIONS = [
    [5n, 4096n],
    [0x6ffffffcn, 2048n],
    [0x6ffffffdn, 2n ** 40n],
    [0n, 0n],
  ] as const;

  it.each([
    ['version needs without an end', (size: number) => hostile(size, { dynamic: ENDLESS })],
    ['version definitions without an end', (size: number) => hostile(size, { dynamic: ENDLESS_DEFINITIONS })],
    ['many symbols that share one long name', (size: number) => hostile(size, { dynamic: [], symbols: size / 100 })],
  ])('with %s is refused, in time that grows in proportion to its size', async (_, make) => {
    const parse = (size: number) => {
      const bytes = make(size);
      return () => expect(() => parseElf(bytes)).toThrow('Invalid ELF file');
    };
    expect(await cpuGrowth(parse, 400_000)).toBeLessThan(LINEAR);
  });
});

describe('libraryClosure', () => {
  it('follows libraries of libraries up to glibc, and lists missing ones with the files that need them', async () => {
    const where = new Map(
      [...execFileSync('ldd', [SHELL], { encoding: 'utf8' }).matchAll(/(\S+) => (\S+)/g)].map((m) => [m[1], m[2]]),
    );
    const found = await libraryClosure([SHELL], async (soname) => where.get(soname));
    expect(found.missing.size).toBe(0);
    expect(found.libraries.map(({ soname }) => soname)).toEqual(
      [...where.keys()].filter((name) => name !== undefined && !isGlibcLibrary(name)).sort(),
    );
    const none = await libraryClosure([SHELL], async () => undefined);
    expect([...none.missing.values()].flat()).toContain(SHELL);
  });
});

describe('requiredGlibc and compareVersions', () => {
  it('compare versions by number', () => {
    expect(compareVersions('2.4', '2.34')).toBeLessThan(0);
    expect(compareVersions('2.34', '2.34')).toBe(0);
    expect(compareVersions('2.34.1', '2.34')).toBeGreaterThan(0);
  });

  it('require the newest glibc that any file names', () => {
    const versions = (names: string[]) => ({
      ...parseElf(readFileSync(PROGRAM)),
      versionNeeds: new Map([['libc.so.6', names]]),
    });
    expect(requiredGlibc([versions(['GLIBC_2.4', 'GLIBC_2.17']), versions(['GLIBC_2.5', 'GLIBC_PRIVATE'])])).toBe(
      '2.17',
    );
    expect(requiredGlibc([versions([])])).toBeUndefined();
  });
});

describe('withSearchPath', () => {
  let directory: string;
  let compiles = true;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-elf-'));
    try {
      compile('answer.c', 'int answer(void) { return 42; }', ['-shared', '-fPIC', '-o', 'libanswer.so']);
      const program = 'int answer(void); int main(void) { return answer(); }';
      compile('main.c', program, ['-o', 'plain', '-L.', '-lanswer']);
      compile('main.c', program, ['-o', 'with-runpath', '-L.', '-lanswer', '-Wl,-rpath,/nowhere,--enable-new-dtags']);
    } catch {
      compiles = false;
    }
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each(['plain', 'with-runpath'])('lets a program built as %s find a library in a private directory', (name) => {
    if (!compiles) return expect(compiles, 'this test needs gcc').toBe(true);
    const moved = install(name, '$ORIGIN/../private/lib');
    expect(parseElf(readFileSync(moved))).toMatchObject({ rpath: '$ORIGIN/../private/lib', runpath: undefined });
    expect(run(moved, {})).toBe(42);
  });

  it('takes precedence over LD_LIBRARY_PATH', () => {
    const moved = install('plain', '$ORIGIN/../private/lib');
    const decoy = join(directory, 'decoy');
    mkdirSync(decoy, { recursive: true });
    compile('decoy.c', 'int answer(void) { return 13; }', ['-shared', '-fPIC', '-o', 'decoy/libanswer.so']);
    expect(run(moved, { LD_LIBRARY_PATH: decoy })).toBe(42);
  });

  it('leaves a file that readelf reads', () => {
    const listing = execFileSync('readelf', ['-dW', install('plain', '$ORIGIN/../private/lib')], { encoding: 'utf8' });
    expect(listing).toContain('Library rpath: [$ORIGIN/../private/lib]');
    expect(listing).toContain('[libanswer.so]');
  });

  function compile(file: string, source: string, options: string[]): void {
    writeFileSync(join(directory, file), source);
    execFileSync('gcc', [file, ...options], { cwd: directory, stdio: 'pipe' });
  }

  function install(name: string, path: string): string {
    const target = join(directory, `installed-${name}/bin/program`);
    const library = join(directory, `installed-${name}/private/lib/libanswer.so`);
    for (const file of [target, library]) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(library, readFileSync(join(directory, basename(library))));
    writeFileSync(target, withSearchPath(readFileSync(join(directory, name)), path));
    chmodSync(target, 0o755);
    return target;
  }

  function run(program: string, environment: Record<string, string>): number {
    try {
      execFileSync(program, { env: environment, stdio: 'pipe' });
      return 0;
    } catch (failure) {
      return (failure as { status: number }).status;
    }
  }
});
