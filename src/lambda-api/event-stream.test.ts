import { InvokeWithResponseStreamCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  echo,
  ROLE,
  type RunningLambdaApi,
  SCOPE,
  someCode,
  startLambdaApi,
} from '../../test/support/running-lambda-api.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { FunctionName } from '../protocol/names.ts';
import { encodeEvent } from '../wire/event-stream.ts';

let api: RunningLambdaApi;
let outcome: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome> = echo;
beforeAll(async () => {
  api = await startLambdaApi({ invoke: (version, invocation) => outcome(version, invocation) });
  await api.functions.create(SCOPE, {
    name: 'streams' as FunctionName,
    packageType: 'Zip',
    architecture: 'x86_64',
    configuration: { role: ROLE, runtime: 'provided.al2023', handler: 'h' },
    code: { kind: 'zip', zip: await someCode() },
    publish: false,
    tags: {},
  });
});
afterAll(async () => {
  expect(api.failures).toEqual([]);
  await api.close();
});

async function invoke(more: object = {}) {
  const response = await api.client.send(
    new InvokeWithResponseStreamCommand({ FunctionName: 'streams', Payload: Buffer.from('{}'), ...more }),
  );
  const chunks: string[] = [];
  let complete: object | undefined;
  for await (const event of response.EventStream ?? []) {
    if (event.PayloadChunk) chunks.push(Buffer.from(event.PayloadChunk.Payload ?? []).toString());
    if (event.InvokeComplete) complete = event.InvokeComplete;
  }
  return { response, chunks, complete };
}

it('a frame has the layout that AWS documents', () => {
  const frame = encodeEvent('PayloadChunk', 'application/octet-stream', Buffer.from('hi'));
  expect(frame.readUInt32BE(0)).toBe(frame.length);
  expect(frame.subarray(12, 12 + frame.readUInt32BE(4)).toString('latin1')).toBe(
    '\r:message-type\x07\0\x05event\x0b:event-type\x07\0\x0cPayloadChunk\r:content-type\x07\0\x18application/octet-stream',
  );
  expect(frame.subarray(-6, -4).toString()).toBe('hi');
});

describe('InvokeWithResponseStream', () => {
  it('sends the response of a function that does not stream as one chunk', async () => {
    const { response, chunks, complete } = await invoke({ Payload: Buffer.from('{"a":1}') });
    expect([response.StatusCode, response.ExecutedVersion, response.ResponseStreamContentType]).toEqual([
      200,
      '$LATEST',
      'application/vnd.amazon.eventstream',
    ]);
    expect(chunks).toEqual(['{"a":1}']);
    expect(complete).toEqual({});
  });

  it('sends chunks as they are written', async () => {
    let seen: (() => void) | undefined;
    const firstSeen = new Promise<void>((resolve) => {
      seen = resolve;
    });
    outcome = async (version, { responseSink }) => {
      responseSink?.begin('text/plain');
      await responseSink?.write(Buffer.from('one'));
      // Continues only when the client has the first chunk, so it cannot have been buffered.
      await firstSeen;
      await responseSink?.write(Buffer.from('two'));
      const payload = Buffer.alloc(0);
      return {
        kind: 'returned',
        payload,
        contentType: '',
        executedVersion: version.version,
        logTail: Buffer.from('log'),
      };
    };
    const response = await api.client.send(
      new InvokeWithResponseStreamCommand({ FunctionName: 'streams', LogType: 'Tail' }),
    );
    const events: string[] = [];
    for await (const event of response.EventStream ?? []) {
      if (event.PayloadChunk) events.push(Buffer.from(event.PayloadChunk.Payload ?? []).toString());
      if (event.InvokeComplete) events.push(JSON.stringify(event.InvokeComplete));
      seen?.();
    }
    outcome = echo;
    expect(events).toEqual(['one', 'two', '{"LogResult":"bG9n"}']);
  });

  it('reports a failed function in its last event', async () => {
    outcome = async (version) => ({
      kind: 'failed',
      payload: Buffer.from('{"errorType":"Oops","errorMessage":"m"}'),
      executedVersion: version.version,
      logTail: undefined,
    });
    const { chunks, complete } = await invoke();
    outcome = echo;
    expect(chunks).toEqual([]);
    expect(complete).toEqual({ ErrorCode: 'Oops', ErrorDetails: '{"errorType":"Oops","errorMessage":"m"}' });
  });

  it('is refused like Invoke before the stream begins', async () => {
    outcome = async () => ({ kind: 'throttled', reason: 'ConcurrentInvocationLimitExceeded' });
    await expect(invoke()).rejects.toMatchObject({ name: 'TooManyRequestsException' });
    outcome = echo;
    await expect(invoke({ FunctionName: 'missing' })).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
});
