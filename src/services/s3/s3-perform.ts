/**
 * S3's operations for callers inside this process, with the members that an AWS SDK takes: those on buckets, and GetObject with
 * a whole object of at most 16 MiB, as base64. Others use HTTP, `readObject` and `writeObject`.
 */

import { readFile } from 'node:fs/promises';
import type { Scope } from '../../protocol/names.ts';
import { S3_ERRORS } from '../../protocol/s3-errors.ts';
import { OperationFailure, type OperationMembers, type PerformOperation } from '../../wire/api-call.ts';
import { renderElement, type XmlStructure } from '../../wire/xml.ts';
import { parseNotificationMembers } from './notification-config.ts';
import { openBucket } from './s3-buckets.ts';
import type { S3Notifications } from './s3-notifications.ts';
import { existingObject } from './s3-object-request.ts';
import type { Bucket, S3Store } from './s3-store.ts';
import { quoteEtag, S3Error } from './s3-wire.ts';

type Context = { readonly store: S3Store; readonly notifications: S3Notifications; readonly requestId: string };
type Operation = (input: OperationMembers, store: S3Store, bucket: Bucket, context: Context) => unknown;

export function createS3Perform(store: S3Store, notifications: S3Notifications): PerformOperation {
  return async (operation, input, { scope, requestId }) => {
    try {
      const result = await perform(operation, input, { store, notifications, requestId }, scope);
      return typeof result === 'object' && result !== null ? (result as OperationMembers) : {};
    } catch (failure) {
      if (!(failure instanceof S3Error)) throw failure;
      throw new OperationFailure(failure.code, S3_ERRORS[failure.code].status, failure.message, failure);
    }
  };
}

async function perform(operation: string, input: OperationMembers, context: Context, scope: Scope): Promise<unknown> {
  const { store } = context;
  const name = String(input.Bucket ?? '');
  if (operation === 'CreateBucket') {
    openBucket(store, name, scope, scope.region);
    return undefined;
  }
  const handler = Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation] : undefined;
  if (handler === undefined) {
    const message = `Lamella does not support the S3 operation '${operation}' inside the service.`;
    throw new OperationFailure('NotImplemented', 501, message);
  }
  const bucket = store.bucket(name);
  if (bucket === undefined) throw new S3Error('NoSuchBucket', { BucketName: name });
  return handler(input, store, bucket, context);
}

/** Of an object that is read as a whole. */
const OBJECT_BYTES = 16 * 1024 * 1024;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  HeadBucket: () => {},
  async GetObject(input, store, bucket) {
    const versionId = input.VersionId === undefined ? undefined : String(input.VersionId);
    const object = existingObject(store, bucket, String(input.Key ?? ''), versionId);
    if (object.size > OBJECT_BYTES) throw new S3Error('EntityTooLarge');
    const content = await readFile(object.path ?? '');
    return {
      Body: content.toString('base64'),
      ContentLength: object.size,
      ContentType: object.headers['content-type'],
      ETag: quoteEtag(object.etag),
    };
  },
  DeleteBucket(_, store, bucket) {
    if (!store.deleteBucket(bucket.name)) throw new S3Error('BucketNotEmpty', { BucketName: bucket.name });
  },
  PutBucketVersioning(input, store, bucket) {
    const { Status } = input.VersioningConfiguration as { Status?: unknown };
    if (Status !== 'Enabled' && Status !== 'Suspended') throw new S3Error('MalformedXML');
    store.setVersioning(bucket.name, Status);
  },
  PutBucketPolicy: (input, store, bucket) => store.setConfiguration(bucket.name, 'policy', String(input.Policy)),
  DeleteBucketPolicy: (_, store, bucket) => store.deleteConfiguration(bucket.name, 'policy'),
  PutBucketNotificationConfiguration(input, _, bucket, { notifications, requestId }) {
    const config = parseNotificationMembers(input.NotificationConfiguration as OperationMembers);
    const skipsValidation = input.SkipDestinationValidation === true;
    return notifications.configure(bucket, config, { requestId, skipsValidation });
  },
  PutBucketTagging(input, store, bucket) {
    const { TagSet } = input.Tagging as { TagSet: XmlStructure[] };
    const xml = renderElement('Tagging', { TagSet: { Tag: TagSet } }, 'repeated');
    store.setConfiguration(bucket.name, 'tagging', xml);
  },
  DeleteBucketTagging: (_, store, bucket) => store.deleteConfiguration(bucket.name, 'tagging'),
  PutPublicAccessBlock(input, store, bucket) {
    const settings = input.PublicAccessBlockConfiguration as XmlStructure;
    const xml = renderElement('PublicAccessBlockConfiguration', settings, 'repeated');
    store.setConfiguration(bucket.name, 'publicAccessBlock', xml);
  },
  DeletePublicAccessBlock: (_, store, bucket) => store.deleteConfiguration(bucket.name, 'publicAccessBlock'),
};
