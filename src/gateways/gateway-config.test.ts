/** Gateways as people write them: in JSON and on the command line. */
import { describe, expect, it } from 'vitest';
import { GatewayConfigError, parseGatewayConfig, parseRouteOptions, renderGatewayConfig } from './gateway-config.ts';

describe('a gateway', () => {
  it('of an HTTP API', () => {
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
  ])('written as %j reads the same once it was kept', (input) => {
    const config = parseGatewayConfig('a-gateway', input);
    expect(parseGatewayConfig('a-gateway', JSON.parse(JSON.stringify(renderGatewayConfig(config))))).toEqual(config);
  });

  it.each([
    [null, /A gateway must be an object/],
    [{ routes: [] }, /kind must be http-api, rest-api, load-balancer, not nothing/],
    [{ kind: 'http-api' }, /routes must be an array with at least one route/],
    [{ kind: 'http-api', routes: ['GET / web'] }, /must be of the form ROUTE -> FUNCTION/],
    [{ kind: 'http-api', routes: ['GET / -> no such/name'] }, /must be of the form|names no function/],
    [{ kind: 'http-api', routes: ['GET / -> a', 'GET / -> b'] }, /'GET \/' is given twice/],
    [{ kind: 'http-api', routes: ['GET / -> a'], color: 1 }, /has no member 'color'. It has kind, hosts/],
    [{ kind: 'http-api', routes: ['GET / -> a'], payloadFormatVersion: '3' }, /must be "1.0" or "2.0"/],
    [{ kind: 'http-api', routes: ['GET / -> a'], cors: { origins: [] } }, /cors has no member 'origins'/],
    [{ kind: 'http-api', routes: ['GET / -> a'], stage: 'a b' }, /stage must be/],
    [{ kind: 'rest-api', routes: ['$default -> a'] }, /REST APIs have no \$default route/],
    [{ kind: 'load-balancer', routes: ['api -> a'] }, /'api' is no rule/],
    [{ kind: 'load-balancer', routes: ['/ -> a'], healthCheck: { intervalSeconds: 1 } }, /whole number from 5 to 300/],
  ])('that is wrong, %j, is refused with what would be right', (input, complaint) => {
    expect(() => parseGatewayConfig('web', input)).toThrow(GatewayConfigError);
    expect(() => parseGatewayConfig('web', input)).toThrow(complaint);
  });

  it.each(['', 'Web', '-web', 'a.b', 'x'.repeat(64)])('cannot be called "%s"', (name) => {
    expect(() => parseGatewayConfig(name, { kind: 'http-api', routes: ['GET / -> a'] })).toThrow(
      /no name for a gateway/,
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

  it('are none where none is given', () => {
    expect(parseRouteOptions([])).toEqual([]);
  });
});
