/** SQS's operations on queues: create, list, delete, attributes, tags and permissions. */
import { renderAccountArn } from '../../protocol/arn.ts';
import { SQS_ATTRIBUTES, SQS_FIFO_ATTRIBUTES, SQS_QUOTAS } from '../../protocol/sqs-operations.ts';
import { invalidParameter, SqsError } from '../../queues/sqs-error.ts';
import type { CallContext } from '../../wire/api-call.ts';
import { queueOf, requireText, type SqsHandlerDependencies, type SqsHandlers, type SqsResult } from './sqs-handlers.ts';
import type { SqsMessages } from './sqs-messages.ts';
import { attributeOf, isFifo, type SqsQueue } from './sqs-queues.ts';

type QueueOperation =
  | 'CreateQueue'
  | 'GetQueueUrl'
  | 'ListQueues'
  | 'ListDeadLetterSourceQueues'
  | 'DeleteQueue'
  | 'GetQueueAttributes'
  | 'SetQueueAttributes'
  | 'ListQueueTags'
  | 'TagQueue'
  | 'UntagQueue'
  | 'AddPermission'
  | 'RemovePermission';

export function createQueueHandlers({
  sqsQueues,
  sqsMessages,
}: SqsHandlerDependencies): Pick<SqsHandlers, QueueOperation> {
  const setStatements = (queue: SqsQueue, Statement: readonly PolicyStatement[]): void => {
    const policy = { Version: '2008-10-17', Id: `${queue.arn}/SQSDefaultPolicy`, Statement };
    sqsQueues.setAttributes(queue, { Policy: Statement.length === 0 ? '' : JSON.stringify(policy) });
  };

  return {
    CreateQueue({ QueueName, Attributes = {}, tags = {} }, call) {
      const queue = sqsQueues.create(call.scope, requireText(QueueName, 'QueueName'), Attributes, tags);
      return { QueueUrl: urlOf(queue, call) };
    },
    GetQueueUrl({ QueueName, QueueOwnerAWSAccountId }, call) {
      const account = QueueOwnerAWSAccountId || call.scope.account;
      return { QueueUrl: urlOf(sqsQueues.get({ ...call.scope, account }, requireText(QueueName, 'QueueName')), call) };
    },
    ListQueues(input, call) {
      const { count, after } = pageOf(input);
      const found = sqsQueues.list(call.scope, input.QueueNamePrefix ?? '', after, count + 1);
      return renderPage('QueueUrls', found, count, (queue) => urlOf(queue, call), input.MaxResults !== undefined);
    },
    ListDeadLetterSourceQueues(input, call) {
      const { count, after } = pageOf(input);
      const found = sqsQueues.sourcesOf(queueOf(sqsQueues, input, call)).filter(({ name }) => name > after);
      return renderPage('queueUrls', found, count, (queue) => urlOf(queue, call), true);
    },
    async DeleteQueue(input, call) {
      await sqsMessages.removeQueue(queueOf(sqsQueues, input, call));
      return {};
    },

    GetQueueAttributes(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      return { Attributes: renderAttributes(queue, sqsMessages, input.AttributeNames ?? []) };
    },
    async SetQueueAttributes(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      sqsQueues.setAttributes(queue, input.Attributes ?? {});
      // Retroactive, unlike that of a standard queue.
      // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
      if (isFifo(queue) && input.Attributes?.DelaySeconds !== undefined) {
        await sqsMessages.applyDelay(sqsQueues.get(queue.scope, queue.name));
      }
      return {};
    },

    ListQueueTags(input, call) {
      const { tags } = queueOf(sqsQueues, input, call);
      return Object.keys(tags).length > 0 ? { Tags: tags } : {};
    },
    TagQueue(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const tags = { ...queue.tags, ...input.Tags };
      if (Object.keys(tags).length > 50) {
        throw new SqsError('InvalidParameterValue', `Too many tags added for queue ${queue.name}.`);
      }
      sqsQueues.setTags(queue, tags);
      return {};
    },
    UntagQueue(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const removed = new Set(input.TagKeys);
      sqsQueues.setTags(queue, Object.fromEntries(Object.entries(queue.tags).filter(([key]) => !removed.has(key))));
      return {};
    },

    AddPermission(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const statements = statementsOf(queue);
      const label = requireText(input.Label, 'Label');
      if (statements.some(({ Sid }) => Sid === label)) {
        throw invalidParameter('Label', label, 'Already exists.');
      }
      const accounts = input.AWSAccountIds ?? [];
      const statement = {
        Sid: label,
        Effect: 'Allow',
        Principal: { AWS: oneOrMany(accounts.map((account) => renderAccountArn({ ...queue.scope, account }))) },
        Action: oneOrMany((input.Actions ?? []).map((action) => `SQS:${action}`)),
        Resource: queue.arn,
      };
      setStatements(queue, [...statements, statement]);
      return {};
    },
    RemovePermission(input, call) {
      const queue = queueOf(sqsQueues, input, call);
      const statements = statementsOf(queue);
      const label = requireText(input.Label, 'Label');
      const left = statements.filter(({ Sid }) => Sid !== label);
      if (left.length === statements.length) {
        throw invalidParameter('Label', label, "can't find label.");
      }
      setStatements(queue, left);
      return {};
    },
  };
}

function urlOf({ scope: { account }, name }: SqsQueue, { baseUrl }: CallContext): string {
  return `${baseUrl}/${account}/${name}`;
}

function renderAttributes(queue: SqsQueue, messages: SqsMessages, names: readonly string[]): SqsResult | undefined {
  const { visible, leased, delayed } = messages.counts(queue);
  const all: Record<string, string | undefined> = {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(leased),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    CreatedTimestamp: String(Math.floor(queue.createdMs / 1000)),
    LastModifiedTimestamp: String(Math.floor(queue.modifiedMs / 1000)),
  };
  for (const name of Object.keys({ ...SQS_ATTRIBUTES, ...SQS_FIFO_ATTRIBUTES })) all[name] = attributeOf(queue, name);
  for (const name of names) {
    if (name !== 'All' && !Object.hasOwn(all, name)) {
      throw new SqsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    }
  }
  const chosen = Object.entries(all).filter(
    ([name, value]) => value !== undefined && (names.includes('All') || names.includes(name)),
  );
  return chosen.length > 0 ? Object.fromEntries(chosen) : undefined;
}

function pageOf({
  MaxResults: count = SQS_QUOTAS.listResults,
  NextToken = '',
}: {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}): { readonly count: number; readonly after: string } {
  if (count < 1 || count > SQS_QUOTAS.listResults) {
    throw invalidParameter('MaxResults', count, 'MaxResults must be an integer between 1 and 1000.');
  }
  return { count, after: Buffer.from(NextToken, 'base64').toString('utf8') };
}

/** `hasToken` is false for a client that set no MaxResults: AWS sends it no NextToken. */
function renderPage(
  member: string,
  found: readonly SqsQueue[],
  count: number,
  render: (queue: SqsQueue) => string,
  hasToken: boolean,
): SqsResult {
  const page = found.slice(0, count);
  const last = page.at(-1);
  const token = hasToken && found.length > count && last ? Buffer.from(last.name).toString('base64') : undefined;
  return { [member]: page.length > 0 ? page.map(render) : undefined, NextToken: token };
}

type PolicyStatement = Readonly<Record<string, unknown>>;

function statementsOf({ attributes }: SqsQueue): readonly PolicyStatement[] {
  if (attributes.Policy === undefined) return [];
  const { Statement } = JSON.parse(attributes.Policy) as { readonly Statement?: unknown };
  return Array.isArray(Statement) ? (Statement as PolicyStatement[]) : [];
}

/** Policies write a list of one item without brackets. */
function oneOrMany(texts: readonly string[]): string | readonly string[] {
  const [only] = texts;
  return texts.length === 1 && only !== undefined ? only : texts;
}
