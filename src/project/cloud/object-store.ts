/**
 * Objects of S3 that a deployment uploads, and removes afterwards. Every call names the account that must own the bucket:
 * a bucket that somebody else has made under the same name gets no code.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
 */
import { readFile } from 'node:fs/promises';
import { encodePath } from '../../wire/sign-request.ts';
import { parseXml } from '../../wire/xml.ts';
import { type CloudCall, type CloudClient, CloudFailure, textAt } from './cloud-client.ts';

export type ObjectStore = {
  readonly bucket: string;
  /** Whether an object exists. @throws CloudFailure for a bucket that is missing or not the owner's */
  has(key: string): Promise<boolean>;
  put(key: string, body: Buffer): Promise<void>;
  putFile(key: string, file: string): Promise<void>;
  /** @throws CloudFailure `NoSuchKey` */
  get(key: string): Promise<Buffer>;
  /** Keys and versions below a prefix. */
  list(prefix: string): Promise<StoredObject[]>;
  delete(object: StoredObject): Promise<void>;
};

export type StoredObject = { readonly key: string; readonly versionId: string | undefined; readonly bytes: number };

export type BucketStatus = 'own' | 'missing' | 'forbidden' | { readonly region: string };

export type StoreOptions = {
  readonly bucket: string;
  readonly owner: string;
  readonly signal?: AbortSignal | undefined;
};

/** Whether the bucket exists, is in the region, and belongs to the account. */
export async function bucketStatus(client: CloudClient, options: StoreOptions): Promise<BucketStatus> {
  try {
    await client.call(callOf(options, 'HeadBucket', 'HEAD', ''));
    return 'own';
  } catch (failure) {
    if (!(failure instanceof CloudFailure)) throw failure;
    const region = failure.response.headers['x-amz-bucket-region'];
    if (failure.status === 404) return 'missing';
    if (typeof region === 'string' && region !== client.target.region) return { region };
    if (failure.status === 403) return 'forbidden';
    throw failure;
  }
}

export function openStore(client: CloudClient, options: StoreOptions): ObjectStore {
  const call = (operation: string, method: CloudCall['method'], key: string, more: Partial<CloudCall> = {}) =>
    client.call({ ...callOf(options, operation, method, key), ...more });
  const put = async (key: string, body: Buffer) => {
    const headers = { 'content-type': 'application/octet-stream', 'x-amz-expected-bucket-owner': options.owner };
    await call('PutObject', 'PUT', key, { body, headers });
  };
  return {
    bucket: options.bucket,
    async has(key) {
      try {
        await call('HeadObject', 'HEAD', key);
        return true;
      } catch (failure) {
        if (failure instanceof CloudFailure && failure.status === 404) return false;
        throw failure;
      }
    },
    put,
    async putFile(key, file) {
      await put(key, await readFile(file));
    },
    async get(key) {
      return (await call('GetObject', 'GET', key)).body;
    },
    async list(prefix) {
      const found: StoredObject[] = [];
      for (let markers: Record<string, string> | undefined = {}; markers !== undefined; ) {
        const query = { versions: '', prefix, ...markers };
        const page = parseXml((await call('ListObjectVersions', 'GET', '', { query })).body.toString());
        for (const child of page?.children ?? []) {
          const key = textAt(child, 'Key');
          if (!['Version', 'DeleteMarker'].includes(child.name) || key === undefined) continue;
          const versionId = textAt(child, 'VersionId');
          found.push({
            key,
            versionId: versionId === 'null' ? undefined : versionId,
            bytes: Number(textAt(child, 'Size') ?? 0),
          });
        }
        const next = page === undefined ? undefined : textAt(page, 'NextKeyMarker');
        const version = page === undefined ? undefined : textAt(page, 'NextVersionIdMarker');
        const isMore = page !== undefined && textAt(page, 'IsTruncated') === 'true' && next !== undefined;
        markers = isMore ? { 'key-marker': next, ...(version && { 'version-id-marker': version }) } : undefined;
      }
      return found;
    },
    async delete({ key, versionId }) {
      await call('DeleteObject', 'DELETE', key, versionId === undefined ? {} : { query: { versionId } });
    },
  };
}

function callOf(
  { bucket, owner, signal }: StoreOptions,
  operation: string,
  method: CloudCall['method'],
  key: string,
): CloudCall {
  const path = key === '' ? `/${bucket}` : `/${bucket}/${encodePath(key)}`;
  return { service: 's3', operation, method, path, headers: { 'x-amz-expected-bucket-owner': owner }, signal };
}
