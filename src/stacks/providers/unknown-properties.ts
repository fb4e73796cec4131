/**
 * Finds what a resource's properties have and its type does not: names at the top, and inside of structures. Whatever is not a
 * structure in the specification, such as a policy document, takes anything. Pure.
 */
import type { Json, Properties } from './provider.ts';
import { propertyStructures, resourceType } from './type-table.ts';

/** CloudFormation's message; undefined if there is nothing. */
export function unknownProperties(type: string, properties: Properties): string | undefined {
  const table = resourceType(type);
  if (table === undefined) return undefined;
  const found: Unknown[] = [];
  report(
    found,
    '',
    Object.keys(properties).filter((name) => !table.properties.has(name)),
  );
  const structures = propertyStructures(type);
  for (const [name, value] of Object.entries(properties)) walk(value, name, `/${name}`, structures, found);
  if (found.length === 0) return undefined;
  const list = found.map(({ pointer, names }) => `Encountered unsupported properties in {${pointer}}: [${names}]`);
  return `Property validation failure: [${list.join(', ')}]`;
}

type Unknown = { readonly pointer: string; readonly names: string };
type Structures = ReadonlyMap<string, ReadonlySet<string>>;

function report(found: Unknown[], pointer: string, names: readonly string[]): void {
  if (names.length > 0) found.push({ pointer: pointer || '/', names: names.join(', ') });
}

/** `path` names the structure in the table, `pointer` the value. */
function walk(value: Json, path: string, pointer: string, structures: Structures, found: Unknown[]): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(item, `${path}[]`, `${pointer}/${index}`, structures, found);
    return;
  }
  const members = structures.get(path);
  const entries = Object.entries(value as Properties);
  if (members !== undefined) {
    report(
      found,
      pointer,
      entries.map(([name]) => name).filter((name) => !members.has(name)),
    );
  }
  for (const [name, item] of entries) {
    // Without members it is a map, or takes anything.
    walk(item, members === undefined ? `${path}{}` : `${path}.${name}`, `${pointer}/${name}`, structures, found);
  }
}
