/**
 * JSON and XML that are nested more deeply than 1,000 levels, wherever a client or a function can put them: refused with
 * the error that each service has for a malformed document, or taken as text. Nothing is a 500, and nothing ends.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { until } from '../support/until.ts';

const LISTS = '['.repeat(5000) + ']'.repeat(5000);
const OBJECTS = `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`;
const DEEP = [
  ['lists', LISTS],
  ['objects', OBJECTS],
] as const;
const ACCOUNT = '123456789012';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/r`;
const TOPIC = `arn:aws:sns:us-east-1:${ACCOUNT}:topic`;
const QUEUE = `arn:aws:sqs:us-east-1:${ACCOUNT}:queue`;

let service: RunningService;

type Sent = readonly [service: string, method: string, path: string, body: string, headers?: Record<string, string>];

async function send([name, method, path, body, headers = {}]: Sent): Promise<string> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/${name}/aws4_request, SignedHeaders=host, Signature=0`,
      ...headers,
    },
    ...(method !== 'GET' && { body }),
  });
  const text = await response.text();
  return `${response.status} ${response.headers.get('x-amzn-errortype') ?? ''} ${text}`;
}

const query = (name: string, version: string, action: string, parameters: Record<string, string>): Sent => [
  name,
  'POST',
  '/',
  new URLSearchParams({ Action: action, Version: version, ...parameters }).toString(),
  { 'content-type': 'application/x-www-form-urlencoded' },
];
const json = (name: string, version: string, target: string, body: string): Sent => [
  name,
  'POST',
  '/',
  body,
  { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': target },
];
const sqs = (operation: string, input: unknown) => json('sqs', '1.0', `AmazonSQS.${operation}`, JSON.stringify(input));
const iam = (action: string, parameters: Record<string, string>) => query('iam', '2010-05-08', action, parameters);
const sns = (action: string, parameters: Record<string, string>) => query('sns', '2010-03-31', action, parameters);
const lambda = (method: string, path: string, body: string): Sent => ['lambda', method, path, body];
const admin = (method: string, path: string, body: string): Sent => ['lambda', method, `/_lamella/${path}`, body];

beforeAll(async () => {
  const routes = DEEP.flatMap(([name]) => [
    `GET /http/${name} -> ${name}`,
    `http-1.0 GET /old/${name} -> ${name}`,
    `rest GET /rest/${name} -> ${name}`,
    `alb /alb/${name} -> ${name}`,
  ]);
  service = await startService({ routes });
  for (const [name, deep] of DEEP) {
    // As its response, as a log line, and as an error.
    const bootstrap = shellRuntime(
      'cat response; case "$EVENT" in *fail*) fail @response;; *) respond @response;; esac',
    );
    const response = `{"statusCode":200,"body":"x","headers":{"a":${deep}}}\n`;
    await service.createFunction(
      name,
      { bootstrap, response },
      { Timeout: 20, LoggingConfig: { LogFormat: 'JSON', ApplicationLogLevel: 'INFO' } },
    );
  }
  await send(sns('CreateTopic', { Name: 'topic' }));
  await send(sqs('CreateQueue', { QueueName: 'queue' }));
  await send(iam('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: trust('{}') }));
  await send(['s3', 'PUT', '/bucket', '']);
});
afterAll(() => service.close());

const trust = (condition: string) =>
  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":${condition}}}]}`;

describe.each(DEEP)('deep %s', (name, deep) => {
  it.each<[string, Sent, RegExp]>([
    [
      'CreateFunction',
      lambda('POST', '/2015-03-31/functions', deep),
      /^400 SerializationException .*Could not parse request body into json: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'CreateFunction, in a member',
      lambda('POST', '/2015-03-31/functions', `{"FunctionName":"f","Role":"${ROLE}","Code":{},"Environment":${deep}}`),
      /^400 SerializationException .*Could not parse request body into json: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'CreateEventSourceMapping, in a pattern',
      lambda(
        'POST',
        '/2015-03-31/event-source-mappings',
        JSON.stringify({
          FunctionName: 'lists',
          EventSourceArn: QUEUE,
          FilterCriteria: { Filters: [{ Pattern: deep }] },
        }),
      ),
      /^400 ValidationException .*Member must have length less than or equal to 4096/,
    ],
    [
      'AddPermission',
      lambda('POST', '/2015-03-31/functions/lists/policy', `{"StatementId":${deep}}`),
      /^400 SerializationException .*Could not parse request body into json: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'the admin API: clock',
      admin('POST', 'clock', `{"advanceSeconds":${deep}}`),
      /^400 .*Invalid JSON in the body: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'the admin API: schedules',
      admin('PUT', 'schedules/s', `{"rate":"rate(1 minute)","function":"lists","input":${deep}}`),
      /^400 .*Invalid JSON in the body: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'the admin API: gateways',
      admin('PUT', 'gateways/g', `{"kind":"http-api","routes":${deep}}`),
      /^400 .*Invalid JSON in the body: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'the admin API: load balancers',
      admin('PUT', 'gateways/g', `{"kind":"load-balancer","rules":${deep}}`),
      /^400 .*Invalid JSON in the body: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'the admin API: REST APIs',
      admin('PUT', 'gateways/g', `{"kind":"rest-api","routes":[{"path":"/","function":${deep}}]}`),
      /^400 .*Invalid JSON in the body: The JSON is nested too deeply: at most 1000 levels/,
    ],
    [
      'IAM: trust policies',
      iam('CreateRole', { RoleName: 'q', AssumeRolePolicyDocument: trust(deep) }),
      /^400 .*<Code>MalformedPolicyDocument<.Code><Message>(This policy contains invalid Json|Syntax errors in policy\.)</s,
    ],
    [
      'IAM: inline policies',
      iam('PutRolePolicy', { RoleName: 'r', PolicyName: 'p', PolicyDocument: deep }),
      /^400 .*<Code>MalformedPolicyDocument<.Code><Message>(This policy contains invalid Json|Syntax errors in policy\.)</s,
    ],
    [
      'IAM: managed policies',
      iam('CreatePolicy', { PolicyName: 'p', PolicyDocument: trust(deep) }),
      /^400 .*<Code>MalformedPolicyDocument<.Code><Message>(This policy contains invalid Json|Syntax errors in policy\.)</s,
    ],
    [
      'STS: session policies',
      query('sts', '2011-06-15', 'AssumeRole', { RoleArn: ROLE, RoleSessionName: 'session', Policy: deep }),
      /^400 .*<Code>ValidationError<.*Member must have length less than or equal to 2048/s,
    ],
    [
      'SNS: filter policies',
      sns('Subscribe', {
        TopicArn: TOPIC,
        Protocol: 'sqs',
        Endpoint: QUEUE,
        'Attributes.entry.1.key': 'FilterPolicy',
        'Attributes.entry.1.value': deep,
      }),
      /^400 .*Invalid parameter: Attributes Reason: FilterPolicy: failed to parse JSON\./s,
    ],
    [
      'SNS: redrive policies',
      sns('Subscribe', {
        TopicArn: TOPIC,
        Protocol: 'sqs',
        Endpoint: QUEUE,
        'Attributes.entry.1.key': 'RedrivePolicy',
        'Attributes.entry.1.value': deep,
      }),
      /^400 .*Invalid parameter: Attributes Reason: RedrivePolicy: failed to parse JSON\./s,
    ],
    [
      'SNS: topic policies',
      sns('SetTopicAttributes', { TopicArn: TOPIC, AttributeName: 'Policy', AttributeValue: deep }),
      /^400 .*<Code>InvalidParameter<.*Invalid parameter: Policy Error: null/s,
    ],
    [
      'SNS: messages for each protocol',
      sns('Publish', { TopicArn: TOPIC, MessageStructure: 'json', Message: deep }),
      /^400 .*Invalid parameter: Message Structure - JSON message body failed to parse/s,
    ],
    ['SQS: bodies', json('sqs', '1.0', 'AmazonSQS.SendMessage', deep), /^400 .*SerializationException/],
    [
      'SQS: redrive policies',
      sqs('SetQueueAttributes', { QueueUrl: `http://localhost/${ACCOUNT}/queue`, Attributes: { RedrivePolicy: deep } }),
      /^400 .*InvalidAttributeValue.*Invalid value for the parameter RedrivePolicy\./,
    ],
    [
      'SQS: redrive allow policies',
      sqs('SetQueueAttributes', {
        QueueUrl: `http://localhost/${ACCOUNT}/queue`,
        Attributes: { RedriveAllowPolicy: deep },
      }),
      /^400 .*InvalidAttributeValue.*Invalid value for the parameter RedriveAllowPolicy\./,
    ],
    [
      'SQS: queue policies',
      sqs('SetQueueAttributes', { QueueUrl: `http://localhost/${ACCOUNT}/queue`, Attributes: { Policy: deep } }),
      /^400 .*InvalidAttributeValue.*Invalid value for the parameter Policy\./,
    ],
    [
      'CloudWatch Logs: bodies',
      json('logs', '1.1', 'Logs_20140328.CreateLogGroup', `{"logGroupName":${deep}}`),
      /^400 .*SerializationException/,
    ],
    [
      'CloudWatch Logs: page tokens',
      json(
        'logs',
        '1.1',
        'Logs_20140328.DescribeLogGroups',
        JSON.stringify({ nextToken: Buffer.from(deep).toString('base64url') }),
      ),
      /^400 .*InvalidParameterException.*The specified nextToken is invalid\./,
    ],
    ['S3: XML', ['s3', 'PUT', '/bucket', '<a>'.repeat(5000) + '</a>'.repeat(5000)], /^400 .*<Code>MalformedXML</s],
    [
      'S3: XML of a known document',
      ['s3', 'POST', '/bucket?delete', `<Delete>${'<Object>'.repeat(5000)}${'</Object>'.repeat(5000)}</Delete>`],
      /^400 .*<Code>MalformedXML</s,
    ],
    [
      'list markers of Lambda',
      ['lambda', 'GET', `/2015-03-31/functions?Marker=${Buffer.from(deep).toString('base64url').slice(0, 12_000)}`, ''],
      /^400 InvalidParameterValueException .*Invalid value for parameter Marker/,
    ],
  ])('in %s', async (_, request, expected) => {
    expect(await send(request)).toMatch(expected);
  });

  it('in a response is not JSON for a gateway', async () => {
    const statuses = await Promise.all(
      ['/http/', '/old/', '/rest/', '/alb/'].map(
        async (path) => (await fetch(`${service.lamella.http.url}${path}${name}`)).status,
      ),
    );
    // Payload 2.0 takes what is not JSON as text.
    expect(statuses).toEqual([200, 500, 502, 502]);
  });

  it('in a response, an error or a log line is passed on', async () => {
    const invoked = await service.invoke(name);
    expect([invoked.functionError, invoked.payload]).toEqual([undefined, expect.stringContaining(deep)]);
    const failed = await service.invoke(name, '"fail"');
    expect([failed.functionError, failed.payload]).toEqual(['Unhandled', expect.stringContaining(deep)]);
  });

  it('in an event is passed on', async () => {
    expect((await service.invoke(name, deep)).functionError).toBeUndefined();
    const response = await fetch(`${service.url}/2015-03-31/functions/${name}/invocations`, {
      method: 'POST',
      headers: { 'x-amz-invocation-type': 'Event' },
      body: deep,
    });
    expect(response.status).toBe(202);
  });

  it('in a message does not match a filter, and the next message does', async () => {
    const queue = `filtered-${name}`;
    await send(sqs('CreateQueue', { QueueName: queue }));
    const mapping = { FunctionName: name, EventSourceArn: QUEUE.replace('queue', queue) };
    const filters = { FilterCriteria: { Filters: [{ Pattern: '{"body":{"a":["b"]}}' }] } };
    await send(lambda('POST', '/2015-03-31/event-source-mappings', JSON.stringify({ ...mapping, ...filters })));
    const QueueUrl = `${service.url}/${ACCOUNT}/${queue}`;
    for (const MessageBody of [deep, '{"a":"b"}']) await send(sqs('SendMessage', { QueueUrl, MessageBody }));
    const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'];
    await until(async () => {
      const counts = await send(sqs('GetQueueAttributes', { QueueUrl, AttributeNames }));
      return /"ApproximateNumberOfMessages":"0"/.test(counts) && /NotVisible":"0"/.test(counts);
    });
  });
});

it('a pattern within its length may not be too deep either', async () => {
  const Pattern = `{"a":${'['.repeat(1500)}${']'.repeat(1500)}}`;
  const input = { FunctionName: 'lists', EventSourceArn: QUEUE, FilterCriteria: { Filters: [{ Pattern }] } };
  expect(await send(lambda('POST', '/2015-03-31/event-source-mappings', JSON.stringify(input)))).toMatch(
    /^400 InvalidParameterValueException .*Invalid filter pattern definition/,
  );
});
