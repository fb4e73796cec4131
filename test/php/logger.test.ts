/** The PSR-3 logger, with every major version of psr/log. */
import { describe, expect, it } from 'vitest';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions({ extensions: [] });

/** The interface as declared by each major version of psr/log. */
const method = (name: string, types: boolean, returns: string) =>
  `public function ${name}(${types ? 'string|\\Stringable ' : ''}$message, array $context = [])${returns};`;
const psrLog = (types: boolean, returns: string) => `<?php
namespace Psr\\Log {
  class InvalidArgumentException extends \\InvalidArgumentException {}
  interface LoggerInterface {
    ${['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'].map((name) => method(name, types, returns)).join('\n')}
    public function log($level, ${types ? 'string|\\Stringable ' : ''}$message, array $context = [])${returns};
  }
}`;
const VERSIONS = [
  ['1', psrLog(false, '')],
  ['2', psrLog(true, '')],
  ['3', psrLog(true, ': void')],
] as const;
const SOURCE = `<?php return function ($e) {
  $logger = new Lamella\\Log\\Logger();
  $logger->debug('too fine');
  $logger->warning('{who} did {what}', ['who' => 'Ann', 'what' => ['x'], 'n' => 1]);
  $logger->error('broke', ['exception' => new LogicException('why')]);
  return 1;
};`;

describe.each(VERSIONS)('with psr/log %s', (_version, library) => {
  it('writes lines of text with time, request ID and level', async () => {
    const { wrote, output } = functions.start('index.php', { 'vendor/autoload.php': library, 'index.php': SOURCE });
    await functions.api.invoke('1');
    await wrote('LogicException: why');
    expect(output()).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t00000000-0000-4000-8000-000000000000\tDEBUG\ttoo fine$/m,
    );
    expect(output()).toMatch(/\tWARN\tAnn did \{what\}$/m);
  });

  it('writes JSON from the configured level on, if the function uses JSON', async () => {
    const environment = { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO' };
    const { wrote, output } = functions.start(
      'index.php',
      { 'vendor/autoload.php': library, 'index.php': SOURCE },
      environment,
    );
    await functions.api.invoke('1');
    await wrote('LogicException');
    const [warning, error] = output()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(warning).toMatchObject({
      level: 'WARN',
      requestId: '00000000-0000-4000-8000-000000000000',
      message: 'Ann did {what}',
      who: 'Ann',
      what: ['x'],
      n: 1,
    });
    expect(error).toMatchObject({
      level: 'ERROR',
      exception: { type: 'LogicException', message: 'why', location: '/var/task/index.php:5' },
    });
  });
});

it('an unknown level is an error', async () => {
  const source = '<?php return fn () => (new Lamella\\Log\\Logger())->log("loud", "x");';
  functions.start('index.php', { 'vendor/autoload.php': VERSIONS[2][1], 'index.php': source });
  expect(JSON.parse((await functions.api.invoke('1')).body)).toMatchObject({
    errorType: 'Psr\\Log\\InvalidArgumentException',
    errorMessage: 'Unknown log level "loud". Use a level of PSR-3.',
  });
});
