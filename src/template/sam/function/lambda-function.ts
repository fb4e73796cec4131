/** The resource AWS::Lambda::Function of a function, and the checks of its code. */
import { type Json, type JsonObject, keepNumberTexts } from '../../tree.ts';
import { isMap } from '../checks.ts';
import type { SamContext } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { type CfnResource, cfnResource, type SamResource, samTags } from '../resources.ts';
import { s3Code } from '../s3-location.ts';
import { capacityProviderConfig } from './capacity-provider-config.ts';
import { COPIED_PROPERTIES } from './properties.ts';

/** @throws InvalidResource for code, tags or a package type that do not fit */
export function lambdaFunction(resource: SamResource, context: SamContext): CfnResource {
  const { logicalId, properties } = resource;
  const made = cfnResource('AWS::Lambda::Function', logicalId, resource.attributes);
  made.dependsOn = resource.dependsOn;
  const result = made.properties;
  if (isTruthy(properties.FunctionName)) result.FunctionName = properties.FunctionName;
  for (const name of COPIED_PROPERTIES) result[name] = properties[name];
  keepNumberTexts(properties, result as JsonObject);
  result.Code = codeOf(logicalId, properties);
  result.Tags = samTags(logicalId, properties.Tags);
  if (isTraced(properties, context)) result.TracingConfig = { Mode: properties.Tracing as Json };
  const queue = properties.DeadLetterQueue;
  if (isMap(queue) && isTruthy(queue)) result.DeadLetterConfig = { TargetArn: queue.TargetArn as Json };
  if (isTruthy(properties.CapacityProviderConfig)) {
    result.CapacityProviderConfig = capacityProviderConfig(logicalId, properties.CapacityProviderConfig as JsonObject);
  }
  if (isTruthy(properties.FunctionScalingConfig)) result.FunctionScalingConfig = properties.FunctionScalingConfig;
  checkPackageType(logicalId, result);
  return made;
}

export function isTraced(properties: JsonObject, context: SamContext): boolean {
  const tracing = context.resolveParameters(properties.Tracing);
  return isTruthy(properties.Tracing) && tracing !== 'Disabled';
}

const isPresent = (value: Json | undefined): boolean => value !== undefined && value !== null;

function codeOf(logicalId: string, properties: JsonObject): JsonObject {
  const type = isTruthy(properties.PackageType) ? properties.PackageType : 'Zip';
  if (type === 'Image') return imageCode(logicalId, properties.ImageUri);
  if (type !== 'Zip') throw new InvalidResource(logicalId, `invalid 'PackageType' : ${pythonStr(type)}`);
  if (!isPresent(properties.InlineCode) && !isPresent(properties.CodeUri)) {
    throw new InvalidResource(logicalId, "Only one of 'InlineCode' or 'CodeUri' can be set.");
  }
  const code: JsonObject = isPresent(properties.InlineCode)
    ? { ZipFile: properties.InlineCode as Json }
    : s3Code(properties.CodeUri, logicalId, 'CodeUri');
  if (isTruthy(properties.SourceKMSKeyArn)) code.SourceKMSKeyArn = properties.SourceKMSKeyArn as Json;
  return code;
}

function imageCode(logicalId: string, uri: Json | undefined): JsonObject {
  if (!isPresent(uri)) throw new InvalidResource(logicalId, "'ImageUri' must be set.");
  if (isTruthy(uri)) return { ImageUri: uri as Json };
  throw new InvalidResource(logicalId, "'ImageUri' requires that a image hosted at a registry be specified.");
}

function checkPackageType(logicalId: string, made: CfnResource['properties']): void {
  const needs = (holds: boolean, message: string): void => {
    if (!holds) throw new InvalidResource(logicalId, message);
  };
  const isSet = (name: string): boolean => isTruthy(made[name]);
  if (made.PackageType === 'Image') {
    const none = !isSet('Handler') && !isSet('Runtime') && !isSet('Layers');
    needs(none, 'Runtime, Handler, Layers cannot be present when PackageType is of type `Image`');
  } else {
    const both = isSet('Runtime') && isSet('Handler');
    needs(both, 'Runtime and Handler needs to be present when PackageType is of type `Zip`');
    needs(!isSet('ImageConfig'), 'ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`');
  }
}
