import { CloudWatchLogs } from '@aws-sdk/client-cloudwatch-logs';
import { IAM } from '@aws-sdk/client-iam';
import { Lambda } from '@aws-sdk/client-lambda';
import { STS } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApis } from '../../test/support/running-apis.ts';
import { startApis } from '../../test/support/running-apis.ts';
import { type AdjustableClock, createAdjustableClock, systemClock } from '../clock.ts';
import { BodyFailure, readBody } from '../http/body.ts';

const RIGHT = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' };
const WRONG = { ...RIGHT, secretAccessKey: 'guessed' };
const UNKNOWN = { ...RIGHT, accessKeyId: 'AKIAOTHER' };
type Keys = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

describe('with signatures enforced', () => {
  let apis: RunningApis;
  const clients: { destroy(): void }[] = [];
  const bodies: string[] = [];
  let clock: AdjustableClock;

  beforeEach(async () => {
    bodies.length = 0;
    clock = createAdjustableClock(systemClock);
    apis = await startApis({
      clock,
      enforcedKeys: { [RIGHT.accessKeyId]: RIGHT.secretAccessKey },
      async lambda({ request, response }) {
        try {
          bodies.push((await readBody(request, 1_000_000)).toString());
          response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
        } catch (failure) {
          if (!(failure instanceof BodyFailure)) throw failure;
          response.writeHead(413, { 'Content-Type': 'application/json' }).end('{}');
        }
      },
    });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await apis.close();
  });

  const client = <Client extends { destroy(): void }>(
    Type: new (settings: { endpoint: string; region: string; credentials: Keys; systemClockOffset?: number }) => Client,
    credentials: Keys,
    systemClockOffset = 0,
  ): Client => {
    const made = new Type({ endpoint: apis.url, region: 'us-east-1', credentials, systemClockOffset });
    clients.push(made);
    return made;
  };
  const refusal = async (response: Promise<unknown>) => {
    const failure = await response.then(
      () => undefined,
      (reason: Error & { $metadata: { httpStatusCode: number } }) => reason,
    );
    return failure && [failure.name, failure.$metadata.httpStatusCode];
  };

  it('a request with a known key reaches every service with its whole body', async () => {
    await client(Lambda, RIGHT).invoke({
      FunctionName: 'arn:aws:lambda:us-east-1:123456789012:function:a',
      Payload: '{"ü":1}',
    });
    expect(bodies).toEqual(['{"ü":1}']);
    expect((await client(IAM, RIGHT).listRoles({})).Roles).toEqual([]);
    expect((await client(STS, RIGHT).getCallerIdentity({})).Account).toBe('123456789012');
    expect((await client(CloudWatchLogs, RIGHT).describeLogGroups({})).logGroups).toEqual([]);
  });

  it('temporary keys of an assumed role are accepted', async () => {
    const command = { RoleArn: 'arn:aws:iam::123456789012:role/r', RoleSessionName: 'session' };
    const { Credentials } = await client(STS, RIGHT).assumeRole(command);
    const session = {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    };
    expect((await client(STS, session).getCallerIdentity({})).Arn).toContain('assumed-role/r/session');
    expect((await refusal(client(STS, { ...session, secretAccessKey: 'no' }).getCallerIdentity({})))?.[1]).toBe(403);
  });

  it('temporary keys need their own session token, before it expires, with the error of each service', async () => {
    const command = { RoleArn: 'arn:aws:iam::123456789012:role/r', RoleSessionName: 'session', DurationSeconds: 900 };
    const [first, second] = await Promise.all([1, 2].map(() => client(STS, RIGHT).assumeRole(command)));
    const keys = {
      accessKeyId: first?.Credentials?.AccessKeyId ?? '',
      secretAccessKey: first?.Credentials?.SecretAccessKey ?? '',
    };
    const own = { ...keys, sessionToken: first?.Credentials?.SessionToken ?? '' };
    const foreign = { ...keys, sessionToken: second?.Credentials?.SessionToken ?? '' };
    const inLambda = (given: Keys, offset = 0) => refusal(client(Lambda, given, offset).listFunctions({}));
    const inSts = (given: Keys, offset = 0) => refusal(client(STS, given, offset).getCallerIdentity({}));
    const inLogs = (given: Keys, offset = 0) => refusal(client(CloudWatchLogs, given, offset).describeLogGroups({}));
    expect(await inLambda(own)).toBeUndefined();
    for (const wrong of [keys, foreign, { ...keys, sessionToken: 'made up' }, { ...RIGHT, sessionToken: 'any' }]) {
      expect(await inLambda(wrong)).toEqual(['UnrecognizedClientException', 403]);
      expect(await inSts(wrong)).toEqual(['InvalidClientTokenId', 403]);
      expect(await inLogs(wrong)).toEqual(['UnrecognizedClientException', 400]);
    }
    clock.advance(900_000);
    expect(await inLambda(own, 900_000)).toEqual(['ExpiredTokenException', 403]);
    expect(await inSts(own, 900_000)).toEqual(['ExpiredToken', 403]);
    expect(await inLogs(own, 900_000)).toEqual(['ExpiredTokenException', 400]);
  });

  it('wrong and unknown keys are refused with the error of each service', async () => {
    const lambda = (keys: Keys) => refusal(client(Lambda, keys).invoke({ FunctionName: 'a' }));
    const iam = (keys: Keys) => refusal(client(IAM, keys).listRoles({}));
    const logs = (keys: Keys) => refusal(client(CloudWatchLogs, keys).describeLogGroups({}));
    expect(await lambda(WRONG)).toEqual(['InvalidSignatureException', 403]);
    expect(await lambda(UNKNOWN)).toEqual(['UnrecognizedClientException', 403]);
    expect(await iam(WRONG)).toEqual(['SignatureDoesNotMatch', 403]);
    expect(await iam(UNKNOWN)).toEqual(['InvalidClientTokenId', 403]);
    expect(await logs(WRONG)).toEqual(['InvalidSignatureException', 400]);
    expect(await logs(UNKNOWN)).toEqual(['UnrecognizedClientException', 400]);
    expect(bodies).toEqual([]);
  });

  it('a request without a signature is refused', async () => {
    const response = await fetch(`${apis.url}/2015-03-31/functions/`);
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([
      403,
      'MissingAuthenticationTokenException',
    ]);
    expect(await response.json()).toEqual({ message: 'Missing Authentication Token' });
    const form = await fetch(apis.url, {
      method: 'POST',
      body: new URLSearchParams({ Action: 'ListRoles', Version: '2010-05-08' }),
    });
    expect([form.status, await form.text()]).toEqual([
      403,
      expect.stringContaining('<Code>MissingAuthenticationToken</Code>'),
    ]);
  });

  it('a body that is too large is refused by its service, not by the authentication', async () => {
    const invoke = (length: number) =>
      refusal(client(Lambda, RIGHT).invoke({ FunctionName: 'a', Payload: 'x'.repeat(length) }));
    expect((await invoke(2_000_000))?.[1]).toBe(413);
    expect((await invoke(80_000_000))?.[1]).toBe(413);
    expect(await invoke(1_000_000)).toBeUndefined();
  });
});
