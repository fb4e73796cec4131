/**
 * CloudWatch Logs' API over the log store: JSON 1.1, the operation in `X-Amz-Target`. Parses, asks the store, answers
 * in AWS's shapes and words; it keeps nothing itself.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
 */
import type { Clock } from '../../clock.ts';
import { BodyFailure, readBody } from '../../http/body.ts';
import type { Log } from '../../log.ts';
import { parseLogGroupArn, renderLogGroupArn, renderLogStreamArn } from '../../protocol/arn.ts';
import {
  LOGS_ERRORS,
  LOGS_OPERATIONS,
  LOGS_QUOTAS,
  LOGS_TARGET_PREFIX,
  RETENTION_DAYS,
} from '../../protocol/logs-operations.ts';
import type { InputOf } from '../../protocol/member-constraints.ts';
import type { Scope } from '../../protocol/names.ts';
import type { ApiCall, ServiceHandler } from '../../wire/api-call.ts';
import { ConstraintViolations, parseInput, parseJsonBody, WrongType } from '../../wire/structure.ts';
import { InvalidFilterPattern, parseFilterPattern } from './filter-pattern.ts';
import { streamLiveTail } from './live-tail.ts';
import {
  parsePageToken,
  parsePositionToken,
  parseStreamCursor,
  renderEventId,
  renderPageToken,
  renderStreamCursor,
} from './log-cursors.ts';
import type { LogGroup, LogStream } from './log-groups.ts';
import type { LogPosition } from './log-reader.ts';
import type { LogStore } from './log-store.ts';
import type { GroupReference } from './logs-errors.ts';
import { groupNameOf, invalid, LogsError } from './logs-errors.ts';

export type LogsApiOptions = {
  readonly logStore: LogStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the service begins to close: streams that have no end of their own end then. */
  readonly closing: AbortSignal;
};

type Operations = typeof LOGS_OPERATIONS;
type OperationName = keyof Operations;
type Handlers = {
  readonly [Name in Exclude<OperationName, 'StartLiveTail'>]: (
    input: InputOf<Operations[Name]>,
    scope: Scope,
  ) => object | undefined;
};

/** PutLogEvents takes 1 MiB of messages, which JSON may write up to six times as long. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;

/** Answers for CloudWatch Logs. */
export function createLogsApi(options: LogsApiOptions): ServiceHandler {
  const handlers = createHandlers(options);
  return async (call) => {
    try {
      await perform(handlers, options, call);
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      const error = errorOf(failure);
      if (error.code === 'ServiceUnavailableException') {
        options.log.error({ err: failure, requestId: call.requestId }, 'CloudWatch Logs failed');
      }
      send(call, LOGS_ERRORS[error.code], { __type: error.code, message: error.message });
    }
  };
}

async function perform(handlers: Handlers, options: LogsApiOptions, call: ApiCall): Promise<void> {
  const target = String(call.request.headers['x-amz-target'] ?? '');
  const body = await readBody(call.request, BODY_LIMIT_BYTES);
  const name = target.startsWith(`${LOGS_TARGET_PREFIX}.`) ? target.slice(LOGS_TARGET_PREFIX.length + 1) : '';
  if (!Object.hasOwn(LOGS_OPERATIONS, name)) {
    throw new LogsError(
      'UnknownOperationException',
      `Lamella does not know the CloudWatch Logs operation '${target}'.`,
    );
  }
  const json = parseJsonBody(body);
  if (name === 'StartLiveTail') return streamLiveTail(call, parseInput(json, LOGS_OPERATIONS[name]), options);
  const unary = name as keyof Handlers;
  const handler = handlers[unary] as (input: unknown, scope: Scope) => object | undefined;
  send(call, 200, handler(parseInput(json, LOGS_OPERATIONS[unary]), call.scope));
}

function errorOf(failure: unknown): LogsError {
  if (failure instanceof LogsError) return failure;
  if (failure instanceof ConstraintViolations) return new LogsError('InvalidParameterException', failure.message);
  if (failure instanceof InvalidFilterPattern) return new LogsError('InvalidParameterException', failure.message);
  if (failure instanceof WrongType) return new LogsError('SerializationException', failure.message);
  if (failure instanceof BodyFailure) return new LogsError('InvalidParameterException', failure.message);
  return new LogsError('ServiceUnavailableException', 'The service cannot complete the request.');
}

function send(call: ApiCall, status: number, answer: object | undefined): void {
  const body = Buffer.from(answer === undefined ? '' : JSON.stringify(answer));
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'Content-Length': body.length };
  call.response.writeHead(status, headers).end(body);
}

function createHandlers({ logStore, clock }: LogsApiOptions): Handlers {
  const groupNamed = (scope: Scope, name: string): LogGroup => {
    const group = logStore.group(scope, name);
    if (group === undefined)
      throw new LogsError('ResourceNotFoundException', 'The specified log group does not exist.');
    return group;
  };
  const streamNamed = (group: LogGroup, name: string): LogStream => {
    const stream = logStore.stream(group, name);
    if (stream === undefined)
      throw new LogsError('ResourceNotFoundException', 'The specified log stream does not exist.');
    return stream;
  };
  /** Reading operations name a group by its name or by its ARN. */
  const groupOf = (input: GroupReference, scope: Scope): LogGroup => groupNamed(scope, groupNameOf(input));
  /** Tagging operations name a group by its ARN. */
  const groupOfArn = (arn: string, scope: Scope): LogGroup => {
    const name = parseLogGroupArn(arn);
    if (name === undefined) throw invalid(`The specified resource ARN '${arn}' is not that of a log group.`);
    return groupNamed(scope, name);
  };
  const addTags = (group: LogGroup, tags: Readonly<Record<string, string>>): undefined => {
    const all = { ...group.tags, ...tags };
    if (Object.keys(all).length > 50)
      throw new LogsError('LimitExceededException', 'A resource can have at most 50 tags.');
    logStore.setTags(group, all);
  };
  const removeTags = (group: LogGroup, keys: readonly string[]): undefined => {
    logStore.setTags(group, Object.fromEntries(Object.entries(group.tags).filter(([key]) => !keys.includes(key))));
  };

  return {
    CreateLogGroup(input, scope) {
      const isNew = logStore.createGroup(scope, input.logGroupName, {
        class: input.logGroupClass,
        kmsKeyId: input.kmsKeyId,
        isProtected: input.deletionProtectionEnabled,
        tags: input.tags,
      });
      if (!isNew) throw new LogsError('ResourceAlreadyExistsException', 'The specified log group already exists');
      return undefined;
    },

    DeleteLogGroup(input, scope) {
      const group = groupNamed(scope, input.logGroupName);
      if (group.isProtected) {
        throw new LogsError('ValidationException', 'The log group cannot be deleted: deletion protection is enabled.');
      }
      logStore.deleteGroup(group);
      return undefined;
    },

    PutLogGroupDeletionProtection(input, scope) {
      logStore.setProtection(groupOf(input, scope), input.deletionProtectionEnabled);
      return undefined;
    },

    DescribeLogGroups(input, scope) {
      if (input.logGroupNamePrefix !== undefined && input.logGroupNamePattern !== undefined) {
        throw invalid('LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.');
      }
      if (input.logGroupIdentifiers !== undefined) {
        const names = input.logGroupIdentifiers.map((identifier) => groupNameOf({ logGroupIdentifier: identifier }));
        const groups = names.flatMap((name) => logStore.group(scope, name) ?? []);
        return { logGroups: groups.map(renderGroup) };
      }
      const limit = input.limit ?? LOGS_QUOTAS.pageItems;
      const groups = logStore.groups(scope, {
        prefix: input.logGroupNamePrefix,
        contains: input.logGroupNamePattern,
        class: input.logGroupClass,
        after: input.nextToken === undefined ? undefined : placeOf('DescribeLogGroups', input.nextToken),
        limit: limit + 1,
      });
      const page = groups.slice(0, limit);
      const last = groups.length > limit ? page.at(-1) : undefined;
      return { logGroups: page.map(renderGroup), nextToken: last && renderPageToken('DescribeLogGroups', last.name) };
    },

    CreateLogStream(input, scope) {
      const group = groupNamed(scope, input.logGroupName);
      if (!logStore.createStream(group, input.logStreamName)) {
        throw new LogsError('ResourceAlreadyExistsException', 'The specified log stream already exists');
      }
      return undefined;
    },

    DeleteLogStream(input, scope) {
      const group = groupNamed(scope, input.logGroupName);
      logStore.deleteStream(group, streamNamed(group, input.logStreamName));
      return undefined;
    },

    DescribeLogStreams(input, scope) {
      const group = groupOf(input, scope);
      const isByTime = input.orderBy === 'LastEventTime';
      if (isByTime && input.logStreamNamePrefix !== undefined) {
        throw invalid('Cannot order by LastEventTime with a logStreamNamePrefix.');
      }
      const limit = input.limit ?? LOGS_QUOTAS.pageItems;
      const streams = logStore.streams(group, {
        prefix: input.logStreamNamePrefix,
        orderBy: isByTime ? 'last-event' : 'name',
        descending: input.descending ?? false,
        after: input.nextToken === undefined ? undefined : streamPlaceOf(group, input.nextToken),
        limit: limit + 1,
      });
      const page = streams.slice(0, limit);
      const last = streams.length > limit ? page.at(-1) : undefined;
      return {
        logStreams: page.map((stream) => renderStream(group, stream)),
        nextToken: last && renderPageToken('DescribeLogStreams', JSON.stringify([last.name, last.lastEventMs ?? null])),
      };
    },

    PutLogEvents(input, scope) {
      const group = groupNamed(scope, input.logGroupName);
      const stream = streamNamed(group, input.logStreamName);
      checkBatch(input.logEvents);
      const nowMs = clock.epochMs();
      const rejected: { tooNewLogEventStartIndex?: number; tooOldLogEventEndIndex?: number } = {};
      for (const [index, { timestamp, message }] of input.logEvents.entries()) {
        if (timestamp > nowMs + LOGS_QUOTAS.putMaximumFutureMs) rejected.tooNewLogEventStartIndex ??= index;
        else if (timestamp < nowMs - LOGS_QUOTAS.putMaximumAgeMs) rejected.tooOldLogEventEndIndex = index + 1;
        else logStore.append({ scope, logGroup: group.name, logStream: stream.name, epochMs: timestamp, message });
      }
      // The client was told that its events are kept; a function's lines make no such promise.
      logStore.flush();
      return {
        nextSequenceToken: renderEventId({ epochMs: Math.trunc(nowMs), sequence: stream.id }),
        ...(Object.keys(rejected).length > 0 && { rejectedLogEventsInfo: rejected }),
      };
    },

    GetLogEvents(input, scope) {
      const group = groupOf(input, scope);
      const stream = streamNamed(group, input.logStreamName);
      const cursor = input.nextToken === undefined ? undefined : parseStreamCursor(input.nextToken);
      if (input.nextToken !== undefined && cursor === undefined) throw invalid('The specified nextToken is invalid.');
      const direction = cursor?.direction ?? (input.startFromHead ? 'forward' : 'backward');
      const { events } = logStore.read(group, {
        streamIds: [stream.id],
        startMs: input.startTime ?? 0,
        // GetLogEvents leaves out the events at endTime itself; FilterLogEvents does not.
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

    FilterLogEvents(input, scope) {
      const group = groupOf(input, scope);
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

    PutRetentionPolicy(input, scope) {
      const group = groupNamed(scope, input.logGroupName);
      if (!RETENTION_DAYS.some((days) => days === input.retentionInDays)) {
        throw invalid(
          `1 validation error detected: Value '${input.retentionInDays}' at 'retentionInDays' failed to satisfy ` +
            `constraint: Member must satisfy enum value set: [${RETENTION_DAYS.join(', ')}]`,
        );
      }
      logStore.setRetention(group, input.retentionInDays);
      return undefined;
    },

    DeleteRetentionPolicy(input, scope) {
      logStore.setRetention(groupNamed(scope, input.logGroupName), undefined);
      return undefined;
    },

    ListTagsForResource: (input, scope) => ({ tags: groupOfArn(input.resourceArn, scope).tags }),
    TagResource: (input, scope) => addTags(groupOfArn(input.resourceArn, scope), input.tags),
    UntagResource: (input, scope) => removeTags(groupOfArn(input.resourceArn, scope), input.tagKeys),
    ListTagsLogGroup: (input, scope) => ({ tags: groupNamed(scope, input.logGroupName).tags }),
    TagLogGroup: (input, scope) => addTags(groupNamed(scope, input.logGroupName), input.tags),
    UntagLogGroup: (input, scope) => removeTags(groupNamed(scope, input.logGroupName), input.tags),
  };

  function searchedStreams(
    group: LogGroup,
    input: {
      readonly logStreamNames?: readonly string[] | undefined;
      readonly logStreamNamePrefix?: string | undefined;
    },
  ): readonly number[] | undefined {
    if (input.logStreamNames !== undefined) return input.logStreamNames.map((name) => streamNamed(group, name).id);
    if (input.logStreamNamePrefix === undefined) return undefined;
    const query = { prefix: input.logStreamNamePrefix, orderBy: 'name', descending: false } as const;
    return logStore.streams(group, { ...query, limit: Number.MAX_SAFE_INTEGER }).map(({ id }) => id);
  }
}

/** Where to go on from a page without events, so that the next event to arrive is neither missed nor told twice. */
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

function placeOf(operation: string, token: string): string {
  const place = parsePageToken(operation, token);
  if (place === undefined) throw invalid('The specified nextToken is invalid.');
  return place;
}

function positionOf(operation: string, token: string): LogPosition {
  const position = parsePositionToken(operation, token);
  if (position === undefined) throw invalid('The specified nextToken is invalid.');
  return position;
}

function streamPlaceOf(group: LogGroup, token: string): LogStream {
  const [name, lastEventMs] = JSON.parse(placeOf('DescribeLogStreams', token)) as [string, number | null];
  return {
    id: 0,
    groupId: group.id,
    name,
    createdMs: 0,
    firstEventMs: undefined,
    lastEventMs: lastEventMs ?? undefined,
    lastIngestionMs: undefined,
  };
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

function renderGroup(group: LogGroup): object {
  return {
    logGroupName: group.name,
    creationTime: group.createdMs,
    retentionInDays: group.retentionDays,
    metricFilterCount: 0,
    arn: `${renderLogGroupArn(group.scope, group.name)}:*`,
    storedBytes: group.storedBytes,
    kmsKeyId: group.kmsKeyId,
    logGroupClass: group.class,
    logGroupArn: renderLogGroupArn(group.scope, group.name),
    deletionProtectionEnabled: group.isProtected,
  };
}

function renderStream(group: LogGroup, stream: LogStream): object {
  return {
    logStreamName: stream.name,
    creationTime: stream.createdMs,
    firstEventTimestamp: stream.firstEventMs,
    lastEventTimestamp: stream.lastEventMs,
    lastIngestionTime: stream.lastIngestionMs,
    uploadSequenceToken: renderEventId({ epochMs: stream.lastIngestionMs ?? 0, sequence: stream.id }),
    arn: renderLogStreamArn(group.scope, group.name, stream.name),
    storedBytes: 0,
  };
}
