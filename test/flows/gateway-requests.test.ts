/**
 * Unusual, invalid and hostile requests to the HTTP port of a complete service: limits, framing, hosts, and old, slow and
 * many clients. The service must refuse ambiguous requests and stay available.
 */
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';
import {
  CreateFunctionUrlConfigCommand,
  DeleteFunctionCommand,
  PutFunctionConcurrencyCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../src/http/listener.ts';
import { cpuGrowth, LINEAR } from '../support/cpu-growth.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { connectTo, exchangeRaw, statusesOf } from '../support/raw-http.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const run = promisify(execFile);

/** Responds with parts of its event, or as the path requests. */
const FUNCTION = `
export const handler = async (event) => {
  const path = event.rawPath ?? event.path;
  const query = event.queryStringParameters ?? {};
  if (path.includes('/fails')) throw new Error('no');
  if (path.includes('/waits')) await fetch(query.gate);
  const body = path.includes('/fill') ? 'x'.repeat(Number(query.bytes)) : JSON.stringify({
    path, method: event.httpMethod ?? event.requestContext.http.method, headers: event.headers,
    bytes: Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8').length,
  });
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body };
};
`;
/** The bytes that `JSON.stringify` adds to the body of such a response. */
const BYTES_AROUND_BODY = '{"statusCode":200,"headers":{"content-type":"application/json"},"body":""}'.length;

let service: RunningService;
let gate: Gate;
let port: number;
let url: string;

beforeAll(async () => {
  gate = await startGate();
  service = await startService({
    routes: ['ANY /http/{proxy+} -> web', 'rest ANY /rest/{proxy+} -> web', 'alb /alb/* -> web'],
  });
  port = Number(new URL(service.lamella.http.url).port);
  await createFunction('web');
  url = await createUrl('web');
}, 60_000);
afterAll(async () => {
  await service.close();
  gate.close();
});

const createFunction = (name: string) =>
  service.createFunction(
    name,
    { 'index.mjs': FUNCTION },
    { Runtime: 'nodejs20.x', Handler: 'index.handler', MemorySize: 512, Timeout: 30 },
  );

async function createUrl(FunctionName: string): Promise<string> {
  const { FunctionUrl = '' } = await service.client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' }),
  );
  return `/_lamella/url/${new URL(FunctionUrl).hostname.split('.')[0]}`;
}

const at = (path: string) => `${service.lamella.http.url}${path}`;
const CLOSE = 'Host: localhost\r\nConnection: close\r\n';
/** Sends the head and the rest of a request. Returns the statuses received until the connection closes. */
const statuses = async (head: string, rest = '') => statusesOf(await exchangeRaw(port, `${head}\r\n${CLOSE}${rest}`));

describe('the gateways refuse', () => {
  it.each([
    ['a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!'],
    ['a list of lengths', 'Content-Length: 2, 2\r\n\r\nhi'],
    ['a length with a sign', 'Content-Length: +2\r\n\r\nhi'],
    ['an unknown coding', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
    ['a coding that is not the last', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
    ['a folded header', 'X-A: a\r\n b\r\n\r\n'],
    ['a NUL in a header', 'X-A: a\0b\r\n\r\n'],
    ['a chunk without a size', 'Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n'],
    ['a second host', 'Host: other.localhost\r\n\r\n'],
    ['garbage behind the head', '\x16\x03\x01\x02\r\n\r\n'],
  ])('a request with %s, and ignore the request smuggled behind it', async (_, rest) => {
    const smuggled = `GET /http/smuggled HTTP/1.1\r\n${CLOSE}\r\n`;
    expect(await statuses('POST /http/x HTTP/1.1', `${rest}${smuggled}`)).toEqual([400]);
  });

  it.each([
    ['bytes that are not HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n'],
    ['a request without a host', 'GET /http/x HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['lines that end with LF alone', 'GET /http/x HTTP/1.1\nHost: localhost\n\n'],
  ])('%s', async (_, bytes) => {
    expect(statusesOf(await exchangeRaw(port, bytes))).toEqual([400]);
  });

  it.each([
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['user@localhost', 403],
    ['127.0.0.1.nip.example', 403],
    ['anything.localhost', 200],
    ['LOCALHOST.', 200],
    ['[::1]', 200],
  ])('foreign hosts: %s gets %i', async (host, status) => {
    const head = `GET /http/x HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(statusesOf(await exchangeRaw(port, head))).toEqual([status]);
  });

  it('no foreign origins, unlike the port of the admin API', async () => {
    const headers = { Origin: 'https://evil.example' };
    expect((await fetch(at('/http/x'), { headers })).status).toBe(200);
    expect((await fetch(`${service.url}/_lamella/gateways`, { headers })).status).toBe(403);
    expect((await fetch(`${service.url}/_lamella/gateways`)).status).toBe(200);
  });
});

describe('the limits of each gateway', () => {
  const long = 'x'.repeat(20_000);

  it.each([
    ['a function URL', () => `${url}/${long}`, {}, 200],
    ['an HTTP API', () => `/http/${long}`, {}, 431],
    ['a REST API', () => `/rest/${long}`, {}, 431],
    ['a load balancer', () => `/alb/${long}`, {}, 414],
    ['a function URL', () => url, { 'X-Long': long }, 200],
    ['an HTTP API', () => '/http/x', { 'X-Long': long }, 431],
    ['a REST API', () => '/rest/x', { 'X-Long': long }, 431],
    ['a load balancer', () => '/alb/x', { 'X-Long': long }, 400],
  ])('%s with a long request line or header', async (_, path, headers, status) => {
    expect((await fetch(at(path()), { headers })).status).toBe(status);
  });

  it('a function URL accepts a head of nearly 1 MB, with all its headers', async () => {
    const headers = Array.from({ length: 5000 }, (_, index) => `X-${index}: ${'x'.repeat(150)}\r\n`).join('');
    const text = await exchangeRaw(port, `GET ${url} HTTP/1.1\r\n${CLOSE}${headers}\r\n`);
    expect(statusesOf(text)).toEqual([200]);
    expect(text).toContain('"x-4999":"xxx');
    expect(await statuses(`GET ${url}/${'x'.repeat(1_050_000)} HTTP/1.1`, '\r\n')).toEqual([431]);
  });

  it('a header repeated 100,000 times does not block the service', async () => {
    const request = (count: number) => {
      const headers = `${'a:1\r\n'.repeat(count)}\r\n`;
      return async () => expect(await statuses(`GET ${url} HTTP/1.1`, headers)).toEqual([200]);
    };
    expect(await cpuGrowth(request, 12_500)).toBeLessThan(LINEAR);
  });

  it.each([
    ['a function URL', () => url, 6_291_457, 413, /^\{"Message":"Request must be smaller than 6291456 bytes/],
    ['the event of a function URL', () => url, 6_291_300, 413, /^\{"Message":"Request must be smaller than 6291456/],
    ['an HTTP API', () => '/http/x', 10_485_761, 413, /^\{"message":"Request Entity Too Large"\}$/],
    ['the event of an HTTP API', () => '/http/x', 6_291_300, 413, /^\{"message":"Request Entity Too Large"\}$/],
    ['a REST API', () => '/rest/x', 10_485_761, 413, /^HTTP content length exceeded 10485760 bytes\.$/],
    ['the event of a REST API', () => '/rest/x', 6_291_300, 413, /^\{"message":"Request Too Long"\}$/],
    ['a load balancer', () => '/alb/x', 1_048_577, 413, /413 Payload Too Large/],
    ['a load balancer at its limit', () => '/alb/x', 1_048_576, 200, /"bytes":1048576/],
  ])('%s with a large body', async (_, path, bytes, status, body) => {
    const response = await fetch(at(path()), {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: Buffer.alloc(bytes, 'x'),
    });
    expect([response.status, await response.text()]).toEqual([status, expect.stringMatching(body)]);
  });

  it('a function URL accepts a response of 6 MB and 100 bytes, and not one byte more', async () => {
    const most = 6_291_556 - BYTES_AROUND_BODY;
    const whole = await fetch(at(`${url}/fill?bytes=${most}`));
    expect([whole.status, (await whole.text()).length]).toEqual([200, most]);
    expect((await fetch(at(`${url}/fill?bytes=${most + 1}`))).status).toBe(502);
  });

  it('a load balancer accepts a response of 1 MB of JSON, and not one byte more', async () => {
    const most = 1_048_576 - BYTES_AROUND_BODY;
    expect((await fetch(at(`/alb/fill?bytes=${most}`))).status).toBe(200);
    expect((await fetch(at(`/alb/fill?bytes=${most + 1}`))).status).toBe(502);
  });

  it.each([
    ['TRACE', 'TRACE /alb/x HTTP/1.1', '\r\n', 405],
    ['a WebSocket', 'GET /alb/x HTTP/1.1', 'Upgrade: websocket\r\n\r\n', 400],
    ['31 forwarded addresses', 'GET /alb/x HTTP/1.1', `X-Forwarded-For: 1${', 1'.repeat(30)}\r\n\r\n`, 463],
    ['30 forwarded addresses', 'GET /alb/x HTTP/1.1', `X-Forwarded-For: 1${', 1'.repeat(29)}\r\n\r\n`, 200],
  ])('a load balancer with %s', async (_, head, rest, status) => {
    expect(await statuses(head, rest)).toEqual([status]);
  });

  it('a REST API with a method that ANY does not include', async () => {
    const host = 'Host: rest.execute-api.us-east-1.localhost\r\nConnection: close\r\n';
    const text = await exchangeRaw(port, `TRACE /prod/rest/x HTTP/1.1\r\n${host}\r\n`);
    expect(statusesOf(text)).toEqual([403]);
    expect(text).toContain('Missing Authentication Token');
  });
});

describe('clients of every kind', () => {
  it('with HTTP/1.0 get a response and the end of the connection', async () => {
    const text = await exchangeRaw(port, 'GET /http/x HTTP/1.0\r\nHost: localhost\r\n\r\n');
    expect(statusesOf(text)).toEqual([200]);
    expect(text).toContain('"path":"/http/x"');
  });

  it('that send three requests at once get three responses in order, also after an error', async () => {
    const requests = ['/http/1', '/http/fails', '/http/3'].map(
      (path, index) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${index === 2 ? 'Connection: close\r\n' : ''}\r\n`,
    );
    const text = await exchangeRaw(port, requests.join(''));
    expect(statusesOf(text)).toEqual([200, 500, 200]);
    expect(text.indexOf('"path":"/http/1"')).toBeLessThan(text.indexOf('"path":"/http/3"'));
  });

  it('keep their connection after refusals that leave a body unread', async () => {
    const body = 'x'.repeat(100_000);
    const refused = `POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const text = await exchangeRaw(port, `${refused}GET /http/x HTTP/1.1\r\n${CLOSE}\r\n`);
    // 503: the load balancer is first by name, and has no rule for the path.
    expect(statusesOf(text)).toEqual([503, 200]);
  });

  it('upload in chunks, and after 100 Continue', async () => {
    const { stdout } = await run('curl', [
      ...['-sS', '-i', '-X', 'POST', '-H', 'Transfer-Encoding: chunked', '-H', 'Expect: 100-continue'],
      ...['-H', 'Content-Type: text/plain', '--data-binary', 'x'.repeat(100_000), at(url)],
    ]);
    expect(stdout).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(stdout).toContain('"bytes":100000');
    expect(stdout).not.toMatch(/"expect"|"transfer-encoding"/);
    expect(await statuses('POST /http/x HTTP/1.1', 'Expect: miracles\r\nContent-Length: 0\r\n\r\n')).toEqual([417]);
  });

  it.each(['HEAD', 'OPTIONS', 'PATCH', 'DELETE'])('reach every gateway with %s', async (method) => {
    for (const path of [url, '/http/x', '/rest/x', '/alb/x']) {
      const response = await fetch(at(path), { method });
      const body = await response.text();
      expect([path, response.status, method === 'HEAD' ? body : JSON.parse(body).method]).toEqual([
        path,
        200,
        method === 'HEAD' ? '' : method,
      ]);
      expect(Number(response.headers.get('content-length'))).toBeGreaterThan(50);
    }
  });

  it('can be 200 at once: each gets its own response, or is throttled', async () => {
    await createFunction('few');
    await service.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'few', ReservedConcurrentExecutions: 8 }),
    );
    const path = await createUrl('few');
    const all = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const response = await fetch(at(`${path}/${index}`));
        return { status: response.status, isOwn: (await response.text()).includes(`"path":"/${index}"`) };
      }),
    );
    const successful = all.filter(({ status }) => status === 200);
    expect(successful.length).toBeGreaterThanOrEqual(8);
    expect(successful.filter(({ isOwn }) => !isOwn)).toEqual([]);
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200, 429]));
    expect((await fetch(at(path))).status).toBe(200);
  });

  it('that never finish their requests do not block others', async () => {
    const slow = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const socket = await connectTo(port);
        socket.write('POST /http/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n'.slice(0, 5 + index));
        return socket;
      }),
    );
    expect((await fetch(at('/http/x'))).status).toBe(200);
    for (const socket of slow) socket.destroy();
  });

  it('that disconnect before the response end only their own request', async () => {
    const leaving = request(at(`${url}/waits?gate=${gate.url}/left`));
    leaving.on('error', () => undefined);
    leaving.end();
    await gate.arrived('left');
    leaving.destroy();
    expect((await fetch(at(url))).status).toBe(200);
    gate.open('left');
    expect((await fetch(at(url))).status).toBe(200);
  });

  it('get their response although the function is deleted while it runs', async () => {
    await createFunction('short-lived');
    const path = await createUrl('short-lived');
    const pending = fetch(at(`${path}/waits?gate=${gate.url}/deleted`));
    await gate.arrived('deleted');
    await service.client.send(new DeleteFunctionCommand({ FunctionName: 'short-lived' }));
    gate.open('deleted');
    expect((await pending).status).toBe(200);
    const gone = await fetch(at(path));
    expect([gone.status, await gone.text()]).toEqual([403, '{"Message":null}']);
  });
});

it('a client that sends the head of its request too slowly gets 408', async () => {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    headTimeoutMs: 50,
    handler: (_, response) => void response.end(),
    onFailure: () => undefined,
  });
  expect(statusesOf(await exchangeRaw(listener.port, 'GET / HTTP/1.1\r\nHost: loc'))).toEqual([408]);
  await listener.close();
});
