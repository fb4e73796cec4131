/**
 * The backward half of an update: every resource that the update changed gets its old properties again, and one that was
 * replaced its old incarnation. What the update made is deleted afterwards (`clean-up.ts`).
 */
import type { ResourceRecord, ResourceState } from '../stack.ts';
import { updateResource } from './resource-steps.ts';
import type { Run } from './run.ts';
import { walk } from './walk.ts';

/** Returns the logical ids of the resources that could not be restored. Those in `skip` are left as they are. */
export async function restore(run: Run, skip: readonly string[] = []): Promise<readonly string[]> {
  const changed = [...run.records.values()].filter(
    ({ change, before, step }) => before !== undefined && (change !== undefined || step !== undefined),
  );
  const byId = new Map(changed.map((record) => [record.logicalId, record]));
  const graph = { ids: [...byId.keys()], prerequisites: (id: string) => byId.get(id)?.before?.dependsOn ?? [] };
  return walk(graph, async (id) => {
    const record = run.records.get(id);
    if (record?.before === undefined) return true;
    return skip.includes(id) ? accept(run, record, record.before) : restoreOne(run, record, record.before);
  });
}

async function restoreOne(run: Run, record: ResourceRecord, before: ResourceState): Promise<boolean> {
  const provider = run.registry.find(record.type);
  const current = record.state;
  const { step, reason: _, ...rest } = record;
  if (record.change === 'replaced' || current === undefined || current.physicalId !== before.physicalId) {
    // The new incarnation may be half made: it is where the step has announced it, or already in the record.
    const made = step?.kind === 'create' && step.target.physicalId !== '' ? step.target : current;
    const isNew = made !== undefined && made.physicalId !== before.physicalId;
    const discarded = isNew ? { discarded: [...(record.discarded ?? []), made] } : {};
    const physicalId = before.physicalId;
    const { change: __, before: ___, isCarried: ____, ...kept } = rest;
    run.save(
      { ...kept, ...discarded, physicalId, state: before, status: 'UPDATE_COMPLETE' },
      { properties: before.properties },
    );
    return true;
  }
  if (provider?.update === undefined || isUntouched(record)) return accept(run, record, before);
  const restored = await updateResource(run, provider, { ...rest, state: current }, before, { before: undefined });
  if (!restored) return false;
  const now = run.records.get(record.logicalId);
  if (now !== undefined) run.save(settled(now, now.state ?? before));
  return true;
}

/** Only metadata, policies or dependencies had changed, or the update had failed before it began. */
function isUntouched({ state, before, step, attempted }: ResourceRecord): boolean {
  const part = (given: ResourceState | undefined) => JSON.stringify([given?.properties, given?.tags]);
  return step === undefined && attempted === undefined && part(state) === part(before);
}

function accept(run: Run, record: ResourceRecord, before: ResourceState): boolean {
  run.save({ ...settled(record, before), status: 'UPDATE_COMPLETE' });
  return true;
}

function settled(record: ResourceRecord, state: ResourceState): ResourceRecord {
  const { change: _, before: __, step: ___, reason: ____, isCarried: _____, attempted: ______, ...rest } = record;
  return { ...rest, state };
}
