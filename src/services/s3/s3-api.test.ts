import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { paginateListObjectsV2, S3 } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApis } from '../../../test/support/running-apis.ts';
import { startApis, TEST_CREDENTIALS } from '../../../test/support/running-apis.ts';

const Bucket = 'code-bucket';

describe.each([
  { signatures: 'any signature', enforcedKeys: undefined },
  {
    signatures: 'enforced signatures',
    enforcedKeys: { [TEST_CREDENTIALS.accessKeyId]: TEST_CREDENTIALS.secretAccessKey },
  },
])('S3 with $signatures', ({ enforcedKeys }) => {
  let apis: RunningApis;
  let s3: S3;

  beforeEach(async () => {
    apis = await startApis(enforcedKeys ? { enforcedKeys } : {});
    s3 = new S3({ endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, forcePathStyle: true });
    await s3.createBucket({ Bucket });
  });
  afterEach(async () => {
    s3.destroy();
    await apis.close();
  });

  const put = (Key: string, Body: string | Buffer = Key, more: object = {}) =>
    s3.putObject({ Bucket, Key, Body, ...more });
  const read = async (Key: string, more: object = {}) => {
    const { Body } = await s3.getObject({ Bucket, Key, ...more });
    return (await Body?.transformToString()) ?? '';
  };
  const refusal = async (response: Promise<unknown>) => {
    const failure = await response.then(
      () => undefined,
      (reason: Error & { $metadata: { httpStatusCode: number } }) => reason,
    );
    return failure && [failure.name, failure.$metadata.httpStatusCode];
  };
  const filesOnDisk = () =>
    ['objects', 'receiving'].flatMap((directory) => readdirSync(join(apis.root, 's3', directory)));

  it('returns an object unchanged, with its headers and metadata', async () => {
    const body = randomBytes(300_000);
    const startedAt = Date.now();
    const { ETag } = await put('dir/ä b+c?.zip', body, {
      ContentType: 'application/zip',
      CacheControl: 'no-store',
      Metadata: { 'made-by': 'test' },
      Tagging: 'a=1&b=2',
    });
    expect(ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
    const got = await s3.getObject({ Bucket, Key: 'dir/ä b+c?.zip', ChecksumMode: 'ENABLED' });
    expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
    expect(got).toMatchObject({
      ETag,
      ContentType: 'application/zip',
      CacheControl: 'no-store',
      ContentLength: body.length,
      Metadata: { 'made-by': 'test' },
      TagCount: 2,
    });
    expect(got.ContentEncoding).toBeUndefined();
    const head = await s3.headObject({ Bucket, Key: 'dir/ä b+c?.zip' });
    expect(head.ContentLength).toBe(body.length);
    // S3 gives whole seconds.
    expect(head.LastModified?.getTime()).toBeGreaterThan(startedAt - 1000);
    expect(head.LastModified?.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('a chunked upload is stored without its chunks, with any checksum', async () => {
    const content = Buffer.concat(Array.from({ length: 50 }, () => randomBytes(10_007)));
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
      const pieces = Array.from({ length: 50 }, (_, index) => content.subarray(index * 10_007, (index + 1) * 10_007));
      await s3.putObject({
        Bucket,
        Key: ChecksumAlgorithm,
        Body: Readable.from(pieces),
        ContentLength: content.length,
        ChecksumAlgorithm,
      });
      const { Body } = await s3.getObject({ Bucket, Key: ChecksumAlgorithm, ChecksumMode: 'ENABLED' });
      expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(content), ChecksumAlgorithm).toBe(true);
    }
  });

  it('supports ranges and preconditions', async () => {
    const { ETag } = await put('k', '0123456789');
    expect(await read('k', { Range: 'bytes=2-4' })).toBe('234');
    expect(await read('k', { Range: 'bytes=-3' })).toBe('789');
    expect((await s3.getObject({ Bucket, Key: 'k', Range: 'bytes=8-' })).ContentRange).toBe('bytes 8-9/10');
    expect(await refusal(s3.getObject({ Bucket, Key: 'k', Range: 'bytes=10-' }))).toEqual(['InvalidRange', 416]);
    expect((await refusal(s3.getObject({ Bucket, Key: 'k', IfNoneMatch: ETag })))?.[1]).toBe(304);
    expect((await refusal(s3.getObject({ Bucket, Key: 'k', IfMatch: '"other"' })))?.[1]).toBe(412);
    expect((await refusal(put('k', 'x', { IfNoneMatch: '*' })))?.[1]).toBe(412);
    expect(await refusal(put('new', 'x', { IfNoneMatch: '*' }))).toBeUndefined();
  });

  it('missing buckets and objects have the errors of S3', async () => {
    expect(await refusal(s3.getObject({ Bucket, Key: 'nothing' }))).toEqual(['NoSuchKey', 404]);
    expect(await refusal(s3.headObject({ Bucket, Key: 'nothing' }))).toEqual(['NotFound', 404]);
    expect(await refusal(s3.listObjectsV2({ Bucket: 'no-bucket' }))).toEqual(['NoSuchBucket', 404]);
    expect(await refusal(s3.headBucket({ Bucket: 'no-bucket' }))).toEqual(['NotFound', 404]);
    expect(await refusal(s3.createBucket({ Bucket: 'Bad_Name' }))).toEqual(['InvalidBucketName', 400]);
    await expect(s3.getObject({ Bucket, Key: 'nothing' })).rejects.toThrow('The specified key does not exist.');
  });

  it('overwriting and deleting leave no file behind', async () => {
    for (const body of ['one', 'two', 'three']) await put('k', body);
    expect(filesOnDisk()).toHaveLength(1);
    expect(await read('k')).toBe('three');
    expect(await refusal(s3.deleteBucket({ Bucket }))).toEqual(['BucketNotEmpty', 409]);
    await s3.deleteObject({ Bucket, Key: 'k' });
    await s3.deleteObject({ Bucket, Key: 'k' });
    expect(filesOnDisk()).toEqual([]);
    await s3.deleteBucket({ Bucket });
    expect((await s3.listBuckets({})).Buckets).toEqual([]);
  });

  it('lists by prefix, delimiter and page size, in the order of bytes', async () => {
    const keys = ['a.txt', 'dir/1', 'dir/2', 'dir/sub/3', 'dir/sub/4', 'e/5', 'e0', 'Z', 'é', '\u{1F600}', '\uFF5E'];
    for (const key of keys) await put(key);
    const list = async (query: object) => {
      const found: string[] = [];
      for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket, ...query })) {
        expect(page.KeyCount).toBe((page.Contents?.length ?? 0) + (page.CommonPrefixes?.length ?? 0));
        found.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
        found.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix ?? ''));
      }
      return found;
    };
    const inByteOrder = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const MaxKeys of [1, 2, 3, 1000]) {
      expect(await list({ MaxKeys })).toEqual(inByteOrder);
      expect(await list({ MaxKeys, Prefix: 'dir/', Delimiter: '/' })).toEqual(['dir/1', 'dir/2', 'dir/sub/']);
      expect((await list({ MaxKeys, Delimiter: '/' })).toSorted()).toEqual(
        ['Z', 'a.txt', 'dir/', 'e/', 'e0', 'é', '\uFF5E', '\u{1F600}'].toSorted(),
      );
    }
    expect(await list({ StartAfter: 'dir/sub/3', Prefix: 'dir/' })).toEqual(['dir/sub/4']);
    const old = await s3.listObjects({ Bucket, MaxKeys: 2, Delimiter: '/' });
    expect([old.IsTruncated, old.NextMarker]).toEqual([true, 'a.txt']);
    const odd = 'odd\u0001&<key>\n';
    await put(odd);
    const encoded = await s3.listObjectsV2({ Bucket, Prefix: 'odd', EncodingType: 'url' });
    expect(decodeURIComponent(encoded.Contents?.[0]?.Key ?? '')).toBe(odd);
  });

  it('multiple objects can be deleted in one request', async () => {
    for (const key of ['a', 'b', ' c ']) await put(key);
    const { Deleted } = await s3.deleteObjects({
      Bucket,
      Delete: { Objects: [{ Key: 'a' }, { Key: ' c ' }, { Key: 'never' }] },
    });
    expect(Deleted?.map(({ Key }) => Key)).toEqual(['a', ' c ', 'never']);
    expect((await s3.listObjectsV2({ Bucket })).Contents?.map(({ Key }) => Key)).toEqual(['b']);
  });

  it('objects can be copied, with or without new metadata', async () => {
    await put('a b', 'content', { Metadata: { old: '1' }, Tagging: 't=1' });
    await s3.copyObject({ Bucket, Key: 'copy', CopySource: `${Bucket}/a%20b` });
    expect((await s3.headObject({ Bucket, Key: 'copy' })).Metadata).toEqual({ old: '1' });
    expect((await s3.getObjectTagging({ Bucket, Key: 'copy' })).TagSet).toEqual([{ Key: 't', Value: '1' }]);
    await s3.copyObject({
      Bucket,
      Key: 'copy',
      CopySource: `${Bucket}/copy`,
      MetadataDirective: 'REPLACE',
      Metadata: { fresh: '2' },
    });
    expect((await s3.headObject({ Bucket, Key: 'copy' })).Metadata).toEqual({ fresh: '2' });
    expect(await read('copy')).toBe('content');
    expect((await refusal(s3.copyObject({ Bucket, Key: 'copy', CopySource: `${Bucket}/copy` })))?.[0]).toBe(
      'InvalidRequest',
    );
    expect((await refusal(s3.copyObject({ Bucket, Key: 'x', CopySource: `${Bucket}/none` })))?.[0]).toBe('NoSuchKey');
  });

  it('large objects can be uploaded in parts', async () => {
    const Key = 'large.zip';
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key, ContentType: 'application/zip' });
    const parts = [randomBytes(5 * 1024 * 1024), randomBytes(5 * 1024 * 1024 + 1), randomBytes(10)];
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index * 2 + 1;
      const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber, Body });
      Parts.push({ PartNumber, ETag });
    }
    expect((await s3.listParts({ Bucket, Key, UploadId })).Parts?.map(({ PartNumber }) => PartNumber)).toEqual([
      1, 3, 5,
    ]);
    expect((await s3.listMultipartUploads({ Bucket })).Uploads?.map((upload) => upload.Key)).toEqual([Key]);
    const complete = (list: typeof Parts) =>
      s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts: list } });
    expect(await refusal(complete(Parts.toReversed()))).toEqual(['InvalidPartOrder', 400]);
    expect(await refusal(complete([{ PartNumber: 2, ETag: Parts[0]?.ETag }]))).toEqual(['InvalidPart', 400]);
    const { ETag } = await complete(Parts);
    const digests = Buffer.concat(parts.map((part) => createHash('md5').update(part).digest()));
    expect(ETag).toBe(`"${createHash('md5').update(digests).digest('hex')}-3"`);
    const { Body, ContentType } = await s3.getObject({ Bucket, Key });
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(Buffer.concat(parts))).toBe(true);
    expect(ContentType).toBe('application/zip');
    expect(await refusal(complete(Parts))).toEqual(['NoSuchUpload', 404]);
    expect(filesOnDisk()).toHaveLength(1);
  });

  it('an aborted multipart upload leaves no file behind', async () => {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: 'k' });
    await s3.uploadPart({ Bucket, Key: 'k', UploadId, PartNumber: 1, Body: 'x' });
    await s3
      .uploadPartCopy({ Bucket, Key: 'k', UploadId, PartNumber: 2, CopySource: `${Bucket}/k` })
      .catch(() => undefined);
    await s3.abortMultipartUpload({ Bucket, Key: 'k', UploadId });
    expect(filesOnDisk()).toEqual([]);
    await s3.deleteBucket({ Bucket });
  });

  it('keeps versions if versioning is enabled', async () => {
    await put('k', 'null version');
    await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } });
    const first = (await put('k', 'first')).VersionId;
    const second = (await put('k', 'second')).VersionId;
    expect(await read('k')).toBe('second');
    expect(await read('k', { VersionId: first })).toBe('first');
    expect(await read('k', { VersionId: 'null' })).toBe('null version');
    const { DeleteMarker, VersionId: marker } = await s3.deleteObject({ Bucket, Key: 'k' });
    expect(DeleteMarker).toBe(true);
    expect(await refusal(s3.getObject({ Bucket, Key: 'k' }))).toEqual(['NoSuchKey', 404]);
    expect((await s3.listObjectsV2({ Bucket })).Contents).toBeUndefined();
    const { Versions, DeleteMarkers } = await s3.listObjectVersions({ Bucket });
    expect(Versions?.map(({ VersionId }) => VersionId)).toEqual([second, first, 'null']);
    expect(DeleteMarkers?.map(({ VersionId, IsLatest }) => [VersionId, IsLatest])).toEqual([[marker, true]]);
    expect(await apis.s3.readObject(Bucket, 'k', first)).toEqual({ bytes: Buffer.from('first') });
    await s3.deleteObject({ Bucket, Key: 'k', VersionId: marker });
    expect(await read('k')).toBe('second');
    await s3.deleteObject({ Bucket, Key: 'k', VersionId: second });
    expect(await read('k')).toBe('first');
    expect((await refusal(s3.getObject({ Bucket, Key: 'k', VersionId: second })))?.[0]).toBe('NoSuchVersion');
  });

  it("Lambda reads code from a bucket, or gets S3's error", async () => {
    await put('f.zip', 'zip');
    expect(await apis.s3.readObject(Bucket, 'f.zip')).toEqual({ bytes: Buffer.from('zip') });
    expect(await apis.s3.readObject(Bucket, 'g.zip')).toEqual({
      errorCode: 'NoSuchKey',
      errorMessage: 'The specified key does not exist.',
    });
    expect(await apis.s3.readObject('none', 'g.zip')).toEqual({
      errorCode: 'NoSuchBucket',
      errorMessage: 'The specified bucket does not exist',
    });
  });

  it('stores the settings of a bucket, and has the response of AWS for missing ones', async () => {
    expect(await refusal(s3.getBucketPolicy({ Bucket }))).toEqual(['NoSuchBucketPolicy', 404]);
    await s3.putBucketPolicy({ Bucket, Policy: '{"Version":"2012-10-17"}' });
    expect((await s3.getBucketPolicy({ Bucket })).Policy).toBe('{"Version":"2012-10-17"}');
    await s3.deleteBucketPolicy({ Bucket });
    expect(await refusal(s3.getBucketPolicy({ Bucket }))).toEqual(['NoSuchBucketPolicy', 404]);
    await s3.putBucketTagging({ Bucket, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } });
    expect((await s3.getBucketTagging({ Bucket })).TagSet).toEqual([{ Key: 'a', Value: 'b' }]);
    expect((await s3.getBucketLocation({ Bucket })).LocationConstraint).toBeUndefined();
    expect((await s3.getBucketVersioning({ Bucket })).Status).toBeUndefined();
    expect(await refusal(s3.getObjectAcl({ Bucket, Key: 'k' }))).toEqual(['NotImplemented', 501]);
  });

  it('a bucket can be part of the host name', async () => {
    // Not every machine resolves subdomains of localhost.
    const httpAgent = new Agent({
      lookup: (_name, options, done) =>
        options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
    });
    const virtual = new S3({
      requestHandler: { httpAgent },
      endpoint: `http://localhost:${apis.port}`,
      region: 'us-east-1',
      credentials: TEST_CREDENTIALS,
    });
    await virtual.putObject({ Bucket, Key: 'dir/virtual', Body: 'hosted' });
    expect(await read('dir/virtual')).toBe('hosted');
    expect((await virtual.listObjectsV2({ Bucket })).Contents?.map(({ Key }) => Key)).toEqual(['dir/virtual']);
    virtual.destroy();
  });
});

describe('an upload to S3', () => {
  let apis: RunningApis;
  let s3: S3;

  beforeEach(async () => {
    apis = await startApis();
    s3 = new S3({ endpoint: apis.url, region: 'us-east-1', credentials: TEST_CREDENTIALS, forcePathStyle: true });
    await s3.createBucket({ Bucket });
  });
  afterEach(async () => {
    s3.destroy();
    await apis.close();
  });

  const upload = (headers: Record<string, string | number>, pieces: readonly string[], isCut = false) =>
    new Promise<string>((resolve) => {
      const authorization =
        'AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';
      const request = httpRequest(
        `${apis.url}/${Bucket}/k`,
        { method: 'PUT', headers: { authorization, ...headers } },
        (response) => {
          let text = '';
          response.on('data', (piece) => (text += piece));
          response.on('end', () => resolve(/<Code>(\w+)</.exec(text)?.[1] ?? String(response.statusCode)));
        },
      );
      request.on('error', () => resolve('cut'));
      for (const piece of pieces) request.write(piece);
      if (isCut) setImmediate(() => request.destroy());
      else request.end();
    });
  const chunked = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'x-amz-decoded-content-length': 5 };
  const isEmpty = () => readdirSync(join(apis.root, 's3', 'objects')).length === 0;

  it.each([
    ['a wrong MD5', { 'content-md5': Buffer.alloc(16).toString('base64') }, ['hello'], 'BadDigest'],
    ['an invalid MD5', { 'content-md5': 'abc' }, ['hello'], 'InvalidDigest'],
    ['a wrong SHA-256', { 'x-amz-content-sha256': '0'.repeat(64) }, ['hello'], 'XAmzContentSHA256Mismatch'],
    ['a wrong checksum', { 'x-amz-checksum-crc32': 'AAAAAA==' }, ['hello'], 'BadDigest'],
    [
      'a wrong trailing checksum',
      { ...chunked, 'x-amz-trailer': 'x-amz-checksum-crc32' },
      ['5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'],
      'BadDigest',
    ],
    ['chunks shorter than declared', chunked, ['3\r\nhel\r\n0\r\n\r\n'], 'IncompleteBody'],
    ['a chunk that ends early', chunked, ['5\r\nhel'], 'IncompleteBody'],
    ['a chunk without its size', chunked, ['hello\r\n'], 'IncompleteBody'],
  ])('with %s is rejected or stored, never in part', async (_, headers, pieces, expected) => {
    expect(await upload(headers, pieces)).toBe(expected);
    expect(isEmpty()).toBe(expected !== '200');
    expect(readdirSync(join(apis.root, 's3', 'receiving'))).toEqual([]);
  });

  it('is decoded from chunks in pieces of any size', async () => {
    const wire = `2;chunk-signature=${'0'.repeat(64)}\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n`;
    for (const size of [1, 2, 3, 7, 50]) {
      const pieces = wire.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      expect(await upload({ ...chunked, 'x-amz-trailer': 'x-amz-checksum-crc32' }, pieces)).toBe('200');
      const { Body } = await s3.getObject({ Bucket, Key: 'k' });
      expect(await Body?.transformToString()).toBe('hello');
    }
  });

  it('that the client aborts leaves no file behind', async () => {
    await upload({ 'content-length': 1_000_000 }, ['x'.repeat(1000)], true);
    await expect.poll(() => readdirSync(join(apis.root, 's3', 'receiving'))).toEqual([]);
    expect(isEmpty()).toBe(true);
  });
});
