/** AutoPublishAlias: a version whose logical id is a hash of what it publishes, and the alias that points to it. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import type { SamContext } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { getAtt, logicalIdOf } from '../intrinsics.ts';
import { hashOf, isTruthy } from '../python.ts';
import { type CfnResource, cfnResource, refOf, renderResource, type SamResource } from '../resources.ts';

export interface PublishedAlias {
  readonly name: string;
  readonly version: CfnResource;
  readonly alias: CfnResource;
}

/**
 * The version and the alias; with AutoPublishCodeSha256 the hash also goes into the function's description, so that the function
 * changes with it.
 *
 * @returns undefined without AutoPublishAlias
 * @throws InvalidResource for an alias or a hash that is not known now
 */
export function publishedAlias(
  resource: SamResource,
  made: CfnResource,
  context: SamContext,
): PublishedAlias | undefined {
  const { logicalId, properties } = resource;
  if (!isTruthy(properties.AutoPublishAlias)) return undefined;
  const name = context.resolveParameters(properties.AutoPublishAlias);
  if (typeof name !== 'string') {
    throw new InvalidResource(logicalId, "'AutoPublishAlias' must be a string or a Ref to a template parameter");
  }
  const sha256 = codeSha256(resource, made, context);
  const version = versionOf(resource, made, context, sha256);
  return { name, version, alias: aliasOf(resource, made, version, name) };
}

function codeSha256(
  { logicalId, properties }: SamResource,
  made: CfnResource,
  context: SamContext,
): string | undefined {
  if (!isTruthy(properties.AutoPublishCodeSha256)) return undefined;
  const sha256 = context.resolveParameters(properties.AutoPublishCodeSha256);
  if (typeof sha256 !== 'string') throw new InvalidResource(logicalId, 'AutoPublishCodeSha256 must be a string');
  const description = context.resolveParameters(properties.Description);
  if (!isTruthy(description) || typeof description === 'string') {
    made.properties.Description = isTruthy(description) ? `${description as string} ${sha256}` : sha256;
  } else {
    made.properties.Description = { 'Fn::Join': [' ', [description as Json, sha256]] };
  }
  return sha256;
}

function versionOf(
  resource: SamResource,
  made: CfnResource,
  context: SamContext,
  sha256: string | undefined,
): CfnResource {
  const { properties } = resource;
  context.resolveParameters(made.properties.Code);
  const hashed = isTruthy(properties.AutoPublishAliasAllProperties)
    ? allProperties(made, context)
    : codeProperties(made.properties);
  const hash = sha256 !== undefined && sha256 !== '' ? sha256.slice(0, 10) : hashOf(hashed);
  const isManaged = isPresent(properties.CapacityProviderConfig);
  const deletionPolicy = properties.VersionDeletionPolicy ?? (isManaged ? 'Delete' : 'Retain');
  return cfnResource(
    'AWS::Lambda::Version',
    `${resource.logicalId}Version${hash}`,
    { DeletionPolicy: deletionPolicy, ...resource.passedAttributes },
    {
      FunctionName: refOf(made),
      Description: properties.VersionDescription,
      FunctionScalingConfig: isManaged ? properties.FunctionScalingConfig : undefined,
    },
  );
}

/** All properties, and those of layers of the template whose change shall publish a version. */
function allProperties(made: CfnResource, context: SamContext): JsonObject {
  const properties = { ...(renderResource(made).Properties as JsonObject) };
  const layers = made.properties.Layers;
  for (const layer of Array.isArray(layers) ? layers : []) {
    const layerId = logicalIdOf(layer);
    const resource = layerId === undefined ? undefined : member(context.outputResources, layerId);
    if (layerId === undefined || !isMap(resource)) continue;
    const layerProperties = resource.Properties ?? {};
    if (isMap(layerProperties) && isTruthy(layerProperties.PublishLambdaVersion)) properties[layerId] = layerProperties;
  }
  return properties;
}

function codeProperties({ Code, Environment, MemorySize, SnapStart }: CfnResource['properties']): JsonObject {
  const hashed: JsonObject = { ...(Code as JsonObject) };
  if (isMap(Environment)) Object.assign(hashed, Environment);
  if (isTruthy(MemorySize)) hashed.MemorySize = MemorySize as Json;
  if (isMap(SnapStart) && isTruthy(SnapStart) && (SnapStart.ApplyOn ?? 'None') !== 'None') hashed.SnapStart = SnapStart;
  return hashed;
}

function aliasOf(resource: SamResource, made: CfnResource, version: CfnResource, name: string): CfnResource {
  if (name === '') throw new InvalidResource(resource.logicalId, 'Alias name is required to create an alias');
  if (!/^(?!^[0-9]+$)([a-zA-Z0-9\-_]+)$/.test(name)) {
    const pattern = 'matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern.';
    throw new InvalidResource(
      resource.logicalId,
      `AutoPublishAlias name ('${name}') must contain only alphanumeric characters, hyphens, or underscores ${pattern}`,
    );
  }
  const suffix = name.replaceAll('-', 'D').replaceAll('_', 'U');
  const concurrency = resource.properties.ProvisionedConcurrencyConfig;
  return cfnResource('AWS::Lambda::Alias', `${made.logicalId}Alias${suffix}`, resource.passedAttributes, {
    Name: name,
    FunctionName: refOf(made),
    FunctionVersion: getAtt(version.logicalId, 'Version'),
    ProvisionedConcurrencyConfig: isTruthy(concurrency) ? concurrency : undefined,
  });
}

const isPresent = (value: Json | undefined): boolean => value !== undefined && value !== null;
