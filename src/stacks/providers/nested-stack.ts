/**
 * AWS::CloudFormation::Stack: a stack inside a stack. Its outputs are the attributes `Outputs.NAME`.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudformation-stack.html
 */
import { createPhysicalName } from './physical-names.ts';
import {
  type Json,
  type PhysicalResource,
  type Properties,
  type ResourceContext,
  ResourceFailure,
  type ResourceProvider,
} from './provider.ts';

/** What a nested stack looks like from its parent. */
export type NestedStack = {
  readonly id: string;
  readonly status: string;
  readonly statusReason: string | undefined;
  readonly outputs: Readonly<Record<string, string>>;
};

export type NestedInput = {
  readonly templateUrl: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly notificationArns: readonly string[];
  readonly timeoutMinutes?: number | undefined;
};

/** Stacks as their parents use them. Each function begins an operation; `ended` waits for its end. */
export type NestedStacks = {
  create(parentId: string, name: string, input: NestedInput): Promise<string>;
  /** Returns whether there is anything to change. */
  update(id: string, input: NestedInput): Promise<boolean>;
  delete(id: string): void;
  cancel(id: string): void;
  ended(id: string): Promise<NestedStack | undefined>;
};

export function nestedStackProvider(stacks: () => NestedStacks): ResourceProvider {
  return {
    type: 'AWS::CloudFormation::Stack',
    attributes: ['*'],
    // All of them can be changed in place.
    createOnly: [],
    async create(properties, context) {
      const { stack, logicalId } = context;
      const name = createPhysicalName({ stackName: stack.name, logicalId, maxLength: 128, randomLength: 13 });
      const id = await stacks().create(stack.id, name, inputOf(properties));
      context.created(id);
      return awaitEnd(stacks(), id, context, 'created');
    },
    async update({ physicalId }, properties, context) {
      await stacks().update(physicalId, inputOf(properties));
      return awaitEnd(stacks(), physicalId, context, 'updated');
    },
    async delete({ physicalId }, context) {
      stacks().delete(physicalId);
      const left = await stacks().ended(physicalId);
      if (left === undefined || left.status === 'DELETE_COMPLETE') return;
      if (context.signal.aborted) throw context.signal.reason;
      throw new ResourceFailure(
        `Embedded stack ${physicalId} was not successfully deleted: ${left.statusReason ?? ''}`,
      );
    },
    // The nested stack goes on by itself.
    resume: ({ physicalId }, context) => awaitEnd(stacks(), physicalId, context, 'created'),
  };
}

async function awaitEnd(
  stacks: NestedStacks,
  id: string,
  { signal }: ResourceContext,
  done: 'created' | 'updated',
): Promise<PhysicalResource> {
  const cancel = () => stacks.cancel(id);
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  const nested = await stacks.ended(id).finally(() => signal.removeEventListener('abort', cancel));
  if (nested?.status === 'CREATE_COMPLETE' || nested?.status === 'UPDATE_COMPLETE') {
    const outputs = Object.entries(nested.outputs).map(([key, value]): [string, Json] => [`Outputs.${key}`, value]);
    return { physicalId: id, attributes: Object.fromEntries(outputs) };
  }
  if (signal.aborted) throw signal.reason;
  throw new ResourceFailure(`Embedded stack ${id} was not successfully ${done}: ${nested?.statusReason ?? ''}`);
}

function inputOf(properties: Properties): NestedInput {
  const { TemplateURL, Parameters, Tags, NotificationARNs, TimeoutInMinutes } = properties;
  if (typeof TemplateURL !== 'string') throw new ResourceFailure('TemplateURL must be a supported URL.');
  const given = typeof Parameters === 'object' && Parameters !== null ? Object.entries(Parameters as Properties) : [];
  const tags = Array.isArray(Tags) ? (Tags as readonly Properties[]) : [];
  return {
    templateUrl: TemplateURL,
    // A list becomes the text of a CommaDelimitedList.
    parameters: Object.fromEntries(
      given.map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : String(value)]),
    ),
    tags: Object.fromEntries(
      tags.flatMap(({ Key, Value }) => (String(Key).startsWith('aws:') ? [] : [[String(Key), String(Value)]])),
    ),
    notificationArns: Array.isArray(NotificationARNs) ? NotificationARNs.map(String) : [],
    ...(TimeoutInMinutes !== undefined && { timeoutMinutes: Number(TimeoutInMinutes) }),
  };
}
