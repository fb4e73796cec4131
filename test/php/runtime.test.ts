/** The PHP runtime, started as its layer does on AWS, against a fake Runtime API that is independent of Lamella's. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { laidOutPhpLayer } from '../support/php-sandbox.ts';
import type { RunningFunction } from './running-functions.ts';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions();
const { start } = functions;

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const COUNTED = "file_put_contents('/tmp/count', 'x', FILE_APPEND);";
const counted = ({ tmp }: RunningFunction) => readFileSync(join(tmp, 'count'), 'utf8').length;

describe('finding the handler', () => {
  it.each([
    [
      'hello',
      { 'src/hello.php': '<?php function hello($data) { return "Hello, {$data[\'name\']}!"; }' },
      'Hello, World!',
    ],
    [
      'x.y.hello',
      { 'src/hello.php': '<?php function hello($data) { return "Hello, {$data[\'name\']}!"; }' },
      'Hello, World!',
    ],
    ['hello', { 'hello.php': '<?php namespace My; function hello() { return "namespaced"; }' }, 'namespaced'],
    ['hello', { 'index.php': '<?php function hello() { return "in index"; }' }, 'in index'],
    ['app.greet', { 'app.php': '<?php function greet() { return "plain"; }' }, '"plain"'],
    ['app.greet', { 'src/app.php': '<?php function greet() { return ["a" => 1]; }' }, '{"a":1}'],
    ['index.php', { 'index.php': '<?php return fn (array $event) => $event["name"];' }, '"World"'],
    ['src/say.php', { 'src/say.php': '<?php function say() { return 1.0; }' }, '1.0'],
    ['index.php', { 'index.php': '<?php return new class { function __invoke($e) { return true; } };' }, 'true'],
    ['index.php', { 'index.php': '<?php return new class { function handle($e) { return null; } };' }, 'null'],
    [
      'App\\Greet',
      { 'vendor/autoload.php': '<?php namespace App; class Greet { function __invoke() { return 2; } }' },
      '2',
    ],
    [
      'App\\Greet::hi',
      { 'vendor/autoload.php': '<?php namespace App; class Greet { function hi() { return 3; } }' },
      '3',
    ],
    [
      'App\\Greet::hi',
      { 'vendor/autoload.php': '<?php namespace App; class Greet { static function hi() { return 4; } }' },
      '4',
    ],
    // The names of PHP's own classes and functions.
    ['closure', { 'src/closure.php': '<?php function closure() { return "own"; }' }, 'own'],
    ['generator', { 'generator.php': '<?php function generator() { return "own"; }' }, 'own'],
    ['Exception', { 'src/Exception.php': '<?php function exception() { return "own"; }' }, 'own'],
    ['iterator', { 'index.php': '<?php function iterator() { return "own"; }' }, 'own'],
    ['directory.dir', { 'directory.php': '<?php namespace My; function dir() { return "own"; }' }, '"own"'],
    ['date', { 'src/date.php': '<?php namespace My; function date() { return "own"; }' }, 'own'],
    ['mail', { 'src/mail.php': '<?php namespace My; function mail($event) { return "own"; }' }, 'own'],
    ['app.count', { 'app.php': '<?php namespace My; function count($event) { return "own"; }' }, '"own"'],
    ['date.php', { 'date.php': '<?php namespace My; function date() { return "own"; }' }, '"own"'],
  ])('%s is found in %o', async (handler, files, expected) => {
    start(handler, files);
    expect(await functions.api.invoke('{"name":"World"}')).toMatchObject({ kind: 'response', body: expected });
  });

  it('fails initialization with a list of all attempts if the handler is not found', async () => {
    const { exited, output } = start('nowhere.hello', { 'src/hello.php': '<?php' });
    const { body, errorType } = await functions.api.initError;
    expect(errorType).toBe('Runtime.NoSuchHandler');
    expect(json(body).errorType).toBe('Runtime.NoSuchHandler');
    for (const tried of [
      '/var/task/nowhere.php',
      '/var/task/src/nowhere.php',
      '/var/task/src/hello.php: it returns nothing',
    ]) {
      expect(json(body).errorMessage).toContain(tried);
    }
    expect(await exited).toBe(1);
    expect(output()).toContain('Init Error');
  });

  it.each([
    ['Closure', {}, 'class Closure: it is a class of PHP'],
    ['DateTime::createFromFormat', {}, 'class DateTime: it is a class of PHP'],
    ['strlen', { 'index.php': '<?php' }, 'index.php: it returns nothing callable and has no function strlen'],
    ['app.exec', { 'app.php': '<?php' }, 'app.php: it returns nothing callable and has no function exec'],
  ])('never takes %s from PHP itself', async (handler, files, attempt) => {
    start(handler, files);
    const { body, errorType } = await functions.api.initError;
    expect([errorType, json(body).errorMessage]).toEqual(['Runtime.NoSuchHandler', expect.stringContaining(attempt)]);
  });

  it.each([
    ['fn (Traversable $event) => 1', '$event of type Traversable. Declare it as array, object, string, an event class'],
    ['fn (Unknown\\Request $r, $context) => 1', '$r of type Unknown\\Request. Declare it as array'],
    ['fn (array $event, DateTime $when) => 1', '$when of type DateTime. Declare it as Lamella\\Context'],
    ['fn ($event, array $context) => 1', '$context of type array. Declare it as Lamella\\Context'],
    ['new class { function handle(ArrayObject $request) {} }', '$request of type ArrayObject'],
  ])('refuses a handler with a parameter that nothing fits: %s', async (handler, message) => {
    start('index.php', { 'index.php': `<?php return ${handler};` });
    const { body, errorType } = await functions.api.initError;
    expect([errorType, json(body).errorMessage]).toEqual(['Runtime.ConfigError', expect.stringContaining(message)]);
  });

  it.each([
    ['fn (?DateTime $now = null) => $now === null ? "now" : "then"', '"now"'],
    ['fn (array $event, ?DateTime $now = null) => count($event)', '2'],
    ['fn (array $event, $context = null) => $context::class', '"Lamella\\\\Context"'],
    ['fn (int|string|null $event) => $event', '"[1,2]"'],
    ['fn (array $event, mixed $context) => $context::class', '"Lamella\\\\Context"'],
  ])('leaves optional parameters to the handler: %s', async (handler, expected) => {
    start('index.php', { 'index.php': `<?php return ${handler};` });
    expect((await functions.api.invoke('[1,2]')).body).toBe(expected);
  });

  it.each([
    ['a syntax error', '<?php function hello( {', 'ParseError'],
    ['an exception', '<?php throw new RuntimeException("no database");', 'RuntimeException'],
    ['running out of memory', '<?php $s = str_repeat("x", 500 * 1024 * 1024);', 'Lamella.OutOfMemory'],
    ['exit()', '<?php exit(3);', 'Lamella.HandlerExited'],
  ])('fails initialization once if loading it ends in %s', async (_name, source, type) => {
    const { exited } = start('hello', { 'src/hello.php': source });
    expect(json((await functions.api.initError).body).errorType).toBe(type);
    await exited;
  });
});

describe('the event', () => {
  const typed = (type: string) => ({
    'index.php': `<?php return fn (${type} $event) => [get_debug_type($event), is_string($event) ? $event : json_encode($event)];`,
  });
  it.each([
    ['array', '{"a":{}}', ['array', '{"a":[]}']],
    ['', '{"a":{}}', ['array', '{"a":[]}']],
    ['?array', 'null', ['null', 'null']],
    ['object', '{"a":{}}', ['stdClass', '{"a":{}}']],
    ['stdClass', '{"a":{}}', ['stdClass', '{"a":{}}']],
    ['string', '{"a":{}}', ['string', '{"a":{}}']],
    ['int', '7', ['int', '7']],
    ['array|object', '{"a":{}}', ['array', '{"a":[]}']],
  ])('is converted to the declared type %s', async (type, payload, expected) => {
    start('index.php', typed(type));
    expect(json((await functions.api.invoke(payload)).body)).toEqual(expected);
  });

  it('of 2 MB arrives completely, also in chunks, and can be returned', async () => {
    start('index.php', { 'index.php': '<?php return fn (array $event) => $event;' });
    const payload = JSON.stringify({ text: 'ü'.repeat(1_000_000) });
    expect((await functions.api.invoke(payload)).body).toBe(payload);
    expect((await functions.api.invoke(payload, { 'Transfer-Encoding': 'chunked' })).body).toBe(payload);
  });
});

describe('the context', () => {
  it('is passed to a parameter of its type in any position', async () => {
    const source =
      '<?php return fn (Lamella\\Context $c, array $e) => [$c->requestId, $c->clientContext, $c->functionName, $c->memoryLimitInMb, $c->getRemainingTimeInMillis() > 1000, $e];';
    start('index.php', { 'index.php': source });
    const { body } = await functions.api.invoke('[1]', { 'Lambda-Runtime-Client-Context': '{"custom":{"k":"v"}}' });
    expect(json(body)).toEqual([
      '00000000-0000-4000-8000-000000000000',
      { custom: { k: 'v' } },
      'fake',
      256,
      true,
      [1],
    ]);
  });

  it('sets the trace ID of each invocation in the environment', async () => {
    start('index.php', {
      'index.php': '<?php return fn () => [getenv("_X_AMZN_TRACE_ID"), $_ENV["_X_AMZN_TRACE_ID"]];',
    });
    for (const trace of ['Root=1-a', 'Root=1-b']) {
      expect(json((await functions.api.invoke('1', { 'Lambda-Runtime-Trace-Id': trace })).body)).toEqual([
        trace,
        trace,
      ]);
    }
  });
});

describe('a handler that fails', () => {
  it('is reported with type, message, location, trace and cause, and the process continues', async () => {
    const source = `<?php
function hello($data) {
    static $n = 0;
    $n++;
    if ($data === 'fail') {
        throw new LogicException('outer', 7, new InvalidArgumentException('inner'));
    }
    return "$n";
}`;
    const running = start('hello', { 'src/hello.php': source });
    const { kind, body, errorType } = await functions.api.invoke('"fail"');
    expect(kind).toBe('error');
    expect(errorType).toBe('LogicException');
    expect(json(body)).toMatchObject({
      errorType: 'LogicException',
      errorMessage: 'outer',
      stackTrace: expect.arrayContaining(['#0 /var/task/src/hello.php:6']),
      cause: { errorType: 'InvalidArgumentException', errorMessage: 'inner' },
    });
    expect((await functions.api.invoke('1')).body).toBe('2');
    expect(running.output()).toContain(
      '00000000-0000-4000-8000-000000000000\tInvoke Error\t{"errorType":"LogicException"',
    );
  });

  it.each([
    ['exit', 'exit(0);', 'Lamella.HandlerExited', /exit\(\)/],
    ['die', 'die("bye");', 'Lamella.HandlerExited', /exit\(\)/],
    [
      'memory',
      '$a = []; while (true) { $a[] = str_repeat("x", 1 << 20); }',
      'Lamella.OutOfMemory',
      /Allowed memory size/,
    ],
    ['redeclaration', 'eval("class A {} class A {}");', 'Lamella.FatalError', /Cannot (re)?declare class A/],
    ['undefined function', 'nothing();', 'Error', /undefined function nothing/],
    ['type error', 'strlen([]);', 'TypeError', /strlen/],
  ])('runs once for %s, fails immediately, and the next invocation is served', async (_name, code, type, message) => {
    const source = `<?php function hello($data) { ${COUNTED} if ($data === "fail") { ${code} } return "fine"; }`;
    const running = start('hello', { 'src/hello.php': source });
    await functions.api.firstNext;
    const failed = performance.now();
    const { kind, body } = await functions.api.invoke('"fail"');
    const restarts = performance.now();
    expect(kind).toBe('error');
    expect(json(body).errorType).toBe(type);
    expect(json(body).errorMessage).toMatch(message);
    expect(counted(running)).toBe(1);
    expect((await functions.api.invoke('"ok"')).body).toBe('fine');
    // The error is reported before PHP starts again, not afterwards.
    if (type === 'Lamella.HandlerExited') expect(restarts - failed).toBeLessThan(performance.now() - restarts);
  });

  it.each([
    ['NAN', 'return ["a" => ["b" => NAN]];', '$.a.b is NaN'],
    ['binary data', 'return ["image" => "\\xff\\xd8"];', '$.image is not UTF-8'],
    ['a resource', 'return ["f" => fopen("php://memory", "r")];', '$.f is a resource'],
  ])('with a result that contains %s gets an error with its path', async (_name, code, message) => {
    start('index.php', { 'index.php': `<?php return function () { ${code} };` });
    const { kind, body } = await functions.api.invoke('1');
    expect(kind).toBe('error');
    expect(json(body).errorMessage).toContain(message);
  });

  it('with a result of more than 6 MB gets the error message of AWS, and the process continues', async () => {
    start('index.php', { 'index.php': '<?php return fn (int $n) => str_repeat("x", $n);' });
    const { kind, body } = await functions.api.invoke('6291600');
    expect(kind).toBe('error');
    expect(json(body).errorMessage).toBe(
      'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    );
    expect((await functions.api.invoke('1')).body).toBe('"x"');
  });

  it('logs JSON if the function uses JSON', async () => {
    const running = start(
      'index.php',
      { 'index.php': '<?php return fn () => throw new Exception("boom");' },
      { AWS_LAMBDA_LOG_FORMAT: 'JSON' },
    );
    await functions.api.invoke('1');
    await functions.api.invoke('1');
    const line = json(running.output().split('\n')[0] ?? '');
    expect(line).toMatchObject({ level: 'ERROR', requestId: expect.any(String), errorType: 'Exception' });
    expect(line.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });
});

describe('a streamed response', () => {
  it('consists of the writes to a ResponseStream', async () => {
    const source =
      '<?php return function (array $event, Lamella\\ResponseStream $out) { $out->contentType("text/plain"); foreach ($event as $word) { $out->write($word); } $out->write(""); };';
    start('index.php', { 'index.php': source });
    for (let call = 0; call < 2; call++) {
      expect(await functions.api.invoke('["one ","two ","three"]')).toMatchObject({
        body: 'one two three',
        streamed: { contentType: 'text/plain', errorType: '' },
      });
    }
    expect(functions.api.connections()).toBe(1);
  });

  it('carries the status, headers and cookies of an HTTP response before its body', async () => {
    const source =
      '<?php return function ($e, Lamella\\ResponseStream $out) { $out->http(201, ["X-A" => "b"], ["c=d"]); $out->write("body"); };';
    start('index.php', { 'index.php': source });
    const { body, streamed } = await functions.api.invoke('1');
    expect(streamed?.contentType).toBe('application/vnd.awslambda.http-integration-response');
    const [prelude, rest] = body.split('\0'.repeat(8));
    expect(json(prelude ?? '')).toEqual({ statusCode: 201, headers: { 'X-A': 'b' }, cookies: ['c=d'] });
    expect(rest).toBe('body');
  });

  it('is created from an iterable result with LAMELLA_STREAMING=1', async () => {
    const source = '<?php return function () { yield "a"; yield ["b" => 1]; };';
    start('index.php', { 'index.php': source }, { LAMELLA_STREAMING: '1' });
    expect(await functions.api.invoke('1')).toMatchObject({ body: 'a{"b":1}\n', streamed: { errorType: '' } });
  });

  it('is not created from an iterable result by default: the result is a JSON array', async () => {
    start('index.php', { 'index.php': '<?php return function () { yield "a"; yield "b"; };' });
    expect(await functions.api.invoke('1')).toEqual({ kind: 'response', body: '["a","b"]', errorType: undefined });
  });

  it.each([
    ['thrown before the first write', 'throw new LogicException("early");', 'error', 'LogicException'],
    ['thrown in the middle', '$out->write("some"); throw new LogicException("late");', 'response', 'LogicException'],
    ['exit() in the middle', '$out->write("some"); exit(0);', 'response', 'Lamella.HandlerExited'],
  ])('that ends in an error %s reports it, and the next invocation is served', async (_name, code, kind, type) => {
    const source = `<?php return function ($e, Lamella\\ResponseStream $out) { if ($e) { ${code} } $out->write("fine"); };`;
    start('index.php', { 'index.php': source });
    const answer = await functions.api.invoke('true');
    expect(answer.kind).toBe(kind);
    const error = kind === 'error' ? answer.body : (answer.streamed?.error ?? '');
    expect(json(error).errorType).toBe(type);
    if (kind === 'response') expect(answer).toMatchObject({ body: 'some', streamed: { errorType: type } });
    expect((await functions.api.invoke('false')).body).toBe('fine');
  });
});

describe('handlers written for Bref', () => {
  it("get Bref's context class, and BREF_LOOP_MAX applies", async () => {
    const autoload = `<?php
      namespace Bref\\Context { final class Context { public function __construct(public string $id, public int $deadline, public string $arn, public string $trace) {} } }
      namespace Bref\\Event { interface Handler { public function handle($event, \\Bref\\Context\\Context $context); } }`;
    const source = `<?php return new class implements Bref\\Event\\Handler {
      private int $n = 0;
      public function handle($event, Bref\\Context\\Context $context) { return [$event, $context->id, $context->arn, ++$this->n]; }
    };`;
    start('index.php', { 'vendor/autoload.php': autoload, 'index.php': source }, { BREF_LOOP_MAX: '1' });
    const arn = 'arn:aws:lambda:us-east-1:123456789012:function:fake';
    expect(json((await functions.api.invoke('{"a":1}')).body)).toEqual([
      { a: 1 },
      '00000000-0000-4000-8000-000000000000',
      arn,
      1,
    ]);
    expect(json((await functions.api.invoke('2')).body)).toEqual([2, '00000000-0000-4000-8000-000000000001', arn, 1]);
  });

  it('come from its container by any name, with its hooks around startup and invocations', async () => {
    const autoload = `<?php
      namespace Bref\\Context { final class Context { public function __construct(public string $id, public int $deadline, public string $arn, public string $trace) {} } }
      namespace Bref\\Listener { final class EventDispatcher { private array $subscribers = []; public function subscribe($s) { $this->subscribers[] = $s; }
        public function __call($name, $arguments) { foreach ($this->subscribers as $s) $s->$name(...$arguments); } } }
      namespace Bref { final class Bref { private static $events; private static $provider;
        public static function events() { return self::$events ??= new Listener\\EventDispatcher(); }
        public static function setContainer(\\Closure $provider) { self::$provider = $provider; }
        public static function getContainer() { return (self::$provider)(); } }
        final class LazySecretsLoader { public static function loadSecretEnvironmentVariables() { putenv('SECRET=opened'); } } }
      namespace { $subscriber = new class {
          public function beforeStartup() { error_log('before start, secret ' . getenv('SECRET')); } public function afterStartup() { error_log('after start'); }
          public function beforeInvoke($handler, $event, $context) { error_log("before {$event['n']} {$context->id}"); }
          public function afterInvoke($handler, $event, $context, $result, $error = null) { error_log("after {$event['n']} " . json_encode($result) . ($error ? " {$error->getMessage()}" : '') . '.'); }
        };
        Bref\\Bref::events()->subscribe($subscriber);
        Bref\\Bref::setContainer(fn () => new class {
          public function has($id) { return $id === 'app/kernel:greeter'; }
          public function get($id) { return fn ($event) => $event['n'] > 1 ? throw new RuntimeException('no') : [json_decode(getenv('LAMBDA_INVOCATION_CONTEXT'), true)['id'], $event['n']]; }
        }); }`;
    const { wrote } = start('app/kernel:greeter', { 'vendor/autoload.php': autoload });
    const id = '00000000-0000-4000-8000-000000000000';
    expect(json((await functions.api.invoke('{"n":1}')).body)).toEqual([id, 1]);
    expect((await functions.api.invoke('{"n":2}')).kind).toBe('error');
    for (const line of [
      'before start, secret opened',
      'after start',
      `before 1 ${id}`,
      `after 1 ["${id}",1].`,
      'after 2 null no.',
    ])
      await wrote(line);
  });
});

describe('the process', () => {
  it('uses one connection for everything', async () => {
    start('index.php', { 'index.php': '<?php return fn ($e) => $e;' });
    for (let index = 0; index < 20; index++) await functions.api.invoke(String(index));
    expect(functions.api.connections()).toBe(1);
  });

  it('opens a new connection if the old one is lost before the next invocation', async () => {
    start('index.php', { 'index.php': '<?php return fn ($e) => $e;' });
    await functions.api.invoke('1');
    await functions.api.firstNext;
    functions.api.cutConnections();
    expect((await functions.api.invoke('2')).body).toBe('2');
  });

  it('ends with one line in the log if the Runtime API is gone', async () => {
    const running = start('index.php', { 'index.php': '<?php return fn ($e) => $e;' });
    await functions.api.invoke('1');
    await functions.api.close();
    expect(await running.exited).toBe(1);
    expect(running.output()).toMatch(
      /^(Cannot connect to )?[Tt]he Runtime API at \S+( closed the connection on GET next\.|: .*)\n$/,
    );
  });

  it('restarts after LAMELLA_MAX_INVOCATIONS invocations, unnoticed', async () => {
    const source = '<?php return function () { static $n = 0; return [++$n, getmypid()]; };';
    start('index.php', { 'index.php': source }, { LAMELLA_MAX_INVOCATIONS: '2' });
    const answers = [];
    for (let index = 0; index < 4; index++)
      answers.push(json((await functions.api.invoke('1')).body) as unknown as number[]);
    expect(answers.map(([n]) => n)).toEqual([1, 2, 1, 2]);
    expect(new Set(answers.map(([, pid]) => pid)).size).toBe(1);
  });

  it('restarts after a response if it holds too much memory', async () => {
    const source =
      '<?php return function () { static $kept = []; $kept[] = str_repeat("x", 8 << 20); return count($kept); };';
    start('index.php', { 'index.php': source }, { LAMELLA_MAX_MEMORY: '20M' });
    const answers = [];
    for (let index = 0; index < 5; index++) answers.push((await functions.api.invoke('1')).body);
    expect(answers).toEqual(['1', '2', '3', '1', '2']);
  });

  it('sets a memory limit below that of the function', async () => {
    start('index.php', { 'index.php': '<?php return fn () => ini_get("memory_limit");' });
    expect((await functions.api.invoke('1')).body).toBe('"224M"');
  });

  it("reads the project's ini files", async () => {
    const files = {
      'php/conf.d/mine.ini': 'precision = 5\n',
      'index.php': '<?php return fn () => ini_get("precision");',
    };
    start('index.php', files);
    expect((await functions.api.invoke('1')).body).toBe('"5"');
  });

  it('writes the output of a handler to the log, and not into the response', async () => {
    const source = '<?php return function () { ob_start(); echo "buffered\\n"; error_log("logged"); return 1; };';
    const running = start('index.php', { 'index.php': source });
    expect((await functions.api.invoke('1')).body).toBe('1');
    await functions.api.invoke('1');
    expect(running.output()).toContain('buffered');
    expect(running.output()).toContain('logged');
  });

  it('responds once if the handler forks and the child exits', async () => {
    const source =
      '<?php return function () { $pid = pcntl_fork(); if ($pid === 0) { exit(0); } pcntl_wait($status); return "parent"; };';
    start('index.php', { 'index.php': source });
    expect((await functions.api.invoke('1')).body).toBe('"parent"');
    expect((await functions.api.invoke('1')).body).toBe('"parent"');
  });
});

describe.each(['8.2', '8.3', '8.5'])('under PHP %s', (version) => {
  it('serves, reports exceptions, and survives exit() and exhausted memory', async () => {
    const layer = await laidOutPhpLayer(functions.directory, { version });
    const source = `<?php function hello($data) {
      ${COUNTED}
      return match ($data) { 'throw' => throw new LogicException('x'), 'exit' => exit(1), 'memory' => str_repeat('x', 1 << 30), default => PHP_VERSION };
    }`;
    const running = start('hello', { 'src/hello.php': source }, {}, layer);
    expect((await functions.api.invoke('1')).body.startsWith(`${version}.`)).toBe(true);
    expect(json((await functions.api.invoke('"throw"')).body).errorType).toBe('LogicException');
    expect(json((await functions.api.invoke('"exit"')).body).errorType).toBe('Lamella.HandlerExited');
    expect(json((await functions.api.invoke('"memory"')).body).errorType).toBe('Lamella.OutOfMemory');
    expect((await functions.api.invoke('1')).body.startsWith(`${version}.`)).toBe(true);
    expect(counted(running)).toBe(5);
  }, 300_000);
});

describe('the sources', () => {
  it('are clean under php -l with the PHP of the layer', () => {
    const files = execFileSync('find', ['runtimes/php', 'examples', '-name', '*.php'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(files.length).toBeGreaterThan(8);
    for (const file of files)
      expect(execFileSync(join(functions.opt, 'bin/php'), ['-n', '-l', file], { encoding: 'utf8' })).toContain(
        'No syntax errors',
      );
  });
});
