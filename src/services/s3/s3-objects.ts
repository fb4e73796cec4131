/** S3's operations on objects: put, copy, get, head, delete and tags. Multipart uploads are in `s3-uploads.ts`. */
import { copyFile, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { HttpHeaders } from '../../http/exchange.ts';
import type { S3OperationName } from '../../protocol/s3-operations.ts';
import { childText } from '../../wire/xml.ts';
import type { ObjectChange } from './notification-records.ts';
import { receiveBody } from './s3-body.ts';
import {
  checkedTags,
  checkKey,
  checkPreconditionsOfRead,
  checkPreconditionsOfWrite,
  copySource,
  creationOf,
  existingObject,
  headersToKeep,
  type ObjectOperation,
  parseRange,
  parseTagHeader,
  readXml,
  versionHeader,
  withFile,
} from './s3-object-request.ts';
import type { Bucket, S3Store, StoredObject } from './s3-store.ts';
import { quoteEtag, renderS3Date, S3Error, sendEmpty, sendXml } from './s3-wire.ts';

const putObject: ObjectOperation = async ({ call, store, notify, bucket, key }) => {
  const { headers } = call.request;
  checkKey(key);
  const kept = headersToKeep(call);
  const tags = parseTagHeader(headers['x-amz-tagging']);
  checkPreconditionsOfWrite(call, store.object(bucket.name, key));
  const file = await receiveBody(call, store);
  // Check again: another request may have written the object in the meantime.
  await withFile(file, async () => {
    checkPreconditionsOfWrite(call, store.object(bucket.name, key));
    const checksum = file.checksum && { [`x-amz-checksum-${file.checksum.algorithm}`]: file.checksum.value };
    const stored = await store.put(bucket, { key, file, headers: { ...kept, ...checksum }, tags });
    await notify(call, bucket, creationOf('ObjectCreated:Put', stored));
    sendEmpty(call, 200, { ETag: quoteEtag(stored.etag), ...versionHeader(bucket, stored), ...checksum });
  });
};

const copyObject: ObjectOperation = async ({ call, store, notify, bucket, key }) => {
  const { headers } = call.request;
  checkKey(key);
  const source = copySource(call, store);
  const replacesHeaders = headers['x-amz-metadata-directive'] === 'REPLACE';
  if (source.bucket === bucket.name && source.key === key && !replacesHeaders && source.isLatest) {
    throw new S3Error(
      'InvalidRequest',
      {},
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's " +
        'metadata, storage class, website redirect location or encryption attributes.',
    );
  }
  const path = store.keptPath();
  await copyFile(source.path ?? '', path);
  const file = { path, size: source.size, etag: source.etag };
  await withFile(file, async () => {
    const stored = await store.put(bucket, {
      key,
      file,
      headers: replacesHeaders ? headersToKeep(call) : source.headers,
      tags: headers['x-amz-tagging-directive'] === 'REPLACE' ? parseTagHeader(headers['x-amz-tagging']) : source.tags,
    });
    await notify(call, bucket, creationOf('ObjectCreated:Copy', stored));
    const result = { LastModified: renderS3Date(stored.modifiedMs), ETag: quoteEtag(stored.etag) };
    sendXml(call, 200, 'CopyObjectResult', result, {
      ...versionHeader(bucket, stored),
      ...(source.versionId !== 'null' && { 'x-amz-copy-source-version-id': source.versionId }),
    });
  });
};

/** GET and HEAD. */
const getObject: ObjectOperation = async ({ call, store, bucket, key, query }) => {
  const object = existingObject(store, bucket, key, query.get('versionId') ?? undefined);
  checkPreconditionsOfRead(call, object);
  const isWhole = call.request.headers.range === undefined;
  const file = await open(object.path ?? '', 'r');
  try {
    const { start, end, isPartial } = parseRange(call.request.headers.range, object.size);
    call.response.writeHead(isPartial ? 206 : 200, {
      ...headersOfObject(bucket, object, isWhole && call.request.headers['x-amz-checksum-mode'] === 'ENABLED'),
      ...overriddenHeaders(query),
      'Content-Length': end - start + 1,
      ...(isPartial && { 'Content-Range': `bytes ${start}-${end}/${object.size}` }),
    });
    if (call.request.method === 'HEAD' || object.size === 0) call.response.end();
    else await pipeline(file.createReadStream({ start, end, autoClose: false }), call.response).catch(ignoreLostClient);
  } finally {
    await file.close();
  }
};

const deleteObject: ObjectOperation = async ({ call, store, notify, bucket, key, query }) => {
  const deletion = await deleteOne(store, bucket, key, query.get('versionId') ?? undefined);
  if (deletion.change !== undefined) await notify(call, bucket, deletion.change);
  sendEmpty(call, 204, deletionHeaders(deletion));
};

export type Deletion = {
  readonly versionId: string | undefined;
  readonly isMarker: boolean;
  /** Undefined if nothing was there. */
  readonly change: ObjectChange | undefined;
};

/** Deletes an object or one version of it. As on S3, deleting an object that does not exist succeeds. */
export async function deleteOne(
  store: S3Store,
  bucket: Bucket,
  key: string,
  versionId: string | undefined,
): Promise<Deletion> {
  const object = store.object(bucket.name, key, versionId);
  if (versionId === undefined) {
    const marker = await store.delete(bucket, key);
    if (marker !== undefined) {
      const event = 'ObjectRemoved:DeleteMarkerCreated';
      // The ETag of a marker is that of no content.
      const change: ObjectChange = { event, key, etag: EMPTY_ETAG, versionId: marker.versionId };
      return { versionId: marker.versionId, isMarker: true, change };
    }
    return { versionId: undefined, isMarker: false, change: object && { event: 'ObjectRemoved:Delete', key } };
  }
  if (object) await store.deleteVersion(object);
  const change: ObjectChange | undefined = object && { event: 'ObjectRemoved:Delete', key, versionId };
  return { versionId, isMarker: object !== undefined && object.path === undefined, change };
}

const EMPTY_ETAG = 'd41d8cd98f00b204e9800998ecf8427e';

function deletionHeaders({ versionId, isMarker }: Deletion): HttpHeaders {
  return {
    ...(versionId !== undefined && { 'x-amz-version-id': versionId }),
    ...(isMarker && { 'x-amz-delete-marker': 'true' }),
  };
}

const getTagging: ObjectOperation = async ({ call, store, bucket, key, query }) => {
  const { tags } = existingObject(store, bucket, key, query.get('versionId') ?? undefined);
  const list = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  sendXml(call, 200, 'Tagging', { TagSet: { Tag: list } });
};

const putTagging: ObjectOperation = async ({ call, store, notify, bucket, key, query }) => {
  const object = existingObject(store, bucket, key, query.get('versionId') ?? undefined);
  const tagSet = (await readXml(call, 'Tagging')).children.find(({ name }) => name === 'TagSet');
  const tags = (tagSet?.children ?? []).map(
    (tag) => [childText(tag, 'Key') ?? '', childText(tag, 'Value') ?? ''] as const,
  );
  store.setTags(object, checkedTags(tags));
  await notify(call, bucket, { event: 'ObjectTagging:Put', key, etag: object.etag, versionId: object.versionId });
  sendEmpty(call, 200);
};

const deleteTagging: ObjectOperation = async ({ call, store, notify, bucket, key, query }) => {
  const object = existingObject(store, bucket, key, query.get('versionId') ?? undefined);
  store.setTags(object, {});
  await notify(call, bucket, { event: 'ObjectTagging:Delete', key, etag: object.etag, versionId: object.versionId });
  sendEmpty(call, 204);
};

function headersOfObject(bucket: Bucket, object: StoredObject, withChecksum: boolean): HttpHeaders {
  const kept = Object.entries(object.headers).filter(([name]) => withChecksum || !name.startsWith('x-amz-checksum-'));
  const tagCount = Object.keys(object.tags).length;
  return {
    ...Object.fromEntries(kept),
    ETag: quoteEtag(object.etag),
    'Last-Modified': new Date(object.modifiedMs).toUTCString(),
    'Accept-Ranges': 'bytes',
    ...versionHeader(bucket, object),
    ...(tagCount > 0 && { 'x-amz-tagging-count': tagCount }),
  };
}

function overriddenHeaders(query: URLSearchParams): HttpHeaders {
  const overridden: HttpHeaders = {};
  for (const [name, value] of query) {
    const header = /^response-(cache-control|content-(?:disposition|encoding|language|type)|expires)$/.exec(name)?.[1];
    if (header === undefined) continue;
    if (!isHeaderValue(value)) {
      throw new S3Error(
        'InvalidArgument',
        { ArgumentName: name },
        'Header value cannot be represented using ISO-8859-1.',
      );
    }
    overridden[header] = value;
  }
  return overridden;
}

function isHeaderValue(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

function ignoreLostClient(failure: unknown): void {
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  if (code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'ECONNRESET' && code !== 'EPIPE') throw failure;
}

export const OBJECT_OPERATIONS = {
  PutObject: putObject,
  CopyObject: copyObject,
  GetObject: getObject,
  HeadObject: getObject,
  DeleteObject: deleteObject,
  GetObjectTagging: getTagging,
  PutObjectTagging: putTagging,
  DeleteObjectTagging: deleteTagging,
} as const satisfies Partial<Record<S3OperationName, ObjectOperation>>;
