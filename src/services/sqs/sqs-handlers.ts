/**
 * What SQS's handlers share: their type, how a request names a queue, and missing parameters. The handlers are in
 * `sqs-queue-handlers.ts`, `sqs-message-handlers.ts` and `sqs-move-handlers.ts`; `sqs-api.ts` puts them together.
 */
import type { Clock } from '../../clock.ts';
import { parseQueueArn } from '../../protocol/arn.ts';
import type { SQS_OPERATIONS } from '../../protocol/sqs-operations.ts';
import { missingParameter, SqsError } from '../../queues/sqs-error.ts';
import type { CallContext } from '../../wire/api-call.ts';
import type { OperationHandlers } from '../../wire/structure.ts';
import type { SqsMessages } from './sqs-messages.ts';
import type { SqsQueue, SqsQueues } from './sqs-queues.ts';

/** The members of a response, in AWS's names. */
export type SqsResult = Readonly<Record<string, unknown>>;

export type SqsHandlers = OperationHandlers<typeof SQS_OPERATIONS, SqsResult>;

export type SqsHandlerDependencies = {
  readonly sqsQueues: SqsQueues;
  readonly sqsMessages: SqsMessages;
  readonly clock: Clock;
  /** Aborted when the service begins to close: requests that wait for messages then return. */
  readonly closing: AbortSignal;
};

/** A parameter that must be there. SQS treats an empty one as missing. @throws SqsError MissingParameter */
export function requireText(text: string | undefined, name: string): string {
  if (!text) throw missingParameter(name);
  return text;
}

/** The queue of a QueueUrl. @throws SqsError */
export function queueOf(
  sqsQueues: SqsQueues,
  { QueueUrl }: { readonly QueueUrl?: string | undefined },
  { scope }: CallContext,
): SqsQueue {
  const url = requireText(QueueUrl, 'QueueUrl');
  const [, account, name] = /(?:^|\/)(\d{12})\/([^/?]+)\/?$/.exec(url) ?? [];
  if (account && name) return sqsQueues.get({ region: scope.region, account }, name);
  // AWS accepts a queue's name, too.
  if (/^[A-Za-z0-9_-]+(\.fifo)?$/.test(url)) return sqsQueues.get(scope, url);
  throw new SqsError('QueueDoesNotExist', 'The specified queue does not exist.');
}

/** The queue of an ARN in the parameter `name`. @throws SqsError */
export function queueOfArn(sqsQueues: SqsQueues, given: string | undefined, name: string): SqsQueue {
  const arn = requireText(given, name);
  if (parseQueueArn(arn) === undefined) {
    throw new SqsError(
      'InvalidParameterValue',
      `You must use this format to specify the ${name}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
    );
  }
  const queue = sqsQueues.findByArn(arn);
  if (queue !== undefined) return queue;
  throw new SqsError(
    'ResourceNotFoundException',
    `The resource that you specified for the ${name} parameter doesn't exist.`,
  );
}
