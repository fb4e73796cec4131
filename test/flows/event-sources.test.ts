/** Event source mappings of queues through the whole service: batches, failures, and changes of a mapping. */
import {
  CreateEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
  DeleteEventSourceMappingCommand,
  DeleteFunctionConcurrencyCommand,
  GetEventSourceMappingCommand,
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateEventSourceMappingCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SendMessageCommandInput,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, LISTENING_RUNTIME, type Listener, listenForEvents } from '../support/event-listener.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { deferred } from '../support/runtime-harness.ts';

const ACCOUNT = '123456789012';
const FUNCTION = `arn:aws:lambda:us-east-1:${ACCOUNT}:function`;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Records = { readonly Records: readonly { readonly messageId: string; readonly body: string }[] };

let service: RunningService;
let listener: Listener;
let sqs: SQSClient;

beforeAll(async () => {
  service = await startService();
  listener = await listenForEvents();
  sqs = sqsClient(service.url);
});
afterAll(async () => {
  sqs.destroy();
  await service.close();
  await listener.close();
});

const sqsClient = (endpoint: string) =>
  new SQSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });

/** A function that posts each event to the listener and responds with the listener's response. */
const create = (name: string, to: RunningService = service) =>
  to.createFunction(
    name,
    { bootstrap: LISTENING_RUNTIME },
    // The listener may hold an invocation until another one runs. Less than the visibility timeout of the queue.
    { Timeout: 20, Environment: { Variables: { LISTENER: `${listener.url}/${name}` } } },
  );

/** Creates a function and a queue with this name, and maps the queue to the function. */
async function map(
  name: string,
  mapping: Partial<CreateEventSourceMappingCommandInput> = {},
  queueAttributes: Record<string, string> = {},
): Promise<{ readonly queue: Queue; readonly uuid: string }> {
  await create(name);
  const queue = await createQueue(name, queueAttributes);
  return { queue, uuid: await mapTo(name, queue, mapping) };
}

async function mapTo(
  FunctionName: string,
  { arn }: Pick<Queue, 'arn'>,
  more: Partial<CreateEventSourceMappingCommandInput> = {},
): Promise<string> {
  const { UUID: uuid = '' } = await service.client.send(
    new CreateEventSourceMappingCommand({ FunctionName, EventSourceArn: arn, ...more }),
  );
  return uuid;
}

type Queue = {
  readonly arn: string;
  send(body: string, more?: Partial<SendMessageCommandInput>): Promise<string>;
  /** In one batch, so that all are visible at the same time. */
  sendAll(...bodies: string[]): Promise<void>;
  receive(): Promise<Message[]>;
  /** The numbers of visible messages and of messages in flight. */
  counts(): Promise<{ readonly visible: number; readonly taken: number }>;
};

async function createQueue(name: string, Attributes: Record<string, string> = {}, client = sqs): Promise<Queue> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
  return {
    arn: `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`,
    async send(MessageBody, more = {}) {
      const { MessageId = '' } = await client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }));
      return MessageId;
    },
    async sendAll(...bodies) {
      const Entries = bodies.map((MessageBody, index) => ({ Id: `m${index}`, MessageBody }));
      await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    },
    async receive() {
      const more = { MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: ['All'] };
      return (await client.send(new ReceiveMessageCommand({ QueueUrl, ...more }))).Messages ?? [];
    },
    async counts() {
      const { Attributes = {} } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      );
      return {
        visible: Number(Attributes.ApproximateNumberOfMessages),
        taken: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
      };
    },
  };
}

const empty = (queue: Queue) => eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 0 }));
const bodies = ({ event }: { readonly event: unknown }) => (event as Records).Records.map(({ body }) => body);
const pass = (seconds: number) => service.lamella.clock.advance(seconds * 1000);

describe('a batch', () => {
  it("is SQS's event, and its messages are deleted after it has succeeded", async () => {
    const { queue } = await map('exact');
    const messageId = await queue.send('hello', {
      MessageAttributes: {
        text: { DataType: 'String', StringValue: 't' },
        bytes: { DataType: 'Binary', BinaryValue: Buffer.from('b') },
      },
    });
    const { event, arn } = await listener.next('exact');
    expect(arn).toBe(`${FUNCTION}:exact`);
    expect(event).toEqual({
      Records: [
        {
          messageId,
          receiptHandle: expect.any(String),
          body: 'hello',
          attributes: {
            ApproximateReceiveCount: '1',
            SentTimestamp: expect.stringMatching(/^\d{13}$/),
            SenderId: ACCOUNT,
            ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
          },
          messageAttributes: {
            bytes: { binaryValue: 'Yg==', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
            text: { stringValue: 't', stringListValues: [], binaryListValues: [], dataType: 'String' },
          },
          md5OfMessageAttributes: expect.stringMatching(/^[0-9a-f]{32}$/),
          md5OfBody: '5d41402abc4b2a76b9719d911017c592',
          eventSource: 'aws:sqs',
          eventSourceARN: queue.arn,
          awsRegion: 'us-east-1',
        },
      ],
    });
    await empty(queue);
  });

  it('contains the available messages, up to its size', async () => {
    await create('sized');
    const queue = await createQueue('sized');
    await queue.sendAll('1', '2', '3', '4', '5');
    await mapTo('sized', queue, { BatchSize: 2 });
    const batches = [await listener.next('sized'), await listener.next('sized'), await listener.next('sized')];
    expect(batches.map((batch) => bodies(batch).length).sort()).toEqual([1, 2, 2]);
    expect(batches.flatMap(bodies).sort()).toEqual(['1', '2', '3', '4', '5']);
    await empty(queue);
  });

  it('larger than ten is collected for the length of its window', async () => {
    const { queue } = await map('gathers', { BatchSize: 100, MaximumBatchingWindowInSeconds: 20 });
    await queue.sendAll(...Array.from({ length: 10 }, (_, n) => `${n}`));
    await queue.sendAll('10', '11');
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 12 }));
    expect(listener.waiting('gathers')).toBe(0);
    pass(20);
    const run = await listener.next('gathers');
    expect(bodies(run)).toHaveLength(12);
    // Recorded on AWS: the records of a mapping with a window have no digest.
    expect((run.event as Records).Records[0]).toMatchObject({ md5OfMessageAttributes: null });
    await empty(queue);
  });

  it('of messages that do not match the filter is deleted without an invocation', async () => {
    const Filters = [{ Pattern: '{"body":{"kind":["wanted"]}}' }];
    await create('filters');
    const queue = await createQueue('filters');
    await queue.sendAll('{"kind":"unwanted"}', 'plain', '{"kind":"wanted"}');
    await mapTo('filters', queue, { FilterCriteria: { Filters } });
    expect(bodies(await listener.next('filters'))).toEqual(['{"kind":"wanted"}']);
    await empty(queue);
    expect(listener.seen('filters')).toHaveLength(1);
  });

  it('never runs with more others than MaximumConcurrency allows', async () => {
    let running = 0;
    let most = 0;
    let meet = () => {};
    const bothRun = new Promise<void>((resolve) => (meet = resolve));
    listener.respond('at-most-two', async () => {
      most = Math.max(most, ++running);
      if (running === 2) meet();
      await bothRun;
      // Meanwhile others would have started, as those without a limit have.
      await unlimitedRun;
      running -= 1;
      return { status: 200 };
    });
    let unlimited = 0;
    let allRun = () => {};
    const unlimitedRun = new Promise<void>((resolve) => (allRun = resolve));
    listener.respond('without-limit', async () => {
      if (++unlimited === 4) allRun();
      await unlimitedRun;
      return { status: 200 };
    });
    const other = await map('without-limit', { BatchSize: 1 });
    const { queue } = await map('at-most-two', { BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
    await queue.sendAll('1', '2', '3', '4');
    await bothRun;
    await other.queue.sendAll('1', '2', '3', '4');
    await empty(queue);
    await empty(other.queue);
    expect(listener.seen('at-most-two')).toHaveLength(4);
    expect(most).toBe(2);
  });
});

describe('a batch of a FIFO queue', () => {
  const FIFO = { FifoQueue: 'true', ContentBasedDeduplication: 'true' };
  const sendGroups = async (queue: Queue, ...all: string[]) => {
    for (const body of all) await queue.send(body, { MessageGroupId: body.split('-')[0] });
  };

  it('has messages in order, and no group is in two batches at once', async () => {
    let running = new Set<string>();
    let overlaps = 0;
    const first = deferred<void>();
    const third = deferred<void>();
    listener.respond('in-order', async ({ event }) => {
      const groups = new Set(bodies({ event }).map((body) => body.split('-')[0] ?? ''));
      for (const group of groups) if (running.has(group)) overlaps += 1;
      running = new Set([...running, ...groups]);
      first.resolve();
      if (groups.has('third') || overlaps > 0) third.resolve();
      // Until the poller has received again, past the messages of the groups that run.
      await third.promise;
      running = new Set([...running].filter((group) => !groups.has(group)));
      return { status: 200 };
    });
    await create('in-order');
    const queue = await createQueue('in-order.fifo', FIFO);
    await sendGroups(queue, ...Array.from({ length: 12 }, (_, index) => `${index % 2 ? 'odd' : 'even'}-${index}`));
    await mapTo('in-order', queue, { BatchSize: 2 });
    await first.promise;
    await sendGroups(queue, 'third-12');
    await empty(queue);
    const seen = listener.seen('in-order').flatMap(bodies);
    for (const group of ['even', 'odd']) {
      const numbers = seen.filter((body) => body.startsWith(group)).map((body) => Number(body.split('-')[1]));
      expect(numbers).toHaveLength(6);
      expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    }
    expect(overlaps).toBe(0);
    const attributes = {
      MessageGroupId: expect.stringMatching(/^(even|odd)$/),
      SequenceNumber: expect.stringMatching(/^\d{20}$/),
    };
    expect(listener.seen('in-order')[0]).toMatchObject({
      event: { Records: [{ eventSourceARN: queue.arn, attributes }, {}] },
    });
  });

  it('holds up its groups, and no others, while it fails', async () => {
    let failures = 0;
    listener.respond('holds-up', ({ event }) => {
      const fails = bodies({ event }).includes('g-1') && failures === 0;
      if (fails) failures += 1;
      return { status: fails ? 500 : 200 };
    });
    await create('holds-up');
    const queue = await createQueue('holds-up.fifo', FIFO);
    await sendGroups(queue, 'g-1', 'g-2', 'h-1');
    await mapTo('holds-up', queue, { BatchSize: 1 });
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 1, taken: 1 }));
    pass(30);
    await empty(queue);
    const seen = listener.seen('holds-up').flatMap(bodies);
    expect(seen.filter((body) => body !== 'h-1')).toEqual(['g-1', 'g-1', 'g-2']);
    expect(seen.slice(0, 2)).toContain('h-1');
  });

  it('keeps the messages behind a failed one of their group', async () => {
    let failures = 0;
    listener.respond('in-part-fifo', ({ event }) => {
      const bad = (event as Records).Records.filter(({ body }) => body === 'g-2' && failures === 0);
      failures += bad.length;
      const batchItemFailures = bad.map(({ messageId }) => ({ itemIdentifier: messageId }));
      return { status: 200, body: { batchItemFailures } };
    });
    await create('in-part-fifo');
    const queue = await createQueue('in-part.fifo', FIFO);
    await sendGroups(queue, 'g-1', 'g-2', 'g-3', 'h-1');
    await mapTo('in-part-fifo', queue, { FunctionResponseTypes: ['ReportBatchItemFailures'] });
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 2 }));
    pass(30);
    await empty(queue);
    expect(listener.seen('in-part-fifo').map(bodies)).toEqual([
      ['g-1', 'g-2', 'g-3', 'h-1'],
      ['g-2', 'g-3'],
    ]);
  });

  it('has at most 10 messages and no window', async () => {
    await create('no-window');
    const queue = await createQueue('no-window.fifo', FIFO);
    await expect(mapTo('no-window', queue, { MaximumBatchingWindowInSeconds: 1 })).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: 'Batching window is not supported for FIFO queues',
    });
    await expect(mapTo('no-window', queue, { BatchSize: 11 })).rejects.toThrow('Maximum batch window');
    const uuid = await mapTo('no-window', queue, { BatchSize: 10 });
    const update = { UUID: uuid, MaximumBatchingWindowInSeconds: 1 };
    await expect(service.client.send(new UpdateEventSourceMappingCommand(update))).rejects.toThrow('Batching window');
  });
});

describe('a message that was not processed', () => {
  it('becomes visible again after the visibility timeout', async () => {
    listener.respond('fails-once', () => ({ status: listener.seen('fails-once').length === 1 ? 500 : 200 }));
    const { queue } = await map('fails-once', {}, { VisibilityTimeout: '60' });
    await queue.send('x');
    await listener.next('fails-once');
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 1 }));
    pass(59);
    expect(listener.waiting('fails-once')).toBe(0);
    pass(1);
    const { event } = await listener.next('fails-once');
    expect((event as Records).Records[0]).toMatchObject({ attributes: { ApproximateReceiveCount: '2' } });
    await empty(queue);
  });

  it('alone becomes visible again when the function reports it as a batch item failure', async () => {
    listener.respond('in-part', ({ event }) => ({
      status: 200,
      body: {
        batchItemFailures: (event as Records).Records.filter(({ body }) => body === 'bad').map(({ messageId }) => ({
          itemIdentifier: messageId,
        })),
      },
    }));
    await create('in-part');
    const queue = await createQueue('in-part');
    await queue.sendAll('good', 'bad');
    await mapTo('in-part', queue, { FunctionResponseTypes: ['ReportBatchItemFailures'] });
    expect(bodies(await listener.next('in-part')).sort()).toEqual(['bad', 'good']);
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 1 }));
    pass(30);
    expect(bodies(await listener.next('in-part'))).toEqual(['bad']);
  });

  it('goes to the dead-letter queue when it was received too often, and delays no other', async () => {
    listener.respond('is-poisoned', ({ event }) => ({ status: bodies({ event }).includes('poison') ? 500 : 200 }));
    const dead = await createQueue('is-poisoned-dead');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 2 });
    const { queue } = await map('is-poisoned', { BatchSize: 1 }, { RedrivePolicy });
    await queue.send('poison');
    await listener.next('is-poisoned');
    await queue.send('fine');
    expect(bodies(await listener.next('is-poisoned'))).toEqual(['fine']);
    pass(30);
    expect(bodies(await listener.next('is-poisoned'))).toEqual(['poison']);
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 1 }));
    pass(30);
    expect((await dead.receive()).map(({ Body }) => Body)).toEqual(['poison']);
    await empty(queue);
    expect(listener.seen('is-poisoned')).toHaveLength(3);
  });

  it('becomes visible again when the function crashes', async () => {
    const dead = await createQueue('dies-dead');
    await service.createFunction('dies', { bootstrap: shellRuntime('  exit 7') });
    const queue = await createQueue('dies', {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 1 }),
    });
    await mapTo('dies', queue);
    await queue.send('x');
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 1 }));
    await eventually(async () => {
      pass(30);
      expect(await dead.counts()).toMatchObject({ visible: 1 });
    });
  });

  it('waits while the function is throttled', async () => {
    await create('throttled');
    const allowed = (ReservedConcurrentExecutions: number) =>
      service.client.send(
        new PutFunctionConcurrencyCommand({ FunctionName: 'throttled', ReservedConcurrentExecutions }),
      );
    await allowed(0);
    // Long enough to keep the message invisible while the clock advances.
    const queue = await createQueue('throttled', { VisibilityTimeout: '43200' });
    await mapTo('throttled', queue);
    await queue.send('x');
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 0, taken: 1 }));
    await service.client.send(new DeleteFunctionConcurrencyCommand({ FunctionName: 'throttled' }));
    await eventually(() => {
      pass(5);
      expect(listener.seen('throttled')).toHaveLength(1);
    });
    await empty(queue);
  });

  it('of a recursive loop is dropped after sixteen runs', async () => {
    const dead = await createQueue('circle-dead');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 100 });
    const { queue } = await map('circle', {}, { RedrivePolicy });
    const send = (trace?: string) =>
      queue.send('x', {
        ...(trace !== undefined && {
          MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: trace } },
        }),
      });
    await send();
    for (let run = 1; run <= 16; run += 1) await send((await listener.next('circle')).trace);
    expect(await dead.receive()).toHaveLength(1);
    await empty(queue);
    expect(listener.seen('circle')).toHaveLength(16);
  });
});

describe('a mapping', () => {
  const read = (uuid: string) => service.client.send(new GetEventSourceMappingCommand({ UUID: uuid }));

  it("can be disabled and enabled, with AWS's states", async () => {
    await create('pauses');
    const queue = await createQueue('pauses');
    const created = await service.client.send(
      new CreateEventSourceMappingCommand({ FunctionName: 'pauses', EventSourceArn: queue.arn }),
    );
    // Recorded on AWS (2025-11), except for UUID and times.
    expect({ ...created, $metadata: undefined }).toEqual({
      UUID: expect.stringMatching(UUID),
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: 0,
      FunctionResponseTypes: [],
      EventSourceArn: queue.arn,
      EventSourceMappingArn: `arn:aws:lambda:us-east-1:${ACCOUNT}:event-source-mapping:${created.UUID}`,
      FunctionArn: `${FUNCTION}:pauses`,
      LastModified: expect.any(Date),
      State: 'Creating',
      StateTransitionReason: 'USER_INITIATED',
    });
    const uuid = created.UUID ?? '';
    const set = (Enabled: boolean) => service.client.send(new UpdateEventSourceMappingCommand({ UUID: uuid, Enabled }));
    expect((await read(uuid)).State).toBe('Enabled');
    expect((await set(false)).State).toBe('Disabling');
    expect((await read(uuid)).State).toBe('Disabled');
    await queue.send('x');
    expect(await queue.counts()).toEqual({ visible: 1, taken: 0 });
    expect((await set(true)).State).toBe('Enabling');
    expect(bodies(await listener.next('pauses'))).toEqual(['x']);
    await empty(queue);
  });

  it('that is deleted finishes its running batch, and receives no more', async () => {
    let release = () => {};
    listener.respond('is-deleted', () => new Promise((resolve) => (release = () => resolve({ status: 200 }))));
    const { queue, uuid } = await map('is-deleted', { BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
    await queue.send('runs');
    await listener.next('is-deleted');
    const deleted = await service.client.send(new DeleteEventSourceMappingCommand({ UUID: uuid }));
    expect(deleted.State).toBe('Deleting');
    await expect(read(uuid)).rejects.toThrow('The resource you requested does not exist.');
    await queue.send('stays');
    release();
    await eventually(async () => expect(await queue.counts()).toEqual({ visible: 1, taken: 0 }));
    expect(listener.seen('is-deleted')).toHaveLength(1);
  });

  it("is rejected if the queue does not exist, or if its visibility timeout is shorter than the function's timeout", async () => {
    await service.createFunction('takes-long', { bootstrap: LISTENING_RUNTIME }, { Timeout: 31 });
    const queue = await createQueue('takes-long');
    await expect(mapTo('takes-long', queue)).rejects.toThrow(
      'Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds',
    );
    await expect(mapTo('takes-long', { arn: `${queue.arn}-not` })).rejects.toThrow(
      'Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. ' +
        'SQS Error Message: The specified queue does not exist.',
    );
  });

  it('of a stream is stored, and reports that nothing was processed', async () => {
    await create('streams');
    const EventSourceArn = `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/s`;
    const { UUID: uuid = '' } = await service.client.send(
      new CreateEventSourceMappingCommand({ FunctionName: 'streams', EventSourceArn, StartingPosition: 'LATEST' }),
    );
    expect(await read(uuid)).toMatchObject({ State: 'Enabled', LastProcessingResult: 'No records processed' });
  });
});

describe('SQS elsewhere (--sqs-endpoint)', () => {
  let near: RunningService;
  beforeAll(async () => {
    near = await startService({ sqsEndpoint: service.url });
  });
  afterAll(() => near.close());

  it('feeds the mappings', async () => {
    await create('far', near);
    const queue = await createQueue('far');
    await near.client.send(new CreateEventSourceMappingCommand({ FunctionName: 'far', EventSourceArn: queue.arn }));
    await queue.send('over there');
    expect(bodies(await listener.next('far'))).toEqual(['over there']);
    await empty(queue);
  });

  it('receives records of destinations and dead letters', async () => {
    const failed = await createQueue('far-failed');
    const dead = await createQueue('far-dead');
    listener.respond('far-fails', () => ({ status: 500, body: { errorMessage: 'no' } }));
    await create('far-fails', near);
    const FunctionName = 'far-fails';
    await near.client.send(
      new UpdateFunctionConfigurationCommand({ FunctionName, DeadLetterConfig: { TargetArn: dead.arn } }),
    );
    await near.client.send(
      new PutFunctionEventInvokeConfigCommand({
        FunctionName,
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: failed.arn } },
      }),
    );
    await near.client.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload: '{"n":1}' }));
    const [record] = await failed.receive();
    expect(JSON.parse(record?.Body ?? '')).toMatchObject({ requestContext: { condition: 'RetriesExhausted' } });
    const [letter] = await dead.receive();
    expect([letter?.Body, letter?.MessageAttributes?.ErrorMessage?.StringValue]).toEqual(['{"n":1}', 'no']);
  });
});
