/**
 * The trait for PHPUnit, with Debian's PHPUnit and the example project, and the example for GitHub Actions, whose steps run
 * here as the shell commands that they are.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildIfStale, cleanEnvironment, LAMELLA } from '../support/built-cli.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const WORKFLOW = join(ROOT, 'examples/github-actions/test.yml');

let project: string;
let shims: string;

beforeAll(() => {
  buildIfStale();
  project = mkdtempSync(join(tmpdir(), 'lamella-phpunit-'));
  cpSync(join(ROOT, 'examples/phpunit'), project, { recursive: true });
  // What Composer and npm would install.
  const autoload = join(ROOT, 'runtimes/php/testing');
  write(
    'vendor/autoload.php',
    `<?php spl_autoload_register(fn (string $class) => str_starts_with($class, 'Lamella\\\\Testing\\\\')
      && require '${autoload}/' . substr($class, 16) . '.php');`,
  );
  write('vendor/bin/phpunit', '#!/bin/sh\nexec phpunit --bootstrap vendor/autoload.php "$@"\n');
  mkdirSync(join(project, 'node_modules/.bin'), { recursive: true });
  symlinkSync(LAMELLA, join(project, 'node_modules/.bin/lamella'));
  shims = join(project, 'shims');
  write('shims/sudo', '#!/bin/sh\nexec "$@"\n');
  // The tests' machine has what they would install and set.
  for (const name of ['apt-get', 'sysctl', 'composer']) write(`shims/${name}`, `#!/bin/sh\necho ran ${name} "$@"\n`);
  write('shims/npm', '#!/bin/sh\necho ran npm "$@"\n');
}, 120_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), content, { mode: 0o755 });
}

function shell(script: string, environment: Record<string, string> = {}) {
  const env = cleanEnvironment(environment);
  return spawnSync('bash', ['-eo', 'pipefail', '-c', script], {
    cwd: project,
    env,
    encoding: 'utf8',
    timeout: 170_000,
  });
}

it('the trait starts a service once, empties it before each test, and leaves nothing behind', {
  timeout: 180_000,
}, () => {
  const run = shell('vendor/bin/phpunit --testdox tests; echo "left: $(ls -d "$TMPDIR"/* 2>/dev/null)"', {
    TMPDIR: mkdtempSync(join(project, 'tmp-')),
  });
  expect(run.stdout).toMatch(/OK \(3 tests, \d+ assertions\)/);
  expect(run.stdout).toContain('left: \n');
  const broken = shell('vendor/bin/phpunit tests', { LAMELLA_PROGRAM: '/missing/lamella' });
  expect(broken.stdout).toContain('lamella is not in /missing/lamella. Install it (npm install lamella), or set');
});

it('the example for GitHub Actions passes, step by step', { timeout: 180_000 }, () => {
  const { jobs } = parse(readFileSync(WORKFLOW, 'utf8')) as { jobs: { test: { steps: { run?: string }[] } } };
  const steps = jobs.test.steps.flatMap(({ run }) => run ?? []);
  expect(steps).toHaveLength(3);
  const PATH = [shims, process.env.PATH].join(delimiter);
  const outputs = steps.map((script) => {
    const { status, stdout, stderr } = shell(script, { PATH });
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
    return stdout;
  });
  expect(outputs[0]).toContain('ran apt-get install');
  expect(outputs[1]).toContain('ran npm install --no-save lamella');
  expect(outputs[2]).toMatch(/OK \(3 tests, \d+ assertions\)/);
});
