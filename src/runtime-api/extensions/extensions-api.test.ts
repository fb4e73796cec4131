import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener } from '../../http/listener.ts';
import { startRuntimeApi } from '../server.ts';
import { RuntimeSession, type SessionEvent } from '../session.ts';

const API = '/2020-01-01/extension';
const metadata = { accountId: '123456789012', functionName: 'hello', functionVersion: '$LATEST', handler: 'h.main' };

let session: RuntimeSession;
let listener: Listener;
let events: SessionEvent[];

beforeEach(async () => {
  events = [];
  session = new RuntimeSession((event) => events.push(event));
  const onFailure = (failure: unknown) => {
    throw failure;
  };
  listener = await startRuntimeApi({ session, metadata, host: '127.0.0.1', port: 0, onFailure });
});
afterEach(() => listener.close());

type Reply = { readonly status: number; readonly headers: Headers; readonly body: string };

async function call(path: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(`http://127.0.0.1:${listener.port}${path}`, init);
  return { status: response.status, headers: response.headers, body: await response.text() };
}

function register(name: string, body = '{"events":["INVOKE"]}', more: Record<string, string> = {}): Promise<Reply> {
  return call(`${API}/register`, { method: 'POST', headers: { 'Lambda-Extension-Name': name, ...more }, body });
}

async function registered(name: string, body?: string): Promise<string> {
  return (await register(name, body)).headers.get('lambda-extension-identifier') ?? '';
}

function as(identifier: string, more: Record<string, string> = {}): { headers: Record<string, string> } {
  return { headers: { 'Lambda-Extension-Identifier': identifier, ...more } };
}

const report = (call: string, identifier: string, type?: string) => ({
  path: `${API}/${call}`,
  init: {
    method: 'POST',
    ...as(identifier, type === undefined ? {} : { 'Lambda-Extension-Function-Error-Type': type }),
  },
});

const refusal = (errorType: string, errorMessage: string) => ({
  status: 403,
  body: `${JSON.stringify({ errorMessage, errorType })}\n`,
});

describe('POST register', () => {
  it("returns an identifier and the function's properties", async () => {
    session.extensions.expect(['outside']);
    const { status, headers, body } = await register('outside', '{"events":["INVOKE","SHUTDOWN"]}');
    expect([status, JSON.parse(body)]).toEqual([
      200,
      { functionName: 'hello', functionVersion: '$LATEST', handler: 'h.main' },
    ]);
    expect(headers.get('lambda-extension-identifier')).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    expect(events.map(({ kind }) => kind)).toEqual(['extensions-registered']);
  });

  it('returns the account only to extensions that accept it, and ignores unknown features', async () => {
    const accepted = await register('inside', undefined, { 'Lambda-Extension-Accept-Feature': 'future, accountId' });
    expect(JSON.parse(accepted.body)).toMatchObject({ accountId: '123456789012' });
  });

  it.each([
    ['an empty name', '', '{"events":[]}', 'Extension.InvalidExtensionName', 'Empty extension name'],
    ['an unknown event', 'a', '{"events":["START"]}', 'Extension.InvalidEventType', 'START: ErrorInvalidEventType'],
    [
      'SHUTDOWN from inside the runtime',
      'a',
      '{"events":["SHUTDOWN"]}',
      'Extension.InvalidEventType',
      'SHUTDOWN: ShutdownEventNotSupportedForInternalExtension',
    ],
    [
      'configuration keys',
      'a',
      '{"events":[],"configurationKeys":["k"]}',
      'InvalidRequestFormat',
      'configurationKeys are deprecated; use environment variables instead',
    ],
  ])('rejects %s', async (_, name, body, errorType, errorMessage) => {
    expect(await register(name, body)).toMatchObject(refusal(errorType, errorMessage));
  });

  it('rejects a name that has registered, with the message for its kind', async () => {
    session.extensions.expect(['outside']);
    await register('outside');
    await register('inside');
    expect(await register('outside')).toMatchObject(
      refusal(
        'Extension.InvalidExtensionState',
        'State transition from Registered to Registered failed for extension outside. Error: State transition is not allowed',
      ),
    );
    expect(await register('inside')).toMatchObject(
      refusal('Extension.InvalidExtensionState', 'Extension with this name already registered'),
    );
  });

  it('rejects the eleventh', async () => {
    for (let number = 1; number <= 10; number++) expect((await register(`number-${number}`)).status).toBe(200);
    expect(await register('number-11')).toMatchObject(
      refusal('Extension.TooManyExtensions', 'Extension limit (10) reached'),
    );
  });

  it('is closed for internal extensions once the runtime has asked for an invocation', async () => {
    const polling = new AbortController();
    const poll = call('/2018-06-01/runtime/invocation/next', { signal: polling.signal }).catch(() => undefined);
    await expect.poll(() => events.map(({ kind }) => kind)).toContain('runtime-ready');
    expect(await register('late')).toMatchObject(
      refusal('Extension.RegistrationClosed', 'Extension registration closed already'),
    );
    polling.abort();
    await poll;
  });
});

describe('calls of an extension', () => {
  const calls = [
    { path: `${API}/event/next`, init: {}, unknown: (id: string) => `Unknown extension ${id}` },
    { ...report('init/error', '', 'A.B'), unknown: () => 'Unknown Lambda-Extension-Identifier' },
    { ...report('exit/error', '', 'A.B'), unknown: () => 'Unknown Lambda-Extension-Identifier' },
  ];

  it.each(calls)('$path requires a valid and known identifier', async ({ path, init, unknown }) => {
    const headers = (init as { headers?: Record<string, string> }).headers ?? {};
    const id = randomUUID();
    const responses = [undefined, 'me', id].map((identifier) =>
      call(path, {
        ...init,
        headers: { ...headers, ...(identifier === undefined ? {} : { 'Lambda-Extension-Identifier': identifier }) },
      }),
    );
    expect(await Promise.all(responses)).toMatchObject([
      refusal('Extension.MissingExtensionIdentifier', 'Missing Lambda-Extension-Identifier header'),
      refusal('Extension.InvalidExtensionIdentifier', 'Invalid Lambda-Extension-Identifier'),
      refusal('Extension.UnknownExtensionIdentifier', unknown(id)),
    ]);
  });

  it('GET event/next blocks until there is an event, and rejects a second poll meanwhile', async () => {
    const id = await registered('inside');
    const polling = new AbortController();
    const first = call(`${API}/event/next`, { ...as(id), signal: polling.signal }).catch(() => undefined);
    await expect.poll(() => session.extensions.find(id)?.state).toBe('Ready');
    expect(await call(`${API}/event/next`, as(id))).toMatchObject(
      refusal(
        'Extension.InvalidExtensionState',
        `State transition from Ready to Ready failed for extension ${id}. Error: State transition is not allowed`,
      ),
    );
    polling.abort();
    await first;
  });

  it('returns INVOKE as documented, with an event identifier', async () => {
    const id = await registered('inside');
    const event = call(`${API}/event/next`, as(id));
    await expect.poll(() => session.extensions.find(id)?.state).toBe('Ready');
    const invoke = {
      eventType: 'INVOKE',
      deadlineMs: 1,
      requestId: 'r',
      invokedFunctionArn: 'arn',
      tracing: { type: 'X-Amzn-Trace-Id', value: 'Root=1' },
    } as const;
    session.extensions.publish(invoke);
    const { body, headers } = await event;
    expect(JSON.parse(body)).toEqual(invoke);
    expect(headers.get('lambda-extension-event-identifier')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('reports errors only with a type and in a state that allows it, and keeps the type unchanged', async () => {
    const id = await registered('inside');
    const untyped = report('init/error', id);
    expect(await call(untyped.path, untyped.init)).toMatchObject(
      refusal('Extension.MissingHeader', 'Lambda-Extension-Function-Error-Type not found'),
    );
    const typed = report('init/error', id, 'Own.Type');
    expect(await call(typed.path, typed.init)).toMatchObject({ status: 202, body: '{"status":"OK"}\n' });
    expect(events.at(-1)).toMatchObject({
      kind: 'extension-error-reported',
      call: 'init-error',
      errorType: 'Own.Type',
    });
    const exit = report('exit/error', id, 'Own.Type');
    expect(await call(exit.path, exit.init)).toMatchObject(
      refusal(
        'Extension.InvalidExtensionState',
        `State transition from InitError to ExitError failed for extension ${id}. Error: State transition is not allowed`,
      ),
    );
  });
});
