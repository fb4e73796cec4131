/**
 * AWS::Serverless::Connector: the policies and permissions that one resource needs to use another.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-connector.html
 */
import type { Json, JsonObject } from '../../tree.ts';
import { ANY, isMap, listOf, mapOf, member, oneOf, required, STRING } from '../checks.ts';
import type { ResourceKind, SamContext } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { logicalIdOf } from '../intrinsics.ts';
import { compareText, isTruthy } from '../python.ts';
import { type CfnResource, cfnResource, type SamResource } from '../resources.ts';
import {
  lambdaPermissionOf,
  MissingVariable,
  type Profile,
  profileOf,
  statementsOf,
  type Variables,
} from './profiles.ts';
import { type Reference, referenceOf } from './references.ts';

export const CONNECTOR: ResourceKind = {
  type: 'AWS::Serverless::Connector',
  properties: {
    Source: required(mapOf(ANY)),
    Destination: required(oneOf(mapOf(ANY), listOf(mapOf(ANY)))),
    Permissions: required(listOf(STRING)),
  },
  translate: (resource, context) => {
    const resources = connect(resource, context);
    replaceDependencies(resource.logicalId, resources, context);
    return { resources };
  },
};

/** The resources of a connector. @throws InvalidResource for ends that cannot be connected */
export function connect(resource: SamResource, context: SamContext): CfnResource[] {
  const { logicalId, properties } = resource;
  const { Destination } = properties;
  const destinations = Array.isArray(Destination) ? Destination : [Destination];
  const resources = destinations.flatMap((end, index) => {
    const destination = referenceOf(logicalId, end as JsonObject, properties.Source as JsonObject, context);
    const source = referenceOf(logicalId, properties.Source as JsonObject, end as JsonObject, context);
    const suffix = Array.isArray(Destination) ? `Destination${index}` : '';
    const made = connection({ resource, source, destination, suffix, context });
    for (const each of made) each.attributes.Metadata = metadata(resource, each, source, destination, context);
    return made;
  });
  if (resources.length === 0) throw new InvalidResource(logicalId, "'Destination' is an empty list");
  return resources;
}

interface Connection {
  readonly resource: SamResource;
  readonly source: Reference;
  readonly destination: Reference;
  /** What the logical ids end with. */
  readonly suffix: string;
  readonly context: SamContext;
}

function connection(parts: Connection): CfnResource[] {
  const { resource, source, destination } = parts;
  const { logicalId } = resource;
  const profile = profileOf(source.type, destination.type);
  if (profile === undefined) {
    const problem = `Unable to create connector from ${source.type} to ${destination.type}`;
    throw new InvalidResource(logicalId, `${problem}; it's not supported or the template is invalid.`);
  }
  const { Permissions } = resource.properties;
  const given = [...new Set(Array.isArray(Permissions) ? (Permissions as string[]) : Object.keys(Permissions ?? {}))];
  checkPermissions(parts, profile, given);
  const permissions = [...profile.permissions.keys()].filter((permission) => given.includes(permission));
  try {
    checkVariables(profile, variablesOf(source, destination));
    return make(parts, profile, permissions);
  } catch (error) {
    throw error instanceof MissingVariable ? new InvalidResource(logicalId, error.message) : error;
  }
}

/** All permissions of the profile must have their variables, also those that are not asked for. */
function checkVariables(profile: Profile, variables: Variables): void {
  for (const permission of profile.permissions.keys()) {
    if (profile.kind === 'permission') lambdaPermissionOf(profile, permission, variables);
    else statementsOf(profile, permission, variables);
  }
}

function checkPermissions({ resource, source, destination }: Connection, profile: Profile, given: string[]): void {
  const refuse = (problem: string): never => {
    throw new InvalidResource(resource.logicalId, problem);
  };
  const known = [...profile.permissions.keys()];
  if (given.length === 0) refuse(`'Permissions' cannot be empty; valid values are: ${known.join(', ')}.`);
  const between = `for connector from ${source.type} to ${destination.type}`;
  if (!given.every((permission) => known.includes(permission))) {
    refuse(`Unsupported 'Permissions' provided ${between}; valid values are: ${known.join(', ')}.`);
  }
  const combinations = profile.combinations?.map((each) => [...each].sort(compareText).join(' + '));
  if (combinations === undefined || combinations.includes([...given].sort(compareText).join(' + '))) return;
  refuse(`Unsupported 'Permissions' provided ${between}; valid combinations are: ${combinations.join(', ')}.`);
}

function variablesOf(source: Reference, destination: Reference): Variables {
  const of = (prefix: string, { arn, resourceId, name, qualifier }: Reference): [string, Json | undefined][] => [
    [`${prefix}.Arn`, arn],
    [`${prefix}.ResourceId`, resourceId],
    [`${prefix}.Name`, name],
    [`${prefix}.Qualifier`, qualifier],
  ];
  return new Map([...of('Source', source), ...of('Destination', destination)]);
}

function make(parts: Connection, profile: Profile, permissions: readonly string[]): CfnResource[] {
  const { resource, source, destination, suffix } = parts;
  const { logicalId } = resource;
  const variables = variablesOf(source, destination);
  const needed = (value: Json | undefined, what: string, end = 'Destination'): Json => {
    if (value !== undefined && isTruthy(value)) return value;
    throw new InvalidResource(logicalId, `Unable to get ${what} from '${end}' resource.`);
  };
  const document = (): JsonObject => ({
    Version: '2012-10-17',
    Statement: permissions.flatMap((permission) => statementsOf(profile, permission, variables)),
  });
  switch (profile.kind) {
    case 'permission':
      return permissions.map((permission) =>
        attached(resource, 'AWS::Lambda::Permission', `${logicalId}${permission}LambdaPermission${suffix}`, {
          FunctionName: needed(destination.arn, 'Lambda function ARN'),
          ...lambdaPermissionOf(profile, permission, variables),
        }),
      );
    case 'topic': {
      const topics = [needed(destination.arn, 'SNS topic ARN')];
      const id = `${logicalId}TopicPolicy${suffix}`;
      return [attached(resource, 'AWS::SNS::TopicPolicy', id, { Topics: topics, PolicyDocument: document() })];
    }
    case 'queue': {
      const queues = [needed(destination.queueUrl, 'SQS queue URL')];
      const id = `${logicalId}QueuePolicy${suffix}`;
      return [attached(resource, 'AWS::SQS::QueuePolicy', id, { Queues: queues, PolicyDocument: document() })];
    }
    default: {
      const [end, owner] =
        profile.kind === 'role-of-source' ? (['Source', source] as const) : (['Destination', destination] as const);
      const roles = [needed(owner.roleName, 'IAM role name', end)];
      const id = `${logicalId}Policy${suffix}`;
      const policy = { PolicyDocument: document(), Roles: roles };
      const made = attached(resource, 'AWS::IAM::ManagedPolicy', id, policy);
      letWait(parts, profile, id);
      return [made];
    }
  }
}

function attached(resource: SamResource, type: string, logicalId: string, properties: JsonObject): CfnResource {
  const made = cfnResource(type, logicalId, resource.attributes, properties);
  made.dependsOn = resource.dependsOn;
  return made;
}

/** A mapping between the two, or the source, must wait for the policy. */
function letWait({ source, destination, context }: Connection, profile: Profile, policyId: string): void {
  if (source.logicalId === undefined) return;
  if (profile.waits === 'source') addDependency(source.logicalId, policyId, context);
  if (profile.waits !== 'mapping' || destination.logicalId === undefined) return;
  const mappings = Object.entries(context.outputResources).filter(
    ([, each]) => isMap(each) && connectsBy(each, source.logicalId, destination.logicalId),
  );
  const [mapping] = mappings;
  if (mapping !== undefined && mappings.length === 1) addDependency(mapping[0], policyId, context);
}

function connectsBy(
  { Type, Properties }: JsonObject,
  sourceId: string | undefined,
  functionId: string | undefined,
): boolean {
  if (Type !== 'AWS::Lambda::EventSourceMapping' || !isMap(Properties)) return false;
  return logicalIdOf(Properties.FunctionName) === functionId && logicalIdOf(Properties.EventSourceArn) === sourceId;
}

function addDependency(logicalId: string, dependency: string, context: SamContext): void {
  const resource = member(context.outputResources, logicalId);
  if (isMap(resource)) resource.DependsOn = withDependencies(resource.DependsOn, [dependency]);
}

function withDependencies(given: Json | undefined, added: readonly string[]): Json[] {
  const present = given === undefined ? [] : Array.isArray(given) ? given : [given];
  return [...present, ...added.filter((each) => !present.includes(each))];
}

/** A resource that waits for the connector waits for what it makes. */
function replaceDependencies(connectorId: string, made: readonly CfnResource[], context: SamContext): void {
  const ids = made.map(({ logicalId }) => logicalId);
  for (const resource of Object.values(context.outputResources)) {
    if (!isMap(resource)) continue;
    const { DependsOn } = resource;
    const present = Array.isArray(DependsOn) ? DependsOn : [DependsOn];
    if (!present.includes(connectorId)) continue;
    const others = present.filter((each): each is Json => each !== undefined && each !== connectorId);
    resource.DependsOn = withDependencies(others, ids);
  }
}

function metadata(
  { logicalId }: SamResource,
  made: CfnResource,
  source: Reference,
  destination: Reference,
  context: SamContext,
): JsonObject {
  const typeOf = ({ logicalId: id, type }: Reference): JsonObject => {
    const original = id === undefined ? undefined : member(context.resources, id);
    return { Type: (isMap(original) ? original.Type : undefined) ?? type };
  };
  const ends = { Source: typeOf(source), Destination: typeOf(destination) };
  const own = made.attributes.Metadata;
  return { ...(isMap(own) ? own : {}), 'aws:sam:connectors': { [logicalId]: ends } };
}
