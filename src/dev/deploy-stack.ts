/**
 * Deploys the project as a stack of a service in the same process, through the operations that a client calls. A stack that
 * cannot be updated any more is replaced. What fails is returned, not thrown: the developer repairs it.
 */
import { type Clock, sleep } from '../clock.ts';
import type { Scope } from '../protocol/names.ts';
import type { OperationMembers } from '../wire/api-call.ts';
import { type ServiceCall, ServiceCallFailure } from '../wire/service-call.ts';

export type StackDependencies = {
  readonly call: ServiceCall;
  readonly scope: Scope;
  readonly clock: Clock;
};

export type StackDeployment = {
  readonly name: string;
  /** Where the template is in S3. */
  readonly templateUrl: string;
  readonly parameters: ReadonlyMap<string, string>;
};

export type StackResource = {
  readonly logicalId: string;
  readonly physicalId: string;
  readonly type: string;
};

export type DeployedStack = {
  readonly resources: readonly StackResource[];
  readonly outputs: readonly { readonly key: string; readonly value: string }[];
  readonly isChanged: boolean;
};

export type StackFailure = {
  readonly failure: string;
  /** What failed in which resource, first things first. Empty if the template was refused as a whole. */
  readonly causes: readonly { readonly logicalId: string; readonly reason: string }[];
};

const CAPABILITIES = ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM', 'CAPABILITY_AUTO_EXPAND'];
const UPDATABLE = /^(CREATE|UPDATE|UPDATE_ROLLBACK|IMPORT|IMPORT_ROLLBACK)_COMPLETE$/;
const NO_UPDATES = 'No updates are to be performed.';
/** Causes that only say that another one stopped them. */
const CONSEQUENCES = /^Resource (creation|update) cancelled/;
/** Milliseconds between two looks at a stack. The response itself waits for some seconds. */
const LOOK_MS = 20;

export async function deployStack(
  dependencies: StackDependencies,
  deployment: StackDeployment,
): Promise<DeployedStack | StackFailure> {
  const { call, scope } = dependencies;
  const cloudformation = (operation: string, input: OperationMembers) =>
    call(scope, 'cloudformation', operation, input);
  const input = {
    StackName: deployment.name,
    TemplateURL: deployment.templateUrl,
    Parameters: [...deployment.parameters].map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue })),
    Capabilities: CAPABILITIES,
  };
  try {
    let before = await settledStatus(dependencies, deployment.name);
    if (before !== undefined && !UPDATABLE.test(before)) {
      await cloudformation('DeleteStack', { StackName: deployment.name });
      before = await settledStatus(dependencies, deployment.name);
      if (before !== undefined) return failureOf(dependencies, deployment.name, `The stack is ${before}.`, 0);
    }
    const startedMs = dependencies.clock.epochMs();
    let isChanged = true;
    try {
      await cloudformation(before === undefined ? 'CreateStack' : 'UpdateStack', input);
    } catch (failure) {
      if (!(failure instanceof ServiceCallFailure) || failure.message !== NO_UPDATES) throw failure;
      isChanged = false;
    }
    const status = await settledStatus(dependencies, deployment.name);
    if (isChanged && status !== 'CREATE_COMPLETE' && status !== 'UPDATE_COMPLETE') {
      return failureOf(dependencies, deployment.name, `The stack is ${status ?? 'gone'}.`, startedMs);
    }
    return { ...(await describe(dependencies, deployment.name)), isChanged };
  } catch (failure) {
    if (!(failure instanceof ServiceCallFailure)) throw failure;
    return { failure: failure.message, causes: [] };
  }
}

/** The status of the stack once no operation runs; undefined without a stack. */
async function settledStatus({ call, scope, clock }: StackDependencies, name: string): Promise<string | undefined> {
  for (;;) {
    const stack = await call(scope, 'cloudformation', 'DescribeStacks', { StackName: name }).then(
      ({ Stacks }) => (Stacks as readonly OperationMembers[])[0],
      (failure: unknown) => {
        if (failure instanceof ServiceCallFailure && failure.message.endsWith('does not exist')) return undefined;
        throw failure;
      },
    );
    const status = stack && String(stack.StackStatus);
    if (status === undefined || status === 'DELETE_COMPLETE') return undefined;
    if (!status.endsWith('_IN_PROGRESS')) return status;
    await sleep(clock, LOOK_MS);
  }
}

async function describe({ call, scope }: StackDependencies, name: string): Promise<Omit<DeployedStack, 'isChanged'>> {
  const [{ Stacks }, { StackResources }] = await Promise.all([
    call(scope, 'cloudformation', 'DescribeStacks', { StackName: name }),
    call(scope, 'cloudformation', 'DescribeStackResources', { StackName: name }),
  ]);
  const outputs = ((Stacks as readonly OperationMembers[])[0]?.Outputs ?? []) as readonly OperationMembers[];
  return {
    outputs: outputs.map(({ OutputKey, OutputValue }) => ({ key: String(OutputKey), value: String(OutputValue) })),
    resources: ((StackResources ?? []) as readonly OperationMembers[]).map((resource) => ({
      logicalId: String(resource.LogicalResourceId),
      physicalId: String(resource.PhysicalResourceId),
      type: String(resource.ResourceType),
    })),
  };
}

async function failureOf(
  { call, scope }: StackDependencies,
  name: string,
  failure: string,
  sinceMs: number,
): Promise<StackFailure> {
  const { StackEvents } = await call(scope, 'cloudformation', 'DescribeStackEvents', { StackName: name });
  const causes = ((StackEvents ?? []) as readonly OperationMembers[])
    .filter(
      ({ ResourceStatus, ResourceStatusReason, Timestamp }) =>
        String(ResourceStatus).endsWith('_FAILED') &&
        ResourceStatusReason !== undefined &&
        !CONSEQUENCES.test(String(ResourceStatusReason)) &&
        new Date(String(Timestamp)).getTime() >= Math.floor(sinceMs / 1000) * 1000,
    )
    .map(({ LogicalResourceId, ResourceStatusReason }) => ({
      logicalId: String(LogicalResourceId),
      reason: String(ResourceStatusReason),
    }))
    .reverse();
  return { failure, causes: causes.filter(({ logicalId }) => logicalId !== name) };
}
