/** Events against what AWS documents of them, and all of them as events of an invocation. */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { findJsonError } from '../../wire/json-syntax.ts';
import { buildEvent, EVENT_TYPES } from './event-types.ts';

// biome-ignore lint/suspicious/noExplicitAny: events of all shapes
function event(service: string, type: string, fields: Record<string, string> = {}): any {
  const row = EVENT_TYPES.find((candidate) => candidate.service === service && candidate.type === type);
  if (row === undefined) throw new Error(`no event ${service} ${type}`);
  return JSON.parse(JSON.stringify(buildEvent(row, fields)));
}

/** The types of `sam local generate-event` (SAM CLI 1.150). */
const OF_SAM: Readonly<Record<string, string>> = {
  'alexa-skills-kit': 'end-session intent-answer intent-getnewfact intent-mycoloris intent-recipe start-session',
  'alexa-smart-home':
    'smart-home-control-turn-off-request smart-home-control-turn-on-request smart-home-discovery-request',
  alb: 'request',
  apigateway: 'authorizer request-authorizer aws-proxy http-api-proxy',
  appsync: 'resolver',
  batch: 'get-job submit-job',
  cloudformation: 'create-request',
  cloudfront:
    'ab-test access-request-in-response http-redirect modify-querystring modify-response-header multiple-remote-calls-aggregate-response normalize-querystring-to-improve-cache-hit redirect-on-viewer-country redirect-unauthenticated-users response-generation serve-object-on-viewer-device simple-remote-call',
  codecommit: 'repository',
  codepipeline: 'job',
  cognito: 'sync-trigger',
  config: 'item-change-notification oversized-item-change-notification periodic-rule',
  connect: 'contact-flow-event',
  dynamodb: 'update',
  cloudwatch: 'logs scheduled-event',
  kinesis:
    'get-records kinesis-firehose analytics analytics-compressed analytics-dynamodb analytics-kpl apachelog cloudwatch-logs-processor streams-as-source syslog',
  lex: 'book-car book-hotel make-appointment order-flowers',
  'lex-v2': 'banking-bot book-car book-hotel',
  rekognition: 's3-request',
  s3: 'batch-invocation delete put',
  sagemaker: 'ground-truth-pre-human ground-truth-annotation-consolidation',
  ses: 'email-receiving',
  sns: 'notification',
  sqs: 'receive-message',
  stepfunctions: 'error',
  workmail: 'email',
};

describe('the events', () => {
  it('include every one of SAM, each once', () => {
    const names = EVENT_TYPES.map(({ service, type }) => `${service} ${type}`);
    const wanted = Object.entries(OF_SAM).flatMap(([service, types]) =>
      types.split(' ').map((type) => `${service} ${type}`),
    );
    expect(wanted.filter((name) => !names.includes(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    expect(wanted).toHaveLength(68);
  });

  it.each(EVENT_TYPES)('$service $type is JSON that Lambda accepts, and uses each of its fields', (row) => {
    const value = buildEvent(row, {});
    expect(findJsonError(Buffer.from(JSON.stringify(value)))).toBeUndefined();
    // A value with quotes and other signs stays a value.
    const ODD = `a"b\\c\n{}`;
    for (const name of Object.keys(row.fields)) {
      const changed = JSON.stringify(buildEvent(row, { [name]: name === 'size' ? '7' : ODD }));
      expect(changed, `--${name}`).not.toBe(JSON.stringify(value));
      expect(findJsonError(Buffer.from(changed)), `--${name}`).toBeUndefined();
    }
  });

  it('of SQS has the digest of its body', () => {
    const [record] = event('sqs', 'receive-message', { body: 'hi', 'queue-name': 'q', region: 'eu-west-1' }).Records;
    expect(record.md5OfBody).toBe(createHash('md5').update('hi').digest('hex'));
    expect(record).toMatchObject({ eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:q', awsRegion: 'eu-west-1' });
  });

  it('of S3 encodes the key as S3 does', () => {
    const [record] = event('s3', 'put', { key: 'my photos/a+b.jpg', bucket: 'photos' }).Records;
    expect(record.s3.object.key).toBe('my+photos/a%2Bb.jpg');
    expect(record.s3.bucket.arn).toBe('arn:aws:s3:::photos');
    expect(event('s3', 'delete').Records[0].s3.object).not.toHaveProperty('size');
  });

  it('of CloudWatch Logs holds its data compressed', () => {
    const { awslogs } = event('cloudwatch', 'logs', { message: 'hello' });
    expect(JSON.parse(gunzipSync(Buffer.from(awslogs.data, 'base64')).toString()).logEvents[0].message).toBe('hello');
    const firehose = event('kinesis', 'cloudwatch-logs-processor').records[0].data;
    expect(JSON.parse(gunzipSync(Buffer.from(firehose, 'base64')).toString())).toHaveProperty('logGroup');
    const compressed = event('kinesis', 'analytics-compressed').records[0].data;
    expect(JSON.parse(gunzipSync(Buffer.from(compressed, 'base64')).toString())).toEqual({ message: 'compressed' });
  });

  it('of the Kinesis Producer Library ends with the digest of its message', () => {
    const data = Buffer.from(event('kinesis', 'analytics-kpl').records[0].data, 'base64');
    expect(data.subarray(0, 4).toString('hex')).toBe('f3899ac2');
    expect(data.subarray(-16)).toEqual(createHash('md5').update(data.subarray(4, -16)).digest());
  });

  it('of HTTP gateways have method, path, query and body where their payload format has them', () => {
    const fields = { method: 'PUT', path: '/users/1', query: 'a=1&b=2', body: '{}' };
    const v2 = event('apigateway', 'http-api-proxy', fields);
    expect(v2).toMatchObject({ version: '2.0', rawPath: '/users/1', rawQueryString: 'a=1&b=2', body: '{}' });
    expect(v2.requestContext.http).toMatchObject({ method: 'PUT', path: '/users/1' });
    expect(event('apigateway', 'aws-proxy', fields)).toMatchObject({
      httpMethod: 'PUT',
      path: '/users/1',
      pathParameters: { proxy: 'users/1' },
      multiValueQueryStringParameters: { a: ['1'], b: ['2'] },
    });
    expect(event('alb', 'request', fields)).toMatchObject({
      httpMethod: 'PUT',
      queryStringParameters: { a: '1', b: '2' },
    });
    const { methodArn } = event('apigateway', 'request-authorizer', { method: 'PUT' });
    expect(methodArn).toBe('arn:aws:execute-api:us-east-1:123456789012:abcdef1234/test/PUT/request');
  });
});
