/** Rules of EventBridge: the events Schedule, CloudWatchEvent and EventBridgeRule of functions. */
import type { Json, JsonObject } from '../../tree.ts';
import { BOOLEAN, isMap, MAP, optional, type PropertyTable, required, STRING } from '../checks.ts';
import type { EventKind, EventTarget, SamEvent } from '../context.ts';
import { InvalidEvent } from '../errors.ts';
import { isTruthy } from '../python.ts';
import { arnOf, type CfnResource, cfnResource } from '../resources.ts';
import { type DeadLetters, ruleDeadLetters } from './dead-letters.ts';
import { invokePermission } from './permission.ts';

const SCHEDULE: PropertyTable = {
  Schedule: required(STRING),
  RuleName: optional(STRING),
  Input: optional(STRING),
  Enabled: optional(BOOLEAN),
  State: optional(STRING),
  Name: optional(STRING),
  Description: optional(STRING),
  DeadLetterConfig: optional(MAP),
  RetryPolicy: optional(MAP),
};

const PATTERN: PropertyTable = {
  EventBusName: optional(STRING),
  RuleName: optional(STRING),
  Pattern: optional(MAP),
  DeadLetterConfig: optional(MAP),
  RetryPolicy: optional(MAP),
  Input: optional(STRING),
  InputPath: optional(STRING),
  Target: optional(MAP),
  Enabled: optional(BOOLEAN),
  State: optional(STRING),
  InputTransformer: optional(MAP),
};

const patternKind: EventKind = { properties: PATTERN, link: () => translateRule };

export const RULE_EVENTS: Readonly<Record<'Schedule' | 'CloudWatchEvent' | 'EventBridgeRule', EventKind>> = {
  Schedule: { properties: SCHEDULE, link: () => translateRule },
  CloudWatchEvent: patternKind,
  EventBridgeRule: patternKind,
};

function translateRule(event: SamEvent, target: EventTarget): CfnResource[] {
  const { rule, deadLetters } = eventsRule(event, target.passedAttributes);
  rule.properties.Targets = [ruleTarget(event, target.arn, 'LambdaTarget', deadLetters)];
  const permission = invokePermission(target, {
    prefix: event.logicalId,
    principal: 'events.amazonaws.com',
    sourceArn: arnOf(rule),
  });
  return [...(deadLetters?.resources ?? []), rule, permission];
}

/** A rule without its target. */
export interface EventsRule {
  readonly rule: CfnResource;
  readonly deadLetters: DeadLetters | undefined;
}

/** @throws InvalidEvent for State and Enabled together, and for a DeadLetterConfig that is wrong */
export function eventsRule(event: SamEvent, attributes: JsonObject): EventsRule {
  const { properties, logicalId } = event;
  const rule = cfnResource(
    'AWS::Events::Rule',
    logicalId,
    attributes,
    event.type === 'Schedule'
      ? {
          ScheduleExpression: properties.Schedule,
          Name: properties.Name,
          Description: properties.Description,
        }
      : { EventBusName: properties.EventBusName, EventPattern: properties.Pattern, Name: properties.RuleName },
  );
  const isSchedule = event.type === 'Schedule';
  if (isSchedule) rule.properties.State = stateOf(event);
  const deadLetters = ruleDeadLetters(event, arnOf(rule), attributes);
  if (!isSchedule) rule.properties.State = stateOf(event);
  return { rule, deadLetters };
}

function stateOf({ eventId, properties: { State, Enabled } }: SamEvent): Json | undefined {
  const hasEnabled = Enabled !== undefined && Enabled !== null;
  if (isTruthy(State) && hasEnabled) {
    throw new InvalidEvent(eventId, 'State and Enabled Properties cannot both be specified.');
  }
  if (hasEnabled) return isTruthy(Enabled) ? 'ENABLED' : 'DISABLED';
  return isTruthy(State) ? State : undefined;
}

/** Maximum length of a target's id. */
const TARGET_ID_LENGTH = 64;

export function ruleTarget(
  { logicalId, type, properties }: SamEvent,
  arn: Json,
  suffix: string,
  deadLetters: DeadLetters | undefined,
): JsonObject {
  const target: JsonObject = { Arn: arn, Id: logicalId.slice(0, TARGET_ID_LENGTH - suffix.length) + suffix };
  const named = properties.Target;
  if (isMap(named) && 'Id' in named) target.Id = named.Id as Json;
  const copy = (name: string): void => {
    const value = properties[name];
    if (value !== undefined && value !== null) target[name] = value;
  };
  copy('Input');
  if (deadLetters !== undefined) target.DeadLetterConfig = { Arn: deadLetters.arn };
  copy('RetryPolicy');
  if (type === 'Schedule') return target;
  copy('InputPath');
  copy('InputTransformer');
  return target;
}
