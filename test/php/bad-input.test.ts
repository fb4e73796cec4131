/** Misbehaving handlers: each gets a clear error, and the environment stays usable or is replaced. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions({ extensions: [] });
const json = (text: string) => JSON.parse(text) as Record<string, unknown> & { errorMessage: string };
const fn = (code: string) => ({
  'index.php': `<?php return function ($e) { if ($e === 'bad') { ${code} } return 'fine'; };`,
});

describe('a result that is not JSON', () => {
  it.each([
    ['NaN', 'return NAN;', '$ is NaN'],
    ['NaN in an object', '$o = new stdClass; $o->list = [1, ["x" => INF]]; return $o;', '$.list[1].x is infinite'],
    [
      'the value of a JsonSerializable',
      'return new class implements JsonSerializable { function jsonSerialize(): mixed { return ["b" => "\\xff"]; } };',
      '$.b is not UTF-8',
    ],
    ['a key that is not UTF-8', 'return ["\\xff" => 1];', 'has a key that is not UTF-8 text: 0xff'],
    ['a resource', 'return ["f" => fopen("php://memory", "r")];', '$.f is a resource'],
    ['a closed resource', '$f = fopen("php://memory", "r"); fclose($f); return $f;', '$ is a resource'],
    ['itself', '$a = new stdClass; $a->a = $a; return $a;', 'levels deep, or contains itself'],
    ['600 levels deep', '$a = []; for ($i = 0; $i < 600; $i++) $a = [$a]; return $a;', 'more than 512 levels deep'],
    ['an enum without a value', 'eval("enum Suit { case Hearts; }"); return ["s" => Suit::Hearts];', 'Non-backed enum'],
  ])('%s is reported with its path, and the next invocation is served', async (_name, code, message) => {
    functions.start('index.php', fn(code));
    const { kind, body } = await functions.api.invoke('"bad"');
    expect(kind).toBe('error');
    expect(json(body).errorMessage).toContain(message);
    expect((await functions.api.invoke('1')).body).toBe('"fine"');
  });
});

describe('an event that is not JSON, or nested too deeply', () => {
  it.each([
    ['{"a":', 'Syntax error'],
    [`${'['.repeat(600)}${']'.repeat(600)}`, 'Maximum stack depth exceeded'],
  ])('fails its invocation: %s', async (payload, message) => {
    functions.start('index.php', fn(''));
    expect(json((await functions.api.invoke(payload)).body).errorMessage).toContain(message);
    expect((await functions.api.invoke('1')).body).toBe('"fine"');
  });
});

describe('a handler that', () => {
  it.each([
    ['returns 7 MB', 'return str_repeat("x", 7 << 20);', 'error', 'Response payload size exceeded'],
    ['redeclares a class', 'eval("class Twice {}"); eval("class Twice {}");', 'error', 'class Twice'],
    ['redeclares a function', 'eval("function twice() {} function twice() {}");', 'error', 'twice()'],
    [
      'has a parse error in an include',
      'file_put_contents("/tmp/broken.php", "<?php $x = = 1;"); require "/tmp/broken.php";',
      'error',
      'syntax error',
    ],
    ['requires a missing file', 'require "/tmp/nothing.php";', 'error', 'Failed opening required'],
    ['exits', 'exit("bye\\n");', 'error', 'exit() or die()'],
    [
      'exits in a shutdown function',
      'register_shutdown_function(fn () => exit(7)); exit(3);',
      'error',
      'exit() or die()',
    ],
    [
      'throws in a destructor',
      'new class { function __destruct() { throw new Exception("late"); } };',
      'error',
      'late',
    ],
    [
      'throws an Error in a generator',
      'return (function () { yield 1; throw new Exception("in the middle"); })();',
      'error',
      'in the middle',
    ],
    ['echoes', 'echo "for the log\\n"; return 1;', 'response', '1'],
    ['leaves buffers open', 'ob_start(); ob_start(); echo "buffered\\n"; return 1;', 'response', '1'],
    ['closes stdout and stderr', 'fclose(STDOUT); fclose(STDERR); return 1;', 'response', '1'],
    [
      'reads php://input twice',
      'return [file_get_contents("php://input"), file_get_contents("php://input")];',
      'response',
      '["",""]',
    ],
    ['reads stdin', 'return stream_get_contents(STDIN);', 'response', '""'],
    [
      'changes the error handler',
      'set_error_handler(fn () => throw new Exception("mine")); set_exception_handler(fn () => exit(9)); return 1;',
      'response',
      '1',
    ],
    [
      'changes the working directory, the umask and the locale',
      'chdir("/"); umask(0); setlocale(LC_ALL, "C"); return 1;',
      'response',
      '1',
    ],
    ['raises warnings', 'return @$x["y"] ?? trigger_error("mind", E_USER_WARNING);', 'response', 'true'],
    [
      'lowers its memory limit',
      'ini_set("memory_limit", "4M"); return str_repeat("x", 8 << 20);',
      'error',
      'Allowed memory size',
    ],
    [
      'forks, and the child exits',
      'if (($p = pcntl_fork()) === 0) { exit(1); } pcntl_waitpid($p, $s); return pcntl_wexitstatus($s);',
      'response',
      '1',
    ],
    [
      'forks, and the child throws',
      'if (($p = pcntl_fork()) === 0) { try { throw new Exception("x"); } finally { exit(2); } } pcntl_waitpid($p, $s); return 1;',
      'response',
      '1',
    ],
  ])('%s still gets a response, and the next invocation is served', async (_name, code, kind, text) => {
    functions.start('index.php', fn(code));
    const answer = await functions.api.invoke('"bad"');
    expect([answer.kind, answer.body]).toEqual([kind, expect.stringContaining(text)]);
    expect((await functions.api.invoke('1')).body).toBe('"fine"');
  });

  it('is killed ends the process immediately, and nothing runs the handler again', async () => {
    const { exited } = functions.start('index.php', fn('exec("kill -9 " . getmypid()); sleep(9);'));
    void functions.api.invoke('"bad"');
    expect(await exited).not.toBe(0);
  });

  it('recurses until memory is exhausted ends the process, which leaves a message in the log only', async () => {
    const { exited, wrote } = functions.start(
      'index.php',
      fn('$f = function ($n) use (&$f) { return $f($n + 1) + 1; }; $f(0);'),
    );
    void functions.api.invoke('"bad"');
    await wrote('Allowed memory size');
    expect(await exited).toBe(255);
  });

  it('leaks memory is restarted before it runs out, unnoticed', async () => {
    functions.start(
      'index.php',
      {
        'index.php':
          '<?php return function () { static $kept = []; $kept[] = random_bytes(30 << 20); return count($kept); };',
      },
      { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '160' },
    );
    const counts = [];
    for (let call = 0; call < 12; call++) {
      const { kind, body } = await functions.api.invoke('1');
      expect(kind, body).toBe('response');
      counts.push(Number(body));
    }
    expect(Math.max(...counts)).toBeLessThan(6);
    expect(counts.filter((count) => count === 1).length).toBeGreaterThan(1);
  });

  it('leaves a child process behind gets no second response from it', async () => {
    functions.start('index.php', fn('if (pcntl_fork() === 0) { sleep(1); exit(0); } return "parent";'));
    expect((await functions.api.invoke('"bad"')).body).toBe('"parent"');
    for (let call = 0; call < 3; call++) expect((await functions.api.invoke('1')).body).toBe('"fine"');
  });
});

describe('settings of the loop', () => {
  it('LAMELLA_PIPELINE sends GET next with the response, also around failures and restarts', async () => {
    const source =
      '<?php return function ($e) { static $n = 0; $n++; if ($e === "throw") throw new Exception("x"); if ($e === "exit") exit(1); return $n; };';
    functions.start('index.php', { 'index.php': source }, { LAMELLA_PIPELINE: '1', LAMELLA_MAX_INVOCATIONS: '4' });
    const answers = [];
    for (const event of ['1', '2', '"throw"', '4', '5', '"exit"', '7'])
      answers.push((await functions.api.invoke(event)).body.slice(0, 24));
    expect(answers).toEqual([
      '1',
      '2',
      expect.stringContaining('Exception'),
      '4',
      '1',
      expect.stringContaining('Lamella.'),
      '1',
    ]);
  });

  it('LAMELLA_ISOLATE leaves no processes and no files behind', async () => {
    const { tmp } = functions.start('index.php', fn('return count(array_filter(scandir("/proc"), is_numeric(...)));'), {
      LAMELLA_ISOLATE: '1',
    });
    const counts = [];
    for (let call = 0; call < 4; call++) counts.push((await functions.api.invoke('"bad"')).body);
    expect(new Set(counts)).toEqual(new Set([expect.stringMatching(/^\d+$/)]));
    expect(new Set(counts).size).toBe(1);
    expect(readdirSync(tmp)).toEqual([]);
  });

  it('LAMELLA_ISOLATE runs every invocation in a new process image', async () => {
    const source = '<?php return function () { static $n = 0; return [++$n, getmypid()]; };';
    functions.start('index.php', { 'index.php': source }, { LAMELLA_ISOLATE: '1', LAMELLA_PIPELINE: '1' });
    const answers = [];
    for (let call = 0; call < 3; call++) answers.push((await functions.api.invoke('1')).body);
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(/^\[1,/);
  });
});
