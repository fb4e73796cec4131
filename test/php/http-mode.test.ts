/** The http mode: the layer's php-cgi runs a script for each request, files are sent directly. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { laidOutPhpLayer } from '../support/php-sandbox.ts';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions({ webServer: true });

type Answer = {
  statusCode: number;
  headers: Record<string, string>;
  cookies?: string[];
  body: string;
  isBase64Encoded: boolean;
};
const MODE = { LAMELLA_MODE: 'http' };

function event(
  path: string,
  more: { method?: string; headers?: object; body?: string | Buffer; cookies?: string[] } = {},
): string {
  const { method = 'GET', headers = {}, body, ...rest } = more;
  const [rawPath, rawQueryString = ''] = path.split('?');
  return JSON.stringify({
    version: '2.0',
    rawPath,
    rawQueryString,
    headers: { host: 'example.com', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443', ...headers },
    requestContext: { stage: '$default', http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1' } },
    ...(body === undefined ? {} : { body: body.toString(body instanceof Buffer ? 'base64' : 'utf8') }),
    isBase64Encoded: body instanceof Buffer,
    ...rest,
  });
}

async function request(...parameters: Parameters<typeof event>): Promise<Answer> {
  const answer = await functions.api.invoke(event(...parameters));
  expect(answer.kind, answer.body).toBe('response');
  return JSON.parse(answer.body) as Answer;
}
const startApp = (script: string, files: Record<string, string> = {}, environment: Record<string, string> = {}) =>
  functions.start('public/index.php', { 'public/index.php': `<?php ${script}`, ...files }, { ...MODE, ...environment });

describe('a script', () => {
  it('sees the request as behind a web server', async () => {
    startApp(`header('Content-Type: application/json'); $s = $_SERVER;
      echo json_encode([PHP_SAPI, $_GET, $_POST, $_COOKIE, $_REQUEST, $s['REQUEST_METHOD'], $s['REQUEST_URI'], $s['SCRIPT_NAME'], $s['PHP_SELF'],
        $s['SCRIPT_FILENAME'], $s['DOCUMENT_ROOT'], $s['REMOTE_ADDR'], $s['HTTPS'], $s['SERVER_NAME'], $s['SERVER_PORT'], $s['HTTP_X_A'] ?? null,
        $s['PHP_AUTH_USER'] ?? null, $s['PHP_AUTH_PW'] ?? null, isset($s['PATH_INFO']), $s['CONTENT_TYPE'], $s['LAMBDA_REQUEST_ID'], json_decode($s['LAMBDA_REQUEST_CONTEXT'], true)['stage'],
        getenv('AWS_LAMBDA_FUNCTION_NAME'), getcwd(), getallheaders()['X-A'] ?? null]);`);
    const { body, ...rest } = await request('/some/page?a=1&b[]=2', {
      method: 'POST',
      headers: {
        'x-a': 'v',
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
      },
      cookies: ['c=1', 'd.e=2'],
      body: 'f=3',
    });
    expect(rest).toEqual({ statusCode: 200, headers: { 'Content-Type': 'application/json' }, isBase64Encoded: false });
    expect(JSON.parse(body)).toEqual([
      'cgi-fcgi',
      { a: '1', b: ['2'] },
      { f: '3' },
      { c: '1', d_e: '2' },
      { a: '1', b: ['2'], f: '3' },
      'POST',
      '/some/page?a=1&b[]=2',
      '/index.php',
      '/index.php',
      '/var/task/public/index.php',
      '/var/task/public',
      '192.0.2.1',
      'on',
      'example.com',
      '443',
      'v',
      'u',
      'p',
      false,
      'application/x-www-form-urlencoded',
      '00000000-0000-4000-8000-000000000000',
      '$default',
      'fake',
      '/var/task/public',
      'v',
    ]);
  });

  it.each([
    ['the client', {}, {}, '192.0.2.1'],
    ['the client when it is asked for', { BREF_RUNTIME: 'fpm', LAMELLA_REMOTE_ADDR: 'client' }, {}, '192.0.2.1'],
    ['the address of LAMELLA_REMOTE_ADDR', { LAMELLA_REMOTE_ADDR: '127.0.0.1' }, {}, '127.0.0.1'],
    ["127.0.0.1 with Bref's name for the mode", { BREF_RUNTIME: 'fpm' }, {}, '127.0.0.1'],
    ['127.0.0.1 in a Bref project', {}, { 'vendor/bref/bref/composer.json': '{}' }, '127.0.0.1'],
  ])('sees as REMOTE_ADDR %s', async (_which, environment, files, address) => {
    startApp('echo $_SERVER["REMOTE_ADDR"];', files as unknown as Record<string, string>, {
      ...(environment as unknown as Record<string, string>),
    });
    expect((await request('/')).body).toBe(address);
  });

  it('sets status, headers and several cookies', async () => {
    startApp(
      `http_response_code(418); header('X-A: 1'); header('X-A: 2', false); setcookie('a', '1'); setcookie('b', '2', ['httponly' => true]); echo 'short';`,
    );
    expect(await request('/')).toEqual({
      statusCode: 418,
      headers: { 'X-A': '1, 2', 'Content-type': 'text/html; charset=UTF-8' },
      cookies: ['a=1', 'b=2; HttpOnly'],
      body: 'short',
      isBase64Encoded: false,
    });
  });

  it.each([
    ['redirects', `header('Location: /else');`, { statusCode: 302, headers: { Location: '/else' } }],
    [
      'sends binary data',
      `header('Content-Type: image/gif'); echo "GIF\\xff";`,
      { body: 'R0lG/w==', isBase64Encoded: true },
    ],
    ['sends nothing with 204', `http_response_code(204);`, { statusCode: 204, body: '' }],
    [
      'sends five megabytes',
      `header('Content-Type: text/plain'); for ($i = 0; $i < 500; $i++) { echo str_repeat('x', 10000); if ($i % 7 === 0) flush(); }`,
      { body: 'x'.repeat(5_000_000) },
    ],
    ['has no memory beyond one request', `class Once {} function twice() {} static $n = 0; echo ++$n;`, { body: '1' }],
    ['may end early', `echo 'before'; exit(3);`, { body: 'before' }],
  ])('%s, twice', async (_name, script, expected) => {
    startApp(script);
    for (let call = 0; call < 2; call++) expect(await request('/')).toMatchObject(expected);
  });

  it.each([
    ['text', 'text', 'text'],
    ['an empty line', 'a\r\n\r\nb: c\r\n\r\nd', 'a\\r\\n\\r\\nb: c\\r\\n\\r\\nd'],
    ['an empty line at its beginning', '\r\n\r\nX: y\r\n\r\n', '\\r\\n\\r\\nX: y\\r\\n\\r\\n'],
    ['lines that look like headers', 'Status: 404\r\nX: y\r\n\r\n', 'Status: 404\\r\\nX: y\\r\\n\\r\\n'],
    ['a long text', 'x'.repeat(100_000), '" . str_repeat("x", 100000) . "'],
    ['nothing', '', ''],
  ])('can send no headers, with a body of %s', async (_name, body, printed) => {
    const code = `ini_set('default_mimetype', ''); header_remove('Content-Type'); if (isset($_GET['flush'])) flush(); echo "${printed}"; error_log(getmypid());`;
    const { output } = startApp(code);
    for (const path of ['/', '/?flush']) {
      expect(await request(path)).toEqual({ statusCode: 200, headers: {}, body, isBase64Encoded: false });
    }
    expect(new Set(output().match(/^.*\d+$/gm)).size).toBeLessThanOrEqual(1);
  });

  it('that sends no headers can be streamed', async () => {
    const code = `ini_set('default_mimetype', ''); header_remove('Content-Type'); echo "a\\r\\n\\r\\nb";`;
    startApp(code, {}, { LAMELLA_STREAMING: '1' });
    const [prelude, body] = (await functions.api.invoke(event('/'))).body.split('\0'.repeat(8));
    expect([JSON.parse(prelude ?? ''), body]).toEqual([{ statusCode: 200, headers: {}, cookies: [] }, 'a\r\n\r\nb']);
  });

  it.each(['cgi.rfc2616_headers', 'cgi.nph'])('has its status and headers with the setting %s too', async (setting) => {
    const code = `http_response_code(404); header('X-A: b'); echo 'not here';`;
    startApp(code, { 'php/conf.d/cgi.ini': `${setting} = 1\n` });
    expect(await request('/')).toEqual({
      statusCode: 404,
      headers: { 'X-A': 'b', 'Content-type': 'text/html; charset=UTF-8' },
      body: 'not here',
      isBase64Encoded: false,
    });
  });

  it('can read its input twice, even if PHP parsed it as a form', async () => {
    startApp(`echo file_get_contents('php://input') . file_get_contents('php://input') . ($_POST['a'] ?? '');`);
    const sent = (type: string) => request('/', { method: 'POST', headers: { 'content-type': type }, body: 'a=1&' });
    expect((await sent('text/plain')).body).toBe('a=1&a=1&');
    expect((await sent('application/x-www-form-urlencoded')).body).toBe('a=1&a=1&1');
  });

  it('gets uploads, which are removed after the request', async () => {
    startApp(`move_uploaded_file($_FILES['up']['tmp_name'][1], '/tmp/kept'); unset($_FILES['up']['tmp_name']);
      echo json_encode([$_POST, $_FILES, file_get_contents('/tmp/kept'), strlen(file_get_contents('php://input'))]);`);
    const part = (head: string, body: string) => `--B\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
    const big = 'y'.repeat(1_000_000);
    const body = Buffer.from(
      `${part('name="t"', 'ü')}${part('name="up[]"; filename="a.txt"', 'A')}${part('name="up[]"; filename="b.bin"\r\nContent-Type: application/x-b', big)}--B--\r\n`,
    );
    const answer = await request('/', {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=B' },
      body,
    });
    const [post, files, kept, input] = JSON.parse(answer.body) as [unknown, { up: object }, string, number];
    expect(post).toEqual({ t: 'ü' });
    expect(files.up).toEqual({
      name: ['a.txt', 'b.bin'],
      full_path: ['a.txt', 'b.bin'],
      type: ['', 'application/x-b'],
      error: [0, 0],
      size: [1, 1_000_000],
    });
    expect([kept.length, input]).toEqual([1_000_000, 0]);
  });

  it.each([
    [
      'of text',
      `str_repeat("<a href=\\"/é\\">\\\\ tab\\t\\r\\n</a>", 5000)`,
      '<a href="/é">\\ tab\t\r\n</a>'.repeat(5000),
    ],
    ['with control characters', `str_repeat("a\\x01\\x00\\"", 5000)`, 'a\u0001\u0000"'.repeat(5000)],
  ])('can send a long response, %s', async (_name, printed, expected) => {
    startApp(`echo ${printed};`);
    expect((await request('/')).body).toBe(expected);
  });

  it('that never reads a large body, and one that responds before it reads, both work', async () => {
    startApp(
      `if ($_GET['read'] ?? false) { echo str_repeat('o', 3_000_000); flush(); echo strlen(file_get_contents('php://input')); } else { echo 'ignored'; }`,
    );
    const body = Buffer.alloc(4_000_000, 'z');
    const headers = { 'content-type': 'application/octet-stream' };
    expect((await request('/', { method: 'PUT', headers, body })).body).toBe('ignored');
    expect((await request('/?read=1', { method: 'PUT', headers, body })).body.slice(-8)).toBe('o4000000');
    expect((await request('/', { method: 'PUT', headers, body })).body).toBe('ignored');
  });

  it('writes errors to the log and not into the response', async () => {
    const { wrote } = startApp(
      `error_log('for the log'); echo $undefined; file_put_contents('php://stderr', "direct\\n"); throw new LogicException('uncaught');`,
    );
    expect(await request('/')).toMatchObject({ statusCode: 500, body: '' });
    await wrote('for the log');
    await wrote('Undefined variable $undefined');
    await wrote('direct');
    await wrote('uncaught');
  });

  it('that exhausts its memory, or recurses forever, gets status 500, and the next request is served', async () => {
    startApp(
      `if (isset($_GET['eat'])) { $a = []; while (true) $a[] = str_repeat('x', 1 << 20); } if (isset($_GET['deep'])) { $f = function () use (&$f) { $f(); }; $f(); } echo 'fine';`,
    );
    expect((await request('/?eat')).statusCode).toBe(500);
    expect((await request('/')).body).toBe('fine');
    expect((await request('/?deep')).statusCode).toBeGreaterThanOrEqual(500);
    expect((await request('/')).body).toBe('fine');
  });

  it('that kills its process gets status 502 and a line in the log, and the next request is served', async () => {
    const { wrote } = startApp(
      `if (isset($_GET['die'])) posix(); echo 'fine'; function posix() { exec('kill -9 ' . getmypid()); }`,
    );
    expect((await request('/')).body).toBe('fine');
    expect((await request('/?die')).statusCode).toBe(502);
    await wrote('GET / (/index.php) failed: php-cgi ended before it responded.');
    expect((await request('/')).body).toBe('fine');
  });

  it.each([
    ['sleeps', 'sleep(60);', true],
    ['computes', 'while (true) strlen("x");', true],
    ['waits where PHP cannot be interrupted', 'fread($waiting[0], 1);', false],
  ])(
    'that %s past the deadline is stopped with status 504 and a line in the log; the next request is served',
    async (_name, code, endsByItself) => {
      const { wrote } = startApp(
        `if (isset($_GET['hang'])) { error_log('begun'); $waiting = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); ini_set('default_socket_timeout', 60); file_put_contents('php://stderr', "at once\\n");\n ${code} } echo getmypid();`,
      );
      const { body: pid } = await request('/');
      const deadline = { 'Lambda-Runtime-Deadline-Ms': String(Date.now() + 1500) };
      const answer = await functions.api.invoke(event('/slow?hang'), deadline);
      expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 504 });
      await wrote('at once');
      await wrote('GET /slow (/index.php) was stopped: no response within the remaining');
      if (endsByItself) {
        // php-cgi delivers log lines at the end of the script.
        await wrote('begun');
        await wrote('/var/task/public/index.php on line 2');
      }
      expect((await request('/')).body === pid).toBe(endsByItself);
    },
  );

  it('runs in a new process after LAMELLA_MAX_INVOCATIONS requests', async () => {
    startApp('echo getmypid();', {}, { LAMELLA_MAX_INVOCATIONS: '2' });
    const pids = [];
    for (let call = 0; call < 4; call++) pids.push((await request('/')).body);
    expect(pids[0]).toBe(pids[1]);
    expect(pids[2]).toBe(pids[3]);
    expect(pids[0]).not.toBe(pids[2]);
  });

  it('is compiled once: opcache is on for it', async () => {
    startApp('echo (int) (opcache_get_status(false)["opcache_enabled"] ?? false);');
    expect((await request('/')).body).toBe('1');
  });

  it('streams its output with LAMELLA_STREAMING=1', async () => {
    startApp(
      `header('X-A: b'); setcookie('c', 'd'); echo 'one '; flush(); echo 'two';`,
      {},
      { LAMELLA_STREAMING: '1' },
    );
    const { body, streamed } = await functions.api.invoke(event('/'));
    expect(streamed).toMatchObject({
      contentType: 'application/vnd.awslambda.http-integration-response',
      errorType: '',
    });
    const [prelude, rest] = body.split('\0'.repeat(8));
    expect(JSON.parse(prelude ?? '')).toEqual({
      statusCode: 200,
      headers: { 'X-A': 'b', 'Content-type': 'text/html; charset=UTF-8' },
      cookies: ['c=d'],
    });
    expect(rest).toBe('one two');
  });

  it('whose process dies in the middle of a stream ends the stream with an error', async () => {
    startApp(`echo 'some'; flush(); exec('kill -9 ' . getmypid());`, {}, { LAMELLA_STREAMING: '1' });
    const { body, streamed } = await functions.api.invoke(event('/'));
    expect(body.endsWith('some')).toBe(true);
    expect(streamed?.errorType).toBe('Lamella\\Http\\WorkerGone');
  });

  it('responds to load balancers and REST APIs in their own formats', async () => {
    startApp(`setcookie('a', '1'); setcookie('b', '2'); echo $_SERVER['REQUEST_URI'];`);
    const alb = {
      requestContext: { elb: { targetGroupArn: 'arn' } },
      httpMethod: 'GET',
      path: '/x',
      queryStringParameters: { q: 'a%20b' },
      headers: {},
    };
    expect(JSON.parse((await functions.api.invoke(JSON.stringify(alb))).body)).toMatchObject({
      statusDescription: '200 OK',
      body: '/x?q=a%20b',
    });
    const rest = { httpMethod: 'GET', path: '/x', multiValueHeaders: { Host: ['h'] }, requestContext: {} };
    expect(JSON.parse((await functions.api.invoke(JSON.stringify(rest))).body)).toMatchObject({
      multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'] },
    });
  });
});

describe('the document root', () => {
  const FILES = {
    'public/style.css': 'body {}',
    'public/pixel.png': '\u0089PNG',
    'public/other.php': '<?php echo "other ", $_SERVER["SCRIPT_NAME"], " ", $_SERVER["PATH_INFO"] ?? "-";',
    'public/admin/index.php': '<?php echo "admin";',
    'public/.htaccess': 'secret',
    'public/.well-known/security.txt': 'Contact: x',
    'public/settings.ini': 'secret',
    'public/data.sqlite': 'secret',
    'public/lib.inc': 'secret',
    'public/vendor/autoload.php': '<?php echo "secret";',
    'public/vendor/some/package/read.me': 'secret',
    'public/vendor/some/package/run.php': '<?php echo "secret";',
    'public/js/vendor/query.min.js': 'script',
    'public/ü b.txt': 'named',
    'composer.json': 'secret',
  };
  const FRONT = 'echo "front ", $_SERVER["PATH_INFO"] ?? "-";';

  it.each([
    ['/style.css', { statusCode: 200, body: 'body {}', headers: { 'Content-Type': 'text/css; charset=utf-8' } }],
    ['/pixel.png', { headers: { 'Content-Type': 'image/png' }, isBase64Encoded: true }],
    ['/%C3%BC%20b.txt', { body: 'named' }],
    ['/.well-known/security.txt', { body: 'Contact: x' }],
    ['/other.php', { body: 'other /other.php -' }],
    ['/other.php/more/path', { body: 'other /other.php /more/path' }],
    ['/index.php/page', { body: 'front /page' }],
    ['/admin/', { body: 'admin' }],
    ['/admin?x=1', { statusCode: 301, headers: { Location: '/admin/?x=1' } }],
    ['/nothing', { body: 'front -' }],
    ['/.htaccess', { body: 'front -' }],
    ['/settings.ini', { body: 'front -' }],
    ['/data.sqlite', { body: 'front -' }],
    ['/lib.inc', { body: 'front -' }],
    ['/vendor/some/package/read.me', { body: 'front -' }],
    ['/vendor/some/package/run.php', { body: 'front -' }],
    ['/vendor/autoload.php', { body: 'front -' }],
    ['/js/vendor/query.min.js', { body: 'script', headers: { 'Content-Type': 'text/javascript; charset=utf-8' } }],
    ['/../composer.json', { body: 'front -' }],
    ['/%2e%2e/composer.json', { body: 'front -' }],
    ['/style.css%00.php', { body: 'front -' }],
  ])('handles %s', async (path, expected) => {
    startApp(FRONT, FILES);
    expect(await request(path)).toMatchObject(expected);
  });

  it('supports conditional requests, ranges and HEAD for files', async () => {
    startApp(FRONT, FILES);
    const { headers } = await request('/style.css');
    expect(await request('/style.css', { headers: { 'if-none-match': headers.ETag } })).toMatchObject({
      statusCode: 304,
      body: '',
    });
    expect(await request('/style.css', { headers: { 'if-none-match': `"x", W/${headers.ETag}` } })).toMatchObject({
      statusCode: 304,
    });
    expect(await request('/style.css', { headers: { 'if-modified-since': headers['Last-Modified'] } })).toMatchObject({
      statusCode: 304,
    });
    expect(await request('/style.css', { headers: { range: 'bytes=0-3' } })).toMatchObject({
      statusCode: 206,
      body: 'body',
      headers: { 'Content-Range': 'bytes 0-3/7' },
    });
    expect(await request('/style.css', { headers: { range: 'bytes=-2' } })).toMatchObject({
      statusCode: 206,
      body: '{}',
    });
    expect(await request('/style.css', { headers: { range: 'bytes=9-' } })).toMatchObject({ statusCode: 416 });
    expect(await request('/style.css', { method: 'HEAD' })).toMatchObject({
      body: '',
      headers: { 'Content-Length': '7' },
    });
    expect(await request('/style.css', { method: 'POST' })).toMatchObject({ statusCode: 405 });
  });

  it('is not the package itself by default', async () => {
    const files = { 'index.php': '<?php echo "front";', 'other.php': '<?php echo "other";', 'a.txt': 'text' };
    functions.start('index.php', files, MODE);
    expect((await request('/other.php')).body).toBe('front');
    expect((await request('/a.txt')).body).toBe('front');
  });

  it('can be set with LAMELLA_DOCUMENT_ROOT', async () => {
    const files = { 'index.php': '<?php echo "front";', 'other.php': '<?php echo "other";', 'a.txt': 'text' };
    functions.start('index.php', files, { ...MODE, LAMELLA_DOCUMENT_ROOT: '.' });
    expect((await request('/other.php')).body).toBe('other');
    expect((await request('/a.txt')).body).toBe('text');
  });
});

describe('starting', () => {
  it('fails with a remedy when the layer has no php-cgi', async () => {
    functions.start('index.php', { 'index.php': '<?php' }, MODE, await laidOutPhpLayer(functions.directory));
    const { body, errorType } = await functions.api.initError;
    expect(errorType).toBe('Runtime.ConfigError');
    expect(body).toContain('lamella layer build php --variant http');
  });

  it('fails immediately when php-cgi does not run', async () => {
    const layer = await laidOutPhpLayer(functions.directory);
    writeFileSync(join(layer, 'bin/php-cgi'), '#!/bin/sh\necho it is broken >&2\nexit 1\n', { mode: 0o755 });
    const { wrote } = functions.start('index.php', { 'index.php': '<?php echo 1;' }, MODE, layer);
    // Not that it timed out.
    expect(JSON.parse((await functions.api.initError).body).errorMessage).toBe(
      'Cannot start php-cgi: php-cgi exited immediately after it started.',
    );
    await wrote('it is broken');
  });

  it("accepts Bref's name for the mode, and its setting for binary responses", async () => {
    functions.start(
      'index.php',
      { 'index.php': '<?php echo "hi";' },
      { BREF_RUNTIME: 'fpm', BREF_BINARY_RESPONSES: '1' },
    );
    expect(await request('/')).toMatchObject({ body: 'aGk=', isBase64Encoded: true });
  });

  it('leaves no php-cgi behind when the runtime restarts', async () => {
    const { tmp } = startApp('echo count(glob("/proc/[0-9]*"));', {}, { LAMELLA_MAX_MEMORY: '1' });
    const counts = [];
    for (let call = 0; call < 4; call++) counts.push((await request('/')).body);
    expect(new Set(counts).size).toBe(1);
    expect(readdirSync(tmp)).toEqual([expect.stringMatching(/^lamella-php-cgi-\d+\.sock$/)]);
  });
});

describe.each(['8.2', '8.3', '8.5'])('under PHP %s', (version) => {
  it('scripts are served, and a killed php-cgi is replaced', async () => {
    const layer = await laidOutPhpLayer(functions.directory, { version, webServer: true });
    const source =
      '<?php if (isset($_GET["die"])) { exec("kill -9 " . getmypid()); } echo PHP_VERSION, (int) extension_loaded("Zend OPcache");';
    functions.start('index.php', { 'index.php': source }, MODE, layer);
    expect((await request('/')).body).toMatch(new RegExp(`^${version}\\.\\d+1$`));
    expect((await request('/?die')).statusCode).toBe(502);
    expect((await request('/')).statusCode).toBe(200);
  }, 120_000);
});
