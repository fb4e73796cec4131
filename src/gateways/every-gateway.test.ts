/**
 * One request as all six kinds of events, for what is easy to get wrong: repeated headers and query
 * values, encoded slashes, unicode, cookies, binary bodies, methods, length. The values follow from AWS's documentation
 * and from recordings on AWS (2026-07, hotsock/voker; 2024-07, LocalStack's test suite; 2025-04, aws-lambda-dotnet).
 */
import { describe, expect, it } from 'vitest';
import { receivedRequest, wire } from '../../test/support/gateway-request.ts';
import type { ReceivedRequest } from './exchange/gateway-request.ts';
import type { ProxyIntegration } from './exchange/proxy-integration.ts';
import { createFunctionUrlIntegration } from './function-url/function-url.ts';
import { createHttpApiIntegration, decodeHttpApiPath, type HttpApiContext } from './http-api/http-api.ts';
import { matchHttpRoute, matchResource, parseRoute, type Route } from './http-api/routes.ts';
import { createLoadBalancerIntegration } from './load-balancer/load-balancer.ts';
import { createRestApiIntegration } from './rest-api/rest-api.ts';

const DOMAIN = 'api.localhost';
const ADDRESS = { prefix: '', domainName: DOMAIN, via: 'own-address' } as const;
const GREEDY = parseRoute('ANY /{proxy+}') as Route;

const GATEWAYS: Readonly<Record<string, (request: ReceivedRequest) => ProxyIntegration>> = {
  'function URL': () =>
    createFunctionUrlIntegration({
      url: {
        functionName: 'web',
        qualifier: '',
        functionArn: 'arn:aws:lambda:us-west-2:123456789012:function:web',
        id: 'abc',
        authType: 'NONE',
        cors: undefined,
        invokeMode: 'BUFFERED',
        createdMs: 0,
        lastModifiedMs: 0,
      },
      domainName: DOMAIN,
      caller: undefined,
    }),
  'HTTP API 2.0': (request) => createHttpApiIntegration(httpPlace(request, '2.0')),
  'HTTP API 1.0': (request) => createHttpApiIntegration(httpPlace(request, '1.0')),
  'REST API': (request) =>
    createRestApiIntegration({
      accountId: '123456789012',
      apiId: 'abc',
      gatewayResponses: {},
      stage: 'prod',
      stageVariables: undefined,
      binaryMediaTypes: ['application/octet-stream'],
      address: ADDRESS,
      resourcePath: '/{proxy+}',
      parameters: matchResource([GREEDY], request.method, request.path)?.parameters ?? [],
      extendedRequestId: 'JKJaXmPLvHcESHA=',
    }),
  'load balancer': () => createLoadBalancerIntegration({ targetGroupArn: 'arn', hasMultiValueHeaders: false }),
  'load balancer, multi-value': () =>
    createLoadBalancerIntegration({ targetGroupArn: 'arn', hasMultiValueHeaders: true }),
};

function httpPlace(request: ReceivedRequest, payloadFormatVersion: '1.0' | '2.0'): HttpApiContext {
  const match = matchHttpRoute([GREEDY], request.method, decodeHttpApiPath(request.path) ?? '/');
  if (match === undefined) throw new Error(`no route takes ${request.path}`);
  return {
    accountId: '123456789012',
    apiId: 'abc',
    stage: '$default',
    stageVariables: undefined,
    address: ADDRESS,
    match,
    payloadFormatVersion,
    cors: undefined,
    apiRequestId: 'JKJaXmPLvHcESHA=',
  };
}

/** The members of each kind's event, as JSON. `headers.cookie` is a path. */
function membersOf(sent: Parameters<typeof receivedRequest>[0], names: readonly string[]): Record<string, string> {
  const request = receivedRequest(sent);
  return Object.fromEntries(
    Object.entries(GATEWAYS).map(([gateway, create]) => {
      const event = wire(create(request).toEvent(request));
      const values = names.flatMap((name) => {
        const value = name.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], event);
        return value === undefined ? [] : [[name, value]];
      });
      return [gateway, JSON.stringify(Object.fromEntries(values))];
    }),
  );
}

describe('the events of all gateways', () => {
  it('have repeated headers joined, the last, or all of them', () => {
    const sent = {
      target: '/a',
      headers: [
        ['X-Twice', 'one'],
        ['x-twice', ''],
        ['X-Twice', 'a, b'],
      ] as const,
    };
    const names = ['headers.x-twice', 'headers.X-Twice', 'multiValueHeaders.x-twice', 'multiValueHeaders.X-Twice'];
    expect(membersOf(sent, names)).toEqual({
      'function URL': '{"headers.x-twice":"one,,a, b"}',
      'HTTP API 2.0': '{"headers.x-twice":"one,,a, b"}',
      'HTTP API 1.0': '{"headers.X-Twice":"a, b","multiValueHeaders.X-Twice":["one","","a, b"]}',
      'REST API': '{"headers.X-Twice":"a, b","multiValueHeaders.X-Twice":["one","","a, b"]}',
      'load balancer': '{"headers.x-twice":"a, b"}',
      'load balancer, multi-value': '{"multiValueHeaders.x-twice":["one","","a, b"]}',
    });
  });

  it('have separate cookies in payload 2.0, also from several headers, and a header elsewhere', () => {
    const sent = {
      target: '/a',
      headers: [
        ['Cookie', 'a=1; b="x y"'],
        ['Cookie', 'c=%20=;d'],
      ] as const,
    };
    const names = [
      'cookies',
      'headers.cookie',
      'headers.Cookie',
      'multiValueHeaders.cookie',
      'multiValueHeaders.Cookie',
    ];
    expect(membersOf(sent, names)).toEqual({
      'function URL': '{"cookies":["a=1","b=\\"x y\\"","c=%20=","d"],"headers.cookie":"a=1; b=\\"x y\\"; c=%20=;d"}',
      'HTTP API 2.0': '{"cookies":["a=1","b=\\"x y\\"","c=%20=","d"]}',
      'HTTP API 1.0': '{"headers.Cookie":"c=%20=;d","multiValueHeaders.Cookie":["a=1; b=\\"x y\\"","c=%20=;d"]}',
      'REST API': '{"headers.Cookie":"c=%20=;d","multiValueHeaders.Cookie":["a=1; b=\\"x y\\"","c=%20=;d"]}',
      'load balancer': '{"headers.cookie":"c=%20=;d"}',
      'load balancer, multi-value': '{"multiValueHeaders.cookie":["a=1; b=\\"x y\\"","c=%20=;d"]}',
    });
  });

  it('have encoded slashes and Unicode in paths decoded only by HTTP APIs', () => {
    const sent = { target: '/a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd' };
    const names = ['rawPath', 'path', 'pathParameters.proxy', 'requestContext.http.path', 'requestContext.path'];
    expect(membersOf(sent, names)).toEqual({
      'function URL':
        '{"rawPath":"/a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd","requestContext.http.path":"/a/b/ü 世/../c;d"}',
      'HTTP API 2.0':
        '{"rawPath":"/a/b/ü 世/../c;d","pathParameters.proxy":"a/b/ü 世/../c;d","requestContext.http.path":"/a/b/ü 世/../c;d"}',
      'HTTP API 1.0':
        '{"path":"/a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd","pathParameters.proxy":"a/b/ü 世/../c;d","requestContext.path":"/a/b/ü 世/../c;d"}',
      'REST API':
        '{"path":"/a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd","pathParameters.proxy":"a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd","requestContext.path":"/a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd"}',
      'load balancer': '{"path":"/a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd"}',
      'load balancer, multi-value': '{"path":"/a%2Fb/%C3%BC%20%E4%B8%96/%2e%2e/c%3Bd"}',
    });
  });

  it('have empty, repeated and Unicode query values', () => {
    const sent = { target: '/a?x=1&x=&x=2&bare&=none&%C3%BC=%E4%B8%96+%2B%2F&a[]=1&a[]=2' };
    const names = ['rawQueryString', 'queryStringParameters', 'multiValueQueryStringParameters'];
    expect(membersOf(sent, names)).toEqual({
      'function URL':
        '{"rawQueryString":"x=1&x=&x=2&bare&=none&%C3%BC=%E4%B8%96+%2B%2F&a[]=1&a[]=2","queryStringParameters":{"":"none","a[]":"1,2","bare":"","x":"1,,2","ü":"世 +/"}}',
      'HTTP API 2.0':
        '{"rawQueryString":"x=1&x=&x=2&bare&=none&%C3%BC=%E4%B8%96+%2B%2F&a[]=1&a[]=2","queryStringParameters":{"":"none","a[]":"1,2","bare":"","x":"1,,2","ü":"世 +/"}}',
      'HTTP API 1.0':
        '{"queryStringParameters":{"":"none","a[]":"2","bare":"","x":"2","ü":"世 +/"},"multiValueQueryStringParameters":{"":["none"],"a[]":["1","2"],"bare":[""],"x":["1","","2"],"ü":["世 +/"]}}',
      'REST API':
        '{"queryStringParameters":{"x":"2","bare":"","":"none","ü":"世 +/","a[]":"2"},"multiValueQueryStringParameters":{"x":["1","","2"],"bare":[""],"":["none"],"ü":["世 +/"],"a[]":["1","2"]}}',
      'load balancer': '{"queryStringParameters":{"x":"2","bare":"","":"none","%C3%BC":"%E4%B8%96+%2B%2F","a[]":"2"}}',
      'load balancer, multi-value':
        '{"multiValueQueryStringParameters":{"x":["1","","2"],"bare":[""],"":["none"],"%C3%BC":["%E4%B8%96+%2B%2F"],"a[]":["1","2"]}}',
    });
  });

  it('have binary bodies as Base64', () => {
    const sent = {
      method: 'PUT',
      target: '/a',
      headers: [['Content-Type', 'application/octet-stream']] as const,
      body: Buffer.from([0x00, 0xff, 0xfe, 0x0a]),
    };
    for (const event of Object.values(membersOf(sent, ['body', 'isBase64Encoded']))) {
      expect(event).toBe('{"body":"AP/+Cg==","isBase64Encoded":true}');
    }
  });

  it.each(['HEAD', 'OPTIONS', 'PATCH'])('name the method %s', (method) => {
    const events = membersOf({ method, target: '/a' }, ['httpMethod', 'requestContext.http.method']);
    for (const event of Object.values(events)) expect(event).toContain(`":"${method}"`);
  });

  it('have paths and query strings of 8,000 characters', () => {
    const long = 'x'.repeat(8000);
    for (const [gateway, event] of Object.entries(
      membersOf({ target: `/${long}?${long}=${long}` }, ['path', 'rawPath']),
    )) {
      expect([gateway, event.length > 8000]).toEqual([gateway, true]);
    }
  });
});
