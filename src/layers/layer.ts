/** What a published layer version is. Immutable once published; its content is named by digest. */
import type { LayerVersionArn } from '../protocol/arn.ts';
import type { LayerName, Scope } from '../protocol/names.ts';

/** Lower-case hex SHA-256 of a zip archive: the name of its blob and of its unpacked tree. */
export type ContentDigest = string & { readonly __brand: 'ContentDigest' };

export type LayerVersion = {
  readonly scope: Scope;
  readonly name: LayerName;
  readonly version: number;
  readonly arn: LayerVersionArn;
  readonly description: string;
  /** `2026-11-22T10:00:00.000+0000`, as AWS writes it. */
  readonly createdDate: string;
  /** Undefined when the publisher gave none, which AWS tells from an empty list. */
  readonly compatibleRuntimes: readonly string[] | undefined;
  readonly compatibleArchitectures: readonly string[] | undefined;
  readonly licenseInfo: string | undefined;
  readonly digest: ContentDigest;
  /** Base64 SHA-256 of the zip. */
  readonly codeSha256: string;
  /** Bytes of the zip. */
  readonly codeSize: number;
  /** Bytes of all its files, unpacked. */
  readonly unzippedSize: number;
};

/** What a client asks to publish. Already validated against the model's constraints. */
export type LayerDraft = {
  readonly name: LayerName;
  readonly description: string;
  readonly compatibleRuntimes: readonly string[] | undefined;
  readonly compatibleArchitectures: readonly string[] | undefined;
  readonly licenseInfo: string | undefined;
  readonly zip: Buffer;
  /** It did not come with the request, so that the limit for those does not hold. */
  readonly isFromBucket?: boolean;
};

/** A layer as a function uses it: enough to mount it and to report it, also after the layer version was deleted. */
export type FunctionLayer = {
  readonly arn: LayerVersionArn;
  readonly codeSize: number;
  readonly unzippedSize: number;
  readonly digest: ContentDigest;
};
