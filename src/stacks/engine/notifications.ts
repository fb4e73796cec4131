/**
 * Publishes stack events to the topics of NotificationARNs, in CloudFormation's form of lines `Name='value'`. A topic that
 * cannot be reached does not disturb the operation.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-notification.html
 */
import type { Log } from '../../log.ts';
import type { ServiceCall } from '../../wire/service-call.ts';
import type { Stack, StackEvent } from '../stack.ts';

export function notifyTopics(
  { call, log }: { readonly call: ServiceCall; readonly log: Log },
  stack: Stack,
  topics: readonly string[],
  event: StackEvent,
): void {
  if (topics.length === 0) return;
  const Message = renderNotification(stack, event);
  for (const TopicArn of topics) {
    call(stack.scope, 'sns', 'Publish', { TopicArn, Subject: 'AWS CloudFormation Notification', Message }).catch(
      (failure: unknown) => log.warn({ err: failure, stack: stack.name, TopicArn }, 'a stack event was not published'),
    );
  }
}

function renderNotification(stack: Stack, event: StackEvent): string {
  const lines = {
    StackId: stack.id,
    Timestamp: new Date(event.atMs).toISOString(),
    EventId: event.eventId,
    LogicalResourceId: event.logicalId,
    Namespace: stack.scope.account,
    PhysicalResourceId: event.physicalId,
    PrincipalId: stack.scope.account,
    ResourceProperties: event.properties ?? 'null',
    ResourceStatus: event.status,
    ResourceStatusReason: event.reason ?? '',
    ResourceType: event.type,
    StackName: stack.name,
    ClientRequestToken: event.token ?? 'null',
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join('');
}
