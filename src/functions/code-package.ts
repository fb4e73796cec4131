/**
 * A function's code, from what a client sent to what a version records: the zip unpacked and kept by its digest, and
 * measured together with the function's layers. A container image is recorded and not fetched.
 */
import type { ContentDigest, FunctionLayer } from '../layers/layer.ts';
import { storeUploadedZip, unzippedSizeExceeded } from '../layers/uploaded-zip.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import type { Archives } from '../storage/archives.ts';
import { identify } from '../storage/blobs.ts';
import type { Architecture, CodeDraft, FunctionCode } from './function.ts';

export type CodePackage = {
  readonly code: FunctionCode;
  /** Ends the protection from the garbage collection: call it once the code is recorded, or given up. */
  release(): void;
};

/**
 * Stores code for a function.
 * @throws ServiceError in AWS's words when it is no fit zip, or too large; OperatorError 'disk-full'
 */
export async function storeCode(
  archives: Archives,
  draft: CodeDraft,
  architecture: Architecture,
  layers: readonly FunctionLayer[],
): Promise<CodePackage> {
  if (draft.kind === 'image') return { code: imageCode(draft.imageUri, architecture), release() {} };
  const archive = await storeUploadedZip(archives, draft.zip, draft.isFromBucket);
  try {
    checkUnzippedSize(archive.unpackedSize, layers);
  } catch (failure) {
    archive.release();
    throw failure;
  }
  return {
    code: {
      packageType: 'Zip',
      architecture,
      digest: archive.digest as ContentDigest,
      codeSha256: archive.sha256,
      codeSize: archive.size,
      unzippedSize: archive.unpackedSize,
      imageUri: undefined,
    },
    release: archive.release,
  };
}

/** Code and layers share one limit. @throws ServiceError in AWS's words */
export function checkUnzippedSize(codeBytes: number, layers: readonly FunctionLayer[]): void {
  const bytes = layers.reduce((sum, layer) => sum + layer.unzippedSize, codeBytes);
  if (bytes > QUOTAS.unzippedBytes) throw unzippedSizeExceeded();
}

/** AWS gives an image's digest here; without a registry the address is all there is to tell images apart. */
function imageCode(imageUri: string, architecture: Architecture): FunctionCode {
  const pinned = /@sha256:([0-9a-f]{64})$/.exec(imageUri)?.[1];
  return {
    packageType: 'Image',
    architecture,
    digest: undefined,
    codeSha256: pinned ?? identify(Buffer.from(imageUri)).digest,
    codeSize: 0,
    unzippedSize: 0,
    imageUri,
  };
}
