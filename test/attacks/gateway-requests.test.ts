/**
 * Requests to every kind of gateway, with function responses that are odd in each member: values that end a header, framing
 * headers, statuses and bodies of every type. What reaches the client is one well-formed response to its own request.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawResponse } from './connection.ts';
import { type Attack, drive } from './drive.ts';
import { EXTRA_HEADERS, PATHS, QUERIES } from './odd-targets.ts';
import { damagedText, numberToken, oddText, oddValue, Token, writeJson } from './odd-values.ts';
import { PYTHON_RUNTIME } from './python-runtime.ts';
import { cases, type Random, seedOf, startTarget, type Target } from './target.ts';

let target: Target;
const prefixes: string[] = ['/v2', '/v1', '/rest', '/alb', '/_lamella/gateway/extra', '/_lamella/gateway/mvh'];

/** Responds with what the body says, or with the mark of the request. */
const MIRROR = `${PYTHON_RUNTIME}
import base64
while True:
    id, event = next_invocation()
    event = json.loads(event)
    body = event.get('body') or ''
    if event.get('isBase64Encoded'): body = base64.b64decode(body).decode('latin1')
    headers = {}
    for name, value in (event.get('headers') or {}).items(): headers[name.lower()] = value
    for name, value in (event.get('multiValueHeaders') or {}).items(): headers[name.lower()] = value[0]
    if body.startswith('R'): respond(id, base64.b64decode(body[1:]))
    elif body.startswith('S'): stream(id, base64.b64decode(body[1:]))
    else: respond(id, json.dumps({'statusCode': 200, 'headers': {'content-type': 'text/plain'}, 'body': 'mark ' + headers.get('x-mark', 'none') + ' end'}).encode())
`;

beforeAll(async () => {
  const routes = ['ANY /v2/{proxy+}', 'http-1.0 ANY /v1/{proxy+}', 'rest ANY /rest/{proxy+}', 'alb /alb/*'];
  target = await startTarget({
    args: [...routes.flatMap((route) => ['--route', `${route} -> mirror`])],
  });
  await target.createFunction('mirror', { bootstrap: MIRROR }, { Timeout: 20, MemorySize: 512 });
  await target.createFunction('stream', { bootstrap: MIRROR }, { Timeout: 20, MemorySize: 512 });
  const call = async (method: string, path: string, body: object) => {
    const response = await fetch(`${target.url}${path}`, { method, body: JSON.stringify(body) });
    expect(response.status).toBeLessThan(300);
    return (await response.json()) as { FunctionUrl: string };
  };
  const cors = { allowOrigins: ['*'], allowHeaders: ['x-a'], allowMethods: ['*'], maxAgeSeconds: 5 };
  const api = { kind: 'http-api', basePath: '/extra', cors, routes: ['ANY /{proxy+} -> mirror'] };
  await call('PUT', '/_lamella/gateways/extra', api);
  const balancer = { kind: 'load-balancer', multiValueHeaders: true, routes: ['/mvh/* -> mirror'] };
  await call('PUT', '/_lamella/gateways/mvh', balancer);
  for (const [name, InvokeMode] of [
    ['mirror', 'BUFFERED'],
    ['stream', 'RESPONSE_STREAM'],
  ] as const) {
    const input = { AuthType: 'NONE', InvokeMode, Cors: { AllowOrigins: ['*'] } };
    const { FunctionUrl } = await call('POST', `/2021-10-31/functions/${name}/url`, input);
    prefixes.push(`/_lamella/url/${new URL(FunctionUrl).hostname.split('.')[0]}`);
  }
  await target.invoke('mirror', { body: '' });
  await target.measure();
});
afterAll(() => target?.close());

const HEADER_NAMES = [
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Keep-Alive',
  'Upgrade',
  'Trailer',
  'TE',
  'Host',
  'Date',
  'Server',
  'Set-Cookie',
  'Location',
  'Content-Type',
  'Content-Encoding',
  'X-A',
  'x-a',
  'X-Amzn-RequestId',
  'Access-Control-Allow-Origin',
  'WWW-Authenticate',
  'Status',
  ':status',
  'HTTP/1.1 200 OK',
  '',
  ' ',
  'a b',
  'a:b',
  'ü',
  '__proto__',
  'constructor',
  'a\r\nb',
] as const;
const HEADER_VALUES = [
  '5',
  '0',
  '-1',
  '5, 6',
  'chunked',
  'identity',
  'gzip',
  'close',
  'keep-alive',
  'upgrade',
  'h2c',
  'a=b; Path=/',
  'a\r\nb: c',
  'a\nb',
  'a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
  '\u0000',
  'ÿ',
  'Ā',
  '漢字',
  '\ud800',
  'x'.repeat(17_000),
  'x'.repeat(65_536),
  '',
  ' ',
  '\t',
] as const;

const headerValue = (random: Random): unknown =>
  random.chance(0.6) ? random.pick(HEADER_VALUES) : random.chance(0.5) ? oddText(random) : oddValue(random);

function headersOf(random: Random, isMultiple: boolean): unknown {
  if (random.chance(0.1)) return oddValue(random);
  const entries = Array.from({ length: random.pick([1, 1, 2, 3, 300]) }, () => [
    random.chance(0.8) ? random.pick(HEADER_NAMES) : oddText(random),
    isMultiple && random.chance(0.9)
      ? [headerValue(random), headerValue(random)].slice(random.below(2))
      : headerValue(random),
  ]);
  return Object.fromEntries(entries);
}

/** A function response with odd members, as bytes. */
function functionResponse(random: Random): Buffer {
  if (random.chance(0.05)) return random.bytes(random.below(100));
  if (random.chance(0.05)) return Buffer.from(writeJson(oddValue(random)));
  const statuses = [
    200,
    200,
    201,
    204,
    304,
    404,
    500,
    503,
    599,
    100,
    101,
    199,
    600,
    1000,
    0,
    -1,
    200.5,
    '200',
    '200 ',
    '0x10',
    null,
    true,
    [200],
    new Token('2e2'),
    new Token('200.0'),
  ];
  const members: Record<string, unknown> = {
    statusCode: random.chance(0.9) ? random.pick(statuses) : numberToken(random),
  };
  if (random.chance(0.6)) members.headers = headersOf(random, false);
  if (random.chance(0.3)) members.multiValueHeaders = headersOf(random, true);
  if (random.chance(0.3)) members.cookies = random.chance(0.8) ? [headerValue(random), 'a=b'] : oddValue(random);
  if (random.chance(0.7)) members.body = random.chance(0.7) ? oddText(random) : oddValue(random);
  if (random.chance(0.3)) members.isBase64Encoded = random.pick([true, false, 'true', 1, null]);
  if (random.chance(0.2))
    members.statusDescription = random.pick(['200 OK', '', 'a\r\nb', '999 x', 5, null, 'ü', 'x'.repeat(5_000)]);
  if (random.chance(0.05)) members[oddText(random)] = oddValue(random);
  const text = writeJson(members);
  return Buffer.from(random.chance(0.05) ? damagedText(text, random) : text);
}

let marks = 0;

function gatewayAttack(random: Random): Attack {
  const prefix = random.pick(prefixes);
  const isMarked = random.chance(0.3);
  const method = random.pick(
    isMarked ? ['GET', 'PUT', 'POST'] : ['POST', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'GET'],
  );
  marks += 1;
  const mark = `m${marks}-${random.below(1e9)}`;
  const isPlain = isMarked && random.chance(0.5);
  const path = Buffer.from(isPlain ? '/x' : random.pick(PATHS) + random.pick(QUERIES)).toString('latin1');
  const lines = [
    `${method} ${prefix}${prefix.includes('/extra') ? '/extra' : prefix.includes('/mvh') ? '/mvh' : ''}${path} HTTP/1.1`,
    'Host: localhost',
    `X-Mark: ${mark}`,
  ];
  if (!isPlain) for (let more = random.below(3); more > 0; more -= 1) lines.push(random.pick(EXTRA_HEADERS));
  const response = functionResponse(random);
  let body: Buffer = Buffer.alloc(0);
  if (!isMarked) {
    const isStream = random.chance(0.3);
    const bytes =
      isStream && random.chance(0.8)
        ? Buffer.concat([response, Buffer.alloc(random.pick([8, 8, 8, 7, 9, 0])), random.bytes(50)])
        : response;
    body = Buffer.from(`${isStream ? 'S' : 'R'}${bytes.toString('base64')}`);
  } else if (method !== 'GET') body = random.pick([Buffer.alloc(0), random.bytes(100), Buffer.from(oddText(random))]);
  if (body[0] === 0x52 || body[0] === 0x53) body = isMarked ? Buffer.alloc(0) : body;
  if (body.length > 0) lines.push(`Content-Length: ${body.length}`);
  const bytes = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
  const kind = prefix.replace(/url\/.*/, 'url');
  return {
    kind,
    method,
    bytes,
    mayTakeLong: false,
    isDocumented: ({ status, body }) => body.length > 0 || !isMarked || status === 501,
    check: (response) => checkMark(response, isMarked ? mark : undefined, isPlain),
  };
}

function checkMark({ status, body }: RawResponse, mark: string | undefined, isPlain: boolean): string | undefined {
  const text = body.toString('latin1');
  const seen = /mark (\S+) end/.exec(text)?.[1];
  if (isPlain && (status !== 200 || seen !== mark)) return `${status} without its mark`;
  if (seen !== undefined && seen !== mark && seen !== 'none') return 'the response to another request';
  return undefined;
}

describe('gateways', () => {
  it('send one well-formed response to each request, whatever the function responds', {
    timeout: 3_600_000,
  }, async () => {
    await drive(target, target.httpPort, {
      seed: seedOf(20_261_202),
      count: cases(400),
      next: gatewayAttack,
      connections: 4,
    });
    await target.expectUnharmed();
  });
});
