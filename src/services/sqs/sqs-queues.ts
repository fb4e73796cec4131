/**
 * SQS's queues and their attributes. A queue whose name ends in `.fifo` is a FIFO queue. Their messages are in
 * `sqs-messages.ts`.
 */

import type { Clock } from '../../clock.ts';
import { parseQueueArn, renderQueueArn } from '../../protocol/arn.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Scope } from '../../protocol/names.ts';
import { SQS_ATTRIBUTES, SQS_FIFO_ATTRIBUTES } from '../../protocol/sqs-operations.ts';
import type { Redrive } from '../../queues/queue-store.ts';
import { invalidParameter, missingParameter, SqsError } from '../../queues/sqs-error.ts';
import type { Database } from '../../storage/database.ts';

export type SqsQueue = {
  readonly scope: Scope;
  readonly name: string;
  readonly arn: string;
  /** The name of the durable queue with its messages. */
  readonly key: string;
  readonly createdMs: number;
  readonly modifiedMs: number;
  /** Only the attributes that were set. */
  readonly attributes: QueueAttributes;
  readonly tags: Readonly<Record<string, string>>;
};

export type QueueAttributes = Readonly<Record<string, string>>;

export type NumericAttribute = {
  [Name in keyof typeof SQS_ATTRIBUTES]: (typeof SQS_ATTRIBUTES)[Name] extends { default: string } ? Name : never;
}[keyof typeof SQS_ATTRIBUTES];

export type SqsQueues = {
  /** Returns an existing queue of this name if it has the same attributes. @throws SqsError */
  create(scope: Scope, name: string, attributes: QueueAttributes, tags: Readonly<Record<string, string>>): SqsQueue;
  find(scope: Scope, name: string): SqsQueue | undefined;
  findByArn(arn: string): SqsQueue | undefined;
  /** @throws SqsError QueueDoesNotExist */
  get(scope: Scope, name: string): SqsQueue;
  /** Sets the given attributes and keeps the others. An empty document removes the attribute. @throws SqsError */
  setAttributes(queue: SqsQueue, attributes: QueueAttributes): void;
  setTags(queue: SqsQueue, tags: Readonly<Record<string, string>>): void;
  remove(queue: SqsQueue): void;
  /** Ordered by name, after the name `after`. */
  list(scope: Scope, prefix: string, after: string, count: number): SqsQueue[];
  everywhere(): SqsQueue[];
  /** The queues whose dead-letter queue this is. */
  sourcesOf(queue: SqsQueue): SqsQueue[];
};

export const SQS_KEY_PREFIX = 'sqs/';

type Row = {
  region: string;
  account: string;
  name: string;
  created_ms: number;
  modified_ms: number;
  attributes: string;
  tags: string;
};

export function createSqsQueues({ database, clock }: { database: Database; clock: Clock }): SqsQueues {
  const ofQueue = 'region = :region AND account = :account AND name = :name';
  const sql = {
    insert: database.prepare(
      'INSERT INTO sqs_queue VALUES (:region, :account, :name, :nowMs, :nowMs, :attributes, :tags)',
    ),
    find: database.prepare<Row>(`SELECT * FROM sqs_queue WHERE ${ofQueue}`),
    setAttributes: database.prepare(
      `UPDATE sqs_queue SET attributes = :attributes, modified_ms = :nowMs WHERE ${ofQueue}`,
    ),
    setTags: database.prepare(`UPDATE sqs_queue SET tags = :tags WHERE ${ofQueue}`),
    remove: database.prepare(`DELETE FROM sqs_queue WHERE ${ofQueue}`),
    list: database.prepare<Row>(
      `SELECT * FROM sqs_queue WHERE region = :region AND account = :account AND name > :after
         AND substr(name, 1, length(:prefix)) = :prefix ORDER BY name LIMIT :count`,
    ),
    everywhere: database.prepare<Row>('SELECT * FROM sqs_queue ORDER BY account, region, name'),
  };
  const nowMs = () => Math.trunc(clock.epochMs());

  const queues: SqsQueues = {
    create(scope, name, attributes, tags) {
      checkName(name, attributes);
      const found = queues.find(scope, name);
      if (found !== undefined) {
        const different = Object.keys(attributes).find(
          (attribute) => attributeOf(found, attribute) !== attributes[attribute],
        );
        if (different === undefined) return found;
        throw new SqsError(
          'QueueNameExists',
          `A queue already exists with the same name and a different value for attribute ${different}`,
        );
      }
      checkAttributes(queues, scope, name, attributes, {});
      sql.insert.run({
        region: scope.region,
        account: scope.account,
        name,
        nowMs: nowMs(),
        attributes: JSON.stringify(normalizeAttributes(attributes)),
        tags: JSON.stringify(tags),
      });
      return queues.get(scope, name);
    },
    find({ region, account }, name) {
      const row = sql.find.get({ region, account, name });
      return row && queueOf(row);
    },
    findByArn(arn) {
      const target = parseQueueArn(arn);
      return target && queues.find(target.scope, target.name);
    },
    get(scope, name) {
      const queue = queues.find(scope, name);
      if (queue === undefined) throw new SqsError('QueueDoesNotExist', 'The specified queue does not exist.');
      return queue;
    },
    setAttributes({ scope, name, attributes: present }, attributes) {
      checkAttributes(queues, scope, name, attributes, present);
      sql.setAttributes.run({
        region: scope.region,
        account: scope.account,
        name,
        nowMs: nowMs(),
        attributes: JSON.stringify(normalizeAttributes({ ...present, ...attributes })),
      });
    },
    setTags: ({ scope: { region, account }, name }, tags) =>
      void sql.setTags.run({ region, account, name, tags: JSON.stringify(tags) }),
    remove: ({ scope: { region, account }, name }) => void sql.remove.run({ region, account, name }),
    list: ({ region, account }, prefix, after, count) =>
      sql.list.all({ region, account, prefix, after, count }).map(queueOf),
    everywhere: () => sql.everywhere.all().map(queueOf),
    sourcesOf: ({ arn, scope }) =>
      queues.list(scope, '', '', 1_000_000).filter((queue) => redriveTarget(queue)?.deadLetterTargetArn === arn),
  };
  return queues;
}

export function isFifo({ name }: { readonly name: string }): boolean {
  return name.endsWith('.fifo');
}

/** The value of an attribute, or SQS's default. Undefined if there is none. */
export function attributeOf({ name: queue, attributes }: SqsQueue, name: string): string | undefined {
  if (attributes[name] !== undefined) return attributes[name];
  if (isFifo({ name: queue }) && isFifoAttribute(name)) return SQS_FIFO_ATTRIBUTES[name][0];
  const row = (SQS_ATTRIBUTES as Readonly<Record<string, unknown>>)[name];
  const fallback = (row as { readonly default?: string } | undefined)?.default;
  if (name === 'SqsManagedSseEnabled') return 'true';
  return fallback;
}

function isFifoAttribute(name: string): name is keyof typeof SQS_FIFO_ATTRIBUTES {
  return Object.hasOwn(SQS_FIFO_ATTRIBUTES, name);
}

export function numberOf(queue: SqsQueue, name: NumericAttribute): number {
  return Number(attributeOf(queue, name));
}

export type RedriveTarget = { readonly deadLetterTargetArn: string; readonly maxReceiveCount: number };

export function redriveTarget({ attributes }: SqsQueue): RedriveTarget | undefined {
  if (attributes.RedrivePolicy === undefined) return undefined;
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(attributes.RedrivePolicy) as Record<string, unknown>;
  return { deadLetterTargetArn: String(deadLetterTargetArn), maxReceiveCount: Number(maxReceiveCount) };
}

/** The redrive of a queue for the store. Undefined if it has none or the dead-letter queue does not exist. */
export function redriveOf(queues: SqsQueues, queue: SqsQueue): Redrive | undefined {
  const target = redriveTarget(queue);
  const to = target && queues.findByArn(target.deadLetterTargetArn);
  return to && { maxReceives: target.maxReceiveCount, to: to.key };
}

function queueOf({ region, account, name, created_ms, modified_ms, attributes, tags }: Row): SqsQueue {
  const scope = { region, account };
  return {
    scope,
    name,
    arn: renderQueueArn(scope, name),
    key: `${SQS_KEY_PREFIX}${account}/${region}/${name}`,
    createdMs: created_ms,
    modifiedMs: modified_ms,
    attributes: JSON.parse(attributes),
    tags: JSON.parse(tags),
  };
}

function checkName(name: string, attributes: QueueAttributes): void {
  if (name === '') throw missingParameter('QueueName');
  const isFifoQueue = attributes.FifoQueue === 'true';
  if (isFifoQueue && !isFifo({ name })) {
    throw new SqsError(
      'InvalidParameterValue',
      'The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo ' +
        'suffix and be 1 to 80 in length',
    );
  }
  if (!(isFifoQueue ? /^(?=.{1,80}$)[A-Za-z0-9_-]+\.fifo$/ : /^[A-Za-z0-9_-]{1,80}$/).test(name)) {
    throw new SqsError(
      'InvalidParameterValue',
      'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
    );
  }
}

/** `present` are the attributes that the queue already has. */
function checkAttributes(
  queues: SqsQueues,
  scope: Scope,
  name: string,
  attributes: QueueAttributes,
  present: QueueAttributes,
): void {
  const { DeduplicationScope, FifoThroughputLimit } = { ...present, ...attributes };
  for (const [attribute, value] of Object.entries(attributes)) {
    if (isFifoAttribute(attribute)) {
      checkFifoAttribute(name, attribute, value);
      continue;
    }
    const row = (SQS_ATTRIBUTES as Readonly<Record<string, unknown>>)[attribute];
    if (row === undefined) throw new SqsError('InvalidAttributeName', `Unknown Attribute ${attribute}.`);
    if (typeof row === 'object') {
      const { min, max } = row as { readonly min: number; readonly max: number };
      const isInRange = /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max;
      if (!isInRange) throw invalidValue(attribute);
    } else if (row === 'switch') {
      if (value !== 'true' && value !== 'false') throw invalidValue(attribute);
    } else if (row === 'document' && value !== '') {
      const document = parseDocument(value);
      if (document === undefined) throw invalidValue(attribute);
      if (attribute === 'RedrivePolicy') checkRedrivePolicy(queues, scope, name, value, document);
    }
  }
  // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
  if (FifoThroughputLimit === 'perMessageGroupId' && DeduplicationScope !== 'messageGroup') {
    throw invalidValue('FifoThroughputLimit');
  }
}

function checkFifoAttribute(name: string, attribute: keyof typeof SQS_FIFO_ATTRIBUTES, value: string): void {
  if (!isFifo({ name })) {
    throw new SqsError(
      'InvalidAttributeName',
      attribute === 'DeduplicationScope' || attribute === 'FifoThroughputLimit'
        ? `You can specify the ${attribute} only when FifoQueue is set to true.`
        : `Unknown Attribute ${attribute}.`,
    );
  }
  if ((SQS_FIFO_ATTRIBUTES[attribute] as readonly string[]).includes(value)) return;
  if (attribute !== 'FifoQueue') throw invalidValue(attribute);
  throw new SqsError(
    'InvalidAttributeValue',
    'Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.',
  );
}

function checkRedrivePolicy(
  queues: SqsQueues,
  scope: Scope,
  name: string,
  value: string,
  { deadLetterTargetArn, maxReceiveCount }: Readonly<Record<string, unknown>>,
): void {
  const invalid = (reason: string) => invalidParameter('RedrivePolicy', value, reason);
  if (deadLetterTargetArn === undefined)
    throw invalid('Redrive policy does not contain mandatory attribute: deadLetterTargetArn.');
  if (maxReceiveCount === undefined)
    throw invalid('Redrive policy does not contain mandatory attribute: maxReceiveCount.');
  const count = Number(maxReceiveCount);
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw invalid(
      `Invalid value for maxReceiveCount: ${maxReceiveCount}, valid values are from 1 to 1000 both inclusive.`,
    );
  }
  const target = typeof deadLetterTargetArn === 'string' ? parseQueueArn(deadLetterTargetArn) : undefined;
  if (target === undefined) throw invalid('Invalid value for deadLetterTargetArn.');
  if (target.name === name && target.scope.region === scope.region) return;
  if (queues.find(target.scope, target.name) === undefined) throw invalid('Dead letter target does not exist.');
  if (isFifo(target) !== isFifo({ name })) {
    throw invalid('Dead-letter queue must be same type of queue as the source.');
  }
}

function parseDocument(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const document: unknown = parseJson(text);
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Attributes as they are stored, without empty ones. A KMS key permanently replaces SQS's key. Recorded on AWS. */
function normalizeAttributes(attributes: QueueAttributes): QueueAttributes {
  const { KmsMasterKeyId, KmsDataKeyReusePeriodSeconds, ...rest } = attributes;
  const encryption: QueueAttributes = KmsMasterKeyId
    ? {
        KmsMasterKeyId,
        KmsDataKeyReusePeriodSeconds: KmsDataKeyReusePeriodSeconds ?? '300',
        SqsManagedSseEnabled: 'false',
      }
    : {};
  return Object.fromEntries(Object.entries({ ...rest, ...encryption }).filter(([, value]) => value !== ''));
}

function invalidValue(attribute: string): SqsError {
  return new SqsError('InvalidAttributeValue', `Invalid value for the parameter ${attribute}.`);
}
