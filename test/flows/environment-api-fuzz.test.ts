/**
 * Fuzzes the Runtime, Extensions and Telemetry APIs: wrong methods, paths, headers, bodies and orders, split and slow
 * writes, half-open sockets. They respond only with documented statuses, and neither the service nor the environment of
 * another function is affected. The seed is printed; to repeat a run, set FUZZ_SEED to it.
 */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const DOCUMENTED = new Set([200, 202, 400, 403, 404, 405, 413]);
/** Responses of the HTTP server itself: to an unknown Expect header (as in Go), and to headers that are too large. */
const OF_HTTP = new Set([417, 431]);
const REQUESTS = 600;
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

let service: RunningService;
let host: string;
let port: number;

beforeAll(async () => {
  service = await startService();
  await service.createFunction(
    'victim',
    { bootstrap: shellRuntime('respond "$AWS_LAMBDA_RUNTIME_API"') },
    { Timeout: 5 },
  );
  await service.createFunction('neighbor', { bootstrap: shellRuntime('respond "$EVENT"') });
  [host = '', port = 0] = (await service.invoke('victim')).payload
    .split(':')
    .map((part, at) => (at ? Number(part) : part)) as [string, number];
});
afterAll(() => service.close());

/** A small pseudorandom number generator with a seed (mulberry32). */
function random(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const next = random(seed);
const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'BREW'];
const ID = '11111111-2222-3333-4444-555555555555';
const PATHS = [
  '/2018-06-01/runtime/invocation/next',
  `/2018-06-01/runtime/invocation/${ID}/response`,
  `/2018-06-01/runtime/invocation/${ID}/error`,
  '/2018-06-01/runtime/invocation//response',
  '/2018-06-01/runtime/invocation/%00/response',
  '/2018-06-01/runtime/init/error',
  '/2018-06-01/runtime/restore/next',
  '/2018-06-01/ping',
  '/2020-01-01/extension/register',
  '/2020-01-01/extension/event/next',
  '/2020-01-01/extension/init/error',
  '/2020-01-01/extension/exit/error',
  '/2022-07-01/telemetry',
  '/2020-08-15/logs',
  '/',
  '//',
  '*',
  `/${'x'.repeat(9000)}`,
  '/../../etc/passwd',
  'http://169.254.169.254/latest/meta-data',
];
const HEADERS = [
  'Lambda-Extension-Name: evil',
  'Lambda-Extension-Name: ',
  `Lambda-Extension-Name: ${'n'.repeat(5000)}`,
  `Lambda-Extension-Identifier: ${ID}`,
  'Lambda-Extension-Identifier: not-a-uuid',
  'Lambda-Extension-Function-Error-Type: X',
  'Lambda-Runtime-Function-Response-Mode: streaming',
  'Lambda-Runtime-Function-Response-Mode: nonsense',
  'Lambda-Runtime-Function-Error-Type: Function.X',
  'Content-Type: application/vnd.aws.lambda.error.cause+json',
  'Expect: 100-continue',
  'Connection: close',
  'X-Odd: \u00ff\u00fe',
];
const BODIES = [
  '',
  '{}',
  '{"events":["INVOKE"]}',
  '{"events":"INVOKE"}',
  '{"events":[1]}',
  '[',
  'null',
  '\0\u00ff',
  '{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1"}}',
  'x'.repeat(70_000),
];

function nonsense(): Buffer {
  const body = Buffer.from(pick(BODIES), 'latin1');
  const lines = [`${pick(METHODS)} ${pick(PATHS)} HTTP/1.1`, 'Host: x', 'Connection: close'];
  for (let count = Math.floor(next() * 4); count > 0; count -= 1) lines.push(pick(HEADERS));
  const framing = next();
  if (framing < 0.6) lines.push(`Content-Length: ${body.length}`);
  else if (framing < 0.7) lines.push(`Content-Length: ${body.length + 50}`);
  else if (framing < 0.8) lines.push('Transfer-Encoding: chunked');
  else if (framing < 0.85) lines.push('Content-Length: minus one');
  const whole = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
  // Sometimes the bytes are damaged.
  if (next() < 0.1) whole[Math.floor(next() * whole.length)] = Math.floor(next() * 256);
  return whole;
}

/** Sends one request in parts. Returns the status, or undefined for a connection that ended without one. */
function send(bytes: Buffer): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, host);
    const received: Buffer[] = [];
    const finish = () => {
      socket.destroy();
      const match = /^HTTP\/1\.1 (\d{3})/.exec(
        Buffer.concat(received)
          .toString('latin1')
          .replace(/^HTTP\/1\.1 100[^\n]*\r\n\r\n/, ''),
      );
      resolve(match ? Number(match[1]) : undefined);
    };
    socket.on('data', (chunk) => received.push(chunk));
    socket.once('error', finish);
    socket.once('close', finish);
    // Polls and incomplete requests may wait forever.
    socket.setTimeout(200, finish);
    const cut = Math.floor(next() * bytes.length);
    socket.write(bytes.subarray(0, cut));
    if (next() < 0.9) setImmediate(() => socket.writable && socket.write(bytes.subarray(cut)));
    else if (next() < 0.5) socket.end();
  });
}

describe(`random requests, seed ${seed}`, () => {
  it('gets documented statuses, and other functions are not affected', async () => {
    const statuses = new Map<number | undefined, number>();
    for (let sent = 0; sent < REQUESTS; sent += 50) {
      const responses = await Promise.all(Array.from({ length: 50 }, () => send(nonsense())));
      for (const status of responses) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (sent % 200 === 0) {
        const neighbor = await service.invoke('neighbor', { sent });
        expect([neighbor.functionError, neighbor.payload]).toEqual([undefined, JSON.stringify({ sent })]);
      }
    }
    const undocumented = [...statuses.keys()].filter(
      (status) => status !== undefined && !DOCUMENTED.has(status) && !OF_HTTP.has(status),
    );
    expect(undocumented).toEqual([]);
    expect(statuses.get(404)).toBeGreaterThan(0);
    expect(statuses.get(403)).toBeGreaterThan(0);
    // The victim's state may be wrong; it recovers after at most one invocation.
    await service.invoke('victim');
    expect((await service.invoke('victim')).payload).toMatch(/^127\.[\d.]+:\d+$/);
  });
});
