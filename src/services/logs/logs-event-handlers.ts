/** CloudWatch Logs' operations on events: put, get in a stream, filter in a group. */
import { LOGS_QUOTAS } from '../../protocol/logs-operations.ts';
import { parseFilterPattern } from './filter-pattern.ts';
import {
  parsePositionToken,
  parseStreamCursor,
  renderEventId,
  renderPageToken,
  renderStreamCursor,
} from './log-cursors.ts';
import type { LogGroup } from './log-groups.ts';
import type { LogPosition } from './log-reader.ts';
import { groupNameOf, invalid } from './logs-errors.ts';
import { type LogsHandlerDependencies, type LogsHandlers, requireGroup, requireStream } from './logs-handlers.ts';

export function createEventHandlers({
  logStore,
  clock,
}: LogsHandlerDependencies): Pick<LogsHandlers, 'PutLogEvents' | 'GetLogEvents' | 'FilterLogEvents'> {
  /** Ids of the streams to search. Undefined for all. */
  function searchedStreams(
    group: LogGroup,
    input: {
      readonly logStreamNames?: readonly string[] | undefined;
      readonly logStreamNamePrefix?: string | undefined;
    },
  ): readonly number[] | undefined {
    if (input.logStreamNames !== undefined)
      return input.logStreamNames.map((name) => requireStream(logStore, group, name).id);
    if (input.logStreamNamePrefix === undefined) return undefined;
    const query = { prefix: input.logStreamNamePrefix, orderBy: 'name', descending: false } as const;
    return logStore.streams(group, { ...query, limit: Number.MAX_SAFE_INTEGER }).map(({ id }) => id);
  }

  return {
    PutLogEvents(input, { scope }) {
      const group = requireGroup(logStore, scope, input.logGroupName);
      const stream = requireStream(logStore, group, input.logStreamName);
      checkBatch(input.logEvents);
      const nowMs = clock.epochMs();
      const rejected: { tooNewLogEventStartIndex?: number; tooOldLogEventEndIndex?: number } = {};
      for (const [index, { timestamp, message }] of input.logEvents.entries()) {
        if (timestamp > nowMs + LOGS_QUOTAS.putMaximumFutureMs) rejected.tooNewLogEventStartIndex ??= index;
        else if (timestamp < nowMs - LOGS_QUOTAS.putMaximumAgeMs) rejected.tooOldLogEventEndIndex = index + 1;
        else logStore.append({ scope, logGroup: group.name, logStream: stream.name, epochMs: timestamp, message });
      }
      // A successful response promises the client durable events. A function's output has no such promise.
      logStore.flush();
      return {
        nextSequenceToken: renderEventId({ epochMs: Math.trunc(nowMs), sequence: stream.id }),
        ...(Object.keys(rejected).length > 0 && { rejectedLogEventsInfo: rejected }),
      };
    },

    GetLogEvents(input, { scope }) {
      const group = requireGroup(logStore, scope, groupNameOf(input));
      const stream = requireStream(logStore, group, input.logStreamName);
      const cursor = input.nextToken === undefined ? undefined : parseStreamCursor(input.nextToken);
      if (input.nextToken !== undefined && cursor === undefined) throw invalid('The specified nextToken is invalid.');
      const direction = cursor?.direction ?? (input.startFromHead ? 'forward' : 'backward');
      const { events } = logStore.read(group, {
        streamIds: [stream.id],
        startMs: input.startTime ?? 0,
        // For GetLogEvents endTime is exclusive, for FilterLogEvents inclusive.
        endMs: input.endTime === undefined ? Number.MAX_SAFE_INTEGER : input.endTime - 1,
        direction,
        beyond: cursor?.position,
        limit: input.limit ?? LOGS_QUOTAS.pageEvents,
        maxBytes: LOGS_QUOTAS.pageBytes,
      });
      const ordered = direction === 'forward' ? events : events.toReversed();
      const edge = emptyPageEdges(direction, cursor?.position);
      return {
        events: ordered.map(({ epochMs, message, ingestionMs }) => ({
          timestamp: epochMs,
          message,
          ingestionTime: ingestionMs,
        })),
        nextForwardToken: renderStreamCursor({ direction: 'forward', position: ordered.at(-1) ?? edge.forward }),
        nextBackwardToken: renderStreamCursor({ direction: 'backward', position: ordered[0] ?? edge.backward }),
      };
    },

    FilterLogEvents(input, { scope }) {
      const group = requireGroup(logStore, scope, groupNameOf(input));
      if (input.logStreamNames !== undefined && input.logStreamNamePrefix !== undefined) {
        throw invalid('logStreamNamePrefix and logStreamNames are mutually exclusive parameters.');
      }
      if (input.startTime !== undefined && input.endTime !== undefined && input.startTime > input.endTime) {
        throw invalid('startTime must not be later than endTime.');
      }
      const { events, next } = logStore.read(
        group,
        {
          streamIds: searchedStreams(group, input),
          startMs: input.startTime ?? 0,
          endMs: input.endTime ?? Number.MAX_SAFE_INTEGER,
          direction: 'forward',
          beyond: input.nextToken === undefined ? undefined : positionOf('FilterLogEvents', input.nextToken),
          limit: input.limit ?? LOGS_QUOTAS.pageEvents,
          maxBytes: LOGS_QUOTAS.pageBytes,
        },
        input.filterPattern === undefined ? undefined : parseFilterPattern(input.filterPattern),
      );
      return {
        events: events.map((event) => ({
          logStreamName: event.streamName,
          timestamp: event.epochMs,
          message: event.message,
          ingestionTime: event.ingestionMs,
          eventId: renderEventId(event),
        })),
        searchedLogStreams: [],
        nextToken: next && renderPageToken('FilterLogEvents', renderEventId(next)),
      };
    },
  };
}

/** Where to continue after a page without events, so that the next event is neither missed nor returned twice. */
function emptyPageEdges(
  direction: 'forward' | 'backward',
  position: LogPosition | undefined,
): { readonly forward: LogPosition; readonly backward: LogPosition } {
  if (position === undefined) return { forward: START, backward: START };
  const { epochMs, sequence } = position;
  return direction === 'forward'
    ? { forward: position, backward: { epochMs, sequence: sequence + 1 } }
    : { forward: { epochMs, sequence: Math.max(0, sequence - 1) }, backward: position };
}

const START: LogPosition = { epochMs: 0, sequence: 0 };

function positionOf(operation: string, token: string): LogPosition {
  const position = parsePositionToken(operation, token);
  if (position === undefined) throw invalid('The specified nextToken is invalid.');
  return position;
}

function checkBatch(events: readonly { readonly timestamp: number; readonly message: string }[]): void {
  let bytes = 0;
  for (const [index, { timestamp, message }] of events.entries()) {
    const size = Buffer.byteLength(message) + LOGS_QUOTAS.eventOverheadBytes;
    bytes += size;
    if (size > LOGS_QUOTAS.putEventBytes)
      throw invalid(`Log event too large: ${size} bytes exceeds limit of ${LOGS_QUOTAS.putEventBytes}`);
    if (timestamp < (events[index - 1]?.timestamp ?? 0)) {
      throw invalid('Log events in a single PutLogEvents request must be in chronological order.');
    }
  }
  if (bytes > LOGS_QUOTAS.putBatchBytes) {
    throw invalid(`Upload too large: ${bytes} bytes exceeds limit of ${LOGS_QUOTAS.putBatchBytes}`);
  }
  if ((events.at(-1)?.timestamp ?? 0) - (events[0]?.timestamp ?? 0) > LOGS_QUOTAS.putMaximumSpanMs) {
    throw invalid('The batch of log events in a single PutLogEvents request cannot span more than 24 hours.');
  }
}
