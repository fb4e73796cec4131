/** Schedules of EventBridge Scheduler: the event ScheduleV2 of functions and state machines. */
import type { Json, JsonObject } from '../../tree.ts';
import { BOOLEAN, MAP, optional, required, STRING, strict } from '../checks.ts';
import type { EventKind, EventTarget, SamEvent } from '../context.ts';
import { InvalidEvent } from '../errors.ts';
import { isTruthy } from '../python.ts';
import { arnOf, type CfnResource, cfnResource } from '../resources.ts';
import { assumeRolePolicy, destinationPolicies } from '../roles.ts';
import { checkDeadLetterConfig, type DeadLetters, deadLetterQueue } from './dead-letters.ts';

export const SCHEDULE_V2: EventKind = {
  properties: {
    PermissionsBoundary: optional(STRING),
    ScheduleExpression: required(STRING),
    FlexibleTimeWindow: optional(MAP),
    Name: optional(STRING),
    State: optional(STRING),
    Description: optional(STRING),
    StartDate: optional(STRING),
    EndDate: optional(STRING),
    ScheduleExpressionTimezone: optional(STRING),
    GroupName: optional(STRING),
    KmsKeyArn: optional(STRING),
    Input: optional(STRING),
    RoleArn: optional(STRING),
    DeadLetterConfig: optional(MAP),
    RetryPolicy: optional(MAP),
    OmitName: strict(BOOLEAN),
  },
  link: () => translate,
};

function translate(event: SamEvent, target: EventTarget): CfnResource[] {
  const { logicalId, properties } = event;
  const { passedAttributes } = target;
  const made = schedule(event, passedAttributes);
  const resources = [made];
  const config = properties.DeadLetterConfig;
  let deadLetters: DeadLetters | undefined;
  if (config !== undefined && config !== null) {
    checkDeadLetterConfig(logicalId, config as JsonObject);
    deadLetters = deadLetterQueue(logicalId, config as JsonObject, passedAttributes);
    resources.push(...deadLetters.resources);
  }
  let roleArn = properties.RoleArn;
  if (!isTruthy(roleArn)) {
    const role = scheduleRole(event, target, deadLetters);
    resources.push(role);
    roleArn = arnOf(role);
  }
  made.properties.Target = {
    Arn: target.arn,
    RoleArn: roleArn as Json,
    ...present('Input', properties.Input),
    ...(deadLetters === undefined ? {} : { DeadLetterConfig: { Arn: deadLetters.arn } }),
    ...present('RetryPolicy', properties.RetryPolicy),
  };
  return resources;
}

const present = (name: string, value: Json | undefined): JsonObject =>
  value === undefined || value === null ? {} : { [name]: value };

const COPIED = [
  'ScheduleExpression',
  'Description',
  'StartDate',
  'EndDate',
  'ScheduleExpressionTimezone',
  'GroupName',
  'KmsKeyArn',
];

function schedule({ logicalId, properties }: SamEvent, attributes: JsonObject): CfnResource {
  const made = cfnResource('AWS::Scheduler::Schedule', logicalId, attributes);
  for (const name of COPIED) made.properties[name] = properties[name];
  if (isTruthy(properties.State)) made.properties.State = properties.State;
  if (!isTruthy(properties.OmitName)) {
    made.properties.Name = isTruthy(properties.Name) ? properties.Name : logicalId;
  } else if (isTruthy(properties.Name)) {
    throw new InvalidEvent(logicalId, 'Name cannot be set when OmitName is True');
  }
  const window = properties.FlexibleTimeWindow;
  made.properties.FlexibleTimeWindow = isTruthy(window) ? window : { Mode: 'OFF' };
  return made;
}

function scheduleRole(event: SamEvent, target: EventTarget, deadLetters: DeadLetters | undefined): CfnResource {
  const { logicalId, properties } = event;
  const isStateMachine = target.type.startsWith('AWS::StepFunctions::');
  const invoke = isStateMachine ? destinationPolicies.StateMachine : destinationPolicies.Lambda;
  const policies = [invoke(target.arn, logicalId)];
  if (deadLetters !== undefined) policies.push(destinationPolicies.SQS(deadLetters.arn, logicalId));
  const boundary = properties.PermissionsBoundary;
  return cfnResource('AWS::IAM::Role', `${logicalId}Role`, target.passedAttributes, {
    AssumeRolePolicyDocument: assumeRolePolicy('scheduler'),
    Policies: policies,
    PermissionsBoundary: isTruthy(boundary) ? boundary : undefined,
  });
}
