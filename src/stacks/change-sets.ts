/** Change sets: prepared changes of a stack that a client looks at before it executes them. */
import { randomUUID } from 'node:crypto';
import { renderChangeSetArn, renderStackArn } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import type { ChangeSet } from './change-set.ts';
import { reportStack } from './engine/run.ts';
import type { FailureAction, Stack } from './stack.ts';
import { invalid, StackError } from './stack-error.ts';
import type { OperationOptions, Prepare, Prepared, StackRequest } from './stack-request.ts';
import { type Stacks, type StacksDependencies, USER_INITIATED } from './stacks.ts';

export const NO_CHANGES =
  "The submitted information didn't contain changes. Submit different information to create a change set.";

/** A transform failed, which makes a change set fail instead of the request. */
export class TransformFailure extends Error {}

export type ChangeSetInput = {
  readonly name: string;
  readonly stackName: string;
  readonly type: 'CREATE' | 'UPDATE';
  readonly request: StackRequest;
  readonly description?: string | undefined;
  readonly onFailure?: FailureAction | undefined;
  readonly token?: string | undefined;
  readonly includeNestedStacks?: boolean | undefined;
};

export type ChangeSets = ReturnType<typeof createChangeSets>;

export function createChangeSets(dependencies: StacksDependencies, stacks: Stacks) {
  const { store, clock, prepare, readDesired } = dependencies;

  /** By its ARN, or by its name and the stack. @throws StackError */
  function find(scope: Scope, nameOrArn: string, stackName: string | undefined): ChangeSet | undefined {
    const byId = store.changeSet(nameOrArn);
    if (byId !== undefined) return byId;
    // A name has no colon.
    if (stackName === undefined && nameOrArn.includes(':')) return undefined;
    if (stackName === undefined) {
      throw invalid('StackName must be specified if ChangeSetName is not specified as an ARN.');
    }
    const stack = stacks.require(scope, stackName);
    return store.changeSets(stack.id).findLast(({ name, id }) => name === nameOrArn || id === nameOrArn);
  }

  function requireSet(scope: Scope, nameOrArn: string, stackName: string | undefined): ChangeSet {
    const found = find(scope, nameOrArn, stackName);
    if (found !== undefined) return found;
    throw new StackError('ChangeSetNotFound', `ChangeSet [${nameOrArn}] does not exist`);
  }

  /** The stack of a new change set; undefined for one that has to be made. */
  function stackOf(scope: Scope, { name, stackName, type }: ChangeSetInput): Stack | undefined {
    const stack = store.find(scope, stackName);
    if (type === 'CREATE') {
      if (stack !== undefined && stack.document.status !== 'REVIEW_IN_PROGRESS') {
        throw invalid(`Stack [${stackName}] already exists and cannot be created again with the changeSet [${name}].`);
      }
      return stack;
    }
    if (stack === undefined) throw invalid(`Stack [${stackName}] does not exist`);
    stacks.requireUpdatable(stack);
    return stack;
  }

  return {
    require: requireSet,

    async create(scope: Scope, input: ChangeSetInput): Promise<ChangeSet> {
      const { name, stackName, type } = input;
      const stack = stackOf(scope, input);
      const same = stack && store.changeSets(stack.id).find((set) => set.name === name && !isOver(set));
      if (same !== undefined) {
        if (input.token !== undefined && same.token === input.token) return same;
        throw new StackError('AlreadyExistsException', `ChangeSet ${name} already exists`);
      }
      const identity = stack ?? { id: renderStackArn(scope, stackName, randomUUID()), name: stackName, scope };
      const outcome = await prepareChanges(prepare, stacks, identity, stack, input);
      const owner = stack ?? review(identity.id, scope, stackName);
      const changeSet: ChangeSet = {
        id: renderChangeSetArn(scope, name, randomUUID()),
        stackId: owner.id,
        name,
        createdMs: clock.epochMs(),
        type,
        status: outcome.failure === undefined ? 'CREATE_COMPLETE' : 'FAILED',
        statusReason: outcome.failure,
        execution: outcome.failure === undefined ? 'AVAILABLE' : 'UNAVAILABLE',
        description: input.description,
        deployment: outcome.prepared?.deployment,
        changes: outcome.changes,
        onFailure: input.onFailure,
        token: input.token,
        includeNestedStacks: input.includeNestedStacks,
      };
      store.putChangeSet(changeSet);
      return changeSet;
    },

    execute(
      scope: Scope,
      nameOrArn: string,
      {
        stackName,
        onFailure,
        token,
        retainExceptOnCreate,
      }: Pick<OperationOptions, 'onFailure' | 'token' | 'retainExceptOnCreate'> & {
        readonly stackName: string | undefined;
      },
    ): Stack {
      const changeSet = requireSet(scope, nameOrArn, stackName);
      const stack = stacks.require(scope, changeSet.stackId);
      const { deployment, execution } = changeSet;
      if (deployment === undefined || execution !== 'AVAILABLE') {
        const shown = execution === 'UNAVAILABLE' ? changeSet.status : execution;
        throw new StackError(
          'InvalidChangeSetStatus',
          `ChangeSet [${changeSet.id}] cannot be executed in its current status of [${shown}]`,
        );
      }
      const isCreation = stack.document.status === 'REVIEW_IN_PROGRESS';
      if (!isCreation) stacks.requireUpdatable(stack);
      const options = {
        token,
        onFailure: onFailure ?? changeSet.onFailure,
        isNamed: onFailure === undefined,
        changeSetId: changeSet.id,
        retainExceptOnCreate,
      };
      const prepared: Prepared = { deployment, desired: readDesired(stack, deployment) };
      return store.transaction(() => {
        // The others describe changes of a stack that is no longer as it was.
        for (const other of store.changeSets(stack.id)) {
          if (other.id !== changeSet.id) store.removeChangeSet(other.id);
        }
        store.putChangeSet({ ...changeSet, execution: 'EXECUTE_COMPLETE' });
        return isCreation
          ? stacks.startCreation(stack, prepared, options)
          : stacks.startUpdate(stack, prepared, options);
      });
    },

    delete(scope: Scope, nameOrArn: string, stackName: string | undefined): void {
      const found = find(scope, nameOrArn, stackName);
      if (found !== undefined) store.removeChangeSet(found.id);
    },

    /** Those of a stack, oldest first; executed ones are not listed. */
    list: (stack: Stack): ChangeSet[] => store.changeSets(stack.id).filter((set) => !isOver(set)),
  };

  /** A stack that so far has nothing but a change set. */
  function review(id: string, scope: Scope, name: string): Stack {
    return store.transaction(() => {
      const reason = USER_INITIATED;
      const stack = stacks.insert(scope, name, { status: 'REVIEW_IN_PROGRESS', statusReason: reason }, id);
      reportStack(dependencies, stack, reason);
      return stack;
    });
  }
}

function isOver({ execution }: ChangeSet): boolean {
  return execution.startsWith('EXECUTE_');
}

type Outcome = Pick<ChangeSet, 'changes'> & {
  readonly prepared?: Prepared | undefined;
  readonly failure?: string | undefined;
};

async function prepareChanges(
  prepare: Prepare,
  stacks: Stacks,
  identity: Pick<Stack, 'id' | 'name' | 'scope'>,
  stack: Stack | undefined,
  { request, type }: ChangeSetInput,
): Promise<Outcome> {
  let prepared: Prepared;
  try {
    prepared = await prepare(identity, request, type === 'CREATE' ? undefined : stack?.document.deployment);
  } catch (failure) {
    if (!(failure instanceof TransformFailure)) throw failure;
    return { changes: [], failure: failure.message };
  }
  const subject = type === 'CREATE' ? undefined : stack;
  const changes = stacks.changesOf(subject, prepared);
  return changes === undefined ? { prepared, changes: [], failure: NO_CHANGES } : { prepared, changes };
}
