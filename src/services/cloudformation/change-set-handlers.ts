/** Operations of change sets. The rules are in `stacks/change-sets.ts`. */
import type { ChangeSets } from '../../stacks/change-sets.ts';
import type { FailureAction } from '../../stacks/stack.ts';
import { invalid, StackError } from '../../stacks/stack-error.ts';
import { answering } from './cloudformation-errors.ts';
import { paged } from './pages.ts';
import { renderChangeSet, renderChangeSetSummary } from './render-stack.ts';
import { type HandlerDependencies, type Handlers, PATIENCE_MS, requestOf } from './stack-handlers.ts';

type ChangeSetHandlers = Pick<Handlers, `${'Create' | 'Delete' | 'Describe' | 'Execute'}ChangeSet` | 'ListChangeSets'>;

export function createChangeSetHandlers(
  dependencies: HandlerDependencies & { readonly changeSets: ChangeSets },
): ChangeSetHandlers {
  const { stacks, changeSets } = dependencies;
  return {
    CreateChangeSet: (input, context) =>
      answering(async () => {
        const { ChangeSetType: type = 'UPDATE' } = input;
        if (type === 'IMPORT') {
          throw new StackError(
            'NotImplementedException',
            'Lamella does not support change sets of type IMPORT: it cannot adopt resources that exist already.',
          );
        }
        const changeSet = await changeSets.create(context.scope, {
          name: input.ChangeSetName,
          stackName: input.StackName,
          type: type as 'CREATE' | 'UPDATE',
          request: await requestOf(dependencies, input, context, { isDirect: false }),
          description: input.Description,
          onFailure: input.OnStackFailure as FailureAction | undefined,
          token: input.ClientToken,
          includeNestedStacks: input.IncludeNestedStacks,
        });
        return { Id: changeSet.id, StackId: changeSet.stackId };
      }),

    DescribeChangeSet: ({ ChangeSetName, StackName, NextToken, IncludePropertyValues = false }, { scope }) =>
      answering(() => {
        const changeSet = changeSets.require(scope, ChangeSetName, StackName);
        const { page, nextToken } = paged(changeSet.changes, NextToken);
        const stack = stacks.require(scope, changeSet.stackId);
        return renderChangeSet(stack, changeSet, { changes: page, withValues: IncludePropertyValues, nextToken });
      }),

    ExecuteChangeSet: (
      { ChangeSetName, StackName, DisableRollback, ClientRequestToken, RetainExceptOnCreate },
      { scope },
    ) =>
      answering(async () => {
        const { id } = changeSets.execute(scope, ChangeSetName, {
          stackName: StackName,
          retainExceptOnCreate: RetainExceptOnCreate,
          onFailure: DisableRollback ? 'DO_NOTHING' : undefined,
          token: ClientRequestToken,
        });
        await stacks.ended(id, PATIENCE_MS);
        return {};
      }),

    DeleteChangeSet: ({ ChangeSetName, StackName }, { scope }) =>
      answering(() => {
        changeSets.delete(scope, ChangeSetName, StackName);
        return {};
      }),

    ListChangeSets: ({ StackName, NextToken }, { scope }) =>
      answering(() => {
        const stack = stacks.require(scope, StackName);
        if (stack.deletedMs !== undefined) throw invalid(`Stack [${StackName}] does not exist`);
        const { page, nextToken } = paged(changeSets.list(stack), NextToken);
        return { Summaries: page.map((set) => renderChangeSetSummary(stack, set)), NextToken: nextToken };
      }),
  };
}
