/**
 * Every limit of Lambda that the code enforces or reports, with its unit in its name and its source. The soft ones
 * are AWS's defaults for an account.
 */

export const QUOTAS = {
  /** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
  memoryMib: { min: 128, max: 10_240, default: 128 },
  /** https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
  memoryMibOfOneCpu: 1769,
  timeoutSeconds: { min: 1, max: 900, default: 3 },
  ephemeralStorageMib: { min: 512, max: 10_240, default: 512 },
  /** Compact JSON of the map, in UTF-8. */
  environmentBytes: 4096,
  layersOfFunction: 5,
  functionNameLength: 64,
  /** Of a zip given inline. */
  zippedBytes: 52_428_800,
  /** Of a function's code and its layers together. */
  unzippedBytes: 262_144_000,
  /** All code of an account in a region. */
  codeStorageBytes: 322_122_547_200,
  concurrentExecutions: 1000,
  /** What reservations must leave for the functions without one. */
  unreservedConcurrencyMin: 100,
  tagsOfResource: 50,
  policyBytes: 20_480,
  /** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html */
  asyncRetries: { min: 0, max: 2, default: 2 },
  asyncEventAgeSeconds: { min: 60, max: 21_600, default: 21_600 },
  /** Of one function in one chain of calls; the next one is refused. "About 16 times", says the documentation. */
  recursiveInvocations: 16,
  invokePayloadBytes: 6_291_456,
  invokeEventPayloadBytes: 1_048_576,
  /** Of what a function answers; AWS adds 100 bytes to 6 MiB. */
  responsePayloadBytes: 6_291_556,
  streamedResponseBytes: 209_715_200,
  /** Base64 text of X-Amz-Client-Context. */
  clientContextBytes: 3583,
  logTailBytes: 4096,
  /** CloudWatch Logs cuts a longer event. */
  logEventBytes: 262_144,
  /** Extensions, runtime and function together, on demand. */
  initMs: 10_000,
  /** Of provisioned environments, or the function's timeout if that is longer. Source: lambda-behaviour.md 5.2. */
  provisionedInitMs: 130_000,
  /**
   * What a shutdown may take: nothing without extensions. Of it the runtime may have so much after SIGTERM.
   * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
   */
  shutdownMs: { internalOnly: 500, external: 2000, runtime: 300, runtimeWithInternal: 500 },
  /** Of each process, soft and hard. Recorded on AWS. */
  openFiles: 1024,
  /** Processes and threads of one environment: recorded on AWS (the documentation says 1024). */
  processes: 742,
  /** Memory that a process may keep from being swapped. Recorded on AWS. */
  lockedMemoryBytes: 65_536,
  /** What a crashed process may leave in its working directory, if it can write there. Recorded on AWS. */
  coreFileBytes: 10_737_418_240,
  /** What a telemetry subscription may ask for. https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html */
  telemetryItems: { min: 1000, max: 10_000, default: 10_000 },
  telemetryBytes: { min: 262_144, max: 1_048_576, default: 262_144 },
  telemetryTimeoutMs: { min: 25, max: 30_000, default: 1000 },
  /** Items of a page when the client does not say. */
  pageItems: 50,
} as const;

/**
 * Bytes of a whole request, measured by AWS's front end before the service sees it; by operation.
 * Recorded on AWS (CreateFunction, UpdateFunctionCode, Invoke); the rest is generous and ours.
 */
export const REQUEST_BYTES = {
  CreateFunction: 70_167_211,
  UpdateFunctionCode: 70_167_211,
  PublishLayerVersion: 70_167_211,
  Invoke: QUOTAS.invokePayloadBytes,
  InvokeAsync: QUOTAS.invokeEventPayloadBytes,
  InvokeWithResponseStream: QUOTAS.invokePayloadBytes,
} as const;

/** Of every operation that the table does not name. */
export const REQUEST_BYTES_DEFAULT = 1_048_576;

/** How AWS calls the operation in its refusal of a request that is too large. */
export const REQUEST_BYTES_NAMES: Readonly<Record<string, string>> = {
  Invoke: 'InvokeFunction',
  InvokeWithResponseStream: 'InvokeFunction',
};
