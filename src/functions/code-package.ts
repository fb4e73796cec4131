/**
 * A function's code package: stores the zip by digest, unpacks it, and checks its size together with the function's
 * layers. Container images are recorded but not fetched.
 */
import type { ContentDigest, FunctionLayer } from '../layers/layer.ts';
import { storeUploadedZip, unzippedSizeExceeded } from '../layers/uploaded-zip.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import type { Archives } from '../storage/archives.ts';
import { identify } from '../storage/blobs.ts';
import type { Architecture, CodeDraft, FunctionCode } from './function.ts';

export type CodePackage = {
  readonly code: FunctionCode;
  /** Allows garbage collection of the code. Call it once the code is recorded or discarded. */
  release(): void;
};

/**
 * Stores code for a function.
 * @throws ServiceError when the zip is invalid or too large; OperatorError 'disk-full'
 */
export async function storeCode(
  archives: Archives,
  draft: CodeDraft,
  architecture: Architecture,
  layers: readonly FunctionLayer[],
): Promise<CodePackage> {
  if (draft.kind === 'image') return { code: imageCode(draft.imageUri, architecture), release() {} };
  if (draft.kind === 'directory') return { code: directoryCode(draft.directory, architecture), release() {} };
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
      ...(draft.stored && Object.keys(draft.stored).length > 0 && { stored: draft.stored }),
    },
    release: archive.release,
  };
}

/** Checks the limit that code and layers share. @throws ServiceError */
export function checkUnzippedSize(codeBytes: number, layers: readonly FunctionLayer[]): void {
  const bytes = layers.reduce((sum, layer) => sum + layer.unzippedSize, codeBytes);
  if (bytes > QUOTAS.unzippedBytes) throw unzippedSizeExceeded();
}

/** Its content changes at any time, so it has no digest and no size. */
function directoryCode(directory: string, architecture: Architecture): FunctionCode {
  return {
    packageType: 'Zip',
    architecture,
    digest: undefined,
    codeSha256: identify(Buffer.from(directory)).sha256,
    codeSize: 0,
    unzippedSize: 0,
    imageUri: undefined,
    directory,
  };
}

/** On AWS this is the image's digest. Without a registry, the URI alone identifies an image. */
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
