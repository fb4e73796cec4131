/**
 * Events of queues, topics, buckets, streams, tables, schedules, logs and mail.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
 */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import {
  ACCOUNT,
  arnOf,
  EPOCH_MS,
  EPOCH_SECONDS,
  type EventType,
  eventsOf,
  type Fields,
  globalArnOf,
  PARTITION,
  PLACE,
  REGION,
  REQUEST_ID,
  TIME,
} from './event-type.ts';

const BUCKET = { ...REGION, ...PARTITION, bucket: 'example-bucket', key: 'test/key' } as const;

export const MESSAGING_EVENTS: readonly EventType[] = [
  ...eventsOf('sqs', {
    'receive-message': {
      summary: 'Message of a queue, through an event source mapping',
      fields: { ...PLACE, 'queue-name': 'MyQueue', body: 'Hello from SQS!' },
      build: (f) => ({
        Records: [
          {
            messageId: REQUEST_ID,
            receiptHandle: 'AQEBzWwaftRI0KuVm4tP+/7q1rGgNqicHq==',
            body: f('body'),
            attributes: {
              ApproximateReceiveCount: '1',
              SentTimestamp: String(EPOCH_MS),
              SenderId: f('account-id'),
              ApproximateFirstReceiveTimestamp: String(EPOCH_MS + 1),
            },
            messageAttributes: {},
            md5OfBody: createHash('md5').update(f('body')).digest('hex'),
            eventSource: 'aws:sqs',
            eventSourceARN: arnOf(f, 'sqs', f('queue-name')),
            awsRegion: f('region'),
          },
        ],
      }),
    },
  }),
  ...eventsOf('sns', {
    notification: {
      summary: 'Notification of a topic',
      fields: { ...PLACE, topic: 'ExampleTopic', subject: 'example subject', message: 'example message' },
      build: (f) => {
        const topic = arnOf(f, 'sns', f('topic'));
        const host = `https://sns.${f('region')}.amazonaws.com`;
        return {
          Records: [
            {
              EventSource: 'aws:sns',
              EventVersion: '1.0',
              EventSubscriptionArn: `${topic}:${REQUEST_ID}`,
              Sns: {
                Type: 'Notification',
                MessageId: REQUEST_ID,
                TopicArn: topic,
                Subject: f('subject'),
                Message: f('message'),
                Timestamp: TIME,
                SignatureVersion: '1',
                Signature: 'EXAMPLE',
                SigningCertUrl: `${host}/SimpleNotificationService-example.pem`,
                UnsubscribeUrl: `${host}/?Action=Unsubscribe&SubscriptionArn=${topic}:${REQUEST_ID}`,
                MessageAttributes: {},
              },
            },
          ],
        };
      },
    },
  }),
  ...eventsOf('s3', {
    put: {
      summary: 'Object created',
      fields: { ...BUCKET, size: '1024' },
      build: (f) => notification(f, 'ObjectCreated:Put'),
    },
    delete: { summary: 'Object deleted', fields: BUCKET, build: (f) => notification(f, 'ObjectRemoved:Delete') },
    'batch-invocation': {
      summary: 'Task of S3 Batch Operations',
      fields: { 'bucket-arn': globalArnOf('aws', 's3', 'example-bucket'), key: 'test/key' },
      build: (f) => ({
        invocationSchemaVersion: '1.0',
        invocationId: 'YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo',
        job: { id: REQUEST_ID },
        tasks: [
          {
            taskId: 'dGFza2lkZ29lc2hlcmUK',
            s3Key: encodeKey(f('key')),
            s3VersionId: null,
            s3BucketArn: f('bucket-arn'),
          },
        ],
      }),
    },
  }),
  ...eventsOf('dynamodb', {
    update: {
      summary: 'Records of a table stream: an item inserted, changed and removed',
      fields: { ...PLACE, table: 'ExampleTableWithStream' },
      build: (f) => ({
        Records: [
          tableRecord(f, 1, 'INSERT', { NewImage: { Id: { N: '101' }, Message: { S: 'New item!' } } }),
          tableRecord(f, 2, 'MODIFY', {
            OldImage: { Id: { N: '101' }, Message: { S: 'New item!' } },
            NewImage: { Id: { N: '101' }, Message: { S: 'This item has changed' } },
          }),
          tableRecord(f, 3, 'REMOVE', { OldImage: { Id: { N: '101' }, Message: { S: 'This item has changed' } } }),
        ],
      }),
    },
  }),
  ...eventsOf('cloudwatch', {
    'scheduled-event': {
      summary: 'Scheduled rule of EventBridge',
      fields: { ...PLACE, rule: 'ExampleRule' },
      build: (f) => ({
        ...envelope(f, 'Scheduled Event', 'aws.events', {}),
        resources: [arnOf(f, 'events', `rule/${f('rule')}`)],
      }),
    },
    logs: {
      summary: 'Log events, through a subscription filter',
      fields: {
        ...ACCOUNT,
        'log-group': '/aws/lambda/example',
        'log-stream': '2026/01/15/[$LATEST]0a1b2c3d',
        message: 'ERROR something failed',
      },
      build: (f) => ({ awslogs: { data: gzipSync(JSON.stringify(logData(f))).toString('base64') } }),
    },
  }),
  ...eventsOf('eventbridge', {
    event: {
      summary: 'Event of an application on an event bus',
      fields: { ...REGION, ...ACCOUNT, source: 'my.application', 'detail-type': 'order placed', detail: '{"order":1}' },
      build: (f) => ({ ...envelope(f, f('detail-type'), f('source'), jsonOf(f('detail'))), resources: [] }),
    },
    schedule: {
      summary: 'Schedule of EventBridge Scheduler without an input of its own',
      fields: { ...PLACE, schedule: 'ExampleSchedule' },
      build: (f) => ({
        ...envelope(f, 'Scheduled Event', 'aws.scheduler', '{}'),
        resources: [arnOf(f, 'scheduler', `schedule/default/${f('schedule')}`)],
      }),
    },
  }),
  ...eventsOf('ses', {
    'email-receiving': {
      summary: 'Mail received by a receipt rule',
      fields: {
        ...PLACE,
        from: 'jane@example.com',
        to: 'johndoe@example.com',
        subject: 'Test subject',
        'function-name': 'Example',
      },
      build: mail,
    },
  }),
  ...eventsOf('workmail', {
    email: {
      summary: 'Mail that passes WorkMail',
      fields: {
        'flow-direction': 'INBOUND',
        'mail-from': 'from@example.com',
        sender: 'sender@example.com',
        to: 'to@example.org',
        subject: 'Hello',
      },
      build: (f) => ({
        summaryVersion: '2019-07-28',
        envelope: { mailFrom: { address: f('mail-from') }, recipients: [{ address: f('to') }] },
        sender: { address: f('sender') },
        subject: f('subject'),
        messageId: REQUEST_ID,
        invocationId: '0a1b2c3d4e5f60718293a4b5c6d7e8f9',
        flowDirection: f('flow-direction'),
        truncated: false,
      }),
    },
  }),
];

function encodeKey(key: string): string {
  return key
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/%20/g, '+'))
    .join('/');
}

function notification(f: Fields, eventName: string) {
  const isCreated = eventName.startsWith('ObjectCreated');
  return {
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        awsRegion: f('region'),
        eventTime: TIME,
        eventName,
        userIdentity: { principalId: 'EXAMPLE' },
        requestParameters: { sourceIPAddress: '203.0.113.10' },
        responseElements: {
          'x-amz-request-id': 'EXAMPLE123456789',
          'x-amz-id-2': 'EXAMPLE123/abcdefghijklmnopqrstuvwxyz',
        },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'testConfigRule',
          bucket: {
            name: f('bucket'),
            ownerIdentity: { principalId: 'EXAMPLE' },
            arn: globalArnOf(f('partition'), 's3', f('bucket')),
          },
          object: {
            key: encodeKey(f('key')),
            ...(isCreated && { size: Number(f('size')), eTag: '0123456789abcdef0123456789abcdef' }),
            sequencer: '0A1B2C3D4E5F678901',
          },
        },
      },
    ],
  };
}

function tableRecord(f: Fields, number: number, eventName: string, images: object) {
  return {
    eventID: String(number),
    eventName,
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: f('region'),
    dynamodb: {
      ApproximateCreationDateTime: EPOCH_SECONDS,
      Keys: { Id: { N: '101' } },
      ...images,
      SequenceNumber: String(111 * number),
      SizeBytes: 26,
      StreamViewType: 'NEW_AND_OLD_IMAGES',
    },
    eventSourceARN: arnOf(f, 'dynamodb', `table/${f('table')}/stream/2026-01-01T00:00:00.000`),
  };
}

function envelope(f: Fields, detailType: string, source: string, detail: unknown) {
  return {
    version: '0',
    id: REQUEST_ID,
    'detail-type': detailType,
    source,
    account: f('account-id'),
    time: TIME.replace('.000', ''),
    region: f('region'),
    detail,
  };
}

/** JSON if it is JSON, otherwise the text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function logData(f: Fields) {
  return {
    messageType: 'DATA_MESSAGE',
    owner: f('account-id'),
    logGroup: f('log-group'),
    logStream: f('log-stream'),
    subscriptionFilters: ['example'],
    logEvents: [
      { id: '39421900000000000000000000000000000000000000000000000001', timestamp: EPOCH_MS, message: f('message') },
    ],
  };
}

function mail(f: Fields) {
  const verdict = { status: 'PASS' };
  return {
    Records: [
      {
        eventSource: 'aws:ses',
        eventVersion: '1.0',
        ses: {
          mail: {
            timestamp: TIME,
            source: f('from'),
            messageId: 'o3vrnil0e2ic28tr',
            destination: [f('to')],
            headersTruncated: false,
            headers: [
              { name: 'From', value: f('from') },
              { name: 'To', value: f('to') },
              { name: 'Subject', value: f('subject') },
            ],
            commonHeaders: {
              returnPath: f('from'),
              from: [f('from')],
              date: 'Thu, 15 Jan 2026 12:00:00 +0000',
              to: [f('to')],
              messageId: `<o3vrnil0e2ic28tr@${f('from').split('@').at(-1)}>`,
              subject: f('subject'),
            },
          },
          receipt: {
            timestamp: TIME,
            processingTimeMillis: 574,
            recipients: [f('to')],
            spamVerdict: verdict,
            virusVerdict: verdict,
            spfVerdict: verdict,
            dkimVerdict: verdict,
            dmarcVerdict: verdict,
            action: {
              type: 'Lambda',
              invocationType: 'Event',
              functionArn: arnOf(f, 'lambda', `function:${f('function-name')}`),
            },
          },
        },
      },
    ],
  };
}

/** The data that a subscription filter of CloudWatch Logs puts into a stream. */
export function compressedLogs(f: Fields): string {
  const named = (name: string) =>
    (({ 'log-group': 'example', 'log-stream': 'example', message: 'log line' }) as Record<string, string>)[name] ??
    f(name);
  return gzipSync(JSON.stringify(logData(named))).toString('base64');
}
