/**
 * What executing a change set would do, computed without doing it: resources to add, modify, replace and remove, with
 * the reasons that DescribeChangeSet shows. What only exists afterwards has the value `{{changeSet:KNOWN_AFTER_APPLY}}`.
 * The order and the combinations of details are those that AWS returns.
 */
import type { ChangeDetail, ResourceChange } from '../change-set.ts';
import type { Json, Properties, ResourceProvider } from '../providers/provider.ts';
import type { ProviderRegistry } from '../providers/registry.ts';
import { resourceType } from '../providers/type-table.ts';
import type { ResourceRecord, ResourceState, Tags } from '../stack.ts';
import { existingResources } from './deploy.ts';
import type { DesiredResource, DesiredStack, Reference } from './desired-stack.ts';
import { type Difference, differenceOf, recreationOf } from './difference.ts';

export const UNKNOWN = '{{changeSet:KNOWN_AFTER_APPLY}}';

export type PlanInput = {
  readonly desired: DesiredStack;
  readonly tags: Tags;
  readonly records: ReadonlyMap<string, ResourceRecord>;
  readonly registry: ProviderRegistry;
  /** Parameters whose values differ from those of the last deployment. */
  readonly changedParameters: ReadonlySet<string>;
};

/** @throws TemplateError or ResourceFailure when a function cannot be resolved */
export function planChanges({ desired, tags, records, registry, changedParameters }: PlanInput): ResourceChange[] {
  const known = existingResources({ records, registry });
  const replaced = new Set<string>();
  const isUnknown = (id: string) => replaced.has(id) || (desired.resources.has(id) && !records.get(id)?.state);
  const existing = {
    physicalId: (id: string) => (isUnknown(id) ? UNKNOWN : known.physicalId(id)),
    attribute: (id: string, name: string) => (isUnknown(id) ? UNKNOWN : known.attribute(id, name)),
  };
  const changes: ResourceChange[] = [];
  for (const resource of inOrder(desired)) {
    const { logicalId, type } = resource;
    const provider = registry.find(type);
    const properties = masked(desired.properties(logicalId, existing)) as Properties;
    const record = records.get(logicalId);
    const state = record?.state;
    if (record === undefined || state === undefined || provider === undefined) {
      const after = context(properties, resource.metadata);
      changes.push({ action: 'Add', logicalId, type, scope: [], details: [], after });
      continue;
    }
    const difference = differenceOf(provider, state, properties, tags);
    if (difference.kind === 'replace') replaced.add(logicalId);
    const cause = (property: string) =>
      causesOf(desired.references(logicalId, property), changedParameters, (id) => replaced.has(id));
    const change = modification(provider, resource, record, state, properties, { tags, difference, cause });
    if (change !== undefined) changes.push(change);
  }
  for (const record of records.values()) {
    const { logicalId, type, state } = record;
    if (state === undefined || desired.resources.has(logicalId)) continue;
    const policyAction = policyOf(state);
    const before = context(state.properties, state.metadata);
    const { physicalId } = state;
    changes.push({ action: 'Remove', logicalId, physicalId, type, policyAction, scope: [], details: [], before });
  }
  return changes.sort((one, other) => (one.logicalId < other.logicalId ? -1 : 1));
}

function policyOf({ deletionPolicy }: ResourceState): 'Delete' | 'Retain' | 'Snapshot' {
  if (deletionPolicy === 'RetainExceptOnCreate') return 'Retain';
  return deletionPolicy;
}

function modification(
  provider: ResourceProvider,
  desired: DesiredResource,
  { logicalId, type }: ResourceRecord,
  state: ResourceState,
  properties: Properties,
  {
    tags,
    difference,
    cause,
  }: { readonly tags: Tags; readonly difference: Difference; readonly cause: (property: string) => readonly Cause[] },
): ResourceChange | undefined {
  const details = difference.properties.flatMap((name) =>
    propertyDetails(provider, state, properties, name, cause(name)),
  );
  const scope: string[] = [];
  const note = (attribute: string, differs: boolean) => {
    if (!differs) return;
    scope.push(attribute);
    details.push({ attribute, requiresRecreation: 'Never', evaluation: 'Static', source: 'DirectModification' });
  };
  note('Metadata', !isSame(state.metadata, desired.metadata));
  if (difference.properties.length > 0) scope.push('Properties');
  note('Tags', resourceType(type)?.tags !== undefined && !isSame(state.tags, tags));
  note('DeletionPolicy', state.deletionPolicy !== desired.deletionPolicy);
  note('UpdateReplacePolicy', state.updateReplacePolicy !== desired.updateReplacePolicy);
  if (scope.length === 0) return undefined;
  const isReplaced = difference.kind === 'replace';
  return {
    action: 'Modify',
    logicalId,
    physicalId: state.physicalId,
    type,
    policyAction: !isReplaced
      ? undefined
      : desired.updateReplacePolicy === 'Retain'
        ? 'ReplaceAndRetain'
        : 'ReplaceAndDelete',
    replacement: replacementOf(provider, difference),
    scope,
    details,
    before: context(state.properties, state.metadata),
    after: context(properties, desired.metadata),
  };
}

function replacementOf(provider: ResourceProvider, { kind, properties }: Difference): 'True' | 'False' | 'Conditional' {
  if (kind === 'replace') return 'True';
  const isOpen = properties.some((name) => recreationOf(provider, name) === 'Conditionally');
  return isOpen && provider.replaces === undefined ? 'Conditional' : 'False';
}

type Cause = {
  readonly source: 'ParameterReference' | 'ResourceReference' | 'ResourceAttribute';
  readonly entity: string;
};

function causesOf(
  references: readonly Reference[],
  changedParameters: ReadonlySet<string>,
  isReplaced: (logicalId: string) => boolean,
): readonly Cause[] {
  return references.flatMap((reference): Cause[] => {
    const { kind, name, attribute } = reference;
    if (kind === 'parameter')
      return changedParameters.has(name) ? [{ source: 'ParameterReference', entity: name }] : [];
    if (!isReplaced(name)) return [];
    return attribute === undefined
      ? [{ source: 'ResourceReference', entity: name }]
      : [{ source: 'ResourceAttribute', entity: `${name}.${attribute}` }];
  });
}

/** A direct modification that is certain only where nothing else causes the change; then each cause. */
function propertyDetails(
  provider: ResourceProvider,
  state: ResourceState,
  properties: Properties,
  name: string,
  causes: readonly Cause[],
): ChangeDetail[] {
  const before = state.properties[name];
  const after = properties[name];
  const shared = {
    attribute: 'Properties',
    name,
    requiresRecreation: recreationOf(provider, name),
    path: `/Properties/${name}`,
    before: before === undefined ? undefined : textOf(before),
    after: after === undefined ? undefined : textOf(after),
    attributeChange:
      before === undefined ? ('Add' as const) : after === undefined ? ('Remove' as const) : ('Modify' as const),
  };
  const direct: ChangeDetail = {
    ...shared,
    evaluation: causes.length > 0 ? 'Dynamic' : 'Static',
    source: 'DirectModification',
  };
  return [
    direct,
    ...causes.map(
      ({ source, entity }): ChangeDetail => ({ ...shared, evaluation: 'Static', source, causingEntity: entity }),
    ),
  ];
}

function textOf(value: Json): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function context(properties: Properties, metadata: Json | undefined): string {
  return JSON.stringify({ Properties: asTexts(properties), ...(metadata !== undefined && { Metadata: metadata }) });
}

/** AWS shows scalars as texts. */
function asTexts(value: Json): Json {
  if (Array.isArray(value)) return value.map(asTexts);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asTexts(item)]));
  }
  return value === null ? value : String(value);
}

/** A text that contains an unknown part is unknown as a whole. */
function masked(value: Json): Json {
  if (typeof value === 'string') return value.includes(UNKNOWN) ? UNKNOWN : value;
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, masked(item)]));
}

/** Each resource after those that it depends on. The template has no circles. */
function inOrder({ resources }: DesiredStack): DesiredResource[] {
  const ordered = new Map<string, DesiredResource>();
  const visit = (id: string) => {
    // An explicit stack: a chain can have 500 resources.
    const path = [id];
    while (path.length > 0) {
      const current = path.at(-1) ?? '';
      const resource = resources.get(current);
      const next = resource?.dependsOn.find(
        (other) => resources.has(other) && !ordered.has(other) && other !== current,
      );
      if (next !== undefined && !path.includes(next)) path.push(next);
      else {
        path.pop();
        if (resource !== undefined) ordered.set(current, resource);
      }
    }
  };
  for (const id of resources.keys()) visit(id);
  return [...ordered.values()];
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
