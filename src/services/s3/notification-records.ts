/**
 * The forms of S3's notifications: the record that functions, queues and topics get, the event of EventBridge, and the test
 * event. Recorded on AWS (LocalStack's tests of S3). Pure.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
 */
import { randomUUID } from 'node:crypto';
import { renderBucketArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { S3_EVENTS_HERE, type S3EventName } from '../../protocol/s3-events.ts';
import type { Bucket } from './s3-store.ts';

/** What happened to an object. */
export type ObjectChange = {
  readonly event: S3EventName;
  readonly key: string;
  /** `null` for an object without versioning. */
  readonly versionId?: string | undefined;
  /** Without quotes. Absent in a deletion. */
  readonly etag?: string | undefined;
  /** Absent in deletions and changes of tags. */
  readonly size?: number | undefined;
};

/** Who caused the change. */
export type ChangeCause = {
  readonly requestId: string;
  readonly sourceIp: string;
  readonly accessKeyId: string | undefined;
  /** The X-Amzn-Trace-Id of the request. */
  readonly traceId: string | undefined;
};

export type Occurrence = {
  readonly bucket: Bucket;
  readonly change: ObjectChange;
  readonly cause: ChangeCause;
  readonly timeMs: number;
  /** Hexadecimal digits; those of later events of a key are larger. */
  readonly sequencer: string;
};

export function renderRecord(
  { bucket, change, cause, timeMs, sequencer }: Occurrence,
  configurationId: string,
): Readonly<Record<string, unknown>> {
  const { account, region } = bucket.scope;
  const { event, key, size, etag, versionId } = change;
  return {
    eventVersion: S3_EVENTS_HERE[event],
    eventSource: 'aws:s3',
    awsRegion: region,
    eventTime: new Date(timeMs).toISOString(),
    eventName: event,
    userIdentity: { principalId: `AWS:${cause.accessKeyId ?? account}` },
    requestParameters: { sourceIPAddress: cause.sourceIp },
    responseElements: { 'x-amz-request-id': cause.requestId, 'x-amz-id-2': cause.requestId },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId,
      bucket: {
        name: bucket.name,
        ownerIdentity: { principalId: account },
        arn: renderBucketArn(region, bucket.name),
      },
      object: {
        key: encodeKey(key),
        ...(size !== undefined && { size }),
        ...(etag !== undefined && { eTag: etag }),
        ...(isVersion(versionId) && { versionId }),
        ...(!event.startsWith('ObjectTagging') && { sequencer }),
      },
    },
  };
}

function isVersion(versionId: string | undefined): versionId is string {
  return versionId !== undefined && versionId !== 'null';
}

/** As in a form: `+` for a space; slashes stay. */
function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/')
    .replaceAll('%20', '+');
}

const BUS_EVENTS: Readonly<Record<S3EventName, { readonly type: string; readonly more?: object }>> = {
  'ObjectCreated:Put': { type: 'Object Created', more: { reason: 'PutObject' } },
  'ObjectCreated:Copy': { type: 'Object Created', more: { reason: 'CopyObject' } },
  'ObjectCreated:CompleteMultipartUpload': { type: 'Object Created', more: { reason: 'CompleteMultipartUpload' } },
  'ObjectRemoved:Delete': {
    type: 'Object Deleted',
    more: { reason: 'DeleteObject', 'deletion-type': 'Permanently Deleted' },
  },
  'ObjectRemoved:DeleteMarkerCreated': {
    type: 'Object Deleted',
    more: { reason: 'DeleteObject', 'deletion-type': 'Delete Marker Created' },
  },
  'ObjectTagging:Put': { type: 'Object Tags Added' },
  'ObjectTagging:Delete': { type: 'Object Tags Deleted' },
};

/** The event on the default bus, as JSON text. */
export function renderS3BusEvent({ bucket, change, cause, timeMs, sequencer }: Occurrence): string {
  const { account, region } = bucket.scope;
  const { event, key, size, etag, versionId } = change;
  const { type, more = {} } = BUS_EVENTS[event];
  return JSON.stringify({
    version: '0',
    id: randomUUID(),
    'detail-type': type,
    source: 'aws.s3',
    account,
    time: renderIsoSeconds(timeMs),
    region,
    resources: [renderBucketArn(region, bucket.name)],
    detail: {
      version: '0',
      bucket: { name: bucket.name },
      object: {
        key,
        ...(size !== undefined && { size }),
        ...(etag !== undefined && { etag }),
        ...(isVersion(versionId) && { 'version-id': versionId }),
        ...(!event.startsWith('ObjectTagging') && { sequencer }),
      },
      'request-id': cause.requestId,
      requester: account,
      'source-ip-address': cause.sourceIp,
      ...more,
    },
  });
}

/** What queues and topics get when a configuration names them. */
export function renderTestEvent(bucket: Bucket, requestId: string, timeMs: number): string {
  return JSON.stringify({
    Service: 'Amazon S3',
    Event: 's3:TestEvent',
    Time: new Date(timeMs).toISOString(),
    Bucket: bucket.name,
    RequestId: requestId,
    HostId: requestId,
  });
}
