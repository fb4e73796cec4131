/**
 * Requests to every AWS service of the API port, made from the models that the AWS SDK carries: each member gets a value of
 * its type, a value that an earlier response had under its name, or an odd one. Knows nothing about Lamella.
 */
import * as logs from '@aws-sdk/client-cloudwatch-logs';
import * as iam from '@aws-sdk/client-iam';
import * as lambda from '@aws-sdk/client-lambda';
import * as s3 from '@aws-sdk/client-s3';
import * as sns from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import * as sts from '@aws-sdk/client-sts';
import { DATES, numberText, numberToken, oddText, oddValue, Token, writeJson } from './odd-values.ts';
import type { Random } from './target.ts';

export type OddRequest = {
  readonly service: string;
  readonly operation: string;
  readonly method: string;
  /** As it is written into the request line. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer | undefined;
};

type Traits = Readonly<Record<string, unknown>>;
type Member = { readonly name: string; readonly schema: unknown; readonly traits: Traits };
type Operation = {
  readonly name: string;
  readonly http: readonly [string, string, number] | undefined;
  readonly input: unknown;
};
type Protocol = 'rest-json' | 'rest-xml' | 'query' | 'json';
type Service = {
  readonly name: string;
  readonly protocols: readonly Protocol[];
  readonly version: string;
  /** The prefix of X-Amz-Target, and the version of the JSON protocol. */
  readonly target: readonly [string, string];
  readonly operations: readonly Operation[];
  /** The values of its enumerations by name. */
  readonly enums: ReadonlyMap<string, readonly string[]>;
};

/** Operations whose response has no end. */
const ENDLESS = new Set(['StartLiveTail']);

const service = (
  name: string,
  client: object,
  protocols: readonly Protocol[],
  version: string,
  target: readonly [string, string] = ['', ''],
): Service => {
  const exported = Object.entries(client);
  const operations = exported.flatMap(([, value]): Operation[] => {
    if (!Array.isArray(value) || value[0] !== 9 || ENDLESS.has(value[2] as string)) return [];
    const traits = (typeof value[3] === 'object' ? value[3] : {}) as { readonly http?: Operation['http'] };
    return [{ name: value[2] as string, http: traits.http, input: value[4] }];
  });
  const enums = exported.filter(
    ([, value]) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((one) => typeof one === 'string'),
  );
  return {
    name,
    protocols,
    version,
    target,
    operations,
    enums: new Map(enums.map(([key, value]) => [key, Object.values(value as object)])),
  };
};

export const SERVICES: readonly Service[] = [
  service('lambda', lambda, ['rest-json'], ''),
  service('s3', s3, ['rest-xml'], ''),
  service('iam', iam, ['query'], '2010-05-08'),
  service('sts', sts, ['query'], '2011-06-15'),
  service('sqs', sqs, ['json', 'json', 'query'], '2012-11-05', ['AmazonSQS', '1.0']),
  service('sns', sns, ['query'], '2010-03-31'),
  service('logs', logs, ['json'], '', ['Logs_20140328', '1.1']),
];

/** Names of attributes that the models have as text. */
const ATTRIBUTES = [
  'FilterPolicy',
  'FilterPolicyScope',
  'RawMessageDelivery',
  'RedrivePolicy',
  'DeliveryPolicy',
  'Policy',
  'DisplayName',
  'FifoTopic',
  'ContentBasedDeduplication',
  'FifoThroughputScope',
  'KmsMasterKeyId',
  'SubscriptionRoleArn',
  'All',
  'SentTimestamp',
  'ApproximateReceiveCount',
  'AWSTraceHeader',
  'String',
  'Number',
  'Binary',
  'String.x',
  'String.Array',
] as const;

/** Values that responses had, by the name of their member. Later requests use them, so that they reach what exists. */
export class World {
  readonly #values = new Map<string, string[]>();
  readonly #refused = new Map<string, number>();

  constructor(seeds: Readonly<Record<string, readonly string[]>>) {
    for (const [name, values] of Object.entries(seeds)) this.#values.set(name.toLowerCase(), [...values]);
  }

  learn(text: string): void {
    for (const [, name = '', value = ''] of text.matchAll(
      /"(\w{1,40})":"([^"\\]{1,1000})"|<(\w{1,40})>([^<]{1,1000})</g,
    )) {
      if (value.includes('ledger')) continue;
      const values = this.#values.get(name.toLowerCase()) ?? [];
      if (values.includes(value)) continue;
      // The first ones are the seeds.
      if (values.length >= 12) values.splice(6, 1);
      values.push(value);
      this.#values.set(name.toLowerCase(), values);
    }
  }

  refused(operation: string): void {
    this.#refused.set(operation, (this.#refused.get(operation) ?? 0) + 1);
  }

  isRefused(operation: string): boolean {
    return (this.#refused.get(operation) ?? 0) >= 10;
  }

  find(name: string, random: Random): string | undefined {
    const values = this.#values.get(name.toLowerCase()) ?? [];
    return values.length === 0 ? undefined : random.pick(values);
  }
}

const ACCOUNT = '123456789012';
const arn = (service: string, resource: string) => `arn:aws:${service}:us-east-1:${ACCOUNT}:${resource}`;

/** Names of what the attack creates first. */
export const SEEDS: Readonly<Record<string, readonly string[]>> = {
  FunctionName: ['f', 'g', arn('lambda', 'function:f'), `${ACCOUNT}:function:g:live`],
  Qualifier: ['$LATEST', '1', 'live'],
  Name: ['f', 'live', 'bucket-a', 't', 't.fifo', 'q'],
  LayerName: ['layer', arn('lambda', 'layer:layer')],
  Arn: [arn('lambda', 'layer:layer:1'), arn('lambda', 'function:f')],
  Resource: [arn('lambda', 'function:f')],
  ResourceArn: [arn('sns', 't'), arn('sns', 't.fifo')],
  EventSourceArn: [arn('sqs', 'q'), arn('sqs', 'q.fifo')],
  Role: ['arn:aws:iam::123456789012:role/r'],
  RoleArn: ['arn:aws:iam::123456789012:role/r'],
  RoleName: ['r', 'r2'],
  PolicyName: ['p'],
  PolicyArn: ['arn:aws:iam::123456789012:policy/p', 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
  QueueName: ['q', 'q.fifo', 'dead', 'dead.fifo', 'other'],
  QueueUrl: ['q', 'q.fifo', 'dead'].map((name) => `http://localhost:3001/${ACCOUNT}/${name}`),
  SourceArn: [arn('sqs', 'dead'), arn('sqs', 'dead.fifo')],
  DestinationArn: [arn('sqs', 'q')],
  TopicArn: [arn('sns', 't'), arn('sns', 't.fifo')],
  Endpoint: [arn('sqs', 'q'), arn('sqs', 'q.fifo'), arn('lambda', 'function:f')],
  Protocol: ['sqs', 'lambda', 'https', 'email'],
  MessageGroupId: ['g1', 'g2', 'g3'],
  MessageDeduplicationId: ['d1', 'd2', 'd3', 'd4'],
  ReceiveRequestAttemptId: ['a1', 'a2'],
  Id: ['1', '2', '3'],
  Bucket: ['bucket-a', 'bucket-b'],
  Key: ['k', 'dir/k', 'ü', 'k', 'a', 'b'],
  CopySource: ['bucket-a/k', '/bucket-b/k', 'bucket-a/k?versionId=null'],
  logGroupName: ['/aws/lambda/f', 'group'],
  logStreamName: ['stream', 's2'],
  logGroupIdentifier: ['group', arn('logs', 'log-group:group')],
  Handler: ['index.handler'],
  StatementId: ['s1', 's2'],
  Action: ['lambda:InvokeFunction'],
  Principal: ['*', 's3.amazonaws.com'],
  Path: ['/', '/x/'],
};

const LONG_POLLS = new Set([
  'ReceiveMessage',
  'StartLiveTail',
  'Invoke',
  'InvokeWithResponseStream',
  'CreateFunction',
  'UpdateFunctionCode',
  'PublishLayerVersion',
]);
/** Whether a response may take long for a documented reason. */
export const mayTakeLong = (operation: string): boolean => LONG_POLLS.has(operation);

/** What the values of one request depend on. */
type Making = {
  readonly random: Random;
  readonly world: World;
  readonly from: Service;
  readonly zip: Buffer;
  readonly oddness: number;
  /** The share of optional members that are present. */
  readonly fullness: number;
};

export function oddRequest(random: Random, world: World, zip: Buffer): OddRequest {
  const from = random.pick(SERVICES);
  const some = [random.pick(from.operations), random.pick(from.operations), random.pick(from.operations)];
  // Operations that are refused by name are tried less often.
  const operation = some.find(({ name }) => !world.isRefused(name)) ?? random.pick(some);
  const making = {
    random,
    world,
    from,
    zip,
    oddness: random.pick([0, 0, 0.02, 0.1, 0.3]),
    fullness: random.pick([0.03, 0.15, 0.5, 1]),
  };
  const request = RENDER[random.pick(from.protocols)](operation, making);
  return random.chance(0.1) ? disturbed(request, random) : request;
}

/** The members of a structure's schema. */
function membersOf(schema: unknown): readonly Member[] {
  const resolved = resolve(schema);
  if (!Array.isArray(resolved) || (resolved[0] !== 3 && resolved[0] !== 4)) return [];
  return (resolved[4] as string[]).map((name, index) => {
    const member = (resolved[5] as unknown[])[index];
    const isPair = Array.isArray(member) && typeof member[1] !== 'string';
    const traits = isPair && typeof member[1] === 'object' ? (member[1] as Traits) : {};
    return { name, schema: isPair ? member[0] : member, traits };
  });
}

const resolve = (schema: unknown): unknown =>
  typeof schema === 'function' ? resolve((schema as () => unknown)()) : schema;

function makeValue(schema: unknown, name: string, making: Making, depth = 0): unknown {
  const { random } = making;
  if (random.chance(making.oddness)) return oddValue(random);
  const resolved = resolve(schema);
  if (typeof resolved === 'number') return simpleValue(resolved, name, making, depth);
  if (!Array.isArray(resolved)) return textOf(name, making);
  if (depth > 6) return undefined;
  const length = () => random.pick([0, 1, 1, 1, 2, 3, 10, 11]);
  switch (resolved[0]) {
    case 0:
      return makeValue(resolved[4], name, making, depth);
    case 1:
      return Array.from({ length: length() }, () =>
        makeValue(elementOf(resolved[4]), name.replace(/s$/, ''), making, depth + 1),
      );
    case 2:
      return Object.fromEntries(
        Array.from({ length: length() }, () => {
          const key = random.chance(making.oddness) ? oddText(random) : attributeName(making);
          return [key, makeValue(elementOf(resolved[5]), key, making, depth + 1)];
        }),
      );
    case 3:
      return Object.fromEntries(
        membersOf(resolved)
          .filter((_, index) => index < Number(resolved[6] ?? 0) || random.chance(making.fullness))
          .map((member) => [member.name, makeValue(member.schema, member.name, making, depth + 1)]),
      );
    case 4: {
      const member = random.pick(membersOf(resolved));
      return { [member.name]: makeValue(member.schema, member.name, making, depth + 1) };
    }
    default:
      return textOf(name, making);
  }
}

/** The schema of a list's or map's element, which may be beside its traits. */
const elementOf = (schema: unknown): unknown =>
  Array.isArray(schema) && typeof schema[1] !== 'string' ? schema[0] : schema;

function simpleValue(type: number, name: string, making: Making, depth: number): unknown {
  const { random } = making;
  if (type >= 128) return { [attributeName(making)]: simpleValue(type - 128, name, making, depth) };
  if (type >= 64)
    return [0, 1, 2].slice(0, random.below(4)).map(() => simpleValue(type - 64, name.replace(/s$/, ''), making, depth));
  if (type === 1)
    return random.chance(0.6) ? new Token(String(random.pick([0, 1, 2, 3, 5, 10, 30, 128, 512]))) : numberToken(random);
  if (type === 2) return random.chance(0.5);
  if (type >= 4 && type <= 7) return random.chance(0.5) ? numberToken(random) : random.pick(DATES);
  if (type === 21 || type === 42) {
    if (/zip/i.test(name)) return making.zip.toString('base64');
    return random.pick(['e30=', 'AAAA', Buffer.from(oddText(random)).toString('base64')]);
  }
  return textOf(name, making);
}

const attributeName = ({ random, from }: Making): string =>
  random.chance(0.6)
    ? random.pick(
        ATTRIBUTES.concat(
          ...[...from.enums.entries()]
            .filter(([name]) => /Attribute|Name/.test(name))
            .map(([, values]) => values as never[]),
        ),
      )
    : random.pick(['a', 'b', 'Key', 'x-y']);

function textOf(name: string, making: Making): string {
  const { random, world, from } = making;
  const known = world.find(name, random);
  if (known !== undefined && random.chance(0.9)) return known;
  const values = [...from.enums].find(([key]) => key === name || key.endsWith(name) || name.endsWith(key))?.[1];
  if (values !== undefined && values.length > 0 && random.chance(0.8)) return random.pick(values);
  if (/arn$/i.test(name) && random.chance(0.7))
    return random.pick([arn('lambda', 'function:f'), arn('sqs', 'q'), arn('sns', 't'), 'arn:aws:s3:::bucket-a']);
  if (/token|marker|continuation/i.test(name))
    return random.chance(0.5) ? oddText(random) : Buffer.from(oddText(random)).toString('base64');
  if (/seconds|timeout|max|limit|size|number|age/i.test(name) && random.chance(0.6)) return numberText(random);
  return random.chance(making.oddness > 0 ? 0.3 : 0.05)
    ? oddText(random)
    : random.pick(['a', 'x1', 'name', 'value', 'true']);
}

const textForm = (value: unknown): string =>
  value instanceof Token ? value.text : typeof value === 'object' && value !== null ? writeJson(value) : String(value);

const authorization = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261130/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=00`;

const RENDER: Readonly<Record<Protocol, (operation: Operation, making: Making) => OddRequest>> = {
  json(operation, making) {
    const [prefix, version] = making.from.target;
    return {
      service: making.from.name,
      operation: operation.name,
      method: 'POST',
      target: '/',
      headers: [
        ['Content-Type', `application/x-amz-json-${version}`],
        ['X-Amz-Target', `${prefix}.${operation.name}`],
        ['Authorization', authorization(making.from.name)],
      ],
      body: Buffer.from(writeJson(makeValue(operation.input, '', making))),
    };
  },

  query(operation, making) {
    const form: [string, string][] = [
      ['Action', operation.name],
      ['Version', making.from.version],
    ];
    flatten('', makeValue(operation.input, '', making), making.random, form);
    const encoded = form.map(([name, value]) => `${percent(name)}=${percent(value)}`).join('&');
    const isGet = making.random.chance(0.05);
    return {
      service: making.from.name,
      operation: operation.name,
      method: isGet ? 'GET' : 'POST',
      target: isGet ? `/?${encoded}`.slice(0, 12_000) : '/',
      headers: [
        ['Content-Type', 'application/x-www-form-urlencoded'],
        ['Authorization', authorization(making.from.name)],
      ],
      body: isGet ? undefined : Buffer.from(encoded),
    };
  },

  'rest-json': (operation, making) => restRequest(operation, making, (value) => Buffer.from(writeJson(value))),
  'rest-xml': (operation, making) => restRequest(operation, making, (value, name) => Buffer.from(xmlOf(name, value))),
};

/** Percent-encodes; lone surrogates become what a careless client sends. */
function percent(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      /[\w.~-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');
}

function flatten(prefix: string, value: unknown, random: Random, form: [string, string][]): void {
  const at = (name: string) => (prefix === '' ? name : `${prefix}.${name}`);
  if (value === undefined) return;
  if (Array.isArray(value)) {
    const member = random.chance(0.5) ? 'member.' : '';
    const shift = random.chance(0.05) ? random.pick([-1, 0, 2, 1e6, 1e21]) : 1;
    for (const [index, one] of value.entries()) flatten(at(`${member}${index + shift}`), one, random, form);
  } else if (typeof value === 'object' && value !== null && !(value instanceof Token)) {
    const isMap = random.chance(0.3);
    for (const [index, [name, one]] of Object.entries(value).entries()) {
      if (!isMap) flatten(at(name), one, random, form);
      else {
        const [key, content] = random.pick([
          ['Name', 'Value'],
          ['key', 'value'],
          ['Key', 'Value'],
        ] as const);
        form.push([at(`entry.${index + 1}.${key}`), name]);
        flatten(at(`entry.${index + 1}.${content}`), one, random, form);
      }
    }
  } else form.push([prefix, textForm(value)]);
}

function xmlOf(name: string, value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((one) => xmlOf(name.replace(/s$/, ''), one)).join('');
  if (typeof value === 'object' && value !== null && !(value instanceof Token))
    return `<${name}>${Object.entries(value)
      .map(([key, one]) => xmlOf(key, one))
      .join('')}</${name}>`;
  const text = textForm(value);
  return `<${name}>${text.includes('CDATA') ? text : text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</${name}>`;
}

function restRequest(
  operation: Operation,
  making: Making,
  write: (value: unknown, name: string) => Buffer,
): OddRequest {
  const { random, from } = making;
  const [method, uri] = operation.http ?? ['POST', '/', 200];
  const headers: [string, string][] = [['Authorization', authorization(from.name)]];
  const query: string[] = [];
  const rest: Record<string, unknown> = {};
  let [path = '/', fixed = ''] = uri.split('?');
  let bucket: string | undefined;
  let body: Buffer | undefined;
  if (fixed !== '') query.push(fixed);
  const schema = resolve(operation.input);
  const required = Array.isArray(schema) ? Number(schema[6] ?? 0) : 0;
  for (const [index, { name, schema, traits }] of membersOf(operation.input).entries()) {
    if (index >= required && !random.chance(making.fullness)) continue;
    const value = makeValue(schema, name, making);
    if (value === undefined) continue;
    const label = new RegExp(`\\{${name}\\+?\\}`);
    if (label.test(path))
      path = path.replace(label, () => (random.chance(0.9) ? percent(textForm(value)) : rawPath(textForm(value))));
    else if (name === 'Bucket' && from.name === 's3') bucket = percent(textForm(value));
    else if (typeof traits.httpQuery === 'string') {
      for (const one of Array.isArray(value) ? value : [value])
        query.push(`${traits.httpQuery}=${percent(textForm(one))}`);
    } else if (traits.httpHeader === 'Content-Length') continue;
    else if (typeof traits.httpHeader === 'string') headers.push([traits.httpHeader, headerText(textForm(value))]);
    else if (typeof traits.httpPrefixHeaders === 'string')
      headers.push([`${traits.httpPrefixHeaders}x`, headerText(textForm(value))]);
    else if (traits.httpPayload !== undefined)
      body =
        typeof value === 'object'
          ? write(value, String(traits.xmlName ?? name))
          : Buffer.from(textForm(value), random.chance(0.5) ? 'base64' : 'utf8');
    else rest[name] = value;
  }
  if (body === undefined && Object.keys(rest).length > 0) body = write(rest, operation.name);
  if (bucket !== undefined) path = `/${bucket}${path}`;
  const target = query.length > 0 ? `${path}?${query.join('&')}` : path;
  return { service: from.name, operation: operation.name, method, target: target.slice(0, 12_000), headers, body };
}

/** A header's value without what ends a header: the raw attack sends those. */
const headerText = (text: string): string => text.replace(/[\r\n\0]/g, '').slice(0, 6_000);
const rawPath = (text: string): string => text.replace(/[\r\n\0 ]/g, '');

/** The request with something wrong around it. */
function disturbed(request: OddRequest, random: Random): OddRequest {
  const { target, headers, body } = request;
  return random.pick<() => OddRequest>([
    () => ({
      ...request,
      method: random.pick([
        'GET',
        'POST',
        'PUT',
        'DELETE',
        'HEAD',
        'PATCH',
        'OPTIONS',
        'TRACE',
        'PROPFIND',
        'M-SEARCH',
      ]),
    }),
    () => ({
      ...request,
      target: random.pick([
        `/${target}`,
        `${target}/`,
        `//${target}//`,
        `${target}?`,
        `${target}&&&=`,
        `${target}%`,
        `${target}%00`,
        `/.${target}`,
        `/x/..${target}`,
        target.toUpperCase(),
        `${target}?a=${'b'.repeat(8_000)}`,
        `${target}${'&a=b'.repeat(2_000)}`,
      ]),
    }),
    () => ({
      ...request,
      headers: [
        ...headers,
        [
          'Content-Type',
          random.pick([
            'text/xml',
            'multipart/form-data',
            'application/json; charset=utf-7',
            '',
            '/',
            'application/cbor',
            'application/x-amz-json-9.9',
          ]),
        ],
      ],
    }),
    () => ({
      ...request,
      headers: [...headers, ['Content-Encoding', random.pick(['gzip', 'aws-chunked', 'br', 'identity', 'x'])]],
    }),
    () => ({
      ...request,
      headers: [
        ...headers,
        [
          random.pick([
            'X-Amz-Content-Sha256',
            'X-Amz-Date',
            'X-Amz-Security-Token',
            'X-Amz-Decoded-Content-Length',
            'X-Amz-Trailer',
            'Content-MD5',
            'X-Amz-Checksum-Sha256',
            'X-Amz-Sdk-Checksum-Algorithm',
            'Range',
            'If-Match',
            'If-Modified-Since',
            'If-None-Match',
            'X-Amz-Copy-Source',
            'X-Amz-Copy-Source-Range',
            'X-Amz-Tagging',
            'X-Amz-Client-Context',
            'X-Amzn-Trace-Id',
            'X-Forwarded-For',
            'Date',
            'Accept',
            'Origin',
            'Host',
          ]),
          headerText(oddText(random)),
        ],
      ],
    }),
    () => ({
      ...request,
      headers: headers.filter(([name]) => name !== random.pick(['Authorization', 'Content-Type', 'X-Amz-Target'])),
    }),
    () => ({
      ...request,
      headers: headers.map(
        ([name, value]) =>
          [
            name,
            name === 'Authorization'
              ? headerText(
                  random.pick([
                    oddText(random),
                    value.replace('us-east-1', headerText(oddText(random))),
                    value.replaceAll('/', ''),
                    value.slice(0, random.below(80)),
                  ]),
                )
              : value,
          ] as const,
      ),
    }),
    () => ({
      ...request,
      body: body === undefined ? Buffer.from(oddText(random)) : body.subarray(0, random.below(body.length + 1)),
    }),
    () => {
      const damaged = Buffer.from(body ?? random.bytes(20));
      for (let more = 0; more < 3 && damaged.length > 0; more += 1)
        damaged[random.below(damaged.length)] = random.below(256);
      return { ...request, body: damaged };
    },
    () => ({ ...request, body: Buffer.from(writeJson(oddValue(random))) }),
  ])();
}

/** The bytes of a request on an HTTP/1.1 connection. */
export function bytesOf({ method, target, headers, body }: OddRequest, random: Random): Buffer {
  const lines = [
    `${method} ${target.startsWith('/') ? target.replace(/[^\x21-\xff]/g, '') : `/${target.replace(/[^\x21-\xff]/g, '')}`} HTTP/1.1`,
  ];
  if (!headers.some(([name]) => name === 'Host')) lines.push('Host: localhost');
  for (const [name, value] of headers) lines.push(`${name}: ${Buffer.from(value).toString('latin1')}`);
  if (body === undefined) return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (random.chance(0.9)) {
    lines.push(`Content-Length: ${body.length}`);
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
  }
  // RFC 9112, 7.1: chunk extensions and trailers are ignored where they are not understood.
  lines.push('Transfer-Encoding: chunked');
  const extension = random.pick(['', ';a', ';a=b', ';a="b;c"', `;${'x'.repeat(1_000)}`, ';chunk-signature=00']);
  const trailer = random.pick(['', 'X-Trailer: a\r\n', 'Content-Length: 5\r\n', 'x-amz-checksum-crc32: AAAAAA==\r\n']);
  const cut = random.below(body.length + 1);
  const parts = [body.subarray(0, cut), body.subarray(cut)].filter((part) => part.length > 0);
  const chunks = parts.flatMap((part) => [
    Buffer.from(`${part.length.toString(16)}${extension}\r\n`),
    part,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([
    Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    ...chunks,
    Buffer.from(`0\r\n${trailer}\r\n`),
  ]);
}
