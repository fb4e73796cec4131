/** AWS_IAM as the authorizer of REST and HTTP APIs, with requests that AWS's own signer signs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningService, startService } from '../support/running-service.ts';
import { type Signing, signedHeaders } from '../support/signed-request.ts';

let service: RunningService;
beforeAll(async () => {
  service = await startService({ logLevel: 'silent' });
  await service.createFunction(
    'echo',
    {
      'index.mjs':
        'export const handler = async (event) => ({ statusCode: 200, body: JSON.stringify(event.requestContext) });',
    },
    { Runtime: 'nodejs20.x', Handler: 'index.handler', MemorySize: 512 },
  );
  const iam = { route: 'POST /a/{proxy+}', function: 'echo', authorizer: 'AWS_IAM' };
  service.lamella.http.put('rest', { kind: 'rest-api', routes: [iam] });
  service.lamella.http.put('http', {
    kind: 'http-api',
    defaultAuthorizer: 'AWS_IAM',
    routes: ['POST /a/{proxy+} -> echo', { route: 'POST /one', function: 'echo', payloadFormatVersion: '1.0' }],
  });
}, 60_000);
afterAll(() => service.close());

const urlOf = (path: string) => new URL(`${service.lamella.http.url}/_lamella/gateway/${path}`);

async function call(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(urlOf(path), { method: 'POST', headers, body: '{}' });
  const text = await response.text();
  return { status: response.status, body: JSON.parse(text), error: response.headers.get('x-amzn-errortype') };
}

async function signed(path: string, more: Partial<Signing> = {}) {
  return call(path, await signedHeaders(urlOf(path), { service: 'execute-api', ...more }));
}

describe('a REST API with AWS_IAM', () => {
  it('has the caller of a signed request in the identity', async () => {
    const { status, body } = await signed('rest/a/b%20c?x=1&y=');
    expect([status, body.identity]).toMatchObject([
      200,
      {
        accountId: '123456789012',
        accessKey: 'lamella',
        caller: '123456789012',
        user: '123456789012',
        userArn: 'arn:aws:iam::123456789012:root',
      },
    ]);
    expect(body.authorizer).toBeUndefined();
  });

  it('refuses other requests in the words of AWS', async () => {
    expect(await call('rest/a/b')).toEqual({
      status: 403,
      body: { message: 'Missing Authentication Token' },
      error: 'MissingAuthenticationTokenException',
    });
    expect(await call('rest/a/b', { authorization: 'Bearer token' })).toEqual({
      status: 403,
      body: {
        message: expect.stringMatching(
          /^Invalid key=value pair \(missing equal-sign\) in Authorization header \(hashed with SHA-256 and encoded with Base64\): '[A-Za-z0-9+/]{43}='\.$/,
        ),
      },
      error: 'IncompleteSignatureException',
    });
    expect(await signed('rest/a/b', { secretAccessKey: 'wrong' })).toMatchObject({
      status: 403,
      body: { message: expect.stringMatching(/^The request signature we calculated does not match/) },
      error: 'InvalidSignatureException',
    });
    expect(await signed('rest/a/b', { accessKeyId: 'AKIDSTRANGER' })).toMatchObject({
      status: 403,
      body: { message: 'The security token included in the request is invalid.' },
      error: 'UnrecognizedClientException',
    });
    expect(await signed('rest/a/b', { region: 'eu-west-1', service: 'lambda' })).toMatchObject({
      status: 403,
      body: {
        message:
          "Credential should be scoped to a valid region. Credential should be scoped to correct service: 'execute-api'. ",
      },
    });
  });
});

describe('an HTTP API with AWS_IAM', () => {
  it('has the caller of a signed request in the event of each format', async () => {
    expect((await signed('http/a/b')).body.authorizer).toEqual({
      iam: {
        accessKey: 'lamella',
        accountId: '123456789012',
        callerId: '123456789012',
        cognitoIdentity: null,
        principalOrgId: null,
        userArn: 'arn:aws:iam::123456789012:root',
        userId: '123456789012',
      },
    });
    expect((await signed('http/one')).body.identity).toMatchObject({ accessKey: 'lamella', user: '123456789012' });
  });

  it('refuses other requests', async () => {
    const forbidden = { status: 403, body: { message: 'Forbidden' }, error: null };
    expect(await call('http/a/b')).toEqual(forbidden);
    expect(await signed('http/a/b', { secretAccessKey: 'wrong' })).toEqual(forbidden);
    const headers = await signedHeaders(urlOf('http/a/b'), { service: 'execute-api', body: 'another body' });
    expect(await call('http/a/b', headers)).toEqual(forbidden);
  });
});
