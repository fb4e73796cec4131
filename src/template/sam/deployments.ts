/**
 * DeploymentPreference: the application, the service role and the deployment groups of CodeDeploy that all functions of a template
 * share, and the update policies of the aliases.
 */
import type { Json, JsonObject } from '../tree.ts';
import { isMap } from './checks.ts';
import { combinedConditions } from './conditions.ts';
import { InvalidResource } from './errors.ts';
import { getAtt, isIf, isIntrinsic, isNoValue, ref } from './intrinsics.ts';
import { isTruthy } from './python.ts';
import { type CfnResource, cfnResource, tagList } from './resources.ts';
import { assumeRolePolicy, awsPolicyArn } from './roles.ts';

const APPLICATION = 'ServerlessDeploymentApplication';
const SERVICE_ROLE = 'CodeDeployServiceRole';
const CONDITION = 'ServerlessCodeDeployCondition';

const PREDEFINED_TYPES = new Set([
  'Canary10Percent5Minutes',
  'Canary10Percent10Minutes',
  'Canary10Percent15Minutes',
  'Canary10Percent30Minutes',
  'Linear10PercentEvery1Minute',
  'Linear10PercentEvery2Minutes',
  'Linear10PercentEvery3Minutes',
  'Linear10PercentEvery10Minutes',
  'AllAtOnce',
]);

interface Preference {
  readonly type: Json;
  readonly hooks: JsonObject;
  readonly alarms: Json | undefined;
  readonly role: Json | undefined;
  readonly triggers: Json | undefined;
  readonly condition: string | undefined;
  readonly tags: JsonObject | undefined;
}

/** The preferences of a template; `undefined` for a function whose preference is not enabled. */
export type DeploymentPreferences = Map<string, Preference | undefined>;

/**
 * Notes the preference of a function.
 *
 * @returns whether it is enabled
 * @throws InvalidResource for a preference without Type, or hooks that are not a map
 */
export function addPreference(
  preferences: DeploymentPreferences,
  logicalId: string,
  settings: JsonObject,
  condition: Json | undefined,
  tags: Json | undefined,
): boolean {
  const enabled = 'Enabled' in settings ? settings.Enabled : true;
  if (enabled === 'false' || enabled === 'False' || !isTruthy(enabled)) {
    preferences.set(logicalId, undefined);
    return false;
  }
  if (!('Type' in settings)) {
    throw new InvalidResource(logicalId, "'DeploymentPreference' is missing required Property 'Type'");
  }
  const hooks = settings.Hooks ?? {};
  if (!isMap(hooks)) {
    throw new InvalidResource(logicalId, "'Hooks' property of 'DeploymentPreference' must be a dictionary");
  }
  preferences.set(logicalId, {
    type: settings.Type as Json,
    hooks,
    alarms: settings.Alarms,
    role: settings.Role,
    triggers: settings.TriggerConfigurations,
    condition: settings.PassthroughCondition === true ? (condition as string | undefined) : undefined,
    tags: isMap(tags) && isTruthy(tags) ? tags : undefined,
  });
  return true;
}

/** `UpdatePolicy` of the alias of a function with an enabled preference. */
export function updatePolicy(preferences: DeploymentPreferences, logicalId: string): JsonObject {
  const hooks = preferences.get(logicalId)?.hooks ?? {};
  const { PreTraffic, PostTraffic } = hooks;
  return {
    CodeDeployLambdaAliasUpdate: {
      ApplicationName: ref(APPLICATION),
      DeploymentGroupName: ref(`${logicalId}DeploymentGroup`),
      ...(isHook(PreTraffic) ? { BeforeAllowTrafficHook: PreTraffic } : {}),
      ...(isHook(PostTraffic) ? { AfterAllowTrafficHook: PostTraffic } : {}),
    },
  };
}

function isHook(hook: Json | undefined): hook is Json {
  return hook !== undefined && hook !== null && !(isMap(hook) && hook.Ref === null);
}

/**
 * The resources of CodeDeploy. A deployment group that cannot be made is reported, the others are made.
 *
 * @param conditions of the template; a combined condition is added to it
 */
export function deploymentResources(
  preferences: DeploymentPreferences,
  partition: string,
  conditions: JsonObject | undefined,
  report: (error: InvalidResource) => void,
): CfnResource[] {
  const enabled = [...preferences].filter((entry): entry is [string, Preference] => entry[1] !== undefined);
  if (enabled.length === 0) return [];
  const condition = sharedCondition(
    enabled.map(([, preference]) => preference.condition),
    conditions,
  );
  const attributes: JsonObject = condition === undefined ? {} : { Condition: condition };
  const merged = Object.assign({}, ...enabled.map(([, preference]) => preference.tags ?? {})) as JsonObject;
  const tags = isTruthy(merged) ? tagList(merged) : undefined;
  const resources = [
    cfnResource('AWS::CodeDeploy::Application', APPLICATION, attributes, { ComputePlatform: 'Lambda', Tags: tags }),
  ];
  if (enabled.some(([, preference]) => !isTruthy(preference.role))) {
    const isIsolated = partition === 'aws-iso' || partition === 'aws-iso-b';
    const policy = `service-role/AWSCodeDeployRoleForLambda${isIsolated ? 'Limited' : ''}`;
    resources.push(
      cfnResource('AWS::IAM::Role', SERVICE_ROLE, attributes, {
        AssumeRolePolicyDocument: assumeRolePolicy('codedeploy'),
        ManagedPolicyArns: [awsPolicyArn(partition, policy)],
        Tags: tags,
      }),
    );
  }
  for (const [logicalId, preference] of enabled) {
    try {
      resources.push(deploymentGroup(logicalId, preference));
    } catch (error) {
      if (!(error instanceof InvalidResource)) throw error;
      report(error);
    }
  }
  return resources;
}

/** The condition under which at least one group exists; undefined if one always does. */
function sharedCondition(own: readonly (string | undefined)[], conditions: JsonObject | undefined): string | undefined {
  if (own.includes(undefined)) return undefined;
  const distinct = [...new Set(own as string[])];
  if (distinct.length === 1) return distinct[0];
  if (conditions !== undefined) Object.assign(conditions, combinedConditions(distinct, CONDITION));
  return CONDITION;
}

function deploymentGroup(logicalId: string, preference: Preference): CfnResource {
  return cfnResource(
    'AWS::CodeDeploy::DeploymentGroup',
    `${logicalId}DeploymentGroup`,
    preference.condition === undefined ? {} : { Condition: preference.condition },
    {
      AlarmConfiguration: alarmConfiguration(logicalId, preference.alarms),
      ApplicationName: ref(APPLICATION),
      AutoRollbackConfiguration: {
        Enabled: true,
        Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM', 'DEPLOYMENT_STOP_ON_REQUEST'],
      },
      DeploymentConfigName: deploymentConfig(preference.type),
      DeploymentStyle: { DeploymentType: 'BLUE_GREEN', DeploymentOption: 'WITH_TRAFFIC_CONTROL' },
      ServiceRoleArn: isTruthy(preference.role) ? preference.role : getAtt(SERVICE_ROLE, 'Arn'),
      TriggerConfigurations: isTruthy(preference.triggers) ? preference.triggers : undefined,
      Tags: preference.tags === undefined ? undefined : tagList(preference.tags),
    },
  );
}

function alarmConfiguration(logicalId: string, alarms: Json | undefined): Json | undefined {
  if (!isTruthy(alarms) || alarms === undefined || isNoValue(alarms)) return undefined;
  const configure = (list: Json): JsonObject => {
    if (!Array.isArray(list)) throw new InvalidResource(logicalId, 'Alarms must be a list');
    if (list.length === 0 || isNoValue(list[0])) return {};
    return { Enabled: true, Alarms: list.map((Name) => ({ Name })) };
  };
  if (!isIf(alarms)) return configure(alarms);
  const branches = alarms['Fn::If'];
  if (!Array.isArray(branches) || branches.length !== 3) {
    throw new InvalidResource(logicalId, 'Fn::If requires 3 arguments');
  }
  const [condition, then, otherwise] = branches as [Json, Json, Json];
  return { 'Fn::If': [condition, configure(then), configure(otherwise)] };
}

/** AWS's own configurations by their full name, also inside intrinsic functions. */
function deploymentConfig(value: Json, key?: string): Json {
  if (Array.isArray(value)) return value.map((each) => deploymentConfig(each));
  if (isIntrinsic(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, deploymentConfig(each, name)]));
  }
  if (typeof value !== 'string' || !PREDEFINED_TYPES.has(value)) return value;
  const sub: Json = ['CodeDeployDefault.Lambda${ConfigName}', { ConfigName: value }];
  return key === 'Fn::Sub' ? sub : { 'Fn::Sub': sub };
}
