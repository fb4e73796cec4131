/**
 * An HTTP event through scripts of three sizes: the `http` mode of our runtime (php-cgi, our own FastCGI client) and Bref's
 * FPM runtime (php-fpm, the client that it depends on), with the same PHP, opcache on for both, in turns on one CPU. The
 * latency is from the event to the response. Bref and its dependencies are not dependencies of ours: give directories with
 * their sources.
 *   BREF=... FAST_CGI_CLIENT=... QUERY_STRING=... node scripts/run.mjs bench php-http
 * (brefphp/bref, hollodotme/fast-cgi-client, crwlrsoft/query-string; Symfony's Process and PSR's interfaces are Debian's.)
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { headLine, resultLine } from './running-service.ts';
import type { Contender, Round } from './runtime-api-stand-in.ts';
import { layOutPhp, run } from './runtime-api-stand-in.ts';

const VERSION = process.env.PHP_VERSION ?? '8.4';
const ROUNDS = 7;
const AN_HOUR_AGO = Date.now() / 1000 - 3600;
/** A page like those of templates: markup, a few quotes, some text that is not ASCII. */
const LINE = '<tr class=\\"row\\"><td>Some text that goes on for a while, déjà vu</td></tr>\\n';
const SCRIPTS = {
  'a greeting': 'header("Content-Type: text/html"); echo "<h1>Hello ", $_GET["a"], "</h1>";',
  'a page of 100 KB': `header("Content-Type: text/html; charset=utf-8"); echo str_repeat("${LINE}", 1300);`,
  '50 headers': 'for ($n = 0; $n < 50; $n++) header("X-Header-$n: value $n"); echo "<h1>Hello</h1>";',
} as const;
const EVENT = JSON.stringify({
  version: '2.0',
  routeKey: '$default',
  rawPath: '/some/page',
  rawQueryString: 'a=1&b=2',
  cookies: ['session=abcdefghijklmnopqrstuvwxyz', 'theme=dark'],
  headers: {
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'accept-encoding': 'gzip, deflate, br',
    'accept-language': 'en-US,en;q=0.5',
    host: 'abcdefghij.lambda-url.eu-west-1.on.aws',
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
    'x-amzn-trace-id': 'Root=1-64f0c0de-0123456789abcdef01234567',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-port': '443',
    'x-forwarded-proto': 'https',
  },
  requestContext: {
    accountId: 'anonymous',
    apiId: 'abcdefghij',
    domainName: 'abcdefghij.lambda-url.eu-west-1.on.aws',
    domainPrefix: 'abcdefghij',
    http: {
      method: 'GET',
      path: '/some/page',
      protocol: 'HTTP/1.1',
      sourceIp: '203.0.113.9',
      userAgent: 'Mozilla/5.0',
    },
    requestId: '01234567-89ab-cdef-0123-456789abcdef',
    routeKey: '$default',
    stage: '$default',
    time: '31/Aug/2023:12:00:00 +0000',
    timeEpoch: 1693483200000,
  },
  isBase64Encoded: false,
});

const directory = mkdtempSync(join(tmpdir(), 'lamella-php-http-'));
try {
  // php-fpm's worker runs as another user.
  chmodSync(directory, 0o755);
  const php = layOutPhp(directory, 'opt', '--version', VERSION, '--variant', 'http');
  const task = join(directory, 'task');
  mkdirSync(task);
  const contenders: Contender[] = [
    {
      name: 'runtimes/php, http mode',
      argv: [...php, join(directory, 'opt/bootstrap')],
      environment: { LAMELLA_MODE: 'http' },
    },
    ...bref(php),
  ];
  for (const [title, script] of Object.entries(SCRIPTS)) {
    writeFileSync(join(task, 'index.php'), `<?php ${script}`);
    // opcache does not cache files that have just been written.
    utimesSync(join(task, 'index.php'), AN_HOUR_AGO, AN_HOUR_AGO);
    const rounds = new Map<Contender, Round[]>(contenders.map((contender) => [contender, []]));
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const contender of contenders) {
        const measured = await run(contender, { event: EVENT, warmUp: 300, invocations: 1200, taskRoot: task });
        // The first round fills the page cache.
        if (round > 0) rounds.get(contender)?.push(measured);
      }
    }
    const [own = []] = rounds.values();
    console.log(`${title}, PHP ${VERSION}; ratios to our http mode\n${headLine()}`);
    for (const [{ name }, each] of rounds) {
      const row = (what: string, unit: string, pick: (round: Round) => number) =>
        console.log(resultLine(`${name}: ${what}`, each.map(pick), unit, own.map(pick)));
      row('event to response', 'µs', ({ latencyUs }) => latencyUs);
      row('wall', 'µs', ({ wallUs }) => wallUs);
      row("CPU of the loop's process", 'µs', ({ cpuUs }) => cpuUs);
      row('start to first next', 'ms', ({ startMs }) => startMs);
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function bref(php: readonly string[]): Contender[] {
  const { BREF, FAST_CGI_CLIENT, QUERY_STRING } = process.env;
  if (BREF === undefined || FAST_CGI_CLIENT === undefined || QUERY_STRING === undefined) return [];
  // The binary that the layer leaves out, beside the one that it contains.
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lamella/npm');
  const version = VERSION.replace('.', '');
  const source = readdirSync(cache).find((name) => name.includes(`-v${version}@`)) ?? '';
  copyFileSync(join(cache, source, 'native/php/php-fpm'), join(directory, 'opt/bin/php-fpm'));
  const fpm = join(directory, 'fpm');
  mkdirSync(fpm);
  writeFileSync(
    join(fpm, 'php-fpm'),
    `#!/bin/sh
export LD_LIBRARY_PATH=${join(directory, 'opt/lamella/lib')}
exec ${join(directory, 'opt/bin/php-fpm')} -c ${join(directory, 'opt/bin/php.ini')} -d zend_extension=opcache -d opcache.enable=1 "$@"
`,
    { mode: 0o755 },
  );
  // As in Bref's layer.
  writeFileSync(
    join(fpm, 'php-fpm.conf'),
    `error_log = /dev/null
pid = /tmp/.bref/php-fpm.pid
log_limit = 256000
[default]
pm = static
pm.max_children = 1
listen = /tmp/.bref/php-fpm.sock
clear_env = no
catch_workers_output = yes
decorate_workers_output = no
rlimit_core = 1
user = nobody
`,
  );
  const bootstrap = join(fpm, 'bootstrap.php');
  writeFileSync(
    bootstrap,
    `<?php
spl_autoload_register(function ($class) {
  $roots = ['Bref\\\\' => '${BREF}/src/', 'hollodotme\\\\FastCGI\\\\' => '${FAST_CGI_CLIENT}/src/', 'Crwlr\\\\QueryString\\\\' => '${QUERY_STRING}/src/', '' => '/usr/share/php/'];
  foreach ($roots as $prefix => $directory) {
    if (!str_starts_with($class, $prefix)) continue;
    $file = $directory . strtr(substr($class, strlen($prefix)), '\\\\', '/') . '.php';
    if (is_file($file)) { require $file; return; }
  }
});
$runtime = Bref\\Runtime\\LambdaRuntime::fromEnvironmentVariable('fpm');
$fpm = new Bref\\FpmRuntime\\FpmHandler(getenv('LAMBDA_TASK_ROOT') . '/' . getenv('_HANDLER'), '${join(fpm, 'php-fpm.conf')}');
$fpm->start();
while (true) $runtime->processNextEvent($fpm);
`,
  );
  const environment = { BREF_PING_DISABLE: '1', PATH: `${fpm}:/usr/bin:/bin` };
  const left = { leavesBehind: '/tmp/.bref', pidFile: '/tmp/.bref/php-fpm.pid' };
  return [{ name: "Bref's FPM runtime", argv: [...php, bootstrap], environment, ...left }];
}
