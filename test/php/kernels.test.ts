/** Applications that stay booted: PSR-15 handlers with several implementations of PSR-7, and Symfony's kernel. */
import { describe, expect, it } from 'vitest';
import { requirePackages } from '../support/system-packages.ts';
import { runningFunctions } from './running-functions.ts';

requirePackages('php-guzzlehttp-guzzle', 'php-nyholm-psr7', 'php-slim-psr7', 'php-symfony-http-kernel');

const functions = runningFunctions({ extensions: ['ctype', 'mbstring', 'tokenizer', 'iconv'] });
const { start } = functions;

const LIBRARIES = '/usr/share/php';
/** Debian's libraries are in directories named after their namespaces. Debian has no package of PSR-15, so it is here. */
const autoload = (implementation: string) => `<?php
namespace Psr\\Http\\Server {
  interface RequestHandlerInterface {
    public function handle(\\Psr\\Http\\Message\\ServerRequestInterface $request): \\Psr\\Http\\Message\\ResponseInterface;
  }
}
namespace {
  spl_autoload_register(function ($class) {
    if (preg_match('/^(Nyholm|GuzzleHttp|Slim)\\b/', $class, $match) && $match[1] !== '${implementation}') return;
    $file = '${LIBRARIES}/' . strtr($class, '\\\\', '/') . '.php';
    if (is_file($file)) require $file;
    elseif (str_starts_with($class, 'Fig\\\\')) require '${LIBRARIES}/Fig/HttpMessageUtil/' . basename(strtr($class, '\\\\', '/')) . '.php';
  });
  foreach (['Symfony/Contracts/Deprecation/function.php', 'getallheaders/getallheaders.php'] as $file) {
    if (is_file("${LIBRARIES}/$file")) require_once "${LIBRARIES}/$file";
  }
}`;
const RESPONSES = {
  Nyholm: 'new Nyholm\\Psr7\\Response(201, $headers, $body)',
  GuzzleHttp: 'new GuzzleHttp\\Psr7\\Response(201, $headers, $body)',
  Slim: '(function () use ($headers, $body) { $r = new Slim\\Psr7\\Response(201); foreach ($headers as $n => $v) $r = $r->withHeader($n, $v); $r->getBody()->write($body); return $r; })()',
} as const;
const IMPLEMENTATIONS = Object.keys(RESPONSES) as (keyof typeof RESPONSES)[];
const answering = (implementation: keyof typeof RESPONSES) => `
  $body = json_encode([
    'n' => ++$this->n, 'method' => $request->getMethod(), 'uri' => (string) $request->getUri(), 'query' => $request->getQueryParams(),
    'cookies' => $request->getCookieParams(), 'parsed' => $request->getParsedBody(), 'header' => $request->getHeaderLine('X-A'),
    'files' => array_map(fn ($f) => [$f->getClientFilename(), (string) $f->getStream()], $request->getUploadedFiles()),
    'body' => strlen((string) $request->getBody()), 'ip' => $request->getServerParams()['REMOTE_ADDR'],
    'stage' => $request->getAttribute('lambda-event')['requestContext']['stage'], 'id' => $request->getAttribute('lambda-context')->functionName,
  ]);
  $headers = ['Content-Type' => 'application/json', 'Set-Cookie' => ['a=1', 'b=2']];
  return ${RESPONSES[implementation]};`;

const event = (more: object = {}) =>
  JSON.stringify({
    version: '2.0',
    rawPath: '/a b',
    rawQueryString: 'q=1&l[]=2',
    cookies: ['c=d'],
    headers: {
      host: 'example.com',
      'x-a': 'v',
      'x-forwarded-proto': 'https',
      'content-type': 'multipart/form-data; boundary=X',
    },
    requestContext: {
      stage: '$default',
      http: { method: 'POST', path: '/a b', protocol: 'HTTP/1.1', sourceIp: '192.0.2.1' },
    },
    body: '--X\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n--X\r\nContent-Disposition: form-data; name="up"; filename="a.txt"\r\n\r\ncontent\r\n--X--\r\n',
    isBase64Encoded: false,
    ...more,
  });
const parsed = (text: string) => JSON.parse(text) as Record<string, unknown> & { body: string };

describe.each(IMPLEMENTATIONS)('a PSR-15 handler with %s', (implementation) => {
  it('gets the request and stays booted', async () => {
    const source = `<?php
      return new class implements Psr\\Http\\Server\\RequestHandlerInterface {
        private int $n = 0;
        public function handle(Psr\\Http\\Message\\ServerRequestInterface $request): Psr\\Http\\Message\\ResponseInterface { ${answering(implementation)} }
      };`;
    start(
      'index.php',
      { 'vendor/autoload.php': autoload(implementation), 'index.php': source },
      { LAMELLA_MODE: 'worker' },
    );
    for (const n of [1, 2]) {
      const answer = await functions.api.invoke(event());
      expect(answer.kind, answer.body).toBe('response');
      const { body, ...rest } = parsed(answer.body);
      expect(rest).toEqual({
        statusCode: 201,
        headers: { 'Content-Type': 'application/json' },
        cookies: ['a=1', 'b=2'],
        isBase64Encoded: false,
      });
      expect(parsed(body)).toEqual({
        n,
        method: 'POST',
        uri: 'https://example.com/a%20b?q=1&l%5B%5D=2',
        query: { q: '1', l: ['2'] },
        cookies: { c: 'd' },
        parsed: { field: 'value' },
        header: 'v',
        files: { up: ['a.txt', 'content'] },
        body: expect.any(Number),
        ip: '192.0.2.1',
        stage: '$default',
        id: 'fake',
      });
    }
  });
});

describe('a PSR-15 handler', () => {
  const handler = (body: string) => `<?php
    return new class implements Psr\\Http\\Server\\RequestHandlerInterface {
      public array $seen = [];
      public function handle(Psr\\Http\\Message\\ServerRequestInterface $request): Psr\\Http\\Message\\ResponseInterface { ${body} }
      public function reset(): void { $this->seen = []; error_log('was reset'); }
    };`;
  const files = (body: string) => ({ 'vendor/autoload.php': autoload('Nyholm'), 'index.php': handler(body) });

  it('is reset after each response', async () => {
    const { wrote } = start(
      'index.php',
      files('$this->seen[] = 1; return new Nyholm\\Psr7\\Response(200, [], (string) count($this->seen));'),
    );
    for (let call = 0; call < 3; call++) expect(parsed((await functions.api.invoke(event())).body).body).toBe('1');
    await wrote('was reset');
  });

  it('gets path parameters as attributes, and names of the query unchanged', async () => {
    start(
      'index.php',
      files(
        'return new Nyholm\\Psr7\\Response(200, [], json_encode([$request->getAttribute("id"), $request->getQueryParams(), $request->getParsedBody()]));',
      ),
    );
    const { body } = await functions.api.invoke(
      event({ pathParameters: { id: '42' }, rawQueryString: 'filter.name=x&sort%2Eby[]=a&sort%2Eby[]=b.c&b[=1&a.b=' }),
    );
    expect(parsed(parsed(body).body)).toEqual([
      '42',
      { 'filter.name': 'x', 'sort.by': ['a', 'b.c'], b_: '1', 'a.b': '' },
      { field: 'value' },
    ]);
  });

  it('is also reset after a failure', async () => {
    start(
      'index.php',
      files(
        '$this->seen[] = 1; if ($request->getUri()->getPath() === "/fail") throw new Exception("x"); return new Nyholm\\Psr7\\Response(200, [], (string) count($this->seen));',
      ),
    );
    expect((await functions.api.invoke(event({ rawPath: '/fail' }))).kind).toBe('error');
    expect(parsed((await functions.api.invoke(event())).body).body).toBe('1');
  });

  it('continues after a failure, which is reported', async () => {
    start(
      'index.php',
      files(
        'static $n = 0; if ($n++ === 0) throw new LogicException("first"); return new Nyholm\\Psr7\\Response(204);',
      ),
    );
    expect(await functions.api.invoke(event())).toMatchObject({ kind: 'error', errorType: 'LogicException' });
    expect(parsed((await functions.api.invoke(event())).body).statusCode).toBe(204);
  });

  it('sees the address of LAMELLA_REMOTE_ADDR as its peer', async () => {
    start(
      'index.php',
      files('return new Nyholm\\Psr7\\Response(200, [], $request->getServerParams()["REMOTE_ADDR"]);'),
      {
        LAMELLA_REMOTE_ADDR: '127.0.0.1',
      },
    );
    expect(parsed((await functions.api.invoke(event())).body).body).toBe('127.0.0.1');
  });

  it('streams its body with LAMELLA_STREAMING=1', async () => {
    start(
      'index.php',
      files('return new Nyholm\\Psr7\\Response(200, ["X-A" => "b", "Set-Cookie" => "c=d"], "streamed");'),
      { LAMELLA_STREAMING: '1' },
    );
    const { body, streamed } = await functions.api.invoke(event());
    expect(streamed?.contentType).toBe('application/vnd.awslambda.http-integration-response');
    const [prelude, rest] = body.split('\0'.repeat(8));
    expect(parsed(prelude ?? '')).toEqual({ statusCode: 200, headers: { 'X-A': 'b' }, cookies: ['c=d'] });
    expect(rest).toBe('streamed');
  });

  it('does not see the events that keep environments warm, and other events are an error with their source', async () => {
    start('index.php', files('return new Nyholm\\Psr7\\Response(200);'));
    expect((await functions.api.invoke('{"warmer":true}')).body).toBe('["Lambda is warm"]');
    const { kind, body } = await functions.api.invoke('{"Records":[{"eventSource":"aws:sqs"}]}');
    expect([kind, parsed(body).errorMessage]).toEqual(['error', expect.stringContaining('aws:sqs')]);
  });

  it('does not see a body that is not valid Base64: the client gets status 400', async () => {
    start('index.php', files('return new Nyholm\\Psr7\\Response(200);'));
    const { body } = await functions.api.invoke(event({ body: '!', isBase64Encoded: true }));
    expect(parsed(body).statusCode).toBe(400);
  });

  it('whose response exceeds the maximum of Lambda gets status 500 and a line in the log', async () => {
    const { wrote } = start(
      'index.php',
      files('return new Nyholm\\Psr7\\Response(200, [], str_repeat("x", 7 << 20));'),
    );
    const { kind, body } = await functions.api.invoke(event());
    expect([kind, parsed(body).statusCode]).toEqual(['response', 500]);
    await wrote('is too large: 7340');
  });

  it('needs an implementation of PSR-7, and the initialization error lists them', async () => {
    start('index.php', { 'vendor/autoload.php': autoload('none'), 'index.php': handler('return null;') });
    expect(parsed((await functions.api.initError).body).errorMessage).toContain('composer require nyholm/psr7');
  });

  it('comes from the container in LAMELLA_CONTAINER', async () => {
    const container = `<?php return new class { function has($id) { return $id === 'App\\\\Home'; } function get($id) { return new App\\Home('injected'); } };`;
    const app = `${autoload('Nyholm')}
      namespace App { class Home { function __construct(private string $word) {} function __invoke(\\Psr\\Http\\Message\\ServerRequestInterface $request) { return new \\Nyholm\\Psr7\\Response(200, [], $this->word . $request->getUri()->getPath()); } } }`;
    start(
      'App\\Home',
      { 'vendor/autoload.php': app, 'config/container.php': container },
      { LAMELLA_CONTAINER: 'config/container.php' },
    );
    expect(parsed((await functions.api.invoke(event())).body).body).toBe('injected/a%20b');
  });
});

describe("Symfony's kernel", () => {
  const kernel = `<?php
    use Symfony\\Component\\HttpFoundation\\{Cookie, Request, Response, StreamedResponse};
    class App implements Symfony\\Component\\HttpKernel\\HttpKernelInterface, Symfony\\Component\\HttpKernel\\TerminableInterface {
      private int $n = 0;
      public function handle(Request $request, int $type = self::MAIN_REQUEST, bool $catch = true): Response {
        if ($request->getPathInfo() === '/stream') return new StreamedResponse(function () { echo 'one '; flush(); echo 'two'; }, 200, ['Content-Type' => 'text/plain']);
        $file = $request->files->get('up');
        $moved = $file?->move('/tmp', 'moved')->getPathname();
        $response = new Response(json_encode([++$this->n, $request->getUri(), $request->query->all(), $request->request->all(), $request->cookies->all(),
          $moved ? file_get_contents($moved) : null, $request->getClientIp(), $request->isSecure()]), 200, ['Content-Type' => 'application/json', 'X-Case' => 'x']);
        $response->headers->setCookie(Cookie::create('s', '1'));
        $response->headers->setCookie(Cookie::create('t', '2'));
        return $response;
      }
      public function terminate(Request $request, Response $response) { error_log('terminated ' . $request->getPathInfo()); }
    }`;
  const bootstraps = {
    'an object': `${kernel} return new App();`,
    'a callable that returns one, as in the front controller of a project': `${kernel} return fn (array $context) => new App($context['APP_ENV']);`,
  };

  it.each(Object.entries(bootstraps))(
    'is found as %s, responds, and terminates after the response',
    async (_name, source) => {
      const { wrote } = start(
        'public/index.php',
        { 'vendor/autoload.php': autoload('none'), 'public/index.php': source },
        { LAMELLA_MODE: 'worker', APP_ENV: 'prod' },
      );
      for (const n of [1, 2]) {
        const answer = await functions.api.invoke(event());
        expect(answer.kind, answer.body).toBe('response');
        const { body, headers, cookies } = parsed(answer.body);
        expect(headers).toMatchObject({ 'X-Case': 'x' });
        expect(cookies).toEqual([expect.stringContaining('s=1'), expect.stringContaining('t=2')]);
        expect(JSON.parse(body)).toEqual([
          n,
          'https://example.com/a%20b?l%5B0%5D=2&q=1',
          { q: '1', l: ['2'] },
          { field: 'value' },
          { c: 'd' },
          'content',
          '192.0.2.1',
          true,
        ]);
      }
      await wrote('terminated /a%20b');
    },
  );

  it('streams the output of its responses', async () => {
    start('index.php', { 'vendor/autoload.php': autoload('none'), 'index.php': `${kernel} return new App();` });
    expect(parsed((await functions.api.invoke(event({ rawPath: '/stream' }))).body)).toMatchObject({
      statusCode: 200,
      body: 'one two',
    });
  });
});

describe('the mode worker', () => {
  it('refuses a handler that is not a kernel', async () => {
    start('index.php', { 'index.php': '<?php return fn () => 1;' }, { LAMELLA_MODE: 'worker' });
    const { errorType, body } = await functions.api.initError;
    expect(errorType).toBe('Runtime.ConfigError');
    expect(parsed(body).errorMessage).toContain('returns int. It must return a PSR-15');
  });

  it.each([
    [
      'an object with a method handle, such as Lumen’s application',
      'namespace Laravel\\Lumen; class Application { function handle(Request $request) { throw new \\Exception("called"); } } return new Application();',
      'index.php returns Laravel\\Lumen\\Application. It must return a PSR-15',
    ],
    ['a function', 'return fn (array $event, $context) => 1;', 'a function with other parameters than the array'],
    [
      'a function',
      'return fn (Lamella\\Event\\SqsEvent $event) => 1;',
      'a function with other parameters than the array',
    ],
    ['a function', 'return fn (string $event) => 1;', 'a function with other parameters than the array'],
    ['an invokable object', 'return new class { function __invoke() { return 1; } };', 'returns int. It must return'],
    ['nothing', '', 'index.php: it returns nothing callable'],
  ])('names the mistake if the file returns %s', async (_what, code, message) => {
    start('index.php', { 'index.php': `<?php ${code}` }, { LAMELLA_MODE: 'worker' });
    expect(parsed((await functions.api.initError).body).errorMessage).toContain(message);
  });

  it('accepts the kernel from a function without parameters, or with the environment', async () => {
    const kernel =
      'new class implements Psr\\Http\\Server\\RequestHandlerInterface { function handle(Psr\\Http\\Message\\ServerRequestInterface $r): Psr\\Http\\Message\\ResponseInterface { return new Nyholm\\Psr7\\Response(204); } }';
    for (const parameters of ['', 'array $environment', '$environment, $debug = false']) {
      const files = {
        'vendor/autoload.php': autoload('Nyholm'),
        'index.php': `<?php return fn (${parameters}) => ${kernel};`,
      };
      start('index.php', files, { LAMELLA_MODE: 'worker' });
      expect(parsed((await functions.api.invoke(event())).body).statusCode).toBe(204);
    }
  });

  it.each([
    [
      { LAMELLA_MODE: 'fast' },
      "Invalid LAMELLA_MODE (or BREF_RUNTIME) 'fast'. Use one of: function, worker, http, console.",
    ],
    [{ LAMELLA_BINARY: 'yes' }, "Invalid LAMELLA_BINARY 'yes'. Use one of: auto, always, never."],
    [{ LAMELLA_REMOTE_ADDR: 'proxy' }, "Invalid LAMELLA_REMOTE_ADDR 'proxy'. Use client or an IP address."],
  ])('and other settings are validated: %o', async (environment, message) => {
    start('index.php', { 'index.php': '<?php return fn () => 1;' }, environment as unknown as Record<string, string>);
    expect(parsed((await functions.api.initError).body).errorMessage).toBe(message);
  });
});

describe('a function', () => {
  it('can take a Request and return a Response', async () => {
    const source = `<?php use Lamella\\Http\\{Request, Response};
      return fn (Request $r) => Response::json(['path' => $r->path, 'q' => $r->query()], 202, ['Set-Cookie' => ['a=1']]);`;
    start('index.php', { 'index.php': source });
    expect(parsed((await functions.api.invoke(event())).body)).toEqual({
      statusCode: 202,
      headers: { 'Content-Type': 'application/json' },
      cookies: ['a=1'],
      body: '{"path":"/a%20b","q":{"q":"1","l":["2"]}}',
      isBase64Encoded: false,
    });
  });
});
