/** Operations of layers. The rules are in `layers/layers.ts`. */
import type { LayerListRequest, Layers } from '../../layers/layers.ts';
import { parseLayerVersionArn, renderLayerArn } from '../../protocol/arn.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import { type ReadObject, readZip } from './code-source.ts';
import type { ContentDownloads } from './content.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { resolveLayerName, resourceNotFound } from './references.ts';
import { renderLayerVersion, renderListedLayer, renderListedLayerVersion } from './shapes.ts';

export function layerOperations({
  layers,
  readObject,
  downloads,
}: {
  layers: Layers;
  readObject: ReadObject;
  downloads: ContentDownloads;
}): OperationHandlers {
  return {
    async PublishLayerVersion(input, { scope, baseUrl }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      const layer = await layers.publish(scope, {
        name,
        description: input.Description ?? '',
        compatibleRuntimes: input.CompatibleRuntimes,
        compatibleArchitectures: input.CompatibleArchitectures,
        licenseInfo: input.LicenseInfo,
        ...(await readZip(readObject, input.Content, 'Please provide a source for layer content.')),
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
      const { name } = resolveLayerName(scope, renderLayerArn(reference.scope, reference.name));
      const layer = layers.get(scope, name, reference.version);
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

    /** Succeeds even when the version does not exist. */
    DeleteLayerVersion(input, { scope }) {
      const { name } = resolveLayerName(scope, input.LayerName);
      layers.delete(scope, name, input.VersionNumber);
      return {};
    },
  };
}

function pageOfLayers(input: OperationInput<'ListLayers'>): LayerListRequest {
  return {
    marker: input.Marker,
    maxItems: input.MaxItems,
    compatibleRuntime: input.CompatibleRuntime,
    compatibleArchitecture: input.CompatibleArchitecture,
  };
}
