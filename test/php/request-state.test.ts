/**
 * What PHP discards at the end of a request, a booted handler must not pass on to the next invocation. Every row of the
 * table runs twice: in a booted handler, and as a script under php-cgi, which shows that the row is right.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { laidOutPhpLayer } from '../support/php-sandbox.ts';
import { type RunningFunction, runningFunctions } from './running-functions.ts';

const EXTENSIONS = ['mbstring', 'dom', 'intl'];
const functions = runningFunctions({ extensions: EXTENSIONS });
const ROWS = readFileSync(resolve(import.meta.dirname, '../fixtures/php/request-state.php'), 'utf8');
const NAMES = [...ROWS.matchAll(/^ {4}'([^']+)' => /gm)].map(([, name = '']) => name);

const HANDLER = `<?php
  set_error_handler('bootErrorHandler');
  function bootErrorHandler() { return false; }
  $rows = require 'request-state.php';
  return function (array $event) use ($rows) {
    static $count = 0;
    $row = $rows[$event['row']];
    if (in_array($event['step'], ['change', 'both'])) $row[0]();
    return ['value' => in_array($event['step'], ['read', 'both']) ? $row[1]() : null, 'count' => ++$count];
  };`;
const SCRIPT = `<?php
  set_error_handler('bootErrorHandler');
  function bootErrorHandler() { return false; }
  $row = (require dirname(__DIR__) . '/request-state.php')[$_GET['row']];
  if (in_array($_GET['step'], ['change', 'both'])) $row[0]();
  $value = in_array($_GET['step'], ['read', 'both']) ? $row[1]() : null;
  while (ob_get_level() > 0) ob_end_clean();
  http_response_code(200);
  header_remove('Location');
  echo '@', json_encode(['value' => $value]);`;

type Step = { readonly value: unknown; readonly count?: number };
type RunStep = (row: string, step: 'read' | 'change' | 'both') => Promise<Step>;

/** Reads, changes and reads each row in invocations of their own. */
async function compare(names: readonly string[], run: RunStep) {
  const kept: string[] = [];
  const restarted: string[] = [];
  const unaffected: string[] = [];
  for (const row of names) {
    const text = async (step: 'read' | 'both') => JSON.stringify((await run(row, step)).value);
    const before = await text('read');
    // A row proves nothing if its change has no effect within the invocation.
    if ((await text('both')) === before) unaffected.push(row);
    const { count } = await run(row, 'change');
    if ((await text('read')) !== before || (await text('read')) !== before) kept.push(row);
    if (count === 1 || (await run(row, 'read')).count === 3) restarted.push(row);
  }
  return { kept, restarted, unaffected };
}

describe('state that PHP discards at the end of a request', () => {
  it.each(['8.2', '8.3', '8.4', '8.5'])(
    'is not visible to the next invocation of a booted handler, PHP %s',
    async (version) => {
      const layer = await laidOutPhpLayer(functions.directory, { extensions: EXTENSIONS, version });
      functions.start('index.php', { 'index.php': HANDLER, 'request-state.php': ROWS }, {}, layer);
      const run: RunStep = async (row, step) => {
        const answer = await functions.api.invoke(JSON.stringify({ row, step }));
        expect(answer.kind, `${row}: ${answer.body}`).toBe('response');
        return JSON.parse(answer.body) as Step;
      };
      expect(await compare(NAMES, run)).toEqual({
        kept: [],
        restarted: ['default stream context'],
        // On the command line PHP has no headers.
        unaffected: ['headers', 'cookies'],
      });
    },
    120_000,
  );

  it('is not visible to the next request of a script under php-cgi', async () => {
    const layer = await laidOutPhpLayer(functions.directory, { extensions: EXTENSIONS, webServer: true });
    const files = { 'public/index.php': SCRIPT, 'request-state.php': ROWS };
    functions.start('public/index.php', files, { LAMELLA_MODE: 'http' }, layer);
    const run: RunStep = async (row, step) => {
      const event = {
        version: '2.0',
        rawPath: '/',
        rawQueryString: `row=${encodeURIComponent(row)}&step=${step}`,
        headers: { host: 'example.com' },
        requestContext: { stage: '$default', http: { method: 'GET', path: '/', sourceIp: '192.0.2.1' } },
      };
      const { body } = JSON.parse((await functions.api.invoke(JSON.stringify(event))).body) as { body: string };
      return JSON.parse(body.slice(body.lastIndexOf('@') + 1)) as Step;
    };
    expect(await compare(NAMES, run)).toEqual({
      // The signals of a web server's process are not PHP's. Those of a booted handler are: its deadline needs them.
      kept: ['alarm', 'blocked signals'],
      restarted: [],
      unaffected: [],
    });
  }, 120_000);
});

describe('the next invocation keeps', () => {
  it.each([
    ['static variables', 'static $n = 0; return ++$n;', [1, 2, 3]],
    ['global variables', 'return $GLOBALS["n"] = ($GLOBALS["n"] ?? 0) + 1;', [1, 2, 3]],
    ['constants', 'return defined("OF_FIRST") || !define("OF_FIRST", 1);', [false, true, true]],
    ['classes', 'return class_exists("Once") || eval("class Once {}");', [false, true, true]],
    [
      'autoloaders',
      'static $n = 0; if ($n++ === 0) spl_autoload_register(fn ($c) => $c === "Auto" && eval("class Auto {}")); return class_exists("Auto");',
      [true, true, true],
    ],
    [
      'connections and open files',
      'static $file; $file ??= tmpfile(); fwrite($file, "x"); rewind($file); return strlen(stream_get_contents($file));',
      [1, 2, 3],
    ],
  ])('%s', async (_name, code, expected) => {
    functions.start('index.php', { 'index.php': `<?php return function () { ${code} };` });
    const results = [];
    for (let call = 0; call < 3; call++) results.push(JSON.parse((await functions.api.invoke('1')).body));
    expect(results.map((value) => value ?? false)).toEqual(expected);
  });

  it('everything that was set while booting', async () => {
    const source = `<?php
      function own() { return false; }
      set_error_handler('own'); set_exception_handler('own');
      ini_set('precision', 7); setlocale(LC_NUMERIC, 'C.UTF-8'); date_default_timezone_set('Asia/Tokyo'); mb_internal_encoding('ASCII');
      putenv('BOOTED=1'); $_SERVER['BOOTED'] = $_ENV['BOOTED'] = 1; chdir('/tmp'); umask(0077); libxml_use_internal_errors(true);
      stream_wrapper_unregister('http'); stream_context_set_default(['http' => ['timeout' => 3]]); pcntl_signal(SIGUSR1, 'own');
      return function ($event) {
        if ($event === 'undo') {
          restore_error_handler(); restore_exception_handler(); ini_set('precision', 9); setlocale(LC_NUMERIC, 'C');
          date_default_timezone_set('UTC'); mb_internal_encoding('UTF-8'); putenv('BOOTED'); unset($_SERVER['BOOTED']); chdir('/'); umask(0);
          libxml_use_internal_errors(false); stream_wrapper_restore('http'); pcntl_signal(SIGUSR1, SIG_IGN);
        }
        $error = set_error_handler(null); restore_error_handler(); $exception = set_exception_handler(null); restore_exception_handler();
        return [$error, $exception, ini_get('precision'), setlocale(LC_NUMERIC, '0'), date_default_timezone_get(), mb_internal_encoding(),
          getenv('BOOTED'), $_SERVER['BOOTED'] ?? null, $_ENV['BOOTED'] ?? null, getcwd(), umask(), libxml_use_internal_errors(),
          in_array('http', stream_get_wrappers()), stream_context_get_options(stream_context_get_default()), pcntl_signal_get_handler(SIGUSR1)];
      };`;
    functions.start('index.php', { 'index.php': source });
    const booted = (await functions.api.invoke('1')).body;
    expect(JSON.parse(booted).slice(0, 3)).toEqual(['own', 'own', '7']);
    expect((await functions.api.invoke('"undo"')).body).not.toBe(booted);
    expect((await functions.api.invoke('1')).body).toBe(booted);
  });
});

describe('a session', () => {
  const SESSION = `session_start(['use_cookies' => '0']); $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1; return [session_id(), $_SESSION['visits']];`;
  const visit = async (cookie?: string) =>
    JSON.parse((await functions.api.invoke(JSON.stringify(cookie ?? null))).body) as [string, number];

  it.each([
    ['by session_id()', `if ($cookie !== null) session_id($cookie); ${SESSION}`],
    ['by $_COOKIE', `if ($cookie !== null) $_COOKIE[session_name()] = $cookie; ${SESSION.replace("'0'", "'1'")}`],
  ])('belongs to the visitor who has its ID %s', async (_how, code) => {
    functions.start('index.php', { 'index.php': `<?php return function ($cookie) { ${code} };` });
    const [ann, annsVisits] = await visit();
    const [bob, bobsVisits] = await visit();
    expect([annsVisits, bobsVisits]).toEqual([1, 1]);
    expect(bob).not.toBe(ann);
    expect(await visit(ann)).toEqual([ann, 2]);
    expect(await visit(bob)).toEqual([bob, 2]);
    expect(await visit(ann)).toEqual([ann, 3]);
  });

  it('is stored by the save handler that was registered while booting', async () => {
    const source = `<?php
      final class Store implements SessionHandlerInterface {
        private array $sessions = [];
        public function open(string $path, string $name): bool { return true; }
        public function close(): bool { return true; }
        public function read(string $id): string { return $this->sessions[$id] ?? ''; }
        public function write(string $id, string $data): bool { $this->sessions[$id] = $data; return true; }
        public function destroy(string $id): bool { unset($this->sessions[$id]); return true; }
        public function gc(int $max_lifetime): int { return 0; }
      }
      session_set_save_handler(new Store());
      return function ($cookie) { if ($cookie !== null) session_id($cookie); ${SESSION} };`;
    functions.start('index.php', { 'index.php': source });
    const [ann] = await visit();
    expect((await visit())[1]).toBe(1);
    expect(await visit(ann)).toEqual([ann, 2]);
  });

  it('that cannot be stored is reported in the log, and the next visitor does not get it', async () => {
    const source = `<?php return function ($cookie) { if ($cookie === null) session_set_save_handler(new class implements SessionHandlerInterface {
        public function open(string $path, string $name): bool { return true; }
        public function close(): bool { return true; }
        public function read(string $id): string { return ''; }
        public function write(string $id, string $data): bool { throw new Exception('the store is full'); }
        public function destroy(string $id): bool { return true; }
        public function gc(int $max_lifetime): int { return 0; }
      }); ${SESSION} };`;
    const { wrote } = functions.start('index.php', { 'index.php': source });
    const [ann] = await visit();
    await wrote('the store is full');
    const [bob, visits] = await visit('none');
    expect([visits, bob === ann]).toEqual([1, false]);
  });
});

describe('shutdown functions', () => {
  const SOURCE =
    '<?php return function ($n) { register_shutdown_function(fn () => error_log("end of $n")); return $n; };';
  const ends = ({ output }: RunningFunction) => output().match(/end of \d/g) ?? [];

  it('run after each invocation with LAMELLA_ISOLATE=1', async () => {
    const running = functions.start('index.php', { 'index.php': SOURCE }, { LAMELLA_ISOLATE: '1' });
    for (const n of [1, 2]) {
      expect((await functions.api.invoke(String(n))).body).toBe(String(n));
      await running.wrote(`end of ${n}`);
      expect(ends(running)).toHaveLength(n);
    }
  });

  it('run when PHP restarts otherwise', async () => {
    const running = functions.start('index.php', { 'index.php': SOURCE }, { LAMELLA_MAX_INVOCATIONS: '2' });
    for (const n of [1, 2]) await functions.api.invoke(String(n));
    await running.wrote('end of 2');
    expect(ends(running)).toEqual(['end of 1', 'end of 2']);
    expect((await functions.api.invoke('3')).body).toBe('3');
  });
});
