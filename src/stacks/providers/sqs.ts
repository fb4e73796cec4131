/** AWS::SQS::Queue and AWS::SQS::QueuePolicy. */
import { parseQueueArn, renderQueueArn } from '../../protocol/arn.ts';
import { documentText, tagChanges, tagMap, texts, tolerateMissing } from './members.ts';
import { createPhysicalName } from './physical-names.ts';
import type { Properties, ResourceContext, ResourceProvider } from './provider.ts';

const NUMBERS = [
  'DelaySeconds',
  'KmsDataKeyReusePeriodSeconds',
  'MaximumMessageSize',
  'MessageRetentionPeriod',
  'ReceiveMessageWaitTimeSeconds',
  'VisibilityTimeout',
];
const TEXTS = [
  'ContentBasedDeduplication',
  'DeduplicationScope',
  'FifoQueue',
  'FifoThroughputLimit',
  'KmsMasterKeyId',
  'SqsManagedSseEnabled',
];
const FIFO_SWITCHES = ['FifoQueue', 'ContentBasedDeduplication'];
const DOCUMENTS = ['RedrivePolicy', 'RedriveAllowPolicy'];

export const sqsQueue: ResourceProvider = {
  type: 'AWS::SQS::Queue',
  naming: {
    property: 'QueueName',
    maxLength: 80,
    suffix: ({ FifoQueue }) => (String(FifoQueue) === 'true' ? '.fifo' : ''),
  },
  async create(properties, context) {
    const name = String(properties.QueueName);
    const input = { QueueName: name, Attributes: attributesOf(properties), tags: tagMap(properties.Tags) };
    const { QueueUrl } = await context.call('sqs', 'CreateQueue', input);
    context.created(String(QueueUrl));
    return {
      physicalId: String(QueueUrl),
      attributes: { Arn: renderQueueArn(context.scope, name), QueueName: name, QueueUrl: String(QueueUrl) },
    };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    const [had, has] = [attributesOf(before), attributesOf(properties)];
    // An attribute that the template no longer names goes back to its default: an empty document removes it.
    const removed = DOCUMENTS.filter((name) => had[name] !== undefined && has[name] === undefined);
    const { FifoQueue: _, ...Attributes } = { ...has, ...Object.fromEntries(removed.map((name) => [name, ''])) };
    if (Object.keys(Attributes).length > 0) {
      await context.call('sqs', 'SetQueueAttributes', { QueueUrl: physicalId, Attributes });
    }
    const tags = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    if (tags.removed.length > 0) {
      await context.call('sqs', 'UntagQueue', { QueueUrl: physicalId, TagKeys: tags.removed });
    }
    if (Object.keys(tags.set).length > 0) {
      await context.call('sqs', 'TagQueue', { QueueUrl: physicalId, Tags: tags.set });
    }
    return { physicalId, attributes };
  },
  delete: ({ physicalId }, context) => tolerateMissing(context.call('sqs', 'DeleteQueue', { QueueUrl: physicalId })),
};

function attributesOf(properties: Properties): Record<string, string> {
  const isFifo = String(properties.FifoQueue) === 'true';
  // A standard queue has no such attributes, but its template may say `false`.
  const names = isFifo ? TEXTS : TEXTS.filter((name) => !FIFO_SWITCHES.includes(name));
  const plain = [...NUMBERS, ...names].flatMap((name) =>
    properties[name] === undefined ? [] : [[name, String(properties[name])]],
  );
  const documents = DOCUMENTS.flatMap((name) =>
    properties[name] === undefined ? [] : [[name, documentText(properties[name])]],
  );
  return Object.fromEntries([...plain, ...documents]);
}

export const sqsQueuePolicy: ResourceProvider = {
  type: 'AWS::SQS::QueuePolicy',
  async create(properties, context) {
    const { stack, logicalId } = context;
    const physicalId = createPhysicalName({ stackName: stack.name, logicalId, maxLength: 80 });
    context.created(physicalId);
    await setPolicy({}, properties, context);
    return { physicalId, attributes: { Id: physicalId } };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    await setPolicy(before, properties, context);
    return { physicalId, attributes };
  },
  delete: ({ properties }, context) => setPolicy(properties, {}, context),
};

/** Sets the policy of the queues that the properties name, and removes it from those that they no longer name. */
async function setPolicy(before: Properties, after: Properties, context: ResourceContext): Promise<void> {
  const has = texts(after.Queues);
  for (const QueueUrl of texts(before.Queues).filter((queue) => !has.includes(queue))) {
    await tolerateMissing(context.call('sqs', 'SetQueueAttributes', { QueueUrl, Attributes: { Policy: '' } }));
  }
  for (const QueueUrl of has) {
    const Attributes = { Policy: documentText(after.PolicyDocument) };
    await context.call('sqs', 'SetQueueAttributes', { QueueUrl: queueUrl(QueueUrl), Attributes });
  }
}

/** Templates sometimes give a queue's ARN where its URL belongs. */
function queueUrl(text: string): string {
  const queue = parseQueueArn(text);
  return queue === undefined ? text : `/${queue.scope.account}/${queue.name}`;
}
