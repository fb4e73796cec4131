/**
 * AWS::Serverless::Application: a nested stack. Its template is a file that packaging has put into S3, or an application of the
 * Serverless Application Repository, which only the caller can look up.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-application.html
 */
import type { Json, JsonObject } from '../tree.ts';
import {
  expectPresent,
  expectString,
  INTEGER,
  isMap,
  listOf,
  MAP,
  oneOf,
  optional,
  required,
  STRING,
} from './checks.ts';
import type { ResourceKind, Translation } from './context.ts';
import { InvalidResource } from './errors.ts';
import type { Resolve } from './intrinsics.ts';
import { isTruthy } from './python.ts';
import { cfnResource, type SamResource, samTags } from './resources.ts';

const TEXT_OR_MAP = oneOf(STRING, MAP);

/** The property in which `resolveApplications` leaves an error; `prepare` takes it out and throws it. */
const PROBLEM = '__APPLICATION_PROBLEM';

export const APPLICATION: ResourceKind = {
  type: 'AWS::Serverless::Application',
  properties: {
    Location: required(TEXT_OR_MAP),
    TemplateUrl: optional(STRING),
    Parameters: optional(MAP),
    NotificationARNs: optional(listOf(TEXT_OR_MAP)),
    Tags: optional(MAP),
    TimeoutInMinutes: optional(INTEGER),
  },
  prepare,
  translate,
};

/** Looks up an application by its id and version. */
export type LookUp = (applicationId: string, semanticVersion: string) => string;

/**
 * Resolves the id and the version of applications of the repository, and looks them up, once each. Errors are noted in the resource.
 */
export function resolveApplications(
  template: JsonObject,
  resolveParameters: Resolve,
  resolveMappings: Resolve,
  lookUp: LookUp | undefined,
): void {
  for (const [logicalId, resource] of Object.entries(template.Resources as JsonObject)) {
    if (!isMap(resource) || resource.Type !== APPLICATION.type || !isMap(resource.Properties)) continue;
    const location = resource.Properties.Location;
    if (!isMap(location) || !isPresent(location.ApplicationId) || !isPresent(location.SemanticVersion)) continue;
    const resolve = (value: Json | undefined): Json => resolveMappings(resolveParameters(value)) ?? null;
    location.ApplicationId = resolve(location.ApplicationId);
    location.SemanticVersion = resolve(location.SemanticVersion);
    if (isMap(location.ApplicationId) || isMap(location.SemanticVersion)) continue;
    try {
      resource.Properties.TemplateUrl = templateUrl(logicalId, location, lookUp);
    } catch (error) {
      resource.Properties[PROBLEM] = (error as Error).message.replace(/^Resource with id \[.*?\] is invalid\. /, '');
    }
  }
}

const isPresent = (value: Json | undefined): boolean => value !== undefined && value !== null;

function templateUrl(logicalId: string, location: JsonObject, lookUp: LookUp | undefined): string {
  const id = expectString(location.ApplicationId, { resource: logicalId, path: 'Location.ApplicationId' });
  const version = expectString(location.SemanticVersion, { resource: logicalId, path: 'Location.SemanticVersion' });
  if (lookUp === undefined) {
    throw new InvalidResource(logicalId, 'Serverless Application Repository is not available in this region.');
  }
  if (/\{\{resolve:ssm:[a-zA-Z0-9_.\-/]+(:\d+)?\}\}/.test(id)) {
    const problem = "Serverless Application Repostiory does not support dynamic reference in 'ApplicationId' property.";
    throw new InvalidResource(logicalId, problem);
  }
  return lookUp(id, version);
}

function prepare(logicalId: string, properties: JsonObject): void {
  if (!('Location' in properties)) {
    throw new InvalidResource(logicalId, 'Resource is missing the required [Location] property.');
  }
  const location = properties.Location as Json;
  if (!isMap(location)) {
    properties.TemplateUrl = location;
    return;
  }
  for (const name of ['ApplicationId', 'SemanticVersion']) {
    if (!(name in location)) {
      throw new InvalidResource(logicalId, `Resource is missing the required [${name}] property.`);
    }
  }
  const id = expectPresent(location.ApplicationId, { resource: logicalId, path: 'ApplicationId' });
  const unresolved = 'cannot be resolved. Only FindInMap and Ref intrinsic functions are supported.';
  if (isMap(id)) throw new InvalidResource(logicalId, `Property 'ApplicationId' ${unresolved}`);
  if (!isTruthy(location.SemanticVersion)) {
    throw new InvalidResource(logicalId, "Property 'SemanticVersion' cannot be blank.");
  }
  if (isMap(location.SemanticVersion)) {
    throw new InvalidResource(logicalId, `Property 'SemanticVersion' ${unresolved}`);
  }
  const problem = properties[PROBLEM];
  delete properties[PROBLEM];
  if (typeof problem === 'string') throw new InvalidResource(logicalId, problem);
}

function translate(resource: SamResource): Translation {
  const { logicalId, properties, passedAttributes } = resource;
  const location = properties.Location;
  const tags: JsonObject = {};
  if (isMap(location) && isPresent(location.ApplicationId)) {
    tags['serverlessrepo:applicationId'] = location.ApplicationId as Json;
  }
  if (isMap(location) && isPresent(location.SemanticVersion)) {
    tags['serverlessrepo:semanticVersion'] = location.SemanticVersion as Json;
  }
  const stack = cfnResource('AWS::CloudFormation::Stack', logicalId, passedAttributes, {
    Parameters: properties.Parameters,
    NotificationARNs: properties.NotificationARNs,
    Tags: samTags(logicalId, properties.Tags, tags),
    TimeoutInMinutes: properties.TimeoutInMinutes,
    TemplateURL: isTruthy(properties.TemplateUrl) ? properties.TemplateUrl : '',
  });
  stack.dependsOn = resource.dependsOn;
  return { resources: [stack] };
}
