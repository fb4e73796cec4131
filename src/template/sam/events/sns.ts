/** SNS events: a subscription of the function, or one of a queue that the function polls. */
import type { Json, JsonObject } from '../../tree.ts';
import { BOOLEAN, expectMap, isMap, MAP, member, oneOf, optional, PASSED, required, STRING } from '../checks.ts';
import type { EventKind, EventTarget, SamContext, SamEvent } from '../context.ts';
import { InvalidEvent } from '../errors.ts';
import { logicalIdOf } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';
import { arnOf, type CfnResource, cfnResource, refOf } from '../resources.ts';
import { queuePolicy } from './dead-letters.ts';
import { invokePermission } from './permission.ts';
import { eventSourceMapping } from './pull.ts';

export const SNS: EventKind = {
  properties: {
    Topic: required(STRING),
    Region: optional(STRING),
    FilterPolicy: PASSED,
    FilterPolicyScope: PASSED,
    SqsSubscription: optional(oneOf(BOOLEAN, MAP)),
    RedrivePolicy: optional(MAP),
  },
  link: (_, context) => (event, target) => translate(event, target, context),
};

function translate(event: SamEvent, target: EventTarget, context: SamContext): CfnResource[] {
  const { logicalId, properties, eventId } = event;
  const { Topic, SqsSubscription } = properties;
  if (!isTruthy(SqsSubscription)) {
    const parts = { prefix: logicalId, principal: 'sns.amazonaws.com', sourceArn: Topic };
    return [invokePermission(target, parts), subscription(event, target, 'lambda', target.arn)];
  }
  if (typeof SqsSubscription === 'boolean') {
    const queue = cfnResource('AWS::SQS::Queue', `${logicalId}Queue`, target.passedAttributes);
    const isFifo = fifoTopic(Topic, context);
    if (isTruthy(isFifo)) queue.properties.FifoQueue = isFifo;
    return [
      mappingOf(event, target, arnOf(queue), 10, context),
      queue,
      ...subscribed(event, target, arnOf(queue), refOf(queue)),
    ];
  }
  const queue = expectMap(SqsSubscription, { event: eventId, path: 'SqsSubscription' });
  const { QueueArn, QueueUrl, BatchSize, QueuePolicyLogicalId } = queue;
  if (!isTruthy(QueueArn) || !isTruthy(QueueUrl)) throw new InvalidEvent(eventId, 'No QueueARN or QueueURL provided.');
  const made = subscribed(event, target, QueueArn as Json, QueueUrl as Json, QueuePolicyLogicalId);
  const size = isTruthy(BatchSize) ? (BatchSize as Json) : 10;
  return [mappingOf(event, target, QueueArn as Json, size, context), ...made];
}

/** Whether the topic of the template is a FIFO topic. */
function fifoTopic(topic: Json | undefined, context: SamContext): Json | undefined {
  const topicId = logicalIdOf(topic);
  const resource = topicId === undefined ? undefined : member(context.resources, topicId);
  const properties = isMap(resource) ? resource.Properties : undefined;
  return isMap(properties) ? context.resolveParameters(member(properties, 'FifoTopic')) : undefined;
}

/** The policy of the queue and its subscription. */
function subscribed(
  event: SamEvent,
  target: EventTarget,
  queueArn: Json,
  queueUrl: Json,
  policyId?: Json | undefined,
): CfnResource[] {
  const id = isTruthy(policyId) ? String(policyId) : `${event.logicalId}QueuePolicy`;
  const policy = cfnResource('AWS::SQS::QueuePolicy', id, target.passedAttributes, {
    PolicyDocument: queuePolicy('*', queueArn, event.properties.Topic as Json),
    Queues: [queueUrl],
  });
  return [policy, subscription(event, target, 'sqs', queueArn)];
}

function subscription(
  { logicalId, properties }: SamEvent,
  target: EventTarget,
  protocol: string,
  endpoint: Json,
): CfnResource {
  return cfnResource('AWS::SNS::Subscription', logicalId, target.passedAttributes, {
    Protocol: protocol,
    Endpoint: endpoint,
    TopicArn: properties.Topic,
    Region: properties.Region,
    FilterPolicy: properties.FilterPolicy,
    FilterPolicyScope: properties.FilterPolicyScope,
    RedrivePolicy: properties.RedrivePolicy,
  });
}

function mappingOf(event: SamEvent, target: EventTarget, queueArn: Json, size: Json, context: SamContext): CfnResource {
  const properties: JsonObject = { Queue: queueArn, BatchSize: size, Enabled: true };
  const logicalId = `${event.logicalId}EventSourceMapping`;
  return eventSourceMapping('SQS', { logicalId, eventId: event.eventId, type: 'SQS', properties }, target, context);
}
