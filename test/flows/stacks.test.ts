/** Stacks through CloudFormation's API with the AWS SDK: what a client sees of creation, update, rollback and deletion. */
import { get as httpGet } from 'node:http';
import {
  CloudFormationClient,
  CreateStackCommand,
  type CreateStackCommandInput,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  GetTemplateCommand,
  ListExportsCommand,
  ListStackResourcesCommand,
  type Stack,
  UpdateStackCommand,
  type UpdateStackCommandInput,
} from '@aws-sdk/client-cloudformation';
import { GetRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetFunctionCommand } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;
let cloudFormation: CloudFormationClient;
let iam: IAMClient;
let s3: S3Client;

beforeAll(async () => {
  service = await startService();
  const access = {
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  cloudFormation = new CloudFormationClient(access);
  iam = new IAMClient(access);
  s3 = new S3Client({ ...access, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'code' }));
  await upload('one.zip', { bootstrap: shellRuntime(`respond '"one"'`) });
  await upload('two.zip', { bootstrap: shellRuntime(`respond '"two"'`) });
  await upload('layer.zip', { 'data.txt': 'layer' });
});
afterAll(async () => {
  for (const client of [cloudFormation, iam, s3]) client.destroy();
  await service.close();
});

async function upload(Key: string, files: Parameters<typeof zipOf>[0]): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: 'code', Key, Body: await zipOf(files) }));
}

async function describeStack(StackName: string): Promise<Stack> {
  const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
  if (Stacks[0] === undefined) throw new Error(`no stack ${StackName}`);
  return Stacks[0];
}

/** Creates a stack and returns it at the end of the operation. */
async function create(
  StackName: string,
  template: object | string,
  more: Partial<CreateStackCommandInput> = {},
): Promise<Stack> {
  const TemplateBody = typeof template === 'string' ? template : JSON.stringify(template);
  const Capabilities = ['CAPABILITY_NAMED_IAM' as const];
  await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody, Capabilities, ...more }));
  return settled(StackName);
}

async function update(
  StackName: string,
  template: object,
  more: Partial<UpdateStackCommandInput> = {},
): Promise<Stack> {
  const Capabilities = ['CAPABILITY_NAMED_IAM' as const];
  const TemplateBody = JSON.stringify(template);
  await cloudFormation.send(new UpdateStackCommand({ StackName, TemplateBody, Capabilities, ...more }));
  return settled(StackName);
}

/** Each response waits a while for the end of the operation: no pause is needed. */
async function settled(StackName: string): Promise<Stack> {
  for (;;) {
    const stack = await describeStack(StackName);
    if (!stack.StackStatus?.endsWith('_IN_PROGRESS')) return stack;
  }
}

/** Fetches from a gateway on this machine by a name that the resolver need not know. */
function fetchAs(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, headers: { Host: `${host}:${port}` } };
    httpGet(options, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk)).on('end', () => resolve(body));
    }).on('error', reject);
  });
}

/** `LogicalId STATUS reason`, oldest first. */
async function eventsOf(StackName: string): Promise<string[]> {
  const { StackEvents = [] } = await cloudFormation.send(new DescribeStackEventsCommand({ StackName }));
  return StackEvents.map(({ LogicalResourceId, ResourceStatus, ResourceStatusReason }) =>
    [LogicalResourceId, ResourceStatus, ResourceStatusReason].filter((part) => part !== undefined).join(' '),
  ).reverse();
}

const trust = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
};
const functionOf = (key: string, more: object = {}) => ({
  Type: 'AWS::Lambda::Function',
  Properties: {
    Runtime: 'provided.al2023',
    Handler: 'handler',
    Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
    Code: { S3Bucket: 'code', S3Key: key },
    ...more,
  },
});

describe('a stack with a function', () => {
  const template = {
    Description: 'A function with everything around it',
    Parameters: { Greeting: { Type: 'String', Default: 'hello' } },
    Resources: {
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: trust,
          ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
          Policies: [
            {
              PolicyName: 'without-version',
              PolicyDocument: { Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }] },
            },
          ],
        },
      },
      Layer: { Type: 'AWS::Lambda::LayerVersion', Properties: { Content: { S3Bucket: 'code', S3Key: 'layer.zip' } } },
      Hello: functionOf('one.zip', {
        Layers: [{ Ref: 'Layer' }],
        Timeout: '7',
        MemorySize: 256,
        Environment: { Variables: { GREETING: { Ref: 'Greeting' }, COUNT: 3 } },
        Tags: [{ Key: 'own', Value: 'yes' }],
        ReservedConcurrentExecutions: 5,
      }),
      Logs: {
        Type: 'AWS::Logs::LogGroup',
        Properties: { LogGroupName: { 'Fn::Join': ['/', ['/aws/lambda', { Ref: 'Hello' }]] }, RetentionInDays: 7 },
      },
      Version: { Type: 'AWS::Lambda::Version', Properties: { FunctionName: { Ref: 'Hello' } } },
      Live: {
        Type: 'AWS::Lambda::Alias',
        Properties: {
          FunctionName: { Ref: 'Hello' },
          Name: 'live',
          FunctionVersion: { 'Fn::GetAtt': ['Version', 'Version'] },
        },
      },
      Url: { Type: 'AWS::Lambda::Url', Properties: { TargetFunctionArn: { Ref: 'Live' }, AuthType: 'NONE' } },
      Public: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          FunctionName: { Ref: 'Live' },
          Action: 'lambda:InvokeFunctionUrl',
          Principal: '*',
          FunctionUrlAuthType: 'NONE',
        },
      },
      Retry: {
        Type: 'AWS::Lambda::EventInvokeConfig',
        Properties: { FunctionName: { Ref: 'Hello' }, Qualifier: '$LATEST', MaximumRetryAttempts: '1' },
      },
    },
    Outputs: {
      Arn: { Value: { 'Fn::GetAtt': ['Hello', 'Arn'] }, Export: { Name: 'hello-arn' } },
      Name: { Value: { Ref: 'Hello' }, Description: 'Its name' },
      Address: { Value: { 'Fn::GetAtt': ['Url', 'FunctionUrl'] } },
    },
  };
  let name = '';
  const outputsOf = ({ Outputs = [] }: Stack) =>
    Object.fromEntries(Outputs.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]));

  it('is done when CreateStack has responded, and the function answers', async () => {
    const stack = await create('everything', template, { Tags: [{ Key: 'team', Value: 'blue' }] });
    expect(stack.StackStatusReason).toBeUndefined();
    expect(stack).toMatchObject({ StackStatus: 'CREATE_COMPLETE', Description: template.Description });
    name = outputsOf(stack).Name ?? '';
    expect(name).toMatch(/^everything-Hello-[A-Za-z0-9]{12}$/);
    expect((await service.invoke(name)).payload).toBe('"one"');
    const { hostname, port } = new URL(outputsOf(stack).Address ?? '');
    const answer = await fetchAs(hostname, Number(port));
    expect(answer).toBe('one');
    const { Exports } = await cloudFormation.send(new ListExportsCommand({}));
    expect(Exports).toEqual([{ ExportingStackId: stack.StackId, Name: 'hello-arn', Value: outputsOf(stack).Arn }]);
  });

  it('passes properties with the types that the service expects, and the tags of the stack', async () => {
    const { Configuration, Tags, Concurrency } = await service.client.send(
      new GetFunctionCommand({ FunctionName: name }),
    );
    expect(Configuration).toMatchObject({
      Timeout: 7,
      MemorySize: 256,
      Environment: { Variables: { GREETING: 'hello', COUNT: '3' } },
      Layers: [{ Arn: expect.stringMatching(/:layer:everything-Layer-\w{12}:1$/) }],
    });
    expect(Concurrency).toEqual({ ReservedConcurrentExecutions: 5 });
    expect(Tags).toEqual({
      own: 'yes',
      team: 'blue',
      'aws:cloudformation:stack-name': 'everything',
      'aws:cloudformation:stack-id': (await describeStack('everything')).StackId,
      'aws:cloudformation:logical-id': 'Hello',
    });
  });

  it('reports events in the order of the dependencies', async () => {
    const events = await eventsOf('everything');
    expect(events[0]).toBe('everything CREATE_IN_PROGRESS User Initiated');
    expect(events.at(-1)).toBe('everything CREATE_COMPLETE');
    const of = (id: string) => events.filter((event) => event.startsWith(`${id} `));
    expect(of('Hello')).toEqual([
      'Hello CREATE_IN_PROGRESS',
      'Hello CREATE_IN_PROGRESS Resource creation Initiated',
      'Hello CREATE_COMPLETE',
    ]);
    for (const [first, second] of [
      ['Role', 'Hello'],
      ['Layer', 'Hello'],
      ['Version', 'Live'],
      ['Live', 'Url'],
    ]) {
      expect(events.indexOf(`${first} CREATE_COMPLETE`)).toBeLessThan(events.indexOf(`${second} CREATE_IN_PROGRESS`));
    }
  });

  it('changes in place what can change, and replaces the version', async () => {
    const { Version: _, ...Resources } = template.Resources;
    const second = {
      ...template,
      Resources: {
        ...Resources,
        Hello: functionOf('two.zip', { Timeout: 9, Tags: [{ Key: 'own', Value: 'no' }] }),
        Version2: { Type: 'AWS::Lambda::Version', Properties: { FunctionName: { Ref: 'Hello' } } },
        Live: {
          Type: 'AWS::Lambda::Alias',
          Properties: {
            FunctionName: { Ref: 'Hello' },
            Name: 'live',
            FunctionVersion: { 'Fn::GetAtt': ['Version2', 'Version'] },
          },
        },
      },
    };
    const stack = await update('everything', second, { Tags: [{ Key: 'team', Value: 'red' }] });
    expect(stack.StackStatus).toBe('UPDATE_COMPLETE');
    expect(outputsOf(stack).Name).toBe(name);
    expect((await service.invoke(name, {}, { Qualifier: 'live' })).payload).toBe('"two"');
    const { Configuration, Tags, Concurrency } = await service.client.send(
      new GetFunctionCommand({ FunctionName: name }),
    );
    expect(Configuration).toMatchObject({ Timeout: 9, MemorySize: 128 });
    expect(Configuration?.Environment?.Variables ?? {}).toEqual({});
    expect(Configuration?.Layers ?? []).toEqual([]);
    expect(Concurrency).toBeUndefined();
    expect(Tags).toMatchObject({ own: 'no', team: 'red' });
    const events = await eventsOf('everything');
    expect(events.slice(-4)).toEqual([
      'everything UPDATE_COMPLETE_CLEANUP_IN_PROGRESS',
      'Version DELETE_IN_PROGRESS',
      'Version DELETE_COMPLETE',
      'everything UPDATE_COMPLETE',
    ]);
  });

  it('refuses an update without changes, whatever the text of the template looks like', async () => {
    const { TemplateBody = '' } = await cloudFormation.send(new GetTemplateCommand({ StackName: 'everything' }));
    await expect(
      update('everything', JSON.parse(TemplateBody), { Tags: [{ Key: 'team', Value: 'red' }] }),
    ).rejects.toMatchObject({ name: 'ValidationError', message: 'No updates are to be performed.' });
  });

  it('is gone without a trace after DeleteStack, and found by its id', async () => {
    const { StackId = '' } = await describeStack('everything');
    const { StackResourceSummaries = [] } = await cloudFormation.send(
      new ListStackResourcesCommand({ StackName: 'everything' }),
    );
    const roleName = StackResourceSummaries.find(({ LogicalResourceId }) => LogicalResourceId === 'Role');
    await cloudFormation.send(new DeleteStackCommand({ StackName: 'everything' }));
    await expect(describeStack('everything')).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'Stack with id everything does not exist',
    });
    expect(await describeStack(StackId)).toMatchObject({ StackStatus: 'DELETE_COMPLETE' });
    await expect(service.client.send(new GetFunctionCommand({ FunctionName: name }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await expect(iam.send(new GetRoleCommand({ RoleName: roleName?.PhysicalResourceId ?? '' }))).rejects.toMatchObject({
      name: 'NoSuchEntityException',
    });
    expect((await cloudFormation.send(new ListExportsCommand({}))).Exports ?? []).toEqual([]);
  });
});
