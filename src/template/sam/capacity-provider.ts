/** AWS::Serverless::CapacityProvider: a capacity provider of Lambda Managed Instances, and the role that operates it. */
import type { Json, JsonObject } from '../tree.ts';
import { BOOLEAN, isMap, MAP, oneOf, requiredStrict, STRING, strict } from './checks.ts';
import type { ResourceKind, SamContext, Translation } from './context.ts';
import { InvalidResource } from './errors.ts';
import {
  anyMap,
  anything,
  boolean,
  float,
  integer,
  intrinsicOr,
  listModel,
  may,
  needs,
  objectModel,
  type Problem,
  text,
} from './models.ts';
import { isTruthy } from './python.ts';
import { arnOf, type CfnResource, cfnResource, type SamResource, tagList } from './resources.ts';
import { assumeRolePolicy, awsPolicyArn } from './roles.ts';

const TEXT_OR_MAP = oneOf(STRING, MAP);

export const CAPACITY_PROVIDER: ResourceKind = {
  type: 'AWS::Serverless::CapacityProvider',
  properties: {
    CapacityProviderName: strict(TEXT_OR_MAP),
    VpcConfig: requiredStrict(MAP),
    OperatorRole: strict(TEXT_OR_MAP),
    Tags: strict(MAP),
    PropagateTags: strict(BOOLEAN),
    InstanceRequirements: strict(MAP),
    ScalingConfig: strict(MAP),
    KmsKeyArn: strict(TEXT_OR_MAP),
  },
  translate,
};

const TEXTS = intrinsicOr(listModel(intrinsicOr(text)));

const MODEL = objectModel({
  CapacityProviderName: may(anything),
  VpcConfig: needs(objectModel({ SecurityGroupIds: may(TEXTS), SubnetIds: needs(TEXTS) })),
  OperatorRole: may(anything),
  Tags: may(anyMap),
  PropagateTags: may(boolean),
  InstanceRequirements: may(
    objectModel({ Architectures: may(TEXTS), AllowedTypes: may(TEXTS), ExcludedTypes: may(TEXTS) }),
  ),
  ScalingConfig: may(
    objectModel({ MaxVCpuCount: may(intrinsicOr(integer)), AverageCPUUtilization: may(intrinsicOr(float)) }),
  ),
  KmsKeyArn: may(anything),
});

function translate(resource: SamResource, context: SamContext): Translation {
  const { logicalId, attributes, passedAttributes } = resource;
  const properties = checked(resource);
  const provider = cfnResource('AWS::Lambda::CapacityProvider', logicalId, { ...attributes, ...passedAttributes });
  provider.dependsOn = resource.dependsOn;
  const resources: CfnResource[] = [];
  let role = properties.OperatorRole;
  if (!isTruthy(role)) {
    const made = operatorRole(resource, context);
    resources.push(made);
    role = arnOf(made);
  }
  Object.assign(provider.properties, {
    CapacityProviderName: isTruthy(properties.CapacityProviderName) ? properties.CapacityProviderName : undefined,
    VpcConfig: properties.VpcConfig,
    PermissionsConfig: { CapacityProviderOperatorRoleArn: role as Json },
    Tags: tagsOf(properties.Tags),
    InstanceRequirements: instanceRequirements(properties.InstanceRequirements),
    CapacityProviderScalingConfig: scalingConfig(properties.ScalingConfig),
    KmsKeyArn: isTruthy(properties.KmsKeyArn) ? properties.KmsKeyArn : undefined,
  });
  resources.push(provider);
  if (isTruthy(resource.properties.PropagateTags)) combineTags(resources, properties.Tags);
  return { resources };
}

/** Each own tag once; the last value wins, the first place is kept. */
function combineTags(resources: readonly CfnResource[], tags: Json | undefined): void {
  if (!isTruthy(tags)) return;
  for (const { properties } of resources) {
    const combined = new Map<string, Json>();
    for (const tag of [...(properties.Tags as JsonObject[]), ...tagList(tags)]) {
      const { Key, Value } = tag as JsonObject;
      combined.set(Key as string, Value as Json);
    }
    properties.Tags = [...combined].map(([Key, Value]) => ({ Key, Value }));
  }
}

function checked({ logicalId, properties }: SamResource): JsonObject {
  const problems: Problem[] = [];
  const made = MODEL(properties, [], problems) as JsonObject;
  if (problems.length > 0) throw new InvalidResource(logicalId, described(problems).join(' '));
  const requirements = made.InstanceRequirements;
  if (isMap(requirements) && 'AllowedTypes' in requirements && 'ExcludedTypes' in requirements) {
    const both = "'InstanceRequirements.AllowedTypes' and 'InstanceRequirements.ExcludedTypes'";
    throw new InvalidResource(logicalId, `Cannot specify ${both} together.`);
  }
  return made;
}

const TYPE_NAMES: readonly (readonly [part: string, name: string])[] = [
  ['not a valid dict', 'dictionary'],
  ['not a valid int', 'integer'],
  ['not a valid float', 'number'],
  ['not a valid list', 'list'],
];

/** One sentence for each property. */
function described(problems: readonly Problem[]): string[] {
  const byPath = new Map<string, Problem[]>();
  for (const problem of problems) {
    const path = problem.path.join('.');
    byPath.set(path, [...(byPath.get(path) ?? []), problem]);
  }
  return [...byPath].map(([path, own]) => {
    const types = own.flatMap(({ message }) => TYPE_NAMES.find(([part]) => message.includes(part))?.[1] ?? []);
    const distinct = [...new Set(types)];
    if (distinct.length > 1) return `Property '${path}' value must be ${distinct.join(' or ')}.`;
    const [{ type, message }] = own as [Problem];
    if (type === 'value_error.missing') return `Property '${path}' is required.`;
    if (type === 'value_error.extra') return `Property '${path}' is an invalid property.`;
    return `Property '${path}' ${message.toLowerCase()}.`;
  });
}

function operatorRole({ logicalId, passedAttributes }: SamResource, context: SamContext): CfnResource {
  return cfnResource('AWS::IAM::Role', `${logicalId}OperatorRole`, passedAttributes, {
    AssumeRolePolicyDocument: assumeRolePolicy('lambda'),
    ManagedPolicyArns: [awsPolicyArn(context.partition, 'AWSLambdaManagedEC2ResourceOperator')],
    Tags: tagsOf(undefined),
  });
}

const tagsOf = (tags: Json | undefined): Json[] => tagList({ ...(isMap(tags) ? tags : {}), 'lambda:createdBy': 'SAM' });

function instanceRequirements(given: Json | undefined): JsonObject | undefined {
  if (!isMap(given) || !isTruthy(given)) return undefined;
  const { Architectures, AllowedTypes, ExcludedTypes } = given;
  return {
    ...(Architectures === undefined ? {} : { Architectures }),
    ...(AllowedTypes === undefined ? {} : { AllowedInstanceTypes: AllowedTypes }),
    ...(ExcludedTypes === undefined ? {} : { ExcludedInstanceTypes: ExcludedTypes }),
  };
}

function scalingConfig(given: Json | undefined): JsonObject | undefined {
  if (!isMap(given) || !isTruthy(given)) return undefined;
  const { MaxVCpuCount, AverageCPUUtilization } = given;
  const metric = 'LambdaCapacityProviderAverageCPUUtilization';
  return {
    ...(MaxVCpuCount === undefined ? {} : { MaxVCpuCount }),
    ...(AverageCPUUtilization === undefined
      ? { ScalingMode: 'Auto' }
      : {
          ScalingMode: 'Manual',
          ScalingPolicies: [{ PredefinedMetricType: metric, TargetValue: AverageCPUUtilization }],
        }),
  };
}
