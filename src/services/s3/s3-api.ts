/**
 * The part of S3 that Lambda's users need: buckets and objects on this machine, so that code can be deployed from a
 * bucket and functions can read and write objects. Settings of buckets, including policies, are stored and have no
 * effect, except for versioning and notifications.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { BodyFailure } from '../../http/body.ts';
import type { Log } from '../../log.ts';
import { OperatorError } from '../../operator-error.ts';
import { findS3Operation, partOf, S3_BUCKET_SETTINGS } from '../../protocol/s3-operations.ts';
import type { Database } from '../../storage/database.ts';
import type { ApiCall, ServiceApi } from '../../wire/api-call.ts';
import type { ChangeCause } from './notification-records.ts';
import { BUCKET_OPERATIONS, createBucket, listBuckets, putNotification, SETTING_OPERATIONS } from './s3-buckets.ts';
import { createS3Notifications, type NotificationServices, type S3Notifications } from './s3-notifications.ts';
import { creationOf, existingObject, type NotifyChange } from './s3-object-request.ts';
import { OBJECT_OPERATIONS } from './s3-objects.ts';
import { createS3Perform } from './s3-perform.ts';
import type { S3Store } from './s3-store.ts';
import { createS3Store } from './s3-store.ts';
import { UPLOAD_OPERATIONS } from './s3-uploads.ts';
import { parseTarget, S3Error, sendS3Error } from './s3-wire.ts';

/** The content of an object, or S3's error. */
export type ObjectContent = { readonly bytes: Buffer } | { readonly errorCode: string; readonly errorMessage: string };

export type S3Api = ServiceApi & {
  /** Reads a whole object. Lambda reads a function's code from a bucket this way. */
  readObject(bucket: string, key: string, versionId?: string): Promise<ObjectContent>;
  /** Stores a JSON object. Lambda stores invocation records this way. @throws S3Error */
  writeObject(bucket: string, key: string, content: Buffer): Promise<void>;
};

export type S3ApiOptions = {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** The data directory. Objects are stored in its subdirectory `s3`. */
  readonly root: string;
  /** The services that notifications go to. */
  readonly destinations: NotificationServices;
};

/** Opens the object store and creates the handler of S3's requests. */
export function createS3Api({ database, clock, log, root, destinations }: S3ApiOptions): S3Api {
  const store = createS3Store({ database, clock, directory: join(root, 's3') });
  const notifications = createS3Notifications({ store, services: destinations, clock, log });
  return {
    async handle(call) {
      call.response.setHeader('x-amz-request-id', call.requestId);
      try {
        await perform(call, store, notifications);
      } catch (failure) {
        if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
        if (call.response.headersSent) throw failure;
        const error = errorOf(failure);
        if (error === undefined) log.error({ err: failure, requestId: call.requestId }, 'S3 failed');
        sendS3Error(call, error ?? new S3Error('InternalError'));
      }
    },
    perform: createS3Perform(store, notifications),
    async readObject(name, key, versionId) {
      try {
        const bucket = store.bucket(name);
        if (bucket === undefined) throw new S3Error('NoSuchBucket');
        return { bytes: await readFile(existingObject(store, bucket, key, versionId).path ?? '') };
      } catch (failure) {
        if (!(failure instanceof S3Error)) throw failure;
        return { errorCode: failure.code, errorMessage: failure.message };
      }
    },
    async writeObject(name, key, content) {
      const bucket = store.bucket(name);
      if (bucket === undefined) throw new S3Error('NoSuchBucket', { BucketName: name });
      const received = store.receivingPath();
      await writeFile(received, content, { mode: 0o600 });
      const path = store.keptPath();
      await rename(received, path);
      const etag = createHash('md5').update(content).digest('hex');
      const file = { path, size: content.length, etag };
      const stored = await store.put(bucket, { key, file, headers: { 'content-type': 'application/json' }, tags: {} });
      const cause = { requestId: randomUUID(), sourceIp: '127.0.0.1', accessKeyId: undefined, traceId: undefined };
      await notifications.notify(bucket, creationOf('ObjectCreated:Put', stored), cause);
    },
  };
}

async function perform(call: ApiCall, store: S3Store, notifications: S3Notifications): Promise<void> {
  const method = call.request.method ?? 'GET';
  const { bucket: name, key, query } = parseTarget(call.request.url ?? '/', call.request.headers.host ?? '');
  const versionId = query.get('versionId');
  // It is sent back in a header. AWS's version IDs, and those of this service, consist of these characters.
  if (versionId !== null && !/^[\w.~+/=-]+$/.test(versionId)) {
    throw new S3Error('InvalidArgument', { ArgumentName: 'versionId' }, 'Invalid version id specified');
  }
  const on = name === undefined ? 'service' : key === undefined ? 'bucket' : 'object';
  const part = partOf(query);
  const isCopy = call.request.headers['x-amz-copy-source'] !== undefined;
  const operation = findS3Operation(method, on, part, isCopy);
  if (operation === 'ListBuckets' || name === undefined) {
    if (operation === undefined) throw notSupported(call);
    listBuckets(call, store);
    return;
  }
  if (operation === 'CreateBucket') return createBucket(call, store, name);
  const bucket = store.bucket(name);
  if (bucket === undefined) throw new S3Error('NoSuchBucket', { BucketName: name });
  const notify: NotifyChange = (given, changed, change) => notifications.notify(changed, change, causeOf(given));
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
  const owner = call.request.headers['x-amz-expected-bucket-owner'];
  if (owner !== undefined && owner !== call.scope.account) throw new S3Error('AccessDenied');
  if (key === undefined) {
    const handler =
      (operation && BUCKET_OPERATIONS[operation as keyof typeof BUCKET_OPERATIONS]) ??
      (part !== undefined && Object.hasOwn(S3_BUCKET_SETTINGS, part) ? SETTING_OPERATIONS[method]?.(part) : undefined);
    if (handler === undefined) throw notSupported(call);
    const chosen = part === 'notification' && method === 'PUT' ? putNotification : handler;
    await chosen({ call, store, notify, configureNotifications: notifications.configure, bucket, query });
  } else {
    const handler = operation && ON_OBJECT[operation as keyof typeof ON_OBJECT];
    if (handler === undefined) throw notSupported(call);
    await handler({ call, store, notify, bucket, key, query });
  }
}

function causeOf({ request, requestId, accessKeyId }: ApiCall): ChangeCause {
  const trace = request.headers['x-amzn-trace-id'];
  return {
    requestId,
    accessKeyId,
    sourceIp: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    traceId: typeof trace === 'string' ? trace : undefined,
  };
}

const ON_OBJECT = { ...OBJECT_OPERATIONS, ...UPLOAD_OPERATIONS };

function notSupported({ request }: ApiCall): S3Error {
  return new S3Error(
    'NotImplemented',
    {},
    `Lamella does not support the S3 operation ${request.method} ${request.url}`,
  );
}

function errorOf(failure: unknown): S3Error | undefined {
  if (failure instanceof S3Error) return failure;
  if (failure instanceof BodyFailure) return new S3Error(failure.reason === 'busy' ? 'SlowDown' : 'EntityTooLarge');
  if (failure instanceof URIError) return new S3Error('InvalidURI');
  if (failure instanceof OperatorError) return new S3Error('InternalError', {}, `${failure.message} ${failure.remedy}`);
  return undefined;
}
