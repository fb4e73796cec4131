/**
 * Events and responses of REST APIs. Members: AWS's documentation of proxy integrations. Encoding, slashes, header names,
 * multiple values and malformed responses: recordings on AWS by LocalStack's test suite (2024-07, 2026-03),
 * aws-lambda-dotnet (2025-04) and hotsock/voker (2026-07). The text of 413: reported by clients of public APIs; `Request Too
 * Long`: AWS on re:Post. 500 for throttling: re:Post (2025). The requests are our own.
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
import type { ApiAddress } from '../api-address.ts';
import { MalformedResponse } from '../exchange/proxy-integration.ts';
import {
  createRestApiIntegration,
  type RestApiContext,
  renderRestApiPreflight,
  renderRestApiRefusal,
  renderRestApiTooLarge,
} from './rest-api.ts';

const API_ID = 'z9y8x7w6v5';
const DOMAIN = `${API_ID}.execute-api.us-west-2.localhost`;
const EXTENDED_ID = 'JKJaXmPLvHcESHA=';
const AT_OWN_ADDRESS: ApiAddress = { prefix: '/live', domainName: DOMAIN, via: 'own-address' };

function context(more: Partial<RestApiContext> = {}): RestApiContext {
  return {
    accountId: '123456789012',
    apiId: API_ID,
    stage: 'live',
    stageVariables: undefined,
    binaryMediaTypes: [],
    address: AT_OWN_ADDRESS,
    resourcePath: '/{proxy+}',
    parameters: [['proxy', 'x']],
    extendedRequestId: EXTENDED_ID,
    gatewayResponses: {},
    ...more,
  };
}

const eventOf = (sent: Parameters<typeof receivedRequest>[0], more: Partial<RestApiContext> = {}) =>
  wire(createRestApiIntegration(context(more)).toEvent(receivedRequest(sent)));

describe('events of a REST API', () => {
  it('have every member, byte for byte', () => {
    const request = receivedRequest({
      method: 'POST',
      target: '/live/users/J%C3%BCrgen%20K/orders/7?tag=a&tag=b&plus=1+1&enc=a%2Bb&empty=',
      headers: [
        ['host', DOMAIN],
        ['user-agent', 'agent/1'],
        ['accept', '*/*'],
        ['content-type', 'application/json'],
        ['content-length', '16'],
        ['tEsT-HEADeR', 'aValUE'],
        ['x-twice', 'first'],
        ['X-Twice', 'second'],
      ],
      body: '{"name":"λ"}',
    });
    const integration = createRestApiIntegration(
      context({
        resourcePath: '/users/{userName}/orders/{id}',
        parameters: [
          ['userName', 'J%C3%BCrgen%20K'],
          ['id', '7'],
        ],
      }),
    );
    const headers = {
      Host: DOMAIN,
      'User-Agent': 'agent/1',
      'X-Amzn-Trace-Id': TRACE_ID,
      'X-Forwarded-For': '192.0.2.1',
      'X-Forwarded-Port': '3000',
      'X-Forwarded-Proto': 'http',
      accept: '*/*',
      'content-type': 'application/json',
      'tEsT-HEADeR': 'aValUE',
      'x-twice': 'second',
    };
    // AWS generates these two IDs. Ours have the same form.
    const ids = /"(resourceId|deploymentId)":"[a-z0-9]{6}"/g;
    expect(JSON.stringify(integration.toEvent(request)).replace(ids, '"$1":"ID"')).toBe(
      JSON.stringify({
        resource: '/users/{userName}/orders/{id}',
        path: '/users/J%C3%BCrgen%20K/orders/7',
        httpMethod: 'POST',
        headers,
        multiValueHeaders: {
          ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
          'x-twice': ['first', 'second'],
        },
        queryStringParameters: { tag: 'b', plus: '1 1', enc: 'a+b', empty: '' },
        multiValueQueryStringParameters: { tag: ['a', 'b'], plus: ['1 1'], enc: ['a+b'], empty: [''] },
        pathParameters: { userName: 'J%C3%BCrgen%20K', id: '7' },
        stageVariables: null,
        requestContext: {
          resourceId: 'ID',
          resourcePath: '/users/{userName}/orders/{id}',
          httpMethod: 'POST',
          extendedRequestId: EXTENDED_ID,
          requestTime: '12/Mar/2020:19:03:58 +0000',
          path: '/live/users/J%C3%BCrgen%20K/orders/7',
          accountId: '123456789012',
          protocol: 'HTTP/1.1',
          stage: 'live',
          domainPrefix: API_ID,
          requestTimeEpoch: RECEIVED_MS,
          requestId: REQUEST_ID,
          identity: {
            cognitoIdentityPoolId: null,
            accountId: null,
            cognitoIdentityId: null,
            caller: null,
            sourceIp: '192.0.2.1',
            principalOrgId: null,
            accessKey: null,
            cognitoAuthenticationType: null,
            cognitoAuthenticationProvider: null,
            userArn: null,
            userAgent: 'agent/1',
            user: null,
          },
          domainName: DOMAIN,
          deploymentId: 'ID',
          apiId: API_ID,
        },
        body: '{"name":"λ"}',
        isBase64Encoded: false,
      }),
    );
  });

  it('of a minimal request have null for missing members', () => {
    expect(eventOf({ target: '/live/x' }, { resourcePath: '/x', parameters: [] })).toMatchObject({
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      pathParameters: null,
      stageVariables: null,
      body: null,
      isBase64Encoded: false,
      requestContext: { identity: { userAgent: null } },
    });
  });

  it.each([
    ['/live/x/', '/x/', '/live/x/'],
    ['/live//x', '/x', '/live//x'],
    ['/live/x//y', '/x//y', '/live/x//y'],
    ['/live/a%2Bb@c/d+e', '/a%2Bb@c/d+e', '/live/a%2Bb@c/d+e'],
    ['/live/a%2Fb', '/a%2Fb', '/live/a%2Fb'],
  ])(
    'at its own address have the path %s without the stage, %s, and unchanged in the context',
    (target, path, whole) => {
      expect(eventOf({ target })).toMatchObject({ path, requestContext: { path: whole } });
    },
  );

  it('at a custom domain keep the base path', () => {
    const address: ApiAddress = { prefix: '/v1', domainName: 'api.example.com', via: 'custom-domain' };
    expect(eventOf({ target: '/v1/x' }, { address, stageVariables: { color: 'blue' } })).toMatchObject({
      path: '/v1/x',
      stageVariables: { color: 'blue' },
      requestContext: { path: '/v1/x', stage: 'live', domainName: 'api.example.com', domainPrefix: 'api' },
    });
  });

  it.each([
    [[], 'image/png', '\ufffdPNG', false],
    [['image/png'], 'image/png', 'iVBORw==', true],
    [['image/*'], 'image/png', 'iVBORw==', true],
    [['*/*'], 'text/plain', 'iVBORw==', true],
    [['*/*'], undefined, 'iVBORw==', true],
    [['image/png'], 'application/json', '\ufffdPNG', false],
  ])('with the binary media types %j have a body of type %s', (binaryMediaTypes, type, body, isBase64Encoded) => {
    const sent = {
      method: 'POST',
      target: '/live/x',
      headers: type ? ([['content-type', type]] as const) : [],
      body: Buffer.from([0x89, 0x50, 0x4e, 0x47]),
    };
    expect(eventOf(sent, { binaryMediaTypes })).toMatchObject({ body, isBase64Encoded });
  });
});

describe('responses of a function behind a REST API', () => {
  const respond = (
    payload: unknown,
    more: Partial<RestApiContext> = {},
    sent: Parameters<typeof receivedRequest>[0] = {},
  ) => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const response = createRestApiIntegration(context(more)).toResponse(Buffer.from(text), receivedRequest(sent));
    return { status: response.status, headers: headerLines(response.headers), body: response.body.toString('latin1') };
  };
  const OWN = [
    `x-amzn-RequestId: ${REQUEST_ID}`,
    `x-amz-apigw-id: ${EXTENDED_ID}`,
    `X-Amzn-Trace-Id: ${TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=0`,
  ];

  it.each([
    [{ statusCode: 200 }, 200, ''],
    [{ statusCode: '201', body: 'made' }, 201, 'made'],
    [{ headers: { 'x-a': 'b' } }, 200, ''],
    [{ statusCode: 200, headers: null, body: null }, 200, ''],
    [{ statusCode: 200, body: 'dGVzdC1kYXRh', isBase64Encoded: true }, 200, 'dGVzdC1kYXRh'],
    [{ statusCode: 200, body: 'dGVzdC1kYXRh' }, 200, 'dGVzdC1kYXRh'],
  ])('can be %j', (payload, status, body) => {
    expect(respond(payload)).toMatchObject({ status, body });
  });

  it('have multiple values before a single one, with the first spelling of the name', () => {
    const payload = {
      statusCode: 200,
      headers: { 'test-multi': 'solo', 'header-bool': true },
      multiValueHeaders: { 'tesT-Multi': ['one', 'two'] },
    };
    expect(respond(payload).headers).toEqual([
      'tesT-Multi: one',
      'tesT-Multi: two',
      'tesT-Multi: solo',
      'header-bool: true',
      'Content-Type: application/json',
      ...OWN,
    ]);
  });

  it('have headers that belong to the API renamed', () => {
    const headers = {
      Server: 'mine',
      Date: 'now',
      'WWW-Authenticate': 'Basic',
      'Content-Length': '99',
      connection: 'close',
      'Transfer-Encoding': 'chunked',
      'X-Mine': '1',
    };
    expect(respond({ statusCode: 401, headers }).headers.slice(0, 6)).toEqual([
      'x-amzn-Remapped-Server: mine',
      'x-amzn-Remapped-Date: now',
      'x-amzn-Remapped-WWW-Authenticate: Basic',
      'x-amzn-Remapped-Content-Length: 99',
      'x-amzn-Remapped-connection: close',
      'X-Mine: 1',
    ]);
  });

  it.each([
    [['*/*'], undefined, '\xff\x00'],
    [['image/png'], 'image/png', '\xff\x00'],
    [['image/png'], 'image/png;q=0.9, text/html', '\xff\x00'],
    [['image/png'], 'text/html, image/png', '/wA='],
    [['image/png'], undefined, '/wA='],
    [[], 'image/png', '/wA='],
  ])('decode Base64 with the binary media types %j for a client that accepts %s', (binaryMediaTypes, accept, body) => {
    const payload = { statusCode: 200, body: '/wA=', isBase64Encoded: true };
    const sent = { headers: accept ? ([['Accept', accept]] as const) : [] };
    expect(respond(payload, { binaryMediaTypes }, sent).body).toBe(body);
  });

  it.each([
    [{}],
    ['"just a string"'],
    ['no JSON'],
    [''],
    ['[1]'],
    ['null'],
    [{ statusCode: 200, wrongValue: 'value' }],
    [{ statusCode: 'test' }],
    [{ statusCode: 0 }],
    [{ statusCode: 200, multiValueHeaders: { a: 'value' } }],
    [{ statusCode: 200, body: { an: 'object' } }],
  ])('in an invalid form, %j, are refused', (payload) => {
    expect(() => respond(payload)).toThrow(MalformedResponse);
  });

  it.each([
    [{ kind: 'failed' }, 502, '{"message": "Internal server error"}'],
    [THROTTLED, 500, '{"message": "Internal server error"}'],
    [{ kind: 'unavailable' }, 500, '{"message": "Internal server error"}'],
    [{ kind: 'too-slow' }, 504, '{"message": "Endpoint request timed out"}'],
  ] as const)('are replaced for the fault %j', (fault, status, body) => {
    const response = createRestApiIntegration(context()).toFault(fault, receivedRequest());
    expect({ ...response, headers: headerLines(response.headers), body: response.body.toString() }).toEqual({
      status,
      headers: [
        'Content-Type: application/json',
        `x-amzn-RequestId: ${REQUEST_ID}`,
        'x-amzn-ErrorType: InternalServerErrorException',
        `x-amz-apigw-id: ${EXTENDED_ID}`,
      ],
      body,
    });
  });

  it.each([
    [
      "an event over Lambda's limit",
      createRestApiIntegration(context()).toFault({ kind: 'event-too-large' }, receivedRequest()),
      '{"message":"Request Too Long"}',
    ],
    [
      "a body over the API's limit",
      renderRestApiTooLarge(receivedRequest(), EXTENDED_ID),
      'HTTP content length exceeded 10485760 bytes.',
    ],
  ])('are 413 for %s', (_, response, body) => {
    expect([response.status, response.body.toString()]).toEqual([413, body]);
  });

  it('of the API itself have the message as JSON', () => {
    const message = 'Missing Authentication Token';
    const refusal = renderRestApiRefusal(
      403,
      'MissingAuthenticationTokenException',
      message,
      receivedRequest(),
      EXTENDED_ID,
    );
    expect(refusal.body.toString()).toBe('{"message":"Missing Authentication Token"}');
    expect(headerLines(refusal.headers)).toContain('x-amzn-ErrorType: MissingAuthenticationTokenException');
  });
});

it('a REST API with CORS responds to OPTIONS with fixed headers', () => {
  const cors = {
    allowCredentials: false,
    allowHeaders: ['content-type'],
    allowMethods: ['GET', 'OPTIONS'],
    allowOrigins: ['*'],
    exposeHeaders: [],
    maxAgeSeconds: 60,
  };
  const response = renderRestApiPreflight(cors, receivedRequest({ method: 'OPTIONS' }), EXTENDED_ID);
  expect([response.status, headerLines(response.headers).slice(3)]).toEqual([
    200,
    [
      'Access-Control-Allow-Origin: *',
      'Access-Control-Allow-Headers: content-type',
      'Access-Control-Allow-Methods: GET,OPTIONS',
      'Access-Control-Max-Age: 60',
    ],
  ]);
});
