/**
 * Takes in a zip that a client uploaded, as a layer's content or a function's code, and refuses a bad one in AWS's
 * words. What is wrong in particular stands in the error's cause: AWS does not tell, the service's own log may.
 */
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { ArchiveError } from '../storage/archive.ts';
import type { Archives, StoredArchive } from '../storage/archives.ts';

/** Where trees are mounted in an environment: absolute links to these places stay inside. */
const MOUNT_POINTS = ['/opt', '/var/task'];
/** AWS states no limit; this one keeps a small archive from using up the disk's inodes. */
const MAX_ENTRIES = 300_000;

/**
 * Stores an uploaded zip, unpacked and as it is. The caller records its digest and then releases it.
 * One from a bucket may be larger than one that came with the request.
 * @throws ServiceError in AWS's words when it is no fit zip; nothing is left of it then
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

/** AWS's refusal of code, or code and layers together, that is too large unpacked. */
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
