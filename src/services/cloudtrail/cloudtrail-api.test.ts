/** CloudTrail, with the requests of the CDK (SDK for JavaScript) and of botocore, which differ in their target. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningApis, startApis } from '../../../test/support/running-apis.ts';
import { signRequest } from '../../wire/sign-request.ts';

let apis: RunningApis;

beforeAll(async () => {
  apis = await startApis();
});
afterAll(() => apis.close());

async function call(target: string, input: object): Promise<readonly [number, Record<string, unknown>]> {
  const url = new URL(apis.url);
  const body = Buffer.from(JSON.stringify(input));
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
  const key = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'x', region: 'us-east-1', service: 'cloudtrail' };
  const signed = signRequest({ method: 'POST', url, headers, body }, key, Date.now());
  const response = await fetch(url, { method: 'POST', headers: signed, body });
  return [response.status, (await response.json()) as Record<string, unknown>];
}

it.each(['CloudTrail_20131101', 'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101'])(
  'has no events for a client that asks %s',
  async (prefix) => {
    const LookupAttributes = [{ AttributeKey: 'EventSource', AttributeValue: 'lambda.amazonaws.com' }];
    const input = { LookupAttributes, StartTime: 1_796_119_200.5, MaxResults: 50 };
    expect(await call(`${prefix}.LookupEvents`, input)).toEqual([200, { Events: [] }]);
  },
);

it('refuses what it does not have, and odd input', async () => {
  expect(await call('CloudTrail_20131101.CreateTrail', { Name: 't' })).toEqual([
    400,
    {
      __type: 'UnknownOperationException',
      message: "Lamella does not support the CloudTrail operation 'CreateTrail'.",
    },
  ]);
  expect((await call('CloudTrail_20131101.LookupEvents', { MaxResults: 51 }))[1]).toMatchObject({
    message: expect.stringMatching(/'maxResults' failed to satisfy constraint/),
  });
});
