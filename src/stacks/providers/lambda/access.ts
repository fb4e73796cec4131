/** What belongs to a function without being one: permissions, URLs, event sources, event settings, code signing. */
import { renderEventSourceMappingArn } from '../../../protocol/arn.ts';
import type { OperationMembers } from '../../../wire/api-call.ts';
import { lambdaMembers, pick, tagChanges, tagMap, tolerateMissing } from '../members.ts';
import { createPhysicalName } from '../physical-names.ts';
import type { Json, Properties, ResourceContext, ResourceProvider } from '../provider.ts';

function call(context: ResourceContext, operation: string, members: OperationMembers): Promise<OperationMembers> {
  return context.call('lambda', operation, lambdaMembers(operation, members));
}

export const lambdaPermission: ResourceProvider = {
  type: 'AWS::Lambda::Permission',
  attributes: ['Id'],
  async create(properties, context) {
    const { stack, logicalId } = context;
    const StatementId = createPhysicalName({ stackName: stack.name, logicalId, maxLength: 100 });
    await call(context, 'AddPermission', { ...properties, StatementId });
    return { physicalId: StatementId, attributes: { Id: StatementId } };
  },
  delete: ({ physicalId, properties: { FunctionName } }, context) =>
    tolerateMissing(call(context, 'RemovePermission', { FunctionName, StatementId: physicalId })),
};

export const lambdaUrl: ResourceProvider = {
  type: 'AWS::Lambda::Url',
  async create(properties, context) {
    const result = await call(context, 'CreateFunctionUrlConfig', urlMembers(properties));
    const physicalId = String(result.FunctionArn);
    return { physicalId, attributes: { FunctionArn: physicalId, FunctionUrl: String(result.FunctionUrl) } };
  },
  async update(existing, properties, context) {
    const reset = { Cors: {}, InvokeMode: 'BUFFERED' };
    const result = await call(context, 'UpdateFunctionUrlConfig', { ...reset, ...urlMembers(properties) });
    const attributes = { FunctionArn: String(result.FunctionArn), FunctionUrl: String(result.FunctionUrl) };
    return { physicalId: existing.physicalId, attributes };
  },
  delete: ({ properties }, context) =>
    tolerateMissing(
      call(context, 'DeleteFunctionUrlConfig', pick(urlMembers(properties), ['FunctionName', 'Qualifier'])),
    ),
};

function urlMembers({ TargetFunctionArn, ...properties }: Properties): Properties {
  return {
    FunctionName: TargetFunctionArn as Json,
    ...pick(properties, ['Qualifier', 'AuthType', 'Cors', 'InvokeMode']),
  };
}

export const lambdaEventSourceMapping: ResourceProvider = {
  type: 'AWS::Lambda::EventSourceMapping',
  async create({ Tags, ...properties }, context) {
    const result = await call(context, 'CreateEventSourceMapping', { ...properties, Tags: tagMap(Tags) });
    const physicalId = String(result.UUID);
    context.created(physicalId);
    return { physicalId, attributes: mappingAttributes(physicalId, context) };
  },
  async update({ physicalId, properties: before }, { Tags, ...properties }, context) {
    const { EventSourceArn: _, StartingPosition: __, StartingPositionTimestamp: ___, ...changeable } = properties;
    await call(context, 'UpdateEventSourceMapping', { UUID: physicalId, Enabled: true, ...changeable });
    const Resource = renderEventSourceMappingArn(context.scope, physicalId);
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(Tags));
    if (removed.length > 0) await call(context, 'UntagResource', { Resource, TagKeys: removed });
    if (Object.keys(set).length > 0) await call(context, 'TagResource', { Resource, Tags: set });
    return { physicalId, attributes: mappingAttributes(physicalId, context) };
  },
  delete: ({ physicalId }, context) => tolerateMissing(call(context, 'DeleteEventSourceMapping', { UUID: physicalId })),
};

function mappingAttributes(Id: string, { scope }: ResourceContext): Record<string, Json> {
  return { Id, EventSourceMappingArn: renderEventSourceMappingArn(scope, Id) };
}

export const lambdaEventInvokeConfig: ResourceProvider = {
  type: 'AWS::Lambda::EventInvokeConfig',
  async create(properties, context) {
    await call(context, 'PutFunctionEventInvokeConfig', properties);
    return { physicalId: `${String(properties.FunctionName)}|${String(properties.Qualifier)}`, attributes: {} };
  },
  async update({ physicalId, attributes }, properties, context) {
    await call(context, 'PutFunctionEventInvokeConfig', properties);
    return { physicalId, attributes };
  },
  delete: ({ properties }, context) =>
    tolerateMissing(call(context, 'DeleteFunctionEventInvokeConfig', pick(properties, ['FunctionName', 'Qualifier']))),
};

export const lambdaCodeSigningConfig: ResourceProvider = {
  type: 'AWS::Lambda::CodeSigningConfig',
  async create({ Tags, ...properties }, context) {
    const result = await call(context, 'CreateCodeSigningConfig', { ...properties, Tags: tagMap(Tags) });
    const { CodeSigningConfigArn, CodeSigningConfigId } = result.CodeSigningConfig as Properties;
    const physicalId = String(CodeSigningConfigArn);
    context.created(physicalId);
    return {
      physicalId,
      attributes: { CodeSigningConfigArn: physicalId, CodeSigningConfigId: String(CodeSigningConfigId) },
    };
  },
  async update({ properties: before, ...existing }, { Tags, ...properties }, context) {
    const CodeSigningConfigArn = existing.physicalId;
    const policies = { CodeSigningPolicies: { UntrustedArtifactOnDeployment: 'Warn' } };
    await call(context, 'UpdateCodeSigningConfig', {
      Description: '',
      ...policies,
      ...properties,
      CodeSigningConfigArn,
    });
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(Tags));
    if (removed.length > 0) await call(context, 'UntagResource', { Resource: CodeSigningConfigArn, TagKeys: removed });
    if (Object.keys(set).length > 0) await call(context, 'TagResource', { Resource: CodeSigningConfigArn, Tags: set });
    return existing;
  },
  delete: ({ physicalId }, context) =>
    tolerateMissing(call(context, 'DeleteCodeSigningConfig', { CodeSigningConfigArn: physicalId })),
};
