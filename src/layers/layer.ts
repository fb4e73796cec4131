/** A published layer version. It never changes; its content is identified by digest. */
import type { LayerVersionArn } from '../protocol/arn.ts';
import type { LayerName, Scope } from '../protocol/names.ts';

/** The SHA-256 of a zip archive in lower-case hex. Names its blob and its unpacked tree. */
export type ContentDigest = string & { readonly __brand: 'ContentDigest' };

export type LayerVersion = {
  readonly scope: Scope;
  readonly name: LayerName;
  readonly version: number;
  readonly arn: LayerVersionArn;
  readonly description: string;
  /** `2026-11-22T10:00:00.000+0000`, as AWS writes it. */
  readonly createdDate: string;
  /** Undefined when the publisher sent none. AWS distinguishes this from an empty list. */
  readonly compatibleRuntimes: readonly string[] | undefined;
  readonly compatibleArchitectures: readonly string[] | undefined;
  readonly licenseInfo: string | undefined;
  readonly digest: ContentDigest;
  /** Base64 SHA-256 of the zip. */
  readonly codeSha256: string;
  /** Bytes of the zip. */
  readonly codeSize: number;
  /** Bytes of all files, unpacked. */
  readonly unzippedSize: number;
  /** Members that GetLayerVersion returns with the content and that have no effect. */
  readonly stored: Readonly<Record<string, unknown>>;
};

/** A layer version to publish, validated against the model's constraints. */
export type LayerDraft = {
  readonly name: LayerName;
  readonly description: string;
  readonly compatibleRuntimes: readonly string[] | undefined;
  readonly compatibleArchitectures: readonly string[] | undefined;
  readonly licenseInfo: string | undefined;
  readonly zip: Buffer;
  /** The zip was read from a bucket, so the size limit of uploads in requests does not apply. */
  readonly isFromBucket?: boolean;
  readonly stored?: LayerVersion['stored'];
};

/** A layer of a function: enough to mount and report it, even after the layer version was deleted. */
export type FunctionLayer = {
  readonly arn: LayerVersionArn;
  readonly codeSize: number;
  readonly unzippedSize: number;
  readonly digest: ContentDigest;
};
