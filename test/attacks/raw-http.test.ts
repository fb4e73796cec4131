/**
 * HTTP as no client sends it, from RFC 9112: ambiguous framing (request smuggling), malformed lines and headers, requests
 * that are too large, slow or never finished, at the API port and at the HTTP port.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { connectTo } from '../support/raw-http.ts';
import { cases, type Random, randomFrom, seedOf, startTarget, type Target } from './target.ts';

let target: Target;

beforeAll(async () => {
  target = await startTarget({
    args: ['--route', 'ANY /{proxy+} -> echo', '--route', 'alb /alb/* -> echo'],
  });
  await target.createFunction(
    'echo',
    { bootstrap: shellRuntime('respond \'{"statusCode":200,"body":"echoed"}\'') },
    { Timeout: 60 },
  );
  await target.invoke('echo');
  await target.measure();
});
afterAll(() => target?.close());

const SMUGGLED =
  'POST /2015-03-31/functions/smuggled/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n';

/** RFC 9112, 6.1 to 6.3: a recipient must not guess where such a message ends. */
const AMBIGUOUS: readonly (readonly [string, string])[] = [
  ['Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'],
  ['Transfer-Encoding: chunked\r\nContent-Length: 5', '0\r\n\r\n'],
  ['Content-Length: 0\r\nContent-Length: 5', 'hello'],
  ['Content-Length: 5, 0', 'hello'],
  ['Content-Length: +5', 'hello'],
  ['Content-Length: 0x5', 'hello'],
  ['Content-Length: -1', ''],
  ['Content-Length: 5 5', 'hello'],
  ['Content-Length : 5', 'hello'],
  ['Transfer-Encoding : chunked', '0\r\n\r\n'],
  ['Transfer-Encoding: xchunked', '0\r\n\r\n'],
  ['Transfer-Encoding: chunked, identity', '0\r\n\r\n'],
  ['Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', '0\r\n\r\n'],
  ['Transfer-Encoding: chunked', '5 \r\nhello\r\n0\r\n\r\n'],
  ['Transfer-Encoding: chunked', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['Transfer-Encoding: chunked', '-1\r\nhello\r\n0\r\n\r\n'],
  ['Transfer-Encoding: chunked', 'FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n'],
  ['Transfer-Encoding: chunked', '5\nhello\n0\n\n'],
  ['Transfer-Encoding:\x0bchunked', '0\r\n\r\n'],
  ['Content-Length: 5\r\n Folded: x', 'hello'],
  ['X: a\rContent-Length: 5', 'hello'],
  ['X: a\x00b\r\nContent-Length: 0', ''],
];

const START_LINES = [
  'GET / HTTP/1.1',
  'POST /x HTTP/1.1',
  'GET  / HTTP/1.1',
  'GET /\tx HTTP/1.1',
  'GET / HTTP/9.9',
  'GET / HTTP/1.0',
  'GET /',
  'get / HTTP/1.1',
  'GET http://169.254.169.254/latest HTTP/1.1',
  'CONNECT 127.0.0.1:22 HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'PRI * HTTP/2.0',
  `GET /${'a/'.repeat(7_000)} HTTP/1.1`,
  `GET /${'%2e%2e%2f'.repeat(500)}etc/passwd HTTP/1.1`,
  'GET /?%zz=%00&=&&&& HTTP/1.1',
  'TRACE / HTTP/1.1',
  '\x16\x03\x01\x02\x00\x01',
];

const HEADERS = [
  'Host: localhost',
  'Host: evil.example',
  'Host: localhost\r\nHost: evil.example',
  'Host:',
  'Connection: upgrade\r\nUpgrade: websocket',
  'Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk',
  'Expect: 100-continue',
  'Expect: 200-ok',
  'Cookie: a=b; a=c; ;;=',
  'X-Forwarded-For: 127.0.0.1',
  'Origin: http://evil.example',
  'Authorization: AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=',
  `X-Big: ${'x'.repeat(20_000)}`,
  `X-Amz-Client-Context: ${'A'.repeat(5_000)}`,
  'Content-Type: multipart/form-data; boundary=',
  'No colon',
  ': no name',
  'Bad Name: x',
  'X-High: \xff\xfe',
];

/** A method or version that is not supported. */
const DOCUMENTED = new Set([501, 505]);

/** The server errors of a response that are not documented. A load balancer without a rule for the path answers 503. */
function undocumented(response: string, port: number): number[] {
  const heads = response.split(/^(?=HTTP\/1\.1 \d{3})/m).filter((one) => one.startsWith('HTTP/1.1 '));
  return heads.flatMap((one) => {
    const status = Number(one.slice(9, 12));
    const isWithoutRule = status === 503 && port === target.httpPort && one.includes('\r\nServer: awselb/');
    return status >= 500 && !DOCUMENTED.has(status) && !isWithoutRule ? [status] : [];
  });
}

function message(random: Random): { bytes: Buffer; isAmbiguous: boolean } {
  if (random.chance(0.5)) {
    const [headers, body] = random.pick(AMBIGUOUS);
    const path = random.pick(['/', '/alb/x', '/2015-03-31/functions/echo/invocations']);
    const text = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n${body}${SMUGGLED}`;
    return { bytes: Buffer.from(text, 'latin1'), isAmbiguous: true };
  }
  const lines = [random.pick(START_LINES)];
  for (let more = random.below(6); more > 0; more -= 1) lines.push(random.pick(HEADERS));
  const body = random.bytes(random.below(200)).toString('latin1');
  if (random.chance(0.5)) lines.push(`Content-Length: ${body.length + random.pick([0, 0, 50, -5])}`);
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
  if (random.chance(0.2)) bytes[random.below(bytes.length)] = random.below(256);
  return { bytes, isAmbiguous: false };
}

/** Sends bytes, in parts, and perhaps closes its half. Resolves with what came back within a short time. */
async function exchange(port: number, bytes: Buffer, cut: number, endsHalf = false): Promise<string> {
  const socket = await connectTo(port);
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.write(bytes.subarray(0, cut));
  socket.write(bytes.subarray(cut));
  if (endsHalf) socket.end();
  // An incomplete request is never answered: end it, which the server has to survive, too.
  socket.setTimeout(150, () => socket.destroy());
  await new Promise((settle) => socket.once('close', settle));
  return Buffer.concat(pieces).toString('latin1');
}

describe('raw HTTP', () => {
  it('is answered by documented statuses, and never read as two requests', { timeout: 3_600_000 }, async () => {
    const seed = seedOf(20_260_111);
    const random = randomFrom(seed);
    const total = cases(400);
    for (let sent = 0; sent < total; sent += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          // Pipelined requests: each has a response of its own, or the connection ends.
          const messages = Array.from({ length: random.pick([1, 1, 1, 2, 5]) }, () => message(random));
          const bytes = Buffer.concat(messages.map((one) => one.bytes));
          const isAmbiguous = messages.some((one) => one.isAmbiguous);
          const port = index % 2 === 0 ? target.port : target.httpPort;
          const response = await exchange(port, bytes, random.below(bytes.length), random.chance(0.3));
          const what = { seed, sent, index, bytes: bytes.toString('latin1').slice(0, 600) };
          target.expectNoSecret(response);
          expect(undocumented(response, port), JSON.stringify({ ...what, response: response.slice(0, 500) })).toEqual(
            [],
          );
          if (isAmbiguous) expect(response, JSON.stringify(what)).not.toContain('function:smuggled');
        }),
      );
      if (sent % 100 === 0) await target.expectResponsive();
    }
    await target.expectUnharmed();
  });

  it('that is slow or never finished holds up no one else', { timeout: 3_600_000 }, async () => {
    const ports = [target.port, target.httpPort];
    const sockets = await Promise.all(Array.from({ length: 200 }, (_, index) => connectTo(ports[index % 2] ?? 0)));
    for (const [index, socket] of sockets.entries()) {
      if (index % 4 === 0) socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le');
      else if (index % 4 === 1) socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx');
      else if (index % 4 === 2) socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(10_000)}`);
    }
    await target.expectResponsive();
    expect((await target.invoke('echo')).functionError).toBeUndefined();
    for (const socket of sockets) socket.destroy();
    await target.expectUnharmed();
  });

  it('with a path of many parts is routed in linear time', { timeout: 60_000 }, async () => {
    for (const path of ['/'.repeat(14_000), `/alb${'/x'.repeat(6_000)}`, `/${'*'.repeat(10_000)}`]) {
      await exchange(
        target.httpPort,
        Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
        1,
      );
      await target.expectResponsive();
    }
  });
});
