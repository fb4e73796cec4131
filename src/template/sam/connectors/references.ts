/** The ends of a connector: a resource of the template by its Id, or one that is described by its type, ARN and the like. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import type { SamContext } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { getAtt, logicalIdOf, ref } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';

export interface Reference {
  /** Undefined for a resource that is described. */
  readonly logicalId: string | undefined;
  /** A type of CloudFormation. */
  readonly type: string;
  readonly arn: Json | undefined;
  readonly roleName: Json | undefined;
  readonly queueUrl: Json | undefined;
  readonly resourceId: Json | undefined;
  readonly name: Json | undefined;
  readonly qualifier: Json | undefined;
}

const CLOUDFORMATION_TYPES: Readonly<Record<string, string>> = {
  'AWS::Serverless::Function': 'AWS::Lambda::Function',
  'AWS::Serverless::StateMachine': 'AWS::StepFunctions::StateMachine',
  'AWS::Serverless::Api': 'AWS::ApiGateway::RestApi',
  'AWS::Serverless::HttpApi': 'AWS::ApiGatewayV2::Api',
  'AWS::Serverless::SimpleTable': 'AWS::DynamoDB::Table',
};

interface TypeFacts {
  /** What gives the ARN: `Ref`, or the attribute Arn. */
  readonly arn: 'ref' | 'att';
  /** The property with the role. */
  readonly role?: string;
  readonly queueUrl?: true;
  readonly resourceId?: 'ref' | 'ApiId';
  readonly name?: true;
  readonly qualifier?: string;
}

const FACTS: Readonly<Record<string, TypeFacts>> = {
  'AWS::Lambda::Function': { arn: 'att', role: 'Role' },
  'AWS::StepFunctions::StateMachine': { arn: 'ref', role: 'RoleArn', name: true },
  'AWS::AppSync::GraphQLApi': { arn: 'ref', resourceId: 'ApiId' },
  'AWS::AppSync::DataSource': { arn: 'ref', role: 'ServiceRoleArn' },
  'AWS::Events::Rule': { arn: 'att' },
  'AWS::SQS::Queue': { arn: 'att', queueUrl: true },
  'AWS::SNS::Topic': { arn: 'ref' },
  'AWS::DynamoDB::Table': { arn: 'att' },
  'AWS::S3::Bucket': { arn: 'att' },
  'AWS::Location::PlaceIndex': { arn: 'att' },
  'AWS::ApiGatewayV2::Api': { arn: 'att', resourceId: 'ref', qualifier: '*' },
  'AWS::ApiGateway::RestApi': { arn: 'att', resourceId: 'ref', qualifier: '*' },
  'AWS::Events::EventBus': { arn: 'att' },
};

/**
 * @param end Source or Destination
 * @param other the other end; a rule's target with it has the role
 * @throws InvalidResource with the connector's id
 */
export function referenceOf(connectorId: string, end: JsonObject, other: JsonObject, context: SamContext): Reference {
  const refuse = (problem: string): never => {
    throw new InvalidResource(connectorId, problem);
  };
  const hasOthers = Object.keys(end).some((name) => name !== 'Id' && name !== 'Qualifier');
  if ('Id' in end === hasOthers) {
    refuse("Must provide 'Id' (with optional 'Qualifier') or a supported combination of other properties.");
  }
  const { Id } = end;
  if (!isTruthy(Id)) return described(end, refuse);
  if (typeof Id !== 'string') return refuse("'Id' is missing or not a string.");
  const resource = member(context.outputResources, Id);
  if (!isMap(resource) || !isTruthy(resource)) return refuse(`Unable to find resource with logical ID '${Id}'.`);
  const { Type } = resource;
  if (typeof Type !== 'string' || Type === '') return refuse("'Type' is missing or not a string.");
  return referenceById(Id, Type, resource, end, other);
}

function described(end: JsonObject, refuse: (problem: string) => never): Reference {
  const { Type } = end;
  if (typeof Type !== 'string' || Type === '') return refuse("'Type' is missing or not a string.");
  return {
    logicalId: undefined,
    type: Object.hasOwn(CLOUDFORMATION_TYPES, Type) ? (CLOUDFORMATION_TYPES[Type] as string) : Type,
    arn: end.Arn,
    roleName: end.RoleName,
    queueUrl: end.QueueUrl,
    resourceId: end.ResourceId,
    name: end.Name,
    qualifier: end.Qualifier,
  };
}

function referenceById(id: string, type: string, resource: JsonObject, end: JsonObject, other: JsonObject): Reference {
  const facts = Object.hasOwn(FACTS, type) ? FACTS[type] : undefined;
  const properties = isMap(resource.Properties) ? resource.Properties : {};
  const role = type === 'AWS::Events::Rule' ? ruleRole(properties, other) : properties[facts?.role ?? ''];
  const roleId = (isTruthy(role) ? logicalIdOf(role) : '') ?? '';
  return {
    logicalId: id,
    type,
    arn: facts === undefined ? undefined : facts.arn === 'ref' ? ref(id) : getAtt(id, 'Arn'),
    roleName: roleId === '' ? undefined : ref(roleId),
    queueUrl: facts?.queueUrl === true ? ref(id) : undefined,
    resourceId: facts?.resourceId === 'ref' ? ref(id) : facts?.resourceId && getAtt(id, facts.resourceId),
    name: facts?.name === true ? getAtt(id, 'Name') : undefined,
    qualifier: 'Qualifier' in end ? end.Qualifier : facts?.qualifier,
  };
}

/** The role of the target that is the other end. */
function ruleRole(rule: JsonObject, other: JsonObject): Json | undefined {
  for (const target of Array.isArray(rule.Targets) ? rule.Targets : []) {
    if (!isMap(target)) continue;
    const targetId = logicalIdOf(target.Arn);
    const isSameId = targetId !== undefined && targetId !== '' && targetId === other.Id;
    const isSameArn = isTruthy(other.Arn) && JSON.stringify(target.Arn) === JSON.stringify(other.Arn);
    if (isSameId || isSameArn) return target.RoleArn;
  }
  return undefined;
}
