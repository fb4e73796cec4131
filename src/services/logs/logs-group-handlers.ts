/** CloudWatch Logs' operations on groups and streams: create, list, delete, retention, protection and tags. */
import { parseLogGroupArn, renderLogGroupArn, renderLogStreamArn } from '../../protocol/arn.ts';
import { LOGS_QUOTAS, RETENTION_DAYS } from '../../protocol/logs-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import { renderEventId, renderPageToken } from './log-cursors.ts';
import type { LogGroup, LogStream } from './log-groups.ts';
import { groupNameOf, invalid, LogsError } from './logs-errors.ts';
import {
  type LogsHandlerDependencies,
  type LogsHandlers,
  pageStartOf,
  requireGroup,
  requireStream,
} from './logs-handlers.ts';

type OtherHandlers =
  | 'PutLogEvents'
  | 'GetLogEvents'
  | 'FilterLogEvents'
  | 'PutSubscriptionFilter'
  | 'DescribeSubscriptionFilters'
  | 'DeleteSubscriptionFilter';

export function createGroupHandlers({
  logStore,
  subscriptions,
}: LogsHandlerDependencies): Omit<LogsHandlers, OtherHandlers> {
  /** Operations on tags name a group by its ARN. */
  const groupOfArn = (arn: string, scope: Scope): LogGroup => {
    const name = parseLogGroupArn(arn);
    if (name === undefined) throw invalid(`The specified resource ARN '${arn}' is not that of a log group.`);
    return requireGroup(logStore, scope, name);
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
    CreateLogGroup(input, { scope }) {
      const isNew = logStore.createGroup(scope, input.logGroupName, {
        class: input.logGroupClass,
        kmsKeyId: input.kmsKeyId,
        isProtected: input.deletionProtectionEnabled,
        tags: input.tags,
      });
      if (!isNew) throw new LogsError('ResourceAlreadyExistsException', 'The specified log group already exists');
      return undefined;
    },

    DeleteLogGroup(input, { scope }) {
      const group = requireGroup(logStore, scope, input.logGroupName);
      if (group.isProtected) {
        throw new LogsError('ValidationException', 'The log group cannot be deleted: deletion protection is enabled.');
      }
      logStore.deleteGroup(group);
      subscriptions.removeAll(scope, group.name);
      return undefined;
    },

    PutLogGroupDeletionProtection(input, { scope }) {
      logStore.setProtection(requireGroup(logStore, scope, groupNameOf(input)), input.deletionProtectionEnabled);
      return undefined;
    },

    DescribeLogGroups(input, { scope }) {
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
        after: input.nextToken === undefined ? undefined : pageStartOf('DescribeLogGroups', input.nextToken),
        limit: limit + 1,
      });
      const page = groups.slice(0, limit);
      const last = groups.length > limit ? page.at(-1) : undefined;
      return { logGroups: page.map(renderGroup), nextToken: last && renderPageToken('DescribeLogGroups', last.name) };
    },

    CreateLogStream(input, { scope }) {
      const group = requireGroup(logStore, scope, input.logGroupName);
      if (!logStore.createStream(group, input.logStreamName)) {
        throw new LogsError('ResourceAlreadyExistsException', 'The specified log stream already exists');
      }
      return undefined;
    },

    DeleteLogStream(input, { scope }) {
      const group = requireGroup(logStore, scope, input.logGroupName);
      logStore.deleteStream(group, requireStream(logStore, group, input.logStreamName));
      return undefined;
    },

    DescribeLogStreams(input, { scope }) {
      const group = requireGroup(logStore, scope, groupNameOf(input));
      const isByTime = input.orderBy === 'LastEventTime';
      if (isByTime && input.logStreamNamePrefix !== undefined) {
        throw invalid('Cannot order by LastEventTime with a logStreamNamePrefix.');
      }
      const limit = input.limit ?? LOGS_QUOTAS.pageItems;
      const streams = logStore.streams(group, {
        prefix: input.logStreamNamePrefix,
        orderBy: isByTime ? 'last-event' : 'name',
        descending: input.descending ?? false,
        after: input.nextToken === undefined ? undefined : streamStartOf(group, input.nextToken),
        limit: limit + 1,
      });
      const page = streams.slice(0, limit);
      const last = streams.length > limit ? page.at(-1) : undefined;
      return {
        logStreams: page.map((stream) => renderStream(group, stream)),
        nextToken: last && renderPageToken('DescribeLogStreams', JSON.stringify([last.name, last.lastEventMs ?? null])),
      };
    },

    PutRetentionPolicy(input, { scope }) {
      const group = requireGroup(logStore, scope, input.logGroupName);
      if (!RETENTION_DAYS.some((days) => days === input.retentionInDays)) {
        throw invalid(
          `1 validation error detected: Value '${input.retentionInDays}' at 'retentionInDays' failed to satisfy ` +
            `constraint: Member must satisfy enum value set: [${RETENTION_DAYS.join(', ')}]`,
        );
      }
      logStore.setRetention(group, input.retentionInDays);
      return undefined;
    },

    DeleteRetentionPolicy(input, { scope }) {
      logStore.setRetention(requireGroup(logStore, scope, input.logGroupName), undefined);
      return undefined;
    },

    ListTagsForResource: (input, { scope }) => ({ tags: groupOfArn(input.resourceArn, scope).tags }),
    TagResource: (input, { scope }) => addTags(groupOfArn(input.resourceArn, scope), input.tags),
    UntagResource: (input, { scope }) => removeTags(groupOfArn(input.resourceArn, scope), input.tagKeys),
    ListTagsLogGroup: (input, { scope }) => ({ tags: requireGroup(logStore, scope, input.logGroupName).tags }),
    TagLogGroup: (input, { scope }) => addTags(requireGroup(logStore, scope, input.logGroupName), input.tags),
    UntagLogGroup: (input, { scope }) => removeTags(requireGroup(logStore, scope, input.logGroupName), input.tags),
  };
}

function streamStartOf(group: LogGroup, token: string): LogStream {
  const [name, lastEventMs] = JSON.parse(pageStartOf('DescribeLogStreams', token)) as [string, number | null];
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
