/**
 * The second generator of requests: from the AWS SDK's models, with what earlier responses contained, to every service of
 * the API port. Each response is well-formed HTTP with a documented status within a second, and messages that the service
 * accepted meanwhile are all there in the end.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zipOf } from '../support/function-zip.ts';
import { drive } from './drive.ts';
import { PYTHON_RUNTIME } from './python-runtime.ts';
import { bytesOf, mayTakeLong, oddRequest, SEEDS, World } from './sdk-models.ts';
import { cases, seedOf, startTarget, type Target } from './target.ts';

let target: Target;

beforeAll(async () => {
  target = await startTarget();
  await sqs('CreateQueue', { QueueName: 'ledger' });
  await target.measure();
});
afterAll(() => target?.close());

async function sqs(operation: string, input: object): Promise<Record<string, never>> {
  const response = await fetch(target.url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${operation}` },
    body: JSON.stringify(input),
  });
  expect([response.status, operation]).toEqual([200, operation]);
  const text = await response.text();
  return text === '' ? {} : JSON.parse(text);
}

/** Creates what the attack knows by name. It may have deleted it, or it exists. */
async function createAll(): Promise<void> {
  const call = async (
    service: string,
    path: string,
    method: string,
    body?: string,
    more: Record<string, string> = {},
  ) => {
    const authorization = `AWS4-HMAC-SHA256 Credential=a/20261130/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;
    const response = await fetch(`${target.url}${path}`, {
      method,
      headers: { authorization, ...more },
      ...(body && { body }),
    });
    await response.arrayBuffer();
  };
  const form = (service: string, version: string, fields: Record<string, string>) =>
    call(service, '/', 'POST', String(new URLSearchParams({ Version: version, ...fields })), {
      'content-type': 'application/x-www-form-urlencoded',
    });
  const fifo = { 'Attribute.1.Name': 'FifoQueue', 'Attribute.1.Value': 'true' };
  for (const name of ['q', 'dead', 'q.fifo', 'dead.fifo'])
    await form('sqs', '2012-11-05', { Action: 'CreateQueue', QueueName: name, ...(name.endsWith('.fifo') && fifo) });
  await form('sns', '2010-03-31', { Action: 'CreateTopic', Name: 't' });
  const fifoTopic = { 'Attributes.entry.1.key': 'FifoTopic', 'Attributes.entry.1.value': 'true' };
  await form('sns', '2010-03-31', { Action: 'CreateTopic', Name: 't.fifo', ...fifoTopic });
  const trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}';
  await form('iam', '2010-05-08', { Action: 'CreateRole', RoleName: 'r', AssumeRolePolicyDocument: trust });
  for (const bucket of ['bucket-a', 'bucket-b']) await call('s3', `/${bucket}`, 'PUT');
  await call('s3', '/bucket-a/k', 'PUT', 'content');
  await call('logs', '/', 'POST', '{"logGroupName":"group"}', { 'x-amz-target': 'Logs_20140328.CreateLogGroup' });
  const stream = '{"logGroupName":"group","logStreamName":"stream"}';
  await call('logs', '/', 'POST', stream, { 'x-amz-target': 'Logs_20140328.CreateLogStream' });
  await target.createFunction('f', FUNCTION, { Timeout: 5 }).catch(() => undefined);
}

const FUNCTION = {
  bootstrap: `${PYTHON_RUNTIME}\nwhile True:\n    id, event = next_invocation()\n    respond(id, event)\n`,
};
const LEDGER = 'http://localhost/123456789012/ledger';

describe('requests from the models of the AWS SDK', () => {
  it('get well-formed and documented responses, and lose nothing', { timeout: 3_600_000 }, async () => {
    const zip = await zipOf(FUNCTION);
    const world = new World(SEEDS);
    let sent = 0;
    let acknowledged = 0;
    await createAll();
    await drive(target, target.port, {
      seed: seedOf(20_261_201),
      count: cases(1_500),
      next(random) {
        const request = oddRequest(random, world, zip);
        const kind = `${request.service} ${request.operation}`;
        return {
          kind,
          method: request.method,
          bytes: bytesOf(request, random),
          mayTakeLong: mayTakeLong(request.operation),
        };
      },
      learn(text, kind, status) {
        if (status === 501) world.refused(kind.split(' ')[1] ?? '');
        world.learn(text);
      },
      async everyThousand() {
        await createAll();
        sent += 1;
        await sqs('SendMessage', { QueueUrl: LEDGER, MessageBody: String(sent) });
        acknowledged += 1;
      },
    });
    const kept = new Set<string>();
    for (;;) {
      const { Messages = [] } = (await sqs('ReceiveMessage', { QueueUrl: LEDGER, MaxNumberOfMessages: 10 })) as {
        Messages?: { Body: string }[];
      };
      if (Messages.length === 0) break;
      for (const { Body } of Messages) kept.add(Body);
    }
    expect(kept.size).toBe(acknowledged);
    await target.expectUnharmed();
  });
});
