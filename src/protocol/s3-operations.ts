/**
 * The part of S3 that Lambda's users need. S3 distinguishes its operations by method, by what the path names (service,
 * bucket or object), and by query parameters that name a part of a bucket or an object.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 */
import type { S3ErrorCode } from './s3-errors.ts';

type Row = {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly on: 'service' | 'bucket' | 'object';
  /** The query parameter of this operation. */
  readonly part?: string;
  /** The request has `x-amz-copy-source`. */
  readonly isCopy?: true;
};

export const S3_OPERATIONS = {
  ListBuckets: { method: 'GET', on: 'service' },
  CreateBucket: { method: 'PUT', on: 'bucket' },
  HeadBucket: { method: 'HEAD', on: 'bucket' },
  DeleteBucket: { method: 'DELETE', on: 'bucket' },
  GetBucketLocation: { method: 'GET', on: 'bucket', part: 'location' },
  GetBucketVersioning: { method: 'GET', on: 'bucket', part: 'versioning' },
  PutBucketVersioning: { method: 'PUT', on: 'bucket', part: 'versioning' },
  ListObjects: { method: 'GET', on: 'bucket' },
  ListObjectsV2: { method: 'GET', on: 'bucket', part: 'list-type' },
  ListObjectVersions: { method: 'GET', on: 'bucket', part: 'versions' },
  ListMultipartUploads: { method: 'GET', on: 'bucket', part: 'uploads' },
  DeleteObjects: { method: 'POST', on: 'bucket', part: 'delete' },
  PutObject: { method: 'PUT', on: 'object' },
  CopyObject: { method: 'PUT', on: 'object', isCopy: true },
  GetObject: { method: 'GET', on: 'object' },
  HeadObject: { method: 'HEAD', on: 'object' },
  DeleteObject: { method: 'DELETE', on: 'object' },
  GetObjectTagging: { method: 'GET', on: 'object', part: 'tagging' },
  PutObjectTagging: { method: 'PUT', on: 'object', part: 'tagging' },
  DeleteObjectTagging: { method: 'DELETE', on: 'object', part: 'tagging' },
  CreateMultipartUpload: { method: 'POST', on: 'object', part: 'uploads' },
  UploadPart: { method: 'PUT', on: 'object', part: 'uploadId' },
  UploadPartCopy: { method: 'PUT', on: 'object', part: 'uploadId', isCopy: true },
  CompleteMultipartUpload: { method: 'POST', on: 'object', part: 'uploadId' },
  AbortMultipartUpload: { method: 'DELETE', on: 'object', part: 'uploadId' },
  ListParts: { method: 'GET', on: 'object', part: 'uploadId' },
} as const satisfies Record<string, Row>;

export type S3OperationName = keyof typeof S3_OPERATIONS;

type SettingRow = {
  /** The operations are named `Get`, `Put` and `Delete` plus this name. */
  readonly name: string;
  /** The response to GET when the setting is not set: an error, or an empty document with this root. */
  readonly absent: S3ErrorCode | { readonly root: string };
};

/** Settings of a bucket, by query parameter. They are stored and returned. Only `notification` has an effect. */
export const S3_BUCKET_SETTINGS: Readonly<Record<string, SettingRow>> = {
  accelerate: { name: 'BucketAccelerateConfiguration', absent: { root: 'AccelerateConfiguration' } },
  cors: { name: 'BucketCors', absent: 'NoSuchCORSConfiguration' },
  encryption: { name: 'BucketEncryption', absent: 'ServerSideEncryptionConfigurationNotFoundError' },
  lifecycle: { name: 'BucketLifecycleConfiguration', absent: 'NoSuchLifecycleConfiguration' },
  logging: { name: 'BucketLogging', absent: { root: 'BucketLoggingStatus' } },
  notification: { name: 'BucketNotificationConfiguration', absent: { root: 'NotificationConfiguration' } },
  'object-lock': { name: 'ObjectLockConfiguration', absent: 'ObjectLockConfigurationNotFoundError' },
  ownershipControls: { name: 'BucketOwnershipControls', absent: 'OwnershipControlsNotFoundError' },
  policy: { name: 'BucketPolicy', absent: 'NoSuchBucketPolicy' },
  publicAccessBlock: { name: 'PublicAccessBlock', absent: 'NoSuchPublicAccessBlockConfiguration' },
  replication: { name: 'BucketReplication', absent: 'ReplicationConfigurationNotFoundError' },
  requestPayment: { name: 'BucketRequestPayment', absent: { root: 'RequestPaymentConfiguration' } },
  tagging: { name: 'BucketTagging', absent: 'NoSuchTagSet' },
  website: { name: 'BucketWebsite', absent: 'NoSuchWebsiteConfiguration' },
};

/** Query parameters of operations that are not supported. */
const OTHER_PARTS = [
  'acl',
  'analytics',
  'attributes',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'metrics',
  'policyStatus',
  'renameObject',
  'restore',
  'retention',
  'select',
  'session',
  'torrent',
];

const PARTS = new Set([
  ...Object.values<Row>(S3_OPERATIONS).flatMap(({ part }) => part ?? []),
  ...Object.keys(S3_BUCKET_SETTINGS),
  ...OTHER_PARTS,
]);

/** The query parameter that names a part of a bucket or an object. */
export function partOf(query: URLSearchParams): string | undefined {
  return [...query.keys()].find((name) => PARTS.has(name));
}

/** The operation of a request. Undefined if it is not supported or is for a bucket's setting. */
export function findS3Operation(
  method: string,
  on: Row['on'],
  part: string | undefined,
  isCopy: boolean,
): S3OperationName | undefined {
  const found = Object.entries<Row>(S3_OPERATIONS).find(
    ([, row]) => row.method === method && row.on === on && row.part === part && (row.isCopy ?? false) === isCopy,
  );
  return found?.[0] as S3OperationName | undefined;
}
