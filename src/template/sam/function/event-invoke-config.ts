/** EventInvokeConfig: settings of asynchronous invocations, with queues and topics that are made for destinations. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectMap } from '../checks.ts';
import type { SamContext } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { conditional, isIf, isNoValue, ref } from '../intrinsics.ts';
import { hashOf, isTruthy, pythonRepr, pythonStr } from '../python.ts';
import { arnOf, type CfnResource, cfnResource, refOf, type SamResource } from '../resources.ts';
import { destinationPolicies } from '../roles.ts';
import type { PublishedAlias } from './version.ts';

const DESTINATION_TYPES = ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket'] as const;
const MADE_TYPES = ['SQS', 'SNS'] as const;
type DestinationType = (typeof DESTINATION_TYPES)[number];

export interface EventInvokeConfig {
  readonly resources: readonly CfnResource[];
  /** Named documents for the function's role. */
  readonly policies: readonly JsonObject[];
}

/** @throws InvalidResource for a destination of an unknown type, or without a Destination that it needs */
export function eventInvokeConfig(
  resource: SamResource,
  alias: PublishedAlias | undefined,
  context: SamContext,
): EventInvokeConfig {
  const { logicalId, properties } = resource;
  const config = context.resolveParameters(properties.EventInvokeConfig) as JsonObject;
  const configId = `${logicalId}EventInvokeConfig`;
  const resources: CfnResource[] = [];
  const policies: JsonObject[] = [];
  const destinations: JsonObject = {};
  if (isTruthy(config.DestinationConfig)) {
    const path = 'EventInvokeConfig.DestinationConfig';
    const given = expectMap(config.DestinationConfig, { resource: logicalId, path });
    for (const name of ['OnSuccess', 'OnFailure']) {
      const settings = given[name];
      if (settings === undefined || settings === null) continue;
      const destination = expectMap(settings, { resource: logicalId, path: `${path}.${name}` });
      const made = destinationOf(resource, destination, `${configId}${name}`, configId, context);
      destinations[name] = { Destination: made.destination };
      if (made.resource !== undefined) resources.push(made.resource);
      policies.push(made.policy);
    }
  }
  const made = cfnResource('AWS::Lambda::EventInvokeConfig', configId, resource.attributes, {
    FunctionName: ref(logicalId),
    Qualifier: alias?.name ?? '$LATEST',
    DestinationConfig: destinations,
    MaximumEventAgeInSeconds: config.MaximumEventAgeInSeconds,
    MaximumRetryAttempts: config.MaximumRetryAttempts,
  });
  if (alias !== undefined) made.dependsOn = [alias.alias.logicalId];
  return { resources: [...resources, made], policies };
}

interface MadeDestination {
  readonly resource: CfnResource | undefined;
  readonly destination: Json;
  readonly policy: JsonObject;
}

function destinationOf(
  resource: SamResource,
  settings: JsonObject,
  destinationId: string,
  configId: string,
  context: SamContext,
): MadeDestination {
  const type = settings.Type as DestinationType;
  if (!DESTINATION_TYPES.includes(type)) {
    const problem = `'Type: ${pythonStr(settings.Type)}' must be one of ${pythonRepr([...DESTINATION_TYPES])}`;
    throw new InvalidResource(resource.logicalId, problem);
  }
  const policyFor = (arn: Json): JsonObject =>
    destinationPolicies[type === 'S3Bucket' ? 'S3' : type](arn, destinationId);
  const given = settings.Destination ?? null;
  const choice = optionalDestination(given, configId, context);
  if (given !== null && choice === undefined)
    return { resource: undefined, destination: given, policy: policyFor(given) };
  if (type !== 'SQS' && type !== 'SNS') {
    const problem = `Destination is required if Type is not ${pythonRepr([...MADE_TYPES])}`;
    throw new InvalidResource(resource.logicalId, problem);
  }
  const made =
    type === 'SQS'
      ? cfnResource('AWS::SQS::Queue', `${destinationId}Queue`, resource.passedAttributes)
      : cfnResource('AWS::SNS::Topic', `${destinationId}Topic`, resource.passedAttributes);
  const condition = bothConditions(resource, choice?.condition, context);
  if (condition !== undefined) made.attributes.Condition = condition;
  const arn = type === 'SQS' ? arnOf(made) : refOf(made);
  const destination = choice === undefined ? arn : conditional(choice.condition, arn, choice.arn);
  return { resource: made, destination, policy: policyFor(destination) };
}

/** `Fn::If` with `AWS::NoValue`: the condition under which the destination is made, and the ARN under which it is not. */
function optionalDestination(
  destination: Json,
  configId: string,
  context: SamContext,
): { condition: string; arn: Json } | undefined {
  if (!isIf(destination)) return undefined;
  const branches = destination['Fn::If'];
  if (!Array.isArray(branches) || branches.length !== 3) {
    throw new InvalidResource(configId, "Malformed 'Destination' property: Fn::If requires 3 arguments.");
  }
  const [condition, then, otherwise] = branches as [string, Json, Json];
  if (isNoValue(then) && isNoValue(otherwise)) return undefined;
  if (isNoValue(then)) return { condition, arn: otherwise };
  if (!isNoValue(otherwise)) return undefined;
  const negated = conditionName(`NOT${condition}`, configId);
  addCondition(context, negated, { 'Fn::Not': [{ Condition: condition }] });
  return { condition: negated, arn: then };
}

function bothConditions(resource: SamResource, own: string | undefined, context: SamContext): string | undefined {
  const outer = resource.passedAttributes.Condition as string | undefined;
  if (outer === undefined || own === undefined) return own ?? outer;
  const name = conditionName(`${outer}AND${own}`, resource.logicalId);
  // Nested once more than CloudFormation wants, as AWS's translator does
  addCondition(context, name, {
    'Fn::And': [{ Condition: { Condition: outer } }, { Condition: { Condition: own } }],
  });
  return name;
}

const conditionName = (name: string, hashed: string): string => `${name}${hashOf(hashed)}`.slice(0, 255);

function addCondition(context: SamContext, name: string, condition: Json): void {
  if (context.conditions !== undefined) context.conditions[name] = condition;
}
