/** The settings of functions: aliases, permissions, concurrency, URLs ... Messages were recorded on AWS (2025-11). */
import * as sdk from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  echo,
  FUNCTION_ARN,
  LAYER_ARN,
  ROLE,
  type RunningLambdaApi,
  someCode,
  startLambdaApi,
} from '../../test/support/running-lambda-api.ts';

let api: RunningLambdaApi;
let chance = 0;
beforeAll(async () => {
  api = await startLambdaApi({ invoke: echo, chance: () => chance });
});
afterAll(async () => {
  expect(api.failures).toEqual([]);
  await api.close();
});

/** Creates a function and publishes `versions` versions. */
async function create(FunctionName: string, versions = 0, more: Partial<sdk.CreateFunctionCommandInput> = {}) {
  await api.client.send(
    new sdk.CreateFunctionCommand({
      FunctionName,
      Role: ROLE,
      Runtime: 'provided.al2023',
      Handler: 'h',
      Code: { ZipFile: await someCode() },
      ...more,
    }),
  );
  for (let version = 1; version <= versions; version++) {
    await api.client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Description: `${version}` }));
    await api.client.send(new sdk.PublishVersionCommand({ FunctionName }));
  }
}

async function refusal(response: Promise<unknown>): Promise<string> {
  try {
    await response;
  } catch (failure) {
    const { name, message } = failure as Error;
    return `${name}: ${message}`;
  }
  return 'the operation succeeded';
}

describe('aliases', () => {
  const send = (more: Partial<sdk.CreateAliasCommandInput> = {}) =>
    api.client.send(
      new sdk.CreateAliasCommand({ FunctionName: 'aliased', Name: 'live', FunctionVersion: '1', ...more }),
    );
  beforeAll(() => create('aliased', 2));

  it('are created, found, listed, moved and deleted', async () => {
    const created = await send({ Description: 'd', RoutingConfig: { AdditionalVersionWeights: { 2: 0.2 } } });
    expect(created).toMatchObject({
      $metadata: { httpStatusCode: 201 },
      AliasArn: `${FUNCTION_ARN}:aliased:live`,
      Name: 'live',
      FunctionVersion: '1',
      Description: 'd',
      RoutingConfig: { AdditionalVersionWeights: { 2: 0.2 } },
    });
    const name = { FunctionName: 'aliased', Name: 'live' };
    const got = await api.client.send(new sdk.GetAliasCommand(name));
    expect(got.RevisionId).toBe(created.RevisionId);
    const shown = await api.client.send(new sdk.GetFunctionCommand({ FunctionName: 'aliased', Qualifier: 'live' }));
    expect([shown.Configuration?.FunctionArn, shown.Configuration?.Version]).toEqual([
      `${FUNCTION_ARN}:aliased:live`,
      '1',
    ]);

    expect(await refusal(api.client.send(new sdk.UpdateAliasCommand({ ...name, RevisionId: 'wrong' })))).toBe(
      'PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
    );
    const updated = await api.client.send(
      new sdk.UpdateAliasCommand({ ...name, FunctionVersion: '2', RoutingConfig: { AdditionalVersionWeights: {} } }),
    );
    expect(updated.RoutingConfig).toBeUndefined();
    expect([updated.FunctionVersion, updated.Description]).toEqual(['2', 'd']);
    await send({ Name: 'old' });
    const listed = await api.client.send(new sdk.ListAliasesCommand({ FunctionName: 'aliased' }));
    expect(listed.Aliases?.map(({ Name }) => Name)).toEqual(['live', 'old']);
    const ofVersion = await api.client.send(
      new sdk.ListAliasesCommand({ FunctionName: 'aliased', FunctionVersion: '2' }),
    );
    expect(ofVersion.Aliases?.map(({ Name }) => Name)).toEqual(['live']);
    const page = await api.client.send(new sdk.ListAliasesCommand({ FunctionName: 'aliased', MaxItems: 1 }));
    const next = await api.client.send(
      new sdk.ListAliasesCommand({ FunctionName: 'aliased', MaxItems: 1, Marker: page.NextMarker }),
    );
    expect([page.Aliases?.[0]?.Name, next.Aliases?.[0]?.Name, next.NextMarker]).toEqual(['live', 'old', undefined]);
    for (const Name of ['live', 'old', 'never-was']) {
      const { $metadata } = await api.client.send(new sdk.DeleteAliasCommand({ FunctionName: 'aliased', Name }));
      expect($metadata.httpStatusCode).toBe(204);
    }
  });

  it('are refused as AWS refuses them', async () => {
    const weights = (AdditionalVersionWeights: Record<string, number>, more = {}) =>
      refusal(send({ RoutingConfig: { AdditionalVersionWeights }, ...more }));
    expect(await weights({ 1: 0.1, 2: 0.2 })).toBe(
      'InvalidParameterValueException: Number of items in AdditionalVersionWeights cannot be greater than 1',
    );
    expect(await weights({ 1: 0.1 })).toBe(
      'InvalidParameterValueException: Invalid function version 1. Function version 1 is already included in routing configuration.',
    );
    expect(await weights({ 2: 0.1 }, { FunctionVersion: '$LATEST' })).toBe(
      'InvalidParameterValueException: $LATEST is not supported for an alias pointing to more than 1 version',
    );
    expect(await weights({ 10: 0.1 })).toBe(
      `ResourceNotFoundException: Function not found: ${FUNCTION_ARN}:aliased:10`,
    );
    expect(await refusal(send({ FunctionName: 'unknown' }))).toBe(
      `ResourceNotFoundException: Function not found: ${FUNCTION_ARN}:unknown:1`,
    );
    expect(await refusal(send({ Name: '2024' }))).toContain("Value '2024' at 'name' failed to satisfy constraint");
    await send({ Name: 'taken' });
    expect(await refusal(send({ Name: 'taken' }))).toBe(
      `ResourceConflictException: Alias already exists: ${FUNCTION_ARN}:aliased:taken`,
    );
    const missing = { FunctionName: 'aliased', Name: 'non-existent' };
    expect(await refusal(api.client.send(new sdk.GetAliasCommand(missing)))).toBe(
      `ResourceNotFoundException: Cannot find alias arn: ${FUNCTION_ARN}:aliased:non-existent`,
    );
    expect(await refusal(api.client.send(new sdk.UpdateAliasCommand(missing)))).toBe(
      `ResourceNotFoundException: Alias not found: ${FUNCTION_ARN}:aliased:non-existent`,
    );
  });

  it('route invocations to their versions by weight', async () => {
    await send({ Name: 'split', RoutingConfig: { AdditionalVersionWeights: { 2: 0.25 } } });
    const runs = async (given: number) => {
      chance = given;
      const { ExecutedVersion } = await api.client.send(
        new sdk.InvokeCommand({ FunctionName: 'aliased', Qualifier: 'split' }),
      );
      return ExecutedVersion;
    };
    expect([await runs(0), await runs(0.2499), await runs(0.25), await runs(0.999)]).toEqual(['2', '2', '1', '1']);
    await api.client.send(
      new sdk.UpdateAliasCommand({ FunctionName: 'aliased', Name: 'split', FunctionVersion: '2', RoutingConfig: {} }),
    );
    expect(await runs(0)).toBe('2');
  });

  it('keep the versions that they point to', async () => {
    expect(
      await refusal(api.client.send(new sdk.DeleteFunctionCommand({ FunctionName: 'aliased', Qualifier: '2' }))),
    ).toBe('ResourceConflictException: Unable to delete version because the following aliases reference it: [split]');
  });

  it('are deleted with their function', async () => {
    await create('short-lived', 1);
    await send({ FunctionName: 'short-lived' });
    await api.client.send(new sdk.DeleteFunctionCommand({ FunctionName: 'short-lived' }));
    await create('short-lived', 1);
    expect(
      await refusal(api.client.send(new sdk.InvokeCommand({ FunctionName: 'short-lived', Qualifier: 'live' }))),
    ).toBe(`ResourceNotFoundException: Function not found: ${FUNCTION_ARN}:short-lived:live`);
  });
});

describe('permissions', () => {
  const add = (more: Partial<sdk.AddPermissionCommandInput> = {}) =>
    api.client.send(
      new sdk.AddPermissionCommand({
        FunctionName: 'permitted',
        StatementId: 's3',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
        ...more,
      }),
    );
  const policy = async (more = {}) => {
    const { Policy = '' } = await api.client.send(new sdk.GetPolicyCommand({ FunctionName: 'permitted', ...more }));
    return JSON.parse(Policy);
  };
  beforeAll(() => create('permitted', 1));

  it('are rendered as AWS renders statements', async () => {
    const { Statement } = await add({ SourceArn: 'arn:aws:s3:::bucket' });
    expect(Statement).toBe(
      `{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"${FUNCTION_ARN}:permitted","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}`,
    );
    await add({ StatementId: 'account', Principal: '111111111111' });
    await add({
      StatementId: 'url',
      Principal: '*',
      Action: 'lambda:InvokeFunctionUrl',
      SourceAccount: '111111111111',
      FunctionUrlAuthType: 'NONE',
      PrincipalOrgID: 'o-1234567890',
    });
    const { Version, Id, Statement: statements } = await policy();
    expect([Version, Id, statements.length]).toEqual(['2012-10-17', 'default', 3]);
    expect(statements[1].Principal).toEqual({ AWS: 'arn:aws:iam::111111111111:root' });
    expect(statements[2]).toMatchObject({
      Principal: '*',
      Condition: {
        StringEquals: {
          'AWS:SourceAccount': '111111111111',
          'lambda:FunctionUrlAuthType': 'NONE',
          'aws:PrincipalOrgID': 'o-1234567890',
        },
      },
    });
  });

  it('accept the revision of the function or alias, or of the policy', async () => {
    await create('bound', 1);
    const name = { FunctionName: 'bound' };
    const { RevisionId } = await api.client.send(
      new sdk.CreateAliasCommand({ ...name, Name: 'live', FunctionVersion: '$LATEST' }),
    );
    const of = { ...name, Qualifier: 'live' };
    expect(await refusal(add({ ...of, RevisionId: 'wrong' }))).toBe(
      'PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id',
    );
    await add({ ...of, RevisionId });
    const { RevisionId: ofPolicy } = await api.client.send(new sdk.GetPolicyCommand(of));
    await add({ ...of, StatementId: 'second', RevisionId: ofPolicy });
    expect((await policy(of)).Statement).toHaveLength(2);
  });

  it('belong to the function or to one version', async () => {
    await add({ Qualifier: '1' });
    expect((await policy({ Qualifier: '1' })).Statement[0].Resource).toBe(`${FUNCTION_ARN}:permitted:1`);
    await api.client.send(
      new sdk.RemovePermissionCommand({ FunctionName: 'permitted', Qualifier: '1', StatementId: 's3' }),
    );
    expect(await refusal(policy({ Qualifier: '1' }))).toBe(
      'ResourceNotFoundException: The resource you requested does not exist.',
    );
  });

  it('are refused as AWS refuses them', async () => {
    expect(await refusal(add())).toBe(
      'ResourceConflictException: The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing statement.',
    );
    expect(await refusal(add({ Qualifier: '$LATEST' }))).toBe(
      'InvalidParameterValueException: We currently do not support adding policies for $LATEST.',
    );
    expect(await refusal(add({ StatementId: 'x', Principal: 'invalid.nonaws.com' }))).toBe(
      'InvalidParameterValueException: The provided principal was invalid. Please check the principal and try again.',
    );
    expect(await refusal(add({ Qualifier: '42' }))).toBe(
      `ResourceNotFoundException: Function not found: ${FUNCTION_ARN}:permitted:42`,
    );
    expect(await refusal(add({ Qualifier: 'alias-doesnotexist' }))).toBe(
      `ResourceNotFoundException: Cannot find alias arn: ${FUNCTION_ARN}:permitted:alias-doesnotexist`,
    );
    const remove = (more = {}) =>
      refusal(
        api.client.send(new sdk.RemovePermissionCommand({ FunctionName: 'permitted', StatementId: 'none', ...more })),
      );
    expect(await remove()).toBe('ResourceNotFoundException: Statement none is not found in resource policy.');
    expect(await remove({ FunctionName: 'doesnotexist' })).toBe(
      `ResourceNotFoundException: No policy found for: ${FUNCTION_ARN}:doesnotexist`,
    );
  });

  it('of layer versions belong to the version', async () => {
    await api.client.send(
      new sdk.PublishLayerVersionCommand({ LayerName: 'shared', Content: { ZipFile: await someCode() } }),
    );
    const version = { LayerName: 'shared', VersionNumber: 1 };
    const grant = { ...version, StatementId: 's1', Action: 'lambda:GetLayerVersion', Principal: '*' };
    expect(await refusal(api.client.send(new sdk.GetLayerVersionPolicyCommand(version)))).toBe(
      'ResourceNotFoundException: No policy is associated with the given resource.',
    );
    const added = await api.client.send(new sdk.AddLayerVersionPermissionCommand(grant));
    expect(JSON.parse(added.Statement ?? '')).toEqual({
      Sid: 's1',
      Effect: 'Allow',
      Principal: '*',
      Action: 'lambda:GetLayerVersion',
      Resource: `${LAYER_ARN}:shared:1`,
    });
    expect(
      await refusal(
        api.client.send(new sdk.AddLayerVersionPermissionCommand({ ...grant, StatementId: 's2', RevisionId: 'x' })),
      ),
    ).toContain('Call the GetLayerPolicy API');
    expect(
      await refusal(api.client.send(new sdk.AddLayerVersionPermissionCommand({ ...grant, VersionNumber: 2 }))),
    ).toBe(`ResourceNotFoundException: Layer version ${LAYER_ARN}:shared:2 does not exist.`);
    await api.client.send(new sdk.RemoveLayerVersionPermissionCommand({ ...version, StatementId: 's1' }));
  });
});

describe('concurrency', () => {
  const reserve = (ReservedConcurrentExecutions: number, FunctionName = 'concurrent') =>
    api.client.send(new sdk.PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));
  const provision = (Qualifier: string, ProvisionedConcurrentExecutions = 1, FunctionName = 'concurrent') =>
    api.client.send(
      new sdk.PutProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier, ProvisionedConcurrentExecutions }),
    );
  beforeAll(async () => {
    await create('concurrent', 1);
    await api.client.send(
      new sdk.CreateAliasCommand({ FunctionName: 'concurrent', Name: 'live', FunctionVersion: '1' }),
    );
  });

  it("is reserved, read and released, and changes the account's unreserved concurrency", async () => {
    await reserve(7);
    const got = await api.client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName: 'concurrent' }));
    expect(got.ReservedConcurrentExecutions).toBe(7);
    const shown = await api.client.send(new sdk.GetFunctionCommand({ FunctionName: 'concurrent' }));
    expect(shown.Concurrency?.ReservedConcurrentExecutions).toBe(7);
    const settings = await api.client.send(new sdk.GetAccountSettingsCommand({}));
    expect(settings.AccountLimit).toMatchObject({ ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 993 });
    expect(settings.AccountUsage?.FunctionCount).toBeGreaterThan(0);
    expect(settings.AccountUsage?.TotalCodeSize).toBeGreaterThan(0);
    const { $metadata } = await api.client.send(
      new sdk.DeleteFunctionConcurrencyCommand({ FunctionName: 'concurrent' }),
    );
    expect($metadata.httpStatusCode).toBe(204);
    const after = await api.client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName: 'concurrent' }));
    expect(after.ReservedConcurrentExecutions).toBeUndefined();
  });

  it('must leave 100 unreserved', async () => {
    expect(await refusal(reserve(901))).toBe(
      "InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
    );
    expect(await refusal(reserve(1, 'concurrent:1'))).toContain(
      'This operation is permitted on Lambda functions only.',
    );
    expect(await refusal(reserve(1, 'doesnotexist'))).toBe(
      `ResourceNotFoundException: Function not found: ${FUNCTION_ARN}:doesnotexist:$LATEST`,
    );
  });

  it('can be reserved with 0 when nothing is left', async () => {
    await create('takes-all');
    await create('is-off');
    await reserve(900, 'takes-all');
    expect(await refusal(reserve(1, 'is-off'))).toContain('below its minimum value of [100].');
    expect((await reserve(0, 'is-off')).ReservedConcurrentExecutions).toBe(0);
    for (const FunctionName of ['takes-all', 'is-off']) {
      await api.client.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName }));
    }
  });

  it('is provisioned from what is reserved, or from what the account has left', async () => {
    expect(await refusal(provision('1', 1001))).toBe(
      "InvalidParameterValueException: Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].",
    );
    expect(await refusal(provision('1', 901))).toBe(
      "InvalidParameterValueException: Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
    );
    await reserve(2);
    expect(await refusal(provision('1', 3))).toBe(
      'InvalidParameterValueException: Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function',
    );
    await api.client.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName: 'concurrent' }));
    // What one function has provisioned is not available to others.
    await create('greedy', 1);
    await provision('1', 900, 'greedy');
    expect(await refusal(provision('1', 1))).toContain('below its minimum value of [100].');
    await provision('1', 800, 'greedy');
    await api.client.send(
      new sdk.DeleteProvisionedConcurrencyConfigCommand({ FunctionName: 'greedy', Qualifier: '1' }),
    );
  });

  it('is not provisioned for an alias with weights, and such an alias gets no weights', async () => {
    await create('weighted', 2);
    const weights = { RoutingConfig: { AdditionalVersionWeights: { 2: 0.5 } } };
    const alias = { FunctionName: 'weighted', Name: 'live' };
    await api.client.send(new sdk.CreateAliasCommand({ ...alias, FunctionVersion: '1', ...weights }));
    const refused = 'InvalidParameterValueException: Alias with weights can not be used with Provisioned Concurrency';
    expect(await refusal(provision('live', 1, 'weighted'))).toBe(refused);
    await api.client.send(new sdk.UpdateAliasCommand({ ...alias, RoutingConfig: { AdditionalVersionWeights: {} } }));
    await provision('live', 1, 'weighted');
    expect(await refusal(api.client.send(new sdk.UpdateAliasCommand({ ...alias, ...weights })))).toBe(refused);
    await api.client.send(new sdk.UpdateAliasCommand({ ...alias, FunctionVersion: '2' }));
    await api.client.send(
      new sdk.DeleteProvisionedConcurrencyConfigCommand({ FunctionName: 'weighted', Qualifier: 'live' }),
    );
  });

  it('is provisioned for a version or an alias, not for both', async () => {
    const version = { FunctionName: 'concurrent', Qualifier: '1' };
    const put = await provision('1');
    expect(put).toMatchObject({
      $metadata: { httpStatusCode: 202 },
      Status: 'IN_PROGRESS',
      RequestedProvisionedConcurrentExecutions: 1,
    });
    const got = await api.client.send(new sdk.GetProvisionedConcurrencyConfigCommand(version));
    expect(got).toMatchObject({ Status: 'READY', AllocatedProvisionedConcurrentExecutions: 1 });
    expect(await refusal(provision('live'))).toBe(
      "ResourceConflictException: Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    );
    await api.client.send(new sdk.DeleteProvisionedConcurrencyConfigCommand(version));
    await provision('live', 2);
    expect(await refusal(provision('1'))).toBe(
      'ResourceConflictException: Version is pointed by a Provisioned Concurrency alias',
    );
    expect(await refusal(reserve(1))).toBe(
      "InvalidParameterValueException:  ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].",
    );
    const { ProvisionedConcurrencyConfigs } = await api.client.send(
      new sdk.ListProvisionedConcurrencyConfigsCommand({ FunctionName: 'concurrent' }),
    );
    expect(ProvisionedConcurrencyConfigs?.map(({ FunctionArn }) => FunctionArn)).toEqual([
      `${FUNCTION_ARN}:concurrent:live`,
    ]);
    expect(await refusal(provision('$LATEST'))).toBe(
      'InvalidParameterValueException: Provisioned Concurrency Configs cannot be applied to unpublished function versions.',
    );
    expect(await refusal(api.client.send(new sdk.GetProvisionedConcurrencyConfigCommand(version)))).toBe(
      'ProvisionedConcurrencyConfigNotFoundException: No Provisioned Concurrency Config found for this function',
    );
    await api.client.send(new sdk.DeleteAliasCommand({ FunctionName: 'concurrent', Name: 'live' }));
    const left = await api.client.send(
      new sdk.ListProvisionedConcurrencyConfigsCommand({ FunctionName: 'concurrent' }),
    );
    expect(left.ProvisionedConcurrencyConfigs).toEqual([]);
  });
});

describe('asynchronous invocation', () => {
  const put = (more: Partial<sdk.PutFunctionEventInvokeConfigCommandInput> = {}) =>
    api.client.send(new sdk.PutFunctionEventInvokeConfigCommand({ FunctionName: 'evented', ...more }));
  beforeAll(() => create('evented', 1));

  it('is configured for $LATEST and versions, replaced and changed', async () => {
    const first = await put({ MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 60 });
    expect(first).toMatchObject({
      FunctionArn: `${FUNCTION_ARN}:evented:$LATEST`,
      MaximumRetryAttempts: 2,
      MaximumEventAgeInSeconds: 60,
      DestinationConfig: { OnFailure: {}, OnSuccess: {} },
    });
    expect(first.LastModified).toBeInstanceOf(Date);
    const replaced = await put({ MaximumRetryAttempts: 0 });
    expect(replaced.MaximumEventAgeInSeconds).toBeUndefined();
    const changed = await api.client.send(
      new sdk.UpdateFunctionEventInvokeConfigCommand({ FunctionName: 'evented', MaximumEventAgeInSeconds: 90 }),
    );
    expect(changed).toMatchObject({ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 90 });
    await put({ Qualifier: '1', MaximumRetryAttempts: 1 });
    const { FunctionEventInvokeConfigs } = await api.client.send(
      new sdk.ListFunctionEventInvokeConfigsCommand({ FunctionName: 'evented' }),
    );
    expect(FunctionEventInvokeConfigs?.map(({ FunctionArn }) => FunctionArn)).toEqual([
      `${FUNCTION_ARN}:evented:$LATEST`,
      `${FUNCTION_ARN}:evented:1`,
    ]);
    await api.client.send(new sdk.DeleteFunctionEventInvokeConfigCommand({ FunctionName: 'evented', Qualifier: '1' }));
  });

  it('is refused as AWS refuses it', async () => {
    expect(await refusal(put())).toBe(
      'InvalidParameterValueException: You must specify at least one of error handling or destination setting.',
    );
    expect(await refusal(put({ FunctionName: 'doesnotexist', MaximumRetryAttempts: 1 }))).toBe(
      "ResourceNotFoundException: The function doesn't exist.",
    );
    const to = (Destination: string) => refusal(put({ DestinationConfig: { OnSuccess: { Destination } } }));
    expect(await to(`${FUNCTION_ARN}:evented`)).toBe(
      "InvalidParameterValueException: You can't specify the function as a destination for itself.",
    );
    expect(await to(`${FUNCTION_ARN}:doesnotexist`)).toBe(
      `InvalidParameterValueException: The destination ARN ${FUNCTION_ARN}:doesnotexist is invalid.`,
    );
    const odd = 'arn:aws:iam:us-east-1:123456789012:function:x';
    expect(await to(odd)).toBe(
      `InvalidParameterValueException: The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=${odd}), onFailure=null) is invalid.`,
    );
    expect(
      await refusal(
        api.client.send(new sdk.GetFunctionEventInvokeConfigCommand({ FunctionName: 'evented', Qualifier: '1' })),
      ),
    ).toBe(`ResourceNotFoundException: The function ${FUNCTION_ARN}:evented:1 doesn't have an EventInvokeConfig`);
  });
});

describe('function URLs', () => {
  beforeAll(() => create('with-url'));
  const url = { FunctionName: 'with-url' };

  it('are created, shown, changed and deleted', async () => {
    const created = await api.client.send(
      new sdk.CreateFunctionUrlConfigCommand({ ...url, AuthType: 'NONE', Cors: { AllowOrigins: ['*'], MaxAge: 5 } }),
    );
    expect(created).toMatchObject({
      FunctionUrl: expect.stringMatching(/^https:\/\/[a-z0-9]{32}\.lambda-url\.us-east-1\.on\.aws\/$/),
      FunctionArn: `${FUNCTION_ARN}:with-url`,
      AuthType: 'NONE',
      Cors: { AllowOrigins: ['*'], MaxAge: 5 },
      CreationTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    });
    expect(created.InvokeMode).toBeUndefined();
    const got = await api.client.send(new sdk.GetFunctionUrlConfigCommand(url));
    expect(got.InvokeMode).toBe('BUFFERED');
    const updated = await api.client.send(new sdk.UpdateFunctionUrlConfigCommand({ ...url, AuthType: 'AWS_IAM' }));
    expect([updated.AuthType, updated.FunctionUrl]).toEqual(['AWS_IAM', created.FunctionUrl]);
    // Once the client has sent a mode, every response has it.
    expect(updated.InvokeMode).toBeUndefined();
    await api.client.send(new sdk.UpdateFunctionUrlConfigCommand({ ...url, InvokeMode: 'RESPONSE_STREAM' }));
    const kept = await api.client.send(new sdk.UpdateFunctionUrlConfigCommand(url));
    expect([kept.InvokeMode, kept.AuthType]).toEqual(['RESPONSE_STREAM', 'AWS_IAM']);
    const listed = await api.client.send(new sdk.ListFunctionUrlConfigsCommand(url));
    expect(listed.FunctionUrlConfigs?.map(({ FunctionUrl }) => FunctionUrl)).toEqual([created.FunctionUrl]);
    expect(await refusal(api.client.send(new sdk.CreateFunctionUrlConfigCommand({ ...url, AuthType: 'NONE' })))).toBe(
      `ResourceConflictException: Failed to create function url config for [functionArn = ${FUNCTION_ARN}:with-url]. Error message:  FunctionUrlConfig exists for this Lambda function`,
    );
    await api.client.send(new sdk.DeleteFunctionUrlConfigCommand(url));
    expect(await refusal(api.client.send(new sdk.GetFunctionUrlConfigCommand(url)))).toBe(
      'ResourceNotFoundException: The resource you requested does not exist.',
    );
  });

  it('require an existing function', async () => {
    expect(
      await refusal(
        api.client.send(new sdk.CreateFunctionUrlConfigCommand({ FunctionName: 'doesnotexist', AuthType: 'NONE' })),
      ),
    ).toBe('ResourceNotFoundException: Function does not exist');
  });
});

describe('tags', () => {
  const Resource = `${FUNCTION_ARN}:tagged`;
  const tags = async (arn = Resource) => (await api.client.send(new sdk.ListTagsCommand({ Resource: arn }))).Tags;
  beforeAll(() => create('tagged', 1, { Tags: { A: 'a' } }));

  it('are added, replaced and removed', async () => {
    const { $metadata } = await api.client.send(new sdk.TagResourceCommand({ Resource, Tags: { A: 'b', C: 'c' } }));
    expect($metadata.httpStatusCode).toBe(204);
    expect(await tags()).toEqual({ A: 'b', C: 'c' });
    await api.client.send(new sdk.UntagResourceCommand({ Resource, TagKeys: ['C', 'none'] }));
    expect(await tags()).toEqual({ A: 'b' });
  });

  it('are refused as AWS refuses them', async () => {
    const tag = (arn: string, Tags: Record<string, string>) =>
      refusal(api.client.send(new sdk.TagResourceCommand({ Resource: arn, Tags })));
    expect(await tag(Resource, {})).toBe(
      'InvalidParameterValueException: An error occurred and the request cannot be processed.',
    );
    expect(await tag(`${Resource}:1`, { a: 'b' })).toBe(
      'InvalidParameterValueException: Tags on function aliases and versions are not supported. Please specify a function ARN.',
    );
    expect(await tag(`${FUNCTION_ARN}:doesnotexist`, { a: 'b' })).toBe(
      `ResourceNotFoundException: Function not found: ${FUNCTION_ARN}:doesnotexist`,
    );
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`${n}`, 'x']));
    expect(await tag(Resource, many)).toBe(
      'InvalidParameterValueException: Number of tags exceeds resource tag limit.',
    );
    const mapping = 'arn:aws:lambda:us-east-1:123456789012:event-source-mapping:00000000-0000-0000-0000-000000000000';
    expect(await tag(mapping, { a: 'b' })).toBe(
      `ResourceNotFoundException: Event source mapping not found: ${mapping}`,
    );
  });
});

describe('event source mappings', () => {
  const queue = 'arn:aws:sqs:us-east-1:123456789012:queue';
  const stream = 'arn:aws:kinesis:us-east-1:123456789012:stream/s';
  const map = (more: Partial<sdk.CreateEventSourceMappingCommandInput>) =>
    api.client.send(new sdk.CreateEventSourceMappingCommand({ FunctionName: 'fed', ...more }));
  beforeAll(() => create('fed', 1));

  it('are created with the defaults of their source, changed, listed and deleted', async () => {
    const created = await map({ EventSourceArn: queue, Tags: { a: 'b' } });
    expect(created).toMatchObject({
      $metadata: { httpStatusCode: 202 },
      BatchSize: 10,
      EventSourceArn: queue,
      FunctionArn: `${FUNCTION_ARN}:fed`,
      FunctionResponseTypes: [],
      MaximumBatchingWindowInSeconds: 0,
      State: 'Creating',
      StateTransitionReason: 'USER_INITIATED',
    });
    expect(created.LastModified).toBeInstanceOf(Date);
    const UUID = created.UUID ?? '';
    const got = await api.client.send(new sdk.GetEventSourceMappingCommand({ UUID }));
    expect(got.State).toBe('Enabled');
    const updated = await api.client.send(
      new sdk.UpdateEventSourceMappingCommand({ UUID, Enabled: false, BatchSize: 5 }),
    );
    expect([updated.State, updated.BatchSize]).toEqual(['Disabling', 5]);
    const listed = await api.client.send(new sdk.ListEventSourceMappingsCommand({ EventSourceArn: queue }));
    expect(listed.EventSourceMappings?.map(({ State }) => State)).toEqual(['Disabled']);
    const { Tags } = await api.client.send(new sdk.ListTagsCommand({ Resource: created.EventSourceMappingArn }));
    expect(Tags).toEqual({ a: 'b' });
    expect(await refusal(map({ EventSourceArn: queue }))).toBe(
      `ResourceConflictException: An event source mapping with SQS arn (" ${queue} ") and function (" fed ") already exists. Please update or delete the existing mapping with UUID ${UUID}`,
    );
    const deleted = await api.client.send(new sdk.DeleteEventSourceMappingCommand({ UUID }));
    expect([deleted.$metadata.httpStatusCode, deleted.State]).toEqual([202, 'Deleting']);
    expect(await refusal(api.client.send(new sdk.GetEventSourceMappingCommand({ UUID })))).toBe(
      'ResourceNotFoundException: The resource you requested does not exist.',
    );
  });

  it('have the defaults of streams', async () => {
    const created = await map({ EventSourceArn: stream, StartingPosition: 'TRIM_HORIZON', BatchSize: 1 });
    expect(created).toMatchObject({
      BatchSize: 1,
      BisectBatchOnFunctionError: false,
      LastProcessingResult: 'No records processed',
      MaximumBatchingWindowInSeconds: 0,
      MaximumRecordAgeInSeconds: -1,
      MaximumRetryAttempts: -1,
      ParallelizationFactor: 1,
      StartingPosition: 'TRIM_HORIZON',
      StateTransitionReason: 'User action',
      TumblingWindowInSeconds: 0,
    });
  });

  it('are refused as AWS refuses them', async () => {
    const invalid = 'InvalidParameterValueException:';
    expect(await refusal(map({}))).toBe(`${invalid} Unrecognized event source.`);
    expect(await refusal(map({ EventSourceArn: queue, FunctionName: 'doesnotexist' }))).toBe(
      `${invalid} Function does not exist`,
    );
    expect(await refusal(map({ EventSourceArn: stream }))).toBe(
      `${invalid} 1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.`,
    );
    const table = 'arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/s';
    expect(await refusal(map({ EventSourceArn: table, StartingPosition: 'AT_TIMESTAMP' }))).toBe(
      `${invalid} Unsupported starting position for arn type: ${table}`,
    );
    expect(await refusal(map({ EventSourceArn: queue, FilterCriteria: { Filters: [{ Pattern: 'no json' }] } }))).toBe(
      `${invalid} Invalid filter pattern definition.`,
    );
    expect(await refusal(map({ EventSourceArn: queue, BatchSize: 20 }))).toBe(
      `${invalid} Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10`,
    );
    expect(
      await refusal(map({ SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000'] } } })),
    ).toBe(`${invalid} Required 'sourceAccessConfigurations' parameter is missing.`);
    // Recorded on AWS: a self-managed cluster needs no StartingPosition.
    const kafka = await map({
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000'] } },
      SourceAccessConfigurations: [
        { Type: 'BASIC_AUTH', URI: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:s' },
      ],
      Topics: ['topic'],
    });
    expect(kafka).toMatchObject({ BatchSize: 100, SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: kafka.UUID } });
  });
});

describe('code signing', () => {
  it('is configured, attached to functions and listed', async () => {
    await create('signed');
    const { CodeSigningConfig } = await api.client.send(
      new sdk.CreateCodeSigningConfigCommand({
        AllowedPublishers: { SigningProfileVersionArns: ['arn:aws:signer:us-east-1:123456789012:/signing-profiles/t'] },
        CodeSigningPolicies: { UntrustedArtifactOnDeployment: 'Enforce' },
      }),
    );
    const arn = CodeSigningConfig?.CodeSigningConfigArn ?? '';
    expect(arn).toMatch(/:code-signing-config:csc-[a-z0-9]{17}$/);
    const attachment = { FunctionName: 'signed', CodeSigningConfigArn: arn };
    const put = await api.client.send(new sdk.PutFunctionCodeSigningConfigCommand(attachment));
    expect(put).toMatchObject(attachment);
    const users = await api.client.send(new sdk.ListFunctionsByCodeSigningConfigCommand({ CodeSigningConfigArn: arn }));
    expect(users.FunctionArns).toEqual([`${FUNCTION_ARN}:signed`]);
    await api.client.send(new sdk.DeleteFunctionCodeSigningConfigCommand({ FunctionName: 'signed' }));
    const { $metadata, ...none } = await api.client.send(
      new sdk.GetFunctionCodeSigningConfigCommand({ FunctionName: 'signed' }),
    );
    expect([$metadata.httpStatusCode, none]).toEqual([200, {}]);
    await api.client.send(new sdk.DeleteCodeSigningConfigCommand({ CodeSigningConfigArn: arn }));
    expect(await refusal(api.client.send(new sdk.GetCodeSigningConfigCommand({ CodeSigningConfigArn: arn })))).toBe(
      `ResourceNotFoundException: The Lambda code signing configuration ${arn} can not be found.`,
    );
    expect(await refusal(api.client.send(new sdk.PutFunctionCodeSigningConfigCommand(attachment)))).toBe(
      `CodeSigningConfigNotFoundException: The code signing configuration cannot be found. Check that the provided configuration is not deleted: ${arn}.`,
    );
  });
});

it('runtime management, recursion and scaling settings are returned as they were set', async () => {
  await create('set', 1);
  const target = { FunctionName: 'set' };
  expect(await api.client.send(new sdk.GetRuntimeManagementConfigCommand(target))).toMatchObject({
    UpdateRuntimeOn: 'Auto',
    FunctionArn: `${FUNCTION_ARN}:set:$LATEST`,
  });
  await api.client.send(new sdk.PutRuntimeManagementConfigCommand({ ...target, UpdateRuntimeOn: 'FunctionUpdate' }));
  const management = await api.client.send(new sdk.GetRuntimeManagementConfigCommand(target));
  expect(management.UpdateRuntimeOn).toBe('FunctionUpdate');
  const recursion = await api.client.send(new sdk.GetFunctionRecursionConfigCommand(target));
  expect(recursion.RecursiveLoop).toBe('Terminate');
  await api.client.send(new sdk.PutFunctionRecursionConfigCommand({ ...target, RecursiveLoop: 'Allow' }));
  const allowed = await api.client.send(new sdk.GetFunctionRecursionConfigCommand(target));
  expect(allowed.RecursiveLoop).toBe('Allow');
  const version = { ...target, Qualifier: '1' };
  const FunctionScalingConfig = { MinExecutionEnvironments: 1, MaxExecutionEnvironments: 5 };
  const put = await api.client.send(new sdk.PutFunctionScalingConfigCommand({ ...version, FunctionScalingConfig }));
  expect(put.FunctionState).toBe('Active');
  const scaling = await api.client.send(new sdk.GetFunctionScalingConfigCommand(version));
  expect(scaling).toMatchObject({
    FunctionArn: `${FUNCTION_ARN}:set:1`,
    AppliedFunctionScalingConfig: FunctionScalingConfig,
    RequestedFunctionScalingConfig: FunctionScalingConfig,
  });
});
