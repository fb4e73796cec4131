/**
 * One operation of a stack from its first phase to its end: create, update, delete and their rollbacks. Each phase begins
 * with a change of the stack's status, which is stored with the phase, so that an operation that was interrupted goes on
 * where it was.
 *
 * ```mermaid
 * stateDiagram-v2
 *   forward --> done: CREATE_COMPLETE
 *   forward --> cleanup: UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
 *   cleanup --> done: UPDATE_COMPLETE
 *   forward --> rollback: ROLLBACK_IN_PROGRESS, UPDATE_ROLLBACK_IN_PROGRESS
 *   rollback --> done: ROLLBACK_COMPLETE
 *   rollback --> rollback-cleanup: UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
 *   rollback-cleanup --> done: UPDATE_ROLLBACK_COMPLETE
 * ```
 */
import { ResourceFailure } from '../providers/provider.ts';
import type { Deployment, Operation, Stack, StackOutput } from '../stack.ts';
import { parseStackPolicy } from '../stack-policy.ts';
import { deleteDiscarded, deleteEverything, deleteOutdated, type NewResources } from './clean-up.ts';
import { CANCELLED, deploy, existingResources } from './deploy.ts';
import type { DesiredStack } from './desired-stack.ts';
import { reasonOf } from './resource-steps.ts';
import { restore } from './roll-back.ts';
import { ENDED, type Run } from './run.ts';

export type ReadDesired = (stack: Stack, deployment: Deployment) => DesiredStack;

type Change = Extract<Operation, { kind: 'create' | 'update' }>;
type Deletion = Extract<Operation, { kind: 'delete' }>;

/** Runs what is left of the stack's operation. @throws Interrupted when the service closes */
export async function runOperation(run: Run, readDesired: ReadDesired): Promise<void> {
  await runPhases(run, readDesired);
  const { next, operation, status } = run.stack().document;
  if (next?.kind !== 'delete' || operation !== undefined) return;
  const deletion = { ...next, from: status };
  run.transition('DELETE_IN_PROGRESS', 'User Initiated', { operation: deletion, next: undefined });
  await remove(run, deletion);
}

async function runPhases(run: Run, readDesired: ReadDesired): Promise<void> {
  const { operation } = run.stack().document;
  if (operation === undefined) return;
  if (operation.kind === 'delete') return remove(run, operation);
  switch (operation.phase) {
    case 'forward':
      return forward(run, operation, readDesired);
    case 'cleanup':
      return cleanUp(run, operation, readDesired);
    case 'rollback':
      return leavesNothing(run, operation) ? rollBackCreation(run, operation) : rollBackUpdate(run, operation);
    case 'rollback-cleanup':
      return endRollback(run, operation);
  }
}

/** Whether there is no earlier state that a rollback could bring back. */
function leavesNothing(run: Run, { kind }: Change): boolean {
  return kind === 'create' || run.stack().document.isIncomplete === true;
}

async function forward(run: Run, operation: Change, readDesired: ReadDesired): Promise<void> {
  const { target, kind } = operation;
  const policy = operation.policy === undefined ? undefined : parseStackPolicy(operation.policy);
  const timeout = startTimeout(run, operation);
  const verb = kind === 'create' ? 'create' : 'update';
  try {
    const desired = readDesired(run.stack(), target);
    const failed = await deploy(run, desired, { tags: target.tags, policy });
    const end = run.signal().aborted ? (run.signal().reason as Error).message : undefined;
    if (end !== undefined && end !== CANCELLED) return await fail(run, operation, end);
    if (failed.length > 0) return await fail(run, operation, failureReason(run, [...failed, ...canceledIn(run)], verb));
    let outputs: readonly StackOutput[];
    try {
      outputs = desired.outputs(existingResources(run));
      checkExports(run, outputs);
    } catch (failure) {
      return await fail(run, operation, reasonOf(failure));
    }
    const done = { deployment: target, outputs, imports: desired.imports(), isIncomplete: undefined };
    if (kind === 'create') {
      return run.store.transaction(() => {
        run.store.setExports(run.stack(), exportsOf(outputs));
        clearMarks(run);
        run.transition('CREATE_COMPLETE', undefined, { ...done, ...ENDED });
      });
    }
    run.store.transaction(() => {
      run.store.setExports(run.stack(), exportsOf(outputs));
      const next = { ...operation, phase: 'cleanup' as const };
      run.transition('UPDATE_COMPLETE_CLEANUP_IN_PROGRESS', undefined, { ...done, operation: next });
    });
  } finally {
    timeout();
  }
  return cleanUp(run, operation, readDesired);
}

async function cleanUp(run: Run, operation: Change, readDesired: ReadDesired): Promise<void> {
  run.beginPhase();
  const { resources } = readDesired(run.stack(), operation.target);
  await deleteOutdated(run, (logicalId) => resources.has(logicalId));
  run.store.transaction(() => {
    // CloudFormation gives up what it could not delete.
    for (const logicalId of [...run.records.keys()]) if (!resources.has(logicalId)) run.remove(logicalId);
    clearMarks(run);
    run.transition('UPDATE_COMPLETE', undefined, ENDED);
  });
}

/** What follows a failure: the rollback, the deletion, or nothing. */
async function fail(run: Run, operation: Change, reason: string): Promise<void> {
  const isCreation = leavesNothing(run, operation);
  // A stack that is deleted next needs no rollback.
  switch (run.stack().document.next === undefined ? operation.onFailure : 'DO_NOTHING') {
    case 'DO_NOTHING': {
      const status = operation.kind === 'create' ? 'CREATE_FAILED' : 'UPDATE_FAILED';
      run.transition(status, reason, { ...ENDED, isIncomplete: isCreation || undefined });
      return;
    }
    case 'DELETE': {
      const { token, startedMs } = operation;
      const deletion: Deletion = { kind: 'delete', ...(token !== undefined && { token }), retain: [], startedMs };
      run.transition('DELETE_IN_PROGRESS', `${reason}Delete requested by user.`, { operation: deletion });
      return remove(run, deletion);
    }
    case 'ROLLBACK': {
      const next = { ...operation, phase: 'rollback' as const, reason };
      const shown = isCreation && reason.endsWith('. ') ? `${reason}Rollback requested by user.` : reason.trimEnd();
      const status = isCreation ? 'ROLLBACK_IN_PROGRESS' : 'UPDATE_ROLLBACK_IN_PROGRESS';
      run.transition(status, shown, { operation: next, deletionMs: isCreation ? run.clock.epochMs() : undefined });
      return isCreation ? rollBackCreation(run, next) : rollBackUpdate(run, next);
    }
  }
}

function newResourcesOf({ retainExceptOnCreate }: Change): NewResources {
  return retainExceptOnCreate ? 'delete' : 'obey-policy';
}

async function rollBackCreation(run: Run, operation: Change): Promise<void> {
  run.beginPhase();
  const failed = await deleteEverything(run, { retain: [], rolledBack: newResourcesOf(operation) });
  if (failed.length === 0) return run.transition('ROLLBACK_COMPLETE', undefined, ENDED);
  run.transition('ROLLBACK_FAILED', failureReason(run, failed, 'delete'), ENDED);
}

async function rollBackUpdate(run: Run, operation: Change): Promise<void> {
  run.beginPhase();
  const failed = await restore(run, operation.skip);
  if (failed.length > 0) {
    return run.transition('UPDATE_ROLLBACK_FAILED', failureReason(run, failed, 'update'), ENDED);
  }
  const next = { ...operation, phase: 'rollback-cleanup' as const };
  run.transition('UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS', undefined, { operation: next });
  return endRollback(run, next);
}

async function endRollback(run: Run, operation: Change): Promise<void> {
  run.beginPhase();
  await deleteDiscarded(run, newResourcesOf(operation));
  run.store.transaction(() => {
    for (const record of [...run.records.values()]) if (record.change === 'added') run.remove(record.logicalId);
    clearMarks(run);
    run.transition('UPDATE_ROLLBACK_COMPLETE', undefined, ENDED);
  });
}

async function remove(run: Run, { retain, from = 'DELETE_FAILED' }: Deletion): Promise<void> {
  run.beginPhase();
  const statusReason = importedExport(run, []);
  // The stack is what it was before.
  if (statusReason !== undefined) return run.transition(from, statusReason, { ...ENDED, statusReason });
  const failed = await deleteEverything(run, { retain });
  if (failed.length > 0) {
    return run.transition('DELETE_FAILED', failureReason(run, failed, 'delete'), ENDED);
  }
  run.store.transaction(() => {
    run.store.setExports(run.stack(), []);
    const gone = { imports: [], changeSetId: undefined, deletionMs: run.clock.epochMs() };
    run.transition('DELETE_COMPLETE', undefined, { ...gone, ...ENDED });
  });
}

/** `The following resource(s) failed to create: [A, B]. `, with the final space. */
function failureReason(run: Run, failed: readonly string[], verb: 'create' | 'update' | 'delete'): string {
  const named = failed.filter((id) => run.records.get(id)?.status.endsWith('_FAILED') ?? true);
  return `The following resource(s) failed to ${verb}: [${[...new Set(named)].sort().join(', ')}]. `;
}

/** Resources that were under way when another one failed count as failed, too. */
function canceledIn(run: Run): readonly string[] {
  return [...run.records.values()]
    .filter(({ status, reason }) => status.endsWith('_FAILED') && /^Resource \w+ cancelled$/.test(reason ?? ''))
    .map(({ logicalId }) => logicalId);
}

/** @throws ResourceFailure when another stack exports the name, or uses an export that would be gone or different */
function checkExports(run: Run, outputs: readonly StackOutput[]): void {
  const { scope, id } = run.stack();
  const next = exportsOf(outputs);
  for (const { name } of next) {
    const owner = run.store.exported(scope, name);
    if (owner === undefined || owner.stack === id) continue;
    const other = run.store.get(owner.stack)?.name ?? owner.stack;
    throw new ResourceFailure(`Export with name ${name} is already exported by stack ${other}.`);
  }
  const reason = importedExport(run, next);
  if (reason !== undefined) throw new ResourceFailure(reason);
}

type ExportValue = { readonly name: string; readonly value: string };

/** Why the stack's exports cannot become `next`: other stacks use one that would be gone or different. */
function importedExport(run: Run, next: readonly ExportValue[]): string | undefined {
  const { scope, id } = run.stack();
  for (const { name, value, stack } of run.store.exports(scope)) {
    if (stack !== id || next.some((item) => item.name === name && item.value === value)) continue;
    const importers = run.store.importers(scope, name).filter((other) => other.id !== id);
    if (importers.length === 0) continue;
    const what = next.some((item) => item.name === name) ? 'Cannot update' : 'Delete canceled. Cannot delete';
    return `${what} export ${name} as it is in use by ${enumerated(importers.map((other) => other.name))}.`;
  }
  return undefined;
}

/** `A`, `A and B`, `A, B and C`. */
function enumerated(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

function exportsOf(outputs: readonly StackOutput[]): ExportValue[] {
  return outputs.flatMap(({ exportName, value }) => (exportName === undefined ? [] : [{ name: exportName, value }]));
}

/** The operation is over: its changes are how things are. */
function clearMarks(run: Run): void {
  for (const record of run.records.values()) {
    const { change, before, discarded, step, isCarried, attempted, ...rest } = record;
    const marks = [change, before, discarded, step, isCarried, attempted];
    if (marks.some((mark) => mark !== undefined)) run.save(rest);
  }
}

function startTimeout(run: Run, { kind, timeoutMinutes, startedMs }: Change): () => void {
  if (kind !== 'create' || timeoutMinutes === undefined) return () => undefined;
  const leftMs = Math.max(0, startedMs + timeoutMinutes * 60_000 - run.clock.epochMs());
  return run.clock.after(leftMs, () => run.cancel('Stack creation time exceeded the specified timeout. '));
}
