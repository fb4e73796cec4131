/** Secrets Manager with AWS's SDK. */
import * as sdk from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';
import { systemClock } from '../../clock.ts';

const DAY_MS = 24 * 3600 * 1000;

let apis: RunningApis;
let client: sdk.SecretsManagerClient;
let aheadMs = 0;

beforeAll(async () => {
  apis = await startApis({ clock: { ...systemClock, epochMs: () => Date.now() + aheadMs } });
  client = new sdk.SecretsManagerClient({ ...options(), maxAttempts: 1 });
});
afterAll(async () => {
  client.destroy();
  await apis.close();
});

const options = () => ({ endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS });
const create = (Name: string, SecretString?: string) =>
  client.send(new sdk.CreateSecretCommand({ Name, SecretString }));
const value = (SecretId: string, more: Partial<sdk.GetSecretValueCommandInput> = {}) =>
  client.send(new sdk.GetSecretValueCommand({ SecretId, ...more }));
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: sdk.SecretsManagerServiceException) => ({ name: error.name, message: error.message }),
  );

describe('secrets', () => {
  it('can be created and read by name, ARN and the ARN without its ending', async () => {
    const { ARN, VersionId } = await create('prod/db', '{"user":"u"}');
    expect(ARN).toMatch(new RegExp(`^arn:aws:secretsmanager:us-east-1:${TEST_ACCOUNT}:secret:prod/db-[A-Za-z0-9]{6}$`));
    for (const id of ['prod/db', String(ARN), String(ARN).slice(0, -7)]) {
      expect(await value(id)).toMatchObject({
        ARN,
        Name: 'prod/db',
        VersionId,
        SecretString: '{"user":"u"}',
        VersionStages: ['AWSCURRENT'],
        CreatedDate: expect.any(Date),
      });
    }
    expect(await refusal(create('prod/db', 'x'))).toEqual({
      name: 'ResourceExistsException',
      message: 'The operation failed because the secret prod/db already exists.',
    });
    expect(await refusal(value('prod/none'))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret.",
    });
  });

  it('keep the previous value under AWSPREVIOUS', async () => {
    const { VersionId: first } = await create('rotating', 'one');
    expect(await refusal(value('rotating', { VersionStage: 'AWSPREVIOUS' }))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
    });
    await client.send(new sdk.PutSecretValueCommand({ SecretId: 'rotating', SecretString: 'two' }));
    await client.send(new sdk.UpdateSecretCommand({ SecretId: 'rotating', SecretString: 'three' }));
    expect((await value('rotating')).SecretString).toBe('three');
    expect((await value('rotating', { VersionStage: 'AWSPREVIOUS' })).SecretString).toBe('two');
    expect(await value('rotating', { VersionId: first })).toMatchObject({ SecretString: 'one' });
    const { VersionIdsToStages } = await client.send(new sdk.DescribeSecretCommand({ SecretId: 'rotating' }));
    expect(Object.values(VersionIdsToStages ?? {})).toEqual([['AWSPREVIOUS'], ['AWSCURRENT']]);
    await client.send(
      new sdk.UpdateSecretVersionStageCommand({
        SecretId: 'rotating',
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: first,
        RemoveFromVersionId: (await value('rotating')).VersionId,
      }),
    );
    expect((await value('rotating')).SecretString).toBe('one');
    expect((await value('rotating', { VersionStage: 'AWSPREVIOUS' })).SecretString).toBe('three');
  });

  it('hold bytes, and accept a repeated request but not its token for another value', async () => {
    const token = 'a'.repeat(32);
    const SecretBinary = Buffer.from([0, 255, 1]);
    const send = (binary: Buffer) =>
      client.send(new sdk.CreateSecretCommand({ Name: 'bytes', SecretBinary: binary, ClientRequestToken: token }));
    const first = await send(SecretBinary);
    expect(await send(SecretBinary)).toMatchObject({ ARN: first.ARN, VersionId: token });
    expect(Buffer.from((await value('bytes')).SecretBinary ?? [])).toEqual(SecretBinary);
    const again = new sdk.PutSecretValueCommand({ SecretId: 'bytes', SecretString: 'x', ClientRequestToken: token });
    expect((await refusal(client.send(again))).name).toBe('ResourceExistsException');
  });

  it('can be restored within the recovery window, and are gone after it', async () => {
    await create('doomed', 'x');
    await client.send(new sdk.DeleteSecretCommand({ SecretId: 'doomed', RecoveryWindowInDays: 7 }));
    expect(await refusal(value('doomed'))).toEqual({
      name: 'InvalidRequestException',
      message: "You can't perform this operation on the secret because it was marked for deletion.",
    });
    expect(await refusal(create('doomed', 'y'))).toEqual({
      name: 'InvalidRequestException',
      message: "You can't create this secret because a secret with this name is already scheduled for deletion.",
    });
    await client.send(new sdk.RestoreSecretCommand({ SecretId: 'doomed' }));
    expect((await value('doomed')).SecretString).toBe('x');
    await client.send(new sdk.DeleteSecretCommand({ SecretId: 'doomed', RecoveryWindowInDays: 7 }));
    aheadMs += 7 * DAY_MS;
    expect((await refusal(value('doomed'))).name).toBe('ResourceNotFoundException');
    await create('doomed', 'new');
    await client.send(new sdk.DeleteSecretCommand({ SecretId: 'doomed', ForceDeleteWithoutRecovery: true }));
    expect((await refusal(value('doomed'))).name).toBe('ResourceNotFoundException');
  });

  it('can be listed by name and tag, read together, and tagged', async () => {
    for (const name of ['list/a', 'list/b', 'list/c']) await create(name, name);
    await client.send(new sdk.TagResourceCommand({ SecretId: 'list/b', Tags: [{ Key: 'team', Value: 'red' }] }));
    const names = async (Filters: sdk.Filter[], MaxResults?: number) => {
      const found: (string | undefined)[] = [];
      for await (const { SecretList = [] } of sdk.paginateListSecrets({ client }, { Filters, MaxResults })) {
        found.push(...SecretList.map(({ Name }) => Name));
      }
      return found.sort();
    };
    expect(await names([{ Key: 'name', Values: ['list/'] }], 2)).toEqual(['list/a', 'list/b', 'list/c']);
    expect(await names([{ Key: 'tag-value', Values: ['red'] }])).toEqual(['list/b']);
    expect(await names([{ Key: 'name', Values: ['list/', '!list/b'] }])).toEqual(['list/a', 'list/c']);
    const batch = await client.send(new sdk.BatchGetSecretValueCommand({ SecretIdList: ['list/a', 'list/z'] }));
    expect(batch.SecretValues?.map(({ SecretString }) => SecretString)).toEqual(['list/a']);
    expect(batch.Errors).toMatchObject([{ SecretId: 'list/z', ErrorCode: 'ResourceNotFoundException' }]);
    await client.send(new sdk.UntagResourceCommand({ SecretId: 'list/b', TagKeys: ['team'] }));
    expect((await client.send(new sdk.DescribeSecretCommand({ SecretId: 'list/b' }))).Tags).toEqual([]);
  });

  it('can be read through Parameter Store', async () => {
    await create('shared', 'text');
    const ssm = new SSMClient(options());
    const Name = '/aws/reference/secretsmanager/shared';
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }));
    expect(Parameter).toMatchObject({ Name, Type: 'SecureString', Value: 'text' });
    ssm.destroy();
  });

  it('refuse rotation and replicas by name', async () => {
    expect(await refusal(client.send(new sdk.RotateSecretCommand({ SecretId: 'shared' })))).toEqual({
      name: 'UnknownOperationException',
      message: "Lamella does not support the Secrets Manager operation 'RotateSecret'.",
    });
    const replicated = new sdk.CreateSecretCommand({ Name: 'far', AddReplicaRegions: [{ Region: 'eu-west-1' }] });
    expect((await refusal(client.send(replicated))).message).toContain('AddReplicaRegions');
  });
});

describe('random passwords', () => {
  it('have the length and the characters that the request names', async () => {
    const password = async (input: sdk.GetRandomPasswordCommandInput) =>
      (await client.send(new sdk.GetRandomPasswordCommand(input))).RandomPassword;
    const full = String(await password({}));
    expect(full).toHaveLength(32);
    for (const kind of [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/]) expect(full).toMatch(kind);
    expect(await password({ PasswordLength: 20, ExcludePunctuation: true, ExcludeCharacters: 'abc' })).toMatch(
      /^[d-zA-Z0-9]{20}$/,
    );
    expect((await refusal(password({ PasswordLength: 2 }))).name).toBe('InvalidParameterException');
  });
});
