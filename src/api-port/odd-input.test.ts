/** Requests that no client sends, to every service on the API port: each is the client's fault, never the service's. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exchangeRaw, statusesOf } from '../../test/support/raw-http.ts';
import { type RunningApis, startApis } from '../../test/support/running-apis.ts';

let apis: RunningApis;
beforeAll(async () => {
  apis = await startApis();
  expect(await send('s3', 'PUT', '/bucket')).toBe(200);
  expect(await send('s3', 'PUT', '/bucket/key', 'content')).toBe(200);
});
afterAll(() => apis.close());

async function send(
  service: string,
  method: string,
  target: string,
  body = '',
  headers: readonly string[] = [],
): Promise<number | undefined> {
  const credential = `A/20260101/us-east-1/${service}/aws4_request`;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    `Authorization: AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return statusesOf(await exchangeRaw(apis.port, `${lines.join('\r\n')}\r\n\r\n${body}`)).at(-1);
}

it.each(['iam', 'sts', 'sns', 'sqs'])('%s takes paths that are not valid URLs', async (service) => {
  const query = '?Action=Unknown&Version=2010-05-08';
  for (const path of ['//', '//x:y', '///', '//[', '//%', '/\\\\', '//a@b:99999/', '/a//b']) {
    expect(await send(service, 'POST', path + query), path).toBeLessThan(500);
    expect(await send(service, 'POST', path, query.slice(1)), path).toBeLessThan(500);
  }
});

it.each(['%0d%0a', '%0a', '%00', '%e2%82%ac', '%7f', 'a%0d%0aX-Evil:%201'])(
  'S3 refuses %s where it would be sent back in a header',
  async (value) => {
    for (const name of ['content-type', 'expires', 'cache-control', 'content-disposition', 'content-language']) {
      expect(await send('s3', 'GET', `/bucket/key?response-${name}=${value}`), name).toBe(400);
    }
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      expect(await send('s3', method, `/bucket/key?versionId=${value}`), method).toBe(400);
    }
  },
);

it('S3 still takes what a header can hold', async () => {
  expect(
    await send('s3', 'GET', '/bucket/key?response-content-disposition=attachment%3B%20filename%3D%22%C3%A9%22'),
  ).toBe(200);
  expect(
    await send(
      's3',
      'DELETE',
      '/bucket/key?versionId=3%2FL4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY_MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo',
    ),
  ).toBe(204);
});

const DEEP = ['['.repeat(5000) + ']'.repeat(5000), `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`];
const jsonTarget = (target: string, version: string) => [
  `X-Amz-Target: ${target}`,
  `Content-Type: application/x-amz-json-${version}`,
];

it('JSON that is nested too deeply is refused everywhere', async () => {
  for (const deep of DEEP) {
    const inMember = `{"QueueName":"q","Attributes":${deep}}`;
    for (const body of [deep, inMember]) {
      expect(await send('sqs', 'POST', '/', body, jsonTarget('AmazonSQS.CreateQueue', '1.0'))).toBe(400);
      expect(await send('logs', 'POST', '/', body, jsonTarget('Logs_20140328.CreateLogGroup', '1.1'))).toBe(400);
    }
    const policy = encodeURIComponent(deep);
    const role = `Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=${policy}`;
    expect(await send('iam', 'POST', '/', role)).toBe(400);
    const queue = JSON.stringify({ QueueName: 'q', Attributes: { RedrivePolicy: deep, Policy: deep } });
    expect(await send('sqs', 'POST', '/', queue, jsonTarget('AmazonSQS.CreateQueue', '1.0'))).toBe(400);
  }
});
