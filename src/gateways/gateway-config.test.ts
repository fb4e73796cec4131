/** Gateways in JSON and on the command line. */
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../wire/configuration.ts';
import { parseGatewayConfig, parseRouteOptions, renderGatewayConfig } from './gateway-config.ts';

const http = (routes: unknown, more?: object) => ({ kind: 'http-api', routes, ...more });
const balancer = (healthCheck: unknown) => ({ kind: 'load-balancer', routes: ['/ -> a'], healthCheck });

describe('a gateway', () => {
  it('of the kind HTTP API has its members and defaults', () => {
    const config = parseGatewayConfig('web', {
      kind: 'http-api',
      hosts: ['API.Example.com'],
      stage: 'dev',
      stageVariables: { color: 'blue' },
      basePath: '/v1/',
      payloadFormatVersion: '1.0',
      cors: { allowOrigins: ['*'], maxAgeSeconds: 60 },
      routes: ['GET /users/{id} -> users:live', { route: '$default', function: 'web', payloadFormatVersion: '2.0' }],
    });
    expect(config).toMatchObject({
      hosts: ['api.example.com'],
      stage: 'dev',
      basePath: '/v1',
      routes: [
        { key: 'GET /users/{id}', payloadFormatVersion: '1.0', target: { name: 'users', qualifier: 'live' } },
        { key: '$default', payloadFormatVersion: '2.0', target: { name: 'web', qualifier: undefined } },
      ],
    });
  });

  it.each([
    { kind: 'http-api', routes: ['GET / -> web'] },
    { kind: 'http-api', basePath: '/a', cors: { allowOrigins: ['https://x.example'] }, routes: ['$default -> web'] },
    {
      kind: 'rest-api',
      stage: 'dev',
      binaryMediaTypes: ['image/*'],
      routes: ['ANY /{proxy+} -> arn:aws:lambda:eu-west-1:123456789012:function:web:2'],
    },
    {
      kind: 'load-balancer',
      multiValueHeaders: true,
      healthCheck: true,
      routes: ['/api/* -> api', { path: '*', host: '*.example', function: 'web' }],
    },
  ])('written as %j is the same after it is stored and read', (input) => {
    const config = parseGatewayConfig('a-gateway', input);
    expect(parseGatewayConfig('a-gateway', JSON.parse(JSON.stringify(renderGatewayConfig(config))))).toEqual(config);
  });

  it.each([
    [null, 'A gateway must be an object, such as {"kind":"http-api","routes":["GET /users/{id} -> NAME"]}.'],
    [[], 'A gateway must be an object, such as {"kind":"http-api","routes":["GET /users/{id} -> NAME"]}.'],
    [{ routes: [] }, 'kind must be "http-api", "rest-api" or "load-balancer", not nothing.'],
    [{ kind: 'alb' }, 'kind must be "http-api", "rest-api" or "load-balancer", not "alb".'],
    [{ kind: 'http-api' }, 'routes is required, such as ["GET /users/{id} -> NAME"].'],
    [http([]), 'routes must be an array with at least one route, such as ["GET /users/{id} -> NAME"].'],
    [http(['GET / web']), 'routes[0] must be ROUTE -> FUNCTION, not "GET / web".'],
    [http([7]), 'routes[0] must be an object, such as {"route":"GET /users/{id}","function":"NAME"}.'],
    [
      http(['GET / -> a', 'GET /a -> a/b']),
      'routes[1].function must be a function name, NAME:ALIAS or an ARN, not "a/b".',
    ],
    [http([{ route: 'GET /' }]), 'routes[0].function is required, such as "NAME".'],
    [
      http([{ rout: 'GET /', function: 'a' }]),
      'routes[0].rout is not supported. Supported members: route, payloadFormatVersion, timeoutMs, authorizer, authorizationScopes, function.',
    ],
    [
      http(['users -> a']),
      'routes[0].route must be a method and a path, such as "GET /users/{id}", or "$default", not "users".',
    ],
    [http(['GET / -> a', 'GET / -> b']), 'routes must have each route once: "GET /" is given twice.'],
    [http(['GET / -> a'], { color: 1 }), /^color is not supported. Supported members: kind, hosts, /],
    [http(['GET / -> a'], { hosts: 'a.example' }), 'hosts must be an array of strings, not "a.example".'],
    [http(['GET / -> a'], { hosts: [1] }), 'hosts[0] must be a string, not 1.'],
    [http(['GET / -> a'], { payloadFormatVersion: '3' }), 'payloadFormatVersion must be "1.0" or "2.0", not "3".'],
    [
      http(['GET / -> a'], { cors: { origins: [] } }),
      /^cors.origins is not supported. Supported members: allowCredentials, /,
    ],
    [
      http(['GET / -> a'], { cors: { allowCredentials: 'yes' } }),
      'cors.allowCredentials must be true or false, not "yes".',
    ],
    [http(['GET / -> a'], { cors: [] }), 'cors must be an object, such as {"allowOrigins":["*"]}.'],
    [http(['GET / -> a'], { stage: 'a b' }), 'stage must be "$default", or letters, digits, "-" and "_", not "a b".'],
    [http(['GET / -> a'], { stageVariables: { a: 1 } }), 'stageVariables.a must be a string, not 1.'],
    [http(['GET / -> a'], { basePath: '/a?b' }), 'basePath must be a path, such as "/v1", not "/a?b".'],
    [
      { kind: 'rest-api', routes: ['$default -> a'] },
      'routes[0].route must not be $default in a REST API: use "ANY /{proxy+}".',
    ],
    [{ kind: 'load-balancer', routes: ['api -> a'] }, 'routes[0].path must be a path, such as "/api/*", not "api".'],
    [balancer({ intervalSeconds: 1 }), 'healthCheck.intervalSeconds must be a whole number from 5 to 300, not 1.'],
    [balancer({ path: 'health' }), 'healthCheck.path must be a path that starts with /, not "health".'],
    [balancer({ matcher: 'ok' }), 'healthCheck.matcher must be status codes, such as "200" or "200-299", not "ok".'],
    [balancer('yes'), 'healthCheck must be an object, such as {"path":"/health"}.'],
  ])('that is invalid, %j, is refused with the member, the reason and what to write', (input, message) => {
    expect(() => parseGatewayConfig('web', input)).toThrow(ConfigurationError);
    expect(() => parseGatewayConfig('web', input)).toThrow(message);
  });

  it.each(['', 'Web', '-web', 'a.b', 'x'.repeat(64)])('cannot be called "%s"', (name) => {
    expect(() => parseGatewayConfig(name, { kind: 'http-api', routes: ['GET / -> a'] })).toThrow(
      /^Invalid gateway name ".*": use 1 to 63 of a-z, 0-9 and "-"/,
    );
  });
});

describe('routes of the command line', () => {
  it('make one gateway for each kind', () => {
    const gateways = parseRouteOptions([
      'GET /users/{id} -> users',
      'rest ANY /{proxy+} -> web',
      'http-1.0 GET /old -> old',
      'alb /api/* -> api',
      'http $default -> web',
      'alb POST /hook -> hook',
    ]);
    expect(gateways.map((gateway) => renderGatewayConfig(gateway))).toMatchObject([
      {
        kind: 'http-api',
        routes: [
          { route: 'GET /users/{id}', function: 'users', payloadFormatVersion: '2.0' },
          { route: 'GET /old', function: 'old', payloadFormatVersion: '1.0' },
          { route: '$default', function: 'web', payloadFormatVersion: '2.0' },
        ],
      },
      { kind: 'rest-api', routes: [{ route: 'ANY /{proxy+}', function: 'web' }] },
      {
        kind: 'load-balancer',
        routes: [
          { path: '/api/*', method: 'ANY', function: 'api' },
          { path: '/hook', method: 'POST', function: 'hook' },
        ],
      },
    ]);
  });

  it('make no gateway without a route', () => {
    expect(parseRouteOptions([])).toEqual([]);
  });

  it.each([
    ['GET / web', 'Invalid route "GET / web": it must be ROUTE -> FUNCTION, not "GET / web".'],
    [
      'rest $default -> a',
      'Invalid route "rest $default -> a": route must not be $default in a REST API: use "ANY /{proxy+}".',
    ],
    [
      'http-1.0 GET / -> a/b',
      'Invalid route "http-1.0 GET / -> a/b": function must be a function name, NAME:ALIAS or an ARN, not "a/b".',
    ],
    ['GET /a -> b', 'routes must have each route once: "GET /a" is given twice.'],
  ])('are named in the error for an invalid one: %s', (text, message) => {
    expect(() => parseRouteOptions(['GET /a -> a', text])).toThrow(message);
  });
});
