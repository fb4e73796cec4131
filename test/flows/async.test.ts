/** Asynchronous invocations through the whole service: retries, age, throttles, destinations, recursion. */
import {
  CreateAliasCommand,
  DeleteFunctionCommand,
  InvokeAsyncCommand,
  InvokeCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  PutFunctionRecursionConfigCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, LISTENING_RUNTIME, type Listener, listenForEvents } from '../support/event-listener.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const ARN = 'arn:aws:lambda:us-east-1:123456789012:function';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NOTHING = { waiting: 0, running: 0, delayed: 0 };
const FAILURE = { errorType: 'Oops', errorMessage: 'no' };

let service: RunningService;
let listener: Listener;
let sqs: SQSClient;
let sns: SNSClient;
let s3: S3Client;

beforeAll(async () => {
  service = await startService();
  listener = await listenForEvents();
  const client = {
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  sqs = new SQSClient(client);
  sns = new SNSClient(client);
  s3 = new S3Client({ ...client, forcePathStyle: true });
});
afterAll(async () => {
  for (const client of [sqs, sns, s3]) client.destroy();
  await service.close();
  await listener.close();
});

/** A function that posts each event to the listener and responds with the listener's response. */
async function create(name: string, more: Parameters<RunningService['createFunction']>[2] = {}): Promise<void> {
  const Environment = { Variables: { LISTENER: `${listener.url}/${name}` } };
  await service.createFunction(name, { bootstrap: LISTENING_RUNTIME }, { Environment, ...more });
}

async function send(FunctionName: string, event: unknown, more: { Qualifier?: string } = {}): Promise<string> {
  const Payload = typeof event === 'string' ? event : JSON.stringify(event);
  const answer = await service.client.send(
    new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload, ...more }),
  );
  expect([answer.StatusCode, answer.Payload?.length ?? 0, answer.FunctionError, answer.ExecutedVersion]).toEqual([
    202,
    0,
    undefined,
    undefined,
  ]);
  return answer.$metadata.requestId ?? '';
}

async function pending(name: string): Promise<unknown> {
  return (await fetch(`${service.url}/_lamella/async/${name}`)).json();
}

function pass(seconds: number): void {
  service.lamella.clock.advance(seconds * 1000);
}

/** Resolves when the event waits for its next attempt. */
async function heldBack(name: string): Promise<void> {
  await eventually(async () => expect(await pending(name)).toEqual({ waiting: 0, running: 0, delayed: 1 }));
}

async function over(name: string): Promise<void> {
  await eventually(async () => expect(await pending(name)).toEqual(NOTHING));
}

async function createQueue(name: string): Promise<{ readonly arn: string; next(): Promise<Message> }> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  return {
    arn: `arn:aws:sqs:us-east-1:123456789012:${name}`,
    async next() {
      const { Messages } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MessageAttributeNames: ['All'] }),
      );
      const [message] = Messages ?? [];
      if (message === undefined) throw new Error(`${name} received nothing`);
      return message;
    },
  };
}

function configure(
  FunctionName: string,
  more: Omit<ConstructorParameters<typeof PutFunctionEventInvokeConfigCommand>[0], 'FunctionName'>,
) {
  return service.client.send(new PutFunctionEventInvokeConfigCommand({ FunctionName, ...more }));
}

describe('an event', () => {
  it('is acknowledged with the request ID under which it runs, and nothing else', async () => {
    await create('runs-later');
    const id = await send('runs-later', { a: 'ü' });
    expect(await listener.next('runs-later')).toMatchObject({
      requestId: id,
      event: { a: 'ü' },
      arn: `${ARN}:runs-later`,
    });
    await over('runs-later');
  });

  it('without a payload is {}', async () => {
    await create('empty');
    const answer = await service.client.send(new InvokeCommand({ FunctionName: 'empty', InvocationType: 'Event' }));
    expect(await listener.next('empty')).toMatchObject({ requestId: answer.$metadata.requestId, event: {} });
  });

  it('can also be sent with the deprecated operation', async () => {
    await create('old-fashioned');
    const InvokeArgs = Buffer.from('{"old": true}');
    const answer = await service.client.send(new InvokeAsyncCommand({ FunctionName: 'old-fashioned', InvokeArgs }));
    expect(answer.Status).toBe(202);
    expect((await listener.next('old-fashioned')).event).toEqual({ old: true });
  });

  it('is rejected when it is not JSON, larger than 1 MiB, or without a function', async () => {
    await create('refuses');
    const refused = (FunctionName: string, Payload: string) =>
      service.client.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload })).then(
        () => expect.unreachable(),
        (error: { name: string; $metadata: { httpStatusCode: number } }) => [
          error.name,
          error.$metadata.httpStatusCode,
        ],
      );
    expect(await refused('refuses', 'nonsense')).toEqual(['InvalidRequestContentException', 400]);
    expect(await refused('refuses', JSON.stringify('x'.repeat(1_048_575)))).toEqual([
      'RequestEntityTooLargeException',
      413,
    ]);
    expect(await refused('nobody', '{}')).toEqual(['ResourceNotFoundException', 404]);
    expect(await pending('refuses')).toEqual(NOTHING);
  });

  it('is tried three times, after one minute and two, with the same ID', async () => {
    await create('fails');
    listener.respond('fails', () => ({ status: 500, body: FAILURE }));
    const id = await send('fails', { n: 1 });
    for (const seconds of [60, 120]) {
      expect((await listener.next('fails')).requestId).toBe(id);
      await heldBack('fails');
      pass(seconds - 1);
      expect(listener.waiting('fails')).toBe(0);
      expect(await pending('fails')).toMatchObject({ delayed: 1 });
      pass(1);
    }
    expect((await listener.next('fails')).requestId).toBe(id);
    await over('fails');
    pass(3600);
    expect(listener.waiting('fails')).toBe(0);
  });

  it('is not retried after it has succeeded', async () => {
    await create('recovers');
    let runs = 0;
    listener.respond('recovers', () => (++runs === 1 ? { status: 500, body: FAILURE } : { status: 200 }));
    await send('recovers', {});
    await heldBack('recovers');
    pass(60);
    await over('recovers');
    expect(runs).toBe(2);
  });

  it('waits while the function is throttled, longer each time, without using up its attempts', async () => {
    await create('is-busy', { Timeout: 60 });
    const queue = await createQueue('is-busy-done');
    await service.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'is-busy', ReservedConcurrentExecutions: 1 }),
    );
    await configure('is-busy', { DestinationConfig: { OnSuccess: { Destination: queue.arn } } });
    let release = () => {};
    listener.respond('is-busy', ({ event }) =>
      (event as { first?: boolean }).first
        ? new Promise((resolve) => {
            release = () => resolve({ status: 200 });
          })
        : { status: 200 },
    );
    await send('is-busy', { first: true });
    await listener.next('is-busy');
    await send('is-busy', { second: true });
    for (const seconds of [1, 2]) {
      await eventually(async () => expect(await pending('is-busy')).toEqual({ waiting: 0, running: 1, delayed: 1 }));
      pass(seconds - 0.5);
      expect(await pending('is-busy')).toMatchObject({ delayed: 1 });
      pass(0.5);
    }
    release();
    await queue.next();
    pass(8);
    await listener.next('is-busy');
    expect(JSON.parse((await queue.next()).Body ?? '').requestContext).toMatchObject({ approximateInvokeCount: 1 });
  });

  it('runs the version of its alias, and the ARN has the alias', async () => {
    await create('has-alias');
    await service.client.send(new PublishVersionCommand({ FunctionName: 'has-alias' }));
    await service.client.send(
      new CreateAliasCommand({ FunctionName: 'has-alias', Name: 'live', FunctionVersion: '1' }),
    );
    const queue = await createQueue('has-alias-done');
    await configure('has-alias', { Qualifier: 'live', DestinationConfig: { OnSuccess: { Destination: queue.arn } } });
    await send('has-alias', {}, { Qualifier: 'live' });
    expect((await listener.next('has-alias')).arn).toBe(`${ARN}:has-alias:live`);
    expect(JSON.parse((await queue.next()).Body ?? '')).toMatchObject({
      requestContext: { functionArn: `${ARN}:has-alias:live` },
      responseContext: { executedVersion: '1' },
    });
  });

  it('goes where its alias points at each attempt', async () => {
    await create('moves-on');
    await service.client.send(new PublishVersionCommand({ FunctionName: 'moves-on' }));
    const alias = { FunctionName: 'moves-on', Name: 'live' };
    await service.client.send(new CreateAliasCommand({ ...alias, FunctionVersion: '1' }));
    const queue = await createQueue('moved-on');
    await configure('moves-on', {
      Qualifier: 'live',
      MaximumRetryAttempts: 1,
      DestinationConfig: { OnFailure: { Destination: queue.arn } },
    });
    listener.respond('moves-on', () => ({ status: 500, body: FAILURE }));
    await send('moves-on', {}, { Qualifier: 'live' });
    await listener.next('moves-on');
    await heldBack('moves-on');
    await service.client.send(new UpdateAliasCommand({ ...alias, FunctionVersion: '$LATEST' }));
    pass(60);
    expect(JSON.parse((await queue.next()).Body ?? '')).toMatchObject({
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 2 },
      responseContext: { executedVersion: '$LATEST' },
    });
  });

  it('is dropped when its function has been deleted', async () => {
    await create('is-deleted');
    listener.respond('is-deleted', () => ({ status: 500, body: FAILURE }));
    await send('is-deleted', {});
    await listener.next('is-deleted');
    await heldBack('is-deleted');
    await service.client.send(new DeleteFunctionCommand({ FunctionName: 'is-deleted' }));
    pass(60);
    await over('is-deleted');
    expect(listener.waiting('is-deleted')).toBe(0);
  });

  it('does not delay the events of other functions', async () => {
    await create('stands-still');
    await create('goes-on');
    listener.respond('stands-still', () => ({ status: 500, body: FAILURE }));
    await send('stands-still', {});
    await send('goes-on', {});
    await listener.next('goes-on');
  });
});

describe('the end of an event', () => {
  it("is reported to OnSuccess with the function's response", async () => {
    await create('succeeds');
    const queue = await createQueue('succeeded');
    await configure('succeeds', { DestinationConfig: { OnSuccess: { Destination: queue.arn } } });
    listener.respond('succeeds', () => ({ status: 200, body: { ok: true } }));
    const requestId = await send('succeeds', '{"n": 12345678901234567890}');
    const body = (await queue.next()).Body ?? '';
    expect(body).toContain('"requestPayload":{"n": 12345678901234567890}');
    expect(JSON.parse(body)).toEqual({
      version: '1.0',
      timestamp: expect.stringMatching(TIME),
      requestContext: {
        requestId,
        functionArn: `${ARN}:succeeds:$LATEST`,
        condition: 'Success',
        approximateInvokeCount: 1,
      },
      requestPayload: { n: expect.any(Number) },
      responseContext: { statusCode: 200, executedVersion: '$LATEST' },
      responsePayload: { ok: true },
    });
  });

  it('is reported to OnFailure and to the dead-letter queue when its attempts are used up', async () => {
    const dead = await createQueue('dead');
    const queue = await createQueue('failed');
    await create('gives-up', { DeadLetterConfig: { TargetArn: dead.arn } });
    await configure('gives-up', {
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: queue.arn } },
    });
    listener.respond('gives-up', () => ({ status: 500, body: { errorType: 'Oops', errorMessage: 'ü'.repeat(1000) } }));
    const requestId = await send('gives-up', { n: 1 });
    expect(JSON.parse((await queue.next()).Body ?? '')).toMatchObject({
      requestContext: { requestId, condition: 'RetriesExhausted', approximateInvokeCount: 1 },
      requestPayload: { n: 1 },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      responsePayload: { errorType: 'Oops' },
    });
    const letter = await dead.next();
    expect(letter.Body).toBe('{"n":1}');
    expect(letter.MessageAttributes).toEqual({
      RequestID: { DataType: 'String', StringValue: requestId },
      ErrorCode: { DataType: 'Number', StringValue: '200' },
      ErrorMessage: { DataType: 'String', StringValue: 'ü'.repeat(512) },
    });
  });

  it('is early when the next attempt would be too late', async () => {
    await create('is-too-old');
    const queue = await createQueue('too-old');
    await configure('is-too-old', {
      MaximumEventAgeInSeconds: 100,
      DestinationConfig: { OnFailure: { Destination: queue.arn } },
    });
    listener.respond('is-too-old', () => ({ status: 500, body: FAILURE }));
    await send('is-too-old', {});
    await heldBack('is-too-old');
    pass(60);
    expect(JSON.parse((await queue.next()).Body ?? '')).toMatchObject({
      requestContext: { condition: 'EventAgeExceeded', approximateInvokeCount: 2 },
      responsePayload: FAILURE,
    });
  });

  it('is reached when the function is throttled for longer than the event may wait', async () => {
    await create('always-busy', { Timeout: 60 });
    const queue = await createQueue('never-free');
    await service.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'always-busy', ReservedConcurrentExecutions: 1 }),
    );
    await configure('always-busy', {
      MaximumEventAgeInSeconds: 60,
      DestinationConfig: { OnFailure: { Destination: queue.arn } },
    });
    let release = () => {};
    listener.respond('always-busy', () => new Promise((resolve) => (release = () => resolve({ status: 200 }))));
    const busy = service.invoke('always-busy', { first: true });
    await listener.next('always-busy');
    await send('always-busy', { second: true });
    // Delays of 1, 2, 4, 8 and 16 s. After another 32 s the event would be too old.
    for (const seconds of [1, 2, 4, 8, 16]) {
      await eventually(async () => expect(await pending('always-busy')).toMatchObject({ delayed: 1 }));
      pass(seconds);
    }
    const record = JSON.parse((await queue.next()).Body ?? '');
    expect(record).toMatchObject({
      requestContext: { condition: 'EventAgeExceeded' },
      requestPayload: { second: true },
    });
    expect(record.responseContext).toBeUndefined();
    release();
    await busy;
  });

  it('is immediate for a function with a reserve of zero', async () => {
    const dead = await createQueue('never-ran-dead');
    await create('may-not-run', { DeadLetterConfig: { TargetArn: dead.arn } });
    const queue = await createQueue('never-ran');
    await configure('may-not-run', { DestinationConfig: { OnFailure: { Destination: queue.arn } } });
    await service.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'may-not-run', ReservedConcurrentExecutions: 0 }),
    );
    const requestId = await send('may-not-run', {});
    expect(JSON.parse((await queue.next()).Body ?? '')).toEqual({
      version: '1.0',
      timestamp: expect.stringMatching(TIME),
      requestContext: {
        requestId,
        functionArn: `${ARN}:may-not-run:$LATEST`,
        condition: 'ZeroReservedConcurrency',
        approximateInvokeCount: 0,
      },
      requestPayload: {},
    });
    expect((await dead.next()).MessageAttributes).toEqual({
      RequestID: { DataType: 'String', StringValue: requestId },
      ErrorCode: { DataType: 'Number', StringValue: '429' },
      ErrorMessage: { DataType: 'String', StringValue: 'Rate Exceeded.' },
    });
  });

  it('can be reported to another function, whose event is the record', async () => {
    await create('one');
    await create('two');
    await configure('one', { DestinationConfig: { OnSuccess: { Destination: `${ARN}:two` } } });
    const requestId = await send('one', {});
    const seen = await listener.next('two');
    expect(seen.event).toMatchObject({ requestContext: { requestId, condition: 'Success' } });
    expect(seen.requestId).toMatch(UUID);
    expect(seen.requestId).not.toBe(requestId);
  });

  it('can be reported to a topic', async () => {
    await create('announces');
    await create('hears');
    const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'announcements' }));
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'lambda', Endpoint: `${ARN}:hears` }));
    await configure('announces', { DestinationConfig: { OnSuccess: { Destination: TopicArn } } });
    const requestId = await send('announces', {});
    const { event } = await listener.next('hears');
    const [record] = (event as { Records: { Sns: { Message: string } }[] }).Records;
    expect(JSON.parse(record?.Sns.Message ?? '')).toMatchObject({
      requestContext: { requestId, condition: 'Success' },
    });
  });

  it('goes to a dead-letter topic with the attributes of the failure', async () => {
    const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'dead-letters' }));
    const queue = await createQueue('dead-letters');
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: queue.arn }));
    await create('fails-aloud', { DeadLetterConfig: { TargetArn: TopicArn } });
    await configure('fails-aloud', { MaximumRetryAttempts: 0 });
    listener.respond('fails-aloud', () => ({ status: 500, body: FAILURE }));
    const requestId = await send('fails-aloud', { n: 1 });
    expect(JSON.parse((await queue.next()).Body ?? '')).toMatchObject({
      Type: 'Notification',
      TopicArn,
      Message: '{"n":1}',
      MessageAttributes: {
        RequestID: { Type: 'String', Value: requestId },
        ErrorCode: { Type: 'Number', Value: '200' },
        ErrorMessage: { Type: 'String', Value: 'no' },
      },
    });
  });

  it('can be reported to an event bus', async () => {
    await create('emits');
    const bus = 'arn:aws:events:us-east-1:123456789012:event-bus/default';
    await configure('emits', { DestinationConfig: { OnSuccess: { Destination: bus } } });
    const requestId = await send('emits', { n: 1 });
    await over('emits');
    const { events } = (await (await fetch(`${service.url}/_lamella/events?bus=${bus}`)).json()) as {
      events: unknown[];
    };
    expect(events).toEqual([
      {
        busArn: bus,
        event: {
          version: '0',
          id: expect.stringMatching(UUID),
          'detail-type': 'Lambda Function Invocation Result - Success',
          source: 'lambda',
          account: '123456789012',
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          region: 'us-east-1',
          resources: [bus, `${ARN}:emits:$LATEST`],
          detail: expect.objectContaining({
            requestPayload: { n: 1 },
            requestContext: expect.objectContaining({ requestId }),
          }),
        },
      },
    ]);
  });

  it('can be reported to a bucket', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'failures' }));
    await create('is-filed');
    await configure('is-filed', {
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::failures' } },
    });
    listener.respond('is-filed', () => ({ status: 500, body: FAILURE }));
    const requestId = await send('is-filed', {});
    await over('is-filed');
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'failures' }));
    const Key = Contents?.[0]?.Key;
    expect(Key).toMatch(
      /^aws\/lambda\/async\/is-filed\/\d{4}\/\d\d\/\d\d\/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}$/,
    );
    const object = await s3.send(new GetObjectCommand({ Bucket: 'failures', Key }));
    expect(JSON.parse((await object.Body?.transformToString()) ?? '')).toMatchObject({ requestContext: { requestId } });
  });

  it('is lost with the event when its target does not exist', async () => {
    await create('reports-to-nobody');
    await configure('reports-to-nobody', {
      DestinationConfig: { OnSuccess: { Destination: 'arn:aws:sqs:us-east-1:123456789012:nobody' } },
    });
    await send('reports-to-nobody', {});
    await listener.next('reports-to-nobody');
    await over('reports-to-nobody');
  });
});

describe('a function in a recursive loop', () => {
  /** Calls the function again from outside, with the function's trace, as an SDK inside a function does. */
  const callOn = async (name: string, trace: string, type: 'Event' | 'RequestResponse') =>
    fetch(`${service.url}/2015-03-31/functions/${name}/invocations`, {
      method: 'POST',
      body: '{}',
      headers: { 'x-amz-invocation-type': type, 'x-amzn-trace-id': trace },
    });

  it('is stopped after sixteen runs, and its event is reported', async () => {
    await create('circles');
    const queue = await createQueue('circled');
    await configure('circles', { DestinationConfig: { OnFailure: { Destination: queue.arn } } });
    await send('circles', {});
    for (let run = 1; run <= 16; run += 1) {
      const { trace } = await listener.next('circles');
      if (run === 16) {
        const refused = await callOn('circles', trace, 'RequestResponse');
        expect([refused.status, refused.headers.get('x-amzn-errortype')]).toEqual([
          400,
          'RecursiveInvocationException',
        ]);
      }
      expect((await callOn('circles', trace, 'Event')).status).toBe(202);
    }
    expect(JSON.parse((await queue.next()).Body ?? '')).toMatchObject({
      requestContext: { condition: 'RecursiveInvocation' },
    });
    await over('circles');
    expect(listener.seen('circles')).toHaveLength(16);
  });

  it('is also stopped on its way through a topic', async () => {
    await create('circles-by-topic');
    const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'round' }));
    const Endpoint = `${ARN}:circles-by-topic`;
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'lambda', Endpoint }));
    await send('circles-by-topic', {});
    for (let run = 1; run <= 16; run += 1) {
      const { trace } = await listener.next('circles-by-topic');
      const published = await fetch(service.url, {
        method: 'POST',
        body: new URLSearchParams({ Action: 'Publish', Version: '2010-03-31', TopicArn, Message: 'x' }),
        headers: { 'x-amzn-trace-id': trace },
      });
      expect(published.status).toBe(200);
    }
    await over('circles-by-topic');
    expect(listener.seen('circles-by-topic')).toHaveLength(16);
  });

  it("is stopped when two functions are each other's destinations", async () => {
    const queue = await createQueue('to-and-fro');
    const pair = { to: 'fro', fro: 'to' };
    for (const name of Object.keys(pair)) await create(name);
    for (const [name, other] of Object.entries(pair)) {
      const DestinationConfig = {
        OnSuccess: { Destination: `${ARN}:${other}` },
        OnFailure: { Destination: queue.arn },
      };
      await configure(name, { DestinationConfig });
    }
    await send('to', {});
    expect(JSON.parse((await queue.next()).Body ?? '')).toMatchObject({
      requestContext: { functionArn: `${ARN}:to:$LATEST`, condition: 'RecursiveInvocation' },
    });
    await over('to');
    expect([listener.seen('to').length, listener.seen('fro').length]).toEqual([16, 16]);
  });

  it('continues when loops are allowed', async () => {
    await create('may-circle');
    await service.client.send(
      new PutFunctionRecursionConfigCommand({ FunctionName: 'may-circle', RecursiveLoop: 'Allow' }),
    );
    await send('may-circle', {});
    for (let run = 1; run <= 18; run += 1) {
      await callOn('may-circle', (await listener.next('may-circle')).trace, 'Event');
    }
    expect(listener.seen('may-circle').length).toBeGreaterThanOrEqual(18);
  });
});
