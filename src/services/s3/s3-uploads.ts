/** S3's operations on multipart uploads. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import { S3_QUOTAS } from '../../protocol/s3-errors.ts';
import type { S3OperationName } from '../../protocol/s3-operations.ts';
import type { XmlElement } from '../../wire/xml.ts';
import { childText } from '../../wire/xml.ts';
import { receiveBody } from './s3-body.ts';
import {
  checkKey,
  checkPreconditionsOfWrite,
  copySource,
  creationOf,
  headersToKeep,
  type ObjectCall,
  type ObjectOperation,
  parseRange,
  parseTagHeader,
  readXml,
  versionHeader,
  withFile,
} from './s3-object-request.ts';
import type { Part, ReceivedFile, S3Store, Upload } from './s3-store.ts';
import { quoteEtag, renderS3Date, S3Error, sendEmpty, sendXml, unquoteEtag } from './s3-wire.ts';

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
  const { call, store, notify, bucket, key } = request;
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
    await notify(call, bucket, creationOf('ObjectCreated:CompleteMultipartUpload', stored));
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
  const requested = document.children
    .filter(({ name }) => name === 'Part')
    .map((part) => ({
      number: Number(childText(part, 'PartNumber')),
      etag: unquoteEtag(childText(part, 'ETag') ?? ''),
    }));
  if (requested.length === 0) throw new S3Error('MalformedXML');
  const isRising = requested.every(({ number }, index) => number > (requested[index - 1]?.number ?? 0));
  if (!isRising) throw new S3Error('InvalidPartOrder');
  return requested.map(({ number, etag }, index) => {
    const part = parts.find((candidate) => candidate.number === number && candidate.etag === etag);
    if (part === undefined) throw new S3Error('InvalidPart', { PartNumber: number, ETag: etag });
    if (index < requested.length - 1 && part.size < S3_QUOTAS.partBytesMin) {
      throw new S3Error('EntityTooSmall', { ProposedSize: part.size, MinSizeAllowed: S3_QUOTAS.partBytesMin });
    }
    return part;
  });
}

type FilePiece = { readonly path: string; readonly start: number; readonly end: number };

/** Concatenates pieces of files into a new file. */
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

export const UPLOAD_OPERATIONS = {
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  UploadPartCopy: copyPart,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListParts: listParts,
} as const satisfies Partial<Record<S3OperationName, ObjectOperation>>;
