/** Stacks as their parents use them (`providers/nested-stack.ts`). */
import type { Operations } from './engine/operations.ts';
import type { NestedInput, NestedStacks } from './providers/nested-stack.ts';
import { ResourceFailure } from './providers/provider.ts';
import { isInProgress, type Stack } from './stack.ts';
import { StackError } from './stack-error.ts';
import type { StackRequest } from './stack-request.ts';
import type { StackStore } from './stack-store.ts';
import { NO_UPDATES, type Stacks } from './stacks.ts';

export type NestedStacksDependencies = {
  readonly store: StackStore;
  readonly stacks: Stacks;
  readonly operations: Operations;
  readonly readTemplate: (url: string) => Promise<string>;
};

export function createNestedStacks({
  store,
  stacks,
  operations,
  readTemplate,
}: NestedStacksDependencies): NestedStacks {
  const requestOf = async (
    { templateUrl, parameters, tags, notificationArns }: NestedInput,
    parent: Stack | undefined,
  ): Promise<StackRequest> => {
    const operation = parent?.document.operation;
    const target = operation !== undefined && operation.kind !== 'delete' ? operation.target : undefined;
    return {
      template: await readTemplate(templateUrl),
      isDirect: true,
      parameters: Object.entries(parameters).map(([key, value]) => ({ key, value })),
      tags: { ...target?.tags, ...tags },
      notificationArns,
      // Nested stacks have the capabilities that the client granted to the outermost one.
      capabilities: target?.capabilities ?? [],
      roleArn: target?.roleArn,
    };
  };
  return {
    create: (parentId, name, input) =>
      failing(async () => {
        const parent = store.get(parentId);
        if (parent === undefined) throw new Error('a nested stack without its parent');
        const options = { parent, timeoutMinutes: input.timeoutMinutes };
        return (await stacks.create(parent.scope, name, await requestOf(input, parent), options)).id;
      }),
    update: (id, input) =>
      failing(async () => {
        const stack = store.get(id);
        if (stack === undefined) throw new ResourceFailure(`Stack [${id}] does not exist`);
        // After a crash it may still be at it.
        if (isInProgress(stack.document.status)) return true;
        const parent = stack.document.parentId === undefined ? undefined : store.get(stack.document.parentId);
        try {
          await stacks.update(stack.scope, id, await requestOf(input, parent), {});
          return true;
        } catch (failure) {
          if (failure instanceof StackError && failure.message === NO_UPDATES) return false;
          throw failure;
        }
      }),
    delete(id) {
      const stack = store.get(id);
      if (stack !== undefined) stacks.delete(stack.scope, id, {});
    },
    cancel: (id) => void operations.cancel(id, 'Resource creation cancelled'),
    async ended(id) {
      await operations.ended(id);
      const stack = store.get(id);
      if (stack === undefined) return undefined;
      const { status, statusReason, outputs } = stack.document;
      return {
        id,
        status,
        // The end of a rollback has no reason; its beginning does.
        statusReason: statusReason ?? lastReason(store, stack),
        outputs: Object.fromEntries(outputs.map(({ key, value }) => [key, value])),
      };
    },
  };
}

/** Why the stack's last operation was rolled back. */
function lastReason(store: StackStore, { id }: Stack): string | undefined {
  const events = store.events(id, Number.MAX_SAFE_INTEGER, 1000);
  const isRollback = (status: string) => status === 'ROLLBACK_IN_PROGRESS' || status === 'UPDATE_ROLLBACK_IN_PROGRESS';
  return events.find(({ event }) => event.physicalId === id && isRollback(event.status))?.event.reason;
}

/** What the API would refuse is the reason why the resource fails. */
async function failing<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (failure) {
    const isExpected = failure instanceof StackError || (failure as Error).name === 'TemplateError';
    throw isExpected ? new ResourceFailure((failure as Error).message) : failure;
  }
}
