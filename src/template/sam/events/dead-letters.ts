/** DeadLetterConfig of rules and schedules: a queue that is named, or one that is made. */
import type { Json, JsonObject } from '../../tree.ts';
import type { SamEvent } from '../context.ts';
import { InvalidEvent } from '../errors.ts';
import { arnOf, type CfnResource, cfnResource, refOf } from '../resources.ts';

export interface DeadLetters {
  readonly arn: Json;
  readonly resources: readonly CfnResource[];
}

/** @throws InvalidEvent unless the map has either an Arn or the Type SQS */
export function checkDeadLetterConfig(logicalId: string, config: JsonObject): void {
  const hasArn = 'Arn' in config;
  const hasType = 'Type' in config;
  if (hasArn && hasType) {
    throw new InvalidEvent(logicalId, "You can either define 'Arn' or 'Type' property of DeadLetterConfig.");
  }
  if (hasType && config.Type !== 'SQS') {
    throw new InvalidEvent(logicalId, "The only valid value for 'Type' property of DeadLetterConfig is 'SQS'.");
  }
  if (!hasArn && !hasType) {
    throw new InvalidEvent(logicalId, "No 'Arn' or 'Type' property provided for DeadLetterConfig.");
  }
}

/**
 * The queue of a rule of EventBridge, with the policy that lets the rule send to it.
 *
 * @returns undefined for a rule without DeadLetterConfig
 * @throws InvalidEvent
 */
export function ruleDeadLetters(
  { logicalId, properties }: SamEvent,
  ruleArn: JsonObject,
  attributes: JsonObject,
): DeadLetters | undefined {
  const config = properties.DeadLetterConfig;
  if (config === undefined || config === null) return undefined;
  checkDeadLetterConfig(logicalId, config as JsonObject);
  const made = deadLetterQueue(logicalId, config as JsonObject, attributes);
  const [queue] = made.resources;
  if (queue === undefined) return made;
  const policy = cfnResource('AWS::SQS::QueuePolicy', `${logicalId}QueuePolicy`, attributes, {
    PolicyDocument: queuePolicy({ Service: 'events.amazonaws.com' }, arnOf(queue), ruleArn),
    Queues: [refOf(queue)],
  });
  return { arn: made.arn, resources: [queue, policy] };
}

/** The queue alone, as schedules use it. */
export function deadLetterQueue(logicalId: string, config: JsonObject, attributes: JsonObject): DeadLetters {
  if (config.Arn !== undefined && config.Arn !== null) return { arn: config.Arn, resources: [] };
  const given = config.QueueLogicalId;
  if (given !== undefined && given !== null && typeof given !== 'string') {
    throw new InvalidEvent(logicalId, 'QueueLogicalId must be a string');
  }
  const queue = cfnResource('AWS::SQS::Queue', given ? given : `${logicalId}Queue`, attributes);
  return { arn: arnOf(queue), resources: [queue] };
}

/** A queue's policy that lets a source send messages. */
export function queuePolicy(principal: Json, queueArn: Json, sourceArn: Json): JsonObject {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Action: 'sqs:SendMessage',
        Effect: 'Allow',
        Principal: principal,
        Resource: queueArn,
        Condition: { ArnEquals: { 'aws:SourceArn': sourceArn } },
      },
    ],
  };
}
