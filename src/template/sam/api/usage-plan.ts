/** Usage plans of REST APIs with their API keys: one per API, or one that the APIs of a template share. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import { InvalidResource, InvalidTemplate } from '../errors.ts';
import { ref } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';
import { type CfnResource, cfnResource } from '../resources.ts';

/** What the APIs of a template share. */
export interface SharedUsagePlan {
  readonly apiStages: Json[];
  readonly stageKeys: Json[];
  readonly dependsOn: Json[];
  readonly conditions: Set<string>;
  hasApiWithoutCondition: boolean;
  deletionPolicy: Json;
  updateReplacePolicy: Json;
}

export function sharedUsagePlan(): SharedUsagePlan {
  return {
    apiStages: [],
    stageKeys: [],
    dependsOn: [],
    conditions: new Set(),
    hasApiWithoutCondition: false,
    deletionPolicy: null,
    updateReplacePolicy: null,
  };
}

/** The API that a plan is for. */
export interface PlannedApi {
  readonly logicalId: string;
  readonly stageId: string;
  readonly passedAttributes: JsonObject;
  /** `Conditions` of the template. */
  readonly conditions: JsonObject | undefined;
}

const PROPERTIES = ['CreateUsagePlan', 'Description', 'Quota', 'Tags', 'Throttle', 'UsagePlanName'];
const SHARED_CONDITION = 'SharedUsagePlanCondition';

/** @throws InvalidResource, or InvalidTemplate for a condition in a template without conditions */
export function usagePlan(api: PlannedApi, plan: Json | undefined, shared: SharedUsagePlan): CfnResource[] {
  if (plan === undefined || plan === null) return [];
  const { logicalId } = api;
  if (!isMap(plan)) throw new InvalidResource(logicalId, "'UsagePlan' must be a dictionary");
  if (!Object.keys(plan).every((key) => PROPERTIES.includes(key))) {
    throw new InvalidResource(logicalId, "Invalid property for 'UsagePlan'");
  }
  const kind = member(plan, 'CreateUsagePlan') ?? null;
  if (kind === null) throw new InvalidResource(logicalId, "'CreateUsagePlan' is a required field for UsagePlan.");
  if (kind === 'NONE') return [];
  if (kind === 'PER_API') return planOfApi(api, plan);
  if (kind === 'SHARED') return planOfAll(api, plan, shared);
  throw new InvalidResource(logicalId, "'CreateUsagePlan' accepts one of ['SHARED', 'PER_API', 'NONE'].");
}

/** Without members that are empty in the template. */
function planProperties(plan: JsonObject, apiStages: Json[]): { [name: string]: Json | undefined } {
  const given = PROPERTIES.slice(1).filter((name) => isTruthy(member(plan, name)));
  return { ApiStages: apiStages, ...Object.fromEntries(given.map((name) => [name, plan[name]])) };
}

const apiStage = ({ logicalId, stageId }: PlannedApi): Json => ({ ApiId: ref(logicalId), Stage: ref(stageId) });
const stageKey = ({ logicalId, stageId }: PlannedApi): Json => ({
  RestApiId: ref(logicalId),
  StageName: ref(stageId),
});

function planOfApi(api: PlannedApi, plan: JsonObject): CfnResource[] {
  const { logicalId, passedAttributes } = api;
  return planResources(
    { plan: `${logicalId}UsagePlan`, key: `${logicalId}ApiKey`, planKey: `${logicalId}UsagePlanKey` },
    planProperties(plan, [apiStage(api)]),
    [stageKey(api)],
    [logicalId],
    () => passedAttributes,
  );
}

function planOfAll(api: PlannedApi, plan: JsonObject, shared: SharedUsagePlan): CfnResource[] {
  shared.dependsOn.push(api.logicalId);
  shared.apiStages.push(apiStage(api));
  shared.stageKeys.push(stageKey(api));
  return planResources(
    { plan: 'ServerlessUsagePlan', key: 'ServerlessApiKey', planKey: 'ServerlessUsagePlanKey' },
    planProperties(plan, shared.apiStages),
    shared.stageKeys,
    shared.dependsOn,
    () => sharedAttributes(api, shared),
  );
}

function planResources(
  ids: { readonly plan: string; readonly key: string; readonly planKey: string },
  properties: { [name: string]: Json | undefined },
  stageKeys: Json[],
  dependsOn: Json[],
  attributes: () => JsonObject,
): CfnResource[] {
  const plan = cfnResource('AWS::ApiGateway::UsagePlan', ids.plan, attributes(), properties);
  plan.dependsOn = dependsOn;
  const key = cfnResource('AWS::ApiGateway::ApiKey', ids.key, attributes(), { Enabled: true, StageKeys: stageKeys });
  key.dependsOn = [ids.plan];
  const planKey = cfnResource('AWS::ApiGateway::UsagePlanKey', ids.planKey, attributes(), {
    KeyId: ref(ids.key),
    KeyType: 'API_KEY',
    UsagePlanId: ref(ids.plan),
  });
  planKey.dependsOn = [ids.key];
  return [plan, key, planKey];
}

/** The plan is there if one of its APIs is, and is kept if one of them is kept. */
function sharedAttributes({ passedAttributes, conditions }: PlannedApi, shared: SharedUsagePlan): JsonObject {
  const { DeletionPolicy, UpdateReplacePolicy, Condition } = passedAttributes;
  if (isTruthy(DeletionPolicy) && (!isTruthy(shared.deletionPolicy) || DeletionPolicy === 'Retain')) {
    shared.deletionPolicy = DeletionPolicy as Json;
  }
  if (isTruthy(UpdateReplacePolicy)) {
    const isStronger =
      UpdateReplacePolicy === 'Retain' ||
      (UpdateReplacePolicy === 'Snapshot' && shared.updateReplacePolicy === 'Delete');
    if (!isTruthy(shared.updateReplacePolicy) || isStronger) shared.updateReplacePolicy = UpdateReplacePolicy as Json;
  }
  shareCondition(Condition ?? null, conditions, shared);
  const attributes: JsonObject = {};
  if (isTruthy(shared.deletionPolicy)) attributes.DeletionPolicy = shared.deletionPolicy;
  if (isTruthy(shared.updateReplacePolicy)) attributes.UpdateReplacePolicy = shared.updateReplacePolicy;
  if (shared.conditions.size > 0 && !shared.hasApiWithoutCondition) attributes.Condition = SHARED_CONDITION;
  return attributes;
}

function shareCondition(condition: Json, conditions: JsonObject | undefined, shared: SharedUsagePlan): void {
  if (shared.hasApiWithoutCondition) return;
  if (condition === null) {
    shared.hasApiWithoutCondition = true;
    if (conditions !== undefined) delete conditions[SHARED_CONDITION];
  } else if (typeof condition === 'string' && condition !== '' && !shared.conditions.has(condition)) {
    if (conditions === undefined) {
      throw new InvalidTemplate("Can't have condition without having 'Conditions' section in the template");
    }
    shared.conditions.add(condition);
    const all = [...shared.conditions];
    conditions[SHARED_CONDITION] =
      all.length === 1 ? condition : { 'Fn::Or': all.map((each) => ({ Condition: each })) };
  }
}
