/** Reads the code or layer content of a request: from the request itself, or from an object in a bucket. */
import { ServiceError } from '../../protocol/service-errors.ts';

/** Reads an object: its bytes, or S3's error. */
export type ReadObject = (bucket: string, key: string, versionId?: string) => Promise<ObjectContent>;

export type ObjectContent = { readonly bytes: Buffer } | { readonly errorCode: string; readonly errorMessage: string };

/** Members of the API's model. */
export type CodeSource = {
  readonly ZipFile?: Buffer | undefined;
  readonly S3Bucket?: string | undefined;
  readonly S3Key?: string | undefined;
  readonly S3ObjectVersion?: string | undefined;
};

export type ReadZip = { readonly zip: Buffer; readonly isFromBucket: boolean };

/** Reads the zip that a request contains or names. `absent` is the error message when it does neither. */
export async function readZip(
  readObject: ReadObject,
  { ZipFile, S3Bucket, S3Key, S3ObjectVersion }: CodeSource,
  absent: string,
): Promise<ReadZip> {
  if (ZipFile !== undefined) return { zip: ZipFile, isFromBucket: false };
  if (S3Bucket === undefined || S3Key === undefined) throw new ServiceError('InvalidParameterValueException', absent);
  const content = await readObject(S3Bucket, S3Key, S3ObjectVersion);
  if ('bytes' in content) return { zip: content.bytes, isFromBucket: true };
  throw new ServiceError(
    'InvalidParameterValueException',
    `Error occurred while GetObject. S3 Error Code: ${content.errorCode}. S3 Error Message: ${content.errorMessage}`,
  );
}
