/**
 * Events of Kinesis: streams, and the transformations of Firehose and of Kinesis Data Analytics, whose answers go back to
 * the delivery stream.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
 */
import {
  ACCOUNT,
  arnOf,
  base64,
  EPOCH_MS,
  EPOCH_SECONDS,
  type EventType,
  eventsOf,
  type Fields,
  PARTITION,
  PLACE,
  REGION,
  REQUEST_ID,
} from './event-type.ts';
import { compressedLogs } from './messaging-events.ts';

const SEQUENCE = '49590338271490256608559692538361571095921575989136588898';
const KINESIS = { ...REGION, ...PARTITION, ...ACCOUNT, stream: 'example' } as const;
const APPLICATION = { ...PLACE, application: 'example-application' } as const;
const ANALYTICS = { ...APPLICATION, stream: 'example-stream' } as const;
const FIREHOSE = { ...PLACE, 'delivery-stream': 'example', data: 'Hello, this is a test 123.' } as const;
/** `{"message":"compressed"}`, by gzip. */
const GZIPPED = 'H4sIAAAAAAAC/6tWyk0tLk5MT1WyUkrOzy0oAvJSU5RqAcsAEZAYAAAA';
const SYSLOG = '<34>Jan 15 12:00:00 mymachine su: session opened for user root';
const APACHE = '203.0.113.10 - - [15/Jan/2026:12:00:00 +0000] "GET /index.html HTTP/1.1" 200 6291';

export const STREAM_EVENTS: readonly EventType[] = eventsOf('kinesis', {
  'get-records': {
    summary: 'Record of a stream, through an event source mapping',
    fields: { ...KINESIS, sequence: SEQUENCE, data: 'Hello, this is a test 123.', 'partition-key': 'partitionKey-03' },
    build: (f) => ({
      Records: [
        {
          kinesis: {
            kinesisSchemaVersion: '1.0',
            partitionKey: f('partition-key'),
            sequenceNumber: f('sequence'),
            data: base64(f('data')),
            approximateArrivalTimestamp: EPOCH_SECONDS + 0.087,
          },
          eventSource: 'aws:kinesis',
          eventVersion: '1.0',
          eventID: `shardId-000000000000:${f('sequence')}`,
          eventName: 'aws:kinesis:record',
          invokeIdentityArn: arnOf(f, 'iam', 'role/lambda-kinesis-role').replace(`:${f('region')}:`, '::'),
          awsRegion: f('region'),
          eventSourceARN: arnOf(f, 'kinesis', `stream/${f('stream')}`),
        },
      ],
    }),
  },
  'kinesis-firehose': {
    summary: 'Records that Firehose lets a function transform',
    fields: FIREHOSE,
    build: (f) => firehose(f, [{ data: base64(f('data')) }]),
  },
  'streams-as-source': {
    summary: 'Records that Firehose reads from a stream',
    fields: { ...FIREHOSE, stream: 'example', 'partition-key': 'partitionKey-03', sequence: SEQUENCE },
    build: (f) => ({
      ...firehose(f, [
        {
          data: base64(f('data')),
          kinesisRecordMetadata: {
            sequenceNumber: f('sequence'),
            subsequenceNumber: 0,
            partitionKey: f('partition-key'),
            shardId: 'shardId-000000000000',
            approximateArrivalTimestamp: EPOCH_MS,
          },
        },
      ]),
      sourceKinesisStreamArn: arnOf(f, 'kinesis', `stream/${f('stream')}`),
    }),
  },
  apachelog: {
    summary: 'Lines of an Apache log in Firehose',
    fields: { ...FIREHOSE, data: APACHE },
    build: (f) => firehose(f, [{ data: base64(f('data')) }]),
  },
  syslog: {
    summary: 'Lines of syslog in Firehose',
    fields: { ...FIREHOSE, data: SYSLOG },
    build: (f) => firehose(f, [{ data: base64(f('data')) }]),
  },
  'cloudwatch-logs-processor': {
    summary: 'Compressed log events of CloudWatch Logs in Firehose',
    fields: { ...PLACE, 'delivery-stream': 'example' },
    build: (f) => firehose(f, [{ data: compressedLogs(f) }]),
  },
  analytics: {
    summary: 'Records that Kinesis Data Analytics lets a function process',
    fields: { ...ANALYTICS, data: 'This is a test from Kinesis Analytics' },
    build: (f) => analytics(f, base64(f('data'))),
  },
  'analytics-compressed': {
    summary: 'The same with compressed data',
    fields: { ...ANALYTICS, data: GZIPPED },
    build: (f) => analytics(f, f('data')),
  },
  'analytics-dynamodb': {
    summary: 'Rows for a destination of Kinesis Data Analytics',
    fields: {
      ...APPLICATION,
      data: '{"ROWTIME_TIMESTAMP":"2026-01-15 12:00:00.000","VEHICLEID":"5","VEHICLECOUNT":18}',
    },
    build: (f) => ({
      invocationId: REQUEST_ID,
      applicationArn: arnOf(f, 'kinesisanalytics', `application/${f('application')}`),
      records: [{ recordId: SEQUENCE, lambdaDeliveryRecordMetadata: { retryHint: 0 }, data: base64(f('data')) }],
    }),
  },
  'analytics-kpl': {
    summary: 'Records that the Kinesis Producer Library aggregated',
    fields: ANALYTICS,
    build: (f) => analytics(f, AGGREGATED),
  },
});

/** The magic number, a message of Protocol Buffers with one key and two records, and its MD5. */
const AGGREGATED = '84mawgoBMRoHCAAaA29uZRoHCAAaA3R3b8ADv2J1UsDniaR2mwvYfNE=';

function firehose(f: Fields, records: readonly object[]) {
  return {
    invocationId: REQUEST_ID,
    deliveryStreamArn: arnOf(f, 'firehose', `deliverystream/${f('delivery-stream')}`),
    region: f('region'),
    records: records.map((record, at) => ({
      recordId: `${SEQUENCE}00000${at}`,
      approximateArrivalTimestamp: EPOCH_MS,
      ...record,
    })),
  };
}

function analytics(f: Fields, data: string) {
  return {
    invocationId: REQUEST_ID,
    applicationArn: arnOf(f, 'kinesisanalytics', `application/${f('application')}`),
    streamArn: arnOf(f, 'kinesis', `stream/${f('stream')}`),
    records: [
      {
        recordId: SEQUENCE,
        kinesisStreamRecordMetadata: {
          sequenceNumber: SEQUENCE,
          partitionKey: 'partitionKey-03',
          shardId: 'shardId-000000000000',
          approximateArrivalTimestamp: EPOCH_MS,
        },
        data,
      },
    ],
  };
}
