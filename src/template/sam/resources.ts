/** The resources that go into the transform and those that come out of it. */
import { type Json, type JsonObject, keepNumberTexts, object } from '../tree.ts';
import { isMap, member } from './checks.ts';
import { InvalidResource } from './errors.ts';
import { getAtt, ref } from './intrinsics.ts';

/** A generated resource of CloudFormation. It may be edited until the transform has translated its source. */
export interface CfnResource {
  readonly logicalId: string;
  readonly type: string;
  /** Members without a value are left out. */
  readonly properties: { [name: string]: Json | undefined };
  dependsOn?: Json | undefined;
  /** Condition, DeletionPolicy, UpdateReplacePolicy, UpdatePolicy, Metadata. */
  attributes: JsonObject;
}

/** A resource of a SAM type, with its properties after Globals and their check. */
export interface SamResource {
  readonly logicalId: string;
  readonly type: string;
  /** The template's own object: an edit shows in the template. */
  readonly properties: JsonObject;
  readonly dependsOn: Json | undefined;
  /** DeletionPolicy, UpdatePolicy, Condition, UpdateReplacePolicy, Metadata: for the main resource. */
  readonly attributes: JsonObject;
  /** Condition, DeletionPolicy, UpdateReplacePolicy: for all resources that it makes. */
  readonly passedAttributes: JsonObject;
}

const ATTRIBUTES = ['DeletionPolicy', 'UpdatePolicy', 'Condition', 'UpdateReplacePolicy', 'Metadata'];
const PASSED_ATTRIBUTES = ['Condition', 'DeletionPolicy', 'UpdateReplacePolicy'];

/** Tags of these types are a list in `Tags`. Other types get no tags when tags are propagated. */
const TAGGED_TYPES = new Set([
  'AWS::ApiGateway::ApiKey',
  'AWS::ApiGateway::DomainName',
  'AWS::ApiGateway::DomainNameAccessAssociation',
  'AWS::ApiGateway::DomainNameV2',
  'AWS::ApiGateway::RestApi',
  'AWS::ApiGateway::Stage',
  'AWS::ApiGateway::UsagePlan',
  'AWS::CloudFormation::Stack',
  'AWS::CodeDeploy::Application',
  'AWS::CodeDeploy::DeploymentGroup',
  'AWS::DynamoDB::Table',
  'AWS::IAM::Role',
  'AWS::IoT::TopicRule',
  'AWS::Lambda::CapacityProvider',
  'AWS::Lambda::Function',
  'AWS::S3::Bucket',
  'AWS::SNS::Topic',
  'AWS::SQS::Queue',
  'AWS::StepFunctions::StateMachine',
]);

/** Tags of these types are a map in `Tags`. The HTTP API itself gets its tags in its body. */
const MAP_TAGGED_TYPES = new Set(['AWS::ApiGatewayV2::DomainName', 'AWS::ApiGatewayV2::Stage']);

/** @throws InvalidResource if the logical id is not alphanumeric */
export function cfnResource(
  type: string,
  logicalId: string,
  attributes: JsonObject,
  properties: { [name: string]: Json | undefined } = {},
): CfnResource {
  checkLogicalId(logicalId);
  return { logicalId, type, properties, attributes: { ...attributes } };
}

/** @throws InvalidResource if the logical id is not alphanumeric */
export function checkLogicalId(logicalId: string): void {
  if (!/^[A-Za-z0-9]+$/.test(logicalId)) {
    throw new InvalidResource(logicalId, 'Logical ids must be alphanumeric.');
  }
}

/** The attributes of a resource that the transform passes on. */
export function attributesOf(resource: JsonObject): { attributes: JsonObject; passedAttributes: JsonObject } {
  return { attributes: pick(resource, ATTRIBUTES), passedAttributes: pick(resource, PASSED_ATTRIBUTES) };
}

function pick(map: JsonObject, names: readonly string[]): JsonObject {
  const picked: JsonObject = {};
  for (const name of names) {
    const value = member(map, name);
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

/** The resource as it stands in a template. */
export function renderResource({ type, dependsOn, attributes, properties }: CfnResource): JsonObject {
  const present = Object.entries(properties).filter(([, value]) => value !== undefined && value !== null);
  const hasDependencies = Array.isArray(dependsOn) ? dependsOn.length > 0 : Boolean(dependsOn);
  return {
    Type: type,
    ...(hasDependencies ? { DependsOn: dependsOn as Json } : {}),
    ...attributes,
    Properties: keepNumberTexts(properties as JsonObject, object(present as [string, Json][])),
  };
}

export const refOf = ({ logicalId }: { readonly logicalId: string }): JsonObject => ref(logicalId);
export const arnOf = ({ logicalId }: { readonly logicalId: string }): JsonObject => getAtt(logicalId, 'Arn');

/** `[{Key, Value}]` of a map. */
export function tagList(tags: Json | undefined): Json[] {
  if (!isMap(tags)) return [];
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value: Value ?? '' }));
}

const RESERVED_TAGS = ['lambda:createdBy', 'serverlessrepo:applicationId', 'serverlessrepo:semanticVersion'];

/**
 * SAM's own tag, then the additional ones, then those of the template.
 *
 * @throws InvalidResource if the template uses one of SAM's own keys
 */
export function samTags(logicalId: string, tags: Json | undefined, additional: JsonObject = {}): Json[] {
  for (const key of RESERVED_TAGS) {
    if (isMap(tags) && Object.hasOwn(tags, key)) {
      const advice = 'cannot be set on your resource. Please change the tag key in the input.';
      throw new InvalidResource(logicalId, `${key} is a reserved Tag key name and ${advice}`);
    }
  }
  return [{ Key: 'lambda:createdBy', Value: 'SAM' }, ...tagList(additional), ...tagList(tags)];
}

/** Gives the tags to all resources whose type has tags, in place of those that they have. */
export function propagateTags(resources: readonly CfnResource[], tags: Json | undefined, propagate: boolean): void {
  if (!propagate || !isMap(tags) || Object.keys(tags).length === 0) return;
  for (const resource of resources) {
    if (TAGGED_TYPES.has(resource.type)) resource.properties.Tags = tagList(tags);
    else if (MAP_TAGGED_TYPES.has(resource.type) || resource.properties.ProtocolType === 'WEBSOCKET')
      resource.properties.Tags = tags;
  }
}
