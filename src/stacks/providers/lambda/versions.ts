/** AWS::Lambda::Version, AWS::Lambda::Alias and the layers' types. */
import { parseFunctionReference, parseLayerVersionArn, renderLayerArn } from '../../../protocol/arn.ts';
import type { OperationMembers } from '../../../wire/api-call.ts';
import { lambdaMembers, pick, tolerateMissing } from '../members.ts';
import { type Properties, type ResourceContext, ResourceFailure, type ResourceProvider } from '../provider.ts';

function call(context: ResourceContext, operation: string, members: OperationMembers): Promise<OperationMembers> {
  return context.call('lambda', operation, lambdaMembers(operation, members));
}

export const lambdaVersion: ResourceProvider = {
  type: 'AWS::Lambda::Version',
  async create(properties, context) {
    const { FunctionName, ProvisionedConcurrencyConfig } = properties;
    const known = await versionsOf(context, FunctionName);
    const members = pick(properties, ['FunctionName', 'Description', 'CodeSha256']);
    const { FunctionArn, Version } = await call(context, 'PublishVersion', members);
    if (known.has(String(Version))) {
      throw new ResourceFailure(
        `A version for this Lambda function exists ( ${String(Version)} ). Modify the function to create a new version.`,
      );
    }
    const physicalId = String(FunctionArn);
    context.created(physicalId);
    await provision(context, { FunctionName, Qualifier: Version }, ProvisionedConcurrencyConfig);
    return { physicalId, attributes: { Version: String(Version), FunctionArn: physicalId } };
  },
  async update(existing) {
    // FunctionScalingConfig, which has no effect here, is all that can change.
    return existing;
  },
  async delete({ physicalId }, context) {
    const Qualifier = parseFunctionReference(physicalId)?.qualifier;
    await tolerateMissing(
      call(context, 'DeleteFunction', { FunctionName: physicalId.replace(/:\d+$/, ''), Qualifier }),
    );
  },
};

async function versionsOf(context: ResourceContext, FunctionName: unknown): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  let Marker: unknown;
  do {
    const page = await call(context, 'ListVersionsByFunction', {
      FunctionName,
      ...(Marker !== undefined && { Marker }),
    });
    for (const { Version } of page.Versions as readonly OperationMembers[]) found.add(String(Version));
    Marker = page.NextMarker;
  } while (Marker !== undefined);
  return found;
}

async function provision(context: ResourceContext, target: OperationMembers, config: unknown): Promise<void> {
  if (config === undefined) return;
  const { ProvisionedConcurrentExecutions } = config as Properties;
  await call(context, 'PutProvisionedConcurrencyConfig', { ...target, ProvisionedConcurrentExecutions });
}

export const lambdaAlias: ResourceProvider = {
  type: 'AWS::Lambda::Alias',
  async create(properties, context) {
    const { FunctionName, Name, ProvisionedConcurrencyConfig } = properties;
    const { AliasArn } = await call(context, 'CreateAlias', aliasMembers(properties));
    const physicalId = String(AliasArn);
    context.created(physicalId);
    await provision(context, { FunctionName, Qualifier: Name }, ProvisionedConcurrencyConfig);
    return { physicalId, attributes: { AliasArn: physicalId } };
  },
  async update({ properties: before, ...existing }, properties, context) {
    const { FunctionName, Name: Qualifier, ProvisionedConcurrencyConfig } = properties;
    // An empty routing configuration removes the weights.
    const routing = { RoutingConfig: { AdditionalVersionWeights: {} }, ...aliasMembers(properties) };
    await call(context, 'UpdateAlias', { Description: '', ...routing });
    const target = { FunctionName, Qualifier };
    if (ProvisionedConcurrencyConfig !== undefined) await provision(context, target, ProvisionedConcurrencyConfig);
    else if (before.ProvisionedConcurrencyConfig !== undefined) {
      await tolerateMissing(call(context, 'DeleteProvisionedConcurrencyConfig', target));
    }
    return existing;
  },
  delete: ({ properties }, context) =>
    tolerateMissing(call(context, 'DeleteAlias', pick(properties, ['FunctionName', 'Name']))),
};

function aliasMembers(properties: Properties): OperationMembers {
  const weights = (properties.RoutingConfig as Properties | undefined)?.AdditionalVersionWeights;
  const AdditionalVersionWeights = Array.isArray(weights)
    ? Object.fromEntries(
        (weights as readonly Properties[]).map(({ FunctionVersion, FunctionWeight }) => [
          String(FunctionVersion),
          Number(FunctionWeight),
        ]),
      )
    : undefined;
  return {
    ...pick(properties, ['FunctionName', 'Name', 'FunctionVersion', 'Description']),
    ...(AdditionalVersionWeights && { RoutingConfig: { AdditionalVersionWeights } }),
  };
}

export const lambdaLayerVersion: ResourceProvider = {
  type: 'AWS::Lambda::LayerVersion',
  naming: { property: 'LayerName', maxLength: 140 },
  async create(properties, context) {
    const { Content, ...rest } = properties;
    const result = await call(context, 'PublishLayerVersion', {
      ...pick(rest, ['LayerName', 'Description', 'LicenseInfo', 'CompatibleRuntimes', 'CompatibleArchitectures']),
      Content: pick(Content as Properties, ['S3Bucket', 'S3Key', 'S3ObjectVersion']),
    });
    const physicalId = String(result.LayerVersionArn);
    context.created(physicalId);
    return { physicalId, attributes: { LayerVersionArn: physicalId } };
  },
  async delete({ physicalId }, context) {
    const layer = parseLayerVersionArn(physicalId);
    if (layer === undefined) return;
    const LayerName = renderLayerArn(layer.scope, layer.name);
    await tolerateMissing(call(context, 'DeleteLayerVersion', { LayerName, VersionNumber: layer.version }));
  },
};

export const lambdaLayerVersionPermission: ResourceProvider = {
  type: 'AWS::Lambda::LayerVersionPermission',
  async create(properties, context) {
    const StatementId = `${context.logicalId}-${context.token.slice(0, 8)}`;
    const members = { StatementId, ...pick(properties, ['Action', 'Principal', 'OrganizationId']) };
    await call(context, 'AddLayerVersionPermission', { ...layerOf(properties), ...members });
    return { physicalId: `${String(properties.LayerVersionArn)}#${StatementId}`, attributes: {} };
  },
  async delete({ physicalId, properties }, context) {
    const StatementId = physicalId.slice(physicalId.indexOf('#') + 1);
    await tolerateMissing(call(context, 'RemoveLayerVersionPermission', { ...layerOf(properties), StatementId }));
  },
};

function layerOf({ LayerVersionArn }: Properties): OperationMembers {
  const layer = parseLayerVersionArn(String(LayerVersionArn));
  if (layer === undefined) throw new ResourceFailure(`${String(LayerVersionArn)} is not the ARN of a layer version.`);
  return { LayerName: renderLayerArn(layer.scope, layer.name), VersionNumber: layer.version };
}
