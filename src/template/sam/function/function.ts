/**
 * AWS::Serverless::Function: the function, its role, version and alias, URL, settings of asynchronous invocations, and what its
 * events make.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
 */
import type { Json, JsonObject } from '../../tree.ts';
import { expectString, isMap } from '../checks.ts';
import type { EventKind, EventTarget, ResourceKind, SamContext, Translation } from '../context.ts';
import { addPreference, updatePolicy } from '../deployments.ts';
import { InvalidResource } from '../errors.ts';
import { linkEvents, translateEvents } from '../events/events.ts';
import { conditional, isIf, isIntrinsic, isNoValue } from '../intrinsics.ts';
import { isTruthy, pythonRepr, pythonStr } from '../python.ts';
import { arnOf, type CfnResource, propagateTags, refOf, type SamResource, samTags } from '../resources.ts';
import { assumeRolePolicy, awsPolicyArn, executionRole, expandPolicyTemplates, xrayPolicy } from '../roles.ts';
import { type EventInvokeConfig, eventInvokeConfig } from './event-invoke-config.ts';
import { functionUrl } from './function-url.ts';
import { isTraced, lambdaFunction } from './lambda-function.ts';
import { DEPENDENT, EXCLUSIVE, FUNCTION_PROPERTIES } from './properties.ts';
import { type PublishedAlias, publishedAlias } from './version.ts';

/** @param eventKinds all event types of functions */
export function functionKind(eventKinds: ReadonlyMap<string, EventKind>): ResourceKind {
  return {
    type: 'AWS::Serverless::Function',
    properties: FUNCTION_PROPERTIES,
    references: {
      Alias: 'AWS::Lambda::Alias',
      Version: 'AWS::Lambda::Version',
      DestinationTopic: 'AWS::SNS::Topic',
      DestinationQueue: 'AWS::SQS::Queue',
    },
    prepare: expandPolicyTemplates,
    translate: (resource, context) => translate(resource, context, eventKinds),
  };
}

function translate(
  resource: SamResource,
  context: SamContext,
  eventKinds: ReadonlyMap<string, EventKind>,
): Translation {
  const { properties } = resource;
  const events = linkEvents(resource, eventKinds, context);
  checkRules(resource);
  const made = lambdaFunction(resource, context);
  if (isTruthy(properties.ProvisionedConcurrencyConfig) && !isTruthy(properties.AutoPublishAlias)) {
    const problem = 'To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function';
    throw new InvalidResource(resource.logicalId, problem);
  }
  const published = publishedAlias(resource, made, context);
  const resources = [made, ...(published === undefined ? [] : [published.version, published.alias])];
  if (isTruthy(properties.FunctionUrlConfig)) resources.push(...functionUrl(resource, published?.alias ?? made));
  addDeploymentPreference(resource, published, context);
  let invokeConfig: EventInvokeConfig = { resources: [], policies: [] };
  if (isTruthy(properties.EventInvokeConfig)) invokeConfig = eventInvokeConfig(resource, published, context);
  resources.push(...invokeConfig.resources);
  const role = roleOf(resource, invokeConfig.policies, context);
  resources.push(...useRole(resource, made, role, context));
  resources.push(...translateEvents(resource, events, targetOf(made, published, role, resource)));
  propagateTags(resources, properties.Tags, isTruthy(properties.PropagateTags));
  return { resources };
}

function targetOf(
  made: CfnResource,
  published: PublishedAlias | undefined,
  role: CfnResource,
  resource: SamResource,
): EventTarget {
  const { passedAttributes } = resource;
  const roles = { role, roleDocuments: new Set<string>() };
  if (published === undefined) {
    const { logicalId, attributes } = made;
    const type = 'AWS::Lambda::Function';
    return { logicalId, type, name: refOf(made), arn: arnOf(made), attributes, passedAttributes, ...roles };
  }
  const { logicalId, attributes } = published.alias;
  const reference = refOf(published.alias);
  const type = 'AWS::Lambda::Alias';
  return { logicalId, type, name: reference, arn: reference, attributes, passedAttributes, ...roles };
}

const isPresent = (value: Json | undefined): boolean => value !== undefined && value !== null;

function checkRules({ logicalId, properties }: SamResource): void {
  const problems = [
    ...EXCLUSIVE.filter(([one, other]) => isPresent(properties[one]) && isPresent(properties[other])).map(
      ([one, other]) => `Cannot specify '${one}' and '${other}' together.`,
    ),
    ...DEPENDENT.filter(([one, other]) => isPresent(properties[one]) && !isPresent(properties[other])).map(
      ([one, other]) => `'${one}' requires '${other}'.`,
    ),
  ];
  if (problems.length > 0) throw new InvalidResource(logicalId, problems.join('\n'));
  if (isTruthy(properties.DeadLetterQueue)) checkDeadLetterQueue(logicalId, properties.DeadLetterQueue as JsonObject);
  if (isTruthy(properties.TenancyConfig)) checkTenancy(logicalId, properties);
}

const DEAD_LETTER_ACTIONS: Readonly<Record<string, string>> = { SQS: 'sqs:SendMessage', SNS: 'sns:Publish' };

function checkDeadLetterQueue(logicalId: string, queue: JsonObject): void {
  if (!isTruthy(queue.Type) || !isTruthy(queue.TargetArn)) {
    const problem = "'DeadLetterQueue' requires Type and TargetArn properties to be specified.";
    throw new InvalidResource(logicalId, problem);
  }
  const type = expectString(queue.Type, { resource: logicalId, path: 'DeadLetterQueue.Type' });
  if (Object.hasOwn(DEAD_LETTER_ACTIONS, type)) return;
  const types = pythonRepr(Object.keys(DEAD_LETTER_ACTIONS));
  throw new InvalidResource(logicalId, `'DeadLetterQueue' requires Type of ${types}`);
}

function checkTenancy(logicalId: string, properties: JsonObject): void {
  const refuse = (what: string): never => {
    throw new InvalidResource(logicalId, `${what} is not supported for functions enabled with tenancy configuration.`);
  };
  if (isTruthy(properties.ProvisionedConcurrencyConfig)) refuse('Provisioned concurrency');
  if (isTruthy(properties.FunctionUrlConfig)) refuse('Function URL');
  if (isTruthy(properties.SnapStart)) refuse('SnapStart');
  for (const event of isMap(properties.Events) ? Object.values(properties.Events) : []) {
    const type = isMap(event) ? event.Type : undefined;
    if (type === 'Api' || type === 'HttpApi') continue;
    throw new InvalidResource(
      logicalId,
      `Event source '${pythonStr(type)}' is not supported for functions enabled with tenancy configuration. Only Api and HttpApi event sources are supported.`,
    );
  }
}

function addDeploymentPreference(
  resource: SamResource,
  published: PublishedAlias | undefined,
  context: SamContext,
): void {
  const { logicalId, properties, passedAttributes } = resource;
  const preference = properties.DeploymentPreference;
  if (!isMap(preference) || !isTruthy(preference)) return;
  const resolve = (value: Json | undefined): Json => context.resolveMappings(context.resolveParameters(value)) ?? null;
  if ('Enabled' in preference) preference.Enabled = resolve(preference.Enabled);
  if ('Type' in preference) preference.Type = resolve(preference.Type);
  preference.PassthroughCondition =
    'PassthroughCondition' in preference && asBoolean(logicalId, resolve(preference.PassthroughCondition));
  const tags = isTruthy(properties.PropagateTags) ? properties.Tags : undefined;
  const { Condition } = passedAttributes;
  if (!addPreference(context.deployments, logicalId, preference, Condition, tags)) return;
  if (published === undefined) {
    const problem = "'DeploymentPreference' requires AutoPublishAlias property to be specified.";
    throw new InvalidResource(logicalId, problem);
  }
  published.alias.attributes.UpdatePolicy = updatePolicy(context.deployments, logicalId);
}

function asBoolean(logicalId: string, value: Json): boolean {
  if (value === true || value === 'true' || value === 'True') return true;
  if (value === false || value === 'false' || value === 'False') return false;
  throw new InvalidResource(
    logicalId,
    isIntrinsic(value)
      ? 'Unsupported intrinsic: the only intrinsic functions supported for property PassthroughCondition are FindInMap and parameter Refs.'
      : 'Invalid value for property PassthroughCondition.',
  );
}

/** The generated role; it is made in any case, as its policies are checked and events add theirs. */
function roleOf(resource: SamResource, invokePolicies: readonly JsonObject[], context: SamContext): CfnResource {
  const { logicalId, properties, passedAttributes } = resource;
  const { partition } = context;
  const basic = isTruthy(properties.DurableConfig)
    ? 'service-role/AWSLambdaBasicDurableExecutionRolePolicy'
    : 'service-role/AWSLambdaBasicExecutionRole';
  const names = [
    basic,
    ...(isTraced(properties, context) ? [xrayPolicy(partition)] : []),
    ...(isTruthy(properties.VpcConfig) ? ['service-role/AWSLambdaVPCAccessExecutionRole'] : []),
  ];
  const queue = properties.DeadLetterQueue;
  const documents = isMap(queue) && isTruthy(queue) ? [deadLetterPolicy(queue)] : [];
  return executionRole(logicalId, {
    partition,
    managedPolicies: context.managedPolicies,
    attributes: passedAttributes,
    assumeRolePolicy: properties.AssumeRolePolicyDocument ?? assumeRolePolicy('lambda'),
    policies: properties.Policies,
    managedPolicyArns: names.map((name) => awsPolicyArn(partition, name)),
    documents: [...documents, ...invokePolicies],
    path: properties.RolePath,
    permissionsBoundary: properties.PermissionsBoundary,
    tags: samTags(logicalId, properties.Tags),
  });
}

function deadLetterPolicy(queue: JsonObject): JsonObject {
  const Action = DEAD_LETTER_ACTIONS[queue.Type as string] as string;
  return {
    PolicyName: 'DeadLetterQueuePolicy',
    PolicyDocument: {
      Version: '2012-10-17',
      Statement: [{ Action, Resource: queue.TargetArn as Json, Effect: 'Allow' }],
    },
  };
}

/** Gives the function the role unless it has its own; `Fn::If` with `AWS::NoValue` uses it under a condition. */
function useRole(resource: SamResource, made: CfnResource, role: CfnResource, context: SamContext): CfnResource[] {
  const given = made.properties.Role;
  if (given === undefined || given === null) {
    made.properties.Role = arnOf(role);
    return [role];
  }
  if (!isIf(given)) return [];
  const branches = (context.resolveParameters(given) as JsonObject)['Fn::If'];
  if (!Array.isArray(branches) || branches.length !== 3) {
    throw new InvalidResource(resource.logicalId, "Malformed 'Role' property: Fn::If requires 3 arguments.");
  }
  const [condition, then, otherwise] = branches as [Json, Json, Json];
  if (isNoValue(then) && isNoValue(otherwise)) {
    made.properties.Role = arnOf(role);
  } else if (isNoValue(then)) {
    made.properties.Role = conditional(condition, arnOf(role), otherwise);
    role.attributes.Condition = condition;
  } else if (isNoValue(otherwise)) {
    const negated = `NOT${pythonStr(condition)}`;
    made.properties.Role = conditional(condition, then, arnOf(role));
    role.attributes.Condition = negated;
    if (context.conditions !== undefined) {
      context.conditions[negated] = { 'Fn::Not': [{ Condition: condition }] };
    }
  } else {
    return [];
  }
  return [role];
}
