/** Events of services that invoke the function themselves and that need little: a permission, and what sends the events. */
import { renderArn } from '../../../protocol/arn.ts';
import type { Json } from '../../tree.ts';
import { optional, required, STRING } from '../checks.ts';
import type { EventKind } from '../context.ts';
import { ref, sub } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';
import { cfnResource } from '../resources.ts';
import { invokePermission } from './permission.ts';

export const ALEXA_SKILL: EventKind = {
  properties: { SkillId: optional(STRING) },
  link: () => (event, target) => [
    invokePermission(target, {
      prefix: event.logicalId,
      principal: 'alexa-appkit.amazon.com',
      eventSourceToken: event.properties.SkillId,
    }),
  ],
};

export const IOT_RULE: EventKind = {
  properties: { Sql: required(STRING), AwsIotSqlVersion: optional(STRING) },
  link: (_, context) => (event, target) => {
    const { logicalId, properties } = event;
    const permission = invokePermission(target, {
      prefix: logicalId,
      principal: 'iot.amazonaws.com',
      sourceArn: sub(ownArn(context.partition, 'iot', 'rule/${RuleName}'), { RuleName: ref(logicalId) }),
      sourceAccount: sub('${AWS::AccountId}'),
    });
    const rule = cfnResource('AWS::IoT::TopicRule', logicalId, target.passedAttributes, {
      TopicRulePayload: {
        Sql: properties.Sql as Json,
        RuleDisabled: false,
        Actions: [{ Lambda: { FunctionArn: target.arn } }],
        ...(isTruthy(properties.AwsIotSqlVersion) ? { AwsIotSqlVersion: properties.AwsIotSqlVersion as Json } : {}),
      },
    });
    return [permission, rule];
  },
};

export const CLOUD_WATCH_LOGS: EventKind = {
  properties: { LogGroupName: required(STRING), FilterPattern: required(STRING) },
  link: (_, context) => (event, target) => {
    const { logicalId, properties } = event;
    const { LogGroupName, FilterPattern } = properties;
    const permission = invokePermission(target, {
      prefix: logicalId,
      principal: 'logs.amazonaws.com',
      sourceArn: sub(ownArn(context.partition, 'logs', 'log-group:${__LogGroupName__}:*'), {
        __LogGroupName__: LogGroupName as Json,
      }),
    });
    const filter = cfnResource('AWS::Logs::SubscriptionFilter', logicalId, target.passedAttributes, {
      LogGroupName,
      FilterPattern,
      DestinationArn: target.arn,
    });
    filter.dependsOn = [permission.logicalId];
    return [permission, filter];
  },
};

function ownArn(partition: string, service: string, resource: string): string {
  return renderArn({ partition, service, region: '${AWS::Region}', account: '${AWS::AccountId}', resource });
}
