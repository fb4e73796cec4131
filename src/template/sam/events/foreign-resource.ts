/** Resources of other types that an event changes: a bucket, a user pool. */
import type { JsonObject } from '../../tree.ts';
import { checkProperties, isMap, type PropertyTable } from '../checks.ts';
import { InvalidResource } from '../errors.ts';
import { pythonStr } from '../python.ts';
import { attributesOf, type CfnResource, cfnResource } from '../resources.ts';

/**
 * A resource of the template that an event has changed, as it goes into the output.
 *
 * @throws InvalidResource for properties that the type does not have
 */
export function foreignResource(
  logicalId: string,
  { type, properties: table }: { readonly type: string; readonly properties: PropertyTable },
  resource: JsonObject,
): CfnResource {
  if (!('Type' in resource)) throw new InvalidResource(logicalId, "Resource dict missing key 'Type'.");
  if (resource.Type !== type) {
    const got = pythonStr(resource.Type);
    throw new InvalidResource(logicalId, `Resource has incorrect Type; expected '${type}', got '${got}'`);
  }
  const properties = resource.Properties ?? {};
  if (!isMap(properties)) throw new InvalidResource(logicalId, 'Properties of a resource must be an object.');
  checkProperties(logicalId, type, properties, table);
  const made = cfnResource(type, logicalId, attributesOf(resource).attributes, properties);
  made.dependsOn = resource.DependsOn;
  return made;
}
