/**
 * Every limit of Lambda that the code enforces or reports, with its unit in its name and with its source. Adjustable
 * limits have AWS's default for an account.
 */

export const QUOTAS = {
  /** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
  memoryMib: { min: 128, max: 10_240, default: 128 },
  /** https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
  memoryMibOfOneCpu: 1769,
  timeoutSeconds: { min: 1, max: 900, default: 3 },
  ephemeralStorageMib: { min: 512, max: 10_240, default: 512 },
  /** Size of the map as compact JSON in UTF-8. */
  environmentBytes: 4096,
  layersOfFunction: 5,
  functionNameLength: 64,
  /** A zip file in the request itself. */
  zippedBytes: 52_428_800,
  /** A function's code and its layers combined. */
  unzippedBytes: 262_144_000,
  /** All code of an account in one region. */
  codeStorageBytes: 322_122_547_200,
  concurrentExecutions: 1000,
  /** Reservations must leave this much for the functions without one. */
  unreservedConcurrencyMin: 100,
  tagsOfResource: 50,
  policyBytes: 20_480,
  /** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html */
  asyncRetries: { min: 0, max: 2, default: 2 },
  asyncEventAgeSeconds: { min: 60, max: 21_600, default: 21_600 },
  /** Runs of one function in one chain of invocations; the next is rejected. AWS documents "approximately 16". */
  recursiveInvocations: 16,
  invokePayloadBytes: 6_291_456,
  invokeEventPayloadBytes: 1_048_576,
  /** A function's response. AWS's limit is 6 MiB plus 100 bytes. */
  responsePayloadBytes: 6_291_556,
  streamedResponseBytes: 209_715_200,
  /** X-Amz-Client-Context as Base64. */
  clientContextBytes: 3583,
  logTailBytes: 4096,
  /** A longer line becomes several log events. */
  logEventBytes: 262_144,
  /** Extensions, runtime and function combined, for environments that start on demand. */
  initMs: 10_000,
  /** For provisioned environments, or the function's timeout if that is longer. See docs/behavior/init.md. */
  provisionedInitMs: 130_000,
  /**
   * The duration of a shutdown: zero without extensions. `runtime` and `runtimeWithInternal` are the runtime's share of
   * it after SIGTERM.
   * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
   */
  shutdownMs: { internalOnly: 500, external: 2000, runtime: 300, runtimeWithInternal: 500 },
  /** Soft and hard limit of each process. Recorded on AWS. */
  openFiles: 1024,
  /** Processes and threads of one environment. Recorded on AWS, which documents 1024. */
  processes: 742,
  /** Memory that a process can lock. Recorded on AWS. */
  lockedMemoryBytes: 65_536,
  /** Core file of a crashed process, in its working directory if that is writable. Recorded on AWS. */
  coreFileBytes: 10_737_418_240,
  /** Buffering of a telemetry subscription. https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html */
  telemetryItems: { min: 1000, max: 10_000, default: 10_000 },
  telemetryBytes: { min: 262_144, max: 1_048_576, default: 262_144 },
  telemetryTimeoutMs: { min: 25, max: 30_000, default: 1000 },
  /** Default number of items on a page. */
  pageItems: 50,
} as const;

/**
 * Maximum size of a request by operation, which AWS's front end measures before the service reads it. Recorded on AWS
 * for CreateFunction, UpdateFunctionCode and Invoke; the other values are Lamella's, and generous.
 */
export const REQUEST_BYTES = {
  CreateFunction: 70_167_211,
  UpdateFunctionCode: 70_167_211,
  PublishLayerVersion: 70_167_211,
  Invoke: QUOTAS.invokePayloadBytes,
  InvokeAsync: QUOTAS.invokeEventPayloadBytes,
  InvokeWithResponseStream: QUOTAS.invokePayloadBytes,
} as const;

/** For the operations that are not in the table. */
export const REQUEST_BYTES_DEFAULT = 1_048_576;

/** The operation's name in AWS's error for a request that is too large, if it differs. */
export const REQUEST_BYTES_NAMES: Readonly<Record<string, string>> = {
  Invoke: 'InvokeFunction',
  InvokeWithResponseStream: 'InvokeFunction',
};
