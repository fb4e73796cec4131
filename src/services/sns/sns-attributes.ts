/** The attributes of topics and subscriptions as SNS shows them, defaults included. Pure. */
import assert from 'node:assert/strict';
import { parseTopicArn, renderAccountArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { isFifoTopic, type Subscription, type Topic } from './topic.ts';

type Texts = Readonly<Record<string, string>>;

export const SUBSCRIPTION_DEFAULTS: Texts = { RawMessageDelivery: 'false', FilterPolicyScope: 'MessageAttributes' };

/** `confirmed` is the number of the topic's subscriptions. */
export function topicAttributes({ arn, scope, attributes }: Topic, confirmed: number): Texts {
  return {
    Owner: scope.account,
    TopicArn: arn,
    DisplayName: '',
    Policy: defaultTopicPolicy(arn, scope.account),
    EffectiveDeliveryPolicy: DEFAULT_DELIVERY_POLICY,
    SubscriptionsConfirmed: String(confirmed),
    SubscriptionsPending: '0',
    SubscriptionsDeleted: '0',
    ...(isFifoTopic({ arn }) && { ContentBasedDeduplication: 'false' }),
    ...attributes,
  };
}

/** The policy of a topic without one: its account has all permissions. */
function defaultTopicPolicy(arn: string, account: string): string {
  const actions = [
    'GetTopicAttributes',
    'SetTopicAttributes',
    'AddPermission',
    'RemovePermission',
    'DeleteTopic',
    'Subscribe',
    'ListSubscriptionsByTopic',
    'Publish',
  ];
  const statement = {
    Sid: '__default_statement_ID',
    Effect: 'Allow',
    Principal: { AWS: '*' },
    Action: actions.map((action) => `SNS:${action}`),
    Resource: arn,
    Condition: { StringEquals: { 'AWS:SourceOwner': account } },
  };
  return JSON.stringify({ Version: '2008-10-17', Id: '__default_policy_ID', Statement: [statement] });
}

/** SNS's default retries for HTTP subscribers. */
const DEFAULT_DELIVERY_POLICY = JSON.stringify({
  http: {
    defaultHealthyRetryPolicy: {
      minDelayTarget: 20,
      maxDelayTarget: 20,
      numRetries: 3,
      numMaxDelayRetries: 0,
      numNoDelayRetries: 0,
      numMinDelayRetries: 0,
      backoffFunction: 'linear',
    },
    disableSubscriptionOverrides: false,
    defaultRequestPolicy: { headerContentType: 'text/plain; charset=UTF-8' },
  },
});

export function subscriptionAttributes(subscription: Subscription): Texts {
  const { arn, topicArn, protocol, endpoint, attributes } = subscription;
  const owner = ownerOf(topicArn);
  const { FilterPolicyScope = 'MessageAttributes', ...rest } = attributes;
  return {
    SubscriptionArn: arn,
    TopicArn: topicArn,
    Protocol: protocol,
    Endpoint: endpoint,
    Owner: owner.account,
    SubscriptionPrincipal: renderAccountArn(owner),
    ConfirmationWasAuthenticated: 'true',
    PendingConfirmation: 'false',
    RawMessageDelivery: 'false',
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== '')),
    // Recorded on AWS: the scope is shown only with a policy.
    ...(rest.FilterPolicy && { FilterPolicyScope }),
  };
}

/** The scope of a stored topic or subscription. */
export function ownerOf(topicArn: string): Scope {
  const topic = parseTopicArn(topicArn);
  assert(topic !== undefined, `a topic is stored under ${topicArn}`);
  return topic.scope;
}

/** Attributes as they are stored: booleans in lower case. */
export function normalizeAttributes(attributes: Texts): Texts {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      name === 'RawMessageDelivery' ? value.toLowerCase() : value,
    ]),
  );
}
