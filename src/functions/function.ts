/**
 * Functions: configuration and code of `$LATEST` and of each published version. Published versions never change.
 * `revisionId` identifies one exact state of a version; the environment pool uses it as its key.
 */
import type { ContentDigest, FunctionLayer } from '../layers/layer.ts';
import type { FunctionArn } from '../protocol/arn.ts';
import type { FunctionName, Scope, Version } from '../protocol/names.ts';

export type { FunctionLayer } from '../layers/layer.ts';
export type { Page } from '../storage/page.ts';

export type Architecture = 'x86_64' | 'arm64';

export type LoggingConfiguration = {
  readonly format: 'Text' | 'JSON';
  /** Set for JSON only. */
  readonly applicationLogLevel: string | undefined;
  /** Set for JSON only. */
  readonly systemLogLevel: string | undefined;
  readonly logGroup: string;
};

/** The part of a function that UpdateFunctionConfiguration changes. */
export type FunctionConfiguration = {
  readonly description: string;
  /** E.g. `provided.al2023`; undefined for container images. */
  readonly runtime: string | undefined;
  readonly role: string;
  /** Undefined only for container images. */
  readonly handler: string | undefined;
  /** Seconds, 1-900. */
  readonly timeoutSeconds: number;
  /** MiB (AWS calls them MB), 128-10240. */
  readonly memoryMib: number;
  /** Size of /tmp in MiB (AWS calls them MB), 512-10240. */
  readonly ephemeralStorageMib: number;
  /** Undefined when the client never set variables; `{}` when it set none. */
  readonly environment: Readonly<Record<string, string>> | undefined;
  readonly layers: readonly FunctionLayer[];
  readonly tracingMode: 'PassThrough' | 'Active';
  readonly logging: LoggingConfiguration;
  /**
   * Members that are stored and returned in AWS's shape (VpcConfig, KMSKeyArn, DeadLetterConfig, FileSystemConfigs,
   * ImageConfig, SnapStart ...). Most have no effect here.
   */
  readonly stored: Readonly<Record<string, unknown>>;
};

/** The part of a function that UpdateFunctionCode changes. */
export type FunctionCode = {
  readonly packageType: 'Zip' | 'Image';
  readonly architecture: Architecture;
  /** Undefined for container images and mounted directories. */
  readonly digest: ContentDigest | undefined;
  /** Base64 SHA-256 of the zip. */
  readonly codeSha256: string;
  /** Bytes of the zip. */
  readonly codeSize: number;
  /** Bytes unpacked. */
  readonly unzippedSize: number;
  readonly imageUri: string | undefined;
  /** The directory of this machine that is mounted in place of a zip (`hot-reload/`). */
  readonly directory?: string;
  /** Members that GetFunction returns with the code and that have no effect. Absent when there are none. */
  readonly stored?: Readonly<Record<string, unknown>>;
};

export type FunctionState = 'Pending' | 'Active' | 'Inactive' | 'Failed';
export type LastUpdateStatus = 'Successful' | 'Failed' | 'InProgress';

export type FunctionVersion = {
  readonly scope: Scope;
  readonly name: FunctionName;
  readonly version: Version;
  /** Unqualified for `$LATEST`, with the number for a published version. */
  readonly arn: FunctionArn;
  readonly configuration: FunctionConfiguration;
  readonly code: FunctionCode;
  readonly revisionId: string;
  /** `2026-11-22T10:00:00.000+0000`, as AWS writes it. */
  readonly lastModified: string;
  readonly state: FunctionState;
  readonly stateReason: string | undefined;
  readonly stateReasonCode: string | undefined;
  /** Undefined while the function is being created. */
  readonly lastUpdateStatus: LastUpdateStatus | undefined;
  readonly lastUpdateStatusReason: string | undefined;
  readonly lastUpdateStatusReasonCode: string | undefined;
};

/** New code, validated against the model's constraints. */
export type CodeDraft =
  | {
      readonly kind: 'zip';
      readonly zip: Buffer;
      readonly isFromBucket?: boolean;
      readonly stored?: FunctionCode['stored'];
    }
  | { readonly kind: 'image'; readonly imageUri: string }
  /** A directory of this machine, which may be mounted. */
  | { readonly kind: 'directory'; readonly directory: string };

/** Members that CreateFunction and UpdateFunctionConfiguration can set. Undefined keeps the current value. */
export type ConfigurationDraft = {
  readonly description?: string | undefined;
  readonly runtime?: string | undefined;
  readonly role?: string | undefined;
  readonly handler?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly memoryMib?: number | undefined;
  readonly ephemeralStorageMib?: number | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Layer version ARNs as in the request. */
  readonly layers?: readonly string[] | undefined;
  readonly tracingMode?: 'PassThrough' | 'Active' | undefined;
  readonly logging?: Partial<LoggingConfiguration> | undefined;
  readonly stored?: Readonly<Record<string, unknown>> | undefined;
};

export type FunctionDraft = {
  readonly name: FunctionName;
  readonly packageType: 'Zip' | 'Image';
  readonly architecture: Architecture;
  readonly configuration: ConfigurationDraft;
  readonly code: CodeDraft;
  /** Publish version 1 in the same call. */
  readonly publish: boolean;
  readonly tags: Readonly<Record<string, string>>;
};
