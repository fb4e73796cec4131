import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetLayerVersionByArnCommand,
  GetLayerVersionCommand,
  InvokeCommand,
  ListFunctionsCommand,
  ListLayersCommand,
  ListLayerVersionsCommand,
  ListVersionsByFunctionCommand,
  PublishLayerVersionCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zipOf } from '../../test/support/function-zip.ts';
import {
  echo,
  FUNCTION_ARN,
  LAYER_ARN,
  ROLE,
  type RunningLambdaApi,
  someCode,
  startLambdaApi,
} from '../../test/support/running-lambda-api.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';

let api: RunningLambdaApi;
const invoked: Invocation[] = [];
let outcome: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome> = echo;
let zip: Buffer;

beforeAll(async () => {
  zip = await someCode();
  api = await startLambdaApi({
    invoke(version, invocation) {
      invoked.push(invocation);
      return outcome(version, invocation);
    },
  });
});
afterAll(async () => {
  expect(api.failures).toEqual([]);
  await api.close();
});

function create(name: string, more: object = {}) {
  return api.client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Role: ROLE,
      Runtime: 'provided.al2023',
      Handler: 'h',
      Code: { ZipFile: zip },
      ...more,
    }),
  );
}

/** The error that the SDK throws for an error response. */
async function refused(
  response: Promise<unknown>,
): Promise<{ name: string; message: string; status: number; body: object }> {
  try {
    await response;
  } catch (failure) {
    const error = failure as Error & { $metadata: { httpStatusCode: number }; Type?: string };
    return { name: error.name, message: error.message, status: error.$metadata.httpStatusCode, body: { ...error } };
  }
  throw new Error('the operation succeeded');
}

async function raw(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.url}${path}`, { method, headers, ...(body !== undefined && { body }) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('every response', () => {
  it('carries a request id, a date and its content type', async () => {
    for (const path of ['/2015-03-31/functions', '/2015-03-31/functions/missing', '/nonsense']) {
      const { headers } = await raw('GET', path);
      expect(headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers.get('date')).not.toBeNull();
      expect(headers.get('content-type')).toBe('application/json');
    }
  });

  it('spells an error as AWS does for that exception', async () => {
    const missing = await raw('GET', '/2015-03-31/functions/missing');
    expect([missing.status, missing.headers.get('x-amzn-errortype')]).toEqual([404, 'ResourceNotFoundException']);
    expect(JSON.parse(missing.text)).toEqual({
      Type: 'User',
      Message: `Function not found: ${FUNCTION_ARN}:missing`,
    });
    const invalid = await raw('GET', '/2015-03-31/functions/%2A');
    expect(invalid.headers.get('x-amzn-errortype')).toBe('ValidationException');
    expect(Object.keys(JSON.parse(invalid.text))).toEqual(['message']);
    const parameter = await raw('DELETE', '/2015-03-31/functions/x?Qualifier=$LATEST');
    expect(JSON.parse(parameter.text)).toEqual({
      Type: 'User',
      message: '$LATEST version cannot be deleted without deleting the function.',
    });
  });

  it('names an unsupported operation, and an unknown path', async () => {
    const durable = await raw('GET', '/2025-12-01/durable-executions/x');
    expect([durable.status, durable.headers.get('x-amzn-errortype')]).toEqual([501, 'NotImplementedException']);
    expect(durable.text).toContain('does not support the operation GetDurableExecution');
    const nothing = await raw('PATCH', '/2015-03-31/functions');
    expect([nothing.status, nothing.headers.get('x-amzn-errortype')]).toEqual([404, 'UnknownOperationException']);
    expect(nothing.text).toContain('PATCH /2015-03-31/functions');
  });
});

describe('layers', () => {
  it('are published, found, listed, downloaded and deleted', async () => {
    const published = await api.client.send(
      new PublishLayerVersionCommand({
        LayerName: 'tools',
        Description: 'd',
        Content: { ZipFile: zip },
        CompatibleRuntimes: ['provided.al2023', 'provided' as 'provided.al2'],
        CompatibleArchitectures: ['x86_64'],
        LicenseInfo: 'MIT',
      }),
    );
    expect(published).toMatchObject({
      $metadata: { httpStatusCode: 201 },
      LayerArn: `${LAYER_ARN}:tools`,
      LayerVersionArn: `${LAYER_ARN}:tools:1`,
      Version: 1,
      Description: 'd',
      CreatedDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/),
      CompatibleRuntimes: ['provided.al2023', 'provided'],
      CompatibleArchitectures: ['x86_64'],
      LicenseInfo: 'MIT',
      Content: { CodeSize: zip.length, CodeSha256: createHash('sha256').update(zip).digest('base64') },
    });
    const got = await api.client.send(new GetLayerVersionCommand({ LayerName: 'tools', VersionNumber: 1 }));
    const byArn = await api.client.send(new GetLayerVersionByArnCommand({ Arn: `${LAYER_ARN}:tools:1` }));
    expect({ ...byArn, $metadata: 0 }).toEqual({ ...got, $metadata: 0 });
    const download = await fetch(got.Content?.Location ?? '');
    expect(download.headers.get('content-type')).toBe('application/zip');
    expect(Buffer.from(await download.arrayBuffer()).equals(zip)).toBe(true);

    const second = await api.client.send(
      new PublishLayerVersionCommand({ LayerName: `${LAYER_ARN}:tools`, Content: { ZipFile: zip } }),
    );
    expect(second.Version).toBe(2);
    expect(second.LicenseInfo).toBeUndefined();
    const versions = await api.client.send(new ListLayerVersionsCommand({ LayerName: 'tools' }));
    expect(versions.LayerVersions?.map(({ Version }) => Version)).toEqual([2, 1]);
    const { Layers } = await api.client.send(new ListLayersCommand({ CompatibleRuntime: 'provided.al2023' }));
    expect(Layers).toMatchObject([{ LayerName: 'tools', LatestMatchingVersion: { Version: 1 } }]);

    for (const version of [1, 2, 3]) {
      const deleted = await api.client.send(
        new DeleteLayerVersionCommand({ LayerName: 'tools', VersionNumber: version }),
      );
      expect(deleted.$metadata.httpStatusCode).toBe(204);
    }
    expect(
      await refused(api.client.send(new GetLayerVersionCommand({ LayerName: 'tools', VersionNumber: 1 }))),
    ).toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'The resource you requested does not exist.',
    });
    const nothing = await api.client.send(new ListLayerVersionsCommand({ LayerName: 'tools' }));
    expect(nothing.LayerVersions).toEqual([]);
  });

  it('have version numbers from 1', async () => {
    expect(
      await refused(api.client.send(new GetLayerVersionCommand({ LayerName: 'tools', VersionNumber: 0 }))),
    ).toMatchObject({
      name: 'InvalidParameterValueException',
      message: 'Layer Version Cannot be less than 1',
    });
  });

  it('are refused when they are not a zip, or in a bucket that does not exist', async () => {
    const publish = (Content: object) =>
      refused(api.client.send(new PublishLayerVersionCommand({ LayerName: 'bad', Content })));
    expect(await publish({ ZipFile: Buffer.from('no zip') })).toMatchObject({
      name: 'InvalidParameterValueException',
      message: 'Could not unzip uploaded file. Please check your file, then try to upload again.',
    });
    expect((await publish({ S3Bucket: 'my-bucket', S3Key: 'k' })).message).toContain('NoSuchBucket');
  });

  it('cannot be downloaded without the signature of this service', async () => {
    const digest = createHash('sha256').update(zip).digest('hex');
    expect((await raw('GET', `/_content/${digest}`)).status).toBe(403);
    expect((await raw('GET', `/_content/${digest}?signature=${'0'.repeat(64)}`)).status).toBe(403);
    expect((await raw('GET', '/_content/../../etc/passwd?signature=x')).status).not.toBe(200);
  });
});

describe('functions', () => {
  it('are returned with exactly the members that AWS sends', async () => {
    const { $metadata, ...created } = await create('whole');
    expect($metadata.httpStatusCode).toBe(201);
    const configuration = {
      FunctionName: 'whole',
      FunctionArn: `${FUNCTION_ARN}:whole`,
      Runtime: 'provided.al2023',
      Role: ROLE,
      Handler: 'h',
      CodeSize: zip.length,
      Description: '',
      Timeout: 3,
      MemorySize: 128,
      LastModified: expect.stringMatching(/\+0000$/),
      CodeSha256: createHash('sha256').update(zip).digest('base64'),
      Version: '$LATEST',
      TracingConfig: { Mode: 'PassThrough' },
      RevisionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      PackageType: 'Zip',
      Architectures: ['x86_64'],
      EphemeralStorage: { Size: 512 },
      SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/whole' },
      RuntimeVersionConfig: {
        RuntimeVersionArn: expect.stringMatching(/^arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$/),
      },
    };
    expect(created).toEqual({
      ...configuration,
      State: 'Pending',
      StateReason: 'The function is being created.',
      StateReasonCode: 'Creating',
    });
    await waitUntilFunctionActiveV2({ client: api.client, maxWaitTime: 5 }, { FunctionName: 'whole' });
    const got = await api.client.send(new GetFunctionCommand({ FunctionName: 'whole' }));
    expect(got.Configuration).toEqual({ ...configuration, State: 'Active', LastUpdateStatus: 'Successful' });
    expect(got.Code).toEqual({
      RepositoryType: 'S3',
      Location: expect.stringContaining(`${api.url}/_content/`),
    });
    expect(got.Tags).toBeUndefined();
    const downloaded = await fetch(got.Code?.Location ?? '').then((response) => response.arrayBuffer());
    expect(Buffer.from(downloaded).equals(zip)).toBe(true);
    const { Functions } = await api.client.send(new ListFunctionsCommand({}));
    const { RuntimeVersionConfig, ...listed } = configuration;
    expect(RuntimeVersionConfig).toBeDefined();
    expect(Functions?.find(({ FunctionName }) => FunctionName === 'whole')).toEqual(listed);
  });

  it('return everything that was configured', async () => {
    const layer = await api.client.send(
      new PublishLayerVersionCommand({ LayerName: 'base', Content: { ZipFile: zip } }),
    );
    const members = {
      Description: 'about',
      Timeout: 7,
      MemorySize: 512,
      Environment: { Variables: { GREETING: 'hello', __not: undefined as unknown as string } },
      EphemeralStorage: { Size: 1024 },
      TracingConfig: { Mode: 'Active' },
      VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] },
      DeadLetterConfig: { TargetArn: 'arn:aws:sqs:us-east-1:123456789012:q' },
      KMSKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/k',
      LoggingConfig: { LogFormat: 'JSON', SystemLogLevel: 'WARN' },
      Layers: [layer.LayerVersionArn ?? ''],
      Architectures: ['arm64'],
      Tags: { team: 'a' },
    };
    const created = await create('furnished', members);
    expect(created).toMatchObject({
      Description: 'about',
      Timeout: 7,
      MemorySize: 512,
      Environment: { Variables: { GREETING: 'hello' } },
      EphemeralStorage: { Size: 1024 },
      TracingConfig: { Mode: 'Active' },
      VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'], Ipv6AllowedForDualStack: false },
      DeadLetterConfig: members.DeadLetterConfig,
      KMSKeyArn: members.KMSKeyArn,
      LoggingConfig: {
        LogFormat: 'JSON',
        ApplicationLogLevel: 'INFO',
        SystemLogLevel: 'WARN',
        LogGroup: '/aws/lambda/furnished',
      },
      Layers: [{ Arn: layer.LayerVersionArn, CodeSize: zip.length }],
      Architectures: ['arm64'],
    });
    const got = await api.client.send(new GetFunctionCommand({ FunctionName: 'furnished' }));
    expect(got.Tags).toEqual({ team: 'a' });
  });

  it('keep their dead-letter queue with an empty setting, and lose it with an empty ARN', async () => {
    const DeadLetterConfig = { TargetArn: 'arn:aws:sqs:us-east-1:123456789012:q' };
    await create('has-letters', { DeadLetterConfig });
    const update = (TargetArn?: string) =>
      api.client.send(
        new UpdateFunctionConfigurationCommand({
          FunctionName: 'has-letters',
          DeadLetterConfig: TargetArn === undefined ? {} : { TargetArn },
        }),
      );
    expect((await update()).DeadLetterConfig).toEqual(DeadLetterConfig);
    expect((await update('')).DeadLetterConfig).toBeUndefined();
  });

  it('can be named by name, partial ARN and ARN, each with a qualifier', async () => {
    await create('called');
    await api.client.send(new PublishVersionCommand({ FunctionName: 'called' }));
    for (const name of ['called', 'function:called', '123456789012:function:called', `${FUNCTION_ARN}:called`]) {
      const plain = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
      expect(plain.FunctionArn).toBe(`${FUNCTION_ARN}:called`);
      const qualified = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName: `${name}:1` }));
      expect([qualified.FunctionArn, qualified.Version]).toEqual([`${FUNCTION_ARN}:called:1`, '1']);
      const latest = await api.client.send(
        new GetFunctionConfigurationCommand({ FunctionName: name, Qualifier: '$LATEST' }),
      );
      expect(latest.FunctionArn).toBe(`${FUNCTION_ARN}:called:$LATEST`);
    }
    expect(
      await refused(api.client.send(new GetFunctionCommand({ FunctionName: 'called:1', Qualifier: '2' }))),
    ).toMatchObject({
      message: 'The derived qualifier from the function name does not match the specified qualifier.',
    });
    expect(
      await refused(
        api.client.send(
          new GetFunctionCommand({ FunctionName: 'arn:aws:lambda:eu-west-1:123456789012:function:called' }),
        ),
      ),
    ).toMatchObject({ message: "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')" });
    expect(
      await refused(
        api.client.send(
          new GetFunctionCommand({ FunctionName: 'arn:aws:lambda:us-east-1:999999999999:function:called' }),
        ),
      ),
    ).toMatchObject({
      name: 'AccessDeniedException',
      status: 403,
      message:
        'User: arn:aws:iam::123456789012:root is not authorized to perform: lambda:GetFunction on resource: ' +
        'arn:aws:lambda:us-east-1:999999999999:function:called ' +
        'because no resource-based policy allows the lambda:GetFunction action',
    });
  });

  it("are not created in another account, with AWS's error without a message", async () => {
    const response = await fetch(`${api.url}/2015-03-31/functions`, {
      method: 'POST',
      body: JSON.stringify({
        FunctionName: 'arn:aws:lambda:us-east-1:999999999999:function:called',
        Role: ROLE,
        Code: { ZipFile: 'UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==' },
      }),
    });
    expect([response.status, response.headers.get('x-amzn-errortype'), await response.text()]).toEqual([
      403,
      'AccessDeniedException',
      '{"Message":null}',
    ]);
  });

  it('are updated, published, listed by version and deleted', async () => {
    await create('changes');
    const code = await someCode('other');
    const updated = await api.client.send(new UpdateFunctionCodeCommand({ FunctionName: 'changes', ZipFile: code }));
    expect(updated).toMatchObject({ LastUpdateStatus: 'InProgress', CodeSize: code.length });
    await waitUntilFunctionUpdatedV2({ client: api.client, maxWaitTime: 5 }, { FunctionName: 'changes' });
    await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'changes', Timeout: 20 }));
    const first = await api.client.send(new PublishVersionCommand({ FunctionName: 'changes', Description: 'first' }));
    expect(first).toMatchObject({
      $metadata: { httpStatusCode: 201 },
      Version: '1',
      Description: 'first',
      Timeout: 20,
    });
    expect(first.FunctionArn).toBe(`${FUNCTION_ARN}:changes:1`);
    const { Versions } = await api.client.send(new ListVersionsByFunctionCommand({ FunctionName: 'changes' }));
    expect(Versions?.map(({ FunctionArn }) => FunctionArn)).toEqual([
      `${FUNCTION_ARN}:changes:$LATEST`,
      `${FUNCTION_ARN}:changes:1`,
    ]);
    const deleted = await api.client.send(new DeleteFunctionCommand({ FunctionName: 'changes' }));
    expect(deleted.$metadata.httpStatusCode).toBe(204);
    expect(await refused(api.client.send(new DeleteFunctionCommand({ FunctionName: 'changes' })))).toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Function not found: ${FUNCTION_ARN}:changes`,
    });
  });

  it('are listed in pages', async () => {
    for (const name of ['page-a', 'page-b', 'page-c']) await create(name);
    const names: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const page = await api.client.send(new ListFunctionsCommand({ MaxItems: 2, Marker }));
      expect(page.Functions?.length).toBeLessThanOrEqual(2);
      names.push(...(page.Functions ?? []).map(({ FunctionName }) => FunctionName));
      Marker = page.NextMarker;
    } while (Marker);
    expect(names).toEqual([...names].sort());
    expect(names.filter((name) => name?.startsWith('page-'))).toEqual(['page-a', 'page-b', 'page-c']);
  });

  // Recorded on AWS.
  it('have names of at most 64 characters', async () => {
    expect(await refused(create('a'.repeat(65)))).toMatchObject({
      name: 'InvalidParameterValueException',
      message: `1 validation error detected: Value '${'a'.repeat(65)}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64`,
    });
  });

  it('accept only code that AWS accepts', async () => {
    const before = JSON.stringify(
      await api.client.send(new ListFunctionsCommand({})).then(({ Functions }) => Functions),
    );
    expect(await refused(create('none', { Code: {} }))).toMatchObject({ name: 'InvalidParameterValueException' });
    expect((await refused(create('none', { Code: { S3Bucket: 'bucket', S3Key: 'k' } }))).message).toContain(
      'NoSuchBucket',
    );
    expect(await refused(create('none', { Code: { ZipFile: Buffer.alloc(52_428_801) } }))).toMatchObject({
      name: 'RequestEntityTooLargeException',
      status: 413,
      message: 'Zipped size must be smaller than 52428800 bytes',
    });
    const after = JSON.stringify(
      await api.client.send(new ListFunctionsCommand({})).then(({ Functions }) => Functions),
    );
    expect(after).toBe(before);
  });

  it('are refused in requests that are too large, before the request is read', async () => {
    const body = Buffer.alloc(70_167_212, 0x20);
    const { status, headers, text } = await raw('POST', '/2015-03-31/functions', body);
    expect([status, headers.get('x-amzn-errortype')]).toEqual([413, 'RequestEntityTooLargeException']);
    expect(JSON.parse(text)).toEqual({
      Message: 'Request must be smaller than 70167211 bytes for the CreateFunction operation',
    });
  });
});

describe('Invoke', () => {
  beforeAll(() => create('f'));
  const invoke = (more: object = {}) => api.client.send(new InvokeCommand({ FunctionName: 'f', ...more }));

  it("passes the event on byte for byte and returns the function's response", async () => {
    const payload = '{"name": "Wörld",\n "n": 1.0}';
    const { status, headers, text } = await raw('POST', '/2015-03-31/functions/f/invocations', payload);
    expect(status).toBe(200);
    expect(text).toBe(payload);
    expect(invoked.at(-1)?.payload.toString()).toBe(payload);
    expect(headers.get('x-amz-executed-version')).toBe('$LATEST');
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('x-amzn-remapped-content-length')).toBe('0');
    expect(headers.get('x-amz-function-error')).toBeNull();
    expect(headers.get('x-amz-log-result')).toBeNull();
    expect(headers.get('x-amzn-requestid')).toBe(invoked.at(-1)?.requestId);
  });

  it('passes an empty event when the client sends none', async () => {
    await invoke();
    expect(invoked.at(-1)?.payload.toString()).toBe('{}');
  });

  it('passes the ARN by which the function was invoked', async () => {
    await api.client.send(new PublishVersionCommand({ FunctionName: 'f' }));
    await invoke();
    expect(invoked.at(-1)?.invokedFunctionArn).toBe(`${FUNCTION_ARN}:f`);
    await invoke({ Qualifier: '$LATEST' });
    expect(invoked.at(-1)?.invokedFunctionArn).toBe(`${FUNCTION_ARN}:f:$LATEST`);
    const response = await invoke({ FunctionName: `${FUNCTION_ARN}:f:1` });
    expect(invoked.at(-1)?.invokedFunctionArn).toBe(`${FUNCTION_ARN}:f:1`);
    expect(response.ExecutedVersion).toBe('1');
  });

  it('continues a trace or starts one', async () => {
    const root = '1-5759e988-bd862e3fe1be46a994272793';
    const continued = await raw('POST', '/2015-03-31/functions/f/invocations', '{}', {
      'x-amzn-trace-id': `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`,
    });
    expect(invoked.at(-1)?.traceId).toMatch(
      new RegExp(`^Root=${root};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:[0-9a-f]{8}:0$`),
    );
    expect(continued.headers.get('x-amzn-trace-id')).toBe(`root=${root};parent=53995c3f42cd8ad8;sampled=1`);
    await invoke();
    expect(invoked.at(-1)?.traceId).toMatch(
      /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0$/,
    );
  });

  it('passes the client context as JSON and refuses one that is not JSON', async () => {
    const context = (text: string) => Buffer.from(text).toString('base64');
    await invoke({ ClientContext: context('{"custom": {"a": "ü"}}') });
    expect(invoked.at(-1)?.clientContext).toBe('{"custom": {"a": "ü"}}');
    expect(await refused(invoke({ ClientContext: context('no json') }))).toMatchObject({
      name: 'InvalidRequestContentException',
      message: 'Client context must be a valid Base64-encoded JSON object.',
    });
    expect(await refused(invoke({ ClientContext: context(`"${'x'.repeat(3000)}"`) }))).toMatchObject({
      name: 'InvalidRequestContentException',
    });
  });

  it('returns 200 and Unhandled when the function failed, with the tail of its log', async () => {
    outcome = async () => ({
      kind: 'failed',
      payload: Buffer.from('{"errorMessage":"m"}'),
      executedVersion: '$LATEST',
      logTail: Buffer.from('tail'),
    });
    const response = await invoke({ LogType: 'Tail' });
    outcome = echo;
    expect(response).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled', LogResult: 'dGFpbA==' });
    expect(invoked.at(-1)?.wantsLogTail).toBe(true);
    expect(Buffer.from(response.Payload ?? []).toString()).toBe('{"errorMessage":"m"}');
  });

  it('returns 429 with the reason when throttled', async () => {
    outcome = async () => ({ kind: 'throttled', reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' });
    const { status, text, headers } = await raw('POST', '/2015-03-31/functions/f/invocations', '{}');
    outcome = echo;
    expect(status).toBe(429);
    expect(headers.get('retry-after')).toBeNull();
    expect(text).toBe(
      '{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
    );
  });

  // Functions of every runtime can be created.
  it('suggests a solution for an unsupported runtime, unless there is a bootstrap', async () => {
    const Code = { ZipFile: await zipOf({ 'Main.class': '' }) };
    await create('in-java', { Runtime: 'java21', Code });
    const refusal = await refused(invoke({ FunctionName: 'in-java' }));
    expect([refusal.status, refusal.name]).toEqual([501, 'NotImplementedException']);
    expect(refusal.message).toMatch(/does not support the runtime java21.* layer with a bootstrap/);
    await create('in-node', { Runtime: 'nodejs22.x' });
    expect((await invoke({ FunctionName: 'in-node' })).StatusCode).toBe(200);
    await create('an-image', {
      PackageType: 'Image',
      Runtime: undefined,
      Handler: undefined,
      Code: { ImageUri: '123456789012.dkr.ecr.us-east-1.amazonaws.com/repo:latest' },
    });
    expect((await refused(invoke({ FunctionName: 'an-image' }))).message).toContain('container images');
  });

  it('does not run the function for DryRun', async () => {
    const before = invoked.length;
    const dry = await raw('POST', '/2015-03-31/functions/f/invocations', '{}', { 'x-amz-invocation-type': 'DryRun' });
    expect([dry.status, dry.text]).toEqual([204, '']);
    expect(invoked.length).toBe(before);
  });

  it('names a missing function with its qualifier, $LATEST by default', async () => {
    expect((await refused(invoke({ FunctionName: 'doesnotexist' }))).message).toBe(
      `Function not found: ${FUNCTION_ARN}:doesnotexist:$LATEST`,
    );
    expect((await refused(invoke({ Qualifier: '42' }))).message).toBe(`Function not found: ${FUNCTION_ARN}:f:42`);
    expect((await refused(invoke({ Qualifier: 'live' }))).message).toBe(`Function not found: ${FUNCTION_ARN}:f:live`);
  });

  it("refuses an event that is not JSON, in the parser's wording", async () => {
    const { status, headers, text } = await raw('POST', '/2015-03-31/functions/f/invocations', '{"a": b}');
    expect([status, headers.get('x-amzn-errortype')]).toEqual([400, 'InvalidRequestContentException']);
    expect(JSON.parse(text)).toMatchObject({
      Type: 'User',
      message: expect.stringMatching(
        /^Could not parse request body into json: Could not parse payload into json: Unrecognized token 'b': .*\n at \[Source: REDACTED/,
      ),
    });
  });

  it('accepts at most 6 MiB', async () => {
    const event = (length: number) => Buffer.from(`"${'x'.repeat(length - 2)}"`);
    const most = await raw('POST', '/2015-03-31/functions/f/invocations', event(6_291_456));
    expect([most.status, most.text.length]).toEqual([200, 6_291_456]);
    const more = await raw('POST', '/2015-03-31/functions/f/invocations', event(6_291_457));
    expect([more.status, more.text]).toEqual([
      413,
      '{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}',
    ]);
  });

  it('survives a client that disconnects', async () => {
    const disconnected = new Promise<void>((resolve) => {
      const request = httpRequest(`${api.url}/2015-03-31/functions/f/invocations`, {
        method: 'POST',
        headers: { 'content-length': '100', expect: '100-continue' },
      });
      request.on('error', () => resolve());
      request.on('close', () => resolve());
      // The server reads the body.
      request.on('continue', () => request.write('{"a":', () => request.destroy()));
      request.flushHeaders();
    });
    await disconnected;
    expect((await raw('POST', '/2015-03-31/functions/f/invocations', '{}')).status).toBe(200);
  });
});
