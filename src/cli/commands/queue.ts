/** `lamella queue`: looks into queues of SQS, and moves messages in and out. The public SQS API does the work. */
import { OperatorError } from '../../operator-error.ts';
import { nearestOf } from '../../options.ts';
import { arnElements } from '../../protocol/arn.ts';
import type { Run } from '../command.ts';
import { readText } from '../event-input.ts';
import { writeJson, writeResult } from '../output.ts';
import { clientOf, type Json, type ServiceClient } from '../service-client.ts';

/** As many as SQS returns at once. */
const MAX_MESSAGES = 10;

export const runList: Run = async ({ given }) => {
  const client = await clientOf(given, 'queue list');
  const queues = await Promise.all((await urlsOf(client)).map((url) => describe(client, url)));
  if (given.json) await writeJson({ queues });
  else if (queues.length === 0) await writeResult(`No queues in ${client.target.region}.\n`);
  else {
    const width = Math.max(...queues.map(({ name }) => name.length));
    const lines = queues.map(({ name, visible, inFlight, delayed, deadLetterQueue }) => {
      const target = deadLetterQueue === undefined ? '' : `, dead letters to ${deadLetterQueue}`;
      return `${name.padEnd(width)}  ${visible} waiting, ${inFlight} in flight, ${delayed} delayed${target}\n`;
    });
    await writeResult(lines.join(''));
  }
  return 0;
};

export const runSend: Run = async ({ args, given }) => {
  const client = await clientOf(given, 'queue send');
  const QueueUrl = await urlOf(client, args[0] ?? '', 'queue send');
  if (given.data === undefined) throw usage('Give the message with --data, or --data @FILE.', 'queue send');
  const sent = await client.sqs('SendMessage', {
    QueueUrl,
    MessageBody: (await readText('--data', String(given.data))).toString(),
    ...(given.delay !== undefined && { DelaySeconds: numberOf(given.delay, '--delay', 'queue send') }),
    ...(given.groupId !== undefined && { MessageGroupId: String(given.groupId) }),
    ...(given.deduplicationId !== undefined && { MessageDeduplicationId: String(given.deduplicationId) }),
  });
  if (given.json) await writeJson(sent);
  else await writeResult(`Sent ${sent.MessageId}.\n`);
  return 0;
};

export const runReceive: Run = async ({ args, given }) => {
  const command = 'queue receive';
  const client = await clientOf(given, command);
  const QueueUrl = await urlOf(client, args[0] ?? '', command);
  const { Messages: messages = [] } = await client.sqs('ReceiveMessage', {
    QueueUrl,
    MaxNumberOfMessages: numberOf(given.max ?? 1, '--max', command),
    WaitTimeSeconds: numberOf(given.wait ?? 0, '--wait', command),
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
    // Without --delete, looking at a message leaves it where it is.
    ...(given.delete ? {} : { VisibilityTimeout: 0 }),
  });
  if (given.delete && messages.length > 0) {
    const Entries = messages.map(({ ReceiptHandle }: Json, at: number) => ({ Id: String(at), ReceiptHandle }));
    await client.sqs('DeleteMessageBatch', { QueueUrl, Entries });
  }
  if (given.json) await writeJson({ messages });
  else if (messages.length === 0) await writeResult('No messages.\n');
  else await writeResult(messages.map(({ MessageId, Body }: Json) => `${MessageId}  ${Body}\n`).join(''));
  return 0;
};

export const runPurge: Run = async ({ args, given }) => {
  const client = await clientOf(given, 'queue purge');
  await client.sqs('PurgeQueue', { QueueUrl: await urlOf(client, args[0] ?? '', 'queue purge') });
  if (given.json) await writeJson({ purged: args[0] });
  else await writeResult(`Removed all messages from ${args[0]}.\n`);
  return 0;
};

/** Moves the messages of a dead-letter queue back to where they came from. */
export const runRedrive: Run = async ({ args, given }) => {
  const client = await clientOf(given, 'queue redrive');
  const url = await urlOf(client, args[0] ?? '', 'queue redrive');
  const { Attributes } = await client.sqs('GetQueueAttributes', { QueueUrl: url, AttributeNames: ['QueueArn'] });
  const SourceArn = Attributes.QueueArn;
  await client.sqs('StartMessageMoveTask', { SourceArn });
  const { Results = [] } = await client.sqs('ListMessageMoveTasks', { SourceArn, MaxResults: 1 });
  const [task = {}] = Results as Json[];
  const moved = task.ApproximateNumberOfMessagesMoved ?? 0;
  if (given.json) await writeJson({ status: task.Status, moved });
  else await writeResult(`Moved ${moved} ${moved === 1 ? 'message' : 'messages'} from ${args[0]} (${task.Status}).\n`);
  return task.Status === 'FAILED' ? 1 : 0;
};

async function urlsOf(client: ServiceClient): Promise<string[]> {
  const { QueueUrls = [] } = await client.sqs('ListQueues', {});
  return QueueUrls;
}

async function urlOf(client: ServiceClient, name: string, command: string): Promise<string> {
  if (/^https?:\/\//.test(name)) return name;
  try {
    return (await client.sqs('GetQueueUrl', { QueueName: name })).QueueUrl;
  } catch (failure) {
    const { code } = ((failure as Error).cause ?? {}) as { code?: string };
    if (code === undefined || !/NonExistentQueue|QueueDoesNotExist/.test(code)) throw failure;
    const names = (await urlsOf(client)).map((url) => url.split('/').at(-1) ?? '');
    const nearest = nearestOf(name, names);
    const hint = nearest !== undefined ? `Did you mean ${nearest}?` : `Queues: ${names.join(', ') || 'none'}.`;
    throw usage(`There is no queue "${name}" in ${client.target.region}. ${hint}`, command);
  }
}

async function describe(client: ServiceClient, url: string) {
  const { Attributes } = await client.sqs('GetQueueAttributes', { QueueUrl: url, AttributeNames: ['All'] });
  const redrive = Attributes.RedrivePolicy === undefined ? undefined : JSON.parse(Attributes.RedrivePolicy);
  return {
    name: url.split('/').at(-1) ?? '',
    url,
    visible: Number(Attributes.ApproximateNumberOfMessages),
    inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
    delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed),
    deadLetterQueue: redrive === undefined ? undefined : arnElements(String(redrive.deadLetterTargetArn)).at(-1),
  };
}

function numberOf(value: unknown, flag: string, command: string): number {
  if (/^\d{1,5}$/.test(String(value))) return Math.min(Number(value), flag === '--max' ? MAX_MESSAGES : 900);
  throw usage(`${flag} must be a whole number, not "${value}".`, command);
}

function usage(reason: string, command: string): OperatorError {
  return new OperatorError('usage', { reason, command });
}
