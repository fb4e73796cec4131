/**
 * Members of inputs are never silently dropped: whatever the output has a member for is returned as it was set, whether
 * Lamella acts on it or only stores it. The inputs come from the API model, so that a new member is tested too.
 */
import * as sdk from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyMember } from '../../test/support/model-requests.ts';
import { ROLE, type RunningLambdaApi, someCode, startLambdaApi } from '../../test/support/running-lambda-api.ts';
import type { OperationName } from '../protocol/operations.ts';

type Values = Readonly<Record<string, unknown>>;
type Row = {
  readonly set: OperationName;
  readonly get: OperationName;
  /** What the generated input lacks, or what the service accepts no example for. */
  readonly values?: Values;
  /** The input of `get`, where it is not the one of `set`. */
  readonly request?: Values | ((created: Values) => Values);
  /** The part of the output that holds the members. */
  readonly read?: (output: Values) => unknown;
  /** Members that the output has no member for, each with where it can be seen, or why it cannot. */
  readonly elsewhere?: Readonly<Record<string, string>>;
};

const NAME = 'model-made';
const REFERENCE = { S3Bucket: 'bucket', S3Key: 'key', S3ObjectVersion: '1' };
const QUEUE = 'arn:aws:sqs:us-east-1:123456789012:q';
const KEY = 'arn:aws:kms:us-east-1:123456789012:key/1';
const CODE = { ...REFERENCE, S3ObjectStorageMode: 'REFERENCE', SourceKMSKeyArn: KEY };
/** A runtime that takes snapshots, and logging whose levels can be set. */
const COMBINED = {
  Runtime: 'java21',
  LoggingConfig: { LogFormat: 'JSON', ApplicationLogLevel: 'WARN', LogGroup: 'g' },
};
const name = { FunctionName: 'the name in the request' };
const qualified = { ...name, Qualifier: 'the qualifier in the request' };
/** The image's configuration is returned one level further down. */
const withImage = ({ ImageConfigResponse, ...configuration }: Values) => ({
  ...configuration,
  ...(ImageConfigResponse as object),
});

const ROWS: readonly Row[] = [
  {
    set: 'CreateFunction',
    get: 'GetFunctionConfiguration',
    values: {
      ...COMBINED,
      FunctionName: 'created',
      Code: CODE,
      DurableConfig: undefined,
      PublishTo: undefined,
      TenancyConfig: undefined,
      Layers: undefined,
      CodeSigningConfigArn: undefined,
      Publish: false,
    },
    request: { FunctionName: 'created' },
    read: withImage,
    elsewhere: {
      Code: 'GetFunction',
      Publish: 'ListVersionsByFunction',
      PublishTo: 'refused',
      DurableConfig: 'refused',
      TenancyConfig: 'test/flows/tenant-isolation.test.ts: it excludes SnapStart',
      Tags: 'ListTags',
      CodeSigningConfigArn: 'GetFunctionCodeSigningConfig',
      Layers: 'test/flows/aws-sdk.test.ts',
    },
  },
  {
    set: 'UpdateFunctionConfiguration',
    get: 'GetFunctionConfiguration',
    values: { ...COMBINED, Layers: undefined, RevisionId: undefined, DurableConfig: undefined },
    read: withImage,
    elsewhere: { Layers: 'test/flows/aws-sdk.test.ts', RevisionId: 'a new one', DurableConfig: 'refused' },
  },
  {
    set: 'UpdateFunctionCode',
    get: 'GetFunction',
    values: { ...CODE, ZipFile: undefined, ImageUri: undefined, RevisionId: undefined, PublishTo: undefined },
    read: ({ Code, Configuration }) => ({ ...(Configuration as Values), ...(Code as Values) }),
    elsewhere: {
      ...Object.fromEntries(Object.keys(REFERENCE).map((member) => [member, 'ResolvedS3Object: see below'])),
      S3ObjectStorageMode: 'ResolvedS3Object: see below',
      ZipFile: 'Location',
      ImageUri: 'ResolvedImageUri, for functions that are images',
      Publish: 'ListVersionsByFunction',
      PublishTo: 'refused',
      DryRun: 'none: nothing is set',
      RevisionId: 'a new one',
    },
  },
  {
    set: 'CreateAlias',
    get: 'GetAlias',
    values: { Name: 'created', FunctionVersion: '1', RoutingConfig: undefined },
    elsewhere: { ...name, RoutingConfig: 'test/flows/aws-sdk.test.ts' },
  },
  {
    set: 'CreateEventSourceMapping',
    get: 'GetEventSourceMapping',
    values: {
      EventSourceArn: 'arn:aws:kinesis:us-east-1:123456789012:stream/s',
      DestinationConfig: { OnFailure: { Destination: QUEUE } },
      FilterCriteria: { Filters: [{ Pattern: '{"data":["x"]}' }] },
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: new Date(1_700_000_000_000),
    },
    request: (created: Values) => ({ UUID: created.UUID }),
    elsewhere: { ...name, Enabled: 'State', Tags: 'ListTags' },
  },
  {
    set: 'CreateFunctionUrlConfig',
    get: 'GetFunctionUrlConfig',
    values: { Qualifier: undefined },
    elsewhere: qualified,
  },
  {
    set: 'PublishLayerVersion',
    get: 'GetLayerVersion',
    values: { Content: CODE },
    request: (created: Values) => ({ LayerName: created.LayerArn, VersionNumber: created.Version }),
    elsewhere: { LayerName: 'LayerArn', Content: 'see below' },
  },
  {
    set: 'PutFunctionEventInvokeConfig',
    get: 'GetFunctionEventInvokeConfig',
    values: {
      Qualifier: undefined,
      DestinationConfig: { OnFailure: { Destination: QUEUE }, OnSuccess: { Destination: QUEUE } },
    },
    elsewhere: qualified,
  },
  {
    set: 'CreateCodeSigningConfig',
    get: 'GetCodeSigningConfig',
    request: (created: Values) => ({
      CodeSigningConfigArn: (created.CodeSigningConfig as Values).CodeSigningConfigArn,
    }),
    read: ({ CodeSigningConfig }) => CodeSigningConfig,
    elsewhere: { Tags: 'ListTags' },
  },
  {
    set: 'PutRuntimeManagementConfig',
    get: 'GetRuntimeManagementConfig',
    values: { Qualifier: undefined, UpdateRuntimeOn: 'Manual' },
    elsewhere: qualified,
  },
  {
    set: 'PutFunctionScalingConfig',
    get: 'GetFunctionScalingConfig',
    values: { Qualifier: '1' },
    read: ({ RequestedFunctionScalingConfig }) => ({ FunctionScalingConfig: RequestedFunctionScalingConfig }),
    elsewhere: qualified,
  },
  { set: 'PutFunctionRecursionConfig', get: 'GetFunctionRecursionConfig', elsewhere: name },
  {
    set: 'PutProvisionedConcurrencyConfig',
    get: 'GetProvisionedConcurrencyConfig',
    values: { Qualifier: '1' },
    read: ({ RequestedProvisionedConcurrentExecutions }) => ({
      ProvisionedConcurrentExecutions: RequestedProvisionedConcurrentExecutions,
    }),
    elsewhere: qualified,
  },
];

let api: RunningLambdaApi;
beforeAll(async () => {
  const zip = await someCode();
  api = await startLambdaApi({ readObject: async () => ({ bytes: zip }) });
  await call('CreateFunction', {
    FunctionName: NAME,
    Role: ROLE,
    Runtime: 'provided.al2023',
    Handler: 'h',
    Code: { ZipFile: zip },
    Publish: true,
  });
});
afterAll(async () => {
  expect(api.failures).toEqual([]);
  await api.close();
});

async function call(operation: OperationName, input: Values): Promise<Values> {
  const commands = sdk as unknown as Record<string, new (input: Values) => sdk.GetFunctionCommand>;
  const Command = commands[`${operation}Command`];
  if (Command === undefined) throw new Error(`the SDK has no ${operation}Command`);
  return (await api.client.send(new Command(input))) as unknown as Values;
}

describe('what an operation sets is returned by the operation that reads it', () => {
  it.each(ROWS)('$set, $get', async ({ set, get, values, request, read, elsewhere = {} }) => {
    const input = { ...everyMember(set), ...values };
    const created = await call(set, input);
    const output = await call(get, typeof request === 'function' ? request(created) : (request ?? input));
    const returned = Object.entries(input).filter(([member]) => !Object.hasOwn(elsewhere, member));
    expect(read?.(output) ?? output).toMatchObject(Object.fromEntries(returned));
  });
});

describe('the object that code or a layer refers to', () => {
  it('is returned with its KMS key, also after other changes', async () => {
    await call('UpdateFunctionCode', { FunctionName: NAME, ...CODE });
    await call('UpdateFunctionConfiguration', { FunctionName: NAME, Description: 'changed' });
    const { Code } = await call('GetFunction', { FunctionName: NAME });
    expect(Code).toMatchObject({ ResolvedS3Object: REFERENCE, SourceKMSKeyArn: KEY });
    const layer = await call('PublishLayerVersion', { LayerName: 'referenced', Content: CODE });
    expect(layer.Content).toMatchObject({ ResolvedS3Object: REFERENCE });
  });

  it('is not returned when its content was to be copied', async () => {
    await call('UpdateFunctionCode', { FunctionName: NAME, ...REFERENCE, S3ObjectStorageMode: 'COPY' });
    const { Code } = await call('GetFunction', { FunctionName: NAME });
    expect(Code).toEqual({ RepositoryType: 'S3', Location: expect.any(String) });
  });
});
