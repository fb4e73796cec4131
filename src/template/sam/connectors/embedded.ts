/** The attribute Connectors of a resource: connectors whose source it is. */
import type { Json, JsonObject } from '../../tree.ts';
import { checkProperties, expectMap, isMap } from '../checks.ts';
import { DuplicateLogicalId, InvalidResource, TransformError } from '../errors.ts';
import { setMember } from '../intrinsics.ts';
import { attributesOf, checkLogicalId } from '../resources.ts';
import { CONNECTOR } from './connector.ts';

/** Makes resources of the connectors, in place, and removes the attribute. Errors are added to `errors`. */
export function expandConnectors(template: JsonObject, errors: TransformError[]): void {
  const resources = template.Resources as JsonObject;
  const made: [string, JsonObject][] = [];
  const gather = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof TransformError)) throw error;
      errors.push(error);
    }
  };
  for (const [sourceId, resource] of Object.entries(resources)) {
    if (!isMap(resource) || !('Connectors' in resource)) continue;
    gather(() => {
      const connectors = expectMap(resource.Connectors, { attribute: sourceId, path: `${sourceId}.Connectors` });
      for (const [name, connector] of Object.entries(connectors)) {
        gather(() => made.push(embedded(sourceId, name, connector, resources)));
      }
    });
    delete resource.Connectors;
  }
  for (const [id, connector] of made) setMember(resources, id, connector);
}

function embedded(sourceId: string, name: string, connector: Json, resources: JsonObject): [string, JsonObject] {
  const id = `${sourceId}${name}`;
  if (!isMap(connector)) throw new InvalidResource(id, `${sourceId}.${id} should be a map.`);
  const place = { attribute: sourceId, path: `Connectors.${name}.Properties` };
  const properties = { ...expectMap(connector.Properties, place) };
  const source: JsonObject = { Id: sourceId };
  if ('SourceReference' in properties) {
    const reference = expectMap(properties.SourceReference, {
      resource: sourceId,
      path: `Connectors.${name}.Properties.SourceReference`,
    });
    if ('Id' in reference) throw new InvalidResource(name, "'Id' shouldn't be defined in 'SourceReference'.");
    Object.assign(source, reference);
    delete properties.SourceReference;
  }
  properties.Source = source;
  checkLogicalId(id);
  checkProperties(id, CONNECTOR.type, properties, CONNECTOR.properties);
  if (Object.hasOwn(resources, id)) throw new DuplicateLogicalId(sourceId, id, CONNECTOR.type);
  const { DependsOn } = connector;
  return [
    id,
    {
      Type: CONNECTOR.type,
      ...(DependsOn === undefined ? {} : { DependsOn }),
      ...attributesOf(connector).attributes,
      Properties: properties,
    },
  ];
}
