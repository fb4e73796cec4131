import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareVersions, isGlibcLibrary, libraryClosure, parseElf, requiredGlibc } from './elf.ts';
import { withSearchPath } from './elf-search-path.ts';

/** The Node that runs this is a program like any other; what it says is compared with what the loader says. */
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

  it('reads symbols and the versions that they need', () => {
    const elf = parseElf(readFileSync(SHELL));
    expect(elf.versionNeeds.get('libc.so.6')).toContain('GLIBC_2.34');
    expect(elf.wants.has('fork') || elf.wants.has('execve')).toBe(true);
  });

  it('refuses what is no ELF file', () => {
    expect(() => parseElf(Buffer.from('#!/bin/sh\n'))).toThrow('not a 64-bit little-endian ELF file');
    expect(() => parseElf(Buffer.alloc(0))).toThrow('not a 64-bit little-endian ELF file');
  });
});

describe('libraryClosure', () => {
  it('follows libraries of libraries, stops at glibc, and tells what is missing and who needs it', async () => {
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

describe('glibc', () => {
  it('compares versions by number', () => {
    expect(compareVersions('2.4', '2.34')).toBeLessThan(0);
    expect(compareVersions('2.34', '2.34')).toBe(0);
    expect(compareVersions('2.34.1', '2.34')).toBeGreaterThan(0);
  });

  it('is required in the newest version that any file names', () => {
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
  let folder: string;
  let compiles = true;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lamella-elf-'));
    try {
      compile('answer.c', 'int answer(void) { return 42; }', ['-shared', '-fPIC', '-o', 'libanswer.so']);
      const program = 'int answer(void); int main(void) { return answer(); }';
      compile('main.c', program, ['-o', 'plain', '-L.', '-lanswer']);
      compile('main.c', program, ['-o', 'with-runpath', '-L.', '-lanswer', '-Wl,-rpath,/nowhere,--enable-new-dtags']);
    } catch {
      compiles = false;
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['plain', 'with-runpath'])('lets a program that had %s find a library in a folder of its own', (name) => {
    if (!compiles) return expect(compiles, 'a C compiler (gcc) is needed for this test').toBe(true);
    const moved = install(name, '$ORIGIN/../private/lib');
    expect(parseElf(readFileSync(moved))).toMatchObject({ rpath: '$ORIGIN/../private/lib', runpath: undefined });
    expect(run(moved, {})).toBe(42);
  });

  it('comes before LD_LIBRARY_PATH', () => {
    const moved = install('plain', '$ORIGIN/../private/lib');
    const decoy = join(folder, 'decoy');
    mkdirSync(decoy, { recursive: true });
    compile('decoy.c', 'int answer(void) { return 13; }', ['-shared', '-fPIC', '-o', 'decoy/libanswer.so']);
    expect(run(moved, { LD_LIBRARY_PATH: decoy })).toBe(42);
  });

  it('keeps the file sound for other tools', () => {
    const listing = execFileSync('readelf', ['-dW', install('plain', '$ORIGIN/../private/lib')], { encoding: 'utf8' });
    expect(listing).toContain('Library rpath: [$ORIGIN/../private/lib]');
    expect(listing).toContain('[libanswer.so]');
  });

  function compile(file: string, source: string, options: string[]): void {
    writeFileSync(join(folder, file), source);
    execFileSync('gcc', [file, ...options], { cwd: folder, stdio: 'pipe' });
  }

  function install(name: string, path: string): string {
    const target = join(folder, `installed-${name}/bin/program`);
    const library = join(folder, `installed-${name}/private/lib/libanswer.so`);
    for (const file of [target, library]) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(library, readFileSync(join(folder, basename(library))));
    writeFileSync(target, withSearchPath(readFileSync(join(folder, name)), path));
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
