/** FIFO queues and topics keep their promises through `kill -9`: order, deduplication, messages in flight, attempts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as sns from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildIfStale, type StartedService, startLamella } from '../support/built-cli.ts';

let directory: string;
let service: StartedService;
let queues: sqs.SQSClient;
let topics: sns.SNSClient;

const OPTIONS = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1 };

async function begin(port = '0'): Promise<void> {
  const args = ['--data-dir', join(directory, 'data'), '--port', port, '--http-port', '0'];
  service = await startLamella(args);
  queues?.destroy();
  topics?.destroy();
  queues = new sqs.SQSClient({ endpoint: service.url, ...OPTIONS });
  topics = new sns.SNSClient({ endpoint: service.url, ...OPTIONS });
}

async function crash(): Promise<void> {
  await service.stop('SIGKILL');
  await begin(new URL(service.url).port);
}

beforeEach(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-fifo-'));
  await begin();
});
afterEach(async () => {
  queues.destroy();
  topics.destroy();
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
});

const createQueue = async (QueueName: string, more: Record<string, string> = {}) => {
  const Attributes = { FifoQueue: 'true', ...more };
  return (await queues.send(new sqs.CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? '';
};
const send = (QueueUrl: string, MessageBody: string) =>
  queues.send(
    new sqs.SendMessageCommand({
      QueueUrl,
      MessageBody,
      MessageGroupId: MessageBody.split('-')[0],
      MessageDeduplicationId: MessageBody,
    }),
  );
const receive = async (QueueUrl: string, more: Partial<sqs.ReceiveMessageCommandInput> = {}) =>
  (await queues.send(new sqs.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...more }))).Messages ?? [];
const remove = (QueueUrl: string, { ReceiptHandle }: sqs.Message) =>
  queues.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
const bodies = (messages: readonly sqs.Message[]) => messages.map(({ Body }) => Body);

describe('after kill -9 and a restart', () => {
  it('messages in flight stay in flight, and their receipt handles, deduplication and attempts are valid', async () => {
    const url = await createQueue('q.fifo');
    const first = await send(url, 'g-1');
    for (const body of ['g-2', 'h-1', 'i-1']) await send(url, body);
    const attempt = { MaxNumberOfMessages: 1, VisibilityTimeout: 3600, ReceiveRequestAttemptId: 'try' };
    const [inFlight] = await receive(url, attempt);
    expect(inFlight?.Body).toBe('g-1');
    await crash();
    expect(await receive(url, attempt)).toEqual([inFlight]);
    expect(bodies(await receive(url, { VisibilityTimeout: 3600 })).sort()).toEqual(['h-1', 'i-1']);
    const again = await send(url, 'g-1');
    expect([again.MessageId, again.SequenceNumber]).toEqual([first.MessageId, first.SequenceNumber]);
    await remove(url, inFlight ?? {});
    expect(bodies(await receive(url))).toEqual(['g-2']);
    expect((await send(url, 'g-3')).SequenceNumber?.localeCompare(first.SequenceNumber ?? '')).toBe(1);
  });

  it('a topic does not deliver a message again, and delivers new ones', async () => {
    const url = await createQueue('q.fifo', { ContentBasedDeduplication: 'true' });
    const Attributes = { FifoTopic: 'true', ContentBasedDeduplication: 'true' };
    const { TopicArn } = await topics.send(new sns.CreateTopicCommand({ Name: 't.fifo', Attributes }));
    const Endpoint = 'arn:aws:sqs:us-east-1:123456789012:q.fifo';
    const raw = { Protocol: 'sqs', Endpoint, Attributes: { RawMessageDelivery: 'true' } };
    await topics.send(new sns.SubscribeCommand({ TopicArn, ...raw }));
    const publish = (Message: string) =>
      topics.send(new sns.PublishCommand({ TopicArn, Message, MessageGroupId: 'g' }));
    const first = await publish('one');
    for (const message of await receive(url)) await remove(url, message);
    await crash();
    expect((await publish('one')).MessageId).toBe(first.MessageId);
    const second = await publish('two');
    expect(BigInt(second.SequenceNumber ?? 0)).toBeGreaterThan(BigInt(first.SequenceNumber ?? 0));
    expect(bodies(await receive(url))).toEqual(['two']);
  });
});

it('every acknowledged message is received once and in the order of its group, however often the service is killed', async () => {
  const url = await createQueue('q.fifo', { VisibilityTimeout: '2' });
  const groups = ['a', 'b', 'c'];
  const each = 25;
  let crashing: Promise<void> = Promise.resolve();
  /** Repeats a call until the service responds. */
  const until = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    for (;;) {
      await crashing;
      try {
        return await call();
      } catch (failure) {
        // A response means that the call itself is wrong.
        if ((failure as { $response?: unknown }).$response !== undefined) throw failure;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  };
  const ids = new Map<string, Set<string | undefined>>();
  const sending = groups.map(async (group) => {
    for (let number = 1; number <= each; number += 1) {
      const body = `${group}-${number}`;
      const { MessageId } = await until(() => send(url, body));
      ids.set(body, (ids.get(body) ?? new Set()).add(MessageId));
    }
  });
  const done: string[] = [];
  const processed = new Set<string>();
  let kills = 0;
  while (processed.size < groups.length * each) {
    const messages = await until(() => receive(url, { MaxNumberOfMessages: 3, WaitTimeSeconds: 1 }));
    for (const message of messages) {
      const body = message.Body ?? '';
      if (!processed.has(body)) done.push(body);
      // A message whose deletion has no response may be received again.
      processed.add(body);
      const isGone = await until(() => remove(url, message).then(() => true)).catch(() => false);
      if (!isGone) break;
    }
    if (kills < 3 && processed.size > (kills + 1) * each * 0.7) {
      kills += 1;
      crashing = crash();
    }
  }
  await Promise.all(sending);
  for (const group of groups) {
    expect(done.filter((body) => body.startsWith(`${group}-`))).toEqual(
      Array.from({ length: each }, (_, index) => `${group}-${index + 1}`),
    );
  }
  expect([...ids.values()].every((seen) => seen.size === 1)).toBe(true);
  expect(kills).toBe(3);
  expect(await receive(url)).toEqual([]);
}, 120_000);
