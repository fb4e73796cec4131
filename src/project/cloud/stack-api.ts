/** CloudFormation's operations as a deployment uses them, with their results as values. */
import { CLOUDFORMATION_VERSION } from '../../protocol/cloudformation-operations.ts';
import type { XmlElement } from '../../wire/xml.ts';
import {
  type CloudClient,
  CloudFailure,
  callQuery,
  descend,
  membersAt,
  type QueryInput,
  textAt,
} from './cloud-client.ts';

export type StackDescription = {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly statusReason: string | undefined;
  readonly outputs: readonly {
    readonly key: string;
    readonly value: string;
    readonly description: string | undefined;
  }[];
  readonly parameters: readonly { readonly key: string; readonly value: string }[];
  readonly tags: ReadonlyMap<string, string>;
  readonly isProtected: boolean;
};

export type StackEvent = {
  readonly id: string;
  readonly logicalId: string;
  readonly physicalId: string;
  readonly type: string;
  readonly status: string;
  readonly reason: string | undefined;
  readonly timestamp: string;
};

export type PlannedChange = {
  readonly action: 'Add' | 'Modify' | 'Remove' | 'Import' | 'Dynamic';
  readonly logicalId: string;
  readonly physicalId: string | undefined;
  readonly type: string;
  readonly replacement: 'True' | 'False' | 'Conditional' | undefined;
  readonly policyAction: string | undefined;
  /** Names of the properties and attributes that change. */
  readonly details: readonly string[];
  readonly nestedChangeSet: string | undefined;
};

export type ChangeSetDescription = {
  readonly id: string;
  readonly status: string;
  readonly executionStatus: string;
  readonly statusReason: string | undefined;
  readonly changes: readonly PlannedChange[];
};

export type StackResource = {
  readonly logicalId: string;
  readonly physicalId: string | undefined;
  readonly type: string;
  readonly status: string;
};

export type StackApi = {
  /** Undefined if there is no stack of this name, or no longer one with this ID. */
  describe(stack: string): Promise<StackDescription | undefined>;
  /** Newest first, until `isLast` is true for an event. */
  events(stack: string, isLast: (event: StackEvent) => boolean): Promise<StackEvent[]>;
  createChangeSet(input: QueryInput): Promise<{ readonly id: string; readonly stackId: string }>;
  /** With all pages of its changes. @throws CloudFailure `ChangeSetNotFound` */
  describeChangeSet(id: string): Promise<ChangeSetDescription>;
  executeChangeSet(id: string, input: QueryInput): Promise<void>;
  deleteChangeSet(id: string): Promise<void>;
  listChangeSets(
    stack: string,
  ): Promise<
    { readonly id: string; readonly name: string; readonly createdMs: number; readonly executionStatus: string }[]
  >;
  deleteStack(stack: string, input?: QueryInput): Promise<void>;
  /** The template as it was sent. */
  template(stack: string): Promise<string>;
  resources(stack: string): Promise<StackResource[]>;
  /** Names of the parameters that the template declares. */
  declaredParameters(input: QueryInput): Promise<string[]>;
};

export function openStackApi(client: CloudClient, signal?: AbortSignal): StackApi {
  const service = { service: 'cloudformation', version: CLOUDFORMATION_VERSION };
  const call = (operation: string, input: QueryInput) => callQuery(client, service, operation, input, signal);
  const pages = async (operation: string, input: QueryInput, read: (page: XmlElement) => boolean | undefined) => {
    for (let NextToken: string | undefined, isFirst = true; isFirst || NextToken !== undefined; isFirst = false) {
      const page = await call(operation, { ...input, NextToken });
      if (read(page) === false) return;
      NextToken = textAt(page, 'NextToken') || undefined;
    }
  };
  return {
    async describe(stack) {
      try {
        const [found] = membersAt(await call('DescribeStacks', { StackName: stack }), 'Stacks');
        return found && stackOf(found);
      } catch (failure) {
        if (isMissingStack(failure)) return undefined;
        throw failure;
      }
    },
    async events(stack, isLast) {
      const events: StackEvent[] = [];
      await pages('DescribeStackEvents', { StackName: stack }, (page) => {
        for (const element of membersAt(page, 'StackEvents')) {
          const event = eventOf(element);
          if (isLast(event)) return false;
          events.push(event);
        }
        return true;
      });
      return events;
    },
    async createChangeSet(input) {
      const result = await call('CreateChangeSet', input);
      return { id: textAt(result, 'Id') ?? '', stackId: textAt(result, 'StackId') ?? '' };
    },
    async describeChangeSet(id) {
      const changes: PlannedChange[] = [];
      let first: XmlElement | undefined;
      await pages('DescribeChangeSet', { ChangeSetName: id }, (page) => {
        first ??= page;
        for (const change of membersAt(page, 'Changes')) {
          const resource = descend(change, 'ResourceChange');
          if (resource !== undefined) changes.push(changeOf(resource));
        }
        return true;
      });
      const of = (name: string) => (first === undefined ? undefined : textAt(first, name));
      return {
        id,
        status: of('Status') ?? '',
        executionStatus: of('ExecutionStatus') ?? '',
        statusReason: of('StatusReason'),
        changes,
      };
    },
    async executeChangeSet(id, input) {
      await call('ExecuteChangeSet', { ChangeSetName: id, ...input });
    },
    async deleteChangeSet(id) {
      await call('DeleteChangeSet', { ChangeSetName: id });
    },
    async listChangeSets(stack) {
      const found: Awaited<ReturnType<StackApi['listChangeSets']>> = [];
      await pages('ListChangeSets', { StackName: stack }, (page) => {
        for (const element of membersAt(page, 'Summaries')) {
          found.push({
            id: textAt(element, 'ChangeSetId') ?? '',
            name: textAt(element, 'ChangeSetName') ?? '',
            createdMs: Date.parse(textAt(element, 'CreationTime') ?? ''),
            executionStatus: textAt(element, 'ExecutionStatus') ?? '',
          });
        }
        return true;
      });
      return found;
    },
    async deleteStack(stack, input = {}) {
      await call('DeleteStack', { StackName: stack, ...input });
    },
    async template(stack) {
      return textAt(await call('GetTemplate', { StackName: stack, TemplateStage: 'Original' }), 'TemplateBody') ?? '';
    },
    async resources(stack) {
      const found: StackResource[] = [];
      await pages('ListStackResources', { StackName: stack }, (page) => {
        for (const element of membersAt(page, 'StackResourceSummaries')) {
          found.push({
            logicalId: textAt(element, 'LogicalResourceId') ?? '',
            physicalId: textAt(element, 'PhysicalResourceId'),
            type: textAt(element, 'ResourceType') ?? '',
            status: textAt(element, 'ResourceStatus') ?? '',
          });
        }
        return true;
      });
      return found;
    },
    async declaredParameters(input) {
      const result = await call('GetTemplateSummary', input);
      return membersAt(result, 'Parameters').map((element) => textAt(element, 'ParameterKey') ?? '');
    },
  };
}

/** Whether an error says that there is no such stack. */
export function isMissingStack(failure: unknown): boolean {
  return (
    failure instanceof CloudFailure && failure.code === 'ValidationError' && /does not exist/.test(failure.message)
  );
}

function stackOf(element: XmlElement): StackDescription {
  return {
    id: textAt(element, 'StackId') ?? '',
    name: textAt(element, 'StackName') ?? '',
    status: textAt(element, 'StackStatus') ?? '',
    statusReason: textAt(element, 'StackStatusReason'),
    outputs: membersAt(element, 'Outputs').map((output) => ({
      key: textAt(output, 'OutputKey') ?? '',
      value: textAt(output, 'OutputValue') ?? '',
      description: textAt(output, 'Description'),
    })),
    parameters: membersAt(element, 'Parameters').map((parameter) => ({
      key: textAt(parameter, 'ParameterKey') ?? '',
      value: textAt(parameter, 'ParameterValue') ?? '',
    })),
    tags: new Map(membersAt(element, 'Tags').map((tag) => [textAt(tag, 'Key') ?? '', textAt(tag, 'Value') ?? ''])),
    isProtected: textAt(element, 'EnableTerminationProtection') === 'true',
  };
}

function eventOf(element: XmlElement): StackEvent {
  return {
    id: textAt(element, 'EventId') ?? '',
    logicalId: textAt(element, 'LogicalResourceId') ?? '',
    physicalId: textAt(element, 'PhysicalResourceId') ?? '',
    type: textAt(element, 'ResourceType') ?? '',
    status: textAt(element, 'ResourceStatus') ?? '',
    reason: textAt(element, 'ResourceStatusReason'),
    timestamp: textAt(element, 'Timestamp') ?? '',
  };
}

function changeOf(element: XmlElement): PlannedChange {
  const details = membersAt(element, 'Details').flatMap((detail) => {
    const target = descend(detail, 'Target');
    return target === undefined ? [] : (textAt(target, 'Name') ?? textAt(target, 'Attribute') ?? []);
  });
  return {
    action: (textAt(element, 'Action') ?? 'Modify') as PlannedChange['action'],
    logicalId: textAt(element, 'LogicalResourceId') ?? '',
    physicalId: textAt(element, 'PhysicalResourceId'),
    type: textAt(element, 'ResourceType') ?? '',
    replacement: textAt(element, 'Replacement') as PlannedChange['replacement'],
    policyAction: textAt(element, 'PolicyAction'),
    details: [...new Set(details)],
    nestedChangeSet: textAt(element, 'ChangeSetId'),
  };
}
