/**
 * What a newcomer types, from nothing to a project that works: every template of `lamella init` with its own test, then a
 * day's work with two PHP functions: run, invoke, change, break, read the trace, repair. The commands are those of the
 * built program, in a home of their own.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella } from '../support/built-cli.ts';
import { until } from '../support/until.ts';

let root: string;
let environment: Record<string, string>;
beforeAll(() => {
  buildIfStale();
  root = mkdtempSync(join(tmpdir(), 'lamella-newcomer-'));
  environment = {
    XDG_STATE_HOME: join(root, 'state'),
    XDG_DATA_HOME: join(root, 'data'),
    PATH: `${dirname(LAMELLA)}${delimiter}${process.env.PATH}`,
  };
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const type = (args: string[], cwd = root) => lamella(args, { environment, cwd });

it.each(['php-functions', 'php-web', 'typescript', 'shell'])(
  'lamella init creates %s, which passes its own test at once, and overwrites nothing',
  { timeout: 120_000 },
  async (template) => {
    const created = await type(['init', template, '--template', template]);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout.toString()).toContain(`Next:\n\n  cd ${template}\n  lamella dev\n`);
    const directory = join(root, template);
    expect(readdirSync(directory)).toEqual(
      expect.arrayContaining(['.gitignore', '.lamellaignore', 'README.md', 'template.yaml', 'test.sh']),
    );
    const again = await type(['init', template, '--template', template]);
    expect(again).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/README\.md.* already exist\.\nChoose another/),
    });
    const tested = spawnSync('sh', ['test.sh'], {
      cwd: directory,
      env: cleanEnvironment(environment),
      encoding: 'utf8',
    });
    expect(`${tested.stdout}${tested.stderr}`).toMatch(/^(ok: .*\n)+$/);
    expect(tested.status).toBe(0);
    expect((await type(['validate'], directory)).stdout.toString()).toBe('template.yaml: no problems found\n');
  },
);

it('a template that does not exist is refused with those that do, and absent ones with what to do', async () => {
  const misspelled = await type(['init', 'x', '--template', 'typescrpt']);
  expect(misspelled.stderr).toMatch(
    /no template typescrpt\. Did you mean typescript\?\nChoose one of php-functions, php-web/,
  );
  expect((await type(['init', 'x', '-t', 'symfony'])).stderr).toContain('composer create-project symfony/skeleton');
  expect((await type(['init', 'x', '-t', 'durable'])).stderr).toContain('no durable executions yet');
  expect(existsSync(join(root, 'x'))).toBe(false);
});

it('a day with two PHP functions: run, invoke, change, break, read the trace, repair', {
  timeout: 120_000,
}, async () => {
  const directory = join(root, 'day');
  const made = JSON.parse((await type(['init', 'day', '--json'])).stdout.toString());
  expect(made).toMatchObject({ template: 'php-functions', next: ['cd day', 'lamella dev'] });
  const { child, text } = startDev(directory);
  try {
    await until(() => text().includes('Press Ctrl+C'), 60);
    expect(text()).toMatch(/hello +provided\.al2023 +http:\/\/\w+\.lambda-url/);
    const invoke = (name: string) => type(['invoke', name, '-d', '{"name":"you"}', '--log-type', 'None'], directory);
    expect((await invoke('hello')).stdout.toString()).toBe('Hello, you!');
    expect((await invoke('goodbye')).stdout.toString()).toBe('Goodbye, you!');

    const file = join(directory, 'src/hello.php');
    const source = readFileSync(file, 'utf8');
    writeFileSync(file, source.replace('Hello,', 'Welcome,'));
    expect((await invoke('hello')).stdout.toString()).toBe('Welcome, you!');

    writeFileSync(file, source.replace('return "', 'throw new LogicException("broken'));
    expect((await invoke('hello')).code).toBe(1);
    await until(() => text().includes('ParseError'));
    writeFileSync(file, source.replace('return "Hello, {$name}!"', 'throw new LogicException("No name")'));
    const failed = await invoke('hello');
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('LogicException: No name') });
    await until(() => text().includes('LogicException: No name'));
    // Once, with the path that an editor opens.
    expect(text().split('LogicException: No name')).toHaveLength(2);
    expect(text()).toMatch(/LogicException: No name\n +#0 src\/hello\.php:\d+\n/);
    expect(text().split('ParseError: ')).toHaveLength(2);

    writeFileSync(file, source);
    expect((await invoke('hello')).stdout.toString()).toBe('Hello, you!');
    const log = await type(['logs', 'hello'], directory);
    expect(log.stdout.toString()).toContain('LogicException: No name');
  } finally {
    child.kill('SIGTERM');
    await once(child, 'close');
  }
  expect(text()).toMatch(/Stopped\. The data is in .*\/lamella-dev\/day-/);
});

function startDev(directory: string): { child: ChildProcess; text: () => string } {
  const child = spawn(LAMELLA, ['dev', '--port', '0'], { cwd: directory, env: cleanEnvironment(environment) });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
  }
  return { child, text: () => text };
}
