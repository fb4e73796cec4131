import {
  AssumeRoleCommand,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { RunningApis } from '../../../test/support/running-apis.ts';
import { startApis, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const ROLE = 'arn:aws:iam::123456789012:role/service-role/LambdaPhpExample';
const XML = 'text/xml';

describe('STS', () => {
  let apis: RunningApis;
  let clock: FakeClock;
  const clients: STSClient[] = [];

  beforeEach(async () => {
    clock = new FakeClock();
    apis = await startApis({ clock });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await apis.close();
  });

  const sts = (credentials: object = TEST_CREDENTIALS, region = 'eu-central-1'): STSClient => {
    const client = new STSClient({ endpoint: apis.url, region, credentials: credentials as typeof TEST_CREDENTIALS });
    clients.push(client);
    return client;
  };

  it("every access key has the identity of the account's root", async () => {
    expect(await sts().send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: '123456789012',
      UserId: '123456789012',
      Arn: 'arn:aws:iam::123456789012:root',
    });
  });

  it('the keys of an assumed role have the identity of its session until they expire', async () => {
    const command = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'me@work', DurationSeconds: 900 });
    const { Credentials, AssumedRoleUser } = await sts().send(command);
    expect(Credentials?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(Credentials?.SecretAccessKey).toHaveLength(40);
    expect(Credentials?.Expiration?.getTime()).toBe(clock.epochMs() + 900_000);
    expect(AssumedRoleUser?.Arn).toBe('arn:aws:sts::123456789012:assumed-role/LambdaPhpExample/me@work');
    expect(AssumedRoleUser?.AssumedRoleId).toMatch(/^AROA[A-Z2-7]{17}:me@work$/);
    const session = {
      accessKeyId: Credentials?.AccessKeyId,
      secretAccessKey: Credentials?.SecretAccessKey,
      sessionToken: Credentials?.SessionToken,
    };
    const whoAmI = async () => (await sts(session).send(new GetCallerIdentityCommand({}))).Arn;
    expect(await whoAmI()).toBe(AssumedRoleUser?.Arn);
    expect(apis.sts.keyOf(Credentials?.AccessKeyId ?? '')).toMatchObject({
      secret: Credentials?.SecretAccessKey,
      sessionToken: Credentials?.SessionToken,
    });
    clock.advance(900_000);
    expect(await whoAmI()).toBe('arn:aws:iam::123456789012:root');
    expect(apis.sts.keyOf(Credentials?.AccessKeyId ?? '')?.expiresMs).toBeLessThanOrEqual(clock.epochMs());
  });

  it('returns session tokens and key information', async () => {
    const { Credentials } = await sts().send(new GetSessionTokenCommand({}));
    const { Account } = await sts().send(new GetAccessKeyInfoCommand({ AccessKeyId: Credentials?.AccessKeyId }));
    expect(Account).toBe('123456789012');
  });

  it('rejects an ARN that is not a role ARN, and an invalid session name', async () => {
    const assume = (RoleArn: string, RoleSessionName: string) =>
      sts().send(new AssumeRoleCommand({ RoleArn, RoleSessionName }));
    await expect(assume('arn:aws:iam::123456789012:user/bob', 'ok')).rejects.toThrow(
      'arn:aws:iam::123456789012:user/bob is invalid',
    );
    await expect(assume(ROLE, 'not ok')).rejects.toThrow(
      "1 validation error detected: Value 'not ok' at 'roleSessionName' failed to satisfy constraint: " +
        'Member must satisfy regular expression pattern: [\\w+=,.@-]*',
    );
  });

  it('accepts a presigned GET, which EKS and Vault send', async () => {
    const scope = '20261122%2Feu-central-1%2Fsts%2Faws4_request';
    const url = `${apis.url}/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F${scope}&X-Amz-Signature=0`;
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain(XML);
    expect(await response.text()).toContain('<Account>123456789012</Account>');
  });
});
