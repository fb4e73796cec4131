/** AWS::SNS::Topic, AWS::SNS::Subscription and AWS::SNS::TopicPolicy. */
import { documentText, tagChanges, tagList, tagMap, texts, tolerateMissing } from './members.ts';
import { createPhysicalName } from './physical-names.ts';
import type { Properties, ResourceContext, ResourceProvider } from './provider.ts';

const TOPIC_ATTRIBUTES = [
  'ContentBasedDeduplication',
  'DisplayName',
  'FifoTopic',
  'FifoThroughputScope',
  'KmsMasterKeyId',
  'SignatureVersion',
  'TracingConfig',
];

export const snsTopic: ResourceProvider = {
  type: 'AWS::SNS::Topic',
  naming: {
    property: 'TopicName',
    maxLength: 256,
    suffix: ({ FifoTopic }) => (String(FifoTopic) === 'true' ? '.fifo' : ''),
  },
  async create(properties, context) {
    const TopicName = String(properties.TopicName);
    const Attributes = attributesOf(properties, TOPIC_ATTRIBUTES);
    const Tags = tagList(tagMap(properties.Tags));
    const { TopicArn } = await context.call('sns', 'CreateTopic', { Name: TopicName, Attributes, Tags });
    context.created(String(TopicArn));
    await subscribe(String(TopicArn), {}, properties, context);
    return { physicalId: String(TopicArn), attributes: { TopicArn: String(TopicArn), TopicName } };
  },
  async update({ physicalId: TopicArn, attributes, properties: before }, properties, context) {
    const [had, has] = [attributesOf(before, TOPIC_ATTRIBUTES), attributesOf(properties, TOPIC_ATTRIBUTES)];
    const { set, removed } = tagChanges(had, has);
    for (const [AttributeName, AttributeValue] of Object.entries({
      ...set,
      ...Object.fromEntries(removed.map((name) => [name, ''])),
    })) {
      await context.call('sns', 'SetTopicAttributes', { TopicArn, AttributeName, AttributeValue });
    }
    await subscribe(TopicArn, before, properties, context);
    const tags = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    if (tags.removed.length > 0) {
      await context.call('sns', 'UntagResource', { ResourceArn: TopicArn, TagKeys: tags.removed });
    }
    if (Object.keys(tags.set).length > 0) {
      await context.call('sns', 'TagResource', { ResourceArn: TopicArn, Tags: tagList(tags.set) });
    }
    return { physicalId: TopicArn, attributes };
  },
  delete: ({ physicalId }, context) => tolerateMissing(context.call('sns', 'DeleteTopic', { TopicArn: physicalId })),
};

/** The subscriptions in the properties of a topic. */
async function subscribe(
  TopicArn: string,
  before: Properties,
  after: Properties,
  context: ResourceContext,
): Promise<void> {
  const had = new Set(subscriptionsOf(before).map((given) => JSON.stringify(given)));
  for (const { Protocol, Endpoint } of subscriptionsOf(after).filter((given) => !had.has(JSON.stringify(given)))) {
    await context.call('sns', 'Subscribe', { TopicArn, Protocol, Endpoint });
  }
}

function subscriptionsOf({ Subscription }: Properties): readonly Properties[] {
  return Array.isArray(Subscription) ? (Subscription as readonly Properties[]) : [];
}

const LOCAL_PROTOCOLS = ['lambda', 'sqs'];
const SUBSCRIPTION_ATTRIBUTES = ['FilterPolicyScope', 'RawMessageDelivery', 'SubscriptionRoleArn'];
const SUBSCRIPTION_DOCUMENTS = ['FilterPolicy', 'DeliveryPolicy', 'RedrivePolicy', 'ReplayPolicy'];

export const snsSubscription: ResourceProvider = {
  type: 'AWS::SNS::Subscription',
  async create(properties, context) {
    const { TopicArn, Protocol, Endpoint } = properties;
    const input = { TopicArn, Protocol, Endpoint, Attributes: subscriptionAttributes(properties) };
    const { SubscriptionArn } = await context.call('sns', 'Subscribe', input);
    context.created(String(SubscriptionArn));
    return { physicalId: String(SubscriptionArn), attributes: { Arn: String(SubscriptionArn) } };
  },
  async update({ physicalId: SubscriptionArn, attributes, properties: before }, properties, context) {
    const { set, removed } = tagChanges(subscriptionAttributes(before), subscriptionAttributes(properties));
    const cleared = removed.map((name) => [name, SUBSCRIPTION_DOCUMENTS.includes(name) ? '{}' : 'false']);
    for (const [AttributeName, AttributeValue] of Object.entries({ ...set, ...Object.fromEntries(cleared) })) {
      // A subscription of a protocol that Lamella does not have is only recorded.
      const call = context.call('sns', 'SetSubscriptionAttributes', { SubscriptionArn, AttributeName, AttributeValue });
      await (LOCAL_PROTOCOLS.includes(String(properties.Protocol)) ? call : tolerateMissing(call));
    }
    return { physicalId: SubscriptionArn, attributes };
  },
  delete: ({ physicalId }, context) =>
    tolerateMissing(context.call('sns', 'Unsubscribe', { SubscriptionArn: physicalId })),
};

function subscriptionAttributes(properties: Properties): Record<string, string> {
  const documents = SUBSCRIPTION_DOCUMENTS.flatMap((name) =>
    properties[name] === undefined ? [] : [[name, documentText(properties[name])]],
  );
  return { ...attributesOf(properties, SUBSCRIPTION_ATTRIBUTES), ...Object.fromEntries(documents) };
}

export const snsTopicPolicy: ResourceProvider = {
  type: 'AWS::SNS::TopicPolicy',
  async create(properties, context) {
    const { stack, logicalId } = context;
    const physicalId = createPhysicalName({ stackName: stack.name, logicalId, maxLength: 80 });
    context.created(physicalId);
    await setPolicy(properties, context);
    return { physicalId, attributes: { Id: physicalId } };
  },
  async update({ physicalId, attributes }, properties, context) {
    await setPolicy(properties, context);
    return { physicalId, attributes };
  },
  // A topic always has a policy: AWS puts its default one back. Nothing evaluates policies here.
  delete: async () => undefined,
};

async function setPolicy({ PolicyDocument, Topics }: Properties, context: ResourceContext): Promise<void> {
  for (const TopicArn of texts(Topics)) {
    const AttributeValue = documentText(PolicyDocument);
    await context.call('sns', 'SetTopicAttributes', { TopicArn, AttributeName: 'Policy', AttributeValue });
  }
}

function attributesOf(properties: Properties, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (properties[name] === undefined ? [] : [[name, String(properties[name])]])),
  );
}
