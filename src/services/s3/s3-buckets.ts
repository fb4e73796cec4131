/** S3's operations on buckets: create, list contents, delete multiple objects, versioning and stored settings. */
import { readBody } from '../../http/body.ts';
import type { Scope } from '../../protocol/names.ts';
import { S3_QUOTAS } from '../../protocol/s3-errors.ts';
import type { S3OperationName } from '../../protocol/s3-operations.ts';
import { S3_BUCKET_SETTINGS } from '../../protocol/s3-operations.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import { childText, parseXml } from '../../wire/xml.ts';
import { parseNotificationXml } from './notification-config.ts';
import type { S3Notifications } from './s3-notifications.ts';
import { listedObject, type NotifyChange, readXml } from './s3-object-request.ts';
import { deleteOne } from './s3-objects.ts';
import type { Bucket, S3Store, StoredObject } from './s3-store.ts';
import { renderS3Date, S3Error, sendBody, sendEmpty, sendXml } from './s3-wire.ts';

/** A request for a bucket. */
export type BucketCall = {
  readonly call: ApiCall;
  readonly store: S3Store;
  readonly notify: NotifyChange;
  readonly configureNotifications: S3Notifications['configure'];
  readonly bucket: Bucket;
  readonly query: URLSearchParams;
};

type BucketOperation = (request: BucketCall) => void | Promise<void>;

export function listBuckets(call: ApiCall, store: S3Store): void {
  const { account } = call.scope;
  sendXml(call, 200, 'ListAllMyBucketsResult', {
    Buckets: {
      Bucket: store.buckets(account).map(({ name, createdMs, scope }) => ({
        Name: name,
        CreationDate: renderS3Date(createdMs),
        BucketRegion: scope.region,
      })),
    },
    Owner: { ID: account },
  });
}

export async function createBucket(call: ApiCall, store: S3Store, name: string): Promise<void> {
  const body = (await readBody(call.request, 64 * 1024)).toString('utf8');
  const document = body.trim() === '' ? undefined : parseXml(body);
  if (body.trim() !== '' && document?.name !== 'CreateBucketConfiguration') throw new S3Error('MalformedXML');
  const region = (document && childText(document, 'LocationConstraint')) || call.scope.region;
  openBucket(store, name, call.scope, region);
  sendEmpty(call, 200, { Location: `/${name}` });
}

/** Creates a bucket, unless its name is not valid or taken. @throws S3Error */
export function openBucket(store: S3Store, name: string, scope: Scope, region: string): void {
  if (!/^(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) {
    throw new S3Error('InvalidBucketName', { BucketName: name });
  }
  const existing = store.bucket(name);
  if (existing === undefined) store.createBucket(name, { ...scope, region });
  // Creating a bucket again that the account owns is an error in every region but us-east-1.
  else if (existing.scope.account !== scope.account) throw new S3Error('BucketAlreadyExists', { BucketName: name });
  else if (region !== 'us-east-1') throw new S3Error('BucketAlreadyOwnedByYou', { BucketName: name });
}

/** The operations on stored settings: by method, then by the query parameter that names the setting. */
export const SETTING_OPERATIONS: Readonly<Record<string, (setting: string) => BucketOperation>> = {
  GET:
    (setting) =>
    ({ call, store, bucket }) => {
      const document = store.configuration(bucket.name, setting);
      const absence = S3_BUCKET_SETTINGS[setting]?.absent;
      if (document !== undefined) {
        sendBody(call, 200, setting === 'policy' ? 'application/json' : 'application/xml', document);
      } else if (typeof absence === 'object') sendXml(call, 200, absence.root, {});
      else throw new S3Error(absence ?? 'NotImplemented', { BucketName: bucket.name });
    },
  PUT:
    (setting) =>
    async ({ call, store, bucket }) => {
      const document = (await readBody(call.request, 1024 * 1024)).toString('utf8');
      if (setting !== 'policy' && parseXml(document) === undefined) throw new S3Error('MalformedXML');
      store.setConfiguration(bucket.name, setting, document);
      sendEmpty(call, setting === 'policy' || setting === 'tagging' ? 204 : 200);
    },
  DELETE:
    (setting) =>
    ({ call, store, bucket }) => {
      store.deleteConfiguration(bucket.name, setting);
      sendEmpty(call, 204);
    },
};

/** Of the settings, only this one has an effect. */
export const putNotification: BucketOperation = async ({ call, bucket, configureNotifications }) => {
  const document = (await readBody(call.request, 1024 * 1024)).toString('utf8');
  const skipsValidation = call.request.headers['x-amz-skip-destination-validation'] === 'true';
  const { requestId } = call;
  await configureNotifications(bucket, parseNotificationXml(document), { requestId, skipsValidation });
  sendEmpty(call, 200);
};

const headBucket: BucketOperation = ({ call, bucket }) =>
  sendEmpty(call, 200, { 'x-amz-bucket-region': bucket.scope.region });

const deleteBucket: BucketOperation = ({ call, store, bucket }) => {
  if (!store.deleteBucket(bucket.name)) throw new S3Error('BucketNotEmpty', { BucketName: bucket.name });
  sendEmpty(call, 204);
};

const getLocation: BucketOperation = ({ call, bucket }) => {
  const { region } = bucket.scope;
  // The constraint of us-east-1 is empty.
  const content = region === 'us-east-1' ? '' : region;
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</LocationConstraint>`;
  sendBody(call, 200, 'application/xml', xml);
};

const getVersioning: BucketOperation = ({ call, bucket }) =>
  sendXml(call, 200, 'VersioningConfiguration', { Status: bucket.versioning || undefined });

const putVersioning: BucketOperation = async ({ call, store, bucket }) => {
  const status = childText(await readXml(call, 'VersioningConfiguration'), 'Status');
  if (status !== 'Enabled' && status !== 'Suspended') throw new S3Error('MalformedXML');
  store.setVersioning(bucket.name, status);
  sendEmpty(call, 200);
};

const deleteObjects: BucketOperation = async ({ call, store, notify, bucket }) => {
  const document = await readXml(call, 'Delete');
  const objects = document.children.filter(({ name }) => name === 'Object');
  if (objects.length === 0 || objects.length > S3_QUOTAS.deleteKeys) throw new S3Error('MalformedXML');
  const isQuiet = childText(document, 'Quiet') === 'true';
  const deleted: XmlStructure[] = [];
  for (const object of objects) {
    // Leading and trailing spaces are part of a key.
    const key = object.children.find(({ name }) => name === 'Key')?.text;
    if (key === undefined) throw new S3Error('MalformedXML');
    const versionId = childText(object, 'VersionId');
    const result = await deleteOne(store, bucket, key, versionId);
    if (result.change !== undefined) await notify(call, bucket, result.change);
    deleted.push({
      Key: key,
      VersionId: versionId,
      DeleteMarker: result.isMarker || undefined,
      DeleteMarkerVersionId: result.isMarker ? result.versionId : undefined,
    });
  }
  sendXml(call, 200, 'DeleteResult', { Deleted: isQuiet ? [] : deleted });
};

/** ListObjectsV2 and ListObjects. */
const listObjects: BucketOperation = ({ call, store, bucket, query }) => {
  const isV2 = query.get('list-type') === '2';
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const limit = pageSize(query.get('max-keys'));
  const token = query.get('continuation-token');
  const marker = isV2
    ? token === null
      ? (query.get('start-after') ?? '')
      : parseToken(token)
    : (query.get('marker') ?? '');
  const encode = encoder(query);
  const { objects, prefixes, next } = collectPage((after, count) => store.objects(bucket.name, prefix, after, count), {
    prefix,
    delimiter,
    after: marker,
    limit,
  });
  const listed = {
    Contents: objects.map((object) => ({ Key: encode(object.key), ...listedObject(object) })),
    CommonPrefixes: prefixes.map((common) => ({ Prefix: encode(common) })),
  };
  const common = {
    Name: bucket.name,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    MaxKeys: limit,
    EncodingType: query.get('encoding-type') ?? undefined,
    IsTruncated: next !== undefined,
  };
  if (isV2) {
    sendXml(call, 200, 'ListBucketResult', {
      ...common,
      KeyCount: objects.length + prefixes.length,
      ContinuationToken: token ?? undefined,
      NextContinuationToken: next === undefined ? undefined : renderToken(next),
      StartAfter: query.has('start-after') ? encode(query.get('start-after') ?? '') : undefined,
      ...listed,
    });
  } else {
    const nextMarker = next === undefined || delimiter === '' ? undefined : encode(next);
    sendXml(call, 200, 'ListBucketResult', { ...common, Marker: encode(marker), NextMarker: nextMarker, ...listed });
  }
};

const listVersions: BucketOperation = ({ call, store, bucket, query }) => {
  const prefix = query.get('prefix') ?? '';
  const limit = pageSize(query.get('max-keys'));
  const marker = query.get('key-marker') ?? '';
  const encode = encoder(query);
  // A page has all versions of its keys, so that the marker needs no version.
  const versions = store.versions(bucket.name, prefix, marker, limit + 1);
  const keys = [...new Set(versions.map(({ key }) => key))];
  const last = keys.length > limit ? keys[limit - 1] : undefined;
  const page = last === undefined ? versions : versions.filter(({ key }) => keys.indexOf(key) < limit);
  const describe = (object: StoredObject) => ({
    Key: encode(object.key),
    VersionId: object.versionId,
    IsLatest: object.isLatest,
    ...(object.path === undefined ? { LastModified: renderS3Date(object.modifiedMs) } : listedObject(object)),
  });
  sendXml(call, 200, 'ListVersionsResult', {
    Name: bucket.name,
    Prefix: encode(prefix),
    KeyMarker: encode(marker),
    MaxKeys: limit,
    EncodingType: query.get('encoding-type') ?? undefined,
    IsTruncated: last !== undefined,
    NextKeyMarker: last === undefined ? undefined : encode(last),
    Version: page.filter(({ path }) => path !== undefined).map(describe),
    DeleteMarker: page.filter(({ path }) => path === undefined).map(describe),
  });
};

const listUploads: BucketOperation = ({ call, store, bucket, query }) => {
  const uploads = store.uploads(bucket.name, query.get('prefix') ?? '');
  const encode = encoder(query);
  sendXml(call, 200, 'ListMultipartUploadsResult', {
    Bucket: bucket.name,
    MaxUploads: S3_QUOTAS.pageKeys,
    IsTruncated: false,
    Upload: uploads.map(({ id, key, initiatedMs }) => ({
      Key: encode(key),
      UploadId: id,
      Initiated: renderS3Date(initiatedMs),
      StorageClass: 'STANDARD',
    })),
  });
};

type Page = {
  readonly objects: readonly StoredObject[];
  /** Distinct key prefixes up to the delimiter. */
  readonly prefixes: readonly string[];
  /** The last key or common prefix of the page, if there are more. */
  readonly next: string | undefined;
};

function collectPage(
  read: (after: string, count: number) => readonly StoredObject[],
  query: { readonly prefix: string; readonly delimiter: string; readonly after: string; readonly limit: number },
): Page {
  const { prefix, delimiter, limit } = query;
  const objects: StoredObject[] = [];
  const prefixes: string[] = [];
  let last: string | undefined;
  // A marker that is a common prefix skips all keys with this prefix.
  let after =
    delimiter !== '' && query.after.startsWith(prefix) && query.after.endsWith(delimiter)
      ? beyond(query.after)
      : query.after;
  while (limit > 0) {
    const batch = read(after, limit + 1);
    if (batch.length === 0) return { objects, prefixes, next: undefined };
    for (const object of batch) {
      if (objects.length + prefixes.length === limit) return { objects, prefixes, next: last };
      const end = delimiter === '' ? -1 : object.key.indexOf(delimiter, prefix.length);
      if (end >= 0) {
        last = object.key.slice(0, end + delimiter.length);
        prefixes.push(last);
        after = beyond(last);
        break;
      }
      objects.push(object);
      last = object.key;
      after = object.key;
    }
  }
  return { objects, prefixes, next: undefined };
}

/** Sorts after every key with `prefix`. */
function beyond(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function pageSize(text: string | null): number {
  if (text === null) return S3_QUOTAS.pageKeys;
  if (!/^\d{1,10}$/.test(text))
    throw new S3Error(
      'InvalidArgument',
      { ArgumentName: 'max-keys', ArgumentValue: text },
      'Provided max-keys not an integer or within integer range',
    );
  return Math.min(Number(text), S3_QUOTAS.pageKeys);
}

/** With `encoding-type=url`, keys can have characters that XML cannot represent. */
function encoder(query: URLSearchParams): (key: string) => string {
  if (query.get('encoding-type') !== 'url') return (key) => key;
  return (key) => encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+');
}

function renderToken(key: string): string {
  return Buffer.from(key).toString('base64');
}

function parseToken(token: string): string {
  const key = Buffer.from(token, 'base64').toString();
  if (renderToken(key) !== token) {
    throw new S3Error(
      'InvalidArgument',
      { ArgumentName: 'continuation-token' },
      'The continuation token provided is incorrect',
    );
  }
  return key;
}

/** The operations on an existing bucket. */
export const BUCKET_OPERATIONS = {
  HeadBucket: headBucket,
  DeleteBucket: deleteBucket,
  GetBucketLocation: getLocation,
  GetBucketVersioning: getVersioning,
  PutBucketVersioning: putVersioning,
  ListObjects: listObjects,
  ListObjectsV2: listObjects,
  ListObjectVersions: listVersions,
  ListMultipartUploads: listUploads,
  DeleteObjects: deleteObjects,
} as const satisfies Partial<Record<S3OperationName, BucketOperation>>;
