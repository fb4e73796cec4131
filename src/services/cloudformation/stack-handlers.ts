/**
 * Operations of stacks, their resources, events, exports and policies. The rules are in `stacks/`; here they get
 * CloudFormation's wire form, paging and patience: a response waits some seconds for the end of the operation, because
 * the waiters of AWS's clients ask only every 30 seconds.
 */

import { type CLOUDFORMATION_OPERATIONS, CLOUDFORMATION_QUOTAS } from '../../protocol/cloudformation-operations.ts';
import type { InputOf } from '../../protocol/member-constraints.ts';
import type { Scope } from '../../protocol/names.ts';
import type { SignalResource } from '../../stacks/signals.ts';
import { type FailureAction, isInProgress, type Stack, type Tags } from '../../stacks/stack.ts';
import { invalid, StackError } from '../../stacks/stack-error.ts';
import { parseStackPolicy } from '../../stacks/stack-policy.ts';
import type { StackRequest } from '../../stacks/stack-request.ts';
import type { StackStore } from '../../stacks/stack-store.ts';
import type { Stacks } from '../../stacks/stacks.ts';
import type { OperationHandlers } from '../../wire/structure.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import { answering } from './cloudformation-errors.ts';
import { paged, positionOf } from './pages.ts';
import {
  renderEvent,
  renderResource,
  renderResourceDetail,
  renderResourceSummary,
  renderStack,
  renderStackSummary,
} from './render-stack.ts';
import { type ReadObject, readTemplateSource, readUrl } from './template-source.ts';

export type HandlerDependencies = {
  readonly stacks: Stacks;
  readonly store: StackStore;
  readonly readObject: ReadObject;
  readonly roleExists: (scope: Scope, arn: string) => boolean;
  readonly signalResource: SignalResource;
};

export type Handlers = OperationHandlers<typeof CLOUDFORMATION_OPERATIONS, XmlStructure | undefined>;
export type Input<Name extends keyof typeof CLOUDFORMATION_OPERATIONS> = InputOf<
  (typeof CLOUDFORMATION_OPERATIONS)[Name]
>;

/** How long a response waits for the end of an operation, in milliseconds. */
export const PATIENCE_MS = 10_000;
const DESCRIBE_PATIENCE_MS = 5_000;

type StackHandlers = Omit<
  Handlers,
  | `${'Create' | 'Delete' | 'Describe' | 'Execute'}ChangeSet`
  | 'ListChangeSets'
  | 'GetTemplate'
  | 'GetTemplateSummary'
  | 'ValidateTemplate'
>;

export function createStackHandlers(dependencies: HandlerDependencies): StackHandlers {
  const { stacks, store, readObject } = dependencies;
  const withId = (scope: Scope, nameOrId: string) =>
    stacks.require(scope, nameOrId, `Stack with id ${nameOrId} does not exist`);

  return {
    CreateStack: (input, context) =>
      answering(async () => {
        if (input.OnFailure !== undefined && input.DisableRollback !== undefined) {
          throw invalid(
            'You may specify either the OnFailure parameter or the DisableRollback parameter, but not both.',
          );
        }
        const request = await requestOf(dependencies, input, context, { isDirect: true });
        const onFailure: FailureAction | undefined = input.DisableRollback
          ? 'DO_NOTHING'
          : (input.OnFailure as FailureAction | undefined);
        const stack = await stacks.create(context.scope, input.StackName, request, {
          token: input.ClientRequestToken,
          onFailure,
          isNamed: input.OnFailure !== undefined,
          retainExceptOnCreate: input.RetainExceptOnCreate,
          timeoutMinutes: input.TimeoutInMinutes,
          terminationProtection: input.EnableTerminationProtection,
          policy: await policyOf(readObject, input, context.baseUrl),
        });
        await stacks.ended(stack.id, PATIENCE_MS);
        return { StackId: stack.id };
      }),

    UpdateStack: (input, context) =>
      answering(async () => {
        const request = await requestOf(dependencies, input, context, { isDirect: true });
        const policy = await policyOf(readObject, input, context.baseUrl);
        const during = {
          StackPolicyBody: input.StackPolicyDuringUpdateBody,
          StackPolicyURL: input.StackPolicyDuringUpdateURL,
        };
        const stack = await stacks.update(context.scope, input.StackName, request, {
          token: input.ClientRequestToken,
          onFailure: input.DisableRollback ? 'DO_NOTHING' : 'ROLLBACK',
          retainExceptOnCreate: input.RetainExceptOnCreate,
          policy: await policyOf(readObject, during, context.baseUrl),
        });
        // The new policy counts for the next update.
        if (policy !== undefined) stacks.configure(stack, { policy });
        await stacks.ended(stack.id, PATIENCE_MS);
        return { StackId: stack.id };
      }),

    DeleteStack: (input, { scope }) =>
      answering(async () => {
        const { StackName, RetainResources, ClientRequestToken: token, DeletionMode, RoleARN } = input;
        requireRole(dependencies, scope, RoleARN);
        const known = store.find(scope, StackName);
        const failed = known && store.resources(known.id).filter(({ status }) => status === 'DELETE_FAILED');
        const retain =
          DeletionMode === 'FORCE_DELETE_STACK' && known?.document.status === 'DELETE_FAILED'
            ? failed?.map(({ logicalId }) => logicalId)
            : RetainResources;
        const stack = stacks.delete(scope, StackName, { retain, token });
        if (stack !== undefined) await stacks.ended(stack.id, PATIENCE_MS);
        return undefined;
      }),

    CancelUpdateStack: ({ StackName }, { scope }) =>
      answering(() => {
        stacks.cancelUpdate(scope, StackName);
        return undefined;
      }),

    RollbackStack: ({ StackName, ClientRequestToken, RetainExceptOnCreate, RoleARN }, { scope }) =>
      answering(async () => {
        requireRole(dependencies, scope, RoleARN);
        const options = { token: ClientRequestToken, retainExceptOnCreate: RetainExceptOnCreate };
        const { id } = stacks.rollBack(scope, StackName, options);
        await stacks.ended(id, PATIENCE_MS);
        return { StackId: id };
      }),

    ContinueUpdateRollback: ({ StackName, ResourcesToSkip = [], ClientRequestToken, RoleARN }, { scope }) =>
      answering(async () => {
        requireRole(dependencies, scope, RoleARN);
        const { id } = stacks.continueRollback(scope, StackName, ResourcesToSkip, ClientRequestToken);
        await stacks.ended(id, PATIENCE_MS);
        return {};
      }),

    DescribeStacks: ({ StackName, NextToken }, { scope }) =>
      answering(async () => {
        if (StackName !== undefined) {
          const { id, document } = withId(scope, StackName);
          if (isInProgress(document.status)) await stacks.ended(id, DESCRIBE_PATIENCE_MS);
          return { Stacks: [renderStack(withId(scope, id))] };
        }
        const all = store.list(scope).filter(({ deletedMs }) => deletedMs === undefined);
        const { page, nextToken } = paged(all, NextToken);
        return { Stacks: page.map(renderStack), NextToken: nextToken };
      }),

    ListStacks: ({ StackStatusFilter = [], NextToken }, { scope }) =>
      answering(() => {
        const isWanted = ({ document }: Stack) =>
          StackStatusFilter.length === 0 || StackStatusFilter.includes(document.status);
        const { page, nextToken } = paged(store.list(scope).filter(isWanted), NextToken);
        return { StackSummaries: page.map(renderStackSummary), NextToken: nextToken };
      }),

    DescribeStackEvents: ({ StackName = '', NextToken }, { scope }) =>
      answering(() => {
        const stack = stacks.require(scope, StackName);
        const size = CLOUDFORMATION_QUOTAS.pageEvents;
        const before = NextToken === undefined ? Number.MAX_SAFE_INTEGER : positionOf(NextToken);
        const found = store.events(stack.id, before, size + 1);
        const page = found.slice(0, size);
        return {
          StackEvents: page.map(({ event }) => renderEvent(stack, event)),
          NextToken: found.length > size ? String(page.at(-1)?.at) : undefined,
        };
      }),

    DescribeStackResource: ({ StackName, LogicalResourceId }, { scope }) =>
      answering(() => {
        const stack = stacks.require(scope, StackName, `Stack '${StackName}' does not exist`);
        const record = stacks.recordsOf(stack.id).get(LogicalResourceId);
        if (record === undefined) {
          throw invalid(`Resource ${LogicalResourceId} does not exist for stack ${stack.name}`);
        }
        return { StackResourceDetail: renderResourceDetail(stack, record) };
      }),

    DescribeStackResources: ({ StackName, LogicalResourceId, PhysicalResourceId }, { scope }) =>
      answering(() => {
        const stack =
          StackName !== undefined ? withId(scope, StackName) : stackWith(dependencies, scope, PhysicalResourceId);
        const records = [...stacks.recordsOf(stack.id).values()].filter(
          ({ logicalId }) => LogicalResourceId === undefined || logicalId === LogicalResourceId,
        );
        if (LogicalResourceId !== undefined && records.length === 0) {
          throw invalid(`Resource ${LogicalResourceId} does not exist for stack ${stack.name}`);
        }
        return { StackResources: records.slice(0, 100).map((record) => renderResource(stack, record)) };
      }),

    ListStackResources: ({ StackName, NextToken }, { scope }) =>
      answering(() => {
        const stack = withId(scope, StackName);
        const { page, nextToken } = paged([...stacks.recordsOf(stack.id).values()], NextToken);
        return { StackResourceSummaries: page.map(renderResourceSummary), NextToken: nextToken };
      }),

    ListExports: ({ NextToken }, { scope }) =>
      answering(() => {
        const { page, nextToken } = paged(store.exports(scope), NextToken);
        return {
          Exports: page.map(({ name, value, stack }) => ({ ExportingStackId: stack, Name: name, Value: value })),
          NextToken: nextToken,
        };
      }),

    ListImports: ({ ExportName, NextToken }, { scope }) =>
      answering(() => {
        const importers = store.importers(scope, ExportName);
        if (importers.length === 0) throw invalid(`Export '${ExportName}' is not imported by any stack.`);
        const { page, nextToken } = paged(importers, NextToken);
        return { Imports: page.map(({ name }) => name), NextToken: nextToken };
      }),

    UpdateTerminationProtection: ({ StackName, EnableTerminationProtection }, { scope }) =>
      answering(() => {
        const stack = withId(scope, StackName);
        if (stack.document.parentId !== undefined) {
          throw invalid(`Termination protection cannot be updated on nested stack: ${stack.id}`);
        }
        stacks.configure(stack, { terminationProtection: EnableTerminationProtection });
        return { StackId: stack.id };
      }),

    SetStackPolicy: (input, { scope, baseUrl }) =>
      answering(async () => {
        const stack = stacks.require(scope, input.StackName);
        const policy = await policyOf(readObject, input, baseUrl);
        if (policy === undefined) throw invalid('Either StackPolicyBody or StackPolicyURL must be specified.');
        stacks.configure(stack, { policy });
        return undefined;
      }),

    GetStackPolicy: ({ StackName }, { scope }) =>
      answering(() => ({ StackPolicyBody: stacks.require(scope, StackName).document.policy })),

    SignalResource: ({ StackName, LogicalResourceId, UniqueId, Status }, { scope }) =>
      answering(() => {
        const stack = stacks.require(scope, StackName);
        const record = stacks.recordsOf(stack.id).get(LogicalResourceId);
        if (record === undefined) {
          throw invalid(`Resource ${LogicalResourceId} does not exist for stack ${stack.name}`);
        }
        dependencies.signalResource(stack.id, LogicalResourceId, {
          uniqueId: UniqueId,
          succeeded: Status === 'SUCCESS',
        });
        return undefined;
      }),
  };
}

/** What CreateStack, UpdateStack and CreateChangeSet ask for. @throws StackError */
export async function requestOf(
  { readObject, roleExists }: Pick<HandlerDependencies, 'readObject' | 'roleExists'>,
  input: Pick<
    Input<'UpdateStack'>,
    | 'TemplateBody'
    | 'TemplateURL'
    | 'UsePreviousTemplate'
    | 'Parameters'
    | 'Tags'
    | 'NotificationARNs'
    | 'Capabilities'
    | 'RoleARN'
    | 'ResourceTypes'
    | 'RollbackConfiguration'
  >,
  { scope, baseUrl }: { readonly scope: Scope; readonly baseUrl: string },
  { isDirect }: { readonly isDirect: boolean },
): Promise<StackRequest> {
  const template = await readTemplateSource(readObject, input, baseUrl);
  if (template === undefined && !input.UsePreviousTemplate) {
    throw invalid('Either Template URL or Template Body must be specified.');
  }
  requireRole({ roleExists }, scope, input.RoleARN);
  if ((input.RollbackConfiguration?.RollbackTriggers ?? []).length > 0) {
    throw new StackError(
      'NotImplementedException',
      'Lamella does not support RollbackTriggers: it has no alarms. Leave them out of RollbackConfiguration.',
    );
  }
  return {
    template,
    isDirect,
    parameters: (input.Parameters ?? []).map(({ ParameterKey = '', ParameterValue, UsePreviousValue }) => ({
      key: ParameterKey,
      value: ParameterValue,
      usePrevious: UsePreviousValue,
    })),
    tags: input.Tags && tagsOf(input.Tags),
    notificationArns: input.NotificationARNs,
    capabilities: input.Capabilities,
    roleArn: input.RoleARN,
    resourceTypes: input.ResourceTypes,
  };
}

function tagsOf(tags: readonly { readonly Key: string; readonly Value: string }[]): Tags {
  const reserved = tags.find(({ Key }) => Key.startsWith('aws:'));
  if (reserved !== undefined) throw invalid(`Tag keys with the prefix aws: are reserved: ${reserved.Key}`);
  return Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
}

/** @throws StackError */
function requireRole(
  { roleExists }: Pick<HandlerDependencies, 'roleExists'>,
  scope: Scope,
  arn: string | undefined,
): void {
  if (arn !== undefined && !roleExists(scope, arn)) throw invalid(`Role ${arn} is invalid or cannot be assumed`);
}

/** The text of a stack policy. @throws StackError for an invalid one */
async function policyOf(
  readObject: ReadObject,
  { StackPolicyBody, StackPolicyURL }: Pick<Input<'SetStackPolicy'>, 'StackPolicyBody' | 'StackPolicyURL'>,
  baseUrl: string,
): Promise<string | undefined> {
  if (StackPolicyBody !== undefined && StackPolicyURL !== undefined) {
    throw invalid('You cannot specify both StackPolicyURL and StackPolicyBody');
  }
  const text =
    StackPolicyBody ?? (StackPolicyURL === undefined ? undefined : await readUrl(readObject, StackPolicyURL, baseUrl));
  if (text === undefined) return undefined;
  parseStackPolicy(text);
  return text;
}

/** The stack that has a resource with this physical id. @throws StackError */
function stackWith({ store }: HandlerDependencies, scope: Scope, physicalId: string | undefined): Stack {
  if (physicalId === undefined) throw invalid('Either StackName or PhysicalResourceId must be specified.');
  const found = store
    .list(scope)
    .find(({ id, deletedMs }) => deletedMs === undefined && hasResource(store, id, physicalId));
  if (found === undefined) throw invalid(`Stack for ${physicalId} does not exist`);
  return found;
}

function hasResource(store: StackStore, stack: string, physicalId: string): boolean {
  return store.resources(stack).some((record) => record.physicalId === physicalId);
}
