import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { CloudWatchLogs, StartLiveTailCommand } from '@aws-sdk/client-cloudwatch-logs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { RunningApis } from '../../../test/support/running-apis.ts';
import { startApis, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import { streamLiveTail } from './live-tail.ts';

const arn = (group: string) => `arn:aws:logs:eu-west-1:123456789012:log-group:${group}`;

describe('StartLiveTail', () => {
  let apis: RunningApis;
  let logs: CloudWatchLogs;

  beforeEach(async () => {
    apis = await startApis();
    logs = new CloudWatchLogs({
      endpoint: apis.url,
      region: 'eu-west-1',
      credentials: TEST_CREDENTIALS,
      // The model prefixes the host with `stream-`, which local names do not have.
      disableHostPrefix: true,
    });
  });
  afterEach(async () => {
    logs.destroy();
    await apis.close();
  });

  const append = (message: string, logGroup = '/a', logStream = 's', region = 'eu-west-1') =>
    apis.logStore.append({
      scope: { region, account: '123456789012' },
      logGroup,
      logStream,
      epochMs: Date.now(),
      message,
    });
  const tail = async (input: object) => {
    const { responseStream } = await logs.send(
      new StartLiveTailCommand({ logGroupIdentifiers: [arn('/a')], ...input }),
    );
    if (!responseStream) throw new Error('no stream');
    const events = responseStream[Symbol.asyncIterator]();
    const next = async () => (await events.next()).value;
    /** Messages, until there are `count` messages. */
    const messages = async (count: number) => {
      const found: (string | undefined)[] = [];
      while (found.length < count) {
        found.push(
          ...((await next())?.sessionUpdate?.sessionResults ?? []).map(({ message }: { message?: string }) => message),
        );
      }
      return found;
    };
    return { next, messages };
  };

  it('sends its session, then the new events that match the request', async () => {
    append('before');
    const session = await tail({ logEventFilterPattern: 'ERROR', logStreamNamePrefixes: ['s'] });
    const { sessionStart } = await session.next();
    expect(sessionStart).toMatchObject({ logGroupIdentifiers: [arn('/a')], logEventFilterPattern: 'ERROR' });
    append('ERROR 1');
    append('INFO 2');
    append('ERROR 3', '/a', 'other');
    append('ERROR 4', '/b');
    append('ERROR 5', '/a', 's', 'us-east-1');
    append('ERROR 6', '/a', 's2');
    expect(await session.messages(2)).toEqual(['ERROR 1', 'ERROR 6']);
  });

  it('samples events beyond the limit of an update', async () => {
    append('before');
    const session = await tail({});
    await session.next();
    for (let index = 0; index < 600; index += 1) append(`${index}`);
    const { sessionUpdate } = await session.next();
    expect(sessionUpdate?.sessionMetadata?.sampled).toBe(true);
    expect(sessionUpdate?.sessionResults).toHaveLength(500);
  });

  it('writes no update after the service has closed it', () => {
    append('before');
    const clock = new FakeClock();
    const closing = new AbortController();
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    const call = { response, scope: { region: 'eu-west-1', account: '123456789012' }, requestId: 'r' };
    const { logStore } = apis;
    streamLiveTail(call as ApiCall, { logGroupIdentifiers: [arn('/a')] }, { logStore, clock, closing: closing.signal });
    expect(clock.pending).toBe(1);
    closing.abort();
    expect({ ended: response.writableEnded, pending: clock.pending }).toEqual({ ended: true, pending: 0 });
    response.destroy();
  });

  it('rejects an unknown group and an invalid pattern before it starts', async () => {
    append('before');
    await expect(tail({ logGroupIdentifiers: [arn('/none')] })).rejects.toThrow(
      'The specified log group does not exist.',
    );
    await expect(tail({ logEventFilterPattern: '{ $.a' })).rejects.toThrow('Invalid filter pattern');
  });
});
