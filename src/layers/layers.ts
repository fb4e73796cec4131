/**
 * Layers: publish, find, list and delete layer versions, and resolve a function's list of layers. Requests have been
 * validated against the API's model; this file enforces the service's own rules. A layer version never changes and its
 * number is never reused. Deleting a version does not affect functions that use it: they keep its content by digest.
 */
import type { Clock } from '../clock.ts';
import type { LayerVersionArn } from '../protocol/arn.ts';
import {
  LAYER_VERSION_ARN_PATTERN,
  parseLayerVersionArn,
  renderLayerArn,
  renderLayerVersionArn,
} from '../protocol/arn.ts';
import { renderDate } from '../protocol/dates.ts';
import type { LayerName, Scope } from '../protocol/names.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Archives } from '../storage/archives.ts';
import type { Database } from '../storage/database.ts';
import type { Page } from '../storage/page.ts';
import { pageOf, pageSize, positionOf } from '../storage/page.ts';
import type { ContentDigest, FunctionLayer, LayerDraft, LayerVersion } from './layer.ts';
import type { LayerFilter } from './layer-store.ts';
import { createLayerStore } from './layer-store.ts';
import type { OptTrees } from './opt-tree.ts';
import { storeUploadedZip } from './uploaded-zip.ts';

export type LayerListRequest = {
  readonly marker?: string | undefined;
  readonly maxItems?: number | undefined;
  readonly compatibleRuntime?: string | undefined;
  readonly compatibleArchitecture?: string | undefined;
};

export type Layers = {
  /** Publishes the next version of a layer. @throws ServiceError for a bad zip, OperatorError 'disk-full' */
  publish(scope: Scope, draft: LayerDraft): Promise<LayerVersion>;
  /** @throws ServiceError ResourceNotFoundException */
  get(scope: Scope, name: LayerName, version: number): LayerVersion;
  /** The versions of one layer, newest first. Empty for a layer that does not exist, as on AWS. */
  listVersions(scope: Scope, name: LayerName, request: LayerListRequest): Page<LayerVersion>;
  /** The newest compatible version of each layer, by name. */
  list(scope: Scope, request: LayerListRequest): Page<LayerVersion>;
  /** Deletes a version. Succeeds even if it does not exist. */
  delete(scope: Scope, name: LayerName, version: number): void;
  /**
   * Resolves the layers of a function in `scope`, in order.
   * @throws ServiceError for too many layers, another region, a missing layer, or two versions of one layer
   */
  resolve(arns: readonly string[], scope: Scope): FunctionLayer[];
  /** The path of a layer version's zip file, as uploaded. */
  contentPath(digest: ContentDigest): string;
  /** See `OptTrees.tree`. */
  optTree(digests: readonly ContentDigest[]): Promise<string | undefined>;
  /** The digests of all layer versions. */
  digests(): ContentDigest[];
};

export function createLayers({
  database,
  archives,
  optTrees,
  clock,
}: {
  database: Database;
  archives: Archives;
  optTrees: OptTrees;
  clock: Clock;
}): Layers {
  const store = createLayerStore(database);

  return {
    async publish(scope, draft) {
      const content = await storeUploadedZip(archives, draft.zip, draft.isFromBucket);
      try {
        return database.transaction(() => {
          const version = store.nextVersion(scope, draft.name);
          const published: LayerVersion = {
            scope,
            name: draft.name,
            version,
            arn: renderLayerVersionArn(scope, draft.name, version),
            description: draft.description,
            createdDate: renderDate(clock.epochMs()),
            compatibleRuntimes: draft.compatibleRuntimes,
            compatibleArchitectures: draft.compatibleArchitectures,
            licenseInfo: draft.licenseInfo,
            digest: content.digest as ContentDigest,
            codeSha256: content.sha256,
            codeSize: content.size,
            unzippedSize: content.unpackedSize,
            stored: draft.stored ?? {},
          };
          store.insert(published);
          return published;
        });
      } finally {
        content.release();
      }
    },
    get(scope, name, version) {
      refuseVersionBelowOne(version);
      const found = store.find(scope, name, version);
      if (found === undefined) {
        throw new ServiceError('ResourceNotFoundException', 'The resource you requested does not exist.');
      }
      return found;
    },
    listVersions(scope, name, request) {
      const [before] = positionOf(request.marker, [Number.MAX_SAFE_INTEGER]);
      const size = pageSize(request.maxItems);
      const rows = store.versions(scope, name, filterOf(request), before, size + 1);
      return pageOf(rows, size, ({ version }) => [version]);
    },
    list(scope, request) {
      const [after] = positionOf(request.marker, ['']);
      const size = pageSize(request.maxItems);
      return pageOf(store.latest(scope, filterOf(request), after, size + 1), size, ({ name }) => [name]);
    },
    delete(scope, name, version) {
      refuseVersionBelowOne(version);
      store.remove(scope, name, version);
    },
    resolve(arns, scope) {
      if (arns.length > QUOTAS.layersOfFunction) {
        throw refusal(`Cannot reference more than ${QUOTAS.layersOfFunction} layers.`);
      }
      const seen = new Map<string, string>();
      return arns.map((arn) => {
        const reference = parseLayerVersionArn(arn);
        if (reference === undefined) throw malformed(arns);
        if (reference.scope.region !== scope.region) {
          throw refusal(
            'Layers are not in the same region as the function. ' +
              `Layers are expected to be in region ${scope.region}.`,
          );
        }
        const layer = store.find(reference.scope, reference.name, reference.version);
        if (layer === undefined) throw refusal(`Layer version ${arn} does not exist.`);
        const layerArn = renderLayerArn(layer.scope, layer.name);
        const other = seen.get(layerArn);
        if (other !== undefined) {
          throw refusal(
            'Two different versions of the same layer are not allowed to be referenced in the same function. ' +
              `${other} and ${arn} are versions of the same layer.`,
          );
        }
        seen.set(layerArn, arn);
        const { codeSize, unzippedSize, digest } = layer;
        return { arn: arn as LayerVersionArn, codeSize, unzippedSize, digest };
      });
    },
    contentPath: (digest) => archives.path(digest),
    optTree: (digests) => optTrees.tree(digests),
    digests: () => store.digests(),
  };
}

function filterOf({ compatibleRuntime, compatibleArchitecture }: LayerListRequest): LayerFilter {
  return { runtime: compatibleRuntime, architecture: compatibleArchitecture };
}

function refuseVersionBelowOne(version: number): void {
  if (version < 1) throw refusal('Layer Version Cannot be less than 1');
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}

function malformed(arns: readonly string[]): ServiceError {
  return new ServiceError(
    'ValidationException',
    `1 validation error detected: Value '[${arns.join(', ')}]' at 'layers' failed to satisfy constraint: ` +
      'Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length ' +
      `greater than or equal to 1, Member must satisfy regular expression pattern: ${LAYER_VERSION_ARN_PATTERN}, ` +
      'Member must not be null]',
  );
}
