/**
 * Events and responses of HTTP APIs. Members: AWS's documentation of payloads 1.0 and 2.0. Header names, decoding, order of
 * path parameters, default content types and errors: recordings on AWS by aws-lambda-dotnet (2025-04) and
 * hotsock/voker (2026-07). The requests are our own.
 */
import { describe, expect, it } from 'vitest';
import {
  headerLines,
  RECEIVED_MS,
  receivedRequest,
  THROTTLED,
  TRACE_ID,
  wire,
} from '../../../test/support/gateway-request.ts';
import type { ApiAddress } from '../api-address.ts';
import { MalformedResponse } from '../exchange/proxy-integration.ts';
import {
  createHttpApiIntegration,
  decodeHttpApiPath,
  type HttpApiContext,
  renderHttpApiPreflight,
  renderHttpApiRefusal,
} from './http-api.ts';
import { matchHttpRoute, parseRoute, type Route } from './routes.ts';

const API_ID = 'a1b2c3d4e5';
const DOMAIN = `${API_ID}.execute-api.us-west-2.localhost`;
const API_REQUEST_ID = 'JKJaXmPLvHcESHA=';
const AT_OWN_ADDRESS: ApiAddress = { prefix: '', domainName: DOMAIN, via: 'own-address' };

function context(routeKey: string, path: string, more: Partial<HttpApiContext> = {}): HttpApiContext {
  const route = parseRoute(routeKey) as Route;
  const match = matchHttpRoute([route], route.method === 'ANY' ? 'GET' : route.method, path);
  if (match === undefined) throw new Error(`${routeKey} does not match ${path}`);
  return {
    accountId: '123456789012',
    apiId: API_ID,
    stage: '$default',
    stageVariables: undefined,
    address: AT_OWN_ADDRESS,
    match,
    payloadFormatVersion: '2.0',
    cors: undefined,
    apiRequestId: API_REQUEST_ID,
    ...more,
  };
}

const REQUEST = receivedRequest({
  method: 'POST',
  target: '/users/J%C3%BCrgen%20K/orders/7?tag=a&tag=b&q=x%20y&empty=',
  headers: [
    ['Host', DOMAIN],
    ['user-agent', 'agent/1'],
    ['Content-Type', 'application/json'],
    ['Cookie', 'session=abc; theme=dark'],
    ['X-Twice', 'first'],
    ['x-twice', 'second'],
  ],
  body: '{"a":1}',
});
const ROUTE = 'POST /users/{userName}/orders/{id}';
const DECODED = '/users/Jürgen K/orders/7';

describe('events of an HTTP API', () => {
  it('have every member of payload 2.0, byte for byte', () => {
    expect(JSON.stringify(createHttpApiIntegration(context(ROUTE, DECODED)).toEvent(REQUEST))).toBe(
      JSON.stringify({
        version: '2.0',
        routeKey: ROUTE,
        rawPath: DECODED,
        rawQueryString: 'tag=a&tag=b&q=x%20y&empty=',
        cookies: ['session=abc', 'theme=dark'],
        headers: {
          'content-length': '7',
          'content-type': 'application/json',
          host: DOMAIN,
          'user-agent': 'agent/1',
          'x-amzn-trace-id': TRACE_ID,
          'x-forwarded-for': '192.0.2.1',
          'x-forwarded-port': '3000',
          'x-forwarded-proto': 'http',
          'x-twice': 'first,second',
        },
        queryStringParameters: { empty: '', q: 'x y', tag: 'a,b' },
        requestContext: {
          accountId: '123456789012',
          apiId: API_ID,
          domainName: DOMAIN,
          domainPrefix: API_ID,
          http: {
            method: 'POST',
            path: DECODED,
            protocol: 'HTTP/1.1',
            sourceIp: '192.0.2.1',
            userAgent: 'agent/1',
          },
          requestId: API_REQUEST_ID,
          routeKey: ROUTE,
          stage: '$default',
          time: '12/Mar/2020:19:03:58 +0000',
          timeEpoch: RECEIVED_MS,
        },
        body: '{"a":1}',
        pathParameters: { id: '7', userName: 'Jürgen K' },
        isBase64Encoded: false,
      }),
    );
  });

  it('have every member of payload 1.0, byte for byte', () => {
    const integration = createHttpApiIntegration(context(ROUTE, DECODED, { payloadFormatVersion: '1.0' }));
    const headers = {
      'Content-Length': '7',
      'Content-Type': 'application/json',
      Cookie: 'session=abc; theme=dark',
      Host: DOMAIN,
      'User-Agent': 'agent/1',
      'X-Amzn-Trace-Id': TRACE_ID,
      'X-Forwarded-For': '192.0.2.1',
      'X-Forwarded-Port': '3000',
      'X-Forwarded-Proto': 'http',
      'X-Twice': 'second',
    };
    expect(JSON.stringify(integration.toEvent(REQUEST))).toBe(
      JSON.stringify({
        version: '1.0',
        resource: '/users/{userName}/orders/{id}',
        path: '/users/J%C3%BCrgen%20K/orders/7',
        httpMethod: 'POST',
        headers,
        multiValueHeaders: {
          ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
          'X-Twice': ['first', 'second'],
        },
        queryStringParameters: { empty: '', q: 'x y', tag: 'b' },
        multiValueQueryStringParameters: { empty: [''], q: ['x y'], tag: ['a', 'b'] },
        requestContext: {
          accountId: '123456789012',
          apiId: API_ID,
          domainName: DOMAIN,
          domainPrefix: API_ID,
          extendedRequestId: API_REQUEST_ID,
          httpMethod: 'POST',
          identity: {
            accessKey: null,
            accountId: null,
            caller: null,
            cognitoAmr: null,
            cognitoAuthenticationProvider: null,
            cognitoAuthenticationType: null,
            cognitoIdentityId: null,
            cognitoIdentityPoolId: null,
            principalOrgId: null,
            sourceIp: '192.0.2.1',
            user: null,
            userAgent: 'agent/1',
            userArn: null,
          },
          path: DECODED,
          protocol: 'HTTP/1.1',
          requestId: API_REQUEST_ID,
          requestTime: '12/Mar/2020:19:03:58 +0000',
          requestTimeEpoch: RECEIVED_MS,
          resourceId: ROUTE,
          resourcePath: '/users/{userName}/orders/{id}',
          stage: '$default',
        },
        pathParameters: { id: '7', userName: 'Jürgen K' },
        stageVariables: null,
        body: '{"a":1}',
        isBase64Encoded: false,
      }),
    );
  });

  it('of a minimal request have Content-Length 0, and in 1.0 null for missing members', () => {
    const request = receivedRequest({ headers: [['Host', DOMAIN]] });
    const two = wire(createHttpApiIntegration(context('$default', '/')).toEvent(request));
    expect(two).toMatchObject({ routeKey: '$default', headers: { 'content-length': '0' }, isBase64Encoded: false });
    expect(Object.keys(two)).not.toContain('body');
    expect(Object.keys(two)).not.toContain('pathParameters');
    const one = wire(
      createHttpApiIntegration(context('$default', '/', { payloadFormatVersion: '1.0' })).toEvent(request),
    );
    expect(one).toMatchObject({
      resource: '$default',
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      pathParameters: null,
      body: null,
      requestContext: { resourceId: '$default', resourcePath: '$default', identity: { userAgent: '' } },
    });
  });

  it.each([
    ['/a%20b', '/a b'],
    ['/a%2Fb', '/a/b'],
    ['/a%3Fb', '/a'],
    ['/a%23b', '/a#b'],
    ['/a%252Fb', '/a/b'],
    ['/a%253Fb', '/a?b'],
    ['/a%2525b', '/a%b'],
    ['/%CE%BB-%E4%B8%96', '/λ-世'],
    ['/a+b', '/a+b'],
    ['/a%25b', undefined],
    ['/a%zz', undefined],
  ])('decode the path %s twice, to %s', (path, decoded) => {
    expect(decodeHttpApiPath(path)).toBe(decoded);
  });

  it.each([
    ['2.0', 'dev', { ...AT_OWN_ADDRESS, prefix: '/dev' }, '/dev/a%20b', { rawPath: '/dev/a b' }],
    [
      '2.0',
      '$default',
      { prefix: '/v1', domainName: 'api.example', via: 'custom-domain' },
      '/v1/a%20b',
      { rawPath: '/a b' },
    ],
    [
      '2.0',
      'dev',
      { prefix: '/v1', domainName: 'api.example', via: 'custom-domain' },
      '/v1/a%20b',
      { rawPath: '/dev/a b' },
    ],
    ['1.0', 'dev', { ...AT_OWN_ADDRESS, prefix: '/dev' }, '/dev/a%20b', { path: '/dev/a%20b' }],
    [
      '1.0',
      '$default',
      { prefix: '/v1', domainName: 'api.example', via: 'custom-domain' },
      '/v1/a%20b',
      { path: '/v1/a%20b' },
    ],
  ] as const)('%s, stage %s, have the path at %j', (payloadFormatVersion, stage, address, target, expected) => {
    const at = context('GET /{name}', '/a b', {
      payloadFormatVersion,
      stage,
      address,
      stageVariables: { color: 'blue' },
    });
    const event = wire(createHttpApiIntegration(at).toEvent(receivedRequest({ target })));
    expect(event).toMatchObject({
      ...expected,
      pathParameters: { name: 'a b' },
      stageVariables: { color: 'blue' },
      requestContext: { stage, domainName: address.domainName, domainPrefix: address.domainName.split('.')[0] },
    });
  });

  it.each(['1.0', '2.0'] as const)('%s have binary bodies as Base64', (payloadFormatVersion) => {
    const request = receivedRequest({
      method: 'GET',
      headers: [['Content-Type', 'application/octet-stream']],
      body: Buffer.from([1, 2, 3, 4, 5]),
    });
    const event = wire(createHttpApiIntegration(context('$default', '/', { payloadFormatVersion })).toEvent(request));
    expect([event.body, event.isBase64Encoded]).toEqual(['AQIDBAU=', true]);
  });
});

describe('responses of a function behind an HTTP API', () => {
  const respond = (
    payload: unknown,
    more: Partial<HttpApiContext> = {},
    sent: Parameters<typeof receivedRequest>[0] = {},
  ) => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const response = createHttpApiIntegration(context('$default', '/', more)).toResponse(
      Buffer.from(text),
      receivedRequest(sent),
    );
    return { status: response.status, headers: headerLines(response.headers), body: response.body.toString() };
  };
  const ID = `Apigw-Requestid: ${API_REQUEST_ID}`;

  it.each([
    ['{"name": "John Doe", "age": 30}', '{"name": "John Doe", "age": 30}'],
    ['{"name": "John Doe", "age":', '{"name": "John Doe", "age":'],
    ['[1, 2, 3]', '[1, 2, 3]'],
    ['Hello, World!', 'Hello, World!'],
    ['42', '42'],
    ['true', 'true'],
    ['"test"', 'test'],
    ['""', ''],
    ['"Special \\"quoted\\" text"', 'Special "quoted" text'],
  ])('of 2.0 can be any body, such as %s', (payload, body) => {
    expect(respond(payload)).toEqual({ status: 200, headers: ['Content-Type: application/json', ID], body });
  });

  it('of 2.0 default to plain text once they have a status', () => {
    expect(
      respond({ statusCode: 201, body: 'made', cookies: ['a=1', 'b=2'], headers: { 'x-my-header': 'x,y' } }),
    ).toEqual({
      status: 201,
      headers: [
        'X-My-Header: x,y',
        'Set-Cookie: a=1',
        'Set-Cookie: b=2',
        'Content-Type: text/plain; charset=utf-8',
        ID,
      ],
      body: 'made',
    });
  });

  it('of 1.0 have single values before multiple ones', () => {
    const payload = {
      statusCode: 200,
      headers: { 'Content-Type': 'application/json', 'combined-header': 'single' },
      multiValueHeaders: { 'combined-header': ['multi1', 'multi2'], 'set-cookie': ['a=1', 'b=2'] },
      body: '{}',
    };
    expect(respond(payload, { payloadFormatVersion: '1.0' }).headers).toEqual([
      'Content-Type: application/json',
      'Combined-Header: single',
      'Combined-Header: multi1',
      'Combined-Header: multi2',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      ID,
    ]);
  });

  it('of 2.0 have the entries of cookies before a Set-Cookie of headers', () => {
    const payload = { statusCode: 200, headers: { 'set-cookie': 'c=3', 'x-mine': '1' }, cookies: ['a=1', 'b=2'] };
    expect(respond(payload).headers.slice(0, 4)).toEqual([
      'X-Mine: 1',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'Set-Cookie: c=3',
    ]);
  });

  it('decode Base64', () => {
    const body = Buffer.from('{"a":1}').toString('base64');
    expect(respond({ statusCode: 200, body, isBase64Encoded: true }).body).toBe('{"a":1}');
  });

  it.each([
    ['2.0', { statusCode: 0 }],
    ['2.0', { statusCode: 200.5, body: 'x' }],
    ['1.0', { statusCode: 0 }],
    ['1.0', 'Not a valid proxy response object'],
    ['1.0', '"text"'],
    ['1.0', {}],
    ['1.0', { statusCode: 200, multiValueHeaders: { a: 'b' } }],
  ] as const)('of %s in an invalid form, %j, are refused', (payloadFormatVersion, payload) => {
    expect(() => respond(payload, { payloadFormatVersion })).toThrow(MalformedResponse);
  });

  it.each([
    [{ kind: 'failed' }, 500, 'Internal Server Error'],
    [{ kind: 'unavailable' }, 500, 'Internal Server Error'],
    [THROTTLED, 503, 'Service Unavailable'],
    [{ kind: 'too-slow' }, 503, 'Service Unavailable'],
    [{ kind: 'event-too-large' }, 413, 'Request Entity Too Large'],
  ] as const)('are replaced for the fault %j', (fault, status, message) => {
    const response = createHttpApiIntegration(context('$default', '/')).toFault(fault, receivedRequest());
    expect({ ...response, headers: headerLines(response.headers), body: response.body.toString() }).toEqual({
      status,
      headers: ['Content-Type: application/json', ID],
      body: `{"message":"${message}"}`,
    });
  });

  it('of the API itself have the same form', () => {
    expect(renderHttpApiRefusal(404, 'Not Found', API_REQUEST_ID).body.toString()).toBe('{"message":"Not Found"}');
  });
});

describe('CORS of an HTTP API', () => {
  const cors = {
    allowCredentials: false,
    allowHeaders: ['content-type'],
    allowMethods: ['GET'],
    allowOrigins: ['https://*'],
    exposeHeaders: [],
    maxAgeSeconds: 300,
  };
  const request = receivedRequest({
    method: 'OPTIONS',
    headers: [
      ['Origin', 'https://app.example'],
      ['Access-Control-Request-Method', 'GET'],
    ],
  });

  it('responds to a preflight, also without a route for OPTIONS', () => {
    const response = renderHttpApiPreflight(cors, request, API_REQUEST_ID);
    expect([response?.status, headerLines(response?.headers ?? [])]).toEqual([
      204,
      [
        `Apigw-Requestid: ${API_REQUEST_ID}`,
        'Access-Control-Allow-Origin: https://app.example',
        'Vary: Origin',
        'Access-Control-Allow-Headers: content-type',
        'Access-Control-Allow-Methods: GET',
        'Access-Control-Max-Age: 300',
      ],
    ]);
    expect(renderHttpApiPreflight(undefined, request, API_REQUEST_ID)).toBeUndefined();
  });

  it("replaces the function's CORS headers, and applies to the API's own errors", () => {
    const integration = createHttpApiIntegration(context('$default', '/', { cors }));
    const origin = receivedRequest({ headers: [['Origin', 'https://app.example']] });
    const payload = { statusCode: 200, headers: { 'access-control-allow-origin': '*' } };
    const own = [
      `Apigw-Requestid: ${API_REQUEST_ID}`,
      'Access-Control-Allow-Origin: https://app.example',
      'Vary: Origin',
    ];
    expect(headerLines(integration.toResponse(Buffer.from(JSON.stringify(payload)), origin).headers)).toEqual([
      'Content-Type: text/plain; charset=utf-8',
      ...own,
    ]);
    expect(headerLines(integration.toFault({ kind: 'failed' }, origin).headers)).toEqual([
      'Content-Type: application/json',
      ...own,
    ]);
  });
});
