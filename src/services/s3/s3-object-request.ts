/**
 * What S3's operations on objects share: the parts of a request (key, headers, tags, range, preconditions) and the
 * object that it names.
 */
import { rm } from 'node:fs/promises';
import { readBody } from '../../http/body.ts';
import type { HttpHeaders } from '../../http/exchange.ts';
import { S3_QUOTAS } from '../../protocol/s3-errors.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import type { XmlElement, XmlStructure } from '../../wire/xml.ts';
import { parseXml } from '../../wire/xml.ts';
import type { ObjectChange } from './notification-records.ts';
import type { Bucket, ObjectHeaders, ObjectTags, ReceivedFile, S3Store, StoredObject } from './s3-store.ts';
import { quoteEtag, renderS3Date, S3Error, unquoteEtag } from './s3-wire.ts';

/** Sends the events of a change, which the request of a client caused. */
export type NotifyChange = (call: ApiCall, bucket: Bucket, change: ObjectChange) => Promise<void>;

/** A request for an object. */
export type ObjectCall = {
  readonly call: ApiCall;
  readonly store: S3Store;
  readonly notify: NotifyChange;
  readonly bucket: Bucket;
  readonly key: string;
  readonly query: URLSearchParams;
};

export type ObjectOperation = (request: ObjectCall) => Promise<void>;

/** The object of a key. @throws S3Error if it does not exist or is a delete marker */
export function existingObject(
  store: S3Store,
  bucket: Bucket,
  key: string,
  versionId: string | undefined,
): StoredObject {
  const object = store.object(bucket.name, key, versionId);
  if (object === undefined) {
    throw versionId === undefined
      ? new S3Error('NoSuchKey', { Key: key })
      : new S3Error('NoSuchVersion', { Key: key, VersionId: versionId });
  }
  if (object.path === undefined) {
    throw versionId === undefined ? new S3Error('NoSuchKey', { Key: key }) : new S3Error('MethodNotAllowed');
  }
  return object;
}

/** The object in `x-amz-copy-source`. @throws S3Error */
export function copySource(call: ApiCall, store: S3Store): StoredObject {
  const [path = '', query = ''] = String(call.request.headers['x-amz-copy-source']).split(/\?(.*)/s, 2);
  const match = /^\/?([^/]+)\/(.+)$/s.exec(path);
  const name = match?.[1] ?? '';
  const bucket = store.bucket(name);
  if (!match?.[2]) throw new S3Error('InvalidArgument', {}, 'Invalid copy source object key');
  if (bucket === undefined) throw new S3Error('NoSuchBucket', { BucketName: name });
  return existingObject(
    store,
    bucket,
    decodeURIComponent(match[2]),
    new URLSearchParams(query).get('versionId') ?? undefined,
  );
}

/** Runs `action` and removes the file if it fails, because then the store has no reference to it. */
export async function withFile(file: ReceivedFile, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (failure) {
    await rm(file.path, { force: true });
    throw failure;
  }
}

/** @throws S3Error for a key that is too long */
export function checkKey(key: string): void {
  const size = Buffer.byteLength(key);
  if (size > S3_QUOTAS.keyBytes)
    throw new S3Error('KeyTooLongError', { Size: size, MaxSizeAllowed: S3_QUOTAS.keyBytes });
}

const KEPT_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
];

/** The headers of a request that are stored with the object. @throws S3Error */
export function headersToKeep({ request }: ApiCall): ObjectHeaders {
  const kept: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  let metadataBytes = 0;
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value !== 'string') continue;
    const isMetadata = name.startsWith('x-amz-meta-');
    if (isMetadata) metadataBytes += name.length - 'x-amz-meta-'.length + value.length;
    if (isMetadata || KEPT_HEADERS.includes(name)) kept[name] = value;
  }
  if (metadataBytes > S3_QUOTAS.userMetadataBytes) {
    throw new S3Error('InvalidRequest', {}, 'Your metadata headers exceed the maximum allowed metadata size');
  }
  // aws-chunked is the encoding of the request's body, not of the object.
  const encoding = (kept['content-encoding'] ?? '')
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'aws-chunked');
  delete kept['content-encoding'];
  if (encoding.length > 0) kept['content-encoding'] = encoding.join(',');
  return kept;
}

export function parseTagHeader(value: string | string[] | undefined): ObjectTags {
  return typeof value === 'string' ? checkedTags([...new URLSearchParams(value)]) : {};
}

export function checkedTags(tags: readonly (readonly [string, string])[]): ObjectTags {
  if (tags.length > S3_QUOTAS.tags)
    throw new S3Error('InvalidTag', {}, `Object tags cannot be greater than ${S3_QUOTAS.tags}`);
  const isWrong = tags.some(([key, value]) => key.length < 1 || key.length > 128 || value.length > 256);
  if (isWrong) throw new S3Error('InvalidTag');
  if (new Set(tags.map(([key]) => key)).size < tags.length) {
    throw new S3Error('InvalidTag', {}, 'Cannot provide multiple Tags with the same key');
  }
  return Object.fromEntries(tags);
}

/** The body as an XML document with this root. @throws S3Error */
export async function readXml(call: ApiCall, root: string): Promise<XmlElement> {
  const document = parseXml((await readBody(call.request, 4 * 1024 * 1024)).toString('utf8'));
  if (document?.name !== root) throw new S3Error('MalformedXML');
  return document;
}

export function versionHeader(bucket: Bucket, object: StoredObject): HttpHeaders {
  return bucket.versioning === '' ? {} : { 'x-amz-version-id': object.versionId };
}

export type ByteRange = { readonly start: number; readonly end: number; readonly isPartial: boolean };

/** Both ends are inclusive. Without a range, or with one in another form, the whole object. */
export function parseRange(range: string | undefined, size: number): ByteRange {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return { start: 0, end: size - 1, isPartial: false };
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size || end < start) throw new S3Error('InvalidRange', { ActualObjectSize: size });
  return { start, end, isPartial: true };
}

export function checkPreconditionsOfRead({ request }: ApiCall, object: StoredObject): void {
  const { headers } = request;
  const isSame = (list: string) =>
    list.split(',').some((etag) => etag.trim() === '*' || unquoteEtag(etag) === object.etag);
  const modifiedSeconds = Math.floor(object.modifiedMs / 1000);
  const seconds = (date: string) => Math.floor(Date.parse(date) / 1000);
  if (headers['if-match'] !== undefined) {
    if (!isSame(headers['if-match'])) throw new S3Error('PreconditionFailed', { Condition: 'If-Match' });
  } else if (
    headers['if-unmodified-since'] !== undefined &&
    modifiedSeconds > seconds(headers['if-unmodified-since'])
  ) {
    throw new S3Error('PreconditionFailed', { Condition: 'If-Unmodified-Since' });
  }
  if (headers['if-none-match'] !== undefined) {
    if (isSame(headers['if-none-match'])) throw new S3Error('NotModified');
  } else if (headers['if-modified-since'] !== undefined && modifiedSeconds <= seconds(headers['if-modified-since'])) {
    throw new S3Error('NotModified');
  }
}

export function checkPreconditionsOfWrite({ request }: ApiCall, before: StoredObject | undefined): void {
  const { headers } = request;
  const existing = before?.path === undefined ? undefined : before;
  if (headers['if-none-match'] === '*' && existing) {
    throw new S3Error('PreconditionFailed', { Condition: 'If-None-Match' });
  }
  const wanted = headers['if-match'];
  if (wanted === undefined) return;
  if (existing === undefined) throw new S3Error('NoSuchKey');
  if (unquoteEtag(wanted) !== existing.etag) throw new S3Error('PreconditionFailed', { Condition: 'If-Match' });
}

/** An object in listings. */
export function listedObject(object: StoredObject): XmlStructure {
  return {
    LastModified: renderS3Date(object.modifiedMs),
    ETag: quoteEtag(object.etag),
    Size: object.size,
    StorageClass: object.headers['x-amz-storage-class'] ?? 'STANDARD',
  };
}

/** The change that a stored object is. */
export function creationOf(event: ObjectChange['event'], { key, size, etag, versionId }: StoredObject): ObjectChange {
  return { event, key, size, etag, versionId };
}
