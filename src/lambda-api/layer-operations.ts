/** PublishLayerVersion and its kin: input -> `layers/`, and back to AWS's JSON. */
import type { LayerListRequest } from '../layers/layers.ts';
import { parseLayerVersionArn } from '../protocol/names.ts';
import type { OperationInput } from '../protocol/operations.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { ContentDownloads } from './content.ts';
import type { LambdaApiDependencies, OperationHandlers } from './dependencies.ts';
import { resolveLayerName, resourceNotFound } from './references.ts';
import { renderLayerVersion, renderListedLayer, renderListedLayerVersion } from './shapes.ts';

export function layerOperations({ layers }: LambdaApiDependencies, downloads: ContentDownloads): OperationHandlers {
  return {
    async PublishLayerVersion(input, { scope, baseUrl }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      const layer = await layers.publish(scope, {
        name,
        description: input.Description ?? '',
        compatibleRuntimes: input.CompatibleRuntimes ?? [],
        compatibleArchitectures: input.CompatibleArchitectures ?? [],
        licenseInfo: input.LicenseInfo,
        zip: contentOf(input.Content),
      });
      return { body: renderLayerVersion(layer, downloads.locate(baseUrl, layer.digest)) };
    },

    GetLayerVersion(input, { scope, baseUrl }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      const layer = layers.get(scope, name, input.VersionNumber);
      return { body: renderLayerVersion(layer, downloads.locate(baseUrl, layer.digest)) };
    },

    GetLayerVersionByArn(input, { scope, baseUrl }) {
      const reference = parseLayerVersionArn(input.Arn);
      if (reference === undefined) throw resourceNotFound();
      resolveLayerName(scope, input.Arn.slice(0, input.Arn.lastIndexOf(':')));
      const layer = layers.get(scope, reference.name, reference.version);
      return { body: renderLayerVersion(layer, downloads.locate(baseUrl, layer.digest)) };
    },

    ListLayers(input, { scope }) {
      const { items, nextMarker } = layers.list(scope, pageOfLayers(input));
      return { body: { NextMarker: nextMarker, Layers: items.map(renderListedLayer) } };
    },

    ListLayerVersions(input, { scope }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      const { items, nextMarker } = layers.listVersions(scope, name, pageOfLayers(input));
      return { body: { NextMarker: nextMarker, LayerVersions: items.map(renderListedLayerVersion) } };
    },

    /** Succeeds also when there is nothing to delete. */
    DeleteLayerVersion(input, { scope }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      layers.delete(scope, name, input.VersionNumber);
      return {};
    },
  };
}

function contentOf(content: OperationInput<'PublishLayerVersion'>['Content']): Buffer {
  if (content.ZipFile !== undefined) return content.ZipFile;
  throw codeNotInBucket(content.S3Bucket, 'Please provide a ZipFile, or an S3Bucket and an S3Key, for the content.');
}

/** For a request whose code lies in a bucket, of which there are none, or nowhere at all. */
export function codeNotInBucket(bucket: string | undefined, otherwise: string): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    bucket === undefined
      ? otherwise
      : 'Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist',
  );
}

function pageOfLayers(input: OperationInput<'ListLayers'>): LayerListRequest {
  return {
    marker: input.Marker,
    maxItems: input.MaxItems,
    compatibleRuntime: input.CompatibleRuntime,
    compatibleArchitecture: input.CompatibleArchitecture,
  };
}
