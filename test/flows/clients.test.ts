/** The same tests with the AWS SDK for JavaScript, boto3 and the AWS CLI, with one whole service. */
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { CALLING_CLIENTS, type CallingClient, ClientRefusal, type Input } from '../support/lambda-clients.ts';
import { ROLE, type RunningService, startService } from '../support/running-service.ts';

const ARN = 'arn:aws:lambda:us-east-1:123456789012';
const QUEUE = 'arn:aws:sqs:us-east-1:123456789012:mapped';

let service: RunningService;
let slow: RunningService;
const archives: Record<string, Buffer> = {};

beforeAll(async () => {
  [service, slow] = await Promise.all([startService(), startService({ stateDelay: 1000 })]);
  const sqs = new SQSClient({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const Attributes = { VisibilityTimeout: '60' };
  await sqs.send(new CreateQueueCommand({ QueueName: 'mapped', Attributes }));
  sqs.destroy();
  const bootstrap = (response: string) => zipOf({ bootstrap: shellRuntime(`respond "${response}"`) });
  archives.layer = await zipOf({ 'word.txt': 'layered' });
  archives.first = await bootstrap('[\\"$GREETING\\",\\"$(cat /opt/word.txt)\\",$EVENT]');
  archives.second = await bootstrap('\\"second\\"');
});
afterAll(async () => {
  await Promise.all([service.close(), slow.close()]);
});

describe.each(Object.keys(CALLING_CLIENTS))('%s', { timeout: 60_000 }, (name) => {
  const prefix = name.replaceAll(' ', '-').toLowerCase();
  let client: CallingClient;
  beforeAll(() => {
    client = (CALLING_CLIENTS[name] as (url: string) => CallingClient)(service.url);
  });
  afterAll(() => client.close());

  const call = (operation: string, input: Input = {}) => client.call(operation, input);
  const refusal = async (operation: string, input: Input): Promise<string> => {
    try {
      await client.call(operation, input);
    } catch (failure) {
      if (failure instanceof ClientRefusal) return `${failure.code}: ${failure.message}`;
      throw failure;
    }
    throw new Error(`${operation} was not refused`);
  };
  /** Creates a function for this client. Resolves with its name. */
  const create = async (suffix: string, more: Input = {}): Promise<string> => {
    const FunctionName = `${prefix}-${suffix}`;
    const Code = { ZipFile: archives.second };
    await call('CreateFunction', {
      ...{ FunctionName, Role: ROLE, Runtime: 'provided.al2023', Handler: 'h', Code },
      ...more,
    });
    return FunctionName;
  };

  it('publishes layers, shares them, and revokes that', async () => {
    const LayerName = `${prefix}-shared`;
    const published = await call('PublishLayerVersion', {
      LayerName,
      Content: { ZipFile: archives.layer },
      CompatibleRuntimes: ['provided.al2023'],
      LicenseInfo: 'MIT',
    });
    expect(published).toMatchObject({ LayerVersionArn: `${ARN}:layer:${LayerName}:1`, Version: 1, LicenseInfo: 'MIT' });
    const version = { LayerName, VersionNumber: 1 };
    const permission = { StatementId: 'all', Action: 'lambda:GetLayerVersion', Principal: '*' };
    const added = await call('AddLayerVersionPermission', { ...version, ...permission });
    const statement = {
      Sid: 'all',
      Effect: 'Allow',
      Principal: '*',
      Action: 'lambda:GetLayerVersion',
      Resource: `${ARN}:layer:${LayerName}:1`,
    };
    expect(JSON.parse(added.Statement)).toEqual(statement);
    const { Policy } = await call('GetLayerVersionPolicy', version);
    expect(JSON.parse(Policy)).toEqual({ Version: '2012-10-17', Id: 'default', Statement: [statement] });
    await call('RemoveLayerVersionPermission', { ...version, StatementId: 'all' });
    expect(await refusal('GetLayerVersionPolicy', version)).toBe(
      'ResourceNotFoundException: No policy is associated with the given resource.',
    );
    expect((await call('ListLayerVersions', { LayerName })).LayerVersions).toHaveLength(1);
    await call('DeleteLayerVersion', version);
    expect(await refusal('GetLayerVersion', version)).toBe(
      'ResourceNotFoundException: The resource you requested does not exist.',
    );
  });

  it('creates, waits, invokes, changes, publishes, routes and deletes', async () => {
    const layer = await call('PublishLayerVersion', {
      LayerName: `${prefix}-words`,
      Content: { ZipFile: archives.layer },
    });
    const FunctionName = await create('life', {
      Code: { ZipFile: archives.first },
      Layers: [layer.LayerVersionArn],
      Environment: { Variables: { GREETING: 'hi' } },
    });
    await client.wait('FunctionActiveV2', { FunctionName });
    const response = await call('Invoke', { FunctionName, Payload: '{"n":1}', LogType: 'Tail' });
    expect([response.StatusCode, JSON.parse(response.Payload)]).toEqual([200, ['hi', 'layered', { n: 1 }]]);
    expect(Buffer.from(response.LogResult, 'base64').toString()).toMatch(/^START RequestId: .*\n(.*\n)*REPORT /);

    await call('PublishVersion', { FunctionName, Description: 'one' });
    await client.wait('PublishedVersionActive', { FunctionName, Qualifier: '1' });
    await call('UpdateFunctionCode', { FunctionName, ZipFile: archives.second });
    await client.wait('FunctionUpdatedV2', { FunctionName });
    await call('UpdateFunctionConfiguration', { FunctionName, Timeout: 9, Layers: [] });
    expect((await call('PublishVersion', { FunctionName })).Version).toBe('2');
    expect(await call('GetFunctionConfiguration', { FunctionName, Qualifier: '1' })).toMatchObject({
      Timeout: 3,
      Description: 'one',
      Layers: [{ Arn: layer.LayerVersionArn }],
    });

    const alias = { FunctionName, Name: 'live' };
    await call('CreateAlias', { ...alias, FunctionVersion: '1' });
    const executed = async () => (await call('Invoke', { FunctionName, Qualifier: 'live' })).ExecutedVersion;
    expect(await executed()).toBe('1');
    await call('UpdateAlias', { ...alias, RoutingConfig: { AdditionalVersionWeights: { 2: 1 } } });
    expect([await executed(), await executed()]).toEqual(['2', '2']);
    expect((await call('GetAlias', alias)).RoutingConfig).toEqual({ AdditionalVersionWeights: { 2: 1 } });
    await call('UpdateAlias', { ...alias, RoutingConfig: { AdditionalVersionWeights: {} } });
    expect(await executed()).toBe('1');

    await call('DeleteFunction', { FunctionName });
    expect(await refusal('Invoke', { FunctionName })).toBe(
      `ResourceNotFoundException: Function not found: ${ARN}:function:${FunctionName}:$LATEST`,
    );
  });

  it('waits while a function is pending', async () => {
    const waiting = (CALLING_CLIENTS[name] as (url: string) => CallingClient)(slow.url);
    const FunctionName = `${prefix}-pending`;
    await waiting.call('CreateFunction', {
      ...{ FunctionName, Role: ROLE, Runtime: 'provided.al2023', Handler: 'h', Code: { ZipFile: archives.second } },
    });
    await waiting.wait('FunctionActiveV2', { FunctionName });
    expect((await waiting.call('GetFunctionConfiguration', { FunctionName })).State).toBe('Active');
    waiting.close();
  });

  it('adds permissions and tags, and removes them', async () => {
    const FunctionName = await create('policy', { Tags: { team: 'blue', left: 'over' } });
    const resource = `${ARN}:function:${FunctionName}`;
    const added = await call('AddPermission', {
      FunctionName,
      StatementId: 's',
      Action: 'lambda:InvokeFunction',
      Principal: 's3.amazonaws.com',
      SourceArn: 'arn:aws:s3:::bucket',
      SourceAccount: '123456789012',
    });
    const statement = {
      Sid: 's',
      Effect: 'Allow',
      Principal: { Service: 's3.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Resource: resource,
      Condition: {
        StringEquals: { 'AWS:SourceAccount': '123456789012' },
        ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::bucket' },
      },
    };
    expect(JSON.parse(added.Statement)).toEqual(statement);
    const { Policy } = await call('GetPolicy', { FunctionName });
    expect(JSON.parse(Policy)).toEqual({ Version: '2012-10-17', Id: 'default', Statement: [statement] });
    await call('RemovePermission', { FunctionName, StatementId: 's' });
    expect(await refusal('GetPolicy', { FunctionName })).toContain('ResourceNotFoundException: ');

    await call('TagResource', { Resource: resource, Tags: { team: 'red' } });
    await call('UntagResource', { Resource: resource, TagKeys: ['left'] });
    expect((await call('ListTags', { Resource: resource })).Tags).toEqual({ team: 'red' });
    expect((await call('GetFunction', { FunctionName })).Tags).toEqual({ team: 'red' });
  });

  it('reserves and provisions concurrency', async () => {
    const FunctionName = await create('concurrent', { Publish: true });
    await call('PutFunctionConcurrency', { FunctionName, ReservedConcurrentExecutions: 0 });
    expect(await refusal('Invoke', { FunctionName })).toBe('TooManyRequestsException: Rate Exceeded.');
    expect((await call('GetFunctionConcurrency', { FunctionName })).ReservedConcurrentExecutions).toBe(0);
    await call('DeleteFunctionConcurrency', { FunctionName });
    expect((await call('Invoke', { FunctionName })).Payload).toBe('"second"');

    const version = { FunctionName, Qualifier: '1' };
    const put = await call('PutProvisionedConcurrencyConfig', { ...version, ProvisionedConcurrentExecutions: 1 });
    expect(put).toMatchObject({ Status: 'IN_PROGRESS', RequestedProvisionedConcurrentExecutions: 1 });
    await expect
      .poll(async () => (await call('GetProvisionedConcurrencyConfig', version)).Status, { timeout: 10_000 })
      .toBe('READY');
    const listed = await call('ListProvisionedConcurrencyConfigs', { FunctionName });
    expect(listed.ProvisionedConcurrencyConfigs).toHaveLength(1);
    await call('DeleteProvisionedConcurrencyConfig', version);
    expect(await refusal('GetProvisionedConcurrencyConfig', version)).toBe(
      'ProvisionedConcurrencyConfigNotFoundException: No Provisioned Concurrency Config found for this function',
    );
  });

  it('configures URLs and asynchronous invocation', async () => {
    const FunctionName = await create('url');
    const Cors = { AllowOrigins: ['https://example.com'], MaxAge: 60 };
    const created = await call('CreateFunctionUrlConfig', { FunctionName, AuthType: 'NONE', Cors });
    expect(created).toMatchObject({ FunctionArn: `${ARN}:function:${FunctionName}`, AuthType: 'NONE', Cors });
    await call('UpdateFunctionUrlConfig', { FunctionName, AuthType: 'AWS_IAM' });
    expect(await call('GetFunctionUrlConfig', { FunctionName })).toMatchObject({
      FunctionUrl: created.FunctionUrl,
      AuthType: 'AWS_IAM',
      Cors,
    });
    expect((await call('ListFunctionUrlConfigs', { FunctionName })).FunctionUrlConfigs).toHaveLength(1);
    await call('DeleteFunctionUrlConfig', { FunctionName });
    expect(await refusal('GetFunctionUrlConfig', { FunctionName })).toContain('ResourceNotFoundException: ');

    await call('PutFunctionEventInvokeConfig', { FunctionName, MaximumRetryAttempts: 1 });
    const DestinationConfig = { OnFailure: { Destination: QUEUE } };
    await call('UpdateFunctionEventInvokeConfig', { FunctionName, DestinationConfig });
    expect(await call('GetFunctionEventInvokeConfig', { FunctionName })).toMatchObject({
      FunctionArn: `${ARN}:function:${FunctionName}:$LATEST`,
      MaximumRetryAttempts: 1,
      DestinationConfig,
    });
    const { FunctionEventInvokeConfigs } = await call('ListFunctionEventInvokeConfigs', { FunctionName });
    expect(FunctionEventInvokeConfigs).toHaveLength(1);
    await call('DeleteFunctionEventInvokeConfig', { FunctionName });
    expect(await refusal('GetFunctionEventInvokeConfig', { FunctionName })).toContain('ResourceNotFoundException: ');
  });

  it('maps an event source', async () => {
    const FunctionName = await create('mapped');
    const mapping = { EventSourceArn: QUEUE, BatchSize: 5, Enabled: false };
    const { UUID } = await call('CreateEventSourceMapping', { FunctionName, ...mapping });
    expect(await call('GetEventSourceMapping', { UUID })).toMatchObject({
      EventSourceArn: QUEUE,
      FunctionArn: `${ARN}:function:${FunctionName}`,
      BatchSize: 5,
      State: 'Disabled',
    });
    await call('UpdateEventSourceMapping', { UUID, BatchSize: 7 });
    const { EventSourceMappings } = await call('ListEventSourceMappings', { FunctionName });
    expect(EventSourceMappings.map((each: { BatchSize: number }) => each.BatchSize)).toEqual([7]);
    expect((await call('DeleteEventSourceMapping', { UUID })).State).toBe('Deleting');
  });

  it('configures code signing', async () => {
    const FunctionName = await create('signed');
    const profile = 'arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/v';
    const { CodeSigningConfig } = await call('CreateCodeSigningConfig', {
      AllowedPublishers: { SigningProfileVersionArns: [profile] },
    });
    const { CodeSigningConfigArn } = CodeSigningConfig;
    await call('UpdateCodeSigningConfig', { CodeSigningConfigArn, Description: 'mine' });
    const { CodeSigningConfigs } = await call('ListCodeSigningConfigs', {});
    expect(CodeSigningConfigs).toContainEqual(
      expect.objectContaining({
        CodeSigningConfigArn,
        Description: 'mine',
        CodeSigningPolicies: { UntrustedArtifactOnDeployment: 'Warn' },
      }),
    );
    expect(await call('GetCodeSigningConfig', { CodeSigningConfigArn })).toMatchObject({
      CodeSigningConfig: { CodeSigningConfigArn, Description: 'mine' },
    });
    await call('PutFunctionCodeSigningConfig', { FunctionName, CodeSigningConfigArn });
    expect(await call('GetFunctionCodeSigningConfig', { FunctionName })).toEqual({
      FunctionName,
      CodeSigningConfigArn,
    });
    expect((await call('ListFunctionsByCodeSigningConfig', { CodeSigningConfigArn })).FunctionArns).toEqual([
      `${ARN}:function:${FunctionName}`,
    ]);
    expect(await refusal('DeleteCodeSigningConfig', { CodeSigningConfigArn })).toContain('ResourceConflictException: ');
    await call('DeleteFunctionCodeSigningConfig', { FunctionName });
    await call('DeleteCodeSigningConfig', { CodeSigningConfigArn });
    expect(await refusal('GetCodeSigningConfig', { CodeSigningConfigArn })).toBe(
      `ResourceNotFoundException: The Lambda code signing configuration ${CodeSigningConfigArn} can not be found.`,
    );
  });

  it('reads the pages of a list', async () => {
    const FunctionName = await create('paged', { Publish: true });
    await create('paged-2');
    await create('paged-3');
    for (const Name of ['a', 'b', 'c']) await call('CreateAlias', { FunctionName, Name, FunctionVersion: '1' });
    const { Functions } = await client.pages('ListFunctions', {}, 2);
    const names = Functions.map((each: { FunctionName: string }) => each.FunctionName);
    expect(names.filter((each: string) => each.startsWith(FunctionName))).toEqual([
      FunctionName,
      `${FunctionName}-2`,
      `${FunctionName}-3`,
    ]);
    expect(new Set(names).size).toBe(names.length);
    const { Versions } = await client.pages('ListVersionsByFunction', { FunctionName }, 1);
    expect(Versions.map((each: { Version: string }) => each.Version)).toEqual(['$LATEST', '1']);
    const { Aliases } = await client.pages('ListAliases', { FunctionName }, 2);
    expect(Aliases.map((each: { Name: string }) => each.Name)).toEqual(['a', 'b', 'c']);
  });

  it("shows the service's errors", async () => {
    const FunctionName = await create('refused', { Publish: true });
    await call('CreateAlias', { FunctionName, Name: 'live', FunctionVersion: '1' });
    const own = `${ARN}:function:${FunctionName}`;
    const cases: [string, Input, string][] = [
      [
        'GetFunction',
        { FunctionName: 'doesnotexist' },
        `ResourceNotFoundException: Function not found: ${ARN}:function:doesnotexist`,
      ],
      [
        'CreateAlias',
        { FunctionName, Name: 'live', FunctionVersion: '1' },
        `ResourceConflictException: Alias already exists: ${own}:live`,
      ],
      [
        'CreateAlias',
        { FunctionName, Name: '2024', FunctionVersion: '1' },
        "ValidationException: 1 validation error detected: Value '2024' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
      ],
      [
        'UpdateAlias',
        { FunctionName, Name: 'none', FunctionVersion: '1' },
        `ResourceNotFoundException: Alias not found: ${own}:none`,
      ],
      ['GetAlias', { FunctionName, Name: 'none' }, `ResourceNotFoundException: Cannot find alias arn: ${own}:none`],
      [
        'UpdateFunctionCode',
        { FunctionName, ZipFile: Buffer.from('no zip') },
        'InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.',
      ],
      [
        'UpdateFunctionConfiguration',
        { FunctionName, RevisionId: '00000000-0000-0000-0000-000000000000', Timeout: 4 },
        'PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
      ],
      [
        'DeleteFunction',
        { FunctionName, Qualifier: '1' },
        `ResourceConflictException: Unable to delete version because the following aliases reference it: [live]`,
      ],
    ];
    for (const [operation, input, expected] of cases) expect(await refusal(operation, input)).toBe(expected);
  });
});
