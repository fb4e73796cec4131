import { CloudWatchLogs, paginateDescribeLogStreams, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApis } from '../../../test/support/running-apis.ts';
import { startApis, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const GROUP = '/aws/lambda/php-example-hello';
const STREAM = '2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef';

describe('CloudWatch Logs', () => {
  let apis: RunningApis;
  let logs: CloudWatchLogs;

  beforeEach(async () => {
    apis = await startApis();
    logs = new CloudWatchLogs({ endpoint: apis.url, region: 'eu-west-1', credentials: TEST_CREDENTIALS });
  });
  afterEach(async () => {
    logs.destroy();
    await apis.close();
  });

  const append = (message: string, epochMs: number, logStream = STREAM, logGroup = GROUP) =>
    apis.logStore.append({
      scope: { region: 'eu-west-1', account: '123456789012' },
      logGroup,
      logStream,
      epochMs,
      message,
    });
  const refusal = async (response: Promise<unknown>) => {
    const failure = await response.then(
      () => undefined,
      (reason: Error) => reason,
    );
    return failure && [failure.name, failure.message];
  };
  const noGroup = ['ResourceNotFoundException', 'The specified log group does not exist.'];
  const noStream = ['ResourceNotFoundException', 'The specified log stream does not exist.'];

  it("a function's output is found under its group and stream", async () => {
    append('START RequestId: 1\n', 1000);
    append('END RequestId: 1\n', 2000);
    const { logGroups } = await logs.describeLogGroups({ logGroupNamePrefix: '/aws/lambda/' });
    expect(logGroups).toHaveLength(1);
    expect(logGroups?.[0]).toMatchObject({
      logGroupName: GROUP,
      arn: `arn:aws:logs:eu-west-1:123456789012:log-group:${GROUP}:*`,
      logGroupArn: `arn:aws:logs:eu-west-1:123456789012:log-group:${GROUP}`,
      storedBytes: 'START RequestId: 1\nEND RequestId: 1\n'.length + 2 * 26,
      logGroupClass: 'STANDARD',
      metricFilterCount: 0,
    });
    expect(logGroups?.[0]?.retentionInDays).toBeUndefined();
    const { logStreams } = await logs.describeLogStreams({ logGroupName: GROUP });
    expect(logStreams?.[0]).toMatchObject({
      logStreamName: STREAM,
      firstEventTimestamp: 1000,
      lastEventTimestamp: 2000,
      arn: `arn:aws:logs:eu-west-1:123456789012:log-group:${GROUP}:log-stream:${STREAM}`,
    });
    const { events } = await logs.getLogEvents({ logGroupName: GROUP, logStreamName: STREAM });
    expect(events?.map(({ timestamp, message }) => [timestamp, message])).toEqual([
      [1000, 'START RequestId: 1\n'],
      [2000, 'END RequestId: 1\n'],
    ]);
  });

  it('separates regions', async () => {
    append('x', 1);
    const elsewhere = new CloudWatchLogs({ endpoint: apis.url, region: 'us-west-2', credentials: TEST_CREDENTIALS });
    expect((await elsewhere.describeLogGroups({})).logGroups).toEqual([]);
    elsewhere.destroy();
  });

  it('GetLogEvents pages backward from the newest event and forward to it; at either end the token stays the same', async () => {
    for (let index = 0; index < 25; index += 1) append(`${index}`, 1000 + Math.floor(index / 2));
    const where = { logGroupName: GROUP, logStreamName: STREAM, limit: 10 };
    const page = async (nextToken?: string, startFromHead?: boolean) => {
      const response = await logs.getLogEvents({ ...where, nextToken, startFromHead });
      const numbers = (response.events ?? []).map(({ message }) => Number(message));
      return { numbers, forward: response.nextForwardToken, backward: response.nextBackwardToken };
    };
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
    const newest = await page();
    expect(newest.numbers).toEqual(range(15, 25));
    const older = await page(newest.backward);
    expect(older.numbers).toEqual(range(5, 15));
    const oldest = await page(older.backward);
    expect(oldest.numbers).toEqual(range(0, 5));
    const beyond = await page(oldest.backward);
    expect(beyond).toMatchObject({ numbers: [], backward: oldest.backward });
    expect((await page(beyond.forward)).numbers).toEqual(range(0, 10));
    expect((await page(older.forward)).numbers).toEqual(range(15, 25));
    const head = await page(undefined, true);
    expect(head.numbers).toEqual(range(0, 10));
    const end = await page(newest.forward);
    expect(end).toMatchObject({ numbers: [], forward: newest.forward });
    append('25', 2000);
    expect((await page(end.forward)).numbers).toEqual([25]);
    expect((await page(end.backward)).numbers).toEqual(range(15, 25));
  });

  it('the end of the time range is exclusive for GetLogEvents, inclusive for FilterLogEvents', async () => {
    for (const at of [1, 2, 3, 4]) append(`${at}`, at);
    const range = { logGroupName: GROUP, startTime: 2, endTime: 3 };
    const got = await logs.getLogEvents({ ...range, logStreamName: STREAM });
    expect(got.events?.map(({ message }) => message)).toEqual(['2']);
    const filtered = await logs.filterLogEvents(range);
    expect(filtered.events?.map(({ message }) => message)).toEqual(['2', '3']);
  });

  it('FilterLogEvents merges streams by time, filters, and pages without loss or repetition', async () => {
    for (let index = 0; index < 500; index += 1) {
      append(JSON.stringify({ level: index % 5 ? 'INFO' : 'ERROR', index }), 1000 + index, `stream-${index % 3}`);
    }
    const found: { index: number; id: string | undefined }[] = [];
    const query = { logGroupName: GROUP, filterPattern: '{ $.level = "ERROR" && $.index >= 100 }', limit: 7 };
    for await (const page of paginateFilterLogEvents({ client: logs }, query)) {
      expect(page.events?.length).toBeLessThanOrEqual(7);
      for (const event of page.events ?? []) {
        expect(event.logStreamName).toBe(`stream-${JSON.parse(event.message ?? '').index % 3}`);
        found.push({ index: JSON.parse(event.message ?? '').index, id: event.eventId });
      }
    }
    expect(found.map(({ index }) => index)).toEqual(Array.from({ length: 80 }, (_, index) => 100 + index * 5));
    expect(new Set(found.map(({ id }) => id)).size).toBe(80);
    expect(found.every(({ id }) => /^\d{56}$/.test(id ?? ''))).toBe(true);
    const names = await logs.filterLogEvents({
      logGroupName: GROUP,
      logStreamNames: ['stream-1', 'stream-2'],
      limit: 4,
    });
    expect(names.events?.map(({ timestamp }) => timestamp)).toEqual([1001, 1002, 1004, 1005]);
    const prefix = await logs.filterLogEvents({ logGroupName: GROUP, logStreamNamePrefix: 'stream-2', limit: 2 });
    expect(prefix.events?.map(({ timestamp }) => timestamp)).toEqual([1002, 1005]);
    const none = await logs.filterLogEvents({ logGroupName: GROUP, logStreamNamePrefix: 'nothing' });
    expect(none.events).toEqual([]);
  });

  it('a response has at most about one megabyte', async () => {
    for (let index = 0; index < 30; index += 1) append('x'.repeat(100_000), index);
    const { events, nextToken } = await logs.filterLogEvents({ logGroupName: GROUP });
    expect(events).toHaveLength(10);
    expect(nextToken).toBeDefined();
    const newest = await logs.getLogEvents({ logGroupName: GROUP, logStreamName: STREAM });
    expect(newest.events?.at(-1)?.timestamp).toBe(29);
    expect(newest.events).toHaveLength(10);
  });

  it('streams are listed by name or by their last event, in pages', async () => {
    for (const [index, name] of ['b', 'd', 'a', 'c', 'e'].entries()) append('x', index, name);
    await logs.createLogStream({ logGroupName: GROUP, logStreamName: 'empty' });
    const list = async (query: object) => {
      const names: (string | undefined)[] = [];
      const pages = paginateDescribeLogStreams({ client: logs }, { logGroupName: GROUP, limit: 2, ...query });
      for await (const { logStreams } of pages)
        names.push(...(logStreams ?? []).map(({ logStreamName }) => logStreamName));
      return names.join(' ');
    };
    expect(await list({})).toBe('a b c d e empty');
    expect(await list({ descending: true })).toBe('empty e d c b a');
    expect(await list({ orderBy: 'LastEventTime', descending: true })).toBe('e c a d b empty');
    expect(await list({ orderBy: 'LastEventTime' })).toBe('empty b d a c e');
    expect(await list({ logStreamNamePrefix: 'e' })).toBe('e empty');
    expect(
      await refusal(
        logs.describeLogStreams({ logGroupName: GROUP, orderBy: 'LastEventTime', logStreamNamePrefix: 'e' }),
      ),
    ).toEqual(['InvalidParameterException', 'Cannot order by LastEventTime with a logStreamNamePrefix.']);
  });

  it('groups can be created, listed, tagged, given a retention and deleted', async () => {
    for (const name of ['/b', '/a', '/c/Data', '/c/data'])
      await logs.createLogGroup({ logGroupName: name, tags: { k: 'v' } });
    expect(await refusal(logs.createLogGroup({ logGroupName: '/a' }))).toEqual([
      'ResourceAlreadyExistsException',
      'The specified log group already exists',
    ]);
    const first = await logs.describeLogGroups({ limit: 3 });
    expect(first.logGroups?.map(({ logGroupName }) => logGroupName)).toEqual(['/a', '/b', '/c/Data']);
    const second = await logs.describeLogGroups({ limit: 3, nextToken: first.nextToken });
    expect(second.logGroups?.map(({ logGroupName }) => logGroupName)).toEqual(['/c/data']);
    expect(second.nextToken).toBeUndefined();
    const byPattern = await logs.describeLogGroups({ logGroupNamePattern: 'Data' });
    expect(byPattern.logGroups?.map(({ logGroupName }) => logGroupName)).toEqual(['/c/Data']);

    const resourceArn = 'arn:aws:logs:eu-west-1:123456789012:log-group:/a';
    await logs.tagResource({ resourceArn, tags: { k: 'w', more: 'yes' } });
    await logs.untagResource({ resourceArn, tagKeys: ['more'] });
    expect((await logs.listTagsForResource({ resourceArn })).tags).toEqual({ k: 'w' });

    await logs.putRetentionPolicy({ logGroupName: '/a', retentionInDays: 14 });
    const retention = async () =>
      (await logs.describeLogGroups({ logGroupNamePrefix: '/a' })).logGroups?.[0]?.retentionInDays;
    expect(await retention()).toBe(14);
    expect((await refusal(logs.putRetentionPolicy({ logGroupName: '/a', retentionInDays: 2 })))?.[0]).toBe(
      'InvalidParameterException',
    );
    await logs.deleteRetentionPolicy({ logGroupName: '/a' });
    expect(await retention()).toBeUndefined();

    await logs.deleteLogGroup({ logGroupName: '/a' });
    expect(await refusal(logs.deleteLogGroup({ logGroupName: '/a' }))).toEqual(noGroup);
    await logs.createLogGroup({ logGroupName: '/safe', deletionProtectionEnabled: true });
    expect((await refusal(logs.deleteLogGroup({ logGroupName: '/safe' })))?.[0]).toBe('ValidationException');
    await logs.putLogGroupDeletionProtection({ logGroupIdentifier: '/safe', deletionProtectionEnabled: false });
    await logs.deleteLogGroup({ logGroupName: '/safe' });
  });

  it('stores events of clients, except those that are too old or too new', async () => {
    const where = { logGroupName: '/own', logStreamName: 's' };
    await logs.createLogGroup({ logGroupName: '/own' });
    expect(await refusal(logs.putLogEvents({ ...where, logEvents: [{ timestamp: 1, message: 'x' }] }))).toEqual(
      noStream,
    );
    await logs.createLogStream(where);
    expect((await refusal(logs.createLogStream(where)))?.[1]).toBe('The specified log stream already exists');
    const now = Date.now();
    const hour = 3600 * 1000;
    const put = (...events: [number, string][]) =>
      logs.putLogEvents({ ...where, logEvents: events.map(([timestamp, message]) => ({ timestamp, message })) });
    expect((await put([now - 1, 'a'], [now, 'b'], [now + 3 * hour, 'future'])).rejectedLogEventsInfo).toEqual({
      tooNewLogEventStartIndex: 2,
    });
    expect((await put([now - 15 * 24 * hour, 'old'])).rejectedLogEventsInfo).toEqual({ tooOldLogEventEndIndex: 1 });
    const { events } = await logs.getLogEvents(where);
    expect(events?.map(({ message }) => message)).toEqual(['a', 'b']);
    expect((await refusal(put([now, 'b'], [now - 1, 'a'])))?.[1]).toBe(
      'Log events in a single PutLogEvents request must be in chronological order.',
    );
    await logs.deleteLogStream(where);
    expect(await refusal(logs.getLogEvents(where))).toEqual(noStream);
  });

  it("rejects unknown resources and invalid requests in AWS's wording", async () => {
    append('x', 1);
    const logGroupName = GROUP;
    expect(await refusal(logs.getLogEvents({ logGroupName: '/none', logStreamName: 's' }))).toEqual(noGroup);
    expect(await refusal(logs.filterLogEvents({ logGroupName: '/none' }))).toEqual(noGroup);
    expect(await refusal(logs.describeLogStreams({ logGroupName: '/none' }))).toEqual(noGroup);
    expect(await refusal(logs.getLogEvents({ logGroupName, logStreamName: 's' }))).toEqual(noStream);
    expect(await refusal(logs.filterLogEvents({ logGroupName, nextToken: 'rubbish' }))).toEqual([
      'InvalidParameterException',
      'The specified nextToken is invalid.',
    ]);
    expect(await refusal(logs.filterLogEvents({ logGroupName, filterPattern: 'a@b' }))).toEqual([
      'InvalidParameterException',
      "Invalid character(s) in term 'a@b'",
    ]);
    expect(await refusal(logs.describeLogGroups({ limit: 51 }))).toEqual([
      'InvalidParameterException',
      "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50",
    ]);
    expect(await refusal(logs.createLogGroup({ logGroupName: 'a b' }))).toEqual([
      'InvalidParameterException',
      "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
    ]);
  });

  it('a group can be named by its ARN', async () => {
    append('x', 1);
    const logGroupIdentifier = `arn:aws:logs:eu-west-1:123456789012:log-group:${GROUP}`;
    expect((await logs.filterLogEvents({ logGroupIdentifier })).events).toHaveLength(1);
    expect((await logs.getLogEvents({ logGroupIdentifier, logStreamName: STREAM })).events).toHaveLength(1);
  });
});
