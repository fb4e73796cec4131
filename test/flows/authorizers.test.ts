/**
 * Lambda authorizers of REST and HTTP APIs, with real functions and requests. What AWS does is from its documentation and
 * from recordings: `{"Message": ...}` of refused requests (aws/chalice issue 971), `{"message":null}` of faults
 * (auth0-samples/jwt-rsa-aws-custom-authorizer pull request 6, serverless/examples issue 305).
 */
import { DeleteFunctionConcurrencyCommand, PutFunctionConcurrencyCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningService, startService } from '../support/running-service.ts';

/** What the authorizer does depends on the token. `count` tells how often it has run. */
const AUTHORIZER = `
let count = 0;
const policy = (Effect, Resource, more = {}) => ({
  principalId: 'me',
  policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect, Resource, ...more }] },
  context: { text: 'a', number: 1.5, flag: true, count: ++count },
});
export const handler = async (event) => {
  const arn = event.methodArn ?? event.routeArn;
  const token = (event.authorizationToken ?? event.headers?.authorization ?? event.headers?.Authorization ?? '').split(',')[0].replace('Bearer ', '');
  console.log('asked about ' + token);
  switch (token) {
    case 'allow': return policy('Allow', arn);
    case 'items': return policy('Allow', arn.split('/').slice(0, 2).join('/') + '/GET/items/*');
    case 'deny': return policy('Deny', '*');
    case 'local': return policy('Allow', '*', { Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } } });
    case 'foreign': return policy('Allow', '*', { Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } } });
    case 'event': return { ...policy('Allow', '*'), context: { event: JSON.stringify(event) }, usageIdentifierKey: 'key-1' };
    case 'unauthorized': throw new Error('Unauthorized');
    case 'crash': throw new Error('Unauthorized!');
    case 'nothing': return null;
    case 'response': return { statusCode: 401 };
    case 'nested': return { ...policy('Allow', '*'), context: { list: [1, { a: 2 }] } };
    case 'no-principal': return { ...policy('Allow', '*'), principalId: undefined };
    case 'no-effect': return policy('Maybe', '*');
    case 'operator': return policy('Deny', '*', { Condition: { Weekday: { 'aws:CurrentTime': 'Monday' } } });
    case 'large': return { ...policy('Allow', '*'), context: { text: 'x'.repeat(9000) } };
    case 'simple': return { isAuthorized: true, context: { list: [1], number: 2, count: ++count } };
    case 'simple-no': return { isAuthorized: false };
    case 'simple-text': return { isAuthorized: 'yes' };
    default: return policy('Allow', 'arn:aws:execute-api:us-east-1:123456789012:other/*');
  }
};`;
const ECHO =
  'export const handler = async (event) => ({ statusCode: 200, body: JSON.stringify(event.requestContext) });';

let service: RunningService;
beforeAll(async () => {
  service = await startService({ logLevel: 'silent' });
  const node = { Runtime: 'nodejs20.x', Handler: 'index.handler', MemorySize: 512 } as const;
  await service.createFunction('guard', { 'index.mjs': AUTHORIZER }, node);
  await service.createFunction('echo', { 'index.mjs': ECHO }, node);
  service.lamella.http.put('rest', {
    kind: 'rest-api',
    stageVariables: { tenant: 'red' },
    cors: { allowOrigins: ['https://app.example'], allowMethods: ['GET'] },
    authorizers: {
      tokens: { type: 'token', function: 'guard', identityValidationExpression: '^(Bearer )?[a-z-]+$' },
      uncached: { type: 'token', function: 'guard', authorizerResultTtlInSeconds: 0 },
      parts: {
        type: 'request',
        function: 'guard',
        identitySource:
          'method.request.header.X-Key, method.request.querystring.q, stageVariables.tenant, context.httpMethod',
      },
      absent: { type: 'token', function: 'missing' },
    },
    defaultAuthorizer: 'tokens',
    routes: [
      { route: 'ANY /items/{id}', function: 'echo' },
      { route: 'ANY /{proxy+}', function: 'echo' },
      { route: 'GET /uncached', function: 'echo', authorizer: 'uncached' },
      { route: 'GET /parts/{id}', function: 'echo', authorizer: 'parts' },
      { route: 'GET /absent', function: 'echo', authorizer: 'absent' },
      { route: 'GET /open', function: 'echo', authorizer: 'NONE' },
    ],
  });
  const header = ['$request.header.Authorization'];
  service.lamella.http.put('http', {
    kind: 'http-api',
    cors: { allowOrigins: ['https://app.example'], allowMethods: ['GET'] },
    authorizers: {
      simple: { type: 'request', function: 'guard', enableSimpleResponses: true, identitySource: header },
      policy: { type: 'request', function: 'guard', identitySource: header },
      cached: { type: 'request', function: 'guard', identitySource: header, authorizerResultTtlInSeconds: 60 },
      one: {
        type: 'request',
        function: 'guard',
        identitySource: '$request.header.Authorization,$context.routeKey',
        authorizerPayloadFormatVersion: '1.0',
      },
      anyone: { type: 'request', function: 'guard' },
    },
    defaultAuthorizer: 'policy',
    routes: [
      '$default -> echo',
      { route: 'GET /simple', function: 'echo', authorizer: 'simple' },
      { route: 'GET /cached', function: 'echo', authorizer: 'cached' },
      { route: 'GET /one/{id}', function: 'echo', authorizer: 'one' },
      { route: 'GET /one-one', function: 'echo', authorizer: 'one', payloadFormatVersion: '1.0' },
      { route: 'GET /anyone', function: 'echo', authorizer: 'anyone' },
      { route: 'GET /open', function: 'echo', authorizer: 'NONE' },
    ],
  });
}, 60_000);
afterAll(() => service.close());

type Answer = { readonly status: number; readonly text: string; readonly headers: Headers };
async function call(api: 'rest' | 'http', path: string, token?: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { ...(token !== undefined && { authorization: token }), ...init.headers };
  const response = await fetch(`${service.lamella.http.url}/_lamella/gateway/${api}${path}`, { ...init, headers });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** The status, the body and the error type. */
async function refusal(...args: Parameters<typeof call>) {
  const { status, text, headers } = await call(...args);
  return [status, text, headers.get('x-amzn-errortype')];
}

async function contextOf(...args: Parameters<typeof call>) {
  const { status, text } = await call(...args);
  expect([status, status === 200 ? '' : text]).toEqual([200, '']);
  return JSON.parse(text);
}

const UNAUTHORIZED = [401, '{"message":"Unauthorized"}', 'UnauthorizedException'];
const NOT_AUTHORIZED = [403, '{"Message":"User is not authorized to access this resource"}', 'AccessDeniedException'];
const FAULT = [500, '{"message":null}', 'AuthorizerConfigurationException'];

describe('a TOKEN authorizer of a REST API', () => {
  it('lets a request through with its principal and its context as text in the event', async () => {
    expect(await contextOf('rest', '/a', 'allow')).toMatchObject({
      authorizer: {
        principalId: 'me',
        text: 'a',
        number: '1.5',
        flag: 'true',
        count: expect.stringMatching(/^\d+$/),
        integrationLatency: expect.any(Number),
      },
    });
  });

  it('receives the token and the ARN of the method with the path of the request', async () => {
    const { authorizer, identity } = await contextOf('rest', '/items/7%20a?q=1', 'event', {
      method: 'POST',
      body: 'x',
    });
    expect(JSON.parse(authorizer.event)).toEqual({
      type: 'TOKEN',
      methodArn: 'arn:aws:execute-api:us-east-1:123456789012:rest/prod/POST/items/7%20a',
      authorizationToken: 'event',
    });
    expect(identity.apiKey).toBe('key-1');
  });

  it('is not asked about a request without the token, or with one that the expression does not match', async () => {
    expect(await refusal('rest', '/a')).toEqual(UNAUTHORIZED);
    expect(await refusal('rest', '/a', 'NO MATCH')).toEqual(UNAUTHORIZED);
    expect(await refusal('rest', '/a', '')).toEqual(UNAUTHORIZED);
  });

  it('is 401 if its function fails with the message Unauthorized', async () => {
    expect(await refusal('rest', '/a', 'unauthorized')).toEqual(UNAUTHORIZED);
  });

  it('refuses what its policy does not allow, and what it denies', async () => {
    expect(await refusal('rest', '/a', 'other')).toEqual(NOT_AUTHORIZED);
    expect(await refusal('rest', '/a', 'foreign')).toEqual(NOT_AUTHORIZED);
    expect((await call('rest', '/a', 'local')).status).toBe(200);
    const message = 'User is not authorized to access this resource with an explicit deny in an identity-based policy';
    expect(await refusal('rest', '/a', 'deny')).toEqual([
      403,
      JSON.stringify({ Message: message }),
      'AccessDeniedException',
    ]);
  });

  it.each(['crash', 'nothing', 'response', 'nested', 'no-principal', 'no-effect', 'operator', 'large'])(
    'that fails is 500, and the API goes on: %s',
    async (token) => {
      expect(await refusal('rest', '/a', token)).toEqual(FAULT);
      expect((await call('rest', '/open')).status).toBe(200);
    },
  );

  it('whose function does not exist or is throttled is 500', async () => {
    expect(await refusal('rest', '/absent', 'allow')).toEqual(FAULT);
    const FunctionName = 'guard';
    await service.client.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
    expect(await refusal('rest', '/uncached', 'allow')).toEqual(FAULT);
    await service.client.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    expect((await call('rest', '/uncached', 'allow')).status).toBe(200);
  });

  it('is asked once per token in 300 seconds, and its policy decides about each method', async () => {
    const first = await contextOf('rest', '/items/1', 'items');
    const second = await contextOf('rest', '/items/2', 'items');
    expect(second.authorizer).toEqual({ ...first.authorizer, integrationLatency: 0 });
    expect(await refusal('rest', '/others/2', 'items')).toEqual(NOT_AUTHORIZED);
    service.lamella.clock.advance(299_000);
    expect((await contextOf('rest', '/items/3', 'items')).authorizer.count).toBe(first.authorizer.count);
    service.lamella.clock.advance(1_000);
    const third = await contextOf('rest', '/items/4', 'items');
    expect(Number(third.authorizer.count)).toBe(Number(first.authorizer.count) + 1);
  });

  it('is asked about every request without a TTL', async () => {
    const first = await contextOf('rest', '/uncached', 'allow');
    const second = await contextOf('rest', '/uncached', 'allow');
    expect(Number(second.authorizer.count)).toBe(Number(first.authorizer.count) + 1);
  });

  it('is not asked about a route with NONE, nor about a CORS preflight', async () => {
    expect((await contextOf('rest', '/open')).authorizer).toBeUndefined();
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'GET' };
    expect((await call('rest', '/open', undefined, { method: 'OPTIONS', headers })).status).toBe(200);
  });

  it('is a function like any other: its output is in its log', async () => {
    const { log } = await service.invoke('guard', { authorizationToken: 'allow', methodArn: 'a/b' });
    expect(log).toContain('asked about allow');
  });
});

describe('a REQUEST authorizer of a REST API', () => {
  const headers = { 'x-key': 'k', authorization: 'event' };

  it('receives the request without its body', async () => {
    const { authorizer } = await contextOf('rest', '/parts/7?q=1&q=2', undefined, { headers });
    const event = JSON.parse(authorizer.event);
    expect(event).toMatchObject({
      type: 'REQUEST',
      methodArn: 'arn:aws:execute-api:us-east-1:123456789012:rest/prod/GET/parts/7',
      resource: '/parts/{id}',
      path: '/parts/7',
      httpMethod: 'GET',
      headers: { 'x-key': 'k' },
      multiValueHeaders: { 'x-key': ['k'] },
      queryStringParameters: { q: '2' },
      multiValueQueryStringParameters: { q: ['1', '2'] },
      pathParameters: { id: '7' },
      stageVariables: { tenant: 'red' },
      requestContext: { resourcePath: '/parts/{id}', stage: 'prod', identity: { sourceIp: '127.0.0.1' } },
    });
    expect(Object.keys(event)).not.toContain('body');
  });

  it('requires every identity source, and caches by all of them', async () => {
    expect(await refusal('rest', '/parts/1', undefined, { headers })).toEqual(UNAUTHORIZED);
    expect(await refusal('rest', '/parts/1?q=', undefined, { headers })).toEqual(UNAUTHORIZED);
    expect(await refusal('rest', '/parts/1?q=1')).toEqual(UNAUTHORIZED);
    const allowed = { headers: { ...headers, authorization: 'local' } };
    const first = await contextOf('rest', '/parts/1?q=a', undefined, allowed);
    expect((await contextOf('rest', '/parts/2?q=a', undefined, allowed)).authorizer.count).toBe(first.authorizer.count);
    expect((await contextOf('rest', '/parts/2?q=b', undefined, allowed)).authorizer.count).not.toBe(
      first.authorizer.count,
    );
  });
});

const HTTP_UNAUTHORIZED = [401, '{"message":"Unauthorized"}', null];
const HTTP_FORBIDDEN = [403, '{"message":"Forbidden"}', null];
const HTTP_FAULT = [500, '{"message":"Internal Server Error"}', null];

describe('a Lambda authorizer of an HTTP API', () => {
  it('with simple responses lets a request through with its context as it is', async () => {
    expect((await contextOf('http', '/simple', 'simple')).authorizer).toEqual({
      lambda: { list: [1], number: 2, count: expect.any(Number) },
    });
    expect(await refusal('http', '/simple', 'simple-no')).toEqual(HTTP_FORBIDDEN);
    expect(await refusal('http', '/simple', 'simple-text')).toEqual(HTTP_FAULT);
  });

  it('with policies lets through what they allow', async () => {
    expect((await contextOf('http', '/a', 'nested')).authorizer).toEqual({ lambda: { list: [1, { a: 2 }] } });
    expect((await contextOf('http', '/items/1', 'items')).authorizer.lambda.number).toBe(1.5);
    expect(await refusal('http', '/others', 'items')).toEqual(HTTP_FORBIDDEN);
    expect(await refusal('http', '/a', 'deny')).toEqual(HTTP_FORBIDDEN);
    expect(await refusal('http', '/a', 'simple')).toEqual(HTTP_FAULT);
  });

  it('is not asked about a request without its identity', async () => {
    expect(await refusal('http', '/a')).toEqual(HTTP_UNAUTHORIZED);
    expect(await refusal('http', '/a', 'unauthorized')).toEqual(HTTP_UNAUTHORIZED);
    expect(await refusal('http', '/a', 'crash')).toEqual(HTTP_FAULT);
    expect((await contextOf('http', '/open')).authorizer).toBeUndefined();
  });

  it('without identity sources is asked about every request', async () => {
    expect(await refusal('http', '/anyone')).toEqual(HTTP_FORBIDDEN);
    const { authorizer } = await contextOf('http', '/anyone', 'event');
    expect(JSON.parse(authorizer.lambda.event).identitySource).toBeNull();
  });

  it('receives an event of format 2.0', async () => {
    const { authorizer } = await contextOf('http', '/a/b?x=1&x=2', 'event', { headers: { cookie: 'c=1' } });
    expect(JSON.parse(authorizer.lambda.event)).toEqual({
      version: '2.0',
      type: 'REQUEST',
      routeArn: 'arn:aws:execute-api:us-east-1:123456789012:http/$default/GET/a/b',
      identitySource: ['event'],
      routeKey: '$default',
      rawPath: '/a/b',
      rawQueryString: 'x=1&x=2',
      cookies: ['c=1'],
      headers: expect.objectContaining({ authorization: 'event' }),
      queryStringParameters: { x: '1,2' },
      requestContext: expect.objectContaining({ apiId: 'http', routeKey: '$default', stage: '$default' }),
    });
  });

  it('or of format 1.0, whose context has only text, numbers and booleans', async () => {
    const { authorizer } = await contextOf('http', '/one/7', 'event');
    expect(JSON.parse(authorizer.lambda.event)).toMatchObject({
      version: '1.0',
      type: 'REQUEST',
      methodArn: 'arn:aws:execute-api:us-east-1:123456789012:http/$default/GET/one/7',
      identitySource: 'event,GET /one/{id}',
      authorizationToken: 'event,GET /one/{id}',
      resource: '/one/{id}',
      path: '/one/7',
      httpMethod: 'GET',
      queryStringParameters: {},
      pathParameters: { id: '7' },
      stageVariables: {},
      requestContext: { resourcePath: '/one/{id}' },
    });
  });

  it('is in the event of format 1.0 with its principal', async () => {
    const { authorizer } = await contextOf('http', '/one-one', 'event');
    expect(authorizer).toEqual({
      principalId: 'me',
      integrationLatency: expect.any(Number),
      event: expect.stringContaining('"REQUEST"'),
    });
  });

  it('caches results only with a TTL', async () => {
    const count = async (path: string) => (await contextOf('http', path, 'local')).authorizer.lambda.count;
    expect(await count('/a')).not.toBe(await count('/a'));
    const first = await count('/cached');
    expect(await count('/cached')).toBe(first);
    service.lamella.clock.advance(60_000);
    expect(await count('/cached')).not.toBe(first);
  });

  it('is not asked about a CORS preflight, and its refusals have CORS headers', async () => {
    const origin = 'https://app.example';
    const preflight = await call('http', '/a', undefined, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET' },
    });
    expect(preflight.status).toBe(204);
    const refused = await call('http', '/a', undefined, { headers: { origin } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, origin]);
    expect(refused.headers.get('apigw-requestid')).toMatch(/^[\w-]{15}=$/);
  });
});

it('a gateway that is replaced forgets the results of its authorizers', async () => {
  const put = () =>
    service.lamella.http.put('replaced', {
      kind: 'rest-api',
      hosts: ['replaced.localhost'],
      authorizers: { tokens: { type: 'token', function: 'guard' } },
      routes: [{ route: 'GET /{proxy+}', function: 'echo', authorizer: 'tokens' }],
    });
  const authorizerOf = async (): Promise<{ readonly count: string }> => {
    const url = `${service.lamella.http.url}/_lamella/gateway/replaced/a`;
    const response = await fetch(url, { headers: { authorization: 'local' } });
    return JSON.parse(await response.text()).authorizer;
  };
  put();
  const first = await authorizerOf();
  expect(await authorizerOf()).toEqual({ ...first, integrationLatency: 0 });
  put();
  expect(Number((await authorizerOf()).count)).toBe(Number(first.count) + 1);
});
