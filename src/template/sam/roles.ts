/** Execution roles and the property Policies: managed policies by name, documents, policy templates. */
import { isArn, renderArn } from '../../protocol/arn.ts';
import type { Json, JsonObject } from '../tree.ts';
import { isMap } from './checks.ts';
import { InvalidResource, InvalidTemplate } from './errors.ts';
import { isIf, isIntrinsic, isNoValue } from './intrinsics.ts';
import { MANAGED_POLICY_NAMES } from './managed-policy-names.ts';
import { isPolicyTemplate, policyOfTemplate } from './policy-templates.ts';
import { isTruthy } from './python.ts';
import { type CfnResource, cfnResource } from './resources.ts';

type PolicyType = 'managed' | 'statement' | 'template' | 'unknown';

/**
 * Replaces policy templates in Policies by their documents.
 *
 * @throws InvalidResource for a template's parameters, InvalidTemplate for an `Fn::If` of different types
 */
export function expandPolicyTemplates(logicalId: string, properties: JsonObject): void {
  const policies = policiesOf(properties.Policies);
  if (policies.length === 0) return;
  properties.Policies = policies.map((policy) => {
    if (policyType(policy, true) !== 'template') return policy;
    if (!isIf(policy)) return expand(logicalId, policy);
    const [condition, then, otherwise] = policy['Fn::If'] as [Json, Json, Json];
    const branch = (value: Json): Json => (isNoValue(value) ? value : expand(logicalId, value));
    return { 'Fn::If': [condition, branch(then), branch(otherwise)] };
  });
}

function expand(logicalId: string, policy: Json): JsonObject {
  const [[name, values] = ['', null]] = Object.entries(policy as JsonObject);
  return policyOfTemplate(logicalId, name, values);
}

function policiesOf(policies: Json | undefined): readonly Json[] {
  if (!isTruthy(policies) || policies === undefined) return [];
  return Array.isArray(policies) ? policies : [policies];
}

function policyType(policy: Json, withTemplates: boolean): PolicyType {
  if (typeof policy === 'string') return 'managed';
  if (isIf(policy)) return typeOfIf(policy, withTemplates);
  if (isIntrinsic(policy)) return 'managed';
  if (!isMap(policy)) return 'unknown';
  if (Object.hasOwn(policy, 'Statement')) return 'statement';
  const names = Object.keys(policy);
  return withTemplates && names.length === 1 && isPolicyTemplate(names[0] as string) ? 'template' : 'unknown';
}

function typeOfIf(policy: JsonObject, withTemplates: boolean): PolicyType {
  const branches = policy['Fn::If'];
  if (!Array.isArray(branches) || branches.length !== 3) throw new InvalidTemplate('Fn::If requires 3 arguments');
  const [, then, otherwise] = branches as [Json, Json, Json];
  const thenType = policyType(then, withTemplates);
  const otherwiseType = policyType(otherwise, withTemplates);
  if (thenType === otherwiseType || isNoValue(otherwise)) return thenType;
  if (isNoValue(then)) return otherwiseType;
  throw new InvalidTemplate(
    'Different policy types within the same Fn::If statement is unsupported. Separate different policy types into different Fn::If statements',
  );
}

/** What a role is made of. */
export interface RoleParts {
  readonly partition: string;
  readonly managedPolicies: ReadonlyMap<string, string>;
  /** Its attributes. */
  readonly attributes: JsonObject;
  /** The principal's document. */
  readonly assumeRolePolicy: Json;
  /** The property Policies, without policy templates. */
  readonly policies: Json | undefined;
  /** ARNs that stand before those of `policies`. */
  readonly managedPolicyArns?: readonly string[];
  /** Named documents that stand before those of `policies`. */
  readonly documents?: readonly Json[];
  readonly path?: Json | undefined;
  readonly permissionsBoundary?: Json | undefined;
  readonly tags?: Json | undefined;
}

/**
 * The role of a function or a state machine.
 *
 * @throws InvalidResource if an entry of Policies is none
 */
export function executionRole(logicalId: string, parts: RoleParts): CfnResource {
  const roleId = `${logicalId}Role`;
  const documents: Json[] = [...(parts.documents ?? [])];
  const arns: Json[] = [...(parts.managedPolicyArns ?? [])];
  const known = new Set(arns.map((arn) => JSON.stringify(arn)));
  for (const [index, policy] of policiesOf(parts.policies).entries()) {
    const type = policyType(policy, false);
    const named = (document: Json): JsonObject => ({ PolicyName: `${roleId}Policy${index}`, PolicyDocument: document });
    if (type === 'statement') {
      documents.push(isIf(policy) ? mapBranches(policy, () => true, named) : named(policy));
    } else if (type === 'managed') {
      const arn = managedPolicy(policy, parts);
      if (!known.has(JSON.stringify(arn))) arns.push(arn);
      known.add(JSON.stringify(arn));
    } else {
      throw new InvalidResource(logicalId, `Policy at index ${index} in the 'Policies' property is not valid`);
    }
  }
  return cfnResource('AWS::IAM::Role', roleId, parts.attributes, {
    AssumeRolePolicyDocument: parts.assumeRolePolicy,
    ManagedPolicyArns: arns,
    Policies: documents.length === 0 ? undefined : documents,
    Path: parts.path,
    PermissionsBoundary: parts.permissionsBoundary,
    Tags: parts.tags,
  });
}

function managedPolicy(policy: Json, parts: RoleParts): Json {
  const arnOfName = (name: string): string => managedPolicyArn(name, parts.partition, parts.managedPolicies);
  if (typeof policy === 'string') return arnOfName(policy);
  if (!isIf(policy)) return policy;
  return mapBranches(
    policy,
    (value) => typeof value === 'string',
    (value) => arnOfName(value as string),
  );
}

/** An `Fn::If` with its branches converted, but for `AWS::NoValue`. */
function mapBranches(
  policy: JsonObject,
  applies: (value: Json) => boolean,
  convert: (value: Json) => Json,
): JsonObject {
  const [condition, ...branches] = policy['Fn::If'] as [Json, Json, Json];
  const converted = branches.map((value) => (!isNoValue(value) && applies(value) ? convert(value) : value));
  return { 'Fn::If': [condition, ...converted] };
}

let pathsByName: ReadonlyMap<string, string> | undefined;

function managedPolicyArn(name: string, partition: string, others: ReadonlyMap<string, string>): string {
  pathsByName ??= new Map(
    Object.entries(MANAGED_POLICY_NAMES).flatMap(([path, names]) =>
      names
        .trim()
        .split(/\s+/)
        .map((each) => [each, path] as const),
    ),
  );
  const path = pathsByName.get(name);
  if (path !== undefined) return awsPolicyArn(partition, `${path}${name}`);
  return isArn(name) ? name : (others.get(name) ?? name);
}

/** The ARN of a policy of AWS's, with its path: `service-role/AWSLambdaBasicExecutionRole`. */
export function awsPolicyArn(partition: string, name: string): string {
  return renderArn({ partition, service: 'iam', region: '', account: 'aws', resource: `policy/${name}` });
}

/** The policy for writing to X-Ray, which has another name outside the partition `aws`. */
export function xrayPolicy(partition: string): string {
  return partition === 'aws' ? 'AWSXrayWriteOnlyAccess' : 'AWSXRayDaemonWriteAccess';
}

/** The document with which a service may assume a role. */
export function assumeRolePolicy(service: string): JsonObject {
  return {
    Version: '2012-10-17',
    Statement: [{ Action: ['sts:AssumeRole'], Effect: 'Allow', Principal: { Service: [`${service}.amazonaws.com`] } }],
  };
}

const allow = (Action: Json, Resource: Json): JsonObject => ({ Action, Effect: 'Allow', Resource });

/** A named document of a role with which it may use a destination; SAM writes them without a version. */
export const destinationPolicies = {
  SQS: (arn: Json, prefix: string): JsonObject => named(`${prefix}SQSPolicy`, [allow('sqs:SendMessage', arn)]),
  SNS: (arn: Json, prefix: string): JsonObject => named(`${prefix}SNSPolicy`, [allow('sns:publish', arn)]),
  EventBridge: (arn: Json, prefix: string): JsonObject =>
    named(`${prefix}EventBridgePolicy`, [allow('events:PutEvents', arn)]),
  Lambda: (arn: Json, prefix: string): JsonObject =>
    named(`${prefix}LambdaPolicy`, [allow('lambda:InvokeFunction', arn)]),
  StateMachine: (arn: Json, prefix: string): JsonObject =>
    named(`${prefix}StartExecutionPolicy`, [allow('states:StartExecution', arn)]),
  S3: (arn: Json, prefix: string): JsonObject =>
    named(`${prefix}S3Policy`, [allow('s3:PutObject', { 'Fn::Join': ['/', [arn, '*']] }), allow('s3:ListBucket', arn)]),
} as const;

function named(name: string, statements: Json[]): JsonObject {
  return { PolicyName: name, PolicyDocument: { Statement: statements } };
}
