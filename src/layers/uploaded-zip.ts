/**
 * Stores zips that clients upload as layer content or function code, and refuses invalid ones in AWS's wording. AWS
 * does not report the exact problem; here it is the error's `cause`.
 */
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { ArchiveError } from '../storage/archive.ts';
import type { Archives, StoredArchive } from '../storage/archives.ts';

/** Where the trees are mounted in an environment. Absolute links below these paths are allowed. */
const MOUNT_POINTS = ['/opt', '/var/task'];
/** AWS documents no limit. This one prevents a small archive from exhausting the disk's inodes. */
const MAX_ENTRIES = 300_000;

/**
 * Stores an uploaded zip, both as is and unpacked. The caller records its digest and then calls `release`. A zip from a
 * bucket can be larger than one in a request.
 * @throws ServiceError when the zip is invalid; nothing is stored then
 */
export async function storeUploadedZip(archives: Archives, zip: Buffer, isFromBucket = false): Promise<StoredArchive> {
  if (!isFromBucket && zip.length > QUOTAS.zippedBytes) {
    throw new ServiceError('RequestTooLargeException', `Zipped size must be smaller than ${QUOTAS.zippedBytes} bytes`);
  }
  try {
    return await archives.add(zip, {
      unpackedBytes: QUOTAS.unzippedBytes,
      entries: MAX_ENTRIES,
      mountPoints: MOUNT_POINTS,
    });
  } catch (failure) {
    if (!(failure instanceof ArchiveError)) throw failure;
    const refusal = refusalOf(failure);
    refusal.cause = failure;
    throw refusal;
  }
}

/** AWS's error for code, or code and layers together, that is too large unpacked. */
export function unzippedSizeExceeded(): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    `Unzipped size must be smaller than ${QUOTAS.unzippedBytes} bytes`,
  );
}

function refusalOf(failure: ArchiveError): ServiceError {
  if (failure.problem === 'too-large') return unzippedSizeExceeded();
  if (failure.problem === 'empty') {
    return new ServiceError('InvalidParameterValueException', 'Uploaded file must be a non-empty zip');
  }
  return new ServiceError(
    'InvalidParameterValueException',
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
  );
}
