/**
 * What CloudWatch Logs' handlers share: their type, and how a request names groups, streams and pages. The handlers are
 * in `logs-group-handlers.ts` and `logs-event-handlers.ts`; `logs-api.ts` puts them together.
 */
import type { Clock } from '../../clock.ts';
import type { LOGS_OPERATIONS } from '../../protocol/logs-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import type { OperationHandlers } from '../../wire/structure.ts';
import { parsePageToken } from './log-cursors.ts';
import type { LogGroup, LogStream } from './log-groups.ts';
import type { LogStore } from './log-store.ts';
import type { LogSubscriptions } from './log-subscriptions.ts';
import { invalid, LogsError } from './logs-errors.ts';

/** The handlers of the operations with one response. StartLiveTail, which streams, is in `live-tail.ts`. */
export type LogsHandlers = OperationHandlers<Omit<typeof LOGS_OPERATIONS, 'StartLiveTail'>, object | undefined>;

export type LogsHandlerDependencies = {
  readonly logStore: LogStore;
  readonly subscriptions: LogSubscriptions;
  readonly clock: Clock;
};

/** @throws LogsError ResourceNotFoundException */
export function requireGroup(logStore: LogStore, scope: Scope, name: string): LogGroup {
  const group = logStore.group(scope, name);
  if (group === undefined) throw new LogsError('ResourceNotFoundException', 'The specified log group does not exist.');
  return group;
}

/** @throws LogsError ResourceNotFoundException */
export function requireStream(logStore: LogStore, group: LogGroup, name: string): LogStream {
  const stream = logStore.stream(group, name);
  if (stream === undefined) {
    throw new LogsError('ResourceNotFoundException', 'The specified log stream does not exist.');
  }
  return stream;
}

/** Where the page of a token starts. @throws LogsError for a token of another operation */
export function pageStartOf(operation: string, token: string): string {
  const start = parsePageToken(operation, token);
  if (start === undefined) throw invalid('The specified nextToken is invalid.');
  return start;
}
