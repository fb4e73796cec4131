/**
 * Common libraries for Node.js functions, unmodified, in functions of a managed runtime: Powertools for AWS Lambda, middy, Express
 * with serverless-express, Hono. Packed by `lamella package`, called through the API and function URLs.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CreateFunctionCommand, CreateFunctionUrlConfigCommand, type InvokeMode } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFunction } from '../../src/packaging/function/package-function.ts';
import { ROLE, type RunningService, startService } from '../support/running-service.ts';

const PROJECT = resolve(import.meta.dirname, '../fixtures/functions/node-libraries');
const HANDLERS = ['powertools.utilities', 'middy.streamed', 'express.vendia', 'hono.buffered'];

let directory: string;
let service: RunningService;
let zip: Buffer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-node-libraries-'));
  const output = join(directory, 'function.zip');
  await packageFunction({ directory: PROJECT, output, handlers: HANDLERS, bundle: true, sourceMap: false });
  zip = readFileSync(output);
  service = await startService();
});
afterAll(async () => {
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Creates a function `name` with a handler of the package. */
async function create(name: string, Handler: string): Promise<string> {
  await service.client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'nodejs22.x',
      Handler,
      Role: ROLE,
      Code: { ZipFile: zip },
      MemorySize: 512,
      Timeout: 15,
    }),
  );
  return name;
}

/** The address of the function's URL. */
async function urlOf(name: string, InvokeMode: InvokeMode): Promise<string> {
  const config = { FunctionName: name, AuthType: 'NONE', InvokeMode } as const;
  const { FunctionUrl = '' } = await service.client.send(new CreateFunctionUrlConfigCommand(config));
  return `${service.lamella.http.url}/_lamella/url/${new URL(FunctionUrl).hostname.split('.')[0]}`;
}

describe('Powertools for AWS Lambda', () => {
  it('logs, measures, traces, keeps parameters and is idempotent, in middlewares of middy', async () => {
    const name = await create('powertools', 'powertools.utilities');
    const invoked = [await service.invoke(name, { order: 'a' }), await service.invoke(name, { order: 'a' })];
    expect(invoked.map(({ payload }) => JSON.parse(payload))).toEqual(
      invoked.map(({ response }) => ({
        charged: { order: 'a', charged: 1 },
        parameter: 'price=1',
        traceId: expect.stringMatching(/^1-[0-9a-f]{8}-[0-9a-f]{24}$/),
        id: response.$metadata.requestId,
      })),
    );
    const [first = '', second = ''] = invoked.map(({ log }) => log);
    expect(objectWith(first, 'message')).toMatchObject({
      level: 'INFO',
      message: 'ordering',
      order: 'a',
      cold_start: true,
      function_request_id: invoked[0]?.response.$metadata.requestId,
    });
    expect(objectWith(second, 'message')).toMatchObject({ cold_start: false });
    expect(objectWith(second, '_aws')).toMatchObject({ orders: 1, service: 'shop' });
    expect(first).toContain('"ColdStart":1');
  });

  it('reports the failed items of a batch', async () => {
    const name = await create('powertools-batch', 'powertools.batch');
    const record = (messageId: string, body: string) => ({ messageId, body, eventSource: 'aws:sqs' });
    const { payload } = await service.invoke(name, { Records: [record('1', 'fine'), record('2', 'bad')] });
    expect(JSON.parse(payload)).toEqual({ batchItemFailures: [{ itemIdentifier: '2' }] });
  });

  it.each([
    ['routes', 'BUFFERED'],
    ['streamedRoutes', 'RESPONSE_STREAM'],
  ] as const)('routes requests: %s, %s', async (handler, mode) => {
    const url = await urlOf(await create(`powertools-${mode.toLowerCase()}`, `powertools.${handler}`), mode);
    expect(await (await fetch(`${url}/hello/World`)).json()).toEqual({ hello: 'World' });
    expect((await fetch(`${url}/bad`)).status).toBe(500);
    expect((await fetch(`${url}/nowhere`)).status).toBe(404);
  });
});

describe('middy', () => {
  it("streams its handler's response, after its middlewares", async () => {
    const url = await urlOf(await create('middy', 'middy.streamed'), 'RESPONSE_STREAM');
    const response = await fetch(url);
    expect([response.status, response.headers.get('x-after')]).toEqual([201, 'yes']);
    expect(await response.text()).toBe(`Hello, ${'x'.repeat(200_000)}`);
  });
});

describe('an application of a web framework', () => {
  it.each(['express.codegenie', 'express.vendia', 'hono.buffered', 'hono.streamed'])(
    'responds to requests through %s',
    async (handler) => {
      const mode = handler === 'hono.streamed' ? 'RESPONSE_STREAM' : 'BUFFERED';
      const url = await urlOf(await create(handler.replace('.', '-'), handler), mode);
      const hello = await fetch(`${url}/hello/W%C3%B6rld?q=1`);
      expect([hello.status, await hello.json()]).toEqual([200, { hello: 'Wörld', q: '1' }]);
      expect(hello.headers.get('set-cookie')).toMatch(/^seen=yes/);
      const sum = await fetch(`${url}/sum`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"a":1,"b":2}',
      });
      expect([sum.status, await sum.json()]).toEqual([201, { sum: 3 }]);
      const bytes = await fetch(`${url}/bytes`);
      expect(Buffer.from(await bytes.arrayBuffer()).toString('hex')).toBe('8950ff00');
      expect((await fetch(`${url}/nowhere`)).status).toBe(404);
    },
  );

  it('can send events as they happen', async () => {
    const url = await urlOf(await create('hono-events', 'hono.streamed'), 'RESPONSE_STREAM');
    const response = await fetch(`${url}/events`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await response.text()).toBe('data: one\n\ndata: two\n\ndata: three\n\n');
  });
});

/** The first line of a log that is a JSON object with this member. */
function objectWith(log: string, member: string): Record<string, unknown> {
  const lines = log.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  return lines.find((line) => Object.hasOwn(line, member));
}
