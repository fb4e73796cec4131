/** Reads the code or layer content of a request: from the request itself, or from an object in a bucket. */
import { HOT_RELOAD_BUCKET, type HotDirectories } from '../../functions/hot-reload/hot-directories.ts';
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
  readonly S3ObjectStorageMode?: string | undefined;
  readonly SourceKMSKeyArn?: string | undefined;
};

export type ReadZip = {
  readonly zip: Buffer;
  readonly isFromBucket: boolean;
  /** Members of the request that are returned with the content and have no effect. */
  readonly stored: Readonly<Record<string, unknown>>;
};

/** The directory to mount, for code in the bucket `hot-reload`; undefined for other code. @throws ServiceError */
export function directoryOf(
  { ZipFile, S3Bucket, S3Key }: CodeSource,
  hotDirectories: Pick<HotDirectories, 'admit'> | undefined,
): string | undefined {
  if (ZipFile !== undefined || S3Bucket !== HOT_RELOAD_BUCKET || S3Key === undefined) return undefined;
  if (hotDirectories !== undefined) return hotDirectories.admit(S3Key);
  throw new ServiceError('InvalidParameterValueException', 'This service does not mount directories.');
}

/** Reads the zip that a request contains or names. `absent` is the error message when it does neither. */
export async function readZip(readObject: ReadObject, source: CodeSource, absent: string): Promise<ReadZip> {
  const { ZipFile, S3Bucket, S3Key, S3ObjectVersion } = source;
  if (ZipFile !== undefined) return { zip: ZipFile, isFromBucket: false, stored: storedMembersOf(source) };
  if (S3Bucket === undefined || S3Key === undefined) throw new ServiceError('InvalidParameterValueException', absent);
  if (S3Bucket === HOT_RELOAD_BUCKET) {
    throw new ServiceError(
      'InvalidParameterValueException',
      `The bucket ${HOT_RELOAD_BUCKET} stands for directories of this machine, from which functions can run, and layers ` +
        'cannot. Pass the layer as a zip.',
    );
  }
  const content = await readObject(S3Bucket, S3Key, S3ObjectVersion);
  if ('bytes' in content) return { zip: content.bytes, isFromBucket: true, stored: storedMembersOf(source) };
  throw new ServiceError(
    'InvalidParameterValueException',
    `Error occurred while GetObject. S3 Error Code: ${content.errorCode}. S3 Error Message: ${content.errorMessage}`,
  );
}

/** With `REFERENCE`, AWS reads the object where it is and returns its address. Lamella copies it in either mode. */
function storedMembersOf({ S3Bucket, S3Key, S3ObjectVersion, S3ObjectStorageMode, SourceKMSKeyArn }: CodeSource) {
  return {
    ...(SourceKMSKeyArn && { SourceKMSKeyArn }),
    ...(S3ObjectStorageMode === 'REFERENCE' && { ResolvedS3Object: { S3Bucket, S3Key, S3ObjectVersion } }),
  };
}
