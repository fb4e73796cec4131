import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { PlainRequests } from './plain-request.ts';

const SEED = Number(process.env.LAMELLA_ATTACK_SEED ?? 20_261_201);
const CASES = 10_000 * Number(process.env.LAMELLA_ATTACK_SCALE ?? 1);

const ID = '7a4c0c5e-6a3e-4d53-9f0e-0c1f4a7b2d10';
const SEEDS = [
  'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: x/1\r\n\r\n',
  `POST /2018-06-01/runtime/invocation/${ID}/response HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`,
  `POST /2018-06-01/runtime/invocation/${ID}/error HTTP/1.1\r\nhost: a\r\nContent-Type: application/json\r\nLambda-Runtime-Function-Error-Type: Runtime.X\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}GET /next HTTP/1.1\r\nHost: b\r\n\r\n`,
  'POST /2015-03-31/functions/hello/invocations?Qualifier=1 HTTP/1.1\r\nHost: localhost:3000\r\nAccept: */*\r\nX-Amz-Log-Type:  Tail \r\nX-Empty:\r\nContent-Length: 3\r\n\r\n1.5',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
];
/** What changes how long a request is, or what it is, with one proxy and not with another. */
const PIECES = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\n\n',
    '\0',
    '\t',
    '\v',
    '\f',
    '\x7f',
    '\x80',
    '\xff',
    ' ',
    '  ',
    ':',
    ' :',
    ',',
    '#',
    '?',
  ],
  ...['Content-Length: 0', 'Content-Length: +5', 'Content-Length: 5, 5', 'Content-Length:\t5', 'content-length: 05'],
  ...['Content-Length: 0x5', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'Content-Length : 5'],
  ...['Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'Transfer-Encoding : chunked', 'TE: trailers'],
  ...['Transfer-Encoding: xchunked', '\r\n chunked', '\r\n\tfolded', 'Connection: close', 'Connection: upgrade'],
  ...['Upgrade: h2c', 'Expect: 100-continue', 'Host: other', 'Host:', '__proto__: 1', 'constructor: 1', 'Trailer: x'],
  ...['HTTP/1.0', 'HTTP/1.1', 'HTTP/0.9', 'HTTP/2.0', 'http/1.1', 'PUT', 'get', 'POSTS', 'http://a/b', '*', '/../%zz'],
  ...['5\r\nhello\r\n0\r\n\r\n', 'GET / HTTP/1.1\r\nHost: c\r\n\r\n', '"', '<', '\\', '{', '|', 'x'.repeat(300)],
];

function mutator(seed: number): () => string {
  let state = seed >>> 0;
  const next = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const pick = <T>(from: readonly T[]): T => from[next(from.length)] as T;
  return () => {
    let text = pick(SEEDS);
    for (let count = next(4); count >= 0; count -= 1) {
      const at = next(text.length + 1);
      // Often at the end of a line, where headers are.
      const lineEnd = text.indexOf('\r\n', at);
      const place = next(2) === 0 && lineEnd !== -1 ? lineEnd : at;
      switch (next(5)) {
        case 0:
          text = text.slice(0, place) + pick(PIECES) + text.slice(place);
          break;
        case 1:
          text = `${text.slice(0, place)}\r\n${pick(PIECES)}${text.slice(place)}`;
          break;
        case 2:
          text = text.slice(0, at) + text.slice(at + 1 + next(3));
          break;
        case 3:
          text = text.slice(0, at) + pick(PIECES) + text.slice(at + next(12));
          break;
        default:
          text = text.slice(0, at) + String.fromCharCode(next(256)) + text.slice(at + 1);
      }
    }
    return text;
  };
}

type Verdict = { readonly url: string; readonly method: string; readonly headers: object; readonly body: string };

/** What Node's server makes of the first request of these bytes; undefined if it is not a whole request. */
function createNodeVerdict(): (bytes: Buffer) => Promise<Verdict | undefined> {
  let settle: (verdict: Verdict | undefined) => void = () => undefined;
  const server = createServer((request: IncomingMessage, response) => {
    const { method = '', url = '', headers } = request;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => settle({ method, url, headers, body: Buffer.concat(chunks).toString('latin1') }));
    response.once('error', () => undefined);
  });
  for (const event of ['clientError', 'checkContinue', 'checkExpectation', 'upgrade', 'connect']) {
    server.on(event, () => settle(undefined));
  }
  return (bytes) =>
    new Promise((resolve) => {
      const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
      settle = (verdict) => {
        settle = () => undefined;
        socket.destroy();
        resolve(verdict);
      };
      const own = settle;
      server.emit('connection', socket);
      socket.push(bytes);
      socket.push(null);
      // The end of the input comes after everything that the parser finds in it.
      socket.once('end', () => setImmediate(() => own(undefined)));
    });
}

it(`what passes as a plain request is the same request to Node's server, in ${CASES} mutations`, async () => {
  const mutate = mutator(SEED);
  const nodeVerdict = createNodeVerdict();
  let plain = 0;
  for (let count = 0; count < CASES; count += 1) {
    const text = mutate();
    const bytes = Buffer.from(text, 'latin1');
    const head = new PlainRequests().parse(bytes);
    if (head === undefined) continue;
    const { method, url, headers, headBytes } = head;
    const end = headBytes + (headers.contentLength ?? 0);
    // Node must find the same body, and nothing but this request in front of what follows it.
    if (end > bytes.length) continue;
    plain += 1;
    const body = bytes.toString('latin1', headBytes, end);
    const verdict = await nodeVerdict(bytes.subarray(0, end));
    expect(verdict, `seed ${SEED}: ${JSON.stringify(text)}`).toEqual({ method, url, headers: headers.values, body });
  }
  // A parser that refuses everything would pass, too.
  expect(plain).toBeGreaterThan(CASES / 20);
}, 600_000);

it.each(SEEDS.slice(0, 4))('is plain, as programs send it: %j', (text) => {
  const head = new PlainRequests().parse(Buffer.from(text));
  expect(head?.headers.values.host).toBeDefined();
});

const LINE = 'POST /x HTTP/1.1\r\n';
it.each([
  ['an unfinished head', `${LINE}Host: a\r\nContent-Length: 0\r\n`],
  ['no host', `${LINE}Content-Length: 0\r\n\r\n`],
  ['no length', `${LINE}Host: a\r\n\r\n`],
  ['two lengths', `${LINE}Host: a\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n1`],
  ['a length with a sign', `${LINE}Host: a\r\nContent-Length: +1\r\n\r\n1`],
  ['a length and chunks', `${LINE}Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a space before the colon', `${LINE}Host: a\r\nContent-Length : 1\r\n\r\n1`],
  ['a folded line', `${LINE}Host: a\r\n b\r\nContent-Length: 0\r\n\r\n`],
  ['a bare line feed', `${LINE}Host: a\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n`],
  ['a body of GET', 'GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1'],
  ['HTTP/1.0', 'GET /x HTTP/1.0\r\nHost: a\r\n\r\n'],
  ['an absolute target', 'GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an upgrade', 'GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n'],
  ['the end of the connection', 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  ['a large head', `GET /x HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9000)}\r\n\r\n`],
  [
    'many headers',
    `GET /x HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 60 }, (_, at) => `X-${at}: 1\r\n`).join('')}\r\n`,
  ],
])('is left to Node: %s', (_case, text) => {
  expect(new PlainRequests().parse(Buffer.from(text))).toBeUndefined();
});
