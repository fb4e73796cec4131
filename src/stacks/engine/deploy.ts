/**
 * The forward half of a creation or update: brings every resource to what the template asks for, each as soon as its
 * dependencies are there. It stops at the first failure. `operation.ts` decides what follows.
 */
import { type Json, type Properties, ResourceFailure } from '../providers/provider.ts';
import { resourceType } from '../providers/type-table.ts';
import type { ResourceRecord, ResourceState, Tags } from '../stack.ts';
import type { StackPolicy } from '../stack-policy.ts';
import type { DesiredResource, DesiredStack, ExistingResources } from './desired-stack.ts';
import { differenceOf } from './difference.ts';
import {
  adoptTarget,
  createResource,
  deleteResource,
  plannedState,
  reasonOf,
  resumeResource,
  updateResource,
} from './resource-steps.ts';
import type { Run } from './run.ts';
import { walk } from './walk.ts';

/** Why the others end when a resource has failed. */
export const CANCELLED = 'Resource creation cancelled';

export type DeployOptions = {
  readonly tags: Tags;
  /** What the update may do to resources that exist. */
  readonly policy?: StackPolicy | undefined;
};

/** Returns the logical ids of the resources that failed. Empty if all of them are there now. */
export async function deploy(run: Run, desired: DesiredStack, options: DeployOptions): Promise<readonly string[]> {
  const failed = refuseDeletions(run, desired, options);
  const graph = {
    ids: [...desired.resources.keys()],
    prerequisites: (id: string) => desired.resources.get(id)?.dependsOn ?? [],
  };
  const existing = existingResources(run);
  await walk(
    graph,
    async (id) => {
      const resource = desired.resources.get(id);
      if (resource === undefined) return true;
      const succeeded = await apply(run, resource, () => desired.properties(id, existing), options);
      if (!succeeded) {
        failed.push(id);
        run.cancel(CANCELLED);
      }
      return succeeded;
    },
    () => failed.length > 0 || run.signal().aborted,
  );
  return failed;
}

/** Fails the resources that the template no longer has, if the stack policy protects them. */
function refuseDeletions(run: Run, desired: DesiredStack, { policy }: DeployOptions): string[] {
  if (policy === undefined) return [];
  return [...run.records.values()].flatMap((record) => {
    const isLeftOut = record.state !== undefined && !desired.resources.has(record.logicalId);
    const denial = isLeftOut ? policy('Update:Delete', record) : undefined;
    if (denial === undefined) return [];
    failBefore(run, record, record, denial);
    return [record.logicalId];
  });
}

/** The resources of the run as functions of the template see them. */
export function existingResources(run: Pick<Run, 'records' | 'registry'>): ExistingResources {
  return {
    physicalId: (logicalId) => run.records.get(logicalId)?.state?.physicalId,
    attribute(logicalId, name) {
      const record = run.records.get(logicalId);
      return record?.state && attributeOf(run, record.type, record.state, name);
    },
  };
}

function attributeOf({ registry }: Pick<Run, 'registry'>, type: string, state: ResourceState, name: string): Json {
  const value = state.attributes[name];
  if (value !== undefined) return value;
  // A structure is made of its members.
  const members = Object.entries(state.attributes).filter(([key]) => key.startsWith(`${name}.`));
  if (members.length > 0) return Object.fromEntries(members.map(([key, item]) => [key.slice(name.length + 1), item]));
  if (registry.find(type)?.attributes?.includes('*')) {
    throw new ResourceFailure(
      `CustomResource attribute error: Vendor response doesn't contain ${name} attribute in object ${state.physicalId}`,
    );
  }
  const isKnown = resourceType(type)?.attributes.has(name) || registry.find(type)?.attributes?.includes(name);
  if (isKnown) return '';
  throw new ResourceFailure(`Resource type ${type} does not support attribute {${name}}.`);
}

async function apply(
  run: Run,
  desired: DesiredResource,
  resolve: () => Properties,
  { tags, policy }: DeployOptions,
): Promise<boolean> {
  const { logicalId, type } = desired;
  const record = run.records.get(logicalId);
  if (record?.step !== undefined) return resumeResource(run, record, record.step);
  // Done by this operation already, before the service was restarted.
  if (record?.change !== undefined && record.isCarried !== true && record.status.endsWith('_COMPLETE')) return true;
  const provider = run.registry.find(type);
  let properties: Properties;
  try {
    if (provider === undefined)
      throw new ResourceFailure(`Template format error: Unrecognized resource types: [${type}]`);
    properties = resolve();
  } catch (failure) {
    return failBefore(run, desired, record, reasonOf(failure));
  }
  const state = record?.state;
  if (record === undefined || state === undefined) {
    return createResource(run, provider, desired, plannedState(run, provider, desired, { properties, tags }));
  }
  if (record.status === 'CREATE_FAILED') {
    await deleteResource(run, record, state, { policy: 'Delete', role: 'superseded' });
    return createResource(run, provider, desired, plannedState(run, provider, desired, { properties, tags }));
  }
  const difference = differenceOf(provider, state, properties, tags);
  const isHalfDone = record.attempted !== undefined && provider.update !== undefined;
  const kind = difference.kind === 'none' && isHalfDone ? 'update' : difference.kind;
  const action = kind === 'replace' ? 'Update:Replace' : 'Update:Modify';
  const denial = kind === 'none' ? undefined : policy?.(action, record);
  if (denial !== undefined) return failBefore(run, desired, record, denial);
  const inPlace = plannedState(run, provider, desired, { properties, tags, kept: state });
  switch (kind) {
    case 'none':
      if (isElsewhereChanged(state, inPlace)) adoptTarget(run, record, inPlace, state);
      return true;
    case 'update':
      return updateResource(run, provider, { ...record, state }, inPlace, { before: state });
    case 'replace': {
      const name = provider.naming && properties[provider.naming.property];
      if (name !== undefined && name === state.properties[provider.naming?.property ?? '']) {
        const reason =
          'CloudFormation cannot update a stack when a custom-named resource requires replacing. ' +
          `Rename ${String(name)} and update the stack again.`;
        return failBefore(run, desired, record, reason);
      }
      return createResource(run, provider, desired, plannedState(run, provider, desired, { properties, tags }), state);
    }
  }
}

/** Metadata, policies or dependencies. */
function isElsewhereChanged(before: ResourceState, after: ResourceState): boolean {
  const part = ({ metadata, deletionPolicy, updateReplacePolicy, dependsOn }: ResourceState) =>
    JSON.stringify([metadata, deletionPolicy, updateReplacePolicy, dependsOn]);
  return part(before) !== part(after);
}

/** A failure before the provider was asked for anything. */
function failBefore(
  run: Run,
  { logicalId, type }: Pick<DesiredResource, 'logicalId' | 'type'>,
  record: ResourceRecord | undefined,
  reason: string,
): boolean {
  const status = record?.state === undefined ? 'CREATE_FAILED' : 'UPDATE_FAILED';
  const base = record ?? { logicalId, type, physicalId: '', updatedMs: 0, change: 'added' as const };
  const isFirst = record?.state !== undefined && record.isCarried !== true;
  const before = isFirst ? { before: record.state, change: 'updated' as const } : {};
  run.save({ ...base, ...before, status, reason }, { properties: {} });
  return false;
}
