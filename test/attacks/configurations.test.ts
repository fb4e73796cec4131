/**
 * Odd gateways, schedules and clocks by the admin API, from its documentation, and odd requests to the gateways that it
 * accepted. A configuration is refused with a reason or works; no request to it is left without a documented response.
 */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Attack, drive } from './drive.ts';
import { EXTRA_HEADERS, PATHS, QUERIES } from './odd-targets.ts';
import { DATES, numberToken, oddText, oddValue, Token, writeJson } from './odd-values.ts';
import { PYTHON_RUNTIME } from './python-runtime.ts';
import { cases, type Random, seedOf, startTarget, type Target } from './target.ts';

let target: Target;

beforeAll(async () => {
  target = await startTarget();
  const bootstrap = `${PYTHON_RUNTIME}
while True:
    id, event = next_invocation()
    respond(id, b'{"statusCode":200,"body":"x"}')
`;
  await target.createFunction('f', { bootstrap }, { Timeout: 5 });
  await target.measure();
});
afterAll(() => target?.close());

const NAMES = ['a', 'b', 'c'] as const;
/** Mostly a function that does not exist, because the others take time to start. */
const FUNCTIONS = [
  'missing',
  'missing',
  'missing',
  'f',
  'f:1',
  'arn:aws:lambda:us-east-1:123456789012:function:f',
] as const;
const PATTERNS = [
  '/',
  '/a',
  '/a/{b}',
  '/{a}/{b+}',
  '/{proxy+}',
  '/{a+}/{b+}',
  '/{a}/{a}',
  '$default',
  '/*',
  '/*/*/?',
  '*',
  '/a%2Fb',
  '/ü',
  '{',
  '/{}',
  '//',
] as const;

/** The value, or rarely another one. */
const maybe = (value: unknown, random: Random): unknown => (random.chance(0.08) ? oddValue(random) : value);

function routeOf(random: Random, isBalancer: boolean): unknown {
  const pattern = random.chance(0.8) ? random.pick(PATTERNS) : oddText(random);
  const method = random.pick(['GET ', 'ANY ', 'POST ', '', 'get ', 'TRACE ', '* ']);
  const target = random.pick(FUNCTIONS);
  if (random.chance(0.4)) return `${method}${pattern} -> ${target}`;
  if (isBalancer)
    return {
      path: maybe(pattern, random),
      function: maybe(target, random),
      ...(random.chance(0.3) && { host: maybe(random.pick(['*.localhost', 'x', '']), random) }),
    };
  const version = random.chance(0.3) && { payloadFormatVersion: maybe(random.pick(['1.0', '2.0']), random) };
  return { route: maybe(`${method}${pattern}`, random), function: maybe(target, random), ...version };
}

function gatewayOf(random: Random): unknown {
  const kind = random.pick(['http-api', 'rest-api', 'load-balancer']);
  const isBalancer = kind === 'load-balancer';
  const config: Record<string, unknown> = {
    kind: maybe(kind, random),
    routes: maybe(
      Array.from({ length: random.pick([1, 1, 2, 20, 0]) }, () => routeOf(random, isBalancer)),
      random,
    ),
  };
  const add = (name: string, value: unknown) => {
    if (random.chance(0.2)) config[name] = maybe(value, random);
  };
  add('hosts', [random.pick(['x.localhost', 'localhost', 'X', '*.localhost', 'a:80', oddText(random)])]);
  if (!isBalancer || random.chance(0.1)) {
    add('basePath', random.pick(['/', '/v1', 'v1', '/v1/', '//', oddText(random)]));
    add('stage', random.pick(['prod', '$default', 'a b', oddText(random)]));
    add('stageVariables', { a: oddText(random), [oddText(random)]: 'b' });
    add('cors', {
      allowOrigins: maybe([random.pick(['*', 'https://example.com', oddText(random)])], random),
      allowMethods: maybe(['GET', oddText(random)], random),
      maxAgeSeconds: maybe(numberToken(random), random),
      allowCredentials: maybe(random.chance(0.5), random),
      exposeHeaders: maybe([oddText(random)], random),
    });
    add('payloadFormatVersion', random.pick(['1.0', '2.0']));
    add('binaryMediaTypes', ['*/*', oddText(random)]);
  } else {
    add('multiValueHeaders', random.chance(0.5));
    const numbers = () => (random.chance(0.5) ? new Token('5') : numberToken(random));
    const check = {
      path: random.pick(['/', '/x', oddText(random)]),
      intervalSeconds: numbers(),
      timeoutSeconds: numbers(),
      healthyThreshold: numbers(),
      matcher: random.pick(['200', '200-299', '0-', oddText(random)]),
    };
    add('healthCheck', random.chance(0.5) ? true : check);
  }
  if (random.chance(0.05)) config[oddText(random)] = oddValue(random);
  return config;
}

const EXPRESSIONS = [
  'rate(1 minute)',
  'rate(5 minutes)',
  'rate(0 days)',
  'rate(99999999999999999999 days)',
  'rate(1e3 hours)',
  'cron(0 10 ? * MON-FRI *)',
  'cron(* * * * ? *)',
  'cron(0/0 * * * ? *)',
  'cron(0 0 31 2 ? 2199)',
  'cron(0 0 L * ? *)',
  'cron(0 0 ? * 6#5 *)',
  'cron(0 0 ? * 2L 1970)',
  `cron(${'0,'.repeat(3_000)}0 0 1 1 ? *)`,
  'at(2026-12-31T00:00:00)',
  'at(0000-00-00T00:00:00)',
  'at(9999-12-31T23:59:59)',
  'cron()',
  'rate()',
  '',
] as const;

const scheduleOf = (random: Random): unknown => ({
  expression: maybe(
    random.chance(0.8) ? random.pick(EXPRESSIONS) : random.chance(0.5) ? `at(${random.pick(DATES)})` : oddText(random),
    random,
  ),
  function: maybe(random.pick(FUNCTIONS), random),
  ...(random.chance(0.3) && {
    timeZone: maybe(random.pick(['Europe/Zurich', 'UTC', 'Mars/Olympus', '+25:00', oddText(random)]), random),
  }),
  ...(random.chance(0.3) && { input: oddValue(random) }),
  ...(random.chance(0.2) && { enabled: maybe(random.chance(0.5), random) }),
  ...(random.chance(0.2) && { kind: maybe(random.pick(['rule', 'schedule']), random) }),
});

const percent = (text: string) => encodeURIComponent(text.replace(/[\ud800-\udfff]/g, ''));

function configurationAttack(random: Random): Attack {
  const name = random.chance(0.9) ? random.pick(NAMES) : percent(oddText(random).slice(0, 2_000));
  const [method, path, input] = random.pick<() => readonly [string, string, unknown]>([
    () => ['PUT', `gateways/${name}`, gatewayOf(random)],
    () => ['PUT', `gateways/${name}`, gatewayOf(random)],
    () => [
      random.pick(['GET', 'DELETE', 'POST']),
      `gateways/${name}${random.pick(['', '/health', '/', '?x'])}`,
      undefined,
    ],
    () => ['PUT', `schedules/${name}`, scheduleOf(random)],
    () => [
      random.pick(['GET', 'DELETE', 'POST']),
      `schedules/${name}${random.pick(['', '/fire', '//fire'])}`,
      undefined,
    ],
    // Seconds far in the future are refused. Days would make every schedule fire many times.
    () => [
      'POST',
      'clock',
      {
        advanceSeconds: random.chance(0.3)
          ? random.pick([0, 1, 30])
          : maybe(new Token(random.pick(['1e400', '-1', 'NaN', '1e15', '9007199254740993', '1e-400'])), random),
      },
    ],
    () => [
      'GET',
      random.pick([
        'clock',
        'service',
        'events',
        'environments',
        `async/${name}`,
        `async/${name}?region=${name}`,
        '',
        `${name}/${name}`,
      ]),
      undefined,
    ],
  ])();
  const body =
    input === undefined
      ? Buffer.alloc(0)
      : Buffer.from(random.chance(0.02) ? writeJson(oddValue(random)) : writeJson(input));
  const head = `${method} /_lamella/${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
  return {
    kind: `${method} ${path.split('/')[0]}`,
    method,
    bytes: Buffer.concat([Buffer.from(head, 'latin1'), body]),
    mayTakeLong: false,
  };
}

function requestAttack(random: Random): Attack {
  const method = random.pick(['GET', 'POST', 'OPTIONS', 'HEAD', 'DELETE']);
  const prefix = random.pick([
    '',
    ...NAMES.map((name) => `/_lamella/gateway/${name}`),
    ...NAMES.map((name) => `/_lamella/gateway/${name}/v1`),
  ]);
  const path = Buffer.from(random.pick(PATHS) + random.pick(QUERIES)).toString('latin1');
  const host = random.pick([
    'localhost',
    'x.localhost',
    'a.execute-api.us-east-1.localhost',
    'b.us-east-1.elb.localhost',
    'c.localhost:99999',
  ]);
  const lines = [`${method} ${prefix}${path} HTTP/1.1`, `Host: ${host}`];
  for (let more = random.below(3); more > 0; more -= 1) lines.push(random.pick(EXTRA_HEADERS));
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  // The function may be missing, and a load balancer may have no rule.
  const isDocumented: Attack['isDocumented'] = ({ status, body }) =>
    [500, 502, 503].includes(status) && (body.length > 0 || method === 'HEAD');
  return { kind: `request ${method}`, method, bytes, port: target.httpPort, mayTakeLong: false, isDocumented };
}

describe('the admin API', () => {
  it('refuses or serves every configuration', { timeout: 3_600_000 }, async () => {
    await drive(target, target.port, {
      seed: seedOf(20_261_203),
      count: cases(600),
      next: (random) => (random.chance(0.5) ? configurationAttack(random) : requestAttack(random)),
      connections: 4,
    });
    await target.expectUnharmed();
  });
});
