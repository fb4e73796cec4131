/** Places in S3: `s3://bucket/key?versionId=v` or a map with Bucket, Key and Version. */
import type { Json, JsonObject } from '../tree.ts';
import { isMap } from './checks.ts';
import { InvalidResource } from './errors.ts';
import { isTruthy } from './python.ts';

const DYNAMIC_REFERENCE = /\{\{resolve:(?:ssm|ssm-secure|secretsmanager):[a-zA-Z0-9_.\-/]+(?::\d+)?\}\}/;

/** The bucket, the key and the version of an `s3://` address; undefined if the value is none. */
export function parseS3Uri(uri: Json | undefined): { Bucket: string; Key: string; Version?: string } | undefined {
  if (typeof uri !== 'string') return undefined;
  const [, bucket, path, query] = /^s3:\/\/([^/?#[\]]+)(\/[^?#]*)(?:\?([^#]*))?/i.exec(uri) ?? [];
  if (bucket === undefined || path === undefined) return undefined;
  const versions = new URLSearchParams(query ?? '').getAll('versionId').filter((version) => version !== '');
  const key = path.replace(/^\/+/, '');
  return { Bucket: bucket, Key: key, ...(versions.length === 1 ? { Version: versions[0] as string } : {}) };
}

/**
 * `Code` of a function or `Content` of a layer.
 *
 * @throws InvalidResource if the property is not a place in S3
 */
export function s3Code(location: Json | undefined, logicalId: string, property: string): JsonObject {
  const place = readLocation(location, logicalId, property);
  return {
    S3Bucket: place.Bucket as Json,
    S3Key: place.Key as Json,
    ...('Version' in place ? { S3ObjectVersion: place.Version as Json } : {}),
  };
}

function readLocation(location: Json | undefined, logicalId: string, property: string): JsonObject {
  if (isMap(location)) {
    if (isTruthy(location.Bucket) && isTruthy(location.Key)) return location;
    throw new InvalidResource(logicalId, `'${property}' requires Bucket and Key properties to be specified.`);
  }
  if (typeof location !== 'string') {
    throw new InvalidResource(logicalId, `'${property}' must be of type dict or string.`);
  }
  if (DYNAMIC_REFERENCE.exec(location)?.[0].includes('/')) {
    const problem = `Unsupported dynamic reference detected in '${property}'.`;
    throw new InvalidResource(logicalId, `${problem} Please consider using alternative 'FunctionCode' object format.`);
  }
  const place = parseS3Uri(location);
  if (place !== undefined) return place;
  const form = "of the form 's3://bucket/key' with optional versionId query parameter.";
  throw new InvalidResource(logicalId, `'${property}' is not a valid S3 Uri ${form}`);
}
