/**
 * Renders functions and layers as AWS's JSON, with exactly the members that AWS sends: `Environment` and `Layers` only
 * when set, no states in lists. Recorded on AWS (2025-11). JSON.stringify omits undefined members.
 */
import type { FunctionVersion } from '../../functions/function.ts';
import type { LayerVersion } from '../../layers/layer.ts';
import { renderFunctionArn, renderLayerArn } from '../../protocol/arn.ts';
import { runtimeVersionOf } from '../../protocol/runtime-version.ts';

type Json = Readonly<Record<string, unknown>>;

export type ConfigurationView = {
  /** The qualifier of the request, which AWS repeats in the ARN. */
  readonly qualifier?: string | undefined;
};

/** A complete configuration, as Create, Get, Update and Publish return it. */
export function renderConfiguration(version: FunctionVersion, { qualifier }: ConfigurationView = {}): Json {
  const { configuration } = version;
  return {
    ...renderListedConfiguration(version),
    FunctionArn: qualifier === undefined ? version.arn : renderFunctionArn(version.scope, version.name, qualifier),
    State: version.state,
    StateReason: version.stateReason,
    StateReasonCode: version.stateReasonCode,
    LastUpdateStatus: version.lastUpdateStatus,
    LastUpdateStatusReason: version.lastUpdateStatusReason,
    LastUpdateStatusReasonCode: version.lastUpdateStatusReasonCode,
    RuntimeVersionConfig: configuration.runtime && {
      RuntimeVersionArn: runtimeVersionOf(configuration.runtime, version.scope.region).arn,
    },
  };
}

/** A configuration in a list. With `withVersion`, the ARN includes even `$LATEST`, as in lists of versions. */
export function renderListedConfiguration(version: FunctionVersion, withVersion = false): Json {
  const { configuration, code } = version;
  const { stored, logging } = configuration;
  return {
    FunctionName: version.name,
    FunctionArn: withVersion ? renderFunctionArn(version.scope, version.name, version.version) : version.arn,
    Runtime: configuration.runtime,
    Role: configuration.role,
    Handler: configuration.handler,
    CodeSize: code.codeSize,
    Description: configuration.description,
    Timeout: configuration.timeoutSeconds,
    MemorySize: configuration.memoryMib,
    LastModified: version.lastModified,
    CodeSha256: code.codeSha256,
    Version: version.version,
    VpcConfig: renderVpcConfig(stored.VpcConfig),
    DeadLetterConfig: unlessEmpty(stored.DeadLetterConfig),
    Environment: configuration.environment && { Variables: configuration.environment },
    KMSKeyArn: unlessEmpty(stored.KMSKeyArn),
    TracingConfig: { Mode: configuration.tracingMode },
    RevisionId: version.revisionId,
    Layers: configuration.layers.length > 0 ? configuration.layers.map(renderUsedLayer) : undefined,
    FileSystemConfigs: unlessEmpty(stored.FileSystemConfigs),
    PackageType: code.packageType,
    ImageConfigResponse: unlessEmpty(stored.ImageConfig) && { ImageConfig: stored.ImageConfig },
    SigningProfileVersionArn: stored.SigningProfileVersionArn,
    SigningJobArn: stored.SigningJobArn,
    Architectures: [code.architecture],
    EphemeralStorage: { Size: configuration.ephemeralStorageMib },
    SnapStart: renderSnapStart(stored.SnapStart, version),
    LoggingConfig: {
      LogFormat: logging.format,
      ApplicationLogLevel: logging.applicationLogLevel,
      SystemLogLevel: logging.systemLogLevel,
      LogGroup: logging.logGroup,
    },
    TenancyConfig: stored.TenancyConfig,
    DurableConfig: stored.DurableConfig,
    CapacityProviderConfig: stored.CapacityProviderConfig,
  };
}

/** The Code of GetFunction. `location` is the download URL of a zip. */
export function renderCode(version: FunctionVersion, location: string | undefined): Json {
  const { code } = version;
  if (code.packageType === 'Zip') return { RepositoryType: 'S3', Location: location, ...code.stored };
  const repository = code.imageUri?.replace(/(@sha256:[0-9a-f]+|:[^:/]+)$/, '');
  return {
    RepositoryType: 'ECR',
    ImageUri: code.imageUri,
    ResolvedImageUri: `${repository}@sha256:${code.codeSha256}`,
  };
}

/** A layer version, as Publish and Get return it. */
export function renderLayerVersion(layer: LayerVersion, location: string): Json {
  const { Description, CreatedDate, Version, CompatibleRuntimes, LicenseInfo, CompatibleArchitectures } =
    renderListedLayerVersion(layer);
  return {
    Content: { Location: location, CodeSha256: layer.codeSha256, CodeSize: layer.codeSize, ...layer.stored },
    LayerArn: renderLayerArn(layer.scope, layer.name),
    LayerVersionArn: layer.arn,
    Description,
    CreatedDate,
    Version,
    CompatibleRuntimes,
    LicenseInfo,
    CompatibleArchitectures,
  };
}

export function renderListedLayerVersion(layer: LayerVersion): Json {
  return {
    LayerVersionArn: layer.arn,
    Version: layer.version,
    Description: layer.description,
    CreatedDate: layer.createdDate,
    CompatibleRuntimes: layer.compatibleRuntimes,
    LicenseInfo: layer.licenseInfo,
    CompatibleArchitectures: layer.compatibleArchitectures,
  };
}

/** A layer in ListLayers, with its newest matching version. */
export function renderListedLayer(layer: LayerVersion): Json {
  return {
    LayerName: layer.name,
    LayerArn: renderLayerArn(layer.scope, layer.name),
    LatestMatchingVersion: renderListedLayerVersion(layer),
  };
}

function renderUsedLayer(layer: FunctionVersion['configuration']['layers'][number]): Json {
  return { Arn: layer.arn, CodeSize: layer.codeSize };
}

/** Undefined for a member that a client removed by setting it to an empty string, list or structure. */
function unlessEmpty(stored: unknown): unknown {
  const isEmpty = (value: unknown): boolean =>
    value === undefined ||
    value === '' ||
    (typeof value === 'object' && value !== null && Object.values(value).every(isEmpty));
  return isEmpty(stored) ? undefined : stored;
}

function renderVpcConfig(stored: unknown): Json | undefined {
  if (stored === undefined) return undefined;
  const { SubnetIds = [], SecurityGroupIds = [], Ipv6AllowedForDualStack = false } = stored as Json;
  const isAttached = (SubnetIds as readonly string[]).length > 0;
  // There are no VPCs here: all functions share one id.
  return { SubnetIds, SecurityGroupIds, VpcId: isAttached ? 'vpc-00000000000000000' : '', Ipv6AllowedForDualStack };
}

function renderSnapStart(stored: unknown, version: FunctionVersion): Json {
  const applyOn = (stored as Json | undefined)?.ApplyOn ?? 'None';
  const isOptimized = applyOn === 'PublishedVersions' && version.version !== '$LATEST';
  return { ApplyOn: applyOn, OptimizationStatus: isOptimized ? 'On' : 'Off' };
}
