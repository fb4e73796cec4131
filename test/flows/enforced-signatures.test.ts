/** `--enforce-auth`: clients with a configured key are served, all others are rejected, functions may call the service. */
import { GetFunctionCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;

beforeAll(async () => {
  // The test's client signs with test:test.
  service = await startService({ enforceAuth: true, accessKeys: 'test:test,AKIDOTHER:its+secret/with:signs' });
});
afterAll(() => service.close());

function clientWith(accessKeyId: string, secretAccessKey: string, sessionToken?: string): LambdaClient {
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  return new LambdaClient({ endpoint: service.url, region: 'us-east-1', credentials, maxAttempts: 1 });
}

describe('a service that verifies signatures', () => {
  it('serves requests that are signed with a configured key', async () => {
    for (const [id, secret] of [
      ['test', 'test'],
      ['AKIDOTHER', 'its+secret/with:signs'],
    ] as const) {
      await expect(clientWith(id, secret).send(new ListFunctionsCommand({}))).resolves.toMatchObject({ Functions: [] });
    }
  });

  it("rejects a wrong secret and an unknown key with AWS's messages", async () => {
    await expect(clientWith('test', 'wrong').send(new ListFunctionsCommand({}))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
      $metadata: { httpStatusCode: 403 },
    });
    await expect(clientWith('AKIDSTRANGER', 'x').send(new ListFunctionsCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
      $metadata: { httpStatusCode: 403 },
    });
    const sts = new STSClient({
      endpoint: service.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'no' },
      maxAttempts: 1,
    });
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
  });

  it('rejects an unsigned request, also an invocation', async () => {
    const response = await fetch(`${service.url}/2015-03-31/functions/any/invocations`, { method: 'POST', body: '{}' });
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([
      403,
      'MissingAuthenticationTokenException',
    ]);
  });

  it('accepts the credentials of its functions', async () => {
    await service.createFunction('tells-its-keys', {
      bootstrap: shellRuntime('respond "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN"'),
    });
    const [id = '', secret = '', token = ''] = (await service.invoke('tells-its-keys')).payload.split(' ');
    const found = await clientWith(id, secret, token).send(new GetFunctionCommand({ FunctionName: 'tells-its-keys' }));
    expect(found.Configuration?.FunctionName).toBe('tells-its-keys');
    const own = { accessKeyId: id, secretAccessKey: secret, sessionToken: token };
    const sts = new STSClient({ endpoint: service.url, region: 'us-east-1', credentials: own });
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: '123456789012',
      Arn: 'arn:aws:sts::123456789012:assumed-role/LambdaPhpExample/tells-its-keys',
      UserId: expect.stringMatching(/^AROA[A-Z2-7]{17}:tells-its-keys$/),
    });
    await expect(clientWith(id, secret).send(new ListFunctionsCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });

    const response = await fetch(found.Code?.Location ?? '');
    expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, found.Configuration?.CodeSize]);
    expect((await fetch((found.Code?.Location ?? '').replace(/.$/, ''))).status).toBe(403);
  });
});
