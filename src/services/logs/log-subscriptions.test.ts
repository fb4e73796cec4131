/** Subscription filters through AWS's SDK; functions are recorded calls. */
import { gunzipSync } from 'node:zlib';
import { CloudWatchLogs } from '@aws-sdk/client-cloudwatch-logs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/event-listener.ts';
import { type RunningApis, startApis, TEST_ACCOUNT, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const logGroupName = 'app';
const FUNCTION = `arn:aws:lambda:us-east-1:${TEST_ACCOUNT}:function:open`;

let apis: RunningApis;
let logs: CloudWatchLogs;

beforeAll(async () => {
  apis = await startApis();
  const options = { endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, maxAttempts: 1 };
  logs = new CloudWatchLogs(options);
});
afterAll(async () => {
  logs.destroy();
  await apis.close();
});
beforeEach(async () => {
  (apis.notified as unknown[]).length = 0;
  await logs.deleteLogGroup({ logGroupName }).catch(() => undefined);
  await logs.createLogGroup({ logGroupName });
  await logs.createLogStream({ logGroupName, logStreamName: 's' });
});

const subscribe = (filterName: string, filterPattern = '', destinationArn = FUNCTION, more: object = {}) =>
  logs.putSubscriptionFilter({ logGroupName, filterName, filterPattern, destinationArn, ...more });
const write = (...messages: string[]) =>
  logs.putLogEvents({
    logGroupName,
    logStreamName: 's',
    logEvents: messages.map((message, index) => ({ timestamp: Date.now() + index, message })),
  });
const sent = () =>
  apis.notified.map(({ arn, event }) => {
    const { awslogs } = JSON.parse(event);
    return { arn, ...JSON.parse(gunzipSync(Buffer.from(awslogs.data, 'base64')).toString()) };
  });
const messagesOf = ({ logEvents }: { logEvents: { message: string }[] }) => logEvents.map(({ message }) => message);
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    ({ name, message }: Error) => `${name}: ${message}`,
  );

describe('a subscription filter', () => {
  it('sends the events that match, compressed, to its function', async () => {
    await subscribe('errors', '?ERROR ?FATAL');
    await write('all is well', 'ERROR one', 'FATAL two');
    await eventually(() => expect(sent()).toHaveLength(1));
    expect(sent()[0]).toEqual({
      arn: FUNCTION,
      messageType: 'DATA_MESSAGE',
      owner: TEST_ACCOUNT,
      logGroup: logGroupName,
      logStream: 's',
      subscriptionFilters: ['errors'],
      logEvents: ['ERROR one', 'FATAL two'].map((message) => ({
        id: expect.stringMatching(/^\d{56}$/),
        timestamp: expect.any(Number),
        message,
      })),
    });
    const { events = [] } = await logs.filterLogEvents({ logGroupName, filterPattern: 'ERROR' });
    expect(sent()[0].logEvents[0].id).toBe(events[0]?.eventId);
  });

  it('is described, replaced and deleted; a group has at most two', async () => {
    await subscribe('a', 'one');
    await subscribe('b', '', FUNCTION, { distribution: 'Random' });
    await subscribe('a', 'two');
    expect(await refusal(subscribe('c'))).toBe('LimitExceededException: Resource limit exceeded.');
    const described = async (more: object = {}) => {
      const { subscriptionFilters } = await logs.describeSubscriptionFilters({ logGroupName, ...more });
      return subscriptionFilters;
    };
    expect(await described({ filterNamePrefix: 'a' })).toEqual([
      {
        filterName: 'a',
        logGroupName,
        filterPattern: 'two',
        destinationArn: FUNCTION,
        distribution: 'ByLogStream',
        applyOnTransformedLogs: false,
        creationTime: expect.any(Number),
      },
    ]);
    const { subscriptionFilters = [], nextToken } = await logs.describeSubscriptionFilters({ logGroupName, limit: 1 });
    expect(subscriptionFilters).toMatchObject([{ filterName: 'a' }]);
    expect(await described({ nextToken })).toMatchObject([{ filterName: 'b', distribution: 'Random' }]);
    for (const filterName of ['a', 'b']) await logs.deleteSubscriptionFilter({ logGroupName, filterName });
    expect(await described()).toEqual([]);
    expect(await refusal(logs.deleteSubscriptionFilter({ logGroupName, filterName: 'a' }))).toBe(
      'ResourceNotFoundException: The specified subscription filter does not exist.',
    );
  });

  it('splits what is too much for one event of a function', async () => {
    await subscribe('all');
    const line = 'x'.repeat(200_000);
    await write(line, line, line, line);
    await eventually(() => expect(sent().flatMap(messagesOf)).toHaveLength(4));
    expect(
      sent()
        .map((batch) => batch.logEvents.length)
        .sort(),
    ).toEqual([2, 2]);
  });

  it('is refused for what AWS refuses, above all for the own log group of the function', async () => {
    expect(await refusal(subscribe('x', '{ bad'))).toMatch(/^InvalidParameterException: Invalid filter pattern/);
    expect(await refusal(subscribe('x', '', FUNCTION.replace(TEST_ACCOUNT, '111111111111')))).toMatch(
      /^AccessDeniedException: Cross-account lambda invocation passing is not allowed\./,
    );
    expect(await refusal(subscribe('x', '', FUNCTION.replace('open', 'closed')))).toBe(
      'InvalidParameterException: Could not execute the lambda function. Make sure you have given CloudWatch Logs ' +
        'permission to execute your function.',
    );
    const stream = `arn:aws:kinesis:us-east-1:${TEST_ACCOUNT}:stream/s`;
    expect(await refusal(subscribe('x', '', stream))).toBe(
      'InvalidParameterException: destinationArn for vendor kinesis cannot be used without roleArn',
    );
    const own = '/aws/lambda/open';
    await logs.createLogGroup({ logGroupName: own });
    const input = { logGroupName: own, filterName: 'x', filterPattern: '', destinationArn: FUNCTION };
    expect(await refusal(logs.putSubscriptionFilter(input))).toBe(
      'InvalidParameterException: The log group provided is reserved for the function log output of the destination function.',
    );
    expect(await refusal(logs.putSubscriptionFilter({ ...input, logGroupName: 'missing' }))).toBe(
      'ResourceNotFoundException: The specified log group does not exist.',
    );
  });
});
