/** Stacks of a running service through the AWS SDK, as the tests of stacks use them. */
import {
  type Capability,
  CloudFormationClient,
  CreateStackCommand,
  type CreateStackCommandInput,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  type Stack,
  UpdateStackCommand,
  type UpdateStackCommandInput,
} from '@aws-sdk/client-cloudformation';

export const TRUST = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
};

const Capabilities: Capability[] = ['CAPABILITY_NAMED_IAM', 'CAPABILITY_AUTO_EXPAND'];

export class StackClient {
  readonly client: CloudFormationClient;

  constructor(endpoint: string) {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    this.client = new CloudFormationClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  }

  async describe(StackName: string): Promise<Stack> {
    const { Stacks = [] } = await this.client.send(new DescribeStacksCommand({ StackName }));
    if (Stacks[0] === undefined) throw new Error(`no stack ${StackName}`);
    return Stacks[0];
  }

  /** The stack at the end of its operation. Each response waits a while for it: no pause is needed. */
  async settled(StackName: string): Promise<Stack> {
    for (;;) {
      const stack = await this.describe(StackName);
      if (!stack.StackStatus?.endsWith('_IN_PROGRESS')) return stack;
    }
  }

  async create(StackName: string, template: object, more: Partial<CreateStackCommandInput> = {}): Promise<Stack> {
    const TemplateBody = JSON.stringify(template);
    await this.client.send(new CreateStackCommand({ StackName, TemplateBody, Capabilities, ...more }));
    return this.settled(StackName);
  }

  async update(StackName: string, template: object, more: Partial<UpdateStackCommandInput> = {}): Promise<Stack> {
    const TemplateBody = JSON.stringify(template);
    await this.client.send(new UpdateStackCommand({ StackName, TemplateBody, Capabilities, ...more }));
    return this.settled(StackName);
  }

  /** `LogicalId STATUS reason`, oldest first. */
  async events(StackName: string): Promise<string[]> {
    const { StackEvents = [] } = await this.client.send(new DescribeStackEventsCommand({ StackName }));
    return StackEvents.map(({ LogicalResourceId, ResourceStatus, ResourceStatusReason }) =>
      [LogicalResourceId, ResourceStatus, ResourceStatusReason].filter((part) => part !== undefined).join(' '),
    ).reverse();
  }

  outputs({ Outputs = [] }: Stack): Record<string, string | undefined> {
    return Object.fromEntries(Outputs.map(({ OutputKey = '', OutputValue }) => [OutputKey, OutputValue]));
  }
}
