import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../http/listener.ts';
import { startRuntimeApi } from '../runtime-api/server.ts';
import { type Offer, RuntimeSession, type SessionEvent } from '../runtime-api/session.ts';
import { createExtensionClient, type ExtensionClient } from './extension-client.ts';

const OFFER = {
  requestId: '8476a536-e9f4-11e8-9739-2dfe598c3fcd',
  deadlineMs: 1_542_409_706_888,
  invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:hello',
  traceId: 'Root=1-1;Parent=2;Sampled=0',
  clientContext: undefined,
  cognitoIdentity: undefined,
  payload: Buffer.from('{}'),
} as Offer;

let session: RuntimeSession;
let listener: Listener;
let events: SessionEvent[];
let client: ExtensionClient;

beforeEach(async () => {
  events = [];
  session = new RuntimeSession((event) => {
    events.push(event);
    if (event.kind === 'all-ready') queueMicrotask(() => session.offer(OFFER));
  });
  listener = await startRuntimeApi({
    session,
    metadata: { accountId: '123456789012', functionName: 'hello', functionVersion: '7', handler: 'index.handler' },
    host: '127.0.0.1',
    port: 0,
    onFailure: (failure) => {
      throw failure;
    },
  });
  client = createExtensionClient({ address: `127.0.0.1:${listener.port}`, name: 'audit' });
});
afterEach(async () => {
  client.close();
  await listener.close();
});

/** Polls as a runtime does, because the environment waits for it before each event. */
function poll(): void {
  const path = '/2018-06-01/runtime/invocation/next';
  const polling = request({ host: '127.0.0.1', port: listener.port, path });
  polling.on('error', () => undefined).end();
}

describe('an extension client', () => {
  it("registers and receives its function's properties", async () => {
    expect(await client.register(['INVOKE'])).toEqual({
      accountId: '123456789012',
      functionName: 'hello',
      functionVersion: '7',
      handler: 'index.handler',
    });
  });

  it('receives the events to which it subscribed', async () => {
    await client.register(['INVOKE']);
    const next = client.nextEvent();
    poll();
    expect(await next).toEqual({
      eventType: 'INVOKE',
      deadlineMs: OFFER.deadlineMs,
      requestId: OFFER.requestId,
      invokedFunctionArn: OFFER.invokedFunctionArn,
      tracing: { type: 'X-Amzn-Trace-Id', value: OFFER.traceId },
    });
  });

  it.each(['failInitialization', 'failExit'] as const)('reports with %s', async (call) => {
    await client.register([]);
    await client[call]('Extension.NoConfiguration', new Error('no file'));
    expect(events).toMatchObject([{ kind: 'extension-error-reported', errorType: expect.any(String) }]);
  });

  it("throws Lambda's errors with their messages", async () => {
    await expect(client.register(['SHUTDOWN'])).rejects.toMatchObject({
      status: 403,
      errorType: 'Extension.InvalidEventType',
      message: 'SHUTDOWN: ShutdownEventNotSupportedForInternalExtension',
    });
  });

  it('must register first', async () => {
    await expect(client.nextEvent()).rejects.toThrow('call register() first');
  });
});
