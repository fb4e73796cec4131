/** S3's operations on objects: put, copy, get, head, delete, tags, and uploads in parts. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { readBody } from '../../http/body.ts';
import type { HttpHeaders } from '../../http/exchange.ts';
import { S3_QUOTAS } from '../../protocol/s3-errors.ts';
import type { S3OperationName } from '../../protocol/s3-operations.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import type { XmlElement, XmlStructure } from '../../wire/xml.ts';
import { childText, parseXml } from '../../wire/xml.ts';
import { receiveBody } from './s3-body.ts';
import type {
  Bucket,
  ObjectHeaders,
  ObjectTags,
  Part,
  ReceivedFile,
  S3Store,
  StoredObject,
  Upload,
} from './s3-store.ts';
import { quoteEtag, renderS3Date, S3Error, sendEmpty, sendXml, unquoteEtag } from './s3-wire.ts';

/** One request about an object. */
export type ObjectCall = {
  readonly call: ApiCall;
  readonly store: S3Store;
  readonly bucket: Bucket;
  readonly key: string;
  readonly query: URLSearchParams;
};

type ObjectOperation = (request: ObjectCall) => Promise<void>;

const putObject: ObjectOperation = async ({ call, store, bucket, key }) => {
  const { headers } = call.request;
  checkKey(key);
  const kept = headersToKeep(call);
  const tags = parseTagHeader(headers['x-amz-tagging']);
  checkPreconditionsOfWrite(call, store.object(bucket.name, key));
  const file = await receiveBody(call, store);
  // Once more: somebody else may have written it meanwhile.
  await withFile(file, async () => {
    checkPreconditionsOfWrite(call, store.object(bucket.name, key));
    const checksum = file.checksum && { [`x-amz-checksum-${file.checksum.algorithm}`]: file.checksum.value };
    const stored = await store.put(bucket, { key, file, headers: { ...kept, ...checksum }, tags });
    sendEmpty(call, 200, { ETag: quoteEtag(stored.etag), ...versionHeader(bucket, stored), ...checksum });
  });
};

const copyObject: ObjectOperation = async ({ call, store, bucket, key }) => {
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

const deleteObject: ObjectOperation = async ({ call, store, bucket, key, query }) => {
  const versionId = query.get('versionId') ?? undefined;
  sendEmpty(call, 204, deletionHeaders(await deleteOne(store, bucket, key, versionId)));
};

export type Deletion = { readonly versionId: string | undefined; readonly isMarker: boolean };

/** Deletes as S3 does: what is not there was deleted just as well. */
export async function deleteOne(
  store: S3Store,
  bucket: Bucket,
  key: string,
  versionId: string | undefined,
): Promise<Deletion> {
  if (versionId === undefined) {
    const marker = await store.delete(bucket, key);
    return { versionId: marker?.versionId, isMarker: marker !== undefined };
  }
  const object = store.object(bucket.name, key, versionId);
  if (object) await store.deleteVersion(object);
  return { versionId, isMarker: object !== undefined && object.path === undefined };
}

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

const putTagging: ObjectOperation = async ({ call, store, bucket, key, query }) => {
  const object = existingObject(store, bucket, key, query.get('versionId') ?? undefined);
  const tagSet = (await readXml(call, 'Tagging')).children.find(({ name }) => name === 'TagSet');
  const tags = (tagSet?.children ?? []).map(
    (tag) => [childText(tag, 'Key') ?? '', childText(tag, 'Value') ?? ''] as const,
  );
  store.setTags(object, checkedTags(tags));
  sendEmpty(call, 200);
};

const deleteTagging: ObjectOperation = async ({ call, store, bucket, key, query }) => {
  store.setTags(existingObject(store, bucket, key, query.get('versionId') ?? undefined), {});
  sendEmpty(call, 204);
};

const createUpload: ObjectOperation = async ({ call, store, bucket, key }) => {
  checkKey(key);
  const tags = parseTagHeader(call.request.headers['x-amz-tagging']);
  const { id } = store.createUpload(bucket.name, key, headersToKeep(call), tags);
  sendXml(call, 200, 'InitiateMultipartUploadResult', { Bucket: bucket.name, Key: key, UploadId: id });
};

const uploadPart: ObjectOperation = async (request) => {
  const { call, store } = request;
  const upload = existingUpload(request);
  const number = partNumber(request.query);
  const file = await receiveBody(call, store);
  if (!(await store.putPart(upload, number, file))) throw new S3Error('NoSuchUpload');
  const checksum = file.checksum && { [`x-amz-checksum-${file.checksum.algorithm}`]: file.checksum.value };
  sendEmpty(call, 200, { ETag: quoteEtag(file.etag), ...checksum });
};

const copyPart: ObjectOperation = async (request) => {
  const { call, store } = request;
  const upload = existingUpload(request);
  const number = partNumber(request.query);
  const source = copySource(call, store);
  const range = call.request.headers['x-amz-copy-source-range'];
  const { start, end } = parseRange(typeof range === 'string' ? range : undefined, source.size);
  const file = await concatenate(store, [{ path: source.path ?? '', start, end }]);
  if (!(await store.putPart(upload, number, file))) throw new S3Error('NoSuchUpload');
  const result = { LastModified: renderS3Date(source.modifiedMs), ETag: quoteEtag(file.etag) };
  sendXml(call, 200, 'CopyPartResult', result);
};

const listParts: ObjectOperation = async (request) => {
  const { call, store, bucket, key, query } = request;
  const upload = existingUpload(request);
  const after = Number(query.get('part-number-marker') ?? 0);
  const limit = Math.min(Number(query.get('max-parts') ?? S3_QUOTAS.pageKeys), S3_QUOTAS.pageKeys);
  const parts = store.parts(upload).filter(({ number }) => number > after);
  const page = parts.slice(0, limit);
  sendXml(call, 200, 'ListPartsResult', {
    Bucket: bucket.name,
    Key: key,
    UploadId: upload.id,
    PartNumberMarker: after,
    NextPartNumberMarker: page.at(-1)?.number ?? after,
    MaxParts: limit,
    IsTruncated: parts.length > page.length,
    Part: page.map(({ number, modifiedMs, etag, size }) => ({
      PartNumber: number,
      LastModified: renderS3Date(modifiedMs),
      ETag: quoteEtag(etag),
      Size: size,
    })),
    StorageClass: 'STANDARD',
  });
};

const abortUpload: ObjectOperation = async (request) => {
  await request.store.endUpload(existingUpload(request));
  sendEmpty(request.call, 204);
};

const completeUpload: ObjectOperation = async (request) => {
  const { call, store, bucket, key } = request;
  const upload = existingUpload(request);
  const document = await readXml(call, 'CompleteMultipartUpload');
  checkPreconditionsOfWrite(call, store.object(bucket.name, key));
  const parts = selectParts(store.parts(upload), document);
  const pieces = parts.map(({ path, size }) => ({ path, start: 0, end: size - 1 }));
  const { path, size } = await concatenate(store, pieces);
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex')));
  const etag = `${createHash('md5').update(digests).digest('hex')}-${parts.length}`;
  await withFile({ path, size, etag }, async () => {
    if (store.upload(bucket.name, key, upload.id) === undefined) throw new S3Error('NoSuchUpload');
    const stored = await store.put(bucket, {
      key,
      file: { path, size, etag },
      headers: upload.headers,
      tags: upload.tags,
    });
    await store.endUpload(upload);
    const result = {
      Location: `${call.baseUrl}/${bucket.name}/${encodeURIComponent(key)}`,
      Bucket: bucket.name,
      Key: key,
      ETag: quoteEtag(stored.etag),
    };
    sendXml(call, 200, 'CompleteMultipartUploadResult', result, versionHeader(bucket, stored));
  });
};

function selectParts(parts: readonly Part[], document: XmlElement): readonly Part[] {
  const asked = document.children
    .filter(({ name }) => name === 'Part')
    .map((part) => ({
      number: Number(childText(part, 'PartNumber')),
      etag: unquoteEtag(childText(part, 'ETag') ?? ''),
    }));
  if (asked.length === 0) throw new S3Error('MalformedXML');
  const isRising = asked.every(({ number }, index) => number > (asked[index - 1]?.number ?? 0));
  if (!isRising) throw new S3Error('InvalidPartOrder');
  return asked.map(({ number, etag }, index) => {
    const part = parts.find((candidate) => candidate.number === number && candidate.etag === etag);
    if (part === undefined) throw new S3Error('InvalidPart', { PartNumber: number, ETag: etag });
    if (index < asked.length - 1 && part.size < S3_QUOTAS.partBytesMin) {
      throw new S3Error('EntityTooSmall', { ProposedSize: part.size, MinSizeAllowed: S3_QUOTAS.partBytesMin });
    }
    return part;
  });
}

type FilePiece = { readonly path: string; readonly start: number; readonly end: number };

/** One file of several pieces of others. */
async function concatenate(store: S3Store, pieces: readonly FilePiece[]): Promise<ReceivedFile> {
  const path = store.receivingPath();
  const target = await open(path, 'wx', 0o600);
  try {
    const md5 = createHash('md5');
    let size = 0;
    try {
      for (const piece of pieces) if (piece.end >= piece.start) size += await append(target, piece, md5);
    } finally {
      await target.close();
    }
    const kept = store.keptPath();
    await rename(path, kept);
    return { path: kept, size, etag: md5.digest('hex') };
  } catch (failure) {
    await rm(path, { force: true });
    throw failure;
  }
}

async function append(
  target: FileHandle,
  { path, start, end }: FilePiece,
  md5: ReturnType<typeof createHash>,
): Promise<number> {
  const source = await open(path, 'r');
  try {
    for await (const piece of source.createReadStream({ start, end, autoClose: false })) {
      md5.update(piece as Buffer);
      await target.writeFile(piece as Buffer);
    }
  } finally {
    await source.close();
  }
  return end - start + 1;
}

/** Runs `action`, and removes the file if it fails: nobody else knows of it yet. */
async function withFile(file: ReceivedFile, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (failure) {
    await rm(file.path, { force: true });
    throw failure;
  }
}

/** The object, or S3's error for one that is not there or is a delete marker. */
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

function existingUpload({ store, bucket, key, query }: ObjectCall): Upload {
  const id = query.get('uploadId') ?? '';
  const upload = store.upload(bucket.name, key, id);
  if (upload === undefined) throw new S3Error('NoSuchUpload', { UploadId: id });
  return upload;
}

function partNumber(query: URLSearchParams): number {
  const number = Number(query.get('partNumber'));
  if (Number.isInteger(number) && number >= 1 && number <= S3_QUOTAS.partNumber) return number;
  throw new S3Error(
    'InvalidArgument',
    {},
    `Part number must be an integer between 1 and ${S3_QUOTAS.partNumber}, inclusive`,
  );
}

function copySource(call: ApiCall, store: S3Store): StoredObject {
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

function checkKey(key: string): void {
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

function headersToKeep({ request }: ApiCall): ObjectHeaders {
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
  // How the body was sent is not how the object is encoded.
  const encoding = (kept['content-encoding'] ?? '')
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'aws-chunked');
  delete kept['content-encoding'];
  if (encoding.length > 0) kept['content-encoding'] = encoding.join(',');
  return kept;
}

function parseTagHeader(value: string | string[] | undefined): ObjectTags {
  return typeof value === 'string' ? checkedTags([...new URLSearchParams(value)]) : {};
}

function checkedTags(tags: readonly (readonly [string, string])[]): ObjectTags {
  if (tags.length > S3_QUOTAS.tags)
    throw new S3Error('InvalidTag', {}, `Object tags cannot be greater than ${S3_QUOTAS.tags}`);
  const isWrong = tags.some(([key, value]) => key.length < 1 || key.length > 128 || value.length > 256);
  if (isWrong) throw new S3Error('InvalidTag');
  if (new Set(tags.map(([key]) => key)).size < tags.length) {
    throw new S3Error('InvalidTag', {}, 'Cannot provide multiple Tags with the same key');
  }
  return Object.fromEntries(tags);
}

/** The body as a document whose root is `root`. */
export async function readXml(call: ApiCall, root: string): Promise<XmlElement> {
  const document = parseXml((await readBody(call.request, 4 * 1024 * 1024)).toString('utf8'));
  if (document?.name !== root) throw new S3Error('MalformedXML');
  return document;
}

export function versionHeader(bucket: Bucket, object: StoredObject): HttpHeaders {
  return bucket.versioning === '' ? {} : { 'x-amz-version-id': object.versionId };
}

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
    if (header !== undefined) overridden[header] = value;
  }
  return overridden;
}

type ByteRange = { readonly start: number; readonly end: number; readonly isPartial: boolean };

/** Both ends included; without a range (or with one that is not understood) the whole object. */
function parseRange(range: string | undefined, size: number): ByteRange {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return { start: 0, end: size - 1, isPartial: false };
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size || end < start) throw new S3Error('InvalidRange', { ActualObjectSize: size });
  return { start, end, isPartial: true };
}

function checkPreconditionsOfRead({ request }: ApiCall, object: StoredObject): void {
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

function checkPreconditionsOfWrite({ request }: ApiCall, before: StoredObject | undefined): void {
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

function ignoreLostClient(failure: unknown): void {
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  if (code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'ECONNRESET' && code !== 'EPIPE') throw failure;
}

/** How an object is told in listings. */
export function listedObject(object: StoredObject): XmlStructure {
  return {
    LastModified: renderS3Date(object.modifiedMs),
    ETag: quoteEtag(object.etag),
    Size: object.size,
    StorageClass: object.headers['x-amz-storage-class'] ?? 'STANDARD',
  };
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
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  UploadPartCopy: copyPart,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListParts: listParts,
} as const satisfies Partial<Record<S3OperationName, ObjectOperation>>;
