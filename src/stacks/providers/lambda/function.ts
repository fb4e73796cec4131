/** AWS::Lambda::Function, with the settings that are properties of the function here and operations of their own there. */
import { renderFunctionArn } from '../../../protocol/arn.ts';
import type { OperationMembers } from '../../../wire/api-call.ts';
import { lambdaMembers, pick, tagChanges, tagMap, tolerateMissing } from '../members.ts';
import {
  type Json,
  type PhysicalResource,
  type Properties,
  type ResourceContext,
  ResourceFailure,
  type ResourceProvider,
} from '../provider.ts';
import { zipInlineCode } from './inline-code.ts';

/** Properties that CreateFunction and UpdateFunctionConfiguration take, with what removing one sets. */
const CONFIGURATION: Readonly<Record<string, Json | undefined>> = {
  DeadLetterConfig: { TargetArn: '' },
  Description: '',
  DurableConfig: undefined,
  Environment: { Variables: {} },
  EphemeralStorage: { Size: 512 },
  FileSystemConfigs: [],
  Handler: undefined,
  ImageConfig: {},
  KmsKeyArn: '',
  Layers: [],
  LoggingConfig: { LogFormat: 'Text' },
  MemorySize: 128,
  Role: undefined,
  Runtime: undefined,
  SnapStart: { ApplyOn: 'None' },
  Timeout: 3,
  TracingConfig: { Mode: 'PassThrough' },
  VpcConfig: { SubnetIds: [], SecurityGroupIds: [] },
};

export const lambdaFunction: ResourceProvider = {
  type: 'AWS::Lambda::Function',
  naming: { property: 'FunctionName', maxLength: 64 },
  async create(properties, context) {
    const name = String(properties.FunctionName);
    const { CodeSigningConfigArn, PackageType, Architectures } = properties;
    await call(context, 'CreateFunction', {
      FunctionName: name,
      ...renamed(pick(properties, [...Object.keys(CONFIGURATION), 'TenancyConfig', 'CapacityProviderConfig'])),
      Code: await codeOf(properties),
      Tags: tagMap(properties.Tags),
      ...present({ CodeSigningConfigArn, PackageType, Architectures }),
    });
    context.created(name);
    await untilReady(name, context);
    await applySettings(name, {}, properties, context);
    return made(name, properties, context);
  },
  async update({ physicalId: name, properties: before }, properties, context) {
    const isChanged = (key: string) => JSON.stringify(before[key]) !== JSON.stringify(properties[key]);
    if (isChanged('Code') || isChanged('Architectures') || (isInline(properties) && isChanged('Runtime'))) {
      const { Architectures } = properties;
      await call(context, 'UpdateFunctionCode', {
        FunctionName: name,
        ...(await codeOf(properties)),
        ...present({ Architectures: Architectures ?? ['x86_64'] }),
      });
      await untilReady(name, context);
    }
    const changed = Object.keys(CONFIGURATION).filter(isChanged);
    if (changed.length > 0) {
      const values = Object.fromEntries(
        changed.flatMap((key) => {
          const value = properties[key] ?? CONFIGURATION[key];
          return value === undefined ? [] : [[key, value]];
        }),
      );
      await call(context, 'UpdateFunctionConfiguration', { FunctionName: name, ...renamed(values) });
      await untilReady(name, context);
    }
    await applySettings(name, before, properties, context);
    await applyTags(name, before, properties, context);
    return made(name, properties, context);
  },
  delete: ({ physicalId }, context) => tolerateMissing(call(context, 'DeleteFunction', { FunctionName: physicalId })),
};

function call(context: ResourceContext, operation: string, members: OperationMembers): Promise<OperationMembers> {
  return context.call('lambda', operation, lambdaMembers(operation, members));
}

/** The API spells one member in another way. */
function renamed({ KmsKeyArn, ...properties }: Properties): OperationMembers {
  return { ...properties, ...present({ KMSKeyArn: KmsKeyArn }) };
}

function present(members: Readonly<Record<string, Json | undefined>>): OperationMembers {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function isInline({ Code }: Properties): boolean {
  return typeof Code === 'object' && Code !== null && 'ZipFile' in Code;
}

async function codeOf({ Code, Runtime }: Properties): Promise<Record<string, Json>> {
  const code = Code as Properties;
  const { S3Bucket, S3Key, S3ObjectVersion, ImageUri, ZipFile, SourceKMSKeyArn } = code;
  if (typeof ZipFile === 'string') return { ZipFile: await zipInlineCode(ZipFile, String(Runtime ?? '')) };
  if (ImageUri === undefined && (S3Bucket === undefined || S3Key === undefined)) {
    throw new ResourceFailure('Please provide a source for function code.');
  }
  return present({ S3Bucket, S3Key, S3ObjectVersion, ImageUri, SourceKMSKeyArn }) as Record<string, Json>;
}

/** Waits until the function can be invoked and changed. */
async function untilReady(name: string, context: ResourceContext): Promise<void> {
  for (;;) {
    const { State, StateReason, LastUpdateStatus, LastUpdateStatusReason } = await call(
      context,
      'GetFunctionConfiguration',
      { FunctionName: name },
    );
    if (State === 'Failed') throw new ResourceFailure(String(StateReason));
    if (LastUpdateStatus === 'Failed') throw new ResourceFailure(String(LastUpdateStatusReason));
    if (State !== 'Pending' && LastUpdateStatus !== 'InProgress') return;
    await context.wait(100);
  }
}

/** Concurrency, code signing, runtime management and recursion. */
async function applySettings(
  FunctionName: string,
  before: Properties,
  after: Properties,
  context: ResourceContext,
): Promise<void> {
  const isChanged = (key: string) => JSON.stringify(before[key]) !== JSON.stringify(after[key]);
  const { ReservedConcurrentExecutions, RuntimeManagementConfig, RecursiveLoop, CodeSigningConfigArn } = after;
  if (isChanged('ReservedConcurrentExecutions')) {
    if (ReservedConcurrentExecutions === undefined) await call(context, 'DeleteFunctionConcurrency', { FunctionName });
    else await call(context, 'PutFunctionConcurrency', { FunctionName, ReservedConcurrentExecutions });
  }
  if (isChanged('RuntimeManagementConfig')) {
    const config = (RuntimeManagementConfig ?? { UpdateRuntimeOn: 'Auto' }) as Properties;
    await call(context, 'PutRuntimeManagementConfig', { FunctionName, ...config });
  }
  if (isChanged('RecursiveLoop')) {
    await call(context, 'PutFunctionRecursionConfig', { FunctionName, RecursiveLoop: RecursiveLoop ?? 'Terminate' });
  }
  if (isChanged('CodeSigningConfigArn') && Object.keys(before).length > 0) {
    if (CodeSigningConfigArn === undefined) {
      await call(context, 'DeleteFunctionCodeSigningConfig', { FunctionName });
    } else await call(context, 'PutFunctionCodeSigningConfig', { FunctionName, CodeSigningConfigArn });
  }
}

async function applyTags(name: string, before: Properties, after: Properties, context: ResourceContext): Promise<void> {
  const Resource = renderFunctionArn(context.scope, name);
  const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(after.Tags));
  if (removed.length > 0) await call(context, 'UntagResource', { Resource, TagKeys: removed });
  if (Object.keys(set).length > 0) await call(context, 'TagResource', { Resource, Tags: set });
}

function made(name: string, { SnapStart }: Properties, { scope }: ResourceContext): PhysicalResource {
  const applyOn = ((SnapStart as Properties | undefined)?.ApplyOn ?? 'None') as Json;
  return {
    physicalId: name,
    attributes: {
      Arn: renderFunctionArn(scope, name),
      'SnapStartResponse.ApplyOn': applyOn,
      'SnapStartResponse.OptimizationStatus': 'Off',
    },
  };
}
