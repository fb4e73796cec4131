/**
 * Stores a zip that a client uploaded, as a layer's content or a function's code, and refuses a bad one with AWS's
 * error. AWS's message does not name the reason; Lamella adds it, and `storage/archives.ts` logs it.
 */
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { ArchiveError } from '../storage/archive.ts';
import type { Archives, StoredArchive } from '../storage/archives.ts';

/** AWS documents no limit. This one keeps a small archive from using up the disk's inodes. */
const MAX_ENTRIES = 300_000;

/**
 * Stores an uploaded zip, unpacked and as uploaded. The caller records its digest and then releases it. A zip from a
 * bucket may be larger than one that came with the request.
 * @throws ServiceError with AWS's message if it cannot be used; then nothing of it is left
 */
export async function storeUploadedZip(archives: Archives, zip: Buffer, isFromBucket = false): Promise<StoredArchive> {
  if (!isFromBucket && zip.length > QUOTAS.zippedBytes) {
    throw new ServiceError('RequestTooLargeException', `Zipped size must be smaller than ${QUOTAS.zippedBytes} bytes`);
  }
  try {
    return await archives.add(zip, { unpackedBytes: QUOTAS.unzippedBytes, entries: MAX_ENTRIES });
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
  const message = 'Could not unzip uploaded file. Please check your file, then try to upload again.';
  // For a file that is not a zip archive, AWS's message is the whole reason.
  return new ServiceError(
    'InvalidParameterValueException',
    failure.problem === 'not-a-zip' ? message : `${message} Lamella: ${failure.message}.`,
  );
}
