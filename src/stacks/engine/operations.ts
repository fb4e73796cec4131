/**
 * The operations that run now, at most one for each stack. Starts them, waits for them, cancels them, and goes on with
 * those that an earlier service has left.
 */
import { sleep } from '../../clock.ts';
import type { Operation, StackDocument, StackStatus } from '../stack.ts';
import { type ReadDesired, runOperation } from './operation.ts';
import { Interrupted } from './resource-steps.ts';
import { createRun, type EngineDependencies, type Run } from './run.ts';

export type Operations = {
  /** Runs the operation that the stack's document describes. */
  start(stackId: string): void;
  /** Resolves when the stack's operation has ended, after `ms` milliseconds at the latest. Returns whether it has. */
  ended(stackId: string, ms?: number): Promise<boolean>;
  /** Ends the running phase early. Returns whether there was one. */
  cancel(stackId: string, reason: string): boolean;
  /** Ends the running operation and begins this one instead of a rollback. */
  turnInto(stackId: string, operation: Operation): void;
  /** Changes the document of a stack with a running operation. Returns whether there is one. */
  amend(stackId: string, change: Partial<StackDocument>): boolean;
  /** Starts what an earlier service has left. */
  resume(): void;
  /** Stops. What is running goes on at the next start. */
  close(): Promise<void>;
};

export function createOperations(dependencies: EngineDependencies, readDesired: ReadDesired): Operations {
  const running = new Map<string, { readonly run: Run; readonly ended: Promise<void> }>();
  let isClosing = false;

  const perform = async (run: Run) => {
    try {
      await runOperation(run, readDesired);
    } catch (failure) {
      if (failure instanceof Interrupted) return;
      dependencies.log.error({ err: failure, stack: run.stackId }, 'an operation of a stack failed');
      giveUp(run);
    } finally {
      running.delete(run.stackId);
    }
  };
  const start = (stackId: string) => {
    if (isClosing || running.has(stackId)) return;
    const run = createRun(dependencies, stackId, () => isClosing);
    // In another turn: the caller's transaction, and its response, come first.
    const ended = Promise.resolve().then(() => perform(run));
    running.set(stackId, { run, ended });
  };
  return {
    start,
    async ended(stackId, ms) {
      const ended = running.get(stackId)?.ended;
      if (ended === undefined) return true;
      await (ms === undefined ? ended : Promise.race([ended, sleep(dependencies.clock, ms)]));
      return !running.has(stackId);
    },
    cancel(stackId, reason) {
      const run = running.get(stackId)?.run;
      run?.cancel(reason);
      return run !== undefined;
    },
    turnInto(stackId, operation) {
      const run = running.get(stackId)?.run;
      if (run === undefined) return;
      run.update({ next: operation });
      run.cancel('User Initiated');
    },
    amend(stackId, change) {
      const run = running.get(stackId)?.run;
      run?.update(change);
      return run !== undefined;
    },
    resume() {
      for (const { id } of dependencies.store.unfinished()) start(id);
    },
    async close() {
      isClosing = true;
      for (const { run } of running.values()) run.cancel('The service is closing.');
      await Promise.all([...running.values()].map(({ ended }) => ended));
    },
  };
}

/** A bug ended the operation. The stack must not stay in progress for ever. */
function giveUp(run: Run): void {
  const { operation } = run.stack().document;
  if (operation === undefined || run.isClosing()) return;
  run.transition(failedStatusOf(operation), 'Internal Failure', { operation: undefined });
}

function failedStatusOf(operation: Operation): StackStatus {
  if (operation.kind === 'delete') return 'DELETE_FAILED';
  const isForward = operation.phase === 'forward';
  if (operation.kind === 'create') return isForward ? 'CREATE_FAILED' : 'ROLLBACK_FAILED';
  return isForward ? 'UPDATE_FAILED' : 'UPDATE_ROLLBACK_FAILED';
}
