/**
 * CloudFormation's resource types: properties, which of them replace a resource, attributes, identifier and tags. Parses
 * the generated rows, and only the row that is asked for. The rows come from AWS's public specification
 * (`scripts/generate-resource-types.mjs`).
 */
import type { Properties } from './provider.ts';

export type ResourceType = {
  readonly name: string;
  readonly properties: ReadonlySet<string>;
  readonly required: readonly string[];
  /** Properties whose change always replaces the resource. */
  readonly createOnly: ReadonlySet<string>;
  /** Properties whose change can replace it. */
  readonly mayReplace: ReadonlySet<string>;
  readonly attributes: ReadonlySet<string>;
  /** The properties or attributes that identify it. `Ref` returns the only one, as a rule. */
  readonly identifier: readonly string[];
  readonly tags: { readonly property: string; readonly form: 'standard' | 'map' | 'asg' } | undefined;
};

let rows: ReadonlyMap<string, string> | undefined;
let structureRows: ReadonlyMap<string, readonly string[]> | undefined;
const structures = new Map<string, ReadonlyMap<string, ReadonlySet<string>>>();
const parsed = new Map<string, ResourceType>();

/** Loads the table. Call it before `resourceType`. */
export async function loadResourceTypes(): Promise<void> {
  if (rows !== undefined) return;
  const { RESOURCE_TYPE_ROWS } = await import('../generated/resource-types.ts');
  const { PROPERTY_STRUCTURE_ROWS } = await import('../generated/property-structures.ts');
  const byType = new Map<string, string[]>();
  for (const row of PROPERTY_STRUCTURE_ROWS.trim().split('\n')) {
    const name = row.slice(0, row.indexOf('|'));
    byType.set(name, [...(byType.get(name) ?? []), row]);
  }
  structureRows = byType;
  rows = new Map(
    RESOURCE_TYPE_ROWS.trim()
      .split('\n')
      .map((row) => [row.slice(0, row.indexOf('|')), row]),
  );
}

/** The type's row; undefined for a type that CloudFormation does not know. */
export function resourceType(name: string): ResourceType | undefined {
  if (rows === undefined) throw new Error('loadResourceTypes() has not been awaited');
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const row = rows.get(name);
  if (row === undefined) return undefined;
  const type = parseRow(row);
  parsed.set(name, type);
  return type;
}

/**
 * The members of the structures inside a type's properties, by their path: `Targets[].RetryPolicy`. Only types that act have
 * some.
 */
export function propertyStructures(name: string): ReadonlyMap<string, ReadonlySet<string>> {
  const known = structures.get(name);
  if (known !== undefined) return known;
  const parsedRows = (structureRows?.get(name) ?? []).map((row): [string, ReadonlySet<string>] => {
    const [, path = '', members = ''] = row.split('|');
    return [path, new Set(listOf(members))];
  });
  const found = new Map(parsedRows);
  structures.set(name, found);
  return found;
}

function parseRow(row: string): ResourceType {
  const [name = '', properties = '', attributes = '', identifier = '', tags = ''] = row.split('|');
  const marked = listOf(properties).map((text) => /^(\w+)([!?]?)(\*?)$/.exec(text) ?? []);
  const withMark = (mark: string) => marked.flatMap(([, property = '', found]) => (found === mark ? [property] : []));
  const [tagProperty = '', form] = tags.split(':');
  return {
    name,
    properties: new Set(marked.map(([, property = '']) => property)),
    required: marked.flatMap(([, property = '', , required]) => (required ? [property] : [])),
    createOnly: new Set(withMark('!')),
    mayReplace: new Set(withMark('?')),
    attributes: new Set(listOf(attributes)),
    identifier: listOf(identifier),
    tags: tagProperty === '' ? undefined : { property: tagProperty, form: form as 'standard' | 'map' | 'asg' },
  };
}

function listOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(',');
}

/** `properties` with `tags` added in the form of the type. The resource's own tags win. */
export function withTags(
  type: ResourceType | undefined,
  properties: Properties,
  tags: Readonly<Record<string, string>>,
): Properties {
  if (type?.tags === undefined || Object.keys(tags).length === 0) return properties;
  const { property, form } = type.tags;
  const own = properties[property];
  if (form === 'map') {
    const given = typeof own === 'object' && own !== null && !Array.isArray(own) ? (own as Properties) : {};
    return { ...properties, [property]: { ...tags, ...given } };
  }
  const list = Array.isArray(own) ? (own as readonly Properties[]) : [];
  const taken = new Set(list.map((tag) => tag?.Key));
  const added = Object.entries(tags)
    .filter(([key]) => !taken.has(key))
    .map(([Key, Value]) => ({ Key, Value, ...(form === 'asg' && { PropagateAtLaunch: true }) }));
  return { ...properties, [property]: [...list, ...added] };
}
