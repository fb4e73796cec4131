/** How a resource must change to become what a template asks for: not at all, in place, or by a new one. */
import { isEqual, type Json as TemplateJson } from '../../template/tree.ts';
import type { Properties, ResourceProvider } from '../providers/provider.ts';
import { resourceType } from '../providers/type-table.ts';
import type { ResourceState, Tags } from '../stack.ts';

export type Difference = {
  readonly kind: 'none' | 'update' | 'replace';
  /** The names of the properties that differ. */
  readonly properties: readonly string[];
  /** Those of them that need a new resource. */
  readonly replacing: readonly string[];
};

export function differenceOf(
  provider: ResourceProvider,
  state: Pick<ResourceState, 'properties' | 'tags'>,
  properties: Properties,
  tags: Tags,
): Difference {
  const names = [...new Set([...Object.keys(state.properties), ...Object.keys(properties)])];
  const changed = names.filter((name) => !isSame(state.properties[name], properties[name]));
  const replacing = changed.filter((name) => isReplacing(provider, name, state.properties, properties));
  const needsNew = replacing.length > 0 || (changed.length > 0 && provider.replaces?.(state.properties, properties));
  if (needsNew || (changed.length > 0 && provider.update === undefined)) {
    return { kind: 'replace', properties: changed, replacing };
  }
  const hasTags = resourceType(provider.type)?.tags !== undefined;
  const isUpdate = changed.length > 0 || (hasTags && !isSame(state.tags, tags));
  return { kind: isUpdate ? 'update' : 'none', properties: changed, replacing };
}

function isReplacing(provider: ResourceProvider, name: string, before: Properties, after: Properties): boolean {
  if (provider.update === undefined) return true;
  if (provider.createOnly !== undefined) return provider.createOnly.includes(name);
  const type = resourceType(provider.type);
  if (type?.createOnly.has(name)) return true;
  return type?.mayReplace.has(name) === true && provider.replaces?.(before, after) === true;
}

function isSame(one: unknown, other: unknown): boolean {
  return isEqual(one as TemplateJson | undefined, other as TemplateJson | undefined);
}

/** Whether a change of this property replaces the resource: always, never, or by circumstances. */
export function recreationOf(provider: ResourceProvider, name: string): 'Never' | 'Always' | 'Conditionally' {
  if (provider.update === undefined) return 'Always';
  if (provider.createOnly !== undefined) return provider.createOnly.includes(name) ? 'Always' : 'Never';
  const type = resourceType(provider.type);
  if (type?.createOnly.has(name)) return 'Always';
  return type?.mayReplace.has(name) ? 'Conditionally' : 'Never';
}
