/**
 * Real frameworks that stay booted, from Debian's packages: Laravel, and Symfony with FrameworkBundle. A request must not see
 * the session, user or scoped services of the previous one.
 */
import { expect, it } from 'vitest';
import { requirePackages } from '../support/system-packages.ts';
import { runningFunctions } from './running-functions.ts';

requirePackages('php-laravel-framework', 'php-symfony-dotenv', 'php-symfony-framework-bundle', 'php-symfony-runtime');

// The PHP version of Debian's packages.
const functions = runningFunctions({
  version: '8.2',
  extensions: ['ctype', 'mbstring', 'tokenizer', 'iconv', 'xml', 'simplexml', 'dom', 'fileinfo'],
});
const LIBRARIES = '/usr/share/php';

type Answer = { statusCode: number; headers: Record<string, string>; cookies?: string[]; body: string };

async function request(
  path: string,
  more: { method?: string; headers?: object; cookies?: string[]; body?: string } = {},
) {
  const { method = 'GET', ...rest } = more;
  const answer = await functions.api.invoke(
    JSON.stringify({
      version: '2.0',
      rawPath: path,
      rawQueryString: 'q=1',
      requestContext: { stage: '$default', http: { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1' } },
      isBase64Encoded: false,
      ...rest,
      headers: { host: 'example.com', 'x-forwarded-proto': 'https', ...more.headers },
    }),
  );
  expect(answer.kind, answer.body).toBe('response');
  return JSON.parse(answer.body) as Answer;
}
const cookieOf = ({ cookies = [] }: Answer, name: string) =>
  cookies.find((cookie) => cookie.startsWith(`${name}=`))?.split(';')[0] ?? '';

const LARAVEL = {
  'vendor/autoload.php': `<?php
    set_include_path('${LIBRARIES}');
    error_reporting(E_ALL & ~E_DEPRECATED);
    require 'Illuminate/autoload.php';`,
  'bootstrap/app.php': `<?php
    foreach (['framework/sessions', 'framework/views', 'logs'] as $directory) @mkdir("/tmp/storage/$directory", 0777, true);
    $app = new Illuminate\\Foundation\\Application(dirname(__DIR__));
    $app->useStoragePath('/tmp/storage');
    final class HttpKernel extends Illuminate\\Foundation\\Http\\Kernel {
      protected $middleware = [Illuminate\\Foundation\\Http\\Middleware\\ConvertEmptyStringsToNull::class];
      protected $middlewareGroups = ['web' => [Illuminate\\Cookie\\Middleware\\EncryptCookies::class,
        Illuminate\\Cookie\\Middleware\\AddQueuedCookiesToResponse::class, Illuminate\\Session\\Middleware\\StartSession::class,
        Illuminate\\Routing\\Middleware\\SubstituteBindings::class]];
      public function terminate($request, $response) { parent::terminate($request, $response); error_log('terminated ' . $request->path()); }
    }
    final class Routes extends Illuminate\\Foundation\\Support\\Providers\\RouteServiceProvider {
      public function boot() { $this->routes(fn () => Illuminate\\Support\\Facades\\Route::middleware('web')->group(base_path('routes.php'))); }
    }
    $app->singleton(Illuminate\\Contracts\\Http\\Kernel::class, HttpKernel::class);
    $app->singleton(Illuminate\\Contracts\\Debug\\ExceptionHandler::class, Illuminate\\Foundation\\Exceptions\\Handler::class);
    return $app;`,
  'config/app.php': `<?php return ['name' => 'Test', 'env' => 'production', 'debug' => false, 'url' => 'https://example.com', 'timezone' => 'UTC',
    'locale' => 'en', 'fallback_locale' => 'en', 'key' => 'base64:' . base64_encode(str_repeat('k', 32)), 'cipher' => 'AES-256-CBC', 'aliases' => [],
    'providers' => [Illuminate\\Auth\\AuthServiceProvider::class, Illuminate\\Cookie\\CookieServiceProvider::class,
      Illuminate\\Encryption\\EncryptionServiceProvider::class, Illuminate\\Filesystem\\FilesystemServiceProvider::class,
      Illuminate\\Foundation\\Providers\\FoundationServiceProvider::class, Illuminate\\Session\\SessionServiceProvider::class,
      Illuminate\\Translation\\TranslationServiceProvider::class, Illuminate\\Validation\\ValidationServiceProvider::class,
      Illuminate\\View\\ViewServiceProvider::class, Routes::class]];`,
  'config/session.php': `<?php return ['driver' => 'file', 'lifetime' => 120, 'expire_on_close' => false, 'encrypt' => false,
    'files' => storage_path('framework/sessions'), 'lottery' => [0, 100], 'cookie' => 'session', 'path' => '/', 'domain' => null,
    'secure' => true, 'http_only' => true, 'same_site' => 'lax'];`,
  'config/view.php': `<?php return ['paths' => [base_path('views')], 'compiled' => storage_path('framework/views')];`,
  'config/logging.php': `<?php return ['default' => 'stderr', 'channels' => ['stderr' => ['driver' => 'monolog',
    'handler' => Monolog\\Handler\\StreamHandler::class, 'with' => ['stream' => 'php://stderr']]]];`,
  'config/auth.php': `<?php return ['defaults' => ['guard' => 'web'], 'guards' => ['web' => ['driver' => 'header']], 'providers' => []];`,
  'config/filesystems.php': `<?php return ['default' => 'local', 'disks' => ['local' => ['driver' => 'local', 'root' => '/tmp/storage']]];`,
  'config/cache.php': `<?php return ['default' => 'array', 'stores' => ['array' => ['driver' => 'array']]];`,
  'views/page.blade.php': '<h1>{{ $title }}</h1>@foreach ($items as $item)<li>{{ $item }}</li>@endforeach',
  'routes.php': `<?php
    use Illuminate\\Http\\Request;
    use Illuminate\\Auth\\GenericUser;
    use Illuminate\\Support\\Facades\\{Auth, Cookie, Route};
    Auth::viaRequest('header', fn (Request $request) => $request->header('x-user') ? new GenericUser(['id' => $request->header('x-user')]) : null);
    app()->scoped('counter', fn () => new ArrayObject());
    Route::get('/page', fn (Request $request) => view('page', ['title' => 'A & B', 'items' => [$request->fullUrl(), $request->ip(), $request->isSecure() ? 'secure' : 'plain']]));
    Route::get('/visit', function (Request $request) {
      app('counter')->append(1);
      Cookie::queue('seen', 'yes');
      $request->session()->increment('visits');
      return ['visits' => $request->session()->get('visits'), 'scoped' => count(app('counter')), 'boots' => $GLOBALS['boots'] = ($GLOBALS['boots'] ?? 0) + 1];
    });
    Route::post('/form', function (Request $request) {
      $fields = $request->validate(['name' => 'required|min:3', 'up' => 'file|max:10']);
      return response(['name' => $fields['name'], 'file' => $request->file('up')->getClientOriginalName(), 'content' => file_get_contents('/tmp/storage/' . $request->file('up')->store('kept'))], 201);
    });
    Route::get('/who', fn (Request $request) => ['user' => Auth::id(), 'invocation' => strlen(json_decode($request->server('LAMBDA_INVOCATION_CONTEXT'))->awsRequestId)]);
    Route::get('/fail', fn () => throw new RuntimeException('from the route'));
    Route::get('/stream', fn () => response()->streamDownload(function () { echo 'one '; echo 'two'; }, 'a.txt'));`,
};

it('Laravel serves pages, forms, files and sessions from one booted application', async () => {
  const { wrote } = functions.start('bootstrap/app.php', LARAVEL, {
    LAMELLA_MODE: 'worker',
    APP_PACKAGES_CACHE: '/tmp/packages.php',
    APP_SERVICES_CACHE: '/tmp/services.php',
  });
  const page = await request('/page');
  expect(page).toMatchObject({
    statusCode: 200,
    body: '<h1>A &amp; B</h1><li>https://example.com/page?q=1</li><li>192.0.2.1</li><li>secure</li>',
  });
  await wrote('terminated page');

  const first = await request('/visit');
  expect(JSON.parse(first.body)).toEqual({ visits: 1, scoped: 1, boots: 1 });
  const session = cookieOf(first, 'session');
  expect([session, cookieOf(first, 'seen')]).toEqual([
    expect.stringMatching(/^session=.{20}/),
    expect.stringMatching(/^seen=.{20}/),
  ]);
  const again = await request('/visit', { cookies: [session] });
  expect(JSON.parse(again.body)).toEqual({ visits: 2, scoped: 1, boots: 2 });
  // Another visitor.
  const other = await request('/visit');
  expect(JSON.parse(other.body)).toEqual({ visits: 1, scoped: 1, boots: 3 });
  expect(cookieOf(other, 'session')).not.toBe(session);

  expect(JSON.parse((await request('/who', { headers: { 'x-user': 'ann' } })).body)).toEqual({
    user: 'ann',
    invocation: 36,
  });
  expect(JSON.parse((await request('/who')).body)).toEqual({ user: null, invocation: 36 });

  const form = {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=X', accept: 'application/json' },
  };
  const upload = '--X\r\nContent-Disposition: form-data; name="up"; filename="a.txt"\r\n\r\ncontent\r\n';
  const field = (value: string) => `--X\r\nContent-Disposition: form-data; name="name"\r\n\r\n${value}\r\n`;
  const taken = await request('/form', { ...form, body: `${field('Ann')}${upload}--X--\r\n` });
  expect([taken.statusCode, JSON.parse(taken.body)]).toEqual([201, { name: 'Ann', file: 'a.txt', content: 'content' }]);
  const refused = await request('/form', { ...form, body: `${field('A')}${upload}--X--\r\n` });
  expect([refused.statusCode, Object.keys(JSON.parse(refused.body).errors)]).toEqual([422, ['name']]);

  expect((await request('/fail')).statusCode).toBe(500);
  await wrote('from the route');
  expect(await request('/stream')).toMatchObject({ statusCode: 200, body: 'one two' });
  expect((await request('/nothing')).statusCode).toBe(404);
});

const SYMFONY = {
  'vendor/autoload.php': `<?php
    set_include_path('${LIBRARIES}');
    foreach (['Bundle/FrameworkBundle', 'Component/Runtime', 'Component/Dotenv'] as $directory) require_once "Symfony/$directory/autoload.php";
    spl_autoload_register(function ($class) { if ($class === 'App\\\\Kernel') require dirname(__DIR__) . '/src/Kernel.php'; });`,
  // The file that Symfony's Runtime component writes into a project.
  'vendor/autoload_runtime.php': `<?php
    if (true === (require_once __DIR__.'/autoload.php') || empty($_SERVER['SCRIPT_FILENAME'])) return;
    throw new LogicException('the component would run the application itself');`,
  'public/index.php': `<?php
    require_once dirname(__DIR__).'/vendor/autoload_runtime.php';
    return function (array $context) { return new App\\Kernel($context['APP_ENV'], (bool) $context['APP_DEBUG']); };`,
  '.env': 'APP_ENV=prod\nAPP_SECRET=from-dotenv\n',
  'src/Kernel.php': `<?php
    namespace App;
    use Symfony\\Bundle\\FrameworkBundle\\{FrameworkBundle, Kernel\\MicroKernelTrait};
    use Symfony\\Component\\DependencyInjection\\Loader\\Configurator\\ContainerConfigurator;
    use Symfony\\Component\\HttpFoundation\\{JsonResponse, Request};
    use Symfony\\Component\\Routing\\Loader\\Configurator\\RoutingConfigurator;
    use Symfony\\Contracts\\Service\\ResetInterface;
    final class Counter implements ResetInterface { public int $n = 0; public function reset(): void { $this->n = 0; } }
    final class Kernel extends \\Symfony\\Component\\HttpKernel\\Kernel {
      use MicroKernelTrait;
      private int $requests = 0;
      public function registerBundles(): iterable { return [new FrameworkBundle()]; }
      public function getCacheDir(): string { return '/tmp/cache'; }
      public function getLogDir(): string { return '/tmp/log'; }
      protected function configureContainer(ContainerConfigurator $container): void {
        $container->extension('framework', ['secret' => '%env(APP_SECRET)%', 'http_method_override' => false,
          'session' => ['storage_factory_id' => 'session.storage.factory.native', 'save_path' => '/tmp', 'handler_id' => null]]);
        $container->services()->set(Counter::class)->public()->tag('kernel.reset', ['method' => 'reset']);
      }
      protected function configureRoutes(RoutingConfigurator $routes): void {
        $routes->add('page', '/page/{name}')->controller([$this, 'page']);
        $routes->add('fail', '/fail')->controller([$this, 'fail']);
        $routes->add('visit', '/visit')->controller([$this, 'visit']);
      }
      public function page(Request $request, string $name): JsonResponse {
        return new JsonResponse(['name' => $name, 'query' => $request->query->all(), 'uri' => $request->getUri(), 'requests' => ++$this->requests,
          'counted' => ++$this->getContainer()->get(Counter::class)->n, 'secret' => $this->getContainer()->getParameter('kernel.secret')]);
      }
      public function visit(Request $request): JsonResponse {
        echo "noise in the log\\n";
        $session = $request->getSession();
        $session->set('visits', $session->get('visits', 0) + 1);
        return new JsonResponse($session->get('visits'));
      }
      public function fail(): never { throw new \\RuntimeException('from the controller'); }
    }`,
};

it("Symfony's FrameworkBundle runs from the front controller of its Runtime component", async () => {
  const { wrote } = functions.start('public/index.php', SYMFONY, { LAMELLA_MODE: 'worker' });
  for (const requests of [1, 2]) {
    const { statusCode, body } = await request('/page/world');
    expect([statusCode, JSON.parse(body)]).toEqual([
      200,
      {
        name: 'world',
        query: { q: '1' },
        uri: 'https://example.com/page/world?q=1',
        requests,
        counted: 1,
        secret: 'from-dotenv',
      },
    ]);
  }
  expect((await request('/nothing')).statusCode).toBe(404);
  expect((await request('/fail')).statusCode).toBe(500);
  await wrote('from the controller');
});

it("Symfony's sessions belong to one visitor each, also after output", async () => {
  const { wrote } = functions.start('public/index.php', SYMFONY, { LAMELLA_MODE: 'worker' });
  const visit = async (cookies: string[] = []) => {
    const response = await request('/visit', { cookies });
    expect(response.statusCode, response.body).toBe(200);
    return [cookieOf(response, 'PHPSESSID'), Number(response.body)] as const;
  };
  const [ann, annsVisits] = await visit();
  const [bob, bobsVisits] = await visit();
  expect([annsVisits, bobsVisits]).toEqual([1, 1]);
  expect(ann).toMatch(/^PHPSESSID=\w{20}/);
  expect(bob).not.toBe(ann);
  expect((await visit([ann]))[1]).toBe(2);
  expect((await visit([bob]))[1]).toBe(2);
  expect((await visit([ann]))[1]).toBe(3);
  await wrote('noise in the log');
});
