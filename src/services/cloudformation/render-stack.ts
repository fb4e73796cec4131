/** Stacks, resources, events and change sets as CloudFormation's responses show them. Absent members are left out. */
import type { ChangeDetail, ChangeSet, ResourceChange } from '../../stacks/change-set.ts';
import type { Deployment, ResourceRecord, Stack, StackEvent, StackParameter, Tags } from '../../stacks/stack.ts';
import type { XmlStructure } from '../../wire/xml.ts';

const NOT_CHECKED = { StackDriftStatus: 'NOT_CHECKED' };
const RESOURCE_NOT_CHECKED = { StackResourceDriftStatus: 'NOT_CHECKED' };

/** `2026-11-22T10:00:00.123Z` */
export function renderTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** A list that is absent when it is empty. */
function present<Item>(items: readonly Item[]): readonly Item[] | undefined {
  return items.length > 0 ? items : undefined;
}

export function renderStack(stack: Stack): XmlStructure {
  const { document, deletedMs } = stack;
  const isReview = document.status === 'REVIEW_IN_PROGRESS';
  const deployment = isReview ? undefined : document.deployment;
  const deletionMs = document.deletionMs ?? deletedMs;
  return {
    StackId: stack.id,
    StackName: stack.name,
    ChangeSetId: document.changeSetId,
    Description: deployment?.description,
    Parameters: present((deployment?.parameters ?? []).map(renderParameter)),
    CreationTime: renderTime(stack.createdMs),
    DeletionTime: deletionMs === undefined ? undefined : renderTime(deletionMs),
    LastUpdatedTime: document.updatedMs === undefined ? undefined : renderTime(document.updatedMs),
    RollbackConfiguration: {},
    StackStatus: document.status,
    StackStatusReason: document.statusReason,
    DisableRollback: document.disableRollback,
    NotificationARNs: deployment?.notificationArns ?? [],
    Capabilities: present(deployment?.capabilities ?? []),
    Outputs: present(
      document.outputs.map(({ key, value, description, exportName }) => ({
        OutputKey: key,
        OutputValue: value,
        Description: description,
        ExportName: exportName,
      })),
    ),
    RoleARN: deployment?.roleArn,
    Tags: renderTags(deployment?.tags ?? {}),
    EnableTerminationProtection: deletedMs === undefined ? document.terminationProtection : undefined,
    ParentId: document.parentId,
    RootId: document.rootId,
    DriftInformation: NOT_CHECKED,
  };
}

export function renderStackSummary(stack: Stack): XmlStructure {
  const { document } = stack;
  const deletionMs = document.deletionMs ?? stack.deletedMs;
  return {
    StackId: stack.id,
    StackName: stack.name,
    TemplateDescription: document.deployment?.description,
    CreationTime: renderTime(stack.createdMs),
    LastUpdatedTime: document.updatedMs === undefined ? undefined : renderTime(document.updatedMs),
    DeletionTime: deletionMs === undefined ? undefined : renderTime(deletionMs),
    StackStatus: document.status,
    StackStatusReason: document.statusReason,
    ParentId: document.parentId,
    RootId: document.rootId,
    DriftInformation: NOT_CHECKED,
  };
}

function renderParameter({ key, value, resolvedValue, noEcho }: StackParameter): XmlStructure {
  return { ParameterKey: key, ParameterValue: noEcho ? '****' : value, ResolvedValue: resolvedValue };
}

export function renderTags(tags: Tags): XmlStructure[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** An item of DescribeStackResources. */
export function renderResource(stack: Stack, record: ResourceRecord): XmlStructure {
  return {
    StackName: stack.name,
    StackId: stack.id,
    LogicalResourceId: record.logicalId,
    PhysicalResourceId: record.physicalId || undefined,
    ResourceType: record.type,
    Timestamp: renderTime(record.updatedMs),
    ResourceStatus: record.status,
    ResourceStatusReason: record.reason,
    DriftInformation: RESOURCE_NOT_CHECKED,
  };
}

/** The result of DescribeStackResource. */
export function renderResourceDetail(stack: Stack, record: ResourceRecord): XmlStructure {
  const { Timestamp: _, ...shared } = renderResource(stack, record);
  return {
    ...shared,
    LastUpdatedTimestamp: renderTime(record.updatedMs),
    Metadata: JSON.stringify(record.state?.metadata ?? {}),
  };
}

/** An item of ListStackResources. */
export function renderResourceSummary(record: ResourceRecord): XmlStructure {
  return {
    LogicalResourceId: record.logicalId,
    PhysicalResourceId: record.physicalId || undefined,
    ResourceType: record.type,
    LastUpdatedTimestamp: renderTime(record.updatedMs),
    ResourceStatus: record.status,
    ResourceStatusReason: record.reason,
    DriftInformation: RESOURCE_NOT_CHECKED,
  };
}

export function renderEvent(stack: Stack, event: StackEvent): XmlStructure {
  return {
    StackId: stack.id,
    EventId: event.eventId,
    StackName: stack.name,
    LogicalResourceId: event.logicalId,
    PhysicalResourceId: event.physicalId,
    ResourceType: event.type,
    Timestamp: renderTime(event.atMs),
    ResourceStatus: event.status,
    ResourceStatusReason: event.reason,
    ResourceProperties: event.properties,
    ClientRequestToken: event.token,
  };
}

export function renderChangeSetSummary(stack: Stack, changeSet: ChangeSet): XmlStructure {
  return {
    StackId: stack.id,
    StackName: stack.name,
    ChangeSetId: changeSet.id,
    ChangeSetName: changeSet.name,
    ExecutionStatus: changeSet.execution,
    Status: changeSet.status,
    StatusReason: changeSet.statusReason,
    CreationTime: renderTime(changeSet.createdMs),
    Description: changeSet.description,
    IncludeNestedStacks: changeSet.includeNestedStacks ?? false,
  };
}

export function renderChangeSet(
  stack: Stack,
  changeSet: ChangeSet,
  { changes, withValues, nextToken }: ChangePage,
): XmlStructure {
  const deployment: Partial<Deployment> = changeSet.deployment ?? {};
  const tags = renderTags(deployment.tags ?? {});
  return {
    ...renderChangeSetSummary(stack, changeSet),
    Parameters: present((deployment.parameters ?? []).map(renderParameter)),
    NotificationARNs: deployment.notificationArns ?? [],
    RollbackConfiguration: {},
    Capabilities: deployment.capabilities ?? [],
    Tags: present(tags),
    Changes: changes.map((change) => ({ Type: 'Resource', ResourceChange: renderChange(change, withValues) })),
    OnStackFailure: changeSet.onFailure,
    NextToken: nextToken,
  };
}

export type ChangePage = {
  readonly changes: readonly ResourceChange[];
  /** IncludePropertyValues. */
  readonly withValues: boolean;
  readonly nextToken?: string | undefined;
};

function renderChange(change: ResourceChange, withValues: boolean): XmlStructure {
  return {
    PolicyAction: change.policyAction,
    Action: change.action,
    LogicalResourceId: change.logicalId,
    PhysicalResourceId: change.physicalId,
    ResourceType: change.type,
    Replacement: change.replacement,
    Scope: change.scope,
    Details: change.details.map((detail) => renderDetail(detail, withValues)),
    BeforeContext: withValues ? change.before : undefined,
    AfterContext: withValues ? change.after : undefined,
  };
}

function renderDetail(detail: ChangeDetail, withValues: boolean): XmlStructure {
  return {
    Target: {
      Attribute: detail.attribute,
      Name: detail.name,
      RequiresRecreation: detail.requiresRecreation,
      ...(withValues && {
        Path: detail.path,
        BeforeValue: detail.before,
        AfterValue: detail.after,
        AttributeChangeType: detail.attributeChange,
      }),
    },
    Evaluation: detail.evaluation,
    ChangeSource: detail.source,
    CausingEntity: detail.causingEntity,
  };
}
