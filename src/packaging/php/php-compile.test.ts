/**
 * Compiles a fake PHP, which is a shell script and a Makefile: options, progress, errors, remaining files. The job
 * `php-source` compiles the real PHP.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { descendantsOf, processesWith, stillAlive } from '../../../test/support/processes.ts';
import { until } from '../../../test/support/until.ts';
import { OperatorError } from '../../operator-error.ts';
import { compilePhp, type PhpCompilation } from './php-compile.ts';

const workspace = mkdtempSync(join(tmpdir(), 'lamella-compile-'));
afterAll(() => rmSync(workspace, { recursive: true, force: true }));

let cacheDir: string;
beforeEach(() => {
  cacheDir = mkdtempSync(join(workspace, 'cache-'));
});

const COMPILES = `all: one two
one two:
\techo libtool --mode=compile $@.c
two: linked
linked:
\tmkdir -p sapi/cli modules && printf '#!/bin/sh\\necho "[PHP Modules]"; echo Core; echo Zend OPcache' > sapi/cli/php
\tchmod 755 sapi/cli/php && echo module > modules/extra.so && env > environment && cp environment modules/environment.so
`;

function sourceOf(files: Readonly<Record<string, string>>): string {
  const tree = mkdtempSync(join(workspace, 'source-'));
  const all = { 'main/php_version.h': '#define PHP_VERSION "8.9.1"\n', Makefile: COMPILES, ...files };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(tree, 'php', name)), { recursive: true });
    writeFileSync(join(tree, 'php', name), content, { mode: 0o755 });
  }
  execFileSync('tar', ['-cJf', join(tree, 'php-8.9.1.tar.xz'), '-C', tree, 'php']);
  return join(tree, 'php-8.9.1.tar.xz');
}

const CONFIGURES = '#!/bin/sh\necho "$@" > modules.args; mkdir -p modules; cp modules.args modules/args.so\n';

async function problemWith(request: Omit<PhpCompilation, 'cacheDir'>): Promise<OperatorError> {
  const failure = await compilePhp({ ...request, cacheDir }).then(
    () => undefined,
    (problem: unknown) => problem,
  );
  if (failure instanceof OperatorError) return failure;
  throw failure ?? new Error('Compiled without an error');
}

describe('compiling PHP', () => {
  it('passes the given options after its own, reports progress, and caches the result', async () => {
    const messages: string[] = [];
    const source = sourceOf({ configure: CONFIGURES });
    const request = {
      source,
      configure: ['--with-curl', 'CFLAGS=-O3 -g'],
      cacheDir,
      onProgress: (line: string) => messages.push(line),
    };
    const compiled = await compilePhp(request);
    expect(compiled).toMatchObject({
      version: '8.9.1',
      builtIn: ['core', 'zend opcache', 'opcache'],
      phpCgi: undefined,
    });
    expect(readFileSync(join(compiled.modulesDirectory, 'args.so'), 'utf8')).toMatch(
      /^--prefix=\/opt .*--enable-pcntl --with-curl CFLAGS=-O3 -g\n$/,
    );
    expect(messages).toEqual([
      'Unpacking php-8.9.1.tar.xz',
      'Configuring PHP 8.9.1',
      'Compiling PHP 8.9.1',
      'Compiling PHP 8.9.1: 50 %',
    ]);
    expect(readdirSync(join(cacheDir, 'php-source'))).toHaveLength(1);

    messages.length = 0;
    expect(await compilePhp(request)).toEqual(compiled);
    expect(messages).toEqual([]);
    await compilePhp({ ...request, configure: ['--with-zlib'] });
    expect(messages).toContain('Compiling PHP 8.9.1');
  });

  it('keeps the host name, time and paths of the machine out of the binaries', async () => {
    const compiled = await compilePhp({ source: sourceOf({ configure: CONFIGURES }), configure: [], cacheDir });
    const environment = readFileSync(join(compiled.modulesDirectory, 'environment.so'), 'utf8').split('\n');
    expect(environment).toEqual(expect.arrayContaining(['SOURCE_DATE_EPOCH=315532800', 'PHP_UNAME=Linux', 'LC_ALL=C']));
    const flags = environment.find((line) => line.startsWith('CFLAGS='));
    expect(flags).toMatch(/^CFLAGS=-O2 -ffile-prefix-map=.*\/php-source\/\.work-\w+\/tree=\/usr\/src\/php$/);
  });

  it.each([
    [
      'a library that pkg-config does not find',
      `echo 'configure: error: Package requirements (oniguruma) were not met:' >&2; echo >&2; echo "No package 'oniguruma' found" >&2`,
      'library or headers not found: oniguruma',
    ],
    [
      'a library that pkgconf does not find',
      `echo 'configure: error: Package requirements (oniguruma) were not met:' >&2; echo >&2; echo "Package 'oniguruma', required by 'virtual:world', not found" >&2`,
      'library or headers not found: oniguruma',
    ],
    [
      'an error of configure',
      `echo 'configure: error: Please reinstall the BZip2 distribution' >&2`,
      'Please reinstall the BZip2 distribution',
    ],
    ['a missing program', `echo './configure: line 7: cc: not found' >&2`, './configure: line 7: cc: not found'],
    ['the last line', `echo 'checking for this... no'`, 'checking for this... no'],
    ['the exit code', `true`, 'exit code 3 without a message'],
  ])('that cannot be configured reports %s', async (_what, script, reason) => {
    const failure = await problemWith({
      source: sourceOf({ configure: `#!/bin/sh\n${script}\nexit 3\n` }),
      configure: [],
    });
    expect([failure.code, failure.message]).toEqual([
      'php-configure-failed',
      `PHP 8.9.1 could not be configured: ${reason}.`,
    ]);
    const [log = ''] = /\S+\.log/.exec(failure.remedy) ?? [];
    expect(existsSync(log)).toBe(true);
    expect(readdirSync(join(cacheDir, 'php-source'))).toEqual([expect.stringMatching(/\.log$/)]);
  });

  it("that cannot be compiled reports the compiler's error and the lines after it, and suggests no library", async () => {
    const Makefile = `all:
\t@echo 'a.c: In function' >&2
\t@echo "a.c:3:5: error: 'x' undeclared" >&2
\t@false
`;
    const failure = await problemWith({ source: sourceOf({ configure: '#!/bin/sh\n', Makefile }), configure: [] });
    expect(failure.code).toBe('php-compile-failed');
    expect(failure.message).toMatch(
      /^PHP 8\.9\.1 was configured, but could not be compiled \(make ended with 2\):\n {2}a\.c:3:5: error: 'x' undeclared\n {2}make: \*\*\*/,
    );
    expect(failure.remedy).not.toContain('-dev');
  });

  it.each([
    ['a missing archive', () => join(workspace, 'absent.tar.xz'), /ENOENT/],
    [
      'another archive',
      () => sourceOf({ 'main/php_version.h': '' }).replace(/[^/]+$/, 'other.tar'),
      /does not contain PHP/,
    ],
  ])('refuses %s', async (_what, file, reason) => {
    const source = file();
    if (source.endsWith('other.tar'))
      execFileSync('tar', ['-cf', source, '-C', dirname(source), '--exclude=main', 'php']);
    const failure = await problemWith({ source, configure: [] });
    expect([failure.code, failure.message]).toEqual(['php-source-unusable', expect.stringMatching(reason)]);
  });

  it('kills its compilers when it is aborted, and leaves nothing behind', async () => {
    const mark = `compiler-${process.pid}`;
    // Like libtool, a shell that ignores SIGTERM while its compiler runs.
    const Makefile = `all:\n\t@sh -c 'trap "" TERM; sleep 600; sleep 600' ${mark}\n`;
    const controller = new AbortController();
    const source = sourceOf({ configure: '#!/bin/sh\n', Makefile });
    const compiling = compilePhp({ source, configure: [], cacheDir, signal: controller.signal });
    const ended = expect(compiling).rejects.toThrow('enough');
    const compilers = () => descendantsOf(process.pid).filter(({ pid }) => processesWith(mark).includes(pid));
    await until(() => compilers().length > 0);
    const running = compilers();
    controller.abort(new Error('enough'));
    await ended;
    expect(stillAlive(running)).toEqual([]);
    expect(readdirSync(join(cacheDir, 'php-source'))).toEqual([]);
  });
});
