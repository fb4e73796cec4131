import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseElf } from './elf.ts';
import { compactElf } from './elf-compact.ts';
import { withSearchPath } from './elf-search-path.ts';

const HUGE_PAGES = ['-Wl,-z,max-page-size=0x200000', '-Wl,-z,separate-code'];

/** Data of every kind that segments and relocations affect: constants, pointer tables, variables, thread-local data. */
const PROGRAM = `
  #include <dlfcn.h>
  #include <pthread.h>
  #include <stdio.h>
  #include <unistd.h>
  static const char *names[] = { "one", "two" };
  static int counter = 40; static int zeroes[5000]; static _Thread_local int mine = 1;
  static void *waits(void *_) { mine = 7; for (;;) pause(); }
  int main(void) {
    pthread_t thread; void *result = 0;
    pthread_create(&thread, 0, waits, 0); pthread_cancel(thread); pthread_join(thread, &result);
    zeroes[4999] += 1;
    int (*answer)(int) = (int (*)(int)) dlsym(dlopen("./libanswer.so", RTLD_NOW), "answer");
    printf("%s %s %d %d", names[0], names[1], answer(counter + zeroes[4999] + mine), result == PTHREAD_CANCELED);
    return 3;
  }`;
const LIBRARY =
  'static int by[] = { 0, 1 }; static int *table[] = { by, by + 1 }; int answer(int x) { return x * *table[1]; }';
const EXCEPTIONS = `
  #include <cstdio>
  #include <stdexcept>
  int main() { try { throw std::runtime_error("caught"); } catch (std::exception &e) { std::printf("%s", e.what()); } }`;

describe('compactElf', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-compact-'));
    compile('gcc', 'library.c', LIBRARY, ['-shared', '-fPIC', '-g', '-o', 'libanswer.so', ...HUGE_PAGES]);
    compile('gcc', 'program.c', PROGRAM, ['-g', '-o', 'program', ...HUGE_PAGES]);
    compile('g++', 'exceptions.cc', EXCEPTIONS, ['-g', '-o', 'exceptions', ...HUGE_PAGES]);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('removes padding between segments and symbols for debuggers, and the program runs as before', () => {
    const before = run('program');
    const sizes = ['program', 'libanswer.so'].map(compact);
    expect(run('program')).toEqual(before);
    expect(before.stdout).toBe('one two 42 1');
    for (const [original, now] of sizes) {
      expect(original).toBeGreaterThan(2_000_000);
      expect(now).toBeLessThan(30_000);
    }
  });

  it('leaves a file that readelf reads without warnings, with its exported symbols', () => {
    const listing = spawnSync('readelf', ['-aW', 'libanswer.so'], { cwd: directory, encoding: 'utf8' });
    expect(listing.stderr).toBe('');
    expect(listing.stdout).toMatch(/FUNC\s+GLOBAL DEFAULT\s+\d+ answer/);
    expect(parseElf(readFileSync(join(directory, 'libanswer.so'))).defines).toContain('answer');
  });

  it('keeps the tables that C++ needs for exceptions', () => {
    const [original, now] = compact('exceptions');
    expect(now).toBeLessThan(original / 10);
    expect(run('exceptions')).toMatchObject({ status: 0, stdout: 'caught' });
  });

  it('lets a program inspect its stack without unwinding it, and the inspection ends early', () => {
    const source = `#include <unwind.h>
      #include <stdio.h>
      static _Unwind_Reason_Code count(struct _Unwind_Context *c, void *n) { ++*(int *)n; _Unwind_GetCFA(c); return 0; }
      int main(void) { int n = 0; _Unwind_Backtrace(count, &n); printf("%s", n > 1 ? "deep" : "shallow"); return 0; }`;
    const options = ['-shared-libgcc', '-Wl,-z,separate-code', '-o', 'looks'];
    compile('gcc', 'looks.c', source, options);
    expect(run('looks').stdout).toBe('deep');
    compact('looks');
    expect(run('looks')).toEqual({ status: 0, stdout: 'shallow', stderr: '' });
  });

  it('accepts a file with a rewritten search path, and its own result', () => {
    const moved = withSearchPath(readFileSync(join(directory, 'program')), '$ORIGIN/lib');
    const once = compactElf(moved);
    expect(parseElf(once).rpath).toBe('$ORIGIN/lib');
    expect(compactElf(once).equals(once)).toBe(true);
  });

  it('returns a file that is not ELF unchanged', () => {
    const text = Buffer.from('#!/bin/sh\necho hello\n');
    expect(compactElf(text)).toBe(text);
  });

  function compile(compiler: string, file: string, source: string, options: string[]): void {
    writeFileSync(join(directory, file), source);
    execFileSync(compiler, [file, ...options], { cwd: directory, stdio: 'pipe' });
  }

  function compact(name: string): [before: number, after: number] {
    const original = readFileSync(join(directory, name));
    const bytes = compactElf(original);
    rmSync(join(directory, name));
    writeFileSync(join(directory, name), bytes);
    chmodSync(join(directory, name), 0o755);
    return [original.length, bytes.length];
  }

  function run(name: string): { status: number | null; stdout: string; stderr: string } {
    const { status, stdout, stderr } = spawnSync(join(directory, name), { cwd: directory, encoding: 'utf8' });
    return { status, stdout, stderr };
  }
});
