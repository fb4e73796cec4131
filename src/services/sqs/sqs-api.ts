/**
 * SQS's API: puts the handlers of queues, messages and move tasks behind the wire protocols. How requests and responses
 * are written is in `sqs-wire.ts`; what a queue does is in `sqs-queues.ts` and `sqs-messages.ts`.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
 */
import type { Log } from '../../log.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import type { SqsHandlerDependencies } from './sqs-handlers.ts';
import { createMessageHandlers } from './sqs-message-handlers.ts';
import { createMoveHandlers } from './sqs-move-handlers.ts';
import { createQueueHandlers } from './sqs-queue-handlers.ts';
import { createSqsWire } from './sqs-wire.ts';

export type SqsApiOptions = SqsHandlerDependencies & { readonly log: Log };

/** Creates the handler of SQS's requests. */
export function createSqsApi({ log, ...dependencies }: SqsApiOptions): ServiceApi {
  const handlers = {
    ...createQueueHandlers(dependencies),
    ...createMessageHandlers(dependencies),
    ...createMoveHandlers(dependencies),
  };
  return createSqsWire({ handlers, log });
}
