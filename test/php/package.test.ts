/** The Composer package `lamella/runtime`: valid, complete, in agreement with its README, and overridden by the layer. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildComposerLayer } from '../../src/packaging/composer/composer-layer.ts';
import { CACHE_DIR, laidOutPhpLayer, runInside, writePackage } from '../support/php-sandbox.ts';
import { runningFunctions } from './running-functions.ts';

const PACKAGE = resolve(import.meta.dirname, '../../runtimes/php');
const README = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
const FILES = readdirSync(join(PACKAGE, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.php'),
);
/** Of functions that the runtime uses, those that disable_functions may disable. It checks that they exist. */
const OPTIONAL_FUNCTIONS = [
  ...['exec', 'posix_kill', 'proc_open', 'proc_close', 'proc_get_status', 'proc_terminate', 'escapeshellarg'],
  ...['pcntl_alarm', 'pcntl_async_signals', 'pcntl_fork', 'pcntl_signal', 'pcntl_signal_get_handler'],
  ...['pcntl_sigprocmask', 'pcntl_waitpid', 'stream_socket_server', 'mb_check_encoding', 'zlib_decode'],
  ...['xdebug_connect_to_client', 'xdebug_is_debugger_active'],
];
/** Programs, which cannot be loaded as classes. */
const PROGRAMS = ['main.php', 'Http/ready.php'];
const functions = runningFunctions();

function namesIn(text: string): string[] {
  return [...new Set(text.match(/\b(LAMELLA|BREF)_[A-Z]+(_[A-Z]+)*\b/g))].sort();
}

describe('the README of the PHP runtime', () => {
  it('lists exactly the variables that the runtime reads', () => {
    const source = FILES.map((name) => readFileSync(join(PACKAGE, 'src', name), 'utf8')).join('\n');
    expect(namesIn(README)).toEqual(namesIn(source));
  });

  it('lists every event', () => {
    const events = FILES.flatMap((name) => /^Event\/(\w+Event)\.php$/.exec(name)?.[1] ?? []);
    const inside = ['StreamEvent', 'UnexpectedEvent'];
    expect(
      events.filter((name) => name !== 'Event' && !inside.includes(name) && !README.includes(`\`${name}\``)),
    ).toEqual([]);
  });
});

describe('the package lamella/runtime', () => {
  it('declares in every file the class that the file is named after, loadable without the running runtime', async () => {
    const opt = await laidOutPhpLayer(functions.directory);
    const classes = FILES.filter((name) => !PROGRAMS.includes(name)).map((name) =>
      `Lamella\\${name.slice(0, -'.php'.length)}`.replaceAll('/', '\\'),
    );
    const task = writePackage(join(functions.directory, 'load'), { 'classes.json': JSON.stringify(classes) });
    // Psr\Log comes from the project. Only projects that have it use the logger.
    const script = `namespace Psr\\Log { interface LoggerInterface {} }
      namespace { spl_autoload_register(fn (string $class) => require '/opt/lamella/runtime/' . strtr(substr($class, 8), '\\\\', '/') . '.php');
      foreach (json_decode(file_get_contents('/var/task/classes.json')) as $class) {
        if (!class_exists($class) && !interface_exists($class) && !trait_exists($class) && !enum_exists($class)) echo $class, "\\n";
      } echo 'done'; }`;
    expect(runInside({ opt, task, argv: ['/opt/bin/php', '-r', script] })).toBe('done');
  });

  it('knows the functions of PHP that it needs, which disable_functions does not disable', async () => {
    const opt = await laidOutPhpLayer(functions.directory);
    const script = `$called = [];
      $files = new RecursiveIteratorIterator(new RecursiveDirectoryIterator('/opt/lamella/runtime', FilesystemIterator::SKIP_DOTS));
      foreach ($files as $file) {
        $ignored = [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT];
        $tokens = array_values(array_filter(PhpToken::tokenize(file_get_contents($file)), fn ($token) => !$token->is($ignored)));
        foreach ($tokens as $index => $token) {
          $isCall = $token->is([T_STRING, T_NAME_FULLY_QUALIFIED]) && ($tokens[$index + 1]->text ?? '') === '('
            && !$tokens[$index - 1]->is([T_OBJECT_OPERATOR, T_NULLSAFE_OBJECT_OPERATOR, T_DOUBLE_COLON, T_FUNCTION, T_NEW]);
          if ($isCall) $called[ltrim($token->text, '\\\\')] = true;
        }
      }
      require '/opt/lamella/runtime/RequiredFunctions.php';
      $names = array_filter(array_keys($called), fn ($name) => function_exists($name) || str_contains($name, '_'));
      echo json_encode([array_values(array_diff($names, Lamella\\RequiredFunctions::NAMES)), array_values(array_diff(Lamella\\RequiredFunctions::NAMES, $names))]);`;
    const [missing, unused] = JSON.parse(runInside({ opt, argv: ['/opt/bin/php', '-r', script] })) as string[][];
    expect(missing?.filter((name) => !OPTIONAL_FUNCTIONS.includes(name))).toEqual([]);
    expect(unused).toEqual([]);
  });

  it('is installed by Composer into a vendor layer, but the copy of the PHP layer takes precedence', async () => {
    const project = writePackage(join(functions.directory, 'project'), {
      'composer.json': JSON.stringify({
        name: 'test/project',
        repositories: [{ type: 'path', url: PACKAGE, options: { symlink: false } }, { packagist: false }],
        require: { 'lamella/runtime': '*' },
        'minimum-stability': 'dev',
      }),
    });
    const output = join(functions.directory, 'vendor.zip');
    const built = await buildComposerLayer({ directory: project, output, version: '8.4', cacheDir: CACHE_DIR });
    expect(built.packages.map(({ name }) => name)).toEqual(['lamella/runtime']);
    const opt = await laidOutPhpLayer(functions.directory);
    execFileSync('unzip', ['-q', output, '-d', opt]);
    // As if the versions differed: both have the class, and the layer's is used.
    writeFileSync(
      join(opt, 'vendor/lamella/runtime/src/Event/SqsEvent.php'),
      '<?php throw new Error("the package\'s");',
    );
    const code = `<?php return function (Lamella\\Event\\SqsEvent $event, Lamella\\Context $context) {
      return [count($event->Records), (new ReflectionClass($event))->getFileName(), Composer\\InstalledVersions::isInstalled('lamella/runtime')]; };`;
    functions.start('index.php', { 'index.php': code }, {}, opt);
    const record = {
      messageId: 'm',
      receiptHandle: 'r',
      body: 'b',
      attributes: {},
      messageAttributes: {},
      md5OfBody: '',
    };
    const event = { Records: [{ ...record, eventSource: 'aws:sqs', eventSourceARN: 'arn', awsRegion: 'us-east-1' }] };
    const { body } = await functions.api.invoke(JSON.stringify(event));
    expect(JSON.parse(body)).toEqual([1, '/opt/lamella/runtime/Event/SqsEvent.php', true]);
  }, 60_000);
});
