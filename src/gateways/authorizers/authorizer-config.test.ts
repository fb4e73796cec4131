/** Authorizers in the JSON form of a gateway. */
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../wire/configuration.ts';
import { parseGatewayConfig, renderGatewayConfig } from '../gateway-config.ts';

const JWT = { type: 'jwt', jwtConfiguration: { issuer: 'https://issuer.example', audience: ['a'] } };

const rest = (authorizers: object, more: object = {}) => ({
  kind: 'rest-api',
  authorizers,
  routes: ['GET / -> a'],
  ...more,
});
const http = (authorizers: object, more: object = {}) => ({ ...rest(authorizers, more), kind: 'http-api' });
/** A gateway with one authorizer, `a`. */
const token = (more: object) => rest({ a: { type: 'token', function: 'f', ...more } });
const request = (more: object) => http({ a: { type: 'request', function: 'f', ...more } });
const jwt = (more: object) => http({ a: { ...JWT, ...more } });
const stored = (input: unknown) => JSON.parse(JSON.stringify(renderGatewayConfig(parseGatewayConfig('web', input))));

describe('authorizers of a gateway', () => {
  it.each([
    {
      kind: 'rest-api',
      authorizers: {
        tokens: {
          type: 'token',
          function: 'auth:live',
          identitySource: 'method.request.header.X-Token',
          identityValidationExpression: '^[a-z]+$',
          authorizerResultTtlInSeconds: 10,
        },
        parts: {
          type: 'request',
          function: 'auth',
          identitySource: ['method.request.querystring.q', 'stageVariables.v', 'context.identity.sourceIp'],
          authorizerResultTtlInSeconds: 3600,
        },
      },
      defaultAuthorizer: 'tokens',
      routes: [
        { route: 'GET /', function: 'a' },
        { route: 'GET /open', function: 'a', authorizer: 'NONE' },
        { route: 'GET /iam', function: 'a', authorizer: 'AWS_IAM' },
        { route: 'GET /parts', function: 'a', authorizer: 'parts' },
      ],
    },
    {
      kind: 'http-api',
      authorizers: {
        simple: {
          type: 'request',
          function: 'auth',
          identitySource: ['$request.header.X-Key', '$context.routeKey'],
          authorizerPayloadFormatVersion: '2.0',
          enableSimpleResponses: true,
          authorizerResultTtlInSeconds: 0,
        },
        tokens: { ...JWT, identitySource: '$request.querystring.t', jwksUri: '/keys/jwks.json' },
      },
      defaultAuthorizer: 'AWS_IAM',
      routes: [
        { route: 'GET /', function: 'a', payloadFormatVersion: '2.0' },
        { route: 'GET /simple', function: 'a', authorizer: 'simple', payloadFormatVersion: '2.0' },
        {
          route: 'GET /scoped',
          function: 'a',
          authorizer: 'tokens',
          authorizationScopes: ['read'],
          payloadFormatVersion: '1.0',
        },
      ],
    },
  ])('and their routes are the same after they are stored and read: %j', (input) => {
    expect(stored(input)).toMatchObject(input);
    expect(stored(stored(input))).toEqual(stored(input));
    const own = JSON.stringify(stored(input).routes[0]);
    expect(own).not.toContain('authorizer');
  });

  it('have the defaults of AWS', () => {
    expect(stored(token({})).authorizers.a).toEqual({
      type: 'token',
      function: 'f',
      identitySource: 'method.request.header.Authorization',
      authorizerResultTtlInSeconds: 300,
    });
    expect(stored(request({})).authorizers.a).toEqual({
      type: 'request',
      function: 'f',
      identitySource: [],
      authorizerPayloadFormatVersion: '2.0',
      enableSimpleResponses: false,
      authorizerResultTtlInSeconds: 0,
    });
    expect(stored(jwt({})).authorizers.a).toMatchObject({ identitySource: '$request.header.Authorization' });
  });

  it.each<[object, string | RegExp]>([
    [rest({ a: 1 }), 'authorizers.a must be an object, such as {"type":"token","function":"NAME"}.'],
    [rest([]), /^authorizers must be an object, such as/],
    [rest({ a: { type: 'jwt' } }), 'authorizers.a.type must be "token" or "request", not "jwt".'],
    [http({ a: { type: 'token' } }), 'authorizers.a.type must be "request" or "jwt", not "token".'],
    [rest({ 'a b': { type: 'token', function: 'f' } }), /^authorizers has the invalid name "a b"/],
    [rest({ NONE: { type: 'token', function: 'f' } }), /^authorizers has the invalid name "NONE"/],
    [rest({ a: { type: 'token' } }), 'authorizers.a.function is required, such as "NAME".'],
    [token({ function: 'a/b' }), 'authorizers.a.function must be a function name, NAME:ALIAS or an ARN, not "a/b".'],
    [token({ ttl: 1 }), /^authorizers\.a\.ttl is not supported\. Supported members: type, function, identitySource, /],
    [
      token({ identitySource: 'Authorization' }),
      /^authorizers\.a\.identitySource must be method\.request\.header\.NAME, /,
    ],
    [
      token({ identitySource: 'method.request.querystring.t' }),
      'authorizers.a.identitySource must be a header, not "method.request.querystring.t".',
    ],
    [
      token({ identityValidationExpression: '(' }),
      /^authorizers\.a\.identityValidationExpression must be a regular expression, not "\(": /,
    ],
    [token({ identityValidationExpression: '(?=a)' }), /must be a regular expression/],
    [
      token({ authorizerResultTtlInSeconds: 3601 }),
      'authorizers.a.authorizerResultTtlInSeconds must be a whole number from 0 to 3600, not 3601.',
    ],
    [
      rest({ a: { type: 'request', function: 'f' } }),
      'authorizers.a.identitySource is required where results are cached: add it, or set authorizerResultTtlInSeconds to 0.',
    ],
    [
      request({ authorizerResultTtlInSeconds: 1 }),
      /^authorizers\.a\.identitySource is required where results are cached/,
    ],
    [
      request({ identitySource: ['method.request.header.X'] }),
      /^authorizers\.a\.identitySource must be \$request\.header/,
    ],
    [
      request({ authorizerPayloadFormatVersion: '1.0', enableSimpleResponses: true }),
      'authorizers.a.enableSimpleResponses requires authorizerPayloadFormatVersion "2.0".',
    ],
    [http({ a: { type: 'jwt' } }), /^authorizers\.a\.jwtConfiguration is required, such as \{"issuer":/],
    [
      jwt({ jwtConfiguration: { issuer: 'https://issuer.example', audience: [] } }),
      'authorizers.a.jwtConfiguration.audience must have at least one audience.',
    ],
    [
      jwt({ jwtConfiguration: { issuer: 'http://issuer.example', audience: ['a'] } }),
      'authorizers.a.jwtConfiguration.issuer must be an https: URL, or an http: URL of this machine, not "http://issuer.example", or has jwksUri beside it.',
    ],
    [
      jwt({ jwksUri: 'keys.json' }),
      'authorizers.a.jwksUri must be an https: URL, or an http: URL of this machine, not "keys.json", or an absolute path.',
    ],
    [rest({}, { defaultAuthorizer: 'x' }), 'defaultAuthorizer must be "NONE" or "AWS_IAM", not "x".'],
    [
      rest({ a: { type: 'token', function: 'f' } }, { routes: [{ route: 'GET /', function: 'f', authorizer: 'b' }] }),
      'routes[0].authorizer must be "NONE", "AWS_IAM" or "a", not "b".',
    ],
    [
      http({}, { routes: ['GET / -> f', { route: 'GET /a', function: 'f', authorizationScopes: ['x'] }] }),
      'routes[1].authorizationScopes requires an authorizer of the type "jwt".',
    ],
    [
      http({ a: JWT }, { routes: [{ route: 'GET /', function: 'f', authorizer: 'a', authorizationScopes: ['a"b'] }] }),
      'routes[0].authorizationScopes[0] must be a scope, such as "items:read", not "a\\"b".',
    ],
    [
      { kind: 'load-balancer', routes: ['/ -> a'], authorizers: {} },
      /^authorizers is not supported\. Supported members: kind, hosts, multiValueHeaders/,
    ],
  ])('that are invalid, %j, are refused with the member, the reason and what to write', (input, message) => {
    expect(() => parseGatewayConfig('web', input)).toThrow(ConfigurationError);
    expect(() => parseGatewayConfig('web', input)).toThrow(message);
  });

  it('accept the key set of an issuer of this machine without TLS', () => {
    for (const issuer of [
      'http://localhost:8080/realm',
      'http://127.0.0.1:1',
      'http://id.localhost',
      'http://[::1]/',
    ]) {
      expect(() => parseGatewayConfig('web', jwt({ jwtConfiguration: { issuer, audience: ['a'] } }))).not.toThrow();
    }
  });
});
