/**
 * AWS::Serverless::LayerVersion: a layer version whose logical id is a hash of its definition, as each change makes a new one.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-layerversion.html
 */
import type { Json, JsonObject } from '../tree.ts';
import { BOOLEAN, listOf, MAP, oneOf, optional, required, STRING } from './checks.ts';
import type { ResourceKind, SamContext, Translation } from './context.ts';
import { InvalidResource } from './errors.ts';
import { isIntrinsic } from './intrinsics.ts';
import { hashOf, isTruthy } from './python.ts';
import { cfnResource, type SamResource } from './resources.ts';
import { s3Code } from './s3-location.ts';

const TEXT_OR_MAP = oneOf(STRING, MAP);

export const LAYER_VERSION: ResourceKind = {
  type: 'AWS::Serverless::LayerVersion',
  properties: {
    LayerName: optional(TEXT_OR_MAP),
    Description: optional(STRING),
    PublishLambdaVersion: optional(BOOLEAN),
    ContentUri: required(TEXT_OR_MAP),
    CompatibleArchitectures: optional(listOf(TEXT_OR_MAP)),
    CompatibleRuntimes: optional(listOf(TEXT_OR_MAP)),
    LicenseInfo: optional(STRING),
    RetentionPolicy: optional(STRING),
  },
  translate,
};

function translate(resource: SamResource, context: SamContext): Translation {
  const { logicalId, passedAttributes } = resource;
  const properties: JsonObject = { ...resource.properties };
  for (const name of ['LayerName', 'LicenseInfo', 'Description', 'RetentionPolicy']) {
    if (isTruthy(properties[name])) properties[name] = resolvedText(logicalId, name, properties[name], context);
  }
  const retention = retentionPolicy(logicalId, properties.RetentionPolicy);
  const renamed = `${logicalId}${hashOf({ [logicalId]: definitionOf(resource, properties) })}`;
  const { CompatibleArchitectures, CompatibleRuntimes, LicenseInfo, LayerName, Description } = properties;
  const deletionPolicy = retention ?? passedAttributes.DeletionPolicy ?? 'Retain';
  const made = cfnResource(
    'AWS::Lambda::LayerVersion',
    renamed,
    { ...passedAttributes, DeletionPolicy: deletionPolicy },
    {
      LayerName: isTruthy(LayerName) ? LayerName : logicalId,
      Description,
      Content: s3Code(properties.ContentUri, renamed, 'ContentUri'),
      CompatibleArchitectures,
      CompatibleRuntimes,
      LicenseInfo,
    },
  );
  made.dependsOn = resource.dependsOn;
  checkArchitectures(renamed, CompatibleArchitectures);
  return { resources: [made], renamed };
}

/** What is hashed: the resource without what does not make another layer version of it. */
function definitionOf(resource: SamResource, properties: JsonObject): JsonObject {
  const { DeletionPolicy: _, UpdateReplacePolicy: __, Metadata: ___, ...attributes } = resource.attributes;
  const present = Object.entries(properties).filter(([, value]) => value !== null);
  return {
    Type: resource.type,
    ...(isTruthy(resource.dependsOn) ? { DependsOn: resource.dependsOn as Json } : {}),
    ...attributes,
    Properties: Object.fromEntries(present),
  };
}

function resolvedText(logicalId: string, name: string, value: Json | undefined, context: SamContext): Json {
  const resolved = context.resolveParameters(value) as Json;
  if (STRING.accepts(resolved) || MAP.accepts(resolved)) return resolved;
  throw new InvalidResource(logicalId, `Could not resolve parameter for '${name}' or parameter is not a String.`);
}

const RETENTION_POLICIES = ['Retain', 'Delete'];

function retentionPolicy(logicalId: string, policy: Json | undefined): string | undefined {
  const options = "of the following options: ['Retain', 'Delete']";
  if (isIntrinsic(policy)) {
    const problem = `'RetentionPolicy' does not accept intrinsic functions, please use one ${options}`;
    throw new InvalidResource(logicalId, problem);
  }
  if (policy === undefined || policy === null) return undefined;
  if (typeof policy !== 'string') {
    throw new InvalidResource(logicalId, `Invalid 'RetentionPolicy' type, please use one ${options}`);
  }
  const found = RETENTION_POLICIES.find((each) => each.toLowerCase() === policy.toLowerCase());
  if (found === undefined) throw new InvalidResource(logicalId, `'RetentionPolicy' must be one ${options}.`);
  return found;
}

function checkArchitectures(logicalId: string, architectures: Json | undefined): void {
  if (!Array.isArray(architectures)) return;
  for (const each of architectures) {
    if (isIntrinsic(each) || each === 'arm64' || each === 'x86_64') continue;
    throw new InvalidResource(logicalId, "CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'");
  }
}
