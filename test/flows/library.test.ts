/** The library as a test of a user's project uses it: functions, layers, logs, the clock, and a fresh start between tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateTopicCommand, ListTopicsCommand, SNSClient } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Lamella, LamellaError, start } from '../../src/lamella.ts';
import { buildIfStale } from '../support/built-cli.ts';
import { requestHost } from '../support/host-request.ts';
import { until } from '../support/until.ts';

const ECHO =
  'export const handler = async (event) => { console.log("got", event.name); return { hello: event.name }; };';
const NODE = { runtime: 'nodejs20.x', handler: 'index.handler' } as const;

let lamella: Lamella;
let directory: string;

beforeAll(async () => {
  // For the runtime of Node.js functions.
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-library-'));
  lamella = await start({ logLevel: 'error', cpu: 'unlimited' });
}, 120_000);
afterAll(async () => {
  await lamella?.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('functions', () => {
  beforeEach(() => lamella.reset());

  it('are created, updated, and left alone when nothing is different', async () => {
    const definition = { name: 'echo', code: ECHO, ...NODE, environment: { STAGE: '1' }, memory: 256, timeout: 5 };
    const created = await lamella.functions.put(definition);
    expect(created).toMatchObject({ name: 'echo', change: 'created', url: undefined });
    expect(created.arn).toBe('arn:aws:lambda:us-east-1:123456789012:function:echo');
    expect(await lamella.functions.put(definition)).toEqual({ ...created, change: 'unchanged' });
    const changed = { ...definition, environment: { STAGE: '2' }, code: `${ECHO}\n` };
    expect(await lamella.functions.put(changed)).toMatchObject({ change: 'updated' });
    expect(await lamella.functions.put(changed)).toMatchObject({ change: 'unchanged' });
    // What a definition leaves out has its default again.
    const { memory: _, ...smaller } = changed;
    expect(await lamella.functions.put(smaller)).toMatchObject({ change: 'updated' });
    expect(await lamella.functions.list()).toEqual(['echo']);
    await lamella.functions.remove('echo');
    expect(await lamella.functions.list()).toEqual([]);
  });

  it('are invoked with typed payloads, and tell a cold environment from a warm one', async () => {
    await lamella.functions.put({ name: 'echo', code: ECHO, ...NODE });
    const first = await lamella.invoke<{ hello: string }>('echo', { name: 'World' });
    expect(first).toMatchObject({ status: 200, functionError: undefined, cold: true, version: '$LATEST' });
    expect(first.payload.hello).toBe('World');
    expect(first.log).toMatch(/got World\n(.*\n)*REPORT RequestId: /);
    const second = await lamella.invoke('echo', { name: 'again' });
    expect(second).toMatchObject({ payload: { hello: 'again' }, cold: false });
    const messages = (await lamella.logs('echo')).map(({ message }) => message);
    expect(messages.filter((message) => /got (World|again)$/.test(message))).toHaveLength(2);
    const own = await lamella.logs('echo', { requestId: second.requestId, filter: 'got' });
    expect(own.map(({ message }) => message)).toEqual([expect.stringMatching(/got again$/)]);
    expect(await lamella.logs('nobody')).toEqual([]);
    expect(await lamella.invoke('echo', { name: 'later' }, { type: 'Event' })).toMatchObject({ status: 202 });
  });

  it('return their errors, and refused calls throw by the name of AWS', async () => {
    const code = 'export const handler = async () => { throw new RangeError("too far"); };';
    await lamella.functions.put({ name: 'fails', code, ...NODE });
    expect(await lamella.invoke('fails')).toMatchObject({
      status: 200,
      functionError: 'Unhandled',
      payload: { errorType: 'RangeError', errorMessage: 'too far' },
    });
    const refused = await lamella.invoke('missing').catch((failure: unknown) => failure);
    expect(refused).toBeInstanceOf(LamellaError);
    expect(refused).toMatchObject({
      name: 'ResourceNotFoundException',
      code: 'ResourceNotFoundException',
      status: 404,
      operation: 'Invoke',
      message: expect.stringContaining('Function not found: arn:aws:lambda:us-east-1:123456789012:function:missing'),
    });
    await expect(lamella.functions.put({ name: 'bad', code: ECHO, ...NODE, memory: 1 })).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await expect(lamella.functions.put({ name: 'none' })).rejects.toThrow('The function none needs its code in one of');
  });

  it('come from a directory, and have layers from directories and a URL', async () => {
    writeFileSync(join(directory, 'bootstrap'), '#!/bin/sh\nexec /opt/run\n', { mode: 0o755 });
    const opt = mkdtempSync(join(directory, 'opt-'));
    const loop =
      'api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"\n' +
      'while :; do\n' +
      '  id=$(curl -s -D - -o /dev/null "$api/next" | tr -d "\\r" | sed -n "s/^Lambda-Runtime-Aws-Request-Id: //Ip")\n' +
      '  curl -s -o /dev/null -d "{\\"statusCode\\":200,\\"body\\":\\"from the layer\\"}" "$api/$id/response"\n' +
      'done\n';
    writeFileSync(join(opt, 'run'), `#!/bin/sh\n${loop}`, { mode: 0o755 });
    const layers = [{ name: 'loop', directory: opt }];
    const definition = { name: 'shell', directory, layers, url: true };
    const { url } = await lamella.functions.put(definition);
    const response = await requestHost(lamella.http.url, new URL(String(url)).host, '/');
    expect(response).toMatchObject({ status: 200, text: 'from the layer' });
    // The same content is not published again.
    expect(await lamella.layers.publish(layers[0] ?? '')).toMatchObject({ version: 1 });
    expect(await lamella.functions.put(definition)).toMatchObject({ change: 'unchanged', url });
    expect(await lamella.functions.put({ ...definition, url: false })).toMatchObject({
      change: 'updated',
      url: undefined,
    });
    await expect(lamella.layers.publish('phq:8.4')).rejects.toThrow('Did you mean "php:VERSION"?');
  });

  it('run in a PHP that the library builds', { timeout: 120_000 }, async () => {
    const code =
      '<?php return fn (array $event): array => ["greeting" => "Hello, {$event["name"]}!", "php" => PHP_VERSION];';
    const definition = { name: 'php', code, handler: 'hello.php', layers: ['php:8.4'], memory: 256 };
    await lamella.functions.put(definition);
    const { payload } = await lamella.invoke<{ greeting: string; php: string }>('php', { name: 'World' });
    expect(payload).toEqual({ greeting: 'Hello, World!', php: expect.stringMatching(/^8\.4\./) });
    // Layers survive a reset, and are neither built nor published again.
    await lamella.reset();
    expect(await lamella.functions.put(definition)).toMatchObject({ change: 'created' });
    expect(await lamella.layers.publish('php:8.4')).toMatchObject({ version: 1 });
  });
});

describe('the clock', () => {
  it('is moved ahead by a duration or to a time, which shows in what waits', async () => {
    await lamella.reset();
    const sqs = new SQSClient(lamella.aws);
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'later' }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x', DelaySeconds: 900 }));
    const receive = async () => (await sqs.send(new ReceiveMessageCommand({ QueueUrl }))).Messages?.length ?? 0;
    expect(await receive()).toBe(0);
    const before = lamella.clock.now().getTime();
    lamella.clock.set(new Date(before + 901_000));
    expect(lamella.clock.epochMs() - before).toBeGreaterThanOrEqual(901_000);
    expect(await receive()).toBe(1);
    expect(() => lamella.clock.set(new Date(before))).toThrow(RangeError);
    await lamella.reset();
    expect(lamella.clock.now().getTime() - before).toBeLessThan(900_000);
    sqs.destroy();
  });
});

describe('a reset', () => {
  it('removes everything but keeps the addresses, connections and layers', async () => {
    const { url } = lamella;
    const [s3, sqs, sns] = [
      new S3Client({ ...lamella.aws, forcePathStyle: true }),
      new SQSClient(lamella.aws),
      new SNSClient(lamella.aws),
    ];
    const [stacks, logs] = [new CloudFormationClient(lamella.aws), new CloudWatchLogsClient(lamella.aws)];
    const contents = async () => ({
      functions: await lamella.functions.list(),
      buckets: (await s3.send(new ListBucketsCommand({}))).Buckets?.length ?? 0,
      queues: (await sqs.send(new ListQueuesCommand({}))).QueueUrls?.length ?? 0,
      topics: (await sns.send(new ListTopicsCommand({}))).Topics?.length ?? 0,
      stacks: (await stacks.send(new DescribeStacksCommand({}))).Stacks?.length ?? 0,
      logGroups: (await logs.send(new DescribeLogGroupsCommand({}))).logGroups?.length ?? 0,
      schedules: lamella.schedules.list().length,
      gateways: Object.keys(lamella.http.list()).length,
    });
    const empty = {
      functions: [],
      buckets: 0,
      queues: 0,
      topics: 0,
      stacks: 0,
      logGroups: 0,
      schedules: 0,
      gateways: 0,
    };
    await lamella.reset();
    expect(await contents()).toEqual(empty);

    await lamella.functions.put({ name: 'echo', code: ECHO, ...NODE, url: true });
    await lamella.invoke('echo', { name: 'x' });
    await s3.send(new CreateBucketCommand({ Bucket: 'files' }));
    await s3.send(new PutObjectCommand({ Bucket: 'files', Key: 'a', Body: 'x' }));
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'jobs' }));
    await sns.send(new CreateTopicCommand({ Name: 'news' }));
    const TemplateBody = JSON.stringify({ Resources: { Q: { Type: 'AWS::SQS::Queue' } } });
    await stacks.send(new CreateStackCommand({ StackName: 'app', TemplateBody }));
    await waitUntilStackCreateComplete(
      { client: stacks, maxWaitTime: 20, minDelay: 0.05, maxDelay: 0.2 },
      { StackName: 'app' },
    );
    lamella.schedules.put('nightly', { function: 'echo', expression: 'rate(1 day)' });
    lamella.http.put('shop', { kind: 'http-api', routes: [{ route: 'GET /', function: 'echo' }] });
    expect(await contents()).toMatchObject({
      functions: ['echo'],
      buckets: 1,
      queues: 2,
      topics: 1,
      stacks: 1,
      schedules: 1,
    });

    // Requests that wait are cut off, and requests that come meanwhile get their responses from the empty service.
    const polling = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 })).catch(() => undefined);
    const [, during] = await Promise.all([lamella.reset(), contents(), polling]);
    expect(during).toEqual(empty);
    expect(lamella.url).toBe(url);
    expect(await contents()).toEqual(empty);
    await lamella.functions.put({ name: 'echo', code: ECHO, ...NODE });
    expect(await lamella.invoke('echo', { name: 'new' })).toMatchObject({ payload: { hello: 'new' }, cold: true });
    expect((await lamella.logs('echo', { filter: '"got x"' })).length).toBe(0);
    for (const client of [s3, sqs, sns, stacks, logs]) client.destroy();
  });

  it('ends invocations that are under way', async () => {
    const code = 'export const handler = () => { console.log("began"); return new Promise(() => {}); };';
    await lamella.functions.put({ name: 'hangs', code, ...NODE, timeout: 900 });
    const hanging = lamella.invoke('hangs').then(
      () => 'returned',
      () => 'refused',
    );
    await until(async () => (await lamella.logs('hangs', { filter: 'began' })).length > 0);
    await lamella.reset();
    expect(await lamella.functions.list()).toEqual([]);
    expect(await hanging).toBeDefined();
  });

  it('works from another process, and is refused for a service that keeps its data', async () => {
    const remote = await connect({ url: lamella.url });
    await remote.functions.put({ name: 'echo', code: ECHO, ...NODE });
    expect(await remote.invoke('echo', { name: 'far' })).toMatchObject({ payload: { hello: 'far' } });
    const before = await remote.clock.now();
    await remote.clock.advance(60_000);
    await remote.clock.set(new Date(before.getTime() + 3_600_000));
    expect((await remote.clock.now()).getTime() - before.getTime()).toBeGreaterThanOrEqual(3_600_000);
    await expect(remote.clock.set(before)).rejects.toThrow('must be a time in ISO 8601 that is not past');
    await remote.reset();
    expect(await lamella.functions.list()).toEqual([]);

    const keeping = await start({ dataDir: join(directory, 'data'), logLevel: 'error' });
    try {
      await keeping.functions.put({ name: 'kept', code: ECHO, ...NODE });
      await expect(keeping.reset()).rejects.toMatchObject({ code: 'cannot-reset' });
      await expect((await connect({ url: keeping.url })).reset()).rejects.toMatchObject({ status: 409 });
      expect(await keeping.functions.list()).toEqual(['kept']);
    } finally {
      await keeping.close();
    }
  });
});
