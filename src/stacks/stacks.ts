/**
 * The stacks of this service: what clients and nested stacks can do with them. Checks states, stores the operation and
 * starts it; `engine/` carries it out. The wire format is `services/cloudformation/`'s.
 */
import { randomUUID } from 'node:crypto';
import { renderStackArn } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import type { ResourceChange } from './change-set.ts';
import { existingResources } from './engine/deploy.ts';
import type { ReadDesired } from './engine/operation.ts';
import type { Operations } from './engine/operations.ts';
import { planChanges } from './engine/plan.ts';
import { type EngineDependencies, reportStack } from './engine/run.ts';
import {
  type Deployment,
  isInProgress,
  isUpdatable,
  type Operation,
  type ResourceRecord,
  type Stack,
  type StackDocument,
  type StackStatus,
} from './stack.ts';
import { invalid, StackError } from './stack-error.ts';
import type {
  CreateOptions,
  OperationOptions,
  Prepare,
  Prepared,
  StackIdentity,
  StackRequest,
} from './stack-request.ts';

export const USER_INITIATED = 'User Initiated';
export const NO_UPDATES = 'No updates are to be performed.';

export type StacksDependencies = EngineDependencies & {
  readonly operations: Operations;
  readonly prepare: Prepare;
  readonly readDesired: ReadDesired;
};

export type Stacks = ReturnType<typeof createStacks>;

export function createStacks(dependencies: StacksDependencies) {
  const { store, operations, prepare, clock, log, registry } = dependencies;

  /** Stores a stack's next operation with its event, and starts it. */
  function begin(stack: Stack, status: StackStatus, reason: string, change: Partial<StackDocument>): Stack {
    const { statusReason: _, ...document } = stack.document;
    const next = { ...stack, document: { ...document, ...change, status } };
    store.transaction(() => {
      store.update(next);
      reportStack(dependencies, next, reason);
    });
    operations.start(stack.id);
    return next;
  }

  function noticeRecorded(stack: StackIdentity, { desired }: Prepared): void {
    const recorded = [...desired.resources.values()].filter(({ type }) => registry.isRecorded(type));
    if (recorded.length === 0) return;
    const list = recorded.map(({ logicalId, type }) => `${logicalId} (${type})`).join(', ');
    log.warn(
      { stack: stack.name },
      `these resources of the stack ${stack.name} are recorded and have no effect: ${list}. References to them resolve, ` +
        'and calls to their services fail. Use --unsupported=fail to refuse such stacks',
    );
  }

  const recordsOf = (id: string): ReadonlyMap<string, ResourceRecord> =>
    new Map(store.resources(id).map((record) => [record.logicalId, record]));

  /** What a creation (without a stack) or an update would change. Undefined for nothing. */
  function changesOf(
    stack: Stack | undefined,
    { deployment, desired }: Prepared,
  ): readonly ResourceChange[] | undefined {
    const previous = stack?.document.deployment;
    const records = stack === undefined ? new Map<string, ResourceRecord>() : recordsOf(stack.id);
    const changedParameters = new Set(
      deployment.parameters.flatMap(({ key, value, resolvedValue }) => {
        const old = previous?.parameters.find((parameter) => parameter.key === key);
        return old?.value === value && old.resolvedValue === resolvedValue ? [] : [key];
      }),
    );
    const changes = planChanges({ desired, tags: deployment.tags, records, registry, changedParameters });
    if (changes.length > 0 || stack === undefined || previous === undefined) return changes;
    const { document } = stack;
    const part = ({ tags, notificationArns, roleArn }: Deployment) => JSON.stringify([tags, notificationArns, roleArn]);
    if (part(previous) !== part(deployment)) return changes;
    const outputs = desired.outputs(existingResources({ records, registry }));
    const isSame = JSON.stringify(outputs) === JSON.stringify(document.outputs);
    return isSame && !document.status.endsWith('_FAILED') ? undefined : changes;
  }

  const requireUpdatable = (stack: Stack): void => {
    const { status } = stack.document;
    if (isUpdatable(stack.document)) return;
    throw invalid(
      status === 'CREATE_FAILED'
        ? 'This stack cannot be updated from [CREATE_FAILED] state because it contains [on-failure: DO_NOTHING]. Please ' +
            'use disable-rollback option instead during stack creation.'
        : `Stack:${stack.id} is in ${status} state and can not be updated.`,
    );
  };

  const stacks = {
    find: store.find,
    recordsOf,
    changesOf,
    requireUpdatable,
    ended: operations.ended,

    /** The stack that exists with this name. @throws StackError in the words of most operations */
    require(scope: Scope, nameOrId: string, message = `Stack [${nameOrId}] does not exist`): Stack {
      const stack = store.find(scope, nameOrId);
      if (stack === undefined) throw invalid(message);
      return stack;
    },

    /** A new stack's row, in review or about to be created. */
    insert(
      scope: Scope,
      name: string,
      document: Pick<StackDocument, 'status'> & Partial<StackDocument>,
      id: string,
    ): Stack {
      const stack: Stack = {
        id,
        scope,
        name,
        createdMs: clock.epochMs(),
        deletedMs: undefined,
        document: { outputs: [], disableRollback: false, terminationProtection: false, imports: [], ...document },
      };
      store.insert(stack);
      return stack;
    },

    async create(scope: Scope, name: string, request: StackRequest, options: CreateOptions): Promise<Stack> {
      const known = () => {
        const existing = store.find(scope, name);
        if (existing === undefined) return undefined;
        if (options.token !== undefined && existing.document.lastToken === options.token) return existing;
        throw new StackError('AlreadyExistsException', `Stack [${name}] already exists`);
      };
      const before = known();
      if (before !== undefined) return before;
      const id = renderStackArn(scope, name, randomUUID());
      const prepared = await prepare({ id, name, scope }, request, undefined);
      const meanwhile = known();
      if (meanwhile !== undefined) return meanwhile;
      const { parent, policy, terminationProtection = false } = options;
      const stack = stacks.insert(
        scope,
        name,
        {
          status: 'CREATE_IN_PROGRESS',
          terminationProtection,
          policy,
          parentId: parent?.id,
          rootId: parent && (parent.document.rootId ?? parent.id),
        },
        id,
      );
      return stacks.startCreation(stack, prepared, options);
    },

    /** Creates the resources of a stack whose row exists. */
    startCreation(stack: Stack, prepared: Prepared, options: OperationOptions): Stack {
      noticeRecorded(stack, prepared);
      const operation = changeOperation('create', prepared.deployment, options);
      return begin(stack, 'CREATE_IN_PROGRESS', USER_INITIATED, {
        operation,
        deployment: prepared.deployment,
        disableRollback: options.onFailure === 'DO_NOTHING',
        onFailure: options.isNamed ? options.onFailure : undefined,
        lastToken: options.token,
        ...(options.changeSetId !== undefined && { changeSetId: options.changeSetId, updatedMs: clock.epochMs() }),
      });
    },

    async update(scope: Scope, nameOrId: string, request: StackRequest, options: OperationOptions): Promise<Stack> {
      const stack = stacks.require(scope, nameOrId);
      if (options.token !== undefined && stack.document.lastToken === options.token) return stack;
      requireUpdatable(stack);
      const prepared = await prepare(stack, request, stack.document.deployment);
      const current = store.get(stack.id) ?? stack;
      requireUpdatable(current);
      if (changesOf(current, prepared) === undefined) throw invalid(NO_UPDATES);
      return stacks.startUpdate(current, prepared, options);
    },

    startUpdate(stack: Stack, prepared: Prepared, options: OperationOptions): Stack {
      refuseOtherTypes(recordsOf(stack.id), prepared);
      noticeRecorded(stack, prepared);
      carryFailedUpdate(stack.id);
      const { policy: standing } = stack.document;
      const policy = options.policy ?? standing;
      const operation = { ...changeOperation('update', prepared.deployment, options), ...(policy && { policy }) };
      return begin(stack, 'UPDATE_IN_PROGRESS', USER_INITIATED, {
        operation,
        disableRollback: options.onFailure === 'DO_NOTHING',
        lastToken: options.token,
        updatedMs: clock.epochMs(),
        changeSetId: options.changeSetId ?? stack.document.changeSetId,
      });
    },

    /** Begins the deletion. Returns undefined if there is no such stack, or if it is being deleted already. */
    delete(
      scope: Scope,
      nameOrId: string,
      { retain = [], token }: { readonly retain?: readonly string[] | undefined; readonly token?: string | undefined },
    ): Stack | undefined {
      const stack = store.find(scope, nameOrId);
      if (stack === undefined || stack.deletedMs !== undefined) return undefined;
      const { status, terminationProtection } = stack.document;
      if (status === 'DELETE_IN_PROGRESS') return stack;
      if (terminationProtection) {
        throw invalid(`Stack [${stack.name}] cannot be deleted while TerminationProtection is enabled`);
      }
      if (retain.length > 0) requireRetainable(stack, retain);
      const operation: Operation = {
        kind: 'delete',
        retain,
        from: status,
        startedMs: clock.epochMs(),
        ...(token !== undefined && { token }),
      };
      if (!isInProgress(status)) return begin(stack, 'DELETE_IN_PROGRESS', USER_INITIATED, { operation });
      operations.turnInto(stack.id, operation);
      return stack;
    },

    /** Ends a running update and rolls it back. */
    cancelUpdate(scope: Scope, nameOrId: string): void {
      const stack = stacks.require(scope, nameOrId);
      const { status } = stack.document;
      if (status !== 'UPDATE_IN_PROGRESS') {
        throw invalid(`CancelUpdateStack cannot be called from current stack status`);
      }
      operations.cancel(stack.id, USER_INITIATED);
    },

    /** Rolls back what a creation or update without rollback has left. */
    rollBack(scope: Scope, nameOrId: string, options: Pick<OperationOptions, 'token' | 'retainExceptOnCreate'>): Stack {
      const stack = stacks.require(scope, nameOrId);
      const { status, deployment, isIncomplete } = stack.document;
      const kind = status === 'CREATE_FAILED' ? 'create' : 'update';
      if ((kind === 'update' && status !== 'UPDATE_FAILED') || deployment === undefined) {
        throw invalid(`Stack [${stack.name}] can not be rolled back from current state [${status}].`);
      }
      const { token } = options;
      const operation = { ...changeOperation(kind, deployment, options), phase: 'rollback' as const };
      const next = kind === 'create' || isIncomplete ? 'ROLLBACK_IN_PROGRESS' : 'UPDATE_ROLLBACK_IN_PROGRESS';
      return begin(stack, next, USER_INITIATED, { operation, lastToken: token });
    },

    /** Tries a failed rollback again, without the resources to skip. */
    continueRollback(scope: Scope, nameOrId: string, skip: readonly string[], token: string | undefined): Stack {
      const stack = stacks.require(scope, nameOrId);
      const { status, deployment } = stack.document;
      if (status !== 'UPDATE_ROLLBACK_FAILED' || deployment === undefined) {
        throw invalid(
          `Stack:${stack.id} is in ${status} state and can not continue update rollback. It must be in ` +
            'UPDATE_ROLLBACK_FAILED state.',
        );
      }
      const records = recordsOf(stack.id);
      const unfit = skip.filter((id) => records.get(id)?.status !== 'UPDATE_FAILED');
      if (unfit.length > 0) {
        throw invalid(
          `The following resources to skip are not in the UPDATE_FAILED state: [${unfit.join(', ')}]. Name only ` +
            'resources that could not be rolled back.',
        );
      }
      const operation = { ...changeOperation('update', deployment, { token }), phase: 'rollback' as const, skip };
      return begin(stack, 'UPDATE_ROLLBACK_IN_PROGRESS', USER_INITIATED, { operation, lastToken: token });
    },

    /** Changes what does not belong to a deployment, also while an operation runs. */
    configure(stack: Stack, change: Pick<Partial<StackDocument>, 'terminationProtection' | 'policy'>): void {
      if (operations.amend(stack.id, change)) return;
      const current = store.get(stack.id) ?? stack;
      store.update({ ...current, document: { ...current.document, ...change } });
    },
  };

  function changeOperation(
    kind: 'create' | 'update',
    target: Deployment,
    { token, onFailure = 'ROLLBACK', timeoutMinutes, changeSetId, retainExceptOnCreate }: OperationOptions,
  ): Extract<Operation, { kind: 'create' | 'update' }> {
    return {
      kind,
      target,
      onFailure,
      startedMs: clock.epochMs(),
      phase: 'forward',
      ...(token !== undefined && { token }),
      ...(timeoutMinutes !== undefined && { timeoutMinutes }),
      ...(changeSetId !== undefined && { changeSetId }),
      ...(retainExceptOnCreate && { retainExceptOnCreate }),
    };
  }

  /** An operation that failed without a rollback is what the next update starts from, but not what it rolls back to. */
  function carryFailedUpdate(id: string): void {
    for (const record of store.resources(id)) {
      const { change, before, ...rest } = record;
      if (change === undefined) continue;
      // A replacement that was never made: there still is what there was.
      const isUnchanged = change === 'replaced' && record.state === undefined && before !== undefined;
      const carried = isUnchanged
        ? { ...rest, state: before, physicalId: before.physicalId, isCarried: undefined }
        : { ...record, isCarried: true };
      store.putResource(id, carried);
    }
  }

  /** @throws StackError unless these resources of a stack that could not be deleted exist */
  function requireRetainable(stack: Stack, retain: readonly string[]): void {
    if (stack.document.status !== 'DELETE_FAILED') {
      throw invalid(
        `Invalid operation on stack [${stack.id}]. When you delete a stack, specify which resources to retain only ` +
          'when the stack is in the DELETE_FAILED state.',
      );
    }
    const records = recordsOf(stack.id);
    if (retain.every((id) => records.get(id)?.state !== undefined)) return;
    throw invalid(
      'The specified resources to retain must be in a valid state. Do not specify resources that are in the ' +
        'DELETE_COMPLETE state.',
    );
  }

  return stacks;
}

/** @throws StackError if a resource would become one of another type */
function refuseOtherTypes(records: ReadonlyMap<string, ResourceRecord>, { desired }: Prepared): void {
  const changed = [...desired.resources.values()].filter(({ logicalId, type }) => {
    const record = records.get(logicalId);
    return record?.state !== undefined && record.type !== type;
  });
  if (changed.length === 0) return;
  const names = changed.map(({ logicalId }) => logicalId).join(', ');
  throw invalid(
    'Update of resource type is not permitted. The new template modifies resource type of the following resources: ' +
      `[${names}]`,
  );
}
