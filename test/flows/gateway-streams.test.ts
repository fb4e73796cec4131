/**
 * Streamed responses through a function URL, of a service in its own process: slow readers, memory use, the size limit,
 * clients that disconnect, and functions that fail in the middle.
 */
import { readFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import {
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  type LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, type StartedService, startLamella } from '../support/built-cli.ts';
import { zipOf } from '../support/function-zip.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { clientOf, ROLE } from '../support/running-service.ts';
import { until } from '../support/until.ts';

/** Maximum size of a streamed response. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const LIMIT_BYTES = 209_715_200;
const MIB = 1_048_576;

/** The path selects what the function streams. It requests `/stalled` when the stream has taken nothing for 300 ms. */
const FUNCTION = `
const instance = Math.random();
const at = (place) => fetch(process.env.GATE + place);
const sent = (stream, piece) => stream.write(piece) || new Promise((resolve) => {
  const stalled = setTimeout(() => at('/stalled?bytes=' + written), 300);
  stream.once('drain', () => { clearTimeout(stalled); resolve(); });
});
let written;
async function fill(stream, bytes) {
  const piece = Buffer.alloc(262144, 'x');
  for (written = 0; written < bytes; ) {
    const next = piece.subarray(0, Math.min(piece.length, bytes - written));
    written += next.length;
    await sent(stream, next);
  }
}
const HEAD = { statusCode: 201, headers: { 'content-type': 'text/event-stream', 'x-mine': 'yes' }, cookies: ['a=1', 'b=2'] };
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  switch (event.rawPath) {
    case '/in-steps':
      stream = awslambda.HttpResponseStream.from(stream, HEAD);
      stream.write('data: first\\n\\n');
      await at('/first-was-written');
      stream.write('data: second\\n\\n');
      break;
    case '/redirect':
      stream = awslambda.HttpResponseStream.from(stream, { statusCode: 302, headers: { location: '/next' } });
      if (event.rawQueryString === 'written') stream.write('');
      break;
    case '/fill':
      await fill(stream, Number(event.rawQueryString));
      break;
    case '/left':
      await sent(stream, Buffer.alloc(65536, 'x'));
      await at('/client-may-leave');
      await fill(stream, 8388608);
      await at('/went-on?instance=' + instance);
      break;
    case '/breaks':
      await fill(stream, 3000000);
      throw new Error('no more');
    case '/throws':
      throw new Error('nothing at all');
    case '/hangs':
      stream.write('before');
      await new Promise(() => setTimeout(() => {}, 60000));
    default:
      stream.write(String(instance));
  }
  stream.end();
});
`;

let service: StartedService;
let gate: Gate;
let client: LambdaClient;
let url: string;

beforeAll(async () => {
  buildIfStale();
  gate = await startGate();
  service = await startLamella(['--ephemeral', '--cpu', 'unlimited', '--log-level', 'error']);
  client = clientOf(service.url);
  url = await createStreaming('streams', 60);
}, 120_000);
afterAll(async () => {
  client.destroy();
  await service.stop();
  gate.close();
});

/** Creates a function with the code above and a URL. Returns the URL by path on the HTTP port. */
async function createStreaming(FunctionName: string, Timeout: number): Promise<string> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName,
      Timeout,
      MemorySize: 512,
      Runtime: 'nodejs20.x',
      Handler: 'index.handler',
      Role: ROLE,
      Environment: { Variables: { GATE: gate.url } },
      Code: { ZipFile: await zipOf({ 'index.mjs': FUNCTION }) },
    }),
  );
  await waitUntilFunctionActiveV2({ client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 }, { FunctionName });
  const { FunctionUrl = '' } = await client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE', InvokeMode: 'RESPONSE_STREAM' }),
  );
  return `${service.http}/_lamella/url/${new URL(FunctionUrl).hostname.split('.')[0]}`;
}

/** Sends a request and returns the response before its body is read. */
async function open(target: string, method = 'GET'): Promise<{ sent: ClientRequest; response: IncomingMessage }> {
  const sent = request(target, { method, agent: false });
  sent.end();
  const response = await new Promise<IncomingMessage>((settle, fail) =>
    sent.once('response', settle).once('error', fail),
  );
  return { sent, response };
}

/** Reads to the end, or to where the response is cut. */
async function readAll(response: IncomingMessage, onPiece: () => void = () => undefined) {
  let bytes = 0;
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      bytes += piece.length;
      onPiece();
    }
  } catch {
    return { bytes, isComplete: false };
  }
  return { bytes, isComplete: response.complete };
}

/** Resident memory of the service, in MiB. */
function residentMib(): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))?.[1]) / 1024;
}

const instanceOf = async (target: string) => (await fetch(target)).text();

describe('a streamed response', () => {
  it('delivers its head and each piece to the client before the function continues', async () => {
    const { response } = await open(`${url}/in-steps`);
    expect([response.statusCode, response.headers['content-type'], response.headers['x-mine']]).toEqual([
      201,
      'text/event-stream',
      'yes',
    ]);
    expect([response.headers['set-cookie'], response.headers['transfer-encoding']]).toEqual([
      ['a=1', 'b=2'],
      'chunked',
    ]);
    const pieces = response[Symbol.asyncIterator]();
    expect(String((await pieces.next()).value)).toBe('data: first\n\n');
    await gate.arrived('first-was-written');
    gate.open('first-was-written');
    expect(String((await pieces.next()).value)).toBe('data: second\n\n');
    expect((await pieces.next()).done).toBe(true);
  });

  it('without a body has the status and headers of its prelude', async () => {
    const { response } = await open(`${url}/redirect?written`);
    expect([response.statusCode, response.headers.location]).toEqual([302, '/next']);
    expect(await readAll(response)).toEqual({ bytes: 0, isComplete: true });
  });

  it('without a write loses its prelude in the Node.js runtime, as on AWS, and is 200', async () => {
    const { response } = await open(`${url}/redirect`);
    expect([response.statusCode, response.headers.location]).toEqual([200, undefined]);
    expect(await readAll(response)).toEqual({ bytes: 0, isComplete: true });
  });

  it('of 200 MB waits for a reader that pauses, while the service buffers little of it', async () => {
    const before = residentMib();
    const { response } = await open(`${url}/fill?${LIMIT_BYTES}`);
    const writtenBytes = Number((await gate.arrived('stalled')).get('bytes'));
    // The kernel's socket buffers of two connections, and the buffers of three programs.
    expect(writtenBytes).toBeLessThan(32 * MIB);
    let most = residentMib();
    gate.open('stalled');
    let count = 0;
    const read = await readAll(response, () => {
      count += 1;
      if (count % 100 === 0) most = Math.max(most, residentMib());
    });
    expect(read).toEqual({ bytes: LIMIT_BYTES, isComplete: true });
    expect(most - before).toBeLessThan(100);
  });

  it('is cut at 200 MB', async () => {
    const { response } = await open(`${url}/fill?${LIMIT_BYTES + 1}`);
    const read = await readAll(response);
    expect([read.isComplete, read.bytes > LIMIT_BYTES - 4 * MIB, read.bytes <= LIMIT_BYTES]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('continues after its client disconnects, without effect on other requests', async () => {
    const own = await createStreaming('left-alone', 60);
    const leaving = await open(`${own}/left`);
    const staying = await open(`${own}/in-steps`);
    await gate.arrived('client-may-leave');
    leaving.sent.destroy();
    gate.open('client-may-leave');
    const instance = (await gate.arrived('went-on')).get('instance');
    gate.open('went-on');
    expect(await readAll(staying.response)).toMatchObject({ isComplete: true });
    // The environment is reused, as is the one whose client stayed.
    await until(async () => (await Promise.all([instanceOf(own), instanceOf(own)])).includes(instance ?? ''));
  });

  it('of a function that fails later has the bytes written before, and no end', async () => {
    const { response } = await open(`${url}/breaks`);
    expect(await readAll(response)).toEqual({ bytes: 3_000_000, isComplete: false });
    expect((await fetch(url)).status).toBe(200);
  });

  it('of a function that fails before its first byte is 502', async () => {
    const failed = await fetch(`${url}/throws`);
    expect([failed.status, await failed.text()]).toEqual([502, 'Internal Server Error']);
  });

  it('of a function that times out is cut', async () => {
    const { response } = await open(`${await createStreaming('slow-streams', 1)}/hangs`);
    expect(await readAll(response)).toEqual({ bytes: 6, isComplete: false });
  });

  it('to HEAD has no body', async () => {
    const { response } = await open(`${url}/in-steps`, 'HEAD');
    expect(response.statusCode).toBe(201);
    expect(await readAll(response)).toEqual({ bytes: 0, isComplete: true });
  });
});
