/**
 * One PHP web application behind every kind of gateway of a complete service, used by curl: query arrays, forms, uploads,
 * bytes of every value, redirects, cookies. The application does not know its gateway.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { CreateFunctionUrlConfigCommand, PublishLayerVersionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPhpLayer } from '../../src/packaging/php/php-layer.ts';
import { startGate } from '../support/gate.ts';
import { CACHE_DIR } from '../support/php-sandbox.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const APPLICATION = resolve(import.meta.dirname, '../fixtures/functions/php-web/public/index.php');
const EVERYTHING = ['ANY / -> app', 'ANY /{proxy+} -> app'];
/** Gateways by their host. */
const GATEWAYS = {
  'http-2.localhost': { kind: 'http-api', routes: ['$default -> app'] },
  'http-1.localhost': { kind: 'http-api', payloadFormatVersion: '1.0', routes: EVERYTHING },
  'rest.localhost': { kind: 'rest-api', binaryMediaTypes: ['*/*'], routes: EVERYTHING },
  'alb.localhost': { kind: 'load-balancer', routes: ['* -> app'] },
  'alb-multi.localhost': { kind: 'load-balancer', multiValueHeaders: true, routes: ['* -> app'] },
};

const AUTHORIZER = `<?php
return function (Lamella\\Event\\AuthorizerEvent $event): array {
    $isKnown = $event->token() === 'Bearer me';
    if ($event->version === '2.0') {
        return $event->simple($isKnown, ['by' => $event->header('user-agent')]);
    }
    return $isKnown ? $event->allow('me', ['level' => 3]) : $event->deny();
};`;

const directory = mkdtempSync(join(tmpdir(), 'lamella-php-gateways-'));
let service: RunningService;
let port: string;
let urlHost: string;
let streamingHost: string;

beforeAll(async () => {
  service = await startService();
  const output = join(directory, 'php.zip');
  await buildPhpLayer({ version: '8.4', webServer: true, output, cacheDir: CACHE_DIR });
  const layer = await service.client.send(
    new PublishLayerVersionCommand({ LayerName: 'php', Content: { ZipFile: readFileSync(output) } }),
  );
  const create = async (
    name: string,
    variables: Record<string, string>,
    InvokeMode: 'BUFFERED' | 'RESPONSE_STREAM',
  ) => {
    await service.createFunction(
      name,
      { 'public/index.php': readFileSync(APPLICATION) },
      {
        Handler: 'public/index.php',
        Layers: [layer.LayerVersionArn ?? ''],
        MemorySize: 1024,
        Timeout: 20,
        Environment: { Variables: { LAMELLA_MODE: 'http', ...variables } },
      },
    );
    const { FunctionUrl = '' } = await service.client.send(
      new CreateFunctionUrlConfigCommand({ FunctionName: name, AuthType: 'NONE', InvokeMode }),
    );
    return new URL(FunctionUrl);
  };
  ({ port, hostname: urlHost } = await create('app', {}, 'BUFFERED'));
  ({ hostname: streamingHost } = await create('streams', { LAMELLA_STREAMING: '1' }, 'RESPONSE_STREAM'));
  await service.createFunction(
    'guard',
    { 'guard.php': AUTHORIZER },
    { Handler: 'guard.php', Layers: [layer.LayerVersionArn ?? ''], MemorySize: 1024, Timeout: 20 },
  );
  for (const [host, config] of Object.entries(GATEWAYS)) {
    service.lamella.http.put(host.split('.')[0] ?? '', { ...config, hosts: [host] });
  }
}, 120_000);
afterAll(async () => {
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

const at = (host: string, path: string) => `http://${host || urlHost}:${port}${path}`;
const curlBytes = async (...args: string[]) =>
  (await run('curl', ['-sS', '--path-as-is', ...args], { encoding: 'buffer' })).stdout;
const curl = async (...args: string[]) => (await curlBytes(...args)).toString();

describe.each(['', ...Object.keys(GATEWAYS)])('a PHP application at %s', (host) => {
  it('receives path, query arrays, form, cookies and address as from any web server', async () => {
    const target = at(host, '/a/%C3%BC%20x?list[]=1&list[]=2&deep[a][b]=%26&plus=1+1%2B&empty=&last=a&last=b');
    const output = await curl(target, '-g', '-A', 'a curl', '-b', 'one=1; two=2', '-d', 'name=G+r&tags[]=x&tags[]=y');
    expect(JSON.parse(output)).toEqual({
      method: 'POST',
      path: '/a/ü x',
      query: {
        list: host === 'alb.localhost' ? ['2'] : ['1', '2'],
        deep: { a: { b: '&' } },
        plus: '1 1+',
        empty: '',
        last: 'b',
      },
      form: { name: 'G r', tags: ['x', 'y'] },
      cookies: { one: '1', two: '2' },
      agent: 'a curl',
      address: '127.0.0.1',
      host: host || urlHost,
      input: 26,
    });
  });

  it('logs in with two cookies and a redirect that curl follows', async () => {
    const jar = join(directory, `${host || 'url'}.cookies`);
    const output = await curl(at(host, '/login'), '-L', '-c', jar, '-b', jar, '-i', '-d', 'user=me');
    const [redirect = '', , body = ''] = [...output.split('\r\n\r\n'), ''];
    expect(redirect).toMatch(/^HTTP\/1\.1 303 /);
    expect(redirect).toMatch(/\r\nLocation: \/who\?from=login(\r\n|$)/i);
    expect(redirect.match(/\r\nset-cookie: /gi)).toHaveLength(2);
    expect(JSON.parse(body)).toMatchObject({
      method: 'GET',
      path: '/who',
      query: { from: 'login' },
      cookies: { session: 'abc=123', theme: 'dark mode' },
    });
  });

  it('receives a file with bytes of every value, and the form around it', async () => {
    const bytes = randomBytes(200_000);
    const file = join(directory, 'ünï.bin');
    writeFileSync(file, bytes);
    const output = await curl(
      at(host, '/upload'),
      '-F',
      `file=@${file}`,
      '-F',
      'title=ü',
      '-F',
      'tags[]=a',
      '-F',
      'tags[]=b',
    );
    expect(JSON.parse(output)).toEqual({
      name: 'ünï.bin',
      bytes: 200_000,
      sha1: createHash('sha1').update(bytes).digest('hex'),
      title: 'ü',
      tags: ['a', 'b'],
    });
  });

  it('returns bytes of every value, statuses, and repeated headers', async () => {
    const image = await curlBytes(at(host, '/bytes'), '-i');
    const headEnd = image.indexOf('\r\n\r\n') + 4;
    expect(image.subarray(headEnd)).toEqual(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
    expect(image.toString('latin1', 0, headEnd)).toMatch(/content-type: image\/png\r\n/i);
    expect(image.toString('latin1', 0, headEnd)).toMatch(/cache-control: no-store\r\n/i);
    const teapot = await curl(at(host, '/teapot'), '-i');
    expect(teapot).toMatch(/^HTTP\/1\.1 418 .*\r\n\r\nshort and stout: ü$/s);
    const twice = [...teapot.matchAll(/\r\nx-twice: (.*)/gi)].map(([, value]) => value?.trim()).join(', ');
    expect(twice).toBe('one, two');
    const head = await curl(at(host, '/teapot'), '-I');
    expect(head).toMatch(/^HTTP\/1\.1 418 .*\r\n\r\n$/s);
  });
});

it.each([
  ['rest-api', { type: 'token' }],
  ['http-api', { type: 'request', identitySource: '$request.header.Authorization', enableSimpleResponses: true }],
])('a PHP function authorizes the requests of a %s', async (kind, authorizer) => {
  service.lamella.http.put('guarded', {
    kind,
    hosts: ['guarded.localhost'],
    authorizers: { php: { function: 'guard', ...authorizer } },
    defaultAuthorizer: 'php',
    routes: ['ANY /{proxy+} -> app'],
  });
  const status = (...args: string[]) =>
    curl(at('guarded.localhost', '/a'), '-o', '/dev/null', '-w', '%{http_code}', ...args);
  expect(await status('-H', 'Authorization: Bearer me')).toBe('200');
  expect(await status('-H', 'Authorization: Bearer you')).toBe('403');
  expect(await status()).toBe('401');
});

it('a PHP application streams through its URL when it flushes', async () => {
  const gate = await startGate();
  const child = spawn('curl', ['-sS', '-N', '-i', at(streamingHost, `/drip?gate=${gate.url}`)]);
  let output = '';
  child.stdout.on('data', (piece: Buffer) => {
    output += piece;
  });
  const ended = new Promise<void>((settle) => child.once('close', () => settle()));
  await gate.arrived('first-was-read');
  await until(() => output.includes('data: first\n\n'));
  expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n.*content-type: text\/event-stream.*set-cookie: seen=yes\r\n/is);
  expect(output).not.toContain('second');
  gate.open('first-was-read');
  await ended;
  expect(output).toContain('data: second\n\n');
  gate.close();
});
