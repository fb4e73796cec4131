/** Where a request's code or layer content comes from: the request itself, or an object in a bucket. */
import { ServiceError } from '../../protocol/service-errors.ts';
import type { LambdaApiDependencies } from './dependencies.ts';

/** Members of the API's model. */
export type CodeSource = {
  readonly ZipFile?: Buffer | undefined;
  readonly S3Bucket?: string | undefined;
  readonly S3Key?: string | undefined;
  readonly S3ObjectVersion?: string | undefined;
};

export type ReadZip = { readonly zip: Buffer; readonly isFromBucket: boolean };

/** The zip that a request means; `absent` is what to say when it means none. */
export async function readZip(
  { readObject }: Pick<LambdaApiDependencies, 'readObject'>,
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
