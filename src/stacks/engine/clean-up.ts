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

/** What a rollback does with new resources that have a DeletionPolicy. */
export type NewResources = 'delete' | 'obey-policy';

/**
 * Deletes every resource; the records stay. `rolledBack` is given when the stack's creation is rolled back. Returns the
 * logical ids of those that failed.
 */
export async function deleteEverything(
  run: Run,
  { retain, rolledBack }: { readonly retain: readonly string[]; readonly rolledBack?: NewResources },
): Promise<readonly string[]> {
  await deleteWithUnused(run, [...run.records.values()].flatMap(supersededOf));
  const doomed = [...run.records.values()].flatMap((record): Doomed[] => {
    const state = record.state ?? announcedOf(record);
    if (state === undefined) return [];
    const policy = retain.includes(record.logicalId) ? 'Skip' : policyOf(state.deletionPolicy, rolledBack);
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
    if (record.change !== 'replaced' || record.before === undefined) return [];
    const policy = record.before.updateReplacePolicy;
    return [{ record, state: record.before, policy, role: 'superseded', settled: { before: undefined } }];
  });
  return deleteWithUnused(run, doomed);
}

/** After a rolled back update: what it had added, and the new ones that old ones have taken the place of again. */
export async function deleteDiscarded(run: Run, added: NewResources): Promise<readonly string[]> {
  const doomed = [...run.records.values()].flatMap((record): Doomed[] => {
    if (record.change === 'added') {
      const state = record.state ?? announcedOf(record);
      if (state === undefined) {
        run.remove(record.logicalId);
        return [];
      }
      return [{ record, state, policy: policyOf(state.deletionPolicy, added), role: 'removed' }];
    }
    return [];
  });
  return deleteWithUnused(run, doomed);
}

/**
 * Deletes these, and the incarnations that are out of use. Several incarnations of one resource go one after the other,
 * so that each pass has the dependencies between resources. Returns those that failed.
 */
async function deleteWithUnused(run: Run, doomed: readonly Doomed[]): Promise<readonly string[]> {
  const failed = new Set<string>();
  let others = doomed;
  for (;;) {
    const unused = [...run.records.values()].flatMap((record): Doomed[] => {
      const { discarded = [], logicalId } = record;
      const state = failed.has(logicalId) ? undefined : discarded.at(-1);
      const left = discarded.slice(0, -1);
      const settled = { discarded: left.length > 0 ? left : undefined };
      return state === undefined ? [] : [{ record, state, policy: 'Delete', role: 'superseded', settled }];
    });
    const taken = new Set(unused.map(({ record }) => record.logicalId));
    const isTaken = ({ record }: Doomed) => taken.has(record.logicalId);
    const pass = [...unused, ...others.filter((item) => !isTaken(item))];
    if (pass.length === 0) return [...failed];
    for (const id of await deleteAll(run, pass)) failed.add(id);
    others = others
      .filter(isTaken)
      .map((item) => ({ ...item, record: run.records.get(item.record.logicalId) ?? item.record }));
  }
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

/** What an update without an end was about to replace. */
function supersededOf(record: ResourceRecord): Doomed[] {
  const { change, before } = record;
  if (change !== 'replaced' || before === undefined) return [];
  const settled = { before: undefined, change: undefined };
  return [{ record, state: before, policy: before.deletionPolicy, role: 'superseded', settled }];
}

/** What a creation had announced before a crash. */
function announcedOf({ step }: ResourceRecord): ResourceState | undefined {
  return step?.kind === 'create' && step.target.physicalId !== '' ? step.target : undefined;
}

function policyOf(policy: DeletionPolicy, rolledBack: NewResources | undefined): DeletionPolicy {
  if (policy === 'RetainExceptOnCreate') return rolledBack === undefined ? 'Retain' : 'Delete';
  return policy === 'Retain' && rolledBack === 'delete' ? 'Delete' : policy;
}
