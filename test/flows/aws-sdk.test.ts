/** The AWS SDK with the whole service: operations, every way to name a function, and errors. */
import { createHash } from 'node:crypto';
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetLayerVersionByArnCommand,
  GetLayerVersionCommand,
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
  ListFunctionsCommand,
  ListLayersCommand,
  ListLayerVersionsCommand,
  ListVersionsByFunctionCommand,
  PublishLayerVersionCommand,
  PublishVersionCommand,
  paginateListFunctions,
  paginateListLayers,
  paginateListLayerVersions,
  paginateListVersionsByFunction,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { clientOf, ROLE, type RunningService, startService } from '../support/running-service.ts';

const ARN = 'arn:aws:lambda:us-east-1:123456789012';
const FAST = { maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 };

let service: RunningService;
let client: LambdaClient;

beforeAll(async () => {
  service = await startService();
  ({ client } = service);
});
afterAll(() => service.close());

/** A function's zip whose bootstrap responds with this text. */
const responding = (text: string) => zipOf({ bootstrap: shellRuntime(`respond '${text}'`) });
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');
const download = async (url: string | undefined) => Buffer.from(await (await fetch(url ?? '')).arrayBuffer());
const create = (name: string, zip: Uint8Array, more: object = {}) =>
  new CreateFunctionCommand({
    FunctionName: name,
    Runtime: 'provided.al2023',
    Handler: 'handler',
    Role: ROLE,
    Code: { ZipFile: zip },
    ...more,
  });

describe('functions', () => {
  it('are pending, then active; in progress, then updated', async () => {
    const zip = await responding('one');
    const FunctionName = 'states';
    const created = await client.send(create(FunctionName, zip, { Tags: { team: 'blue' } }));
    expect(created).toMatchObject({
      FunctionName,
      FunctionArn: `${ARN}:function:states`,
      Runtime: 'provided.al2023',
      Role: ROLE,
      Handler: 'handler',
      CodeSize: zip.length,
      CodeSha256: sha256(zip),
      Description: '',
      Timeout: 3,
      MemorySize: 128,
      Version: '$LATEST',
      TracingConfig: { Mode: 'PassThrough' },
      State: 'Pending',
      StateReason: 'The function is being created.',
      StateReasonCode: 'Creating',
      PackageType: 'Zip',
      Architectures: ['x86_64'],
      EphemeralStorage: { Size: 512 },
      SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/states' },
      $metadata: { httpStatusCode: 201 },
    });
    expect(created.LastModified).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName });
    const { Configuration, Tags } = await client.send(new GetFunctionCommand({ FunctionName }));
    expect(Configuration).toMatchObject({ State: 'Active', LastUpdateStatus: 'Successful' });
    expect(Tags).toEqual({ team: 'blue' });

    const updated = await client.send(
      new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 5, Environment: { Variables: { AA: 'b' } } }),
    );
    expect(updated).toMatchObject({
      Timeout: 5,
      Environment: { Variables: { AA: 'b' } },
      State: 'Active',
      LastUpdateStatus: 'InProgress',
      LastUpdateStatusReason: 'The function is being created.',
      LastUpdateStatusReasonCode: 'Creating',
    });
    await waitUntilFunctionUpdatedV2({ client, ...FAST }, { FunctionName });
    const cleared = await client.send(
      new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables: {} } }),
    );
    expect(cleared.Environment).toEqual({ Variables: {} });
    expect(cleared.Timeout).toBe(5);
  });

  it('keep published versions unchanged, and publish nothing twice', async () => {
    const FunctionName = 'versions';
    const [first, second] = await Promise.all([responding('first'), responding('second')]);
    await client.send(create(FunctionName, first));
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName });
    const one = await client.send(new PublishVersionCommand({ FunctionName, Description: 'the first' }));
    expect(one).toMatchObject({
      Version: '1',
      FunctionArn: `${ARN}:function:versions:1`,
      Description: 'the first',
      CodeSha256: sha256(first),
      $metadata: { httpStatusCode: 201 },
    });
    expect((await client.send(new PublishVersionCommand({ FunctionName }))).Version).toBe('1');
    const two = await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: second, Publish: true }));
    expect(two).toMatchObject({ Version: '2', CodeSha256: sha256(second) });
    const responses = await Promise.all(
      [undefined, '1', '2', '$LATEST'].map(async (Qualifier) => {
        const { payload, response } = await service.invoke(FunctionName, {}, Qualifier ? { Qualifier } : {});
        return [payload, response.ExecutedVersion];
      }),
    );
    expect(responses).toEqual([
      ['second', '$LATEST'],
      ['first', '1'],
      ['second', '2'],
      ['second', '$LATEST'],
    ]);
    await expect(
      client.send(new PublishVersionCommand({ FunctionName, CodeSha256: sha256(first) })),
    ).rejects.toMatchObject({ name: 'InvalidParameterValueException', $metadata: { httpStatusCode: 400 } });
    await client.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1' }));
    const { Versions } = await client.send(new ListVersionsByFunctionCommand({ FunctionName }));
    expect(Versions?.map(({ Version, FunctionArn }) => [Version, FunctionArn])).toEqual([
      ['$LATEST', `${ARN}:function:versions:$LATEST`],
      ['2', `${ARN}:function:versions:2`],
    ]);
    await expect(service.invoke(FunctionName, {}, { Qualifier: '1' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Function not found: ${ARN}:function:versions:1`,
    });
    // Numbers are not reused.
    await client.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '2' }));
    await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: first }));
    expect((await client.send(new PublishVersionCommand({ FunctionName }))).Version).toBe('3');
  });

  it('are validated but not changed by a dry run', async () => {
    const FunctionName = 'dry';
    const [before, after] = await Promise.all([responding('before'), responding('after')]);
    await client.send(create(FunctionName, before));
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName });
    const tried = await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: after, DryRun: true }));
    expect(tried.CodeSha256).toBe(sha256(after));
    expect((await client.send(new GetFunctionConfigurationCommand({ FunctionName }))).CodeSha256).toBe(sha256(before));
    expect((await service.invoke(FunctionName)).payload).toBe('before');
    const dry = await client.send(new InvokeCommand({ FunctionName, InvocationType: 'DryRun' }));
    expect([dry.StatusCode, Buffer.from(dry.Payload ?? []).toString()]).toEqual([204, '']);
    await expect(
      client.send(new InvokeCommand({ FunctionName: 'nobody', InvocationType: 'DryRun' })),
    ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('return their code byte for byte, also that of older versions', async () => {
    const FunctionName = 'downloads';
    const [first, second] = await Promise.all([responding('1'), responding('2')]);
    await client.send(create(FunctionName, first, { Publish: true }));
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName });
    await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: second }));
    const code = async (Qualifier?: string) =>
      (await client.send(new GetFunctionCommand({ FunctionName, ...(Qualifier && { Qualifier }) }))).Code;
    const [latest, old] = await Promise.all([code(), code('1')]);
    expect(latest?.RepositoryType).toBe('S3');
    expect((await download(latest?.Location)).equals(second)).toBe(true);
    expect((await download(old?.Location)).equals(first)).toBe(true);
    const forged = new URL(latest?.Location ?? '');
    forged.searchParams.set('signature', 'a'.repeat(64));
    expect((await fetch(forged)).status).toBe(403);
    await fetch(`${service.url}/_content/../../lamella.db?signature=x`).then(({ status }) =>
      expect(status).toBeGreaterThanOrEqual(400),
    );
  });

  it('refuse a change made on an outdated revision', async () => {
    const FunctionName = 'revisions';
    await client.send(create(FunctionName, await responding('1')));
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName });
    const { RevisionId } = await client.send(new GetFunctionConfigurationCommand({ FunctionName }));
    await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 4, RevisionId }));
    await expect(
      client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 5, RevisionId })),
    ).rejects.toMatchObject({ name: 'PreconditionFailedException', $metadata: { httpStatusCode: 412 } });
  });
});

describe('a function is found', () => {
  const FunctionName = 'names';
  beforeAll(async () => {
    await client.send(create(FunctionName, await responding('found'), { Publish: true }));
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName });
  });

  const unqualified = ['names', 'function:names', '123456789012:function:names', '123456789012:names'];
  const forms = [...unqualified, `${ARN}:function:names`, 'us-east-1:123456789012:function:names'];

  it.each(forms)('by %s, with and without a qualifier, in every operation', async (form) => {
    const read = async (input: { FunctionName: string; Qualifier?: string }) =>
      (await client.send(new GetFunctionConfigurationCommand(input))).FunctionArn;
    const invoke = async (input: InvokeCommandInput) => (await client.send(new InvokeCommand(input))).ExecutedVersion;
    expect(await read({ FunctionName: form })).toBe(`${ARN}:function:names`);
    expect(await read({ FunctionName: `${form}:1` })).toBe(`${ARN}:function:names:1`);
    expect(await read({ FunctionName: form, Qualifier: '1' })).toBe(`${ARN}:function:names:1`);
    expect(await read({ FunctionName: `${form}:1`, Qualifier: '1' })).toBe(`${ARN}:function:names:1`);
    expect(await read({ FunctionName: `${form}:$LATEST` })).toBe(`${ARN}:function:names:$LATEST`);
    expect(await invoke({ FunctionName: form })).toBe('$LATEST');
    expect(await invoke({ FunctionName: `${form}:1` })).toBe('1');
    expect(await invoke({ FunctionName: form, Qualifier: '1' })).toBe('1');
    const mismatch = { FunctionName: `${form}:1`, Qualifier: '2' };
    const refusal = {
      name: 'InvalidParameterValueException',
      message: 'The derived qualifier from the function name does not match the specified qualifier.',
    };
    await expect(read(mismatch)).rejects.toMatchObject(refusal);
    await expect(invoke(mismatch)).rejects.toMatchObject(refusal);
    const updated = await client.send(new UpdateFunctionConfigurationCommand({ FunctionName: form, Timeout: 3 }));
    expect(updated.FunctionArn).toBe(`${ARN}:function:names`);
    await waitUntilFunctionUpdatedV2({ client, ...FAST }, { FunctionName: form });
    const { Versions } = await client.send(new ListVersionsByFunctionCommand({ FunctionName: form }));
    expect(Versions?.map(({ Version }) => Version)).toEqual(['$LATEST', '1']);
  });

  it('only in its own region and account', async () => {
    await expect(service.invoke('arn:aws:lambda:eu-west-1:123456789012:function:names')).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
      $metadata: { httpStatusCode: 404 },
    });
    await expect(service.invoke('arn:aws:lambda:us-east-1:999999999999:function:names')).rejects.toMatchObject({
      name: 'AccessDeniedException',
      $metadata: { httpStatusCode: 403 },
    });
  });

  it.each(['a b', 'a/b', '../names', 'names:1:2', 'ä', '-', 'x'.repeat(200)])(
    'not by %j, which is rejected',
    async (name) => {
      const failure = await service.invoke(name).catch((error: Error) => error);
      expect(failure).toMatchObject({
        name: expect.stringMatching(/^(ValidationException|ResourceNotFoundException|InvalidParameterValueException)$/),
      });
    },
  );
});

describe('pages', () => {
  const collect = async <Page, Item>(
    pages: AsyncIterable<Page>,
    itemsOf: (page: Page) => readonly Item[] | undefined,
  ) => {
    const found: (readonly Item[])[] = [];
    for await (const page of pages) found.push(itemsOf(page) ?? []);
    return found;
  };

  it('of functions, versions, layers and layer versions continue where the last one ended', async () => {
    const region = 'eu-central-1';
    const other = new LambdaClient({
      endpoint: service.url,
      region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const names = Array.from({ length: 7 }, (_, index) => `paged-${index}`);
    const zip = await responding('x');
    for (const name of names) await other.send(create(name, zip));
    const functions = await collect(
      paginateListFunctions({ client: other, pageSize: 3 }, {}),
      ({ Functions }) => Functions,
    );
    expect(functions.map((page) => page.map(({ FunctionName }) => FunctionName))).toEqual([
      names.slice(0, 3),
      names.slice(3, 6),
      names.slice(6),
    ]);

    const [FunctionName = ''] = names;
    await waitUntilFunctionActiveV2({ client: other, ...FAST }, { FunctionName });
    for (let timeout = 10; timeout < 15; timeout++) {
      await other.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: timeout }));
      await waitUntilFunctionUpdatedV2({ client: other, ...FAST }, { FunctionName });
      await other.send(new PublishVersionCommand({ FunctionName }));
    }
    const versions = await collect(
      paginateListVersionsByFunction({ client: other, pageSize: 4 }, { FunctionName }),
      ({ Versions }) => Versions,
    );
    expect(versions.map((page) => page.map(({ Version }) => Version))).toEqual([
      ['$LATEST', '1', '2', '3'],
      ['4', '5'],
    ]);

    const layerNames = ['alpha', 'beta', 'gamma'];
    for (const LayerName of [...layerNames, 'alpha', 'alpha']) {
      await other.send(new PublishLayerVersionCommand({ LayerName, Content: { ZipFile: zip } }));
    }
    const layers = await collect(paginateListLayers({ client: other, pageSize: 2 }, {}), ({ Layers }) => Layers);
    expect(layers.flat().map((layer) => [layer.LayerName, layer.LatestMatchingVersion?.Version])).toEqual([
      ['alpha', 3],
      ['beta', 1],
      ['gamma', 1],
    ]);
    const alphas = await collect(
      paginateListLayerVersions({ client: other, pageSize: 2 }, { LayerName: 'alpha' }),
      ({ LayerVersions }) => LayerVersions,
    );
    expect(alphas.map((page) => page.map(({ Version }) => Version))).toEqual([[3, 2], [1]]);

    // Regions are separate.
    const here = await client.send(new ListFunctionsCommand({}));
    expect(here.Functions?.some(({ FunctionName: name }) => name?.startsWith('paged-'))).toBe(false);
    expect((await client.send(new ListLayersCommand({}))).Layers?.some(({ LayerName }) => LayerName === 'alpha')).toBe(
      false,
    );
    await expect(client.send(new GetFunctionCommand({ FunctionName }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    const invoked = await other.send(new InvokeCommand({ FunctionName }));
    expect(Buffer.from(invoked.Payload ?? []).toString()).toBe('x');
    const logsOf = (where: string) =>
      new CloudWatchLogsClient({
        endpoint: service.url,
        region: where,
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      }).send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws/lambda/paged-0' }));
    expect((await logsOf(region)).logGroups).toHaveLength(1);
    expect((await logsOf('us-east-1')).logGroups).toEqual([]);
    other.destroy();
  });
});

describe('layers', () => {
  it('are returned byte for byte, by name and by ARN, and outlive their deletion in functions that use them', async () => {
    const zip = await zipOf({ 'text.txt': 'from the layer' });
    const published = await client.send(
      new PublishLayerVersionCommand({
        LayerName: 'kept',
        Description: 'about',
        LicenseInfo: 'MIT',
        CompatibleRuntimes: ['provided.al2023'],
        CompatibleArchitectures: ['x86_64'],
        Content: { ZipFile: zip },
      }),
    );
    expect(published).toMatchObject({
      LayerArn: `${ARN}:layer:kept`,
      LayerVersionArn: `${ARN}:layer:kept:1`,
      Version: 1,
      Content: { CodeSha256: sha256(zip), CodeSize: zip.length },
      $metadata: { httpStatusCode: 201 },
    });
    const [byName, byLayerArn, byArn] = await Promise.all([
      client.send(new GetLayerVersionCommand({ LayerName: 'kept', VersionNumber: 1 })),
      client.send(new GetLayerVersionCommand({ LayerName: `${ARN}:layer:kept`, VersionNumber: 1 })),
      client.send(new GetLayerVersionByArnCommand({ Arn: `${ARN}:layer:kept:1` })),
    ]);
    for (const got of [byName, byLayerArn, byArn]) {
      expect(got).toMatchObject({ LayerVersionArn: `${ARN}:layer:kept:1`, Description: 'about', LicenseInfo: 'MIT' });
      expect((await download(got.Content?.Location)).equals(zip)).toBe(true);
    }
    await service.createFunction(
      'keeps',
      { bootstrap: shellRuntime('respond "$(cat /opt/text.txt)"') },
      { Layers: [`${ARN}:layer:kept:1`] },
    );
    await client.send(new DeleteLayerVersionCommand({ LayerName: 'kept', VersionNumber: 1 }));
    // Deleting it again, or one that never existed, is not an error.
    await client.send(new DeleteLayerVersionCommand({ LayerName: 'kept', VersionNumber: 1 }));
    await client.send(new DeleteLayerVersionCommand({ LayerName: 'never-was', VersionNumber: 7 }));
    const { LayerVersions } = await client.send(new ListLayerVersionsCommand({ LayerName: 'kept' }));
    expect(LayerVersions).toEqual([]);
    expect((await service.invoke('keeps')).payload).toBe('from the layer');
    await expect(client.send(create('too-late', zip, { Layers: [`${ARN}:layer:kept:1`] }))).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: `Layer version ${ARN}:layer:kept:1 does not exist.`,
    });
    const again = await client.send(new PublishLayerVersionCommand({ LayerName: 'kept', Content: { ZipFile: zip } }));
    expect(again.Version).toBe(2);
  });

  it('are at most five, and of different names', async () => {
    const zip = await zipOf({ a: 'a' });
    const arns = [];
    for (const name of ['l1', 'l2', 'l3', 'l4', 'l5', 'l6', 'l1'])
      arns.push(await service.publishLayer(name, { a: name }));
    await expect(client.send(create('six', zip, { Layers: arns.slice(0, 6) }))).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: 'Cannot reference more than 5 layers.',
    });
    await expect(client.send(create('twice', zip, { Layers: [arns[0], arns[6]] }))).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
    });
    await client.send(create('five', zip, { Layers: arns.slice(0, 5) }));
  });
});

describe('errors', () => {
  const codeless = { FunctionName: 'refused', Runtime: 'provided.al2023', Handler: 'h', Role: ROLE } as const;

  it.each([
    [{ Timeout: 901 }, 'timeout', '901', 'Member must have value less than or equal to 900'],
    [{ Timeout: 0 }, 'timeout', '0', 'Member must have value greater than or equal to 1'],
    [{ MemorySize: 127 }, 'memorySize', '127', 'Member must have value greater than or equal to 128'],
    [{ Role: 'nobody' }, 'role', 'nobody', 'Member must satisfy regular expression pattern'],
    [{ Handler: 'a b' }, 'handler', 'a b', 'Member must satisfy regular expression pattern'],
    [
      { EphemeralStorage: { Size: 1 } },
      'ephemeralStorage.size',
      '1',
      'Member must have value greater than or equal to 512',
    ],
    [
      { Description: 'x'.repeat(257) },
      'description',
      'x'.repeat(257),
      'Member must have length less than or equal to 256',
    ],
  ])('name what is wrong with %j', async (more, member, value, constraint) => {
    const zip = await zipOf({ bootstrap: '' });
    const failure = await client.send(create('refused', zip, more)).catch((error: Error) => error);
    expect(failure).toMatchObject({
      name: expect.stringMatching(/^(ValidationException|InvalidParameterValueException)$/),
      $metadata: { httpStatusCode: 400 },
    });
    const { message } = failure as Error;
    expect(message).toContain(
      `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ${constraint}`,
    );
    await expect(client.send(new GetFunctionCommand({ FunctionName: 'refused' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  it("list the runtimes, in AWS's form for this member", async () => {
    await expect(client.send(create('refused', await responding('1'), { Runtime: 'cobol' }))).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: expect.stringMatching(
        /^Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \[.*provided\.al2023.*\] or be a valid ARN$/,
      ),
    });
  });

  it('are returned for reserved and too many variables', async () => {
    const zip = await zipOf({ bootstrap: '' });
    const withVariables = (Variables: Record<string, string>) =>
      client.send(create('refused', zip, { Environment: { Variables } }));
    await expect(withVariables({ AWS_REGION: 'x', LAMBDA_TASK_ROOT: 'y' })).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: expect.stringMatching(
        /reserved keys.*Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT$/,
      ),
    });
    await expect(withVariables({ BIG: 'x'.repeat(4096) })).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: expect.stringContaining('exceeded the 4KB limit. String measured: {"BIG":"xxx'),
    });
  });

  it('are returned for code that is not a zip, is missing, or is in a bucket', async () => {
    const unzip = 'Could not unzip uploaded file. Please check your file, then try to upload again.';
    await expect(client.send(create('refused', Buffer.from('no zip')))).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: unzip,
    });
    await expect(
      client.send(
        new PublishLayerVersionCommand({ LayerName: 'refused', Content: { ZipFile: Buffer.from('no zip') } }),
      ),
    ).rejects.toMatchObject({ name: 'InvalidParameterValueException', message: unzip });
    await expect(client.send(new CreateFunctionCommand({ ...codeless, Code: {} }))).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
    });
    await expect(
      client.send(new CreateFunctionCommand({ ...codeless, Code: { S3Bucket: 'bucket', S3Key: 'key' } })),
    ).rejects.toMatchObject({
      name: expect.stringMatching(/Exception$/),
      message: expect.stringMatching(/S3|bucket/i),
    });
  });

  it('are returned for resources that do not exist', async () => {
    const FunctionName = 'nowhere';
    const missing = `Function not found: ${ARN}:function:nowhere`;
    for (const command of [
      new GetFunctionCommand({ FunctionName }),
      new GetFunctionConfigurationCommand({ FunctionName }),
      new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 3 }),
      new PublishVersionCommand({ FunctionName }),
      new ListVersionsByFunctionCommand({ FunctionName }),
      new DeleteFunctionCommand({ FunctionName }),
    ]) {
      await expect(client.send(command as GetFunctionCommand)).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
        message: missing,
        Type: 'User',
        $metadata: { httpStatusCode: 404 },
      });
    }
    await expect(
      client.send(new GetLayerVersionCommand({ LayerName: 'nowhere', VersionNumber: 1 })),
    ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    expect((await client.send(new ListLayerVersionsCommand({ LayerName: 'nowhere' }))).LayerVersions).toEqual([]);
  });

  it('are returned with --strict roles for a role that does not exist', async () => {
    const strict = await startService({ strict: 'roles' });
    try {
      await expect(strict.client.send(create('f', await responding('1')))).rejects.toMatchObject({
        name: 'InvalidParameterValueException',
        message: 'The role defined for the function cannot be assumed by Lambda.',
      });
    } finally {
      await strict.close();
    }
  });
});

describe('neighbors', () => {
  it('respond for the requested account', async () => {
    const other = await startService({ accountId: '210987654321', region: 'ap-northeast-1' });
    try {
      const sts = new STSClient({
        endpoint: other.url,
        region: 'us-east-1',
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      });
      expect((await sts.send(new GetCallerIdentityCommand({}))).Account).toBe('210987654321');
      const lambda = clientOf(other.url);
      const created = await lambda.send(create('f', await responding('1')));
      expect(created.FunctionArn).toBe('arn:aws:lambda:us-east-1:210987654321:function:f');
      lambda.destroy();
    } finally {
      await other.close();
    }
  });
});
