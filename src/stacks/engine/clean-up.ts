/**
 * Deletes what a stack no longer has: everything (deletion, rollback of a creation), what an update removed or replaced,
 * or what a rolled back update had made. A resource goes before those that it depends on. A failure leaves the resource,
 * and those that it depends on, where they are.
 */
import type { DeletionPolicy, ResourceRecord, ResourceState } from '../stack.ts';
import { type DeletionRole, deleteResource } from './resource-steps.ts';
import type { Run } from './run.ts';
import { reversed, walk } from './walk.ts';

type Doomed = {
  readonly record: ResourceRecord;
  readonly state: ResourceState;
  readonly policy: DeletionPolicy | 'Skip';
  readonly role: DeletionRole;
  /** What changes in the record once it is gone. */
  readonly settled?: Partial<ResourceRecord>;
};

/** Deletes every resource; the records stay. Returns the logical ids of those that failed. */
export async function deleteEverything(
  run: Run,
  { retain, isRollback }: { readonly retain: readonly string[]; readonly isRollback: boolean },
): Promise<readonly string[]> {
  await deleteAll(run, [...run.records.values()].flatMap(supersededOf));
  const doomed = [...run.records.values()].flatMap((record): Doomed[] => {
    const state = record.state ?? announcedOf(record);
    if (state === undefined) return [];
    const policy = retain.includes(record.logicalId) ? 'Skip' : policyOf(state.deletionPolicy, isRollback);
    return [{ record, state, policy, role: 'shown' }];
  });
  return deleteAll(run, doomed);
}

/** After an update: what the template no longer has, and what was replaced. Returns those that failed. */
export async function deleteOutdated(run: Run, isDesired: (logicalId: string) => boolean): Promise<readonly string[]> {
  const doomed = [...run.records.values()].flatMap((record): Doomed[] => {
    if (!isDesired(record.logicalId)) {
      const { state } = record;
      if (state !== undefined) return [{ record, state, policy: state.deletionPolicy, role: 'removed' }];
      run.remove(record.logicalId);
      return [];
    }
    if (record.discarded !== undefined) {
      const settled = { discarded: undefined };
      return [{ record, state: record.discarded, policy: 'Delete', role: 'superseded', settled }];
    }
    if (record.change !== 'replaced' || record.before === undefined) return [];
    const policy = record.before.updateReplacePolicy;
    return [{ record, state: record.before, policy, role: 'superseded', settled: { before: undefined } }];
  });
  return deleteAll(run, doomed);
}

/** After a rolled back update: what it had added, and the new ones that old ones have taken the place of again. */
export async function deleteDiscarded(run: Run): Promise<readonly string[]> {
  const doomed = [...run.records.values()].flatMap((record): Doomed[] => {
    if (record.change === 'added') {
      const state = record.state ?? announcedOf(record);
      if (state === undefined) {
        run.remove(record.logicalId);
        return [];
      }
      return [{ record, state, policy: policyOf(state.deletionPolicy, true), role: 'removed' }];
    }
    if (record.discarded === undefined) return [];
    const settled = { discarded: undefined };
    return [{ record, state: record.discarded, policy: 'Delete', role: 'superseded', settled }];
  });
  return deleteAll(run, doomed);
}

async function deleteAll(run: Run, doomed: readonly Doomed[]): Promise<readonly string[]> {
  const byId = new Map(doomed.map((item) => [item.record.logicalId, item]));
  const graph = reversed({
    ids: [...byId.keys()],
    prerequisites: (id) => byId.get(id)?.state.dependsOn ?? [],
  });
  return walk(graph, async (id) => {
    const item = byId.get(id);
    if (item === undefined) return true;
    const isGone = await deleteResource(run, item.record, item.state, item);
    const now = run.records.get(id);
    if (isGone && item.settled !== undefined && now !== undefined) run.save({ ...now, ...item.settled });
    return isGone;
  });
}

/** The other incarnations that an update without an end has left. */
function supersededOf(record: ResourceRecord): Doomed[] {
  const { change, before, discarded } = record;
  const settled = { before: undefined, discarded: undefined, change: undefined };
  const state = discarded ?? (change === 'replaced' ? before : undefined);
  return state === undefined ? [] : [{ record, state, policy: state.deletionPolicy, role: 'superseded', settled }];
}

/** What a creation had announced before a crash. */
function announcedOf({ step }: ResourceRecord): ResourceState | undefined {
  return step?.kind === 'create' && step.target.physicalId !== '' ? step.target : undefined;
}

function policyOf(policy: DeletionPolicy, isRollback: boolean): DeletionPolicy {
  if (policy === 'RetainExceptOnCreate') return isRollback ? 'Delete' : 'Retain';
  return policy;
}
