import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApis } from '../../test/support/running-apis.ts';
import { startApis } from '../../test/support/running-apis.ts';
import { readBody } from '../http/body.ts';
import type { ApiCall } from '../wire/api-call.ts';

describe('the API port', () => {
  let apis: RunningApis;
  const lambdaCalls: (Pick<ApiCall, 'scope' | 'accessKeyId' | 'requestId' | 'baseUrl'> & { body: string })[] = [];

  beforeEach(async () => {
    lambdaCalls.length = 0;
    apis = await startApis({
      allowedHosts: ['ok.example'],
      async lambda({ request, response, scope, accessKeyId, requestId, baseUrl }) {
        const body = (await readBody(request, 1_000_000)).toString();
        lambdaCalls.push({ scope, accessKeyId, requestId, baseUrl, body });
        response.writeHead(200, { 'x-amzn-RequestId': requestId }).end('lambda');
      },
    });
  });
  afterEach(() => apis.close());

  const signedFor = (service: string, region = 'ap-south-1') => ({
    Authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/${region}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  });
  const call = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(apis.url + path, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  /** Sends any Host and Origin, unlike fetch. */
  const callAs = (headers: Record<string, string>, path = '/2015-03-31/functions') =>
    new Promise<{ status: number | undefined; errorType: unknown; text: string }>((resolve, reject) => {
      const request = httpRequest(apis.url + path, { headers }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode, errorType: response.headers['x-amzn-errortype'], text }),
        );
      });
      request.on('error', reject).end();
    });

  it('passes a call to the service that it was signed for, with region, account and key', async () => {
    const { text, headers } = await call('/2015-03-31/functions/', { headers: signedFor('lambda') });
    expect(text).toBe('lambda');
    expect(lambdaCalls[0]).toMatchObject({
      scope: { region: 'ap-south-1', account: '123456789012' },
      accessKeyId: 'AKIDEXAMPLE',
      baseUrl: apis.url,
      requestId: headers.get('x-amzn-requestid'),
    });
  });

  it('uses the default region when the signature has no valid one', async () => {
    await call('/x', { headers: signedFor('lambda', '../etc') });
    await call('/x', {
      headers: { Authorization: 'AWS4-ECDSA-P256-SHA256 Credential=AKID/20261122/lambda/aws4_request, Signature=0' },
    });
    await call('/x');
    expect(lambdaCalls.map(({ scope }) => scope.region)).toEqual(['us-east-1', 'us-east-1', 'us-east-1']);
  });

  it('infers the service of unsigned calls from the request', async () => {
    const form = (body: string) => ({ method: 'POST', body: new URLSearchParams(body) });
    expect((await call('/', form('Action=GetCallerIdentity&Version=2011-06-15'))).text).toContain(
      'GetCallerIdentityResult',
    );
    expect((await call('/', form('Action=ListRoles&Version=2010-05-08'))).text).toContain('ListRolesResult');
    expect((await call('/?Action=ListRoles&Version=2010-05-08')).text).toContain('ListRolesResult');
    expect((await call('/123456789012/no?Action=GetQueueAttributes')).text).toContain('NonExistentQueue');
    const logs = { method: 'POST', body: '{}', headers: { 'X-Amz-Target': 'Logs_20140328.DescribeLogGroups' } };
    expect(JSON.parse((await call('/', logs)).text)).toEqual({ logGroups: [] });
    expect((await call('/bucket/key?AWSAccessKeyId=AKID&Signature=x&Expires=1')).text).toContain('NoSuchBucket');
    expect((await call('/2015-03-31/functions/', { method: 'POST', body: '{"a":1}' })).text).toBe('lambda');
    expect((await call('/', form('Version=2000-01-01&x=y'))).text).toBe('lambda');
    expect(lambdaCalls.map(({ body }) => body)).toEqual(['{"a":1}', 'Version=2000-01-01&x=y']);
  });

  it('every response carries its own request id', async () => {
    const ids = new Set<string | null>();
    for (const service of ['lambda', 'iam', 'sts', 'logs', 'nonsense']) {
      ids.add((await call('/', { method: 'POST', headers: signedFor(service) })).headers.get('x-amzn-requestid'));
    }
    expect(ids.size).toBe(5);
    expect([...ids].every((id) => /^[0-9a-f-]{36}$/.test(id ?? ''))).toBe(true);
  });

  it('names an unsupported service, and the supported ones', async () => {
    const json = await call('/', {
      method: 'POST',
      body: '{}',
      headers: { ...signedFor('kinesis'), 'X-Amz-Target': 'Kinesis_20131202.ListStreams' },
    });
    expect(json.status).toBe(501);
    const { __type, Message } = JSON.parse(json.text);
    expect(__type).toBe('NotImplementedException');
    const [text, names] = Message.split(' Available services: ');
    expect(text).toBe("Lamella does not offer the service 'kinesis'.");
    expect(names).toMatch(/\.$/);
    const known = ['lambda', 'iam', 'sts', 'logs', 's3', 'sqs', 'sns', 'events', 'ssm', 'secretsmanager'];
    expect(names.slice(0, -1).split(', ')).toEqual(expect.arrayContaining(known));
    const xml = await call('/', {
      method: 'POST',
      body: new URLSearchParams({ Action: 'ListStacks' }),
      headers: signedFor('cloudformation'),
    });
    expect(xml.text).toContain('<Code>NotImplementedException</Code>');
  });

  it('names an unknown operation', async () => {
    const xml = await call('/', {
      method: 'POST',
      body: new URLSearchParams({ Action: 'CreateGroup', Version: '2010-05-08' }),
      headers: signedFor('iam'),
    });
    expect([xml.status, /<Message>(.*)<\/Message>/.exec(xml.text)?.[1]]).toEqual([
      400,
      'Could not find operation CreateGroup for version 2010-05-08',
    ]);
    const json = await call('/', {
      method: 'POST',
      body: '{}',
      headers: { ...signedFor('logs'), 'X-Amz-Target': 'Logs_20140328.StartQuery' },
    });
    expect([json.status, JSON.parse(json.text).__type]).toEqual([400, 'UnknownOperationException']);
    expect(json.text).toContain('Logs_20140328.StartQuery');
  });

  it.each(['iam', 'sts', 'logs'])('responds to malformed requests to %s with a client error', async (service) => {
    const bodies = [
      '',
      '{',
      'null',
      '[]',
      '%%%=&&&',
      'Action=__proto__',
      'Action=constructor&Version=2010-05-08',
      '\u0000'.repeat(100),
    ];
    for (const body of bodies) {
      const headers = { ...signedFor(service), 'X-Amz-Target': 'Logs_20140328.DescribeLogGroups' };
      const { status } = await call('/', { method: 'POST', body, headers });
      expect([200, 400], body).toContain(status);
      const other = { ...signedFor(service), 'X-Amz-Target': 'Logs_20140328.__proto__' };
      expect((await call('/', { method: 'POST', body, headers: other })).status, body).toBe(400);
    }
  });

  it('refuses bodies that are too large for IAM and CloudWatch Logs', async () => {
    const big = 'x'.repeat(9 * 1024 * 1024);
    expect((await call('/', { method: 'POST', body: big, headers: signedFor('iam') })).status).toBe(413);
    expect((await call('/', { method: 'POST', body: big, headers: signedFor('logs') })).status).toBe(400);
  });

  it('refuses an unsigned GET that would change something, and takes one that reads', async () => {
    for (const [version, action] of [
      ['2010-03-31', 'CreateTopic&Name=t'],
      ['2010-05-08', 'CreateRole&RoleName=r&AssumeRolePolicyDocument=%7B%7D'],
      ['2012-11-05', 'CreateQueue&QueueName=q'],
    ]) {
      const link = `/?Action=${action}&Version=${version}`;
      expect((await call(link)).status, link).toBe(403);
      expect((await call(`${link}&X-Amz-Credential=a/20261122/us-east-1/sns/aws4_request`)).status, link).toBe(403);
      expect((await call(link, { headers: signedFor('sns') })).status, link).not.toBe(403);
    }
    expect((await call('/?Action=ListRoles&Version=2010-05-08')).status).toBe(200);
  });

  it('refuses foreign hosts and origins before the call reaches a service', async () => {
    for (const headers of [
      { Host: 'evil.example' },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
      { 'Sec-Fetch-Site': 'cross-site' },
    ]) {
      const response = await callAs(headers as Record<string, string>);
      expect([response.status, response.errorType], JSON.stringify(headers)).toEqual([403, 'AccessDeniedException']);
      expect(JSON.parse(response.text).Message).toMatch(/^Refused: /);
    }
    expect(lambdaCalls).toEqual([]);
    expect((await callAs({ Host: 'ok.example' })).status).toBe(200);
  });
});
