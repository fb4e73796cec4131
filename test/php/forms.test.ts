/**
 * Forms, queries and cookies of booted handlers against PHP's own parser: generated requests go to a booted handler and to a
 * script under php-cgi of the same version, and $_POST, $_FILES, $_GET and $_COOKIE are compared field by field.
 */
import { describe, expect, it } from 'vitest';
import { startFakeRuntimeApi } from '../support/fake-runtime-api.ts';
import { laidOutPhpLayer } from '../support/php-sandbox.ts';
import { runningFunctions } from './running-functions.ts';

const functions = runningFunctions();
/** The same on both sides. */
const SETTINGS = {
  'its own settings': '',
  // Generated requests reach these.
  'small limits': `max_file_uploads = 4
max_input_vars = 12
max_input_nesting_level = 6
post_max_size = 20000
upload_max_filesize = 7000
max_multipart_body_parts = 14
`,
  'other separators and no uploads': 'arg_separator.input = ";&"\nfile_uploads = Off\n',
};
/** Replaces the names of temporary files by the hash of their content, and serializes, because JSON has no bytes. */
const SHOW = `function show($post, $files, $get, $cookies) {
  array_walk_recursive($files, function (&$value, $key) { if (is_string($value) && str_starts_with($value, '/tmp/php')) $value = 'stored ' . md5_file($value); });
  return base64_encode(serialize([$post, $files, $get, $cookies]));
}`;
const HANDLER = `<?php ${SHOW}
  function invert(array $files): array {
    $inverted = [];
    foreach ($files as $key => $file) {
      $inverted[$key] = [];
      foreach (['name', 'full_path', 'type', 'tmp_name', 'error', 'size'] as $member) $inverted[$key][$member] = member($file, $member);
    }
    return $inverted;
  }
  function member(array $file, string $member): mixed {
    return isset($file['error']) && is_int($file['error']) ? $file[$member] : array_map(fn ($each) => member($each, $member), $file);
  }
  return function (Lamella\\Http\\Request $request) {
    $form = Lamella\\Http\\FormData::of($request);
    $shown = show($form->fields, invert($form->files), $request->query(), $request->cookies());
    $form->discard();
    return $shown;
  };`;
const SCRIPT = `<?php ${SHOW} echo show($_POST, $_FILES, $_GET, $_COOKIE);`;

type Submission = {
  readonly contentType: string;
  readonly body: Buffer;
  readonly query: string;
  readonly cookie: string;
};

function event({ contentType, body, query, cookie }: Submission): string {
  return JSON.stringify({
    version: '2.0',
    rawPath: '/',
    rawQueryString: query,
    headers: { host: 'example.com', 'content-type': contentType, ...(cookie !== '' && { cookie }) },
    requestContext: { stage: '$default', http: { method: 'POST', path: '/', sourceIp: '192.0.2.1' } },
    body: body.toString('base64'),
    isBase64Encoded: true,
  });
}

const NAMES = [
  'a',
  'b',
  'a[]',
  'a[x]',
  'a[x][]',
  'a[x][y]',
  'a[0]',
  'a[ x]',
  'a[ ]',
  'a[x',
  'a]x',
  'a[x]y',
  'a[[x]]',
  '[x]',
  '',
]
  .concat([
    'a.b',
    ' a',
    'a b',
    'a.b[c.d]',
    'MAX_FILE_SIZE',
    'a[name]',
    'a[tmp_name]',
    'a[error]',
    'a[ tmp_name]',
    'a"b',
    "a'b",
  ])
  .concat([
    'a\\"b',
    'a\\\\b',
    'ü',
    'a[b][c][d][e]',
    'a[b][c][d][e][f][g]',
    '__Host-a',
    '__Host.a',
    'a\0b',
    'a;b',
    'a=b',
    'this',
  ]);
const FILE_NAMES = [
  '',
  'a.txt',
  'dir/a.txt',
  'C:\\dir\\a.txt',
  'dir/',
  'a"b.txt',
  "a'b.txt",
  'a\\"b.txt',
  'ü.txt',
  'a;b.txt',
  '../x',
  'a\\\\b',
  ' a ',
];
const TYPES = [
  'text/plain',
  'text/csv; charset=utf-8',
  '',
  'image/png;x',
  ' application/x ',
  'multipart/mixed; boundary=x',
  'TEXT/HTML',
];
const TEXTS = [
  '',
  'x',
  'a\r\nb',
  '\r\n',
  '\n',
  '--B',
  '\r\n--',
  '\r\n--B',
  '\r\n--Bx',
  '\0\xff',
  '100',
  '-1',
  '3x',
  '0',
];

type Random = { below(limit: number): number; pick<T>(choices: readonly T[]): T };

/** Everything follows from the seed (mulberry32). */
function createRandom(seed: number): Random {
  let state = seed;
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return { below, pick: (choices) => choices[below(choices.length)] as (typeof choices)[number] };
}

/** Bytes of each character's code, so that a text can hold any byte. */
const bytes = (text: string) => Buffer.from(text, 'latin1');
const encoded = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

function multipart(random: Random): Submission {
  const boundary = random.pick(['B', 'B', 'B', '----WebKitFormBoundaryAbC', 'a b', "'q'"]);
  const eol = random.pick(['\r\n', '\r\n', '\r\n', '\n']);
  const lines: string[] = [random.pick(['', '', '', 'preamble', ` ${eol}--`])];
  const count = random.below(18);
  for (let part = 0; part < count; part++) {
    const head: string[] = [];
    const quote = (text: string) =>
      random.pick([`"${text}"`, `"${text}"`, `"${text}"`, text, `'${text}'`, ` "${text}" `]);
    const isFile = random.below(2) === 0;
    // The index of an upload may be any but a member of $_FILES: that mixes with an upload of the name before the bracket.
    const name = encoded(
      random.pick(isFile ? NAMES.filter((each) => !/\[ ?(name|tmp_name|error)\]/.test(each)) : NAMES),
    );
    const disposition = [random.pick(['form-data', 'form-data', 'attachment', ''])];
    if (random.below(20) > 0) disposition.push(`${random.pick(['name', 'name', 'Name', 'name '])}=${quote(name)}`);
    if (isFile)
      disposition.push(
        `${random.pick(['filename', 'filename', 'FileName', 'filename*'])}=${quote(encoded(random.pick(FILE_NAMES)))}`,
      );
    if (random.below(9) === 0) disposition.reverse();
    const separator = random.pick(['; ', '; ', ';', ' ; ', ';;']);
    if (random.below(30) > 0)
      head.push(
        `${random.pick(['Content-Disposition', 'content-disposition'])}:${random.pick([' ', '', '\t'])}${disposition.join(separator)}`,
      );
    if (random.below(2) === 0) head.push(`Content-Type: ${random.pick(TYPES)}`);
    if (random.below(15) === 0)
      head.push(
        random.pick([
          ' continued',
          'no colon',
          'X: y',
          'Content-Disposition: form-data; name="second"',
          `X: ${'y'.repeat(random.pick([5100, 5119, 5120, 6000]))}`,
        ]),
      );
    if (random.below(9) === 0) head.reverse();
    const size = random.pick([0, 1, 5118, 5119, 5120, 5121, 6999, 7000, 7001, 9000]);
    const content = random.below(6) === 0 ? 'z'.repeat(size) : encoded(random.pick(TEXTS));
    lines.push(`--${boundary}${random.below(25) === 0 ? random.pick(['x', ' ', '--']) : ''}`, ...head, '', content);
  }
  const tail = random.pick([
    `--${boundary}--`,
    `--${boundary}--`,
    `--${boundary}--`,
    `--${boundary}`,
    '',
    `--${boundary}--${eol}epilogue`,
  ]);
  let body = `${lines.slice(lines[0] === '' ? 1 : 0).join(eol)}${eol}${tail}${random.pick([eol, eol, ''])}`;
  if (random.below(12) === 0) body = body.slice(0, random.below(body.length + 1));
  const quoted = random.pick([boundary, boundary, `"${boundary}"`]);
  const contentType =
    random.below(15) > 0
      ? `multipart/form-data; boundary=${quoted}`
      : random.pick([
          'multipart/form-data',
          'multipart/form-data; boundary',
          'multipart/form-data; boundary="B',
          `multipart/form-data; Boundary=${quoted}; x=y`,
          `Multipart/Form-Data;boundary=${quoted},`,
          `multipart/form-data, boundary=${quoted}`,
          `multipart/form-datax; boundary=${quoted}`,
          `multipart/mixed; boundary=${quoted}`,
        ]);
  return { contentType, body: bytes(body), query: '', cookie: '' };
}

function urlencoded(random: Random): Submission {
  const text = () =>
    random.pick([...NAMES, ...TEXTS, '%', '%4', '%zz', '+', '%2B', 'a%5B%5D', 'a%5bx%5d', '%00', 'a%00b', '%61']);
  const pairs = (separators: readonly string[], safe: (text: string) => string) => {
    let result = '';
    for (let count = random.below(16); count > 0; count--) {
      result += safe(text()) + random.pick(['=', '=', '=', '', '==']) + safe(text()) + random.pick(separators);
    }
    return result;
  };
  const inQuery = (value: string) =>
    value.replace(/[^!-~]/g, (character) => encodeURIComponent(character)).replaceAll('#', '%23');
  const inHeader = (value: string) => value.replace(/[^ -~]/g, (character) => encodeURIComponent(character));
  return {
    contentType: random.pick([
      'application/x-www-form-urlencoded',
      'application/x-www-form-urlencoded',
      'Application/X-WWW-Form-Urlencoded; charset=utf-8',
      'application/x-www-form-urlencodedx',
      'application/x-www-form-urlencoded ',
      'application/x-www-form-urlencoded,x',
      'text/plain',
    ]),
    body: bytes(random.below(40) === 0 ? `a=${'x'.repeat(20001)}` : pairs(['&', '&', '&', '&&', ';', ''], encoded)),
    query: pairs(['&', '&', '&&', ';'], inQuery),
    cookie: pairs([';', '; ', ';; ', ' ;', '&'], inHeader).trim(),
  };
}

/** Requests of each kind. More of them: LAMELLA_FORMS=20000 */
const COUNT = Number(process.env.LAMELLA_FORMS ?? 300);

describe.each([
  ['8.2', 'small limits'],
  ['8.2', 'its own settings'],
  ['8.4', 'small limits'],
  ['8.4', 'other separators and no uploads'],
  ['8.5', 'small limits'],
] as const)('with PHP %s and %s,', (version, settings) => {
  it.each([
    ['multipart bodies', multipart, COUNT],
    ['urlencoded bodies, queries and cookies', urlencoded, COUNT],
  ] as const)(
    '%s mean the same as to PHP itself',
    async (_kind, generate, count) => {
      const layer = await laidOutPhpLayer(functions.directory, { version, webServer: true });
      const ini = { 'php/conf.d/limits.ini': SETTINGS[settings] };
      functions.start('public/index.php', { 'public/index.php': SCRIPT, ...ini }, { LAMELLA_MODE: 'http' }, layer);
      const webServer = functions.api;
      const booted = await startFakeRuntimeApi();
      functions.start('index.php', { 'index.php': HANDLER, ...ini }, { AWS_LAMBDA_RUNTIME_API: booted.address }, layer);
      const differences: object[] = [];
      for (let seed = 1; seed <= count; seed++) {
        const submission = generate(createRandom(seed));
        const [expected, actual] = await Promise.all([
          webServer.invoke(event(submission)).then(({ body }) => JSON.parse(body).body as string),
          booted.invoke(event(submission)).then(({ body }) => JSON.parse(body) as string),
        ]);
        if (expected !== actual) {
          const shown = (text: unknown) => Buffer.from(String(text), 'base64').toString('latin1');
          differences.push({
            seed,
            contentType: submission.contentType,
            body: submission.body.toString('latin1').replace(/z{50,}/g, ({ length }) => `<${length} z>`),
            query: submission.query,
            cookie: submission.cookie,
            php: shown(expected),
            ours: typeof actual === 'string' ? shown(actual) : actual,
          });
        }
      }
      await booted.close();
      expect(differences).toEqual([]);
    },
    120_000,
  );
});

describe('a booted handler', () => {
  const COUNTS = `<?php return function (Lamella\\Http\\Request $request) {
    $form = Lamella\\Http\\FormData::of($request);
    return [count($form->fields), array_map(fn ($file) => [$file['name'], $file['type'], $file['error'], $file['size']], $form->files)];
  };`;
  const part = (name: string, fileName: string, content = '', type = 'application/octet-stream') =>
    `--B\r\nContent-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: ${type}\r\n\r\n${content}\r\n`;
  const submit = async (parts: readonly string[]) => {
    functions.start('index.php', { 'index.php': COUNTS });
    const body = bytes(`${parts.join('')}--B--\r\n`);
    const submission = { contentType: 'multipart/form-data; boundary=B', body, query: '', cookie: '' };
    return JSON.parse((await functions.api.invoke(event(submission))).body) as [number, Record<string, unknown>];
  };

  it('gets a file after many empty file fields, which do not count toward max_file_uploads', async () => {
    const empty = Array.from({ length: 30 }, (_, index) => part(`empty${index}`, ''));
    const [, files] = await submit([...empty, part('real', 'report.csv', 'a,b', 'text/csv; charset=utf-8')]);
    expect(files.real).toEqual(['report.csv', 'text/csv', 0, 3]);
    expect(files.empty0).toEqual(['', '', 4, 0]);
  });

  it('finds a warning in the log when a limit of PHP drops a part of the form', async () => {
    const { wrote } = functions.start('index.php', { 'index.php': COUNTS });
    const files = Array.from({ length: 21 }, (_, index) => part(`file${index}`, 'a.txt', 'x'));
    const body = bytes(`${files.join('')}--B--\r\n`);
    await functions.api.invoke(event({ contentType: 'multipart/form-data; boundary=B', body, query: '', cookie: '' }));
    await wrote('Maximum number of allowable file uploads has been exceeded');
    const many = bytes('a=1&'.repeat(1002));
    await functions.api.invoke(
      event({ contentType: 'application/x-www-form-urlencoded', body: many, query: '', cookie: '' }),
    );
    await wrote('Input variables exceeded 1000.');
  });
});
