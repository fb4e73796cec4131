/**
 * Every kind of gateway in a complete service, with real clients: curl, Node's fetch, the AWS SDK. The bytes of events are
 * tested beside each kind. Tested here: addresses, the way to the function and back, and the admin API.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';
import {
  CreateAliasCommand,
  CreateFunctionUrlConfigCommand,
  DeleteFunctionUrlConfigCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionUrlConfigCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { signedHeaders } from '../support/signed-request.ts';

const run = promisify(execFile);

let service: RunningService;

beforeAll(async () => {
  service = await startService({
    routes: [
      'GET /users/{id} -> echo',
      'ANY /proxy/{proxy+} -> echo',
      'http-1.0 POST /old -> wrap',
      'rest ANY /rest/{proxy+} -> wrap',
      'alb /balanced/* -> wrap',
    ],
  });
  await service.createFunction('echo', { bootstrap: shellRuntime('respond "$EVENT"') });
  // A complete response, with the event as its body.
  const wrap = `BODY=$(printf '%s' "$EVENT" | base64 -w0)
    respond '{"statusCode":200,"headers":{"content-type":"application/json"},"body":"'"$BODY"'"}'`;
  await service.createFunction('wrap', { bootstrap: shellRuntime(wrap) });
  await service.createFunction('fails', { bootstrap: shellRuntime(`fail '{"errorMessage":"no"}'`) });
}, 60_000);
afterAll(() => service.close());

async function createUrl(
  name: string,
  more: Partial<ConstructorParameters<typeof CreateFunctionUrlConfigCommand>[0]> = {},
) {
  const created = await service.client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName: name, AuthType: 'NONE', ...more }),
  );
  const url = created.FunctionUrl ?? '';
  const id = new URL(url).hostname.split('.')[0] ?? '';
  return { url, id, byPath: `${service.lamella.http.url}/_lamella/url/${id}` };
}

async function removeUrl(name: string, Qualifier?: string) {
  await service.client.send(new DeleteFunctionUrlConfigCommand({ FunctionName: name, Qualifier }));
}

const curl = async (...args: string[]) => (await run('curl', ['-sS', '--path-as-is', '-i', ...args])).stdout;
const unwrap = (body: string) => JSON.parse(Buffer.from(body, 'base64').toString());

describe('a function URL', () => {
  it('responds at the URL of CreateFunctionUrlConfig, and at a path for clients that cannot resolve its host', async () => {
    const { url, id, byPath } = await createUrl('echo');
    try {
      expect(url).toBe(`http://${id}.lambda-url.us-east-1.localhost:${new URL(service.lamella.http.url).port}/`);
      const output = await curl(`${url}a%2Fb//c?x=1&x=2&y`, '-H', 'Cookie: a=1; b=2');
      expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(output).toMatch(/\r\nx-amzn-RequestId: [0-9a-f-]{36}\r\n/i);
      const event = JSON.parse(output.split('\r\n\r\n')[1] ?? '');
      expect(event).toMatchObject({
        rawPath: '/a%2Fb//c',
        rawQueryString: 'x=1&x=2&y',
        cookies: ['a=1', 'b=2'],
        requestContext: { apiId: id, domainName: `${id}.lambda-url.us-east-1.localhost`, http: { method: 'GET' } },
      });
      const other = await (await fetch(`${byPath}/x?y=z`, { method: 'POST', body: 'ü' })).json();
      expect(other).toMatchObject({
        rawPath: '/x',
        body: 'ü',
        isBase64Encoded: false,
        requestContext: { domainName: `${id}.lambda-url.us-east-1.localhost` },
      });
    } finally {
      await removeUrl('echo');
    }
    expect((await fetch(`${byPath}/`)).status).toBe(403);
  });

  it('of an alias runs the version of the alias', async () => {
    await service.client.send(new PublishVersionCommand({ FunctionName: 'echo' }));
    await service.client.send(new CreateAliasCommand({ FunctionName: 'echo', Name: 'live', FunctionVersion: '1' }));
    const { byPath } = await createUrl('echo', { Qualifier: 'live' });
    expect((await fetch(byPath)).status).toBe(200);
    await removeUrl('echo', 'live');
  });

  it('returns 502 for failures, 429 for throttles, 413 for a body over 6 MB', async () => {
    const failing = await createUrl('fails');
    const failed = await fetch(failing.byPath);
    expect([failed.status, await failed.text()]).toEqual([502, 'Internal Server Error']);
    await removeUrl('fails');

    const { byPath } = await createUrl('echo');
    const large = await fetch(byPath, { method: 'POST', body: Buffer.alloc(6_291_457) });
    expect([large.status, large.headers.get('x-amzn-errortype'), await large.json()]).toEqual([
      413,
      'RequestEntityTooLargeException',
      { Message: 'Request must be smaller than 6291456 bytes for the InvokeFunction operation' },
    ]);
    await service.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'fails', ReservedConcurrentExecutions: 0 }),
    );
    const throttled = await createUrl('fails');
    expect((await fetch(throttled.byPath)).status).toBe(429);
    await removeUrl('fails');
    await removeUrl('echo');
  });

  it('passes only signed requests to a function with AWS_IAM, with the caller in the event', async () => {
    const { byPath } = await createUrl('echo', { AuthType: 'AWS_IAM' });
    const url = new URL(`${byPath}/a%20b?x=1`);
    const unsigned = await fetch(url, { method: 'POST', body: '{}' });
    expect([unsigned.status, ((await unsigned.json()) as { Message: string }).Message]).toEqual([
      403,
      expect.stringMatching(/^Forbidden\. For troubleshooting Function URL authorization issues/),
    ]);
    const sign = async (secretAccessKey: string, service = 'lambda') => {
      const headers = await signedHeaders(url, { service, secretAccessKey });
      return fetch(url, { method: 'POST', headers, body: '{}' });
    };
    expect(await (await sign('lamella')).json()).toMatchObject({
      requestContext: {
        accountId: '123456789012',
        authorizer: {
          iam: { accessKey: 'lamella', accountId: '123456789012', userArn: expect.stringMatching(/^arn:aws:/) },
        },
      },
    });
    // curl signs too.
    const byCurl = ['--aws-sigv4', 'aws:amz:us-east-1:lambda', '--user', 'lamella:lamella', '-d', 'x=1'];
    expect(await curl(...byCurl, `${byPath}/from/curl`)).toMatch(/^HTTP\/1\.1 200 .*"rawPath":"\/from\/curl"/s);
    expect((await sign('wrong')).status).toBe(403);
    expect((await sign('lamella', 'execute-api')).status).toBe(403);
    await removeUrl('echo');
  });

  it('responds to preflights itself, and applies a new configuration at once', async () => {
    const { byPath } = await createUrl('echo', {
      Cors: { AllowOrigins: ['https://app.example'], AllowMethods: ['GET'] },
    });
    const ask = (origin: string) =>
      fetch(byPath, { method: 'OPTIONS', headers: { Origin: origin, 'Access-Control-Request-Method': 'GET' } });
    const allowed = await ask('https://app.example');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin'), await allowed.text()]).toEqual([
      200,
      'https://app.example',
      '',
    ]);
    expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
    await service.client.send(
      new UpdateFunctionUrlConfigCommand({ FunctionName: 'echo', Cors: { AllowOrigins: ['https://evil.example'] } }),
    );
    expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBe('https://evil.example');
    await removeUrl('echo');
  });

  it('responds to HEAD without a body', async () => {
    const { byPath } = await createUrl('echo');
    const head = await fetch(byPath, { method: 'HEAD' });
    expect([head.status, Number(head.headers.get('content-length')) > 100, await head.text()]).toEqual([200, true, '']);
    await removeUrl('echo');
  });
});

describe('an HTTP API', () => {
  it('sends payload 2.0 with path parameters', async () => {
    const event = await (await fetch(`${service.lamella.http.url}/users/J%C3%BCrgen?a=1`)).json();
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'GET /users/{id}',
      rawPath: '/users/Jürgen',
      pathParameters: { id: 'Jürgen' },
    });
    const deep = await (await fetch(`${service.lamella.http.url}/proxy/a/b`, { method: 'PUT' })).json();
    expect(deep).toMatchObject({ routeKey: 'ANY /proxy/{proxy+}', pathParameters: { proxy: 'a/b' } });
  });

  it('sends payload 1.0 on routes that ask for it', async () => {
    const response = await fetch(`${service.lamella.http.url}/old?a=1&a=2`, { method: 'POST', body: 'hi' });
    expect(response.headers.get('apigw-requestid')).toMatch(/^[\w-]{15}=$/);
    expect(unwrap(await response.text())).toMatchObject({
      version: '1.0',
      resource: '/old',
      httpMethod: 'POST',
      multiValueQueryStringParameters: { a: ['1', '2'] },
      body: 'hi',
    });
  });
});

describe('a REST API', () => {
  it('sends the event of a proxy integration', async () => {
    const response = await fetch(`${service.lamella.http.url}/rest/a%2Fb/?x=1`);
    expect(response.headers.get('x-amz-apigw-id')).toMatch(/^[\w-]{15}=$/);
    expect(unwrap(await response.text())).toMatchObject({
      resource: '/rest/{proxy+}',
      path: '/rest/a%2Fb/',
      pathParameters: { proxy: 'a%2Fb' },
      requestContext: { stage: 'prod', resourcePath: '/rest/{proxy+}' },
    });
  });

  it('has the stage before its paths at its own address', async () => {
    const { port } = new URL(service.lamella.http.url);
    const host = `rest.execute-api.us-east-1.localhost:${port}`;
    const output = await curl(`http://${host}/prod/rest/x`);
    expect(unwrap(output.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      path: '/rest/x',
      requestContext: { path: '/prod/rest/x', domainPrefix: 'rest' },
    });
    expect(await curl(`http://${host}/other/rest/x`)).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe('a load balancer', () => {
  it('sends the event of a load balancer', async () => {
    const response = await fetch(`${service.lamella.http.url}/balanced/a%20b?x=a%2Bb`);
    expect(response.headers.get('server')).toBe('awselb/2.0');
    expect(unwrap(await response.text())).toMatchObject({
      requestContext: { elb: { targetGroupArn: expect.stringMatching(/^arn:aws:elasticloadbalancing:us-east-1:/) } },
      path: '/balanced/a%20b',
      queryStringParameters: { x: 'a%2Bb' },
    });
  });
});

describe('gateways', () => {
  const admin = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${service.url}/_lamella${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };

  it('are created, read and removed through the admin API', async () => {
    const gateway = {
      kind: 'http-api',
      hosts: ['api.example.com'],
      stage: 'dev',
      cors: { allowOrigins: ['https://app.example'], allowMethods: ['GET'] },
      routes: ['$default -> echo'],
    };
    expect((await admin('PUT', '/gateways/shop', gateway)).status).toBe(200);
    expect((await admin('GET', '/gateways/shop')).body).toMatchObject({ hosts: ['api.example.com'], basePath: '/' });
    expect(Object.keys((await admin('GET', '/gateways')).body.gateways)).toEqual(['alb', 'http', 'rest', 'shop']);

    const { port } = new URL(service.lamella.http.url);
    const output = await curl(
      `http://127.0.0.1:${port}/x`,
      '-H',
      'Host: api.example.com',
      '-H',
      'Origin: https://app.example',
    );
    expect(output).toContain('Access-Control-Allow-Origin: https://app.example');
    expect(JSON.parse(output.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      rawPath: '/dev/x',
      requestContext: { apiId: 'shop', domainName: 'api.example.com' },
    });
    expect((await admin('DELETE', '/gateways/shop')).status).toBe(204);
    expect((await admin('GET', '/gateways/shop')).status).toBe(404);
    expect((await admin('PUT', '/gateways/shop', { kind: 'http-api', routes: [] })).body.message).toMatch(
      /routes must be/,
    );
    expect(await curl(`http://127.0.0.1:${port}/x`, '-H', 'Host: api.example.com')).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('report the health of their targets', async () => {
    service.lamella.http.put('checked', {
      kind: 'load-balancer',
      hosts: ['checked.example.com'],
      healthCheck: { path: '/health' },
      routes: ['/* -> wrap', '/bad -> fails'],
    });
    await expect
      .poll(async () => (await admin('GET', '/gateways/checked/health')).body.targets, { timeout: 10_000 })
      .toMatchObject([
        { function: 'wrap', state: 'healthy' },
        { function: 'fails', state: 'unhealthy' },
      ]);
    service.lamella.http.remove('checked');
  });

  it('refuse an unknown host', async () => {
    const { port } = new URL(service.lamella.http.url);
    const output = await curl(`http://127.0.0.1:${port}/users/1`, '-H', 'Host: rebound.example');
    expect(output).toMatch(/^HTTP\/1\.1 403 /);
    expect(output).toContain('--allow-host');
  });

  it('accept requests from any origin, and leave CORS to each gateway', async () => {
    const response = await fetch(`${service.lamella.http.url}/users/1`, {
      headers: { Origin: 'https://other.example' },
    });
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, null]);
  });

  it('continue when a client disconnects in the middle of its request', async () => {
    const { hostname, port } = new URL(service.lamella.http.url);
    const socket = createConnection({ host: hostname, port: Number(port) });
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf');
    socket.destroy();
    expect((await fetch(`${service.lamella.http.url}/users/1`)).status).toBe(200);
  });

  it('pass bytes of every value to the function and back', async () => {
    const bytes = randomBytes(20_000);
    const response = await fetch(`${service.lamella.http.url}/proxy/bytes`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
    });
    const event = (await response.json()) as { body: string; isBase64Encoded: boolean };
    expect([event.isBase64Encoded, Buffer.from(event.body, 'base64').equals(bytes)]).toEqual([true, true]);
  });
});
