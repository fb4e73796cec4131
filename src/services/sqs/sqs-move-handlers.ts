/**
 * SQS's message move tasks, which return the messages of a dead-letter queue to their source queues. A move is complete
 * when StartMessageMoveTask responds, so that there is never a task to cancel. The list of tasks does not survive a
 * restart.
 */
import { randomUUID } from 'node:crypto';
import { SqsError } from '../../queues/sqs-error.ts';
import { queueOfArn, type SqsHandlerDependencies, type SqsHandlers, type SqsResult } from './sqs-handlers.ts';
import { isFifo } from './sqs-queues.ts';

type MoveOperation = 'StartMessageMoveTask' | 'ListMessageMoveTasks' | 'CancelMessageMoveTask';

/** Number of tasks that are listed, over all queues. */
const KEPT_TASKS = 1000;

export function createMoveHandlers({
  sqsQueues,
  sqsMessages,
  clock,
}: SqsHandlerDependencies): Pick<SqsHandlers, MoveOperation> {
  /** Newest first. */
  const moves: { readonly source: string; readonly task: SqsResult }[] = [];

  return {
    async StartMessageMoveTask(input) {
      const source = queueOfArn(sqsQueues, input.SourceArn, 'SourceArn');
      if (sqsQueues.sourcesOf(source).length === 0) {
        throw new SqsError('InvalidParameterValue', 'Source queue must be configured as a Dead Letter Queue.');
      }
      const { DestinationArn } = input;
      const target = DestinationArn === undefined ? undefined : queueOfArn(sqsQueues, DestinationArn, 'DestinationArn');
      if (target !== undefined && isFifo(target) !== isFifo(source)) {
        throw new SqsError('InvalidParameterValue', 'Source and destination queues must be of the same type.');
      }
      const waiting = sqsMessages.counts(source).visible;
      const startedMs = Math.trunc(clock.epochMs());
      const moved = await sqsMessages.redrive(source, target);
      const handle = Buffer.from(JSON.stringify({ taskId: randomUUID(), sourceArn: source.arn })).toString('base64');
      const task = {
        ApproximateNumberOfMessagesMoved: moved,
        ApproximateNumberOfMessagesToMove: waiting,
        DestinationArn: target?.arn,
        MaxNumberOfMessagesPerSecond: input.MaxNumberOfMessagesPerSecond,
        SourceArn: source.arn,
        StartedTimestamp: startedMs,
        Status: 'COMPLETED',
      };
      moves.unshift({ source: source.arn, task });
      moves.splice(KEPT_TASKS);
      return { TaskHandle: handle };
    },
    ListMessageMoveTasks({ SourceArn, MaxResults = 1 }) {
      const { arn } = queueOfArn(sqsQueues, SourceArn, 'SourceArn');
      return {
        Results: moves
          .filter(({ source }) => source === arn)
          .slice(0, MaxResults)
          .map(({ task }) => task),
      };
    },
    CancelMessageMoveTask() {
      throw new SqsError('ResourceNotFoundException', 'Task does not exist.');
    },
  };
}
