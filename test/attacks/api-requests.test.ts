/**
 * Requests to the services, made from AWS's models: for Lambda every operation of the API model, valid, with one
 * constraint broken, and with random damage; for the others the operations and parameters of their API references.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATION_NAMES, type OperationName } from '../../src/protocol/operations.ts';
import { brokenRequests, type ModelRequest, validRequest } from '../support/model-requests.ts';
import { cases, type Random, randomFrom, seedOf, startTarget, type Target } from './target.ts';

const ACCOUNT = '123456789012';
let target: Target;

beforeAll(async () => {
  target = await startTarget();
  await target.measure();
});
afterAll(() => target?.close());

/** Values that are wrong in most places, and numbers and texts at the limits of their types. */
const STRANGE: readonly unknown[] = [
  '',
  ' ',
  'x',
  'x'.repeat(300),
  'x'.repeat(70_000),
  '\u0000',
  '\ud83d\ude00',
  '../../etc/passwd',
  '*'.repeat(60),
  '%00',
  '%zz',
  "'; DROP TABLE function; --",
  '__proto__',
  'constructor',
  `arn:aws:lambda:us-east-1:${ACCOUNT}:function:x`,
  'arn:aws:lambda',
  'NaN',
  -1,
  0,
  1,
  2 ** 31,
  2 ** 53,
  1e308,
  -0.5,
  true,
  null,
  [],
  {},
  [[[[]]]],
  { __proto__: null, toString: 1 },
  '2026-01-01T00:00:00Z',
];

/** A strange value as text. */
const strange = (random: Random): string => {
  const value = random.pick(STRANGE);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

function nested(random: Random): unknown {
  const depth = random.pick([10, 100, 1_000, 10_000]);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ] as const);
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

/** Damages a JSON value somewhere. */
function damaged(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.chance(0.2)) return random.pick(STRANGE);
  const entries = Object.entries(value);
  if (entries.length === 0) return { [strange(random)]: random.pick(STRANGE) };
  const [name, inner] = random.pick(entries);
  return Array.isArray(value)
    ? value.map((one, index) => (String(index) === name ? damaged(one, random) : one))
    : { ...value, [name]: damaged(inner, random) };
}

function attackOn(operation: OperationName, random: Random): ModelRequest {
  const broken = random.chance(0.4) ? brokenRequests(operation) : [];
  const request = broken.length > 0 ? random.pick(broken) : validRequest(operation, random.chance(0.5));
  if (random.chance(0.3)) return request;
  let { path, body } = request;
  if (body !== undefined) {
    if (random.chance(0.1)) body = Buffer.from(String(nested(random)));
    else if (random.chance(0.2)) body = random.bytes(random.below(200));
    else if (body.toString().startsWith('{')) {
      body = Buffer.from(JSON.stringify(damaged(JSON.parse(body.toString()), random)) ?? '');
    }
  }
  if (random.chance(0.3)) {
    const parts = path.split('/');
    parts[random.below(parts.length - 1) + 1] = encodeURIComponent(strange(random).slice(0, 2000));
    path = parts.join('/');
  }
  return { ...request, path, body };
}

/** Sends a request that may be invalid for `fetch`, which then does not count. */
async function send(path: string, init: RequestInit): Promise<{ status: number; text: string } | undefined> {
  let request: Request;
  try {
    request = new Request(`${target.url}${path}`, init);
  } catch {
    return undefined;
  }
  const response = await fetch(request, { signal: AbortSignal.timeout(60_000) });
  return { status: response.status, text: await response.text() };
}

/** Documented server errors: an operation that Lamella names as not supported. */
function expectDocumented(answer: { status: number; text: string } | undefined, what: unknown): void {
  if (answer === undefined) return;
  target.expectNoSecret(answer.text);
  // The response to HEAD has no body.
  if (answer.status < 500 || (answer.status === 501 && answer.text === '')) return;
  expect([answer.status, answer.text.slice(0, 300), JSON.stringify(what).slice(0, 1500)]).toEqual([
    501,
    expect.stringMatching(/NotImplemented|not support/i),
    expect.anything(),
  ]);
}

const signed = (service: string) => ({
  authorization: `AWS4-HMAC-SHA256 Credential=lamella/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=00`,
});

/** Query services: version and actions with their parameters. */
const QUERY = {
  iam: {
    version: '2010-05-08',
    actions: ['CreateRole', 'GetRole', 'ListRoles', 'PutRolePolicy', 'AttachRolePolicy', 'CreatePolicy', 'DeleteRole'],
    parameters: [
      'RoleName',
      'PolicyName',
      'PolicyDocument',
      'AssumeRolePolicyDocument',
      'PolicyArn',
      'Marker',
      'MaxItems',
      'Path',
      'Tags.member.1.Key',
      'Tags.member.x.Key',
    ],
  },
  sts: {
    version: '2011-06-15',
    actions: ['GetCallerIdentity', 'AssumeRole', 'GetSessionToken', 'GetAccessKeyInfo', 'DecodeAuthorizationMessage'],
    parameters: ['RoleArn', 'RoleSessionName', 'DurationSeconds', 'Policy', 'AccessKeyId'],
  },
  sns: {
    version: '2010-03-31',
    actions: [
      'CreateTopic',
      'Publish',
      'PublishBatch',
      'Subscribe',
      'ListTopics',
      'SetSubscriptionAttributes',
      'GetTopicAttributes',
    ],
    parameters: [
      'Name',
      'TopicArn',
      'Message',
      'Subject',
      'Protocol',
      'Endpoint',
      'Attributes.entry.1.key',
      'Attributes.entry.1.value',
      'AttributeName',
      'AttributeValue',
      'MessageAttributes.entry.1.Name',
      'MessageAttributes.entry.999999999.Name',
      'NextToken',
    ],
  },
  sqs: {
    version: '2012-11-05',
    actions: [
      'CreateQueue',
      'SendMessage',
      'ReceiveMessage',
      'DeleteMessage',
      'GetQueueAttributes',
      'SendMessageBatch',
      'ListQueues',
      'PurgeQueue',
    ],
    parameters: [
      'QueueName',
      'QueueUrl',
      'MessageBody',
      'DelaySeconds',
      'MaxNumberOfMessages',
      'ReceiptHandle',
      'Attribute.1.Name',
      'Attribute.1.Value',
      'AttributeName.1',
      'MessageAttribute.1.Name',
      'VisibilityTimeout',
    ],
  },
} as const;

/** JSON services: target prefix, version, operations and members. */
const JSON_SERVICES = {
  logs: {
    target: 'Logs_20140328',
    version: '1.1',
    operations: [
      'CreateLogGroup',
      'CreateLogStream',
      'PutLogEvents',
      'GetLogEvents',
      'FilterLogEvents',
      'DescribeLogGroups',
      'DescribeLogStreams',
      'PutRetentionPolicy',
      'StartLiveTail',
    ],
    members: [
      'logGroupName',
      'logStreamName',
      'logEvents',
      'filterPattern',
      'startTime',
      'endTime',
      'limit',
      'nextToken',
      'retentionInDays',
      'logGroupIdentifiers',
      'orderBy',
      'descending',
    ],
  },
  sqs: {
    target: 'AmazonSQS',
    version: '1.0',
    operations: [
      'CreateQueue',
      'SendMessage',
      'ReceiveMessage',
      'DeleteMessage',
      'SendMessageBatch',
      'GetQueueAttributes',
      'SetQueueAttributes',
      'ListQueues',
      'ChangeMessageVisibility',
    ],
    members: [
      'QueueName',
      'QueueUrl',
      'MessageBody',
      'DelaySeconds',
      'Entries',
      'Attributes',
      'AttributeNames',
      'MessageAttributes',
      'ReceiptHandle',
      'VisibilityTimeout',
      'MaxNumberOfMessages',
    ],
  },
} as const;

describe('requests from the models', () => {
  it('to Lambda get documented responses', { timeout: 3_600_000 }, async () => {
    const seed = seedOf(20_260_101);
    const random = randomFrom(seed);
    for (let count = 0; count < cases(1_000); count += 1) {
      const operation = random.pick(OPERATION_NAMES);
      const { method, path, headers, body } = attackOn(operation, random);
      const hasBody = body !== undefined && method !== 'GET' && method !== 'HEAD';
      const answer = await send(path, { method, headers, ...(hasBody && { body: new Uint8Array(body) }) });
      expectDocumented(answer, { seed, count, operation, path, body: body?.toString('latin1') });
      if (count % 250 === 0) await target.expectResponsive();
    }
    await target.expectUnharmed();
  });

  it('to the other services get documented responses', { timeout: 3_600_000 }, async () => {
    const seed = seedOf(20_260_102);
    const random = randomFrom(seed);
    for (let count = 0; count < cases(500); count += 1) {
      const kind = random.pick(['query', 'json', 's3'] as const);
      if (kind === 'query') {
        const service = random.pick(['iam', 'sts', 'sns', 'sqs'] as const);
        const { version, actions, parameters } = QUERY[service];
        const form = new URLSearchParams({ Version: version, Action: random.pick<string>(actions) });
        for (let more = random.below(5); more > 0; more -= 1) {
          form.set(random.pick<string>(parameters), random.chance(0.1) ? String(nested(random)) : strange(random));
        }
        const path = random.pick(['/', '//', '/%2f', `/${ACCOUNT}/queue`, '/?Action=ListTopics']);
        const headers = { ...signed(service), 'content-type': 'application/x-www-form-urlencoded' };
        const answer = await send(path, { method: 'POST', headers, body: form.toString() });
        expectDocumented(answer, { seed, count, service, path, form: form.toString() });
      } else if (kind === 'json') {
        const service = random.pick(['logs', 'sqs'] as const);
        const { target: prefix, version, operations, members } = JSON_SERVICES[service];
        const input: Record<string, unknown> = {};
        for (let more = random.below(6); more > 0; more -= 1)
          input[random.pick<string>(members)] = random.pick(STRANGE);
        const body = random.chance(0.1) ? String(nested(random)) : JSON.stringify(input);
        const headers = {
          ...signed(service),
          'content-type': `application/x-amz-json-${version}`,
          'x-amz-target': `${prefix}.${random.pick<string>(operations)}`,
        };
        // A live tail is a stream that does not end.
        if (headers['x-amz-target'].endsWith('StartLiveTail')) continue;
        const answer = await send('/', { method: 'POST', headers, body });
        expectDocumented(answer, { seed, count, headers, body });
      } else {
        const method = random.pick(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);
        const key = encodeURIComponent(strange(random).slice(0, 1500));
        const query = random.pick([
          '',
          '?list-type=2',
          '?uploads',
          '?response-content-type=%0d%0a',
          '?versionId=%00',
          '?partNumber=x&uploadId=y',
          '?max-keys=-1',
          '?acl',
          '?tagging',
        ]);
        const path = `/${random.pick(['bucket', 'b', '', '..', 'UPPER_case'])}/${key}${query}`;
        const body = method === 'GET' || method === 'HEAD' ? {} : { body: strange(random) };
        const answer = await send(path, { method, headers: signed('s3'), ...body });
        expectDocumented(answer, { seed, count, method, path });
      }
      if (count % 250 === 0) await target.expectResponsive();
    }
    await target.expectUnharmed();
  });

  it('to the admin API get documented responses', { timeout: 3_600_000 }, async () => {
    const seed = seedOf(20_260_103);
    const random = randomFrom(seed);
    for (let count = 0; count < cases(300); count += 1) {
      const path = `/_lamella/${random.pick(['gateways', 'schedules', 'clock', 'async', 'functions', 'service', 'events'])}${random.pick(['', '/', '/x', '/%00', '/%zz', '//'])}`;
      const method = random.pick(['GET', 'PUT', 'POST', 'DELETE']);
      const value = random.chance(0.3)
        ? nested(random)
        : JSON.stringify(
            damaged({ kind: 'http-api', routes: [{ path: '/', function: 'x' }], rate: 'rate(1 minute)' }, random),
          );
      const answer = await send(path, { method, ...(method !== 'GET' && { body: String(value) }) });
      expectDocumented(answer, { seed, count, method, path, value });
    }
    await target.expectUnharmed();
  });
});
