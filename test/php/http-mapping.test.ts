/** HTTP events of every source as PHP sees them, and responses in the format of each source. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { laidOutPhpLayer, temporaryDirectory } from '../support/php-sandbox.ts';
import { evaluate } from './php-program.ts';

const directory = temporaryDirectory();
let opt: string;
beforeAll(async () => {
  opt = await laidOutPhpLayer(directory.path, { extensions: [] });
}, 120_000);
afterAll(directory.remove);

type Event = Record<string, unknown>;
const url = (more: Event = {}, http: Event = {}, context: Event = {}): Event => ({
  version: '2.0',
  rawPath: '/',
  rawQueryString: '',
  headers: { host: 'abc.lambda-url.eu-west-1.on.aws', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' },
  requestContext: {
    stage: '$default',
    http: { method: 'GET', path: '/', protocol: 'HTTP/1.1', sourceIp: '203.0.113.9', userAgent: 'x', ...http },
    ...context,
  },
  isBase64Encoded: false,
  ...more,
});
const rest = (more: Event = {}): Event => ({
  resource: '/{proxy+}',
  path: '/hello',
  httpMethod: 'GET',
  headers: { Host: 'api.example.com' },
  multiValueHeaders: { Host: ['api.example.com'] },
  queryStringParameters: null,
  multiValueQueryStringParameters: null,
  requestContext: { stage: 'dev', path: '/dev/hello', protocol: 'HTTP/1.1', identity: { sourceIp: '198.51.100.7' } },
  body: null,
  isBase64Encoded: false,
  ...more,
});
const alb = (more: Event = {}): Event => ({
  requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/x/y' } },
  httpMethod: 'GET',
  path: '/',
  queryStringParameters: {},
  headers: { host: 'lb.example.com', 'x-forwarded-for': '10.1.1.1, 192.0.2.4', 'x-forwarded-proto': 'http' },
  body: '',
  isBase64Encoded: false,
  ...more,
});
const post = (contentType: string | undefined, body: string, isBase64Encoded = false): Event =>
  url(
    { headers: contentType === undefined ? {} : { 'content-type': contentType }, body, isBase64Encoded },
    { method: 'POST' },
  );

/** Creates one test per row of [name, event, expected]. One PHP process evaluates all rows. */
function table(expression: string, rows: readonly (readonly [string, unknown, unknown])[]): void {
  let results: unknown[];
  beforeAll(() => {
    const inputs = rows.map(([, input]) => input);
    results = evaluate(opt, directory.path, expression, inputs);
  });
  it.each(rows.map(([name, , expected], index) => ({ name, expected, index })))('$name', ({ expected, index }) => {
    expect(results[index]).toEqual(expected);
  });
}

describe('the address', () => {
  const arn = '.execute-api.eu-west-1.amazonaws.com';
  table('Http\\Request::fromEvent($in)->uri()', [
    ['is path and query', url({ rawPath: '/a/b', rawQueryString: 'x=1&y=2' }), '/a/b?x=1&y=2'],
    ['keeps the query of payload 2.0 unchanged', url({ rawQueryString: 'a=%20&&b&=c&d=%27+' }), '/?a=%20&&b&=c&d=%27+'],
    ['keeps percent-encoding', url({ rawPath: '/a%2Fb%20c' }), '/a%2Fb%20c'],
    [
      'encodes characters that an HTTP API has decoded',
      url({ rawPath: '/a b/ü"<>\\^`{|}?#%' }),
      '/a%20b/%C3%BC%22%3C%3E%5C%5E%60%7B%7C%7D%3F%23%25',
    ],
    [
      'does not encode characters that are valid in a path',
      url({ rawPath: "/~a-b_c.d!$&'()*+,;=:@[]" }),
      "/~a-b_c.d!$&'()*+,;=:@[]",
    ],
    [
      'does not contain the stage on the host of the API',
      url({ rawPath: '/dev/a', headers: { host: `x${arn}` } }, {}, { stage: 'dev' }),
      '/a',
    ],
    [
      'does not contain the stage if only the context has the host',
      url({ rawPath: '/dev', headers: {} }, {}, { stage: 'dev', domainName: `x${arn}` }),
      '/',
    ],
    [
      'keeps the stage on a custom domain',
      url({ rawPath: '/dev/a', headers: { host: 'example.com' } }, {}, { stage: 'dev' }),
      '/dev/a',
    ],
    [
      'keeps a path that merely starts with the name of the stage',
      url({ rawPath: '/developer', headers: { host: `x${arn}` } }, {}, { stage: 'dev' }),
      '/developer',
    ],
    ['does not contain the stage of a REST API', rest(), '/hello'],
    [
      'has all values of a REST query, encoded',
      rest({ multiValueQueryStringParameters: { 'a[]': ['1 2', 'ü&='], b: ['x'] }, queryStringParameters: { b: 'x' } }),
      '/hello?a[]=1%202&a[]=%C3%BC%26%3D&b=x',
    ],
    [
      'has single values if there are no multiple values',
      rest({ queryStringParameters: { 'k.x': '1' } }),
      '/hello?k.x=1',
    ],
    ['can have numbers as names', rest({ queryStringParameters: { 0: 'zero', 17: 'x' } }), '/hello?0=zero&17=x'],
    [
      'has the query of a load balancer unchanged, because it is encoded already',
      alb({ queryStringParameters: { 'a%5B%5D': 'x%20y', b: '%26' } }),
      '/?a%5B%5D=x%20y&b=%26',
    ],
    [
      'has all values of a load balancer',
      alb({ multiValueQueryStringParameters: { a: ['1', '2'] }, queryStringParameters: undefined }),
      '/?a=1&a=2',
    ],
    ['is / by default', rest({ path: '' }), '/'],
  ]);
});

describe('method, address of the client, host', () => {
  const facts =
    '[($r = Http\\Request::fromEvent($in))->method, $r->remoteAddress, $r->host(), $r->port(), $r->isSecure(), $r->protocol]';
  table(facts, [
    [
      'of a function URL',
      url({}, { method: 'patch' }),
      ['PATCH', '203.0.113.9', 'abc.lambda-url.eu-west-1.on.aws', 443, true, 'HTTP/1.1'],
    ],
    [
      'of a REST API, with a port',
      rest({ multiValueHeaders: { Host: ['h:8443'], 'X-Forwarded-Port': ['8443'] } }),
      ['GET', '198.51.100.7', 'h', 8443, true, 'HTTP/1.1'],
    ],
    ['of a load balancer: the last hop', alb(), ['GET', '192.0.2.4', 'lb.example.com', 80, false, 'HTTP/1.1']],
    ['by default', { httpMethod: 'GET', path: '/' }, ['GET', '127.0.0.1', 'localhost', 443, true, 'HTTP/1.1']],
  ]);
});

describe('headers', () => {
  table(
    'Http\\ServerVariables::of(Http\\Request::fromEvent($in), "/var/task/public", "/index.php")[key($in["see"])] ?? null',
    [
      ['become HTTP_ variables', { ...url({ headers: { 'X-A-b': 'v' } }), see: { HTTP_X_A_B: 1 } }, 'v'],
      [
        'that repeat are joined',
        { ...rest({ multiValueHeaders: { Accept: ['a', 'b'], accept: ['c'] } }), see: { HTTP_ACCEPT: 1 } },
        'a, b, c',
      ],
      [
        'are joined by semicolons for cookies',
        { ...rest({ multiValueHeaders: { Cookie: ['a=1', 'b=2'] } }), see: { HTTP_COOKIE: 1 } },
        'a=1; b=2',
      ],
      ['take cookies from payload 2.0', { ...url({ cookies: ['a=1', 'b=2'] }), see: { HTTP_COOKIE: 1 } }, 'a=1; b=2'],
      [
        'contain cookies only once',
        { ...url({ cookies: ['a=1'], headers: { cookie: 'a=1' } }), see: { HTTP_COOKIE: 1 } },
        'a=1',
      ],
      ['never become HTTP_PROXY', { ...url({ headers: { Proxy: 'evil' } }), see: { HTTP_PROXY: 1 } }, null],
      ['with numbers for names arrive', { ...url({ headers: { 123: 'x' } }), see: { HTTP_123: 1 } }, 'x'],
      [
        'with a dash win over an underscore',
        { ...url({ headers: { x_user: 'evil', 'x-user': 'good' } }), see: { HTTP_X_USER: 1 } },
        'good',
      ],
      [
        'with a dash win in any order',
        { ...url({ headers: { 'x-user': 'good', x_user: 'evil' } }), see: { HTTP_X_USER: 1 } },
        'good',
      ],
      ['set CONTENT_TYPE', { ...post('text/x', 'b'), see: { CONTENT_TYPE: 1 } }, 'text/x'],
      [
        'set CONTENT_TYPE of a POST to that of a form by default',
        { ...post(undefined, 'a=1'), see: { CONTENT_TYPE: 1 } },
        'application/x-www-form-urlencoded',
      ],
      [
        'set CONTENT_LENGTH to the length of the decoded body',
        {
          ...url({ headers: { 'content-length': '2' }, body: 'Zm9vYmFy', isBase64Encoded: true }, { method: 'PUT' }),
          see: { CONTENT_LENGTH: 1 },
        },
        '6',
      ],
      ['set HTTPS', { ...url(), see: { HTTPS: 1 } }, 'on'],
      ['do not set HTTPS for plain HTTP', { ...alb(), see: { HTTPS: 1 } }, null],
      ['set SCRIPT_FILENAME', { ...url(), see: { SCRIPT_FILENAME: 1 } }, '/var/task/public/index.php'],
      ['do not set PATH_INFO for other paths', { ...url({ rawPath: '/a' }), see: { PATH_INFO: 1 } }, null],
    ],
  );
});

describe('credentials', () => {
  const basic = (value: string) => url({ headers: { authorization: value } });
  const encode = (text: string) => Buffer.from(text).toString('base64');
  table('Http\\ServerVariables::authentication(Http\\Request::fromEvent($in))', [
    [
      'are split at the first colon',
      basic(`Basic ${encode('u:p:q')}`),
      { AUTH_TYPE: 'Basic', PHP_AUTH_USER: 'u', PHP_AUTH_PW: 'p:q' },
    ],
    ['may be empty', basic(`Basic ${encode(':')}`), { AUTH_TYPE: 'Basic', PHP_AUTH_USER: '', PHP_AUTH_PW: '' }],
    [
      'may have spaces around them',
      basic(`  Basic   ${encode('u:p')} `),
      { AUTH_TYPE: 'Basic', PHP_AUTH_USER: 'u', PHP_AUTH_PW: 'p' },
    ],
    ['need a colon', basic(`Basic ${encode('u')}`), []],
    ['need Base64', basic('Basic %%%'), []],
    ['may be a digest', basic('Digest username="u"'), { AUTH_TYPE: 'Digest', PHP_AUTH_DIGEST: 'username="u"' }],
    ['may be something else', basic('Bearer x'), []],
  ]);
});

describe('cookies', () => {
  const cookies = (header: string) => url({ headers: { cookie: header } });
  table('Http\\Request::fromEvent($in)->cookies()', [
    ['with the same name: the first wins', cookies('a=1; a=2'), { a: '1' }],
    ['keep a plus sign', cookies('a=1+2%2B%20'), { a: '1+2+ ' }],
    [
      'with dots and brackets are named as in PHP',
      cookies('a.b=1; c[d]=2; e[]=3; e[]=4'),
      { a_b: '1', c: { d: '2' }, e: ['3', '4'] },
    ],
    ['keep equals signs and ampersands', cookies('a=b=c&d;x=y'), { a: 'b=c&d', x: 'y' }],
    ['may have no value', cookies('a; b=; =c'), { a: '', b: '' }],
    ['may be missing', url(), []],
  ]);
});

describe('the query', () => {
  table('Http\\Request::fromEvent($in)->query()', [
    ['has the last of repeated names, as in PHP', url({ rawQueryString: 'a=1&a=2' }), { a: '2' }],
    ['nests', url({ rawQueryString: 'a[]=1&a[k][]=2&b.c=3' }), { a: { 0: '1', k: ['2'] }, b_c: '3' }],
    ['of a load balancer is decoded once', alb({ queryStringParameters: { a: '%2526' } }), { a: '%26' }],
  ]);
});

describe('the body', () => {
  table('($r = Http\\Request::fromEvent($in))->body', [
    ['may be text', post('text/plain', 'ü'), 'ü'],
    ['may be Base64', post('text/plain', Buffer.from('bytes').toString('base64'), true), 'bytes'],
    ['may be absent', url({ body: null }), ''],
    [
      'that is not valid Base64 is refused',
      post('text/plain', 'ü!', true),
      { thrown: 'Lamella\\Http\\BadRequest', message: 'The body of the request is not valid Base64.' },
    ],
  ]);
});

describe('forms', () => {
  const multipart = (parts: readonly (readonly [string, string])[]) =>
    post(
      'multipart/form-data; boundary=XX',
      `preamble\r\n${parts.map(([head, body]) => `--XX\r\n${head}\r\n\r\n${body}\r\n`).join('')}--XX--\r\n`,
    );
  const file = { type: 'text/plain', error: 0 };
  const simple = `(function ($r) { $f = Http\\FormData::of($r); array_walk_recursive($f->files, function (&$v, $k) { if ($k === 'tmp_name') $v = $v === '' ? '' : file_get_contents($v); }); $f->discard(); return [$f->fields, $f->files, glob(sys_get_temp_dir() . '/php*')]; })(Http\\Request::fromEvent($in))`;
  table(simple, [
    ['are parsed', post('application/x-www-form-urlencoded', 'a=1&b[]=2+3'), [{ a: '1', b: ['2 3'] }, [], []]],
    [
      'are parsed only for POST',
      { ...url({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=1' }, { method: 'PUT' }) },
      [[], [], []],
    ],
    ['are not parsed for other types', post('application/json', '{"a":1}'), [[], [], []]],
    [
      'with several parts have nested fields and files, and leave no files behind',
      multipart([
        ['Content-Disposition: form-data; name="a[x][]"', '1\r\n2'],
        ['Content-Disposition: form-data; name="up[pic]"; filename="dir/a b.txt"\r\nContent-Type: text/plain', 'hello'],
        ['content-disposition: form-data; name=plain', ''],
        ['Content-Disposition: form-data; name="none"; filename=""\r\nContent-Type: application/octet-stream', ''],
      ]),
      [
        { a: { x: ['1\r\n2'] }, plain: '' },
        {
          up: { pic: { ...file, name: 'a b.txt', full_path: 'dir/a b.txt', tmp_name: 'hello', size: 5 } },
          none: { name: '', full_path: '', type: '', tmp_name: '', error: 4, size: 0 },
        },
        [],
      ],
    ],
    [
      'may have quotes in names',
      multipart([['Content-Disposition: form-data; name="a\\"b"', 'x']]),
      [{ 'a"b': 'x' }, [], []],
    ],
  ]);
});

describe('an event that is not an HTTP request', () => {
  table('Http\\Request::fromEvent($in)', [
    [
      'is reported with its source',
      { Records: [{ eventSource: 'aws:sqs' }] },
      { thrown: 'Lamella\\Event\\UnexpectedEvent', message: expect.stringContaining('from aws:sqs (Records)') },
    ],
    [
      'is reported with its members, from a WebSocket',
      { requestContext: { connectionId: 'x' } },
      { thrown: 'Lamella\\Event\\UnexpectedEvent', message: expect.stringContaining('one with requestContext') },
    ],
    [
      'is reported with its type, for a string',
      'x',
      { thrown: 'Lamella\\Event\\UnexpectedEvent', message: expect.stringContaining('is string') },
    ],
  ]);
});

describe('a response', () => {
  const HEADERS = { 'X-Case': 'kept', 'x-two': ['1', '2'], 'Set-Cookie': ['a=1', 'b=2'] };
  const answer = (event: Event, more: Event = {}) => ({
    event,
    status: 200,
    headers: {},
    body: '',
    binary: 'auto',
    ...more,
  });
  const text = { body: 'hi', isBase64Encoded: false };
  const expression =
    '(new Http\\Response($in["status"], $in["headers"], isset($in["hex"]) ? hex2bin($in["hex"]) : $in["body"]))->toEvent(Http\\Request::fromEvent($in["event"]), $in["binary"])';
  table(expression, [
    [
      'for payload 2.0 has separate cookies and joins other headers',
      answer(url(), { headers: HEADERS, body: 'hi' }),
      { statusCode: 200, headers: { 'X-Case': 'kept', 'x-two': '1, 2' }, cookies: ['a=1', 'b=2'], ...text },
    ],
    [
      'for payload 1.0 has multiple values',
      answer(rest(), { headers: HEADERS, body: 'hi' }),
      {
        statusCode: 200,
        multiValueHeaders: { 'X-Case': ['kept'], 'x-two': ['1', '2'], 'Set-Cookie': ['a=1', 'b=2'] },
        ...text,
      },
    ],
    [
      'for payload 1.0 without multiple values keeps all cookies',
      answer(rest({ multiValueHeaders: undefined }), { headers: HEADERS, body: 'hi' }),
      {
        statusCode: 200,
        headers: { 'X-Case': 'kept', 'x-two': '1, 2', 'Set-CookiE': 'a=1', 'Set-Cookie': 'b=2' },
        ...text,
      },
    ],
    [
      'for a load balancer has a description',
      answer(alb(), { status: 404, body: 'hi' }),
      { statusCode: 404, headers: {}, statusDescription: '404 Not Found', ...text },
    ],
    [
      'for a load balancer with multiple values has them',
      answer(alb({ multiValueHeaders: {} }), { body: 'hi' }),
      { statusCode: 200, multiValueHeaders: {}, statusDescription: '200 OK', ...text },
    ],
    [
      'joins names with different case under the first',
      answer(url(), { headers: { 'X-A': '1', 'x-a': '2' }, body: 'hi' }),
      { statusCode: 200, headers: { 'X-A': '1, 2' }, ...text },
    ],
    [
      'with 204 has no body',
      answer(url(), { status: 204, body: 'x' }),
      { statusCode: 204, headers: {}, body: '', isBase64Encoded: false },
    ],
    [
      'with 304 has no body',
      answer(url(), { status: 304, body: 'x' }),
      { statusCode: 304, headers: {}, body: '', isBase64Encoded: false },
    ],
    [
      'that is compressed is sent as Base64',
      answer(url(), { headers: { 'Content-Encoding': 'gzip' }, body: 'hi' }),
      { statusCode: 200, headers: { 'Content-Encoding': 'gzip' }, body: 'aGk=', isBase64Encoded: true },
    ],
    [
      'with an image is sent as Base64',
      answer(url(), { headers: { 'content-type': 'image/png' }, hex: '89504e47' }),
      { statusCode: 200, headers: { 'content-type': 'image/png' }, body: 'iVBORw==', isBase64Encoded: true },
    ],
    [
      'with text that is not UTF-8 is sent as Base64',
      answer(url(), { headers: { 'content-type': 'text/html' }, hex: 'fc' }),
      { statusCode: 200, headers: { 'content-type': 'text/html' }, body: '/A==', isBase64Encoded: true },
    ],
    [
      'with a +json type is text',
      answer(url(), { headers: { 'content-type': 'application/problem+json' }, body: 'hi' }),
      { statusCode: 200, headers: { 'content-type': 'application/problem+json' }, ...text },
    ],
    [
      'is text with LAMELLA_BINARY=never',
      answer(url(), { headers: { 'content-type': 'image/png' }, body: 'hi', binary: 'never' }),
      { statusCode: 200, headers: { 'content-type': 'image/png' }, ...text },
    ],
    [
      'is Base64 with LAMELLA_BINARY=always',
      answer(url(), { body: 'hi', binary: 'always' }),
      { statusCode: 200, headers: {}, body: 'aGk=', isBase64Encoded: true },
    ],
  ]);
});
