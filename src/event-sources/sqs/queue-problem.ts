/**
 * Whether a queue can feed a function. AWS checks this when an event source mapping is created.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
import type { SqsQueues } from '../../services/sqs/sqs-queues.ts';

/** Seconds, for a queue that sets none. */
const DEFAULT_VISIBILITY_TIMEOUT = 30;

const NO_QUEUE =
  'Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. ' +
  'SQS Error Message: The specified queue does not exist.';

/** Why the queue cannot feed a function with this timeout, in AWS's wording; undefined when it can. */
export function findQueueProblem(
  sqsQueues: Pick<SqsQueues, 'findByArn'>,
  queueArn: string,
  timeoutSeconds: number,
): string | undefined {
  const queue = sqsQueues.findByArn(queueArn);
  if (queue === undefined) return NO_QUEUE;
  const visibility = Number(queue.attributes.VisibilityTimeout ?? DEFAULT_VISIBILITY_TIMEOUT);
  return visibility < timeoutSeconds
    ? `Queue visibility timeout: ${visibility} seconds is less than Function timeout: ${timeoutSeconds} seconds`
    : undefined;
}
