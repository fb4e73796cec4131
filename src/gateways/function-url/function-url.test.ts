/**
 * Events and responses of function URLs. Members and their order: AWS's documentation of payload 2.0. What is encoded,
 * which headers stay and what is Base64: recordings on AWS by hotsock/voker (2026-07) and LocalStack's test suite
 * (2022-2025). Renamed headers: cargo-lambda issue 862 (2025-06), ashphy's notes on zenn.dev (2024). The requests are
 * our own.
 */
import { describe, expect, it } from 'vitest';
import {
  headerLines,
  RECEIVED_MS,
  REQUEST_ID,
  receivedRequest,
  THROTTLED,
  TRACE_ID,
  wire,
} from '../../../test/support/gateway-request.ts';
import type { FunctionUrl } from '../../functions/settings/url-settings.ts';
import { MalformedResponse } from '../exchange/proxy-integration.ts';
import { createFunctionUrlIntegration, renderUrlPreflight } from './function-url.ts';

const URL_ID = 'abcdefghijklmnopqrstuvwxyz234567';
const DOMAIN = `${URL_ID}.lambda-url.us-west-2.localhost`;

function functionUrl(more: Partial<FunctionUrl> = {}): FunctionUrl {
  return {
    functionName: 'web',
    qualifier: '',
    functionArn: 'arn:aws:lambda:us-west-2:123456789012:function:web',
    id: URL_ID,
    authType: 'NONE',
    cors: undefined,
    invokeMode: 'BUFFERED',
    createdMs: 0,
    lastModifiedMs: 0,
    ...more,
  };
}

const integration = (more: Partial<FunctionUrl> = {}) =>
  createFunctionUrlIntegration({ url: functionUrl(more), domainName: DOMAIN, caller: undefined });
const eventOf = (sent: Parameters<typeof receivedRequest>[0]) => wire(integration().toEvent(receivedRequest(sent)));
const respond = (
  payload: string,
  sent: Parameters<typeof receivedRequest>[0] = {},
  more: Partial<FunctionUrl> = {},
) => {
  const { status, headers, body } = integration(more).toResponse(Buffer.from(payload), receivedRequest(sent));
  return { status, headers: headerLines(headers).slice(2), body: body.toString('latin1') };
};

describe('events of a function URL', () => {
  it('have every member of payload 2.0, byte for byte', () => {
    const request = receivedRequest({
      method: 'POST',
      target: '/shop/caf%C3%A9%20bar?tag=a&tag=b&next=https%3A%2F%2Fexample.com%2F&plus=1+1&empty=&bare',
      headers: [
        ['Host', `${DOMAIN}:3000`],
        ['User-Agent', 'curl/8.7.1'],
        ['Content-Type', 'application/json; charset=utf-8'],
        ['Content-Length', '17'],
        ['Cookie', 'session=abc; theme=dark'],
        ['X-Twice', 'first'],
        ['X-TWICE', 'second'],
        ['Connection', 'keep-alive, X-Hop'],
        ['X-Hop', 'dropped'],
      ],
      body: '{"name":"Grüße"}',
    });
    expect(JSON.stringify(integration().toEvent(request))).toBe(
      JSON.stringify({
        version: '2.0',
        routeKey: '$default',
        rawPath: '/shop/caf%C3%A9%20bar',
        rawQueryString: 'tag=a&tag=b&next=https%3A%2F%2Fexample.com%2F&plus=1+1&empty=&bare',
        cookies: ['session=abc', 'theme=dark'],
        headers: {
          'content-length': '17',
          'content-type': 'application/json; charset=utf-8',
          cookie: 'session=abc; theme=dark',
          host: `${DOMAIN}:3000`,
          'user-agent': 'curl/8.7.1',
          'x-amzn-trace-id': TRACE_ID,
          'x-forwarded-for': '192.0.2.1',
          'x-forwarded-port': '3000',
          'x-forwarded-proto': 'http',
          'x-twice': 'first,second',
        },
        queryStringParameters: { bare: '', empty: '', next: 'https://example.com/', plus: '1 1', tag: 'a,b' },
        requestContext: {
          accountId: 'anonymous',
          apiId: URL_ID,
          domainName: DOMAIN,
          domainPrefix: URL_ID,
          http: {
            method: 'POST',
            path: '/shop/café bar',
            protocol: 'HTTP/1.1',
            sourceIp: '192.0.2.1',
            userAgent: 'curl/8.7.1',
          },
          requestId: REQUEST_ID,
          routeKey: '$default',
          stage: '$default',
          time: '12/Mar/2020:19:03:58 +0000',
          timeEpoch: RECEIVED_MS,
        },
        body: '{"name":"Grüße"}',
        isBase64Encoded: false,
      }),
    );
  });

  it('of a minimal request have no cookies, query and body', () => {
    expect(eventOf({ headers: [['Host', DOMAIN]] })).toEqual({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/',
      rawQueryString: '',
      headers: {
        host: DOMAIN,
        'x-amzn-trace-id': TRACE_ID,
        'x-forwarded-for': '192.0.2.1',
        'x-forwarded-port': '3000',
        'x-forwarded-proto': 'http',
      },
      requestContext: expect.objectContaining({ accountId: 'anonymous' }),
      isBase64Encoded: false,
    });
  });

  it.each([
    ['/a%2Fb', '/a%2Fb', '/a/b'],
    ['/a//b/', '/a//b/', '/a//b/'],
    ['/100%25', '/100%25', '/100%'],
    ['/pa2%Fth/1', '/pa2%Fth/1', '/pa2%Fth/1'],
    ['/%ff', '/%ff', '/\ufffd'],
    ['/gr\u00c3\u00bc\u00c3\u009fe', '/gr%C3%BC%C3%9Fe', '/grüße'],
    ['/a+b;c=d', '/a+b;c=d', '/a+b;c=d'],
    ['/a%3Fb%23c', '/a%3Fb%23c', '/a?b#c'],
    ['http://other.example/x?y', '/x', '/x'],
    ['*', '/*', '/*'],
  ])('have the path %s encoded as rawPath %s, decoded as %s', (target, rawPath, path) => {
    const event = eventOf({ target });
    expect(event.rawPath).toBe(rawPath);
    expect((event.requestContext as { http: { path: string } }).http.path).toBe(path);
  });

  it.each([
    ['a=1&a=2&a=', { a: '1,2,' }],
    ['a&b=&=c', { '': 'c', a: '', b: '' }],
    ['a=x%2Cy&a=z', { a: 'x,y,z' }],
    ['%C3%BC=%C3%A4+%2B', { ü: 'ä +' }],
    ['a=b=c&=d&&e', { '': 'd', a: 'b=c', e: '' }],
    ['a=%zz&b=%', { a: '%zz', b: '%' }],
    ['a[]=1&a[]=2', { 'a[]': '1,2' }],
  ])('parse the query %s', (query, expected) => {
    const event = eventOf({ target: `/?${query}` });
    expect(event.rawQueryString).toBe(query);
    expect(event.queryStringParameters).toEqual(expected);
  });

  it('have a very long URL in full', () => {
    const long = 'x'.repeat(500_000);
    const event = eventOf({ target: `/${long}?q=${long}` });
    expect([(event.rawPath as string).length, (event.rawQueryString as string).length]).toEqual([500_001, 500_002]);
  });

  it.each([
    ['text/plain', 'text', false],
    ['TEXT/HTML; charset=utf-8', '<p>', false],
    ['application/json', '{}', false],
    ['application/xml', '<a/>', false],
    ['application/javascript', '1', false],
    ['application/problem+json', '{}', false],
    ['image/svg+xml', '<svg/>', false],
    ['application/x-www-form-urlencoded', 'a=1', true],
    ['multipart/form-data; boundary=x', '--x--', true],
    ['application/octet-stream', 'x', true],
    ['image/png', 'x', true],
    [undefined, 'x', true],
  ])('have a body of type %s as text or as Base64', (type, body, isBase64Encoded) => {
    const event = eventOf({ method: 'POST', headers: type ? [['content-type', type]] : [], body });
    expect(event.isBase64Encoded).toBe(isBase64Encoded);
    expect(event.body).toBe(isBase64Encoded ? Buffer.from(body).toString('base64') : body);
  });

  it('keep every byte of a body with a text type that is not text', () => {
    const bytes = Buffer.from([0x61, 0xff, 0x00, 0x62]);
    const event = eventOf({ method: 'PUT', headers: [['content-type', 'text/plain']], body: bytes });
    expect([event.body, event.isBase64Encoded]).toEqual([bytes.toString('base64'), true]);
  });

  it.each(['HEAD', 'OPTIONS', 'DELETE', 'PATCH'])('name the method %s', (method) => {
    expect((eventOf({ method }).requestContext as { http: { method: string } }).http.method).toBe(method);
  });

  it('append to X-Forwarded-For and keep the trace of the client', () => {
    const event = eventOf({
      headers: [
        ['X-Forwarded-For', '10.0.0.1'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Amzn-Trace-Id', 'Root=1-67891233-abcdef012345678912345678'],
      ],
    });
    expect(event.headers).toEqual({
      'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678',
      'x-forwarded-for': '10.0.0.1, 192.0.2.1',
      'x-forwarded-port': '3000',
      'x-forwarded-proto': 'http',
    });
  });

  it('read header values as UTF-8', () => {
    const headers = wire(integration().toEvent({ ...receivedRequest(), headers: [['x-name', 'Zoë']] })).headers;
    expect((headers as Record<string, string>)['x-name']).toBe('Zoë');
  });

  it('name the caller of a URL with AWS_IAM', () => {
    const caller = {
      accessKey: 'AKIAEXAMPLE',
      accountId: '111122223333',
      callerId: 'AIDAEXAMPLE',
      userArn: 'arn:aws:iam::111122223333:user/example-user',
      userId: 'AIDAEXAMPLE',
    };
    const signed = createFunctionUrlIntegration({
      url: functionUrl({ authType: 'AWS_IAM' }),
      domainName: DOMAIN,
      caller,
    });
    expect(wire(signed.toEvent(receivedRequest())).requestContext).toMatchObject({
      accountId: '111122223333',
      authorizer: { iam: { ...caller, cognitoIdentity: null, principalOrgId: null } },
    });
  });
});

describe('responses of a function with a URL', () => {
  it.each([
    ['{"hello": "world"}', '{"hello":"world"}'],
    ['["hello", 3, true]', '["hello",3,true]'],
    ['{"a": " b \\" c "}', '{"a":" b \\" c "}'],
    ['12345678901234567890', '12345678901234567890'],
    ['3.10', '3.10'],
    ['null', 'null'],
    ['"hello"', 'hello'],
    ['"say \\"hi\\""', 'say "hi"'],
    ['""', ''],
    ['Hello, World!', 'Hello, World!'],
    ['{"cut": ', '{"cut": '],
  ])('without statusCode, %s, are a body with status 200', (payload, body) => {
    expect(respond(payload)).toEqual({ status: 200, headers: ['Content-Type: application/json'], body });
  });

  it('with statusCode have status, headers, cookies and body', () => {
    const response = {
      statusCode: 201,
      headers: { 'Content-Type': 'text/html', 'X-Count': 3, 'X-Flag': true, 'X-None': null },
      cookies: ['a=1; Secure', 'b=2'],
      body: '<p>héllo</p>',
    };
    expect(respond(JSON.stringify(response))).toEqual({
      status: 201,
      headers: ['Content-Type: text/html', 'X-Count: 3', 'X-Flag: true', 'Set-Cookie: a=1; Secure', 'Set-Cookie: b=2'],
      body: Buffer.from('<p>héllo</p>').toString('latin1'),
    });
  });

  it.each([
    ['a status in digits', { statusCode: '418', body: 'tea' }, 418, 'tea'],
    ['no body', { statusCode: 204 }, 204, ''],
    ['a body that is null', { statusCode: 200, body: null }, 200, ''],
    ['Base64', { statusCode: 200, body: '/wD+', isBase64Encoded: true }, 200, '\xff\x00\xfe'],
    ['Base64 without isBase64Encoded', { statusCode: 200, body: '/wD+' }, 200, '/wD+'],
    ['an object as body', { statusCode: 200, body: { an: 'object' } }, 200, '{"an":"object"}'],
    ['an empty Base64 body', { statusCode: 200, body: '', isBase64Encoded: true }, 200, ''],
  ])('with %s', (_, response, status, body) => {
    expect(respond(JSON.stringify(response))).toMatchObject({ status, body });
  });

  it.each([
    { statusCode: 200.5 },
    { statusCode: 0 },
    { statusCode: 99 },
    { statusCode: 600 },
    { statusCode: 'ok' },
    { statusCode: null },
    { statusCode: 200, headers: 'x' },
    { statusCode: 200, headers: { 'x-list': ['a'] } },
    { statusCode: 200, headers: { 'not a name': 'a' } },
    { statusCode: 200, headers: { 'x-split': 'a\r\nset-cookie: b' } },
    { statusCode: 200, cookies: 'a=1' },
    { statusCode: 200, cookies: [1] },
    { statusCode: 200, body: { an: 'object' }, isBase64Encoded: true },
    { statusCode: 200, body: '***', isBase64Encoded: true },
  ])('of an invalid form, %j, are refused', (response) => {
    expect(() => respond(JSON.stringify(response))).toThrow(MalformedResponse);
  });

  it('cannot set the headers of the connection, some of which are renamed', () => {
    const headers = {
      connection: 'close',
      'Transfer-Encoding': 'chunked',
      'content-length': '9',
      'WWW-Authenticate': 'Basic',
      'X-Mine': '1',
    };
    expect(respond(JSON.stringify({ statusCode: 200, headers })).headers).toEqual([
      'x-amzn-Remapped-connection: close',
      'x-amzn-Remapped-content-length: 9',
      'x-amzn-Remapped-WWW-Authenticate: Basic',
      'X-Mine: 1',
      'Content-Type: application/json',
    ]);
  });

  it('have the IDs of the invocation', () => {
    const { headers } = integration().toResponse(Buffer.from('1'), receivedRequest());
    expect(headerLines(headers).slice(0, 2)).toEqual([
      `x-amzn-RequestId: ${REQUEST_ID}`,
      `X-Amzn-Trace-Id: ${TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=0`,
    ]);
  });

  it.each([
    [{ kind: 'failed' }, 502, 'Internal Server Error'],
    [THROTTLED, 429, '{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}'],
    [
      { kind: 'event-too-large' },
      413,
      '{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}',
    ],
    [
      { kind: 'unavailable' },
      403,
      '{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}',
    ],
  ] as const)('are replaced for the fault %j', (fault, status, body) => {
    const response = integration().toFault(fault, receivedRequest());
    expect([response.status, response.body.toString()]).toEqual([status, body]);
  });
});

describe('CORS of a function URL', () => {
  const cors = {
    AllowOrigins: ['https://app.example', 'http://localhost:5173'],
    AllowMethods: ['GET', 'POST'],
    AllowHeaders: ['content-type', 'x-custom'],
    ExposeHeaders: ['x-result'],
    MaxAge: 600,
    AllowCredentials: true,
  };
  const preflight = (origin: string) => ({
    method: 'OPTIONS',
    headers: [
      ['Origin', origin],
      ['Access-Control-Request-Method', 'POST'],
    ] as const,
  });

  it('responds to a preflight without the function', () => {
    const response = renderUrlPreflight(functionUrl({ cors }), receivedRequest(preflight('https://app.example')));
    expect(response?.status).toBe(200);
    expect(headerLines(response?.headers ?? []).slice(2)).toEqual([
      'Access-Control-Allow-Origin: https://app.example',
      'Vary: Origin',
      'Access-Control-Allow-Credentials: true',
      'Access-Control-Allow-Headers: content-type,x-custom',
      'Access-Control-Allow-Methods: GET,POST',
      'Access-Control-Max-Age: 600',
    ]);
  });

  it('allows nothing to a foreign origin', () => {
    const response = renderUrlPreflight(functionUrl({ cors }), receivedRequest(preflight('https://evil.example')));
    expect(headerLines(response?.headers ?? []).slice(2)).toEqual([]);
  });

  it('leaves OPTIONS to the function without CORS, and when it is not a preflight', () => {
    expect(renderUrlPreflight(functionUrl(), receivedRequest(preflight('https://app.example')))).toBeUndefined();
    expect(renderUrlPreflight(functionUrl({ cors }), receivedRequest({ method: 'OPTIONS' }))).toBeUndefined();
  });

  it('adds its headers only to responses to cross-origin requests', () => {
    const origin = { headers: [['Origin', 'http://localhost:5173'] as const] };
    expect(respond('1', origin, { cors }).headers).toEqual([
      'Content-Type: application/json',
      'Access-Control-Allow-Origin: http://localhost:5173',
      'Vary: Origin',
      'Access-Control-Allow-Credentials: true',
      'Access-Control-Expose-Headers: x-result',
    ]);
    expect(respond('1', {}, { cors }).headers).toEqual(['Content-Type: application/json']);
  });

  it('allows every origin with *', () => {
    const origin = { headers: [['Origin', 'https://any.example'] as const] };
    expect(respond('1', origin, { cors: { AllowOrigins: ['*'] } }).headers).toContain('Access-Control-Allow-Origin: *');
  });
});
