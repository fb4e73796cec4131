/** Events of state machines: rules of EventBridge. Schedules of EventBridge Scheduler are those of functions; Api is in `api/`. */
import type { Json, JsonObject } from '../../tree.ts';
import { BOOLEAN, MAP, optional, type PropertyTable, required, STRING, strict } from '../checks.ts';
import type { EventKind, EventTarget, SamEvent } from '../context.ts';
import { eventsRule, ruleTarget } from '../events/rule.ts';
import { isTruthy } from '../python.ts';
import { arnOf, type CfnResource, cfnResource } from '../resources.ts';
import { assumeRolePolicy, destinationPolicies } from '../roles.ts';

const SCHEDULE: PropertyTable = {
  Schedule: required(STRING),
  Input: optional(STRING),
  Enabled: optional(BOOLEAN),
  State: optional(STRING),
  Name: optional(STRING),
  Description: optional(STRING),
  DeadLetterConfig: optional(MAP),
  RetryPolicy: optional(MAP),
  Target: strict(MAP),
  RoleArn: strict(STRING),
};

const PATTERN: PropertyTable = {
  EventBusName: optional(STRING),
  RuleName: optional(STRING),
  Pattern: optional(MAP),
  Input: optional(STRING),
  InputPath: optional(STRING),
  DeadLetterConfig: optional(MAP),
  RetryPolicy: optional(MAP),
  State: optional(STRING),
  Target: strict(MAP),
  InputTransformer: optional(MAP),
};

const patternKind: EventKind = { properties: PATTERN, link: () => translate };

export const STATE_MACHINE_EVENTS: Readonly<Record<string, EventKind>> = {
  Schedule: { properties: SCHEDULE, link: () => translate },
  CloudWatchEvent: patternKind,
  EventBridgeRule: patternKind,
};

function translate(event: SamEvent, target: EventTarget): CfnResource[] {
  const { rule, deadLetters } = eventsRule(event, target.passedAttributes);
  const given = event.properties.RoleArn;
  const role = given === undefined || given === null ? eventRole(event.logicalId, target, 'events') : undefined;
  const described: JsonObject = {
    ...ruleTarget(event, target.arn, 'StepFunctionsTarget', deadLetters),
    RoleArn: role === undefined ? (given as Json) : arnOf(role),
  };
  rule.properties.Targets = [described];
  return [rule, ...(role === undefined ? [] : [role]), ...(deadLetters?.resources ?? [])];
}

/** The role with which a service starts executions of the state machine for an event. */
export function eventRole(eventId: string, target: EventTarget, service: string): CfnResource {
  const roleId = `${eventId}Role`;
  const boundary = target.permissionsBoundary;
  return cfnResource('AWS::IAM::Role', roleId, target.passedAttributes, {
    AssumeRolePolicyDocument: assumeRolePolicy(service),
    Policies: [destinationPolicies.StateMachine(target.arn, roleId)],
    PermissionsBoundary: isTruthy(boundary) ? boundary : undefined,
  });
}
