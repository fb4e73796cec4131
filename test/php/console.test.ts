/** The console mode: the event is a command line. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions();
const SCRIPT = `<?php
  echo implode("|", array_slice($argv, 1)), "\\n";
  fwrite(STDERR, "to stderr\\n");
  exit(match ($argv[1] ?? '') { 'fail' => 3, 'die' => posix(), default => 0 });
  function posix() { exec('kill -9 ' . getmypid()); return 0; }`;

function start(code = SCRIPT) {
  // As on AWS, where /opt/bin is the only directory with PHP.
  return functions.start('artisan', { artisan: code }, { LAMELLA_MODE: 'console', PATH: '/opt/bin:/usr/bin:/bin' });
}

async function run(command: unknown, timeoutMs = 3000) {
  await functions.api.firstNext;
  const deadline = Date.now() + timeoutMs;
  const { kind, body } = await functions.api.invoke(JSON.stringify(command), {
    'Lambda-Runtime-Deadline-Ms': String(deadline),
  });
  const { exitCode, output, errorMessage } = JSON.parse(body) as Record<string, unknown>;
  return { kind, exitCode, output, errorMessage, left: deadline - Date.now() };
}

describe('a console function', () => {
  it('runs its script with the event as its arguments', async () => {
    const { wrote } = start();
    expect(await run("one 'two three' --x=1")).toMatchObject({
      exitCode: 0,
      output: 'one|two three|--x=1\nto stderr\n',
    });
    await wrote('one|two three|--x=1');
    expect(await run({ cli: 'a' })).toMatchObject({ output: 'a\nto stderr\n' });
    expect(await run(null)).toMatchObject({ output: '\nto stderr\n' });
    expect(await run({ cli: ['a'] })).toMatchObject({
      kind: 'error',
      errorMessage: expect.stringContaining('not array'),
    });
  });

  it("accepts Bref's name for the mode", async () => {
    functions.start('artisan', { artisan: SCRIPT }, { BREF_RUNTIME: 'console' });
    expect(await run('a')).toMatchObject({ output: 'a\nto stderr\n' });
  });

  it.each([
    ['one && php artisan two', 'one\nto stderr\ntwo\nto stderr\n'],
    ['one; php artisan two 2>/dev/null', 'one\nto stderr\ntwo\n'],
    ['one | tr a-z A-Z', 'to stderr\nONE\n'],
    ['$(echo one) "$AWS_LAMBDA_FUNCTION_NAME"', 'one|fake\nto stderr\n'],
    ['fail || echo after', 'fail\nto stderr\nafter\n'],
    ['one # comment', 'one\nto stderr\n'],
  ])('runs the whole line in a shell: %s', async (command, output) => {
    functions.start(
      'artisan',
      { artisan: SCRIPT },
      { LAMELLA_MODE: 'console', PATH: '/opt/bin:/usr/bin:/bin', LAMBDA_TASK_ROOT: '/var/task' },
    );
    expect(await run(command.replace('php artisan', 'php /var/task/artisan'))).toMatchObject({ exitCode: 0, output });
  });

  it.each([
    ['fail', 3, 'fail\nto stderr'],
    ['one && false', 1, 'one\nto stderr'],
    ['fail && php /var/task/artisan two', 3, 'fail\nto stderr'],
    ['die', 137, 'die\nto stderr'],
    ['one; nothing-of-the-kind', 127, 'not found'],
    ["'unbalanced", 2, ''],
  ])('fails with the exit code and the output of: %s', async (command, exitCode, output) => {
    start();
    const { kind, errorMessage } = await run(command);
    expect(kind).toBe('error');
    expect(errorMessage).toContain(`The command '${command}' ended with exit code ${exitCode}: `);
    expect(errorMessage).toContain(output);
  });

  it.each([1000, 500])('has nearly all of a timeout of %i ms', async (timeoutMs) => {
    start('<?php usleep(((int) $argv[1]) * 1000); echo "slept\\n";');
    expect(await run(String(timeoutMs * 0.6), timeoutMs)).toMatchObject({ exitCode: 0, output: 'slept\n' });
  });

  it.each([
    ['sleeps', 'sleep(60);'],
    ['computes', 'while (true) strlen("x");'],
    ['prints', 'while (true) { echo str_repeat("x", 1000); usleep(1000); }'],
    ['has closed its output', 'fclose(STDOUT); fclose(STDERR); sleep(60);'],
    ['waits for a child', 'exec("sleep 60");'],
  ])('that %s past its timeout is stopped, with its children, and the next command runs', async (_what, code) => {
    start(`<?php if (($argv[1] ?? '') === 'hang') { ${code} } echo count(glob('/proc/[0-9]*')), "\\n";`);
    const { output } = await run('count');
    const { kind, errorMessage, left } = await run('hang', 1000);
    expect([kind, errorMessage]).toEqual([
      'error',
      'The command was stopped because the function is about to time out.',
    ]);
    expect(left).toBeGreaterThan(0);
    expect(await run('count')).toMatchObject({ exitCode: 0, output });
  });

  it.each([
    ['0', 'exit(0);', { kind: 'response', exitCode: 0, output: 'done\n' }],
    ['5', 'exit(5);', { kind: 'error', errorMessage: expect.stringContaining('ended with exit code 5: done') }],
  ])('has ended with exit code %s although a child keeps its output open', async (_code, code, expected) => {
    const { tmp } = start(
      `<?php if (pcntl_fork() === 0) { sleep(1); touch('/tmp/child'); sleep(50); exit; } echo "done\\n"; ${code}`,
    );
    const result = await run('x');
    expect(result).toMatchObject(expected);
    expect(existsSync(join(tmp, 'child'))).toBe(false);
  });
});
