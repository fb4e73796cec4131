/**
 * StartLiveTail: sends the new events of log groups in an event stream, one update per second, until the client
 * disconnects or the service closes. Earlier events are not sent.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { LOGS_OPERATIONS } from '../../protocol/logs-operations.ts';
import { LOGS_QUOTAS } from '../../protocol/logs-operations.ts';
import type { InputOf } from '../../protocol/member-constraints.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import { encodeEvent } from '../../wire/event-stream.ts';
import { parseFilterPattern } from './filter-pattern.ts';
import type { LogEvent, LogStore } from './log-store.ts';
import { groupNameOf, invalid, LogsError } from './logs-errors.ts';

export type LiveTailInput = InputOf<(typeof LOGS_OPERATIONS)['StartLiveTail']>;

/** Streams until the client disconnects, after three hours, or when `closing` is aborted. */
export function streamLiveTail(
  call: ApiCall,
  input: LiveTailInput,
  { logStore, clock, closing }: { readonly logStore: LogStore; readonly clock: Clock; readonly closing: AbortSignal },
): void {
  const isWanted = parseSelection(call, input, logStore);
  const { response, scope, requestId } = call;
  const send = (eventType: string, payload: object) =>
    response.write(encodeEvent(eventType, 'application/json', Buffer.from(JSON.stringify(payload))));

  response.writeHead(200, { 'Content-Type': 'application/vnd.amazon.eventstream' });
  send('initial-response', {});
  send('sessionStart', {
    requestId,
    sessionId: randomUUID(),
    logGroupIdentifiers: input.logGroupIdentifiers,
    logStreamNames: input.logStreamNames ?? [],
    logStreamNamePrefixes: input.logStreamNamePrefixes ?? [],
    logEventFilterPattern: input.logEventFilterPattern ?? '',
  });

  let results: object[] = [];
  let isSampled = false;
  const subscription = logStore.subscribe((event) => {
    if (!isWanted(event)) return;
    if (results.length >= LOGS_QUOTAS.liveTailUpdateEvents) {
      isSampled = true;
      return;
    }
    results.push({
      logStreamName: event.logStream,
      logGroupIdentifier: `${scope.account}:${event.logGroup}`,
      message: event.message,
      timestamp: Math.trunc(event.epochMs),
      ingestionTime: Math.trunc(clock.epochMs()),
    });
  });
  const endMs = clock.monotonicMs() + LOGS_QUOTAS.liveTailSessionMs;
  const update = () => {
    // Send nothing to a client that does not read. Its events are sampled until it reads again.
    if (!response.writableNeedDrain) {
      send('sessionUpdate', { sessionMetadata: { sampled: isSampled }, sessionResults: results });
      results = [];
      isSampled = false;
    }
    if (clock.monotonicMs() < endMs) cancel = clock.after(LOGS_QUOTAS.liveTailUpdateMs, update);
    else response.end();
  };
  let cancel = clock.after(LOGS_QUOTAS.liveTailUpdateMs, update);
  const end = () => {
    cancel();
    response.end();
  };
  closing.addEventListener('abort', end);
  if (closing.aborted) end();
  response.once('close', () => {
    closing.removeEventListener('abort', end);
    cancel();
    subscription.close();
  });
}

function parseSelection(call: ApiCall, input: LiveTailInput, logStore: LogStore): (event: LogEvent) => boolean {
  const { scope } = call;
  const groups = new Set(input.logGroupIdentifiers.map((logGroupIdentifier) => groupNameOf({ logGroupIdentifier })));
  for (const name of groups) {
    if (logStore.group(scope, name) === undefined) {
      throw new LogsError('ResourceNotFoundException', 'The specified log group does not exist.');
    }
  }
  const { logStreamNames: names, logStreamNamePrefixes: prefixes } = input;
  if (names !== undefined && prefixes !== undefined) {
    throw invalid('logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.');
  }
  if ((names !== undefined || prefixes !== undefined) && groups.size > 1) {
    throw invalid('Log streams can be chosen only for a single log group.');
  }
  const matches = parseFilterPattern(input.logEventFilterPattern ?? '');
  return (event) =>
    groups.has(event.logGroup) &&
    event.scope.region === scope.region &&
    event.scope.account === scope.account &&
    (names === undefined || names.includes(event.logStream)) &&
    (prefixes === undefined || prefixes.some((prefix) => event.logStream.startsWith(prefix))) &&
    matches(event.message);
}
