import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../http/listener.ts';
import { startRuntimeApi } from './server.ts';
import { type Offer, RuntimeSession, type SessionEvent } from './session.ts';

const API = '/2018-06-01/runtime';
const offer: Offer = {
  requestId: '8476a536-e9f4-11e8-9739-2dfe598c3fcd',
  deadlineMs: 1_542_409_706_888,
  invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:hello',
  traceId: 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0',
  clientContext: undefined,
  cognitoIdentity: undefined,
  payload: Buffer.from('{"name": "Wörld"}'),
};

const metadata = { accountId: '123456789012', functionName: 'hello', functionVersion: '$LATEST', handler: 'h' };

let session: RuntimeSession;
let listener: Listener;
let events: SessionEvent[];
let onEvent: (event: SessionEvent) => void;

beforeEach(async () => {
  events = [];
  onEvent = () => undefined;
  session = new RuntimeSession((event) => {
    events.push(event);
    onEvent(event);
  });
  listener = await startRuntimeApi({
    session,
    metadata,
    host: '127.0.0.1',
    port: 0,
    onFailure: (failure) => {
      throw failure;
    },
  });
});
afterEach(() => listener.close());

type Reply = { status: number; headers: Record<string, string | string[] | undefined>; body: string };

function call(
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: listener.port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Offers an invocation when the runtime polls, as an environment does. */
function offerAtPoll(what: Offer = offer): void {
  onEvent = (event) => {
    if (event.kind === 'runtime-ready') {
      onEvent = () => undefined;
      session.offer(what);
    }
  };
}

async function pollOnce(what: Offer = offer): Promise<Reply> {
  offerAtPoll(what);
  return call('GET', `${API}/invocation/next`);
}

describe('the Runtime API', () => {
  it('GET next waits until an invocation is offered, and returns it with its headers', async () => {
    const reply = await pollOnce();
    expect(reply.status).toBe(200);
    expect(reply.body).toBe('{"name": "Wörld"}');
    expect(reply.headers).toMatchObject({
      'lambda-runtime-aws-request-id': offer.requestId,
      'lambda-runtime-deadline-ms': '1542409706888',
      'lambda-runtime-invoked-function-arn': offer.invokedFunctionArn,
      'lambda-runtime-trace-id': offer.traceId,
      'content-type': 'application/json',
      'content-length': '18',
    });
    expect(reply.headers).not.toHaveProperty('lambda-runtime-client-context');
    expect(reply.headers).not.toHaveProperty('lambda-runtime-cognito-identity');
  });

  it('GET next sends events of more than 2 KiB in chunks', async () => {
    const [whole, longer] = [2048, 2049].map((size) => Buffer.from(`"${'x'.repeat(size - 2)}"`));
    const short = await pollOnce({ ...offer, payload: whole as Buffer });
    expect([short.headers['content-length'], short.headers['transfer-encoding']]).toEqual(['2048', undefined]);
    await call('POST', `${API}/invocation/${offer.requestId}/response`, '1');
    const long = await pollOnce({ ...offer, payload: longer as Buffer });
    expect([long.headers['content-length'], long.headers['transfer-encoding']]).toEqual([undefined, 'chunked']);
    expect(long.body).toBe(String(longer));
  });

  it('accepts the cause of an error in a header of nearly a megabyte', async () => {
    await pollOnce();
    const headers = { 'Lambda-Runtime-Function-XRay-Error-Cause': 'x'.repeat(1_000_000) };
    const reply = await call('POST', `${API}/invocation/${offer.requestId}/error`, '{}', headers);
    expect(reply.status).toBe(202);
  });

  it('passes client context and Cognito identity as JSON text', async () => {
    const reply = await pollOnce({
      ...offer,
      clientContext: '{"custom":{"a":"b"}}',
      cognitoIdentity: '{"cognitoIdentityId":"x"}',
    });
    expect(reply.headers['lambda-runtime-client-context']).toBe('{"custom":{"a":"b"}}');
    expect(reply.headers['lambda-runtime-cognito-identity']).toBe('{"cognitoIdentityId":"x"}');
  });

  it('passes on client context with characters that headers cannot contain', async () => {
    const reply = await pollOnce({ ...offer, clientContext: '{\r\n\t"custom": {"a": "\x7f\u00e9"}\n}' });
    const text = Buffer.from(String(reply.headers['lambda-runtime-client-context']), 'latin1').toString();
    expect(JSON.parse(text)).toEqual({ custom: { a: '\x7f\u00e9' } });
  });

  it('accepts a response as opaque bytes with 202', async () => {
    await pollOnce();
    const bytes = Buffer.from([0, 255, 10, 123]);
    const reply = await call('POST', `${API}/invocation/${offer.requestId}/response`, bytes);
    expect([reply.status, reply.body]).toEqual([202, '{"status":"OK"}\n']);
    expect(events.at(-1)).toEqual({
      kind: 'responded',
      response: { kind: 'response', payload: bytes, contentType: undefined },
    });
  });

  it('accepts an empty and a chunked response', async () => {
    await pollOnce();
    await call('POST', `${API}/invocation/${offer.requestId}/response`, '', { 'Transfer-Encoding': 'chunked' });
    expect(events.at(-1)).toMatchObject({ response: { kind: 'response', payload: Buffer.alloc(0) } });
  });

  it('returns the same event again to a runtime that polls during an invocation', async () => {
    const first = await pollOnce();
    const again = await call('GET', `${API}/invocation/next`);
    expect([again.status, again.body]).toEqual([200, first.body]);
  });

  it('checks the request ID before the state', async () => {
    const early = await call('POST', `${API}/invocation/unknown/response`, '{}');
    expect([early.status, early.body]).toEqual([
      400,
      '{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n',
    ]);
  });

  it('rejects a second response to the same invocation with the states in the message', async () => {
    await pollOnce();
    const path = `${API}/invocation/${offer.requestId}/response`;
    await call('POST', path, '{}');
    const second = await call('POST', path, '{}');
    expect([second.status, second.body]).toEqual([
      403,
      '{"errorMessage":"State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}\n',
    ]);
    expect(events.filter((event) => event.kind === 'responded')).toHaveLength(1);
  });

  it('rejects an old ID once the next invocation has started', async () => {
    await pollOnce();
    await call('POST', `${API}/invocation/${offer.requestId}/response`, '{}');
    await pollOnce({ ...offer, requestId: 'second' });
    const late = await call('POST', `${API}/invocation/${offer.requestId}/response`, '{}');
    expect(late.status).toBe(400);
  });

  it('passes on an error byte for byte, whatever it is', async () => {
    await pollOnce();
    const reply = await call('POST', `${API}/invocation/${offer.requestId}/error`, 'not json', {
      'Lambda-Runtime-Function-Error-Type': 'Function.MyError',
    });
    expect(reply.status).toBe(202);
    expect(events.at(-1)).toEqual({
      kind: 'responded',
      response: { kind: 'error', payload: Buffer.from('not json'), errorType: 'Function.MyError' },
    });
  });

  it('does not pass the cause of an error to the caller', async () => {
    await pollOnce();
    const body = JSON.stringify({ errorCause: {}, errorMessage: 'm', errorType: 't', stackTrace: ['s'] });
    await call('POST', `${API}/invocation/${offer.requestId}/error`, body, {
      'Content-Type': 'application/vnd.aws.lambda.error.cause+json',
    });
    expect(events.at(-1)).toMatchObject({
      response: { payload: Buffer.from('{"errorMessage":"m","errorType":"t","stackTrace":["s"]}') },
    });
    await pollOnce({ ...offer, requestId: 'second' });
    const reply = await call('POST', `${API}/invocation/second/error`, 'not json', {
      'Content-Type': 'application/vnd.aws.lambda.error.cause+json',
    });
    expect(reply.status).toBe(202);
    expect(events.at(-1)).toMatchObject({ response: { payload: Buffer.from('"Invalid error body"') } });
  });

  it('accepts 6 MiB and 100 bytes, and rejects one byte more with 413', async () => {
    await pollOnce();
    const max = Buffer.alloc(6 * 1024 * 1024 + 100, 'x');
    expect((await call('POST', `${API}/invocation/${offer.requestId}/response`, max)).status).toBe(202);
    await pollOnce({ ...offer, requestId: 'second' });
    const reply = await call('POST', `${API}/invocation/second/response`, Buffer.alloc(max.length + 1, 'x'));
    expect([reply.status, reply.body]).toEqual([
      413,
      '{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}\n',
    ]);
    expect(events.at(-1)).toEqual({ kind: 'responded', response: { kind: 'response-too-large' } });
    const error = await call('POST', `${API}/invocation/second/error`, '{}');
    expect(error.status).toBe(403);
  });

  it('detects a response whose connection breaks off', async () => {
    await pollOnce();
    const responded = new Promise<SessionEvent>((resolve) => {
      onEvent = (event) => event.kind === 'responded' && resolve(event);
    });
    const socket = connect(listener.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `POST ${API}/invocation/${offer.requestId}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf`,
      () => socket.end(),
    );
    expect(await responded).toEqual({ kind: 'responded', response: { kind: 'response-truncated' } });
  });

  it('handles a response and the next poll that arrive together one after the other', async () => {
    await pollOnce();
    offerAtPoll({ ...offer, requestId: 'second' });
    const socket = connect(listener.port, '127.0.0.1').setEncoding('utf8');
    socket.write(
      `POST ${API}/invocation/${offer.requestId}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ndone` +
        `GET ${API}/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    let text = '';
    for await (const chunk of socket) {
      text += chunk;
      if (text.endsWith(offer.payload.toString())) break;
    }
    expect(text.match(/HTTP\/1.1 \d+|second/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 200', 'second']);
    expect(events.map(({ kind }) => kind)).toEqual(['runtime-ready', 'response-started', 'responded', 'runtime-ready']);
  });

  it('collects a streamed response, and treats its error trailers as an error', async () => {
    await pollOnce();
    const streaming = { 'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Transfer-Encoding': 'chunked' };
    await call('POST', `${API}/invocation/${offer.requestId}/response`, 'streamed', streaming);
    expect(events.at(-1)).toMatchObject({ response: { kind: 'response', payload: Buffer.from('streamed') } });

    await pollOnce({ ...offer, requestId: 'second' });
    const error = Buffer.from('{"errorType":"E"}').toString('base64');
    const socket = connect(listener.port, '127.0.0.1');
    const responded = new Promise((resolve) => socket.once('data', resolve));
    socket.write(
      `POST ${API}/invocation/second/response HTTP/1.1\r\nHost: x\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n` +
        'Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n' +
        `4\r\npart\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: ${error}\r\n\r\n`,
    );
    await responded;
    socket.destroy();
    expect(events.at(-1)).toEqual({
      kind: 'responded',
      response: { kind: 'error', payload: Buffer.from('{"errorType":"E"}'), errorType: 'Runtime.StreamError' },
    });
  });

  it('passes on a response while it arrives to a caller that reads it as a stream', async () => {
    const seen: string[] = [];
    let release: () => void = () => undefined;
    const sink = {
      begin: (contentType: string | undefined) => void seen.push(`begin ${contentType}`),
      write: (chunk: Buffer) => {
        seen.push(chunk.toString());
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
    };
    await pollOnce({ ...offer, sink });
    const request = httpRequest({
      host: '127.0.0.1',
      port: listener.port,
      method: 'POST',
      path: `${API}/invocation/${offer.requestId}/response`,
      headers: { 'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Content-Type': 'text/plain' },
    });
    const replied = new Promise<number>((resolve) =>
      request.once('response', (reply) => resolve(reply.statusCode ?? 0)),
    );
    request.write('first');
    await expect.poll(() => seen).toEqual(['begin text/plain', 'first']);
    expect(events.at(-1)).not.toMatchObject({ kind: 'responded' });
    release();
    request.end('second');
    await expect.poll(() => seen).toEqual(['begin text/plain', 'first', 'second']);
    release();
    expect(await replied).toBe(202);
    expect(events.at(-1)).toMatchObject({
      kind: 'responded',
      response: { kind: 'response', payload: Buffer.alloc(0) },
    });
  });

  it('rejects an unknown response mode', async () => {
    await pollOnce();
    const reply = await call('POST', `${API}/invocation/${offer.requestId}/response`, '{}', {
      'Lambda-Runtime-Function-Response-Mode': 'Streaming',
    });
    expect([reply.status, reply.body]).toEqual([
      400,
      '{"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}\n',
    ]);
    expect(events.at(-1)).toEqual({ kind: 'responded', response: { kind: 'invalid-response-mode' } });
    const next = await call('GET', `${API}/invocation/next`);
    expect([next.status, next.body]).toEqual([
      403,
      '{"errorMessage":"State transition from InvocationResponse to Ready failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}\n',
    ]);
  });

  it('accepts init/error once, and only before the first poll', async () => {
    const type = { 'Lambda-Runtime-Function-Error-Type': 'not a type' };
    const reply = await call('POST', `${API}/init/error`, '{"errorType":"X"}', type);
    expect([reply.status, reply.body]).toEqual([202, '{"status":"OK"}\n']);
    expect(events).toEqual([
      { kind: 'init-error-reported', errorType: 'Runtime.Unknown', body: Buffer.from('{"errorType":"X"}') },
    ]);
    expect((await call('POST', `${API}/init/error`, '{}')).status).toBe(403);
    const next = await call('GET', `${API}/invocation/next`);
    expect(next.body).toContain('State transition from InitError to Ready failed for runtime.');
  });

  it('starts over after a reset: parked polls end, and the old ID is unknown', async () => {
    await pollOnce();
    session.reset();
    expect((await call('POST', `${API}/invocation/${offer.requestId}/response`, '{}')).status).toBe(400);
    const parked = call('GET', `${API}/invocation/next`);
    await new Promise<void>((resolve) => {
      onEvent = () => resolve();
    });
    session.reset();
    await expect(parked).rejects.toThrow();
  });

  it.each([
    ['GET', '/2018-06-01/nothing', 404],
    ['GET', '/', 404],
    ['GET', `${API}/invocation/x/other`, 404],
    ['GET', `${API}/invocation/x/response/more`, 404],
    ['GET', '/2018-06-01/runtime/restore/next', 404],
    ['POST', `${API}/invocation/next`, 405],
    ['GET', `${API}/invocation/x/response`, 405],
    ['GET', `${API}/init/error`, 405],
  ])('%s %s gets %i', async (method, path, status) => {
    const reply = await call(method, path);
    expect([reply.status, reply.body]).toEqual([status, status === 404 ? '404 page not found\n' : '']);
  });

  it('accepts a target in absolute form', async () => {
    expect((await call('GET', 'http://sandbox:9001/2018-06-01/ping?x=1')).body).toBe('pong');
    expect((await call('GET', 'http://sandbox/')).status).toBe(404);
    expect((await call('GET', 'http://sandbox')).status).toBe(404);
  });

  it('responds to ping and ignores a query string', async () => {
    expect((await call('GET', '/2018-06-01/ping?x=1')).body).toBe('pong');
  });

  it('closes connections that do not come from the environment', async () => {
    const guarded = await startRuntimeApi({
      session,
      metadata,
      host: '127.0.0.1',
      port: 0,
      onFailure: () => undefined,
      isTrusted: async () => false,
    });
    const refused = new Promise((resolve) => {
      httpRequest({ host: '127.0.0.1', port: guarded.port, path: `${API}/invocation/next` })
        .on('error', resolve)
        .end();
    });
    expect(await refused).toMatchObject({ code: 'ECONNRESET' });
    expect(events).toEqual([]);
    await guarded.close();
  });

  it('refuses the response of another environment that knows the request ID', async () => {
    let lookups = 0;
    const guarded = await startRuntimeApi({
      session,
      metadata,
      host: '127.0.0.1',
      port: 0,
      onFailure: () => undefined,
      isTrusted: async () => {
        lookups += 1;
        return false;
      },
    });
    session.park({ serve: () => undefined, drop: () => undefined });
    session.take('next');
    session.offer({ ...offer, requestId: 'known' });
    events.length = 0;
    for (const call of ['response', 'error']) {
      const refused = new Promise((resolve) => {
        httpRequest({ host: '127.0.0.1', port: guarded.port, path: `${API}/invocation/known/${call}`, method: 'POST' })
          .on('error', resolve)
          .on('response', resolve)
          .end('"forged"');
      });
      expect(await refused).toMatchObject({ code: 'ECONNRESET' });
    }
    expect(events).toEqual([]);
    expect(lookups).toBe(2);
    await guarded.close();
  });

  it('closes connections while the environment has no processes, even if the request was made before', async () => {
    let isInhabited = true;
    const guarded = await startRuntimeApi({
      session,
      metadata,
      host: '127.0.0.1',
      port: 0,
      onFailure: () => undefined,
      isInhabited: () => isInhabited,
      isTrusted: async () => {
        isInhabited = false;
        return true;
      },
    });
    for (const _ of [1, 2]) {
      const refused = new Promise((resolve) => {
        httpRequest({ host: '127.0.0.1', port: guarded.port, path: `${API}/invocation/next` })
          .on('error', resolve)
          .end();
      });
      expect(await refused).toMatchObject({ code: 'ECONNRESET' });
    }
    expect(events).toEqual([]);
    await guarded.close();
  });
});
