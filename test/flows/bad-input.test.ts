/**
 * Bad input, and a service that survives it: broken archives, endless bodies, foreign callers, garbage, full disks, damaged
 * databases, and many clients with the same request at the same time. The service runs in its own process, so that its memory
 * can be measured.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  type LambdaClient,
  ListFunctionsCommand,
  PublishLayerVersionCommand,
  UpdateFunctionCodeCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedService } from '../support/built-cli.ts';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type InstalledLamella, type InstalledService, installLamella } from '../support/installed-lamella.ts';
import { statusOf } from '../support/processes.ts';
import { type RawEntry, rawZip } from '../support/raw-zip.ts';
import { clientOf, ROLE } from '../support/running-service.ts';
import { until } from '../support/until.ts';

const UNREADABLE = 'Could not unzip uploaded file. Please check your file, then try to upload again.';
const FAST = { maxWaitTime: 20, minDelay: 0.02, maxDelay: 0.1 };
const MIB = 1024 * 1024;

let lamella: InstalledLamella;
let data: string;
let service: InstalledService;
let client: LambdaClient;

beforeAll(async () => {
  lamella = await installLamella();
  data = join(lamella.directory, 'data');
  service = await lamella.start(['--data-dir', data]);
  client = clientOf(service.url);
  await createFunction(client, 'echoes', shellRuntime('respond "$EVENT"'));
});
afterAll(async () => {
  client.destroy();
  try {
    const code = await service.stop();
    const unexpected = service
      .stderr()
      .split('\n')
      .filter((line) => !/"msg":"(request from a foreign host or origin|archive) refused"/.test(line));
    expect({ code, unexpected }).toEqual({ code: 0, unexpected: [''] });
  } finally {
    lamella.remove();
  }
});

const functionOf = (FunctionName: string, zip: Uint8Array): CreateFunctionCommandInput => ({
  FunctionName,
  Runtime: 'provided.al2023',
  Handler: 'h',
  Role: ROLE,
  Timeout: 30,
  Code: { ZipFile: zip },
});

async function createFunction(where: LambdaClient, FunctionName: string, bootstrap: string): Promise<void> {
  await where.send(new CreateFunctionCommand(functionOf(FunctionName, await zipOf({ bootstrap }))));
  await waitUntilFunctionActiveV2({ client: where, ...FAST }, { FunctionName });
}

async function invoke(FunctionName: string, event: unknown = {}, where = client): Promise<string> {
  const { Payload } = await where.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
  return Buffer.from(Payload ?? []).toString();
}

/** The service works as before. */
async function expectHealthy(): Promise<void> {
  expect(await invoke('echoes', 'hello')).toBe('"hello"');
}

/** All files of uploads on the disk. */
const uploads = (directory = data) =>
  ['blobs', 'trees', 'opt', 'staging'].flatMap((name) =>
    readdirSync(join(directory, name)).map((it) => `${name}/${it}`),
  );

type RawResponse = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string };

/** One HTTP request with exactly these headers, `Host` included, on a new connection. */
function call(
  method: string,
  path: string,
  { headers = {}, body = '' }: { headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<RawResponse> {
  const { hostname, port } = new URL(service.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(pieces).toString(),
        }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function dial(): Promise<Socket> {
  const { hostname, port } = new URL(service.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket));
    socket.on('error', reject);
  });
}

describe('an archive', () => {
  const file = (name: string | Buffer, more: Partial<RawEntry> = {}): RawEntry => ({
    name,
    content: 'content',
    mode: 0o100644,
    ...more,
  });
  const link = (name: string, to: string): RawEntry => ({ name, content: to, mode: 0o120777 });
  const whole = () => rawZip([file('bootstrap'), file('other')]);
  const zeros = deflateRawSync(Buffer.alloc(300 * MIB));

  it.each<[string, () => Buffer, string]>([
    ['a name with ..', () => rawZip([file('../evil')]), UNREADABLE],
    ['a name with .. inside', () => rawZip([file('a/../../evil')]), UNREADABLE],
    ['an absolute name', () => rawZip([file('/etc/evil')]), UNREADABLE],
    ['a NUL in a name', () => rawZip([file('evil\0.txt')]), UNREADABLE],
    ['a name too long for a file', () => rawZip([file('x'.repeat(300))]), UNREADABLE],
    ['a directory that replaces a link', () => rawZip([link('a', '/tmp'), file('a/')]), UNREADABLE],
    ['a file below a link', () => rawZip([link('a', '/tmp'), file('a/evil')]), UNREADABLE],
    ['a file below a file', () => rawZip([file('a'), file('a/b')]), UNREADABLE],
    ['a device', () => rawZip([file('null', { mode: 0o020666 })]), UNREADABLE],
    ['a wrong checksum', () => rawZip([file('a', { claims: { crc32: 1 } })]), UNREADABLE],
    ['a size that is too small', () => rawZip([file('a', { claims: { size: 2 } })]), UNREADABLE],
    ['a size that is too large', () => rawZip([file('a', { claims: { size: 2000 } })]), UNREADABLE],
    ['data that is no deflate', () => rawZip([file('a', { packed: Buffer.from('garbage') })]), UNREADABLE],
    ['encryption', () => rawZip([file('a', { flags: 1 })]), UNREADABLE],
    ['an unknown compression', () => rawZip([file('a', { method: 99, packed: Buffer.from('x') })]), UNREADABLE],
    ['no end', () => whole().subarray(0, -10), UNREADABLE],
    ['only its first half', () => whole().subarray(0, 60), UNREADABLE],
    ['no beginning', () => whole().subarray(40), UNREADABLE],
    ['nothing in it', () => rawZip([]), 'Uploaded file must be a non-empty zip'],
    [
      '300 MB of zeros',
      () => rawZip([file('zeros', { packed: zeros, content: '', claims: { size: 300 * MIB } })]),
      'Unzipped size must be smaller than 262144000 bytes',
    ],
    [
      '10 GB, as it says itself',
      () => rawZip(Array.from({ length: 100 }, (_, at) => file(`${at}`, { claims: { size: 100 * MIB } }))),
      'Unzipped size must be smaller than 262144000 bytes',
    ],
    [
      '300 MB that call themselves 10 bytes',
      () => rawZip([file('zeros', { packed: zeros, content: '', claims: { size: 10 } })]),
      UNREADABLE,
    ],
  ])('with %s is rejected and leaves no files', async (_, make, message) => {
    const zip = make();
    const before = uploads();
    const refusal = {
      name: 'InvalidParameterValueException',
      message: expect.stringMatching(message === UNREADABLE ? /^Could not unzip .*\.( Lamella: .*\.)?$/ : message),
      $metadata: { httpStatusCode: 400 },
    };
    const layer = new PublishLayerVersionCommand({ LayerName: 'bad', Content: { ZipFile: zip } });
    await expect(client.send(layer)).rejects.toMatchObject(refusal);
    await expect(client.send(new CreateFunctionCommand(functionOf('bad', zip)))).rejects.toMatchObject(refusal);
    const update = new UpdateFunctionCodeCommand({ FunctionName: 'echoes', ZipFile: zip });
    await expect(client.send(update)).rejects.toMatchObject(refusal);
    expect(uploads()).toEqual(before);
    await expect(client.send(new GetFunctionCommand({ FunctionName: 'bad' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  it('with links, modes and directories that stay inside is accepted', async () => {
    const zip = rawZip([
      { name: 'deep/', mode: 0o040755, content: '' },
      link('deep/link', '../bootstrap'),
      link('opt-link', '/opt/lib'),
      { name: 'bootstrap', mode: 0o100755, content: shellRuntime('respond "$(wc -c < deep/link)"') },
    ]);
    await client.send(new CreateFunctionCommand(functionOf('good', zip)));
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName: 'good' });
    expect(Number(await invoke('good'))).toBeGreaterThan(100);
  });

  it('does not make the service large, however large it becomes unpacked', async () => {
    await expectHealthy();
    // All of the archives above have been unpacked or rejected by now.
    expect(statusOf(service.pid, 'VmHWM') / 1024).toBeLessThan(400);
  });
});

describe('a body', () => {
  it('without an end is rejected while it is received', async () => {
    const before = statusOf(service.pid, 'VmRSS');
    const socket = await dial();
    let received = '';
    socket.on('data', (piece) => {
      received += piece;
    });
    socket.on('error', () => {});
    socket.write(
      'POST /2018-10-31/layers/endless/versions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const piece = Buffer.alloc(MIB, 'x');
    const chunk = Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
    let sent = 0;
    while (received === '' && sent < 400) {
      sent += 1;
      if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
    }
    await until(() => received !== '');
    expect(received).toMatch(/^HTTP\/1\.1 413 /);
    expect(received).toContain('RequestEntityTooLargeException');
    expect(received).toContain('Request must be smaller than 70167211 bytes for the PublishLayerVersion operation');
    expect(sent).toBeLessThan(200);
    // At most the limit and a copy of it.
    expect((statusOf(service.pid, 'VmRSS') - before) / 1024).toBeLessThan(200);
    socket.destroy();
    await expectHealthy();
  });

  it('with a length over the limit is rejected before it is received', async () => {
    const socket = await dial();
    socket.write(
      'POST /2015-03-31/functions/echoes/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000000\r\n\r\n',
    );
    const [received] = (await new Promise((resolve) => socket.once('data', (piece) => resolve([piece])))) as [Buffer];
    expect(received.toString()).toMatch(/^HTTP\/1\.1 413 /);
    expect(received.toString()).toContain(
      'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
    );
    socket.destroy();
  });

  it('is measured exactly', async () => {
    await createFunction(
      client,
      'measures',
      shellRuntime('respond "1"').replace('EVENT=$(curl -sS', 'EVENT=x; (curl -sS -o /dev/null'),
    );
    const event = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;
    const send = (payload: string) => client.send(new InvokeCommand({ FunctionName: 'measures', Payload: payload }));
    expect((await send(event(6291456))).StatusCode).toBe(200);
    await expect(send(event(6291457))).rejects.toMatchObject({
      name: 'RequestEntityTooLargeException',
      message: 'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
      $metadata: { httpStatusCode: 413 },
    });
    const large = randomBytes(52_428_801);
    await expect(
      client.send(new PublishLayerVersionCommand({ LayerName: 'large', Content: { ZipFile: large } })),
    ).rejects.toMatchObject({
      message: 'Zipped size must be smaller than 52428800 bytes',
      $metadata: { httpStatusCode: 413 },
    });
    await expectHealthy();
  });

  it.each([
    ['no JSON', '{"FunctionName": '],
    ['nothing', ''],
    ['a list', '[]'],
    ['a number', '1'],
    ['null', 'null'],
    ['a wrong type', '{"FunctionName":"x","Role":"r","Code":{"ZipFile":7}}'],
    [
      'no base64',
      '{"FunctionName":"x","Role":"arn:aws:iam::123456789012:role/r","Code":{"ZipFile":"*** no base64 ***"}}',
    ],
    ['broken UTF-8', Buffer.from('7b2246756e6374696f6e4e616d65223a22c328227d', 'hex')],
    ['lists in lists', '['.repeat(100_000)],
    ['objects in objects', '{"Environment":'.repeat(50_000)],
    [
      'names of prototypes',
      '{"__proto__":{"FunctionName":"x"},"constructor":{"prototype":{}},"Tags":{"__proto__":"y"}}',
    ],
  ])('that is %s is rejected with 400', async (_, body) => {
    const { status, headers } = await call('POST', '/2015-03-31/functions', { body });
    expect(status).toBe(400);
    expect(headers['x-amzn-errortype']).toMatch(
      /^(SerializationException|ValidationException|InvalidRequestContentException|InvalidParameterValueException)$/,
    );
    await expectHealthy();
  });
});

describe('a request', () => {
  it.each([
    ['GET', '/2015-03-31/nonsense'],
    ['PATCH', '/2015-03-31/functions/echoes'],
    ['GET', '/'],
    ['OPTIONS', '*'],
    ['GET', '/2014-01-01/functions/echoes/invocations'],
  ])('%s %s, which is not an operation of Lambda, is rejected by name', async (method, path) => {
    const { status, headers, body } = await call(method, path);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(headers['x-amzn-errortype']).toBe('UnknownOperationException');
    expect(body).toContain(`${method} ${path}`);
  });

  it.each([
    ['GET', '/2015-03-31/functions/..%2f..%2fetc%2fpasswd'],
    ['GET', '/2015-03-31/functions/%00'],
    ['GET', '/2015-03-31/functions/%zz'],
    ['GET', '/2015-03-31/functions/%c3%28'],
    ['GET', '/2015-03-31/functions/echoes?Qualifier=%zz'],
    ['GET', '/2015-03-31/functions?MaxItems=many'],
    ['GET', '/2015-03-31/functions?MaxItems=-1'],
    ['GET', '/2015-03-31/functions?MaxItems=0'],
    ['GET', '/2015-03-31/functions?Marker=garbage'],
    ['GET', '/2015-03-31/functions?Marker=W10='],
    ['GET', '/2015-03-31/functions?Marker=bnVsbA=='],
    ['GET', '/2018-10-31/layers/x/versions/abc'],
    ['GET', '/2018-10-31/layers/x/versions/99999999999999999999'],
    ['GET', '/2018-10-31/layers/x/versions?Marker=eyJhIjoxfQ=='],
    ['GET', '/2018-10-31/layers?find=LayerVersion&Arn=nonsense'],
    ['GET', `/2015-03-31/functions/${'x'.repeat(10_000)}`],
    ['GET', '//2015-03-31//functions//'],
    ['GET', '/_content/..%2f..%2f..%2fetc%2fpasswd?signature=x'],
    ['GET', '/_content/?signature='],
    ['GET', '/_lamella/%zz'],
    ['PUT', '/_lamella/gateways/%zz'],
    ['GET', '/_lamella/'],
    ['POST', '/2015-03-31/functions/echoes/invocations?Qualifier=../x'],
  ])('%s %s, which is invalid, is never an internal error', async (method, path) => {
    const { status } = await call(method, path);
    expect(status).toBeGreaterThanOrEqual(200);
    expect(status).toBeLessThan(500);
  });

  it.each([
    ['a foreign host', { Host: 'evil.example' }],
    ['a foreign host that resolves here', { Host: 'localhost.evil.example:3001' }],
    ['an address that is not ours', { Host: '192.0.2.1' }],
    ['a page of another origin', { Host: 'localhost', Origin: 'https://evil.example' }],
    ['a page of no origin', { Host: 'localhost', Origin: 'null' }],
    ['a page of another port', { Host: 'localhost:3001', Origin: 'http://localhost:8080' }],
    ['a page of another site', { Host: 'localhost', 'Sec-Fetch-Site': 'cross-site' }],
  ])('of %s is rejected with 403 for every path', async (_, headers) => {
    for (const [method, path, body] of [
      ['GET', '/2015-03-31/functions', ''],
      ['POST', '/2015-03-31/functions/echoes/invocations', '{}'],
      ['POST', '/', 'Action=ListRoles&Version=2010-05-08'],
      ['GET', '/_content/x?signature=x', ''],
      ['OPTIONS', '/2015-03-31/functions', ''],
    ] as const) {
      const received = await call(method, path, { headers, body });
      expect([method, path, received.status]).toEqual([method, path, 403]);
      expect(received.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('with a host name of the service is served', async () => {
    const { port } = new URL(service.url);
    for (const Host of [`127.0.0.1:${port}`, 'localhost', `localhost:${port}`, '[::1]', 'lambda.localhost']) {
      expect((await call('GET', '/2015-03-31/functions', { headers: { Host } })).status).toBe(200);
    }
  });
});

describe('the port', () => {
  it.each([
    ['random bytes', randomBytes(10_000)],
    ['a TLS greeting', Buffer.from('16030100c8010000c40303', 'hex')],
    ['HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['an empty line without end', Buffer.from('\r\n'.repeat(5000))],
    ['a header line without end', Buffer.from(`GET / HTTP/1.1\r\nX: ${'x'.repeat(200_000)}`)],
    ['ten thousand headers', Buffer.from(`GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(10_000)}\r\n`)],
    [
      'two lengths',
      Buffer.from('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'),
    ],
    [
      'a length and chunks',
      Buffer.from(
        'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ),
    ],
    ['a negative length', Buffer.from('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n')],
    [
      'a broken chunk',
      Buffer.from('POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
    ],
  ])('survives %s', async (_, bytes) => {
    const socket = await dial();
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write(bytes);
    socket.end();
    await closed;
    await expectHealthy();
  });

  it('serves others while hundreds of clients send incomplete requests', async () => {
    const sockets = await Promise.all(Array.from({ length: 300 }, dial));
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.write(
        'POST /2015-03-31/functions/echoes/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{',
      );
    }
    await expectHealthy();
    expect(sockets.filter((socket) => socket.destroyed)).toEqual([]);
    for (const socket of sockets) socket.destroy();
    await expectHealthy();
  });

  it('is not kept open by unfinished requests when the service ends', async () => {
    const other = await lamella.start(['--ephemeral']);
    const { hostname, port } = new URL(other.url);
    const sockets = ['', 'GET / HT', 'POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n'].map((text) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write(text);
      return socket;
    });
    await fetch(`${other.url}/2015-03-31/functions`);
    expect(await other.stop()).toBe(0);
    for (const socket of sockets) socket.destroy();
  });

  it('serves the function again after callers have disconnected', async () => {
    await createFunction(client, 'slow', shellRuntime('case "$EVENT" in *slow*) sleep 0.5;; esac; respond "$EVENT"'));
    await invoke('slow');
    const { hostname, port } = new URL(service.url);
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        const request = httpRequest({ hostname, port, method: 'POST', path: '/2015-03-31/functions/slow/invocations' });
        request.on('error', () => {});
        request.end('"slow"');
        await new Promise((resolve) => request.once('finish', resolve));
        request.destroy();
      }),
    );
    expect(await invoke('slow', 'next')).toBe('"next"');
  });
});

describe('an environment', () => {
  it('accepts no calls while its processes are replaced', async () => {
    const runtime = shellRuntime('case "$EVENT" in *die*) exit 1;; esac; respond "$AWS_LAMBDA_RUNTIME_API"');
    await createFunction(client, 'dies', runtime);
    // With the log tail, the response comes when the environment is free again, so that the next call gets the same one.
    const invokeInTurn = async (event: string) => {
      const command = new InvokeCommand({ FunctionName: 'dies', LogType: 'Tail', Payload: `"${event}"` });
      return Buffer.from((await client.send(command)).Payload ?? []).toString();
    };
    const address = await invokeInTurn('live');
    expect(await invokeInTurn('die')).toContain('Runtime.ExitError');
    await expect(fetch(`http://${address}/2018-06-01/runtime/invocation/next`)).rejects.toThrow();
    expect(await invokeInTurn('live')).toBe(address);
  });
});

describe('many at once', () => {
  it('invoke one function 50 times, and each gets its own response', async () => {
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    const responses = await Promise.all(numbers.map((number) => invoke('echoes', { number })));
    expect(responses).toEqual(numbers.map((number) => JSON.stringify({ number })));
  }, 60_000);

  it('create a function with the same name: one succeeds, the others get a conflict', async () => {
    const zip = await zipOf({ bootstrap: shellRuntime('respond 1') });
    const attempts = await Promise.allSettled(
      Array.from({ length: 50 }, () => client.send(new CreateFunctionCommand(functionOf('contested', zip)))),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const attempt of attempts) {
      if (attempt.status === 'rejected') {
        expect(attempt.reason).toMatchObject({
          name: 'ResourceConflictException',
          message: 'Function already exist: contested',
        });
      }
    }
    const layers = await Promise.all(
      Array.from({ length: 20 }, () =>
        client.send(new PublishLayerVersionCommand({ LayerName: 'contested', Content: { ZipFile: zip } })),
      ),
    );
    expect(layers.map(({ Version }) => Version ?? 0).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });

  it('invoke while the code changes: every call gets a response, and the new one after the update', async () => {
    const zips = await Promise.all(
      [0, 1, 2, 3, 4].map((number) => zipOf({ bootstrap: shellRuntime(`respond ${number}`) })),
    );
    const FunctionName = 'changing';
    await client.send(new CreateFunctionCommand(functionOf(FunctionName, zips[0] ?? Buffer.alloc(0))));
    await waitUntilFunctionActiveV2({ client, ...FAST }, { FunctionName });
    let announced = 0;
    let isDone = false;
    const callers = [1, 2, 3].map(async () => {
      while (!isDone) {
        const least = announced;
        const received = Number(await invoke(FunctionName));
        expect(received).toBeGreaterThanOrEqual(least);
        expect(received).toBeLessThan(zips.length);
      }
    });
    for (const [number, ZipFile] of zips.entries()) {
      if (number === 0) continue;
      await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }));
      await waitUntilFunctionUpdatedV2({ client, ...FAST }, { FunctionName });
      announced = number;
      expect(await invoke(FunctionName)).toBe(`${number}`);
    }
    isDone = true;
    await Promise.all(callers);
  });

  it('delete a function that others invoke: running invocations finish, later ones get an error', async () => {
    const FunctionName = 'doomed';
    await createFunction(client, FunctionName, shellRuntime('sleep 0.5; respond "\\"old\\""'));
    // Settled here, because late ones are rejected before anything below awaits them.
    const running = Promise.allSettled([1, 2, 3].map(() => invoke(FunctionName)));
    // Sent after the invocations, so that most of them have arrived.
    await client.send(new ListFunctionsCommand({}));
    await client.send(new DeleteFunctionCommand({ FunctionName }));
    await expect(invoke(FunctionName)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    for (const outcome of await running) {
      if (outcome.status === 'fulfilled') expect(outcome.value).toBe('"old"');
      else expect(outcome.reason).toMatchObject({ name: 'ResourceNotFoundException' });
    }
    await createFunction(client, FunctionName, shellRuntime('respond "\\"new\\""'));
    expect(await invoke(FunctionName)).toBe('"new"');
  });
});

describe.runIf(process.getuid?.() === 0)('a disk that is full', () => {
  it('is reported clearly, leaves no partial files, and has no effect once there is space again', async () => {
    const disk = join(lamella.directory, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
    let small: StartedService | undefined;
    try {
      small = await lamella.start(['--data-dir', join(disk, 'data')]);
      const where = clientOf(small.url);
      await createFunction(where, 'before', shellRuntime('respond 1'));
      const full = { name: 'ServiceException', message: expect.stringContaining('No space left on the disk') };
      const publish = (LayerName: string, zip: Buffer) =>
        where.send(new PublishLayerVersionCommand({ LayerName, Content: { ZipFile: zip } }));

      const before = uploads(join(disk, 'data'));
      await expect(publish('large', await zipOf({ random: randomBytes(20 * MIB) }))).rejects.toMatchObject(full);
      expect(uploads(join(disk, 'data'))).toEqual(before);
      expect((await publish('small', await zipOf({ text: 'small' }))).Version).toBe(1);

      // No byte is left, not even for the database.
      const filler = join(disk, 'filler');
      fill(filler);
      const failure = await where
        .send(new CreateFunctionCommand(functionOf('after', await zipOf({ bootstrap: shellRuntime('respond 2') }))))
        .catch((error: Error) => error);
      expect(failure).toMatchObject(full);
      await expect(where.send(new GetFunctionCommand({ FunctionName: 'after' }))).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
      });
      expect((await where.send(new ListFunctionsCommand({}))).Functions).toHaveLength(1);
      // A cold start needs space too, for the files of the sandbox and of /tmp.
      await expect(invoke('before', {}, where)).rejects.toMatchObject({ ...full, $metadata: { httpStatusCode: 500 } });

      rmSync(filler);
      await createFunction(where, 'after', shellRuntime('respond 2'));
      expect([await invoke('before', {}, where), await invoke('after', {}, where)]).toEqual(['1', '2']);
      where.destroy();
      expect(await small.stop()).toBe(0);
    } finally {
      await small?.stop('SIGKILL');
      execFileSync('umount', ['-l', disk]);
    }
  });

  function fill(file: string): void {
    const fd = openSync(file, 'w');
    try {
      for (const size of [MIB, 4096, 1]) {
        for (;;) {
          try {
            writeSync(fd, Buffer.alloc(size));
          } catch {
            break;
          }
        }
      }
    } finally {
      closeSync(fd);
    }
  }
});

describe('a database', () => {
  it('that is damaged under a running service is reported clearly, and the service continues', async () => {
    const directory = join(lamella.directory, 'damaged');
    const other = await lamella.start(['--data-dir', directory]);
    const where = clientOf(other.url);
    await createFunction(where, 'before', shellRuntime('respond 1'));
    expect(await invoke('before', {}, where)).toBe('1');
    for (const name of ['lamella.db', 'lamella.db-wal', 'lamella.db-shm']) {
      const file = join(directory, name);
      const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 };
      if (size > 0) writeFileSync(file, randomBytes(size));
    }
    const outcome = await where
      .send(new CreateFunctionCommand(functionOf('after', await zipOf({ bootstrap: shellRuntime('respond 2') }))))
      .catch((error: Error) => error);
    expect(outcome).toMatchObject({
      name: 'ServiceException',
      message: expect.stringMatching(/The database .* is damaged: .*backup/),
    });
    // Requests that are served from memory still succeed.
    expect(await invoke('before', {}, where)).toBe('1');
    where.destroy();
    await other.stop();
  });
});
