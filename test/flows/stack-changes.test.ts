/** Updates that fail and roll back, replacements, change sets, nested stacks and custom resources. */
import {
  CreateChangeSetCommand,
  DeleteStackCommand,
  DescribeChangeSetCommand,
  DetectStackDriftCommand,
  ExecuteChangeSetCommand,
  GetTemplateCommand,
} from '@aws-sdk/client-cloudformation';
import { GetFunctionCommand } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { StackClient, TRUST } from '../support/stack-client.ts';

let service: RunningService;
let stacks: StackClient;
let s3: S3Client;

beforeAll(async () => {
  service = await startService();
  stacks = new StackClient(service.url);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  s3 = new S3Client({ endpoint: service.url, region: 'us-east-1', credentials, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'code' }));
  for (const word of ['one', 'two']) {
    const Body = await zipOf({ bootstrap: shellRuntime(`respond '"${word}"'`) });
    await s3.send(new PutObjectCommand({ Bucket: 'code', Key: `${word}.zip`, Body }));
  }
}, 120_000);
afterAll(async () => {
  stacks.client.destroy();
  s3.destroy();
  await service.close();
});

const role = { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: TRUST } };
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
const logGroup = (name: string, more: object = {}) => ({
  Type: 'AWS::Logs::LogGroup',
  Properties: { LogGroupName: name, ...more },
});

it('a creation that fails leaves nothing, and says why in the words of the service', async () => {
  const stack = await stacks.create('failing', {
    Resources: { Role: role, Hello: functionOf('one.zip', { FunctionName: 'failing-hello', Timeout: 901 }) },
  });
  expect(stack.StackStatus).toBe('ROLLBACK_COMPLETE');
  const events = await stacks.events('failing');
  expect(events.find((event) => event.startsWith('Hello CREATE_FAILED'))).toMatch(
    /Value '901' at 'timeout' failed to satisfy constraint.*\(Service: Lambda, Status Code: 400, Request ID: [0-9a-f-]{36}\)$/,
  );
  expect(events).toContain(
    'failing ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Hello]. Rollback requested by user.',
  );
  expect(events.at(-1)).toBe('failing ROLLBACK_COMPLETE');
});

it('an update that fails brings back what was there', async () => {
  const before = {
    Resources: {
      Role: role,
      Hello: functionOf('one.zip', { Timeout: 5 }),
      Group: logGroup('/stacks/old'),
    },
    Outputs: { Name: { Value: { Ref: 'Hello' } }, Group: { Value: { Ref: 'Group' } } },
  };
  const created = await stacks.create('rolling', before);
  const { Name } = stacks.outputs(created);
  const failed = await stacks.update('rolling', {
    ...before,
    Resources: {
      Role: role,
      // Changed in place, replaced, added; then one that fails.
      Hello: functionOf('two.zip', { Timeout: 6 }),
      Group: logGroup('/stacks/new'),
      Added: logGroup('/stacks/added'),
      Broken: {
        ...logGroup('/stacks/broken', { RetentionInDays: 4 }),
        DependsOn: ['Hello', 'Group', 'Added'],
      },
    },
  });
  expect(failed.StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
  expect(stacks.outputs(failed)).toEqual({ Name, Group: '/stacks/old' });
  expect((await service.invoke(Name ?? '')).payload).toBe('"one"');
  const { Configuration } = await service.client.send(new GetFunctionCommand({ FunctionName: Name }));
  expect(Configuration?.Timeout).toBe(5);
  const events = await stacks.events('rolling');
  const rollback = events.slice(events.findIndex((event) => event.includes('UPDATE_ROLLBACK_IN_PROGRESS')));
  expect(rollback).toEqual(
    expect.arrayContaining([
      'Hello UPDATE_IN_PROGRESS',
      'Hello UPDATE_COMPLETE',
      'Group UPDATE_COMPLETE',
      'rolling UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS',
      'Group DELETE_COMPLETE',
      'Added DELETE_COMPLETE',
    ]),
  );
  // The old template is what the next update starts from.
  await expect(stacks.update('rolling', before)).rejects.toMatchObject({ message: 'No updates are to be performed.' });
});

it('a resource whose name changes is replaced, and the old one goes in the cleanup', async () => {
  const template = (name: string) => ({ Resources: { Group: logGroup(name) } });
  await stacks.create('replacing', template('/replace/one'));
  await stacks.update('replacing', template('/replace/two'));
  const events = await stacks.events('replacing');
  expect(events.slice(events.indexOf('replacing UPDATE_IN_PROGRESS User Initiated') + 1)).toEqual([
    'Group UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.',
    'Group UPDATE_IN_PROGRESS Resource creation Initiated',
    'Group UPDATE_COMPLETE',
    'replacing UPDATE_COMPLETE_CLEANUP_IN_PROGRESS',
    'Group DELETE_IN_PROGRESS',
    'Group DELETE_COMPLETE',
    'replacing UPDATE_COMPLETE',
  ]);
});

it('a change set shows what would change and why, and does it when it is executed', async () => {
  const StackName = 'reviewed';
  const template = (days: number) => ({
    Parameters: { Name: { Type: 'String' } },
    Resources: { Group: logGroup({ Ref: 'Name' } as never, { RetentionInDays: days }) },
  });
  const make = (ChangeSetType: 'CREATE' | 'UPDATE', days: number, ParameterValue: string) =>
    stacks.client.send(
      new CreateChangeSetCommand({
        StackName,
        ChangeSetName: 'set',
        ChangeSetType,
        TemplateBody: JSON.stringify(template(days)),
        Parameters: [{ ParameterKey: 'Name', ParameterValue }],
      }),
    );
  const describeSet = () =>
    stacks.client.send(new DescribeChangeSetCommand({ StackName, ChangeSetName: 'set', IncludePropertyValues: true }));
  const execute = () => stacks.client.send(new ExecuteChangeSetCommand({ StackName, ChangeSetName: 'set' }));

  await make('CREATE', 7, '/reviewed/one');
  expect((await stacks.describe(StackName)).StackStatus).toBe('REVIEW_IN_PROGRESS');
  // As the AWS CDK does between the creation of a change set and its execution.
  expect((await stacks.client.send(new GetTemplateCommand({ StackName }))).TemplateBody).toBe('{}');
  await execute();
  expect((await stacks.settled(StackName)).StackStatus).toBe('CREATE_COMPLETE');

  await make('UPDATE', 7, '/reviewed/two');
  const { Changes = [], ExecutionStatus } = await describeSet();
  expect(ExecutionStatus).toBe('AVAILABLE');
  expect(Changes).toHaveLength(1);
  expect(Changes[0]?.ResourceChange).toMatchObject({
    Action: 'Modify',
    Replacement: 'True',
    PolicyAction: 'ReplaceAndDelete',
    Details: [
      { Evaluation: 'Dynamic', ChangeSource: 'DirectModification' },
      {
        Evaluation: 'Static',
        ChangeSource: 'ParameterReference',
        CausingEntity: 'Name',
        Target: { Name: 'LogGroupName', RequiresRecreation: 'Always', BeforeValue: '/reviewed/one' },
      },
    ],
  });
  await execute();
  expect((await stacks.settled(StackName)).StackStatus).toBe('UPDATE_COMPLETE');

  await make('UPDATE', 7, '/reviewed/two');
  expect(await describeSet()).toMatchObject({
    Status: 'FAILED',
    ExecutionStatus: 'UNAVAILABLE',
    StatusReason:
      "The submitted information didn't contain changes. Submit different information to create a change set.",
  });
  await expect(execute()).rejects.toMatchObject({ name: 'InvalidChangeSetStatusException' });
});

it('a nested stack gives its outputs to its parent, and goes with it', async () => {
  const child = {
    Parameters: { Name: { Type: 'String' } },
    Resources: { Group: logGroup({ Ref: 'Name' } as never) },
    Outputs: { Group: { Value: { 'Fn::GetAtt': ['Group', 'Arn'] } } },
  };
  const Body = JSON.stringify(child);
  await s3.send(new PutObjectCommand({ Bucket: 'code', Key: 'child.template', Body }));
  const parent = {
    Resources: {
      Child: {
        Type: 'AWS::CloudFormation::Stack',
        Properties: {
          TemplateURL: 'https://s3.us-east-1.amazonaws.com/code/child.template',
          Parameters: { Name: '/nested/group' },
        },
      },
    },
    Outputs: {
      Inner: { Value: { 'Fn::GetAtt': ['Child', 'Outputs.Group'] } },
      Child: { Value: { Ref: 'Child' } },
    },
  };
  const stack = await stacks.create('parent', parent);
  expect(stack.StackStatus).toBe('CREATE_COMPLETE');
  const { Inner, Child = '' } = stacks.outputs(stack);
  expect(Inner).toBe('arn:aws:logs:us-east-1:123456789012:log-group:/nested/group:*');
  const nested = await stacks.describe(Child);
  expect(nested).toMatchObject({ ParentId: stack.StackId, RootId: stack.StackId });
  expect(nested.StackName).toMatch(/^parent-Child-\w{13}$/);
  await stacks.client.send(new DeleteStackCommand({ StackName: 'parent' }));
  expect((await stacks.describe(Child)).StackStatus).toBe('DELETE_COMPLETE');
});

it('a custom resource is made by inline code with cfn-response, and failures are its reasons', async () => {
  const source = `
    const response = require('cfn-response');
    exports.handler = (event, context) => {
      const { Word } = event.ResourceProperties;
      if (Word === 'bad') return response.send(event, context, response.FAILED, {});
      if (Word === 'crash') throw new Error('no such word');
      if (Word === 'tls') {
        // As the AWS CDK's handlers do, it uses nothing of the URL but host and path.
        const { hostname, pathname } = new URL(event.ResponseURL);
        const { StackId, RequestId, LogicalResourceId } = event;
        const Data = { Upper: 'TLS', Type: 'string' };
        const body = { Status: 'SUCCESS', StackId, RequestId, LogicalResourceId, PhysicalResourceId: 'id-hello', Data };
        const options = { hostname, port: 443, path: pathname, method: 'PUT', headers: { 'content-type': '' } };
        require('https').request(options, (answer) => { answer.resume(); context.done(); }).end(JSON.stringify(body));
        return;
      }
      response.send(event, context, response.SUCCESS, { Upper: Word.toUpperCase(), Type: typeof event.ResourceProperties.Count }, 'id-' + Word);
    };`;
  const template = (Word: string) => ({
    Resources: {
      Role: role,
      Maker: {
        Type: 'AWS::Lambda::Function',
        Properties: {
          Runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
          Handler: 'index.handler',
          Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
          Code: { ZipFile: source },
        },
      },
      Made: {
        Type: 'Custom::Word',
        Properties: { ServiceToken: { 'Fn::GetAtt': ['Maker', 'Arn'] }, Word, Count: 3 },
      },
    },
    Outputs: {
      Id: { Value: { Ref: 'Made' } },
      Upper: { Value: { 'Fn::GetAtt': ['Made', 'Upper'] } },
      Type: { Value: { 'Fn::GetAtt': ['Made', 'Type'] } },
    },
  });
  const stack = await stacks.create('custom', template('hello'));
  expect(stacks.outputs(stack)).toEqual({ Id: 'id-hello', Upper: 'HELLO', Type: 'string' });
  expect((await stacks.update('custom', template('bad'))).StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
  expect((await stacks.update('custom', template('crash'))).StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
  const reasons = (await stacks.events('custom')).filter((event) => event.startsWith('Made UPDATE_FAILED'));
  expect(reasons).toEqual([
    expect.stringMatching(
      /Received response status \[FAILED\] from custom resource\. Message returned: See the details/,
    ),
    expect.stringMatching(/The function failed without sending a response: .*no such word/),
  ]);
  expect(stacks.outputs(await stacks.update('custom', template('tls')))).toMatchObject({ Upper: 'TLS' });
  await stacks.client.send(new DeleteStackCommand({ StackName: 'custom' }));
  await expect(stacks.settled('custom')).rejects.toMatchObject({ message: 'Stack with id custom does not exist' });
}, 60_000);

it('what CloudFormation refuses before it begins leaves no stack', async () => {
  const refused = async (template: object) =>
    stacks.create('refused', template).then(
      () => 'accepted',
      (failure: Error) => `${failure.name}: ${failure.message}`,
    );
  expect(await refused({ Resources: { A: { Type: 'AWS::Nonsense::Thing' } } })).toBe(
    'ValidationError: Template format error: Unrecognized resource types: [AWS::Nonsense::Thing]',
  );
  const untransformed = { Type: 'AWS::Serverless::Function', Properties: { InlineCode: 'x' } };
  expect(await refused({ Resources: { A: untransformed } })).toBe(
    'ValidationError: Template format error: Unrecognized resource types: [AWS::Serverless::Function]',
  );
  expect(await refused({ Resources: { A: logGroup({ Ref: 'Missing' } as never) } })).toBe(
    'ValidationError: Template format error: Unresolved resource dependencies [Missing] in the Resources block of the template',
  );
  expect(await refused({ Resources: {} })).toBe(
    'ValidationError: Template format error: At least one Resources member must be defined.',
  );
  await expect(stacks.describe('refused')).rejects.toMatchObject({ message: 'Stack with id refused does not exist' });
  await expect(stacks.client.send(new DetectStackDriftCommand({ StackName: 'any' }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 501 },
    message: 'Lamella does not support the CloudFormation operation DetectStackDrift.',
  });
});

it('a type without an effect is recorded, or refused before anything is created', async () => {
  const template = {
    Resources: {
      Alarm: {
        Type: 'AWS::CloudWatch::Alarm',
        Properties: { ComparisonOperator: 'LessThanThreshold', EvaluationPeriods: 1 },
      },
      Group: logGroup('/recorded/group'),
    },
    Outputs: { Name: { Value: { Ref: 'Alarm' } }, Arn: { Value: { 'Fn::GetAtt': ['Alarm', 'Arn'] } } },
  };
  const stack = await stacks.create('recorded', template);
  const { Name = '', Arn } = stacks.outputs(stack);
  expect(Name).toMatch(/^recorded-Alarm-\w{12}$/);
  expect(Arn).toBe(`arn:aws:cloudwatch:us-east-1:123456789012:alarm/${Name}`);

  // What other services check has the form that they expect.
  const network = {
    Subnet: { Type: 'AWS::EC2::Subnet', Properties: { VpcId: 'vpc-1', CidrBlock: '10.0.0.0/24' } },
    Group: { Type: 'AWS::EC2::SecurityGroup', Properties: { GroupDescription: 'g' } },
    Access: { Type: 'AWS::EFS::AccessPoint', Properties: { FileSystemId: 'fs-1' } },
  };
  const VpcConfig = {
    SubnetIds: [{ Ref: 'Subnet' }],
    SecurityGroupIds: [{ 'Fn::GetAtt': ['Group', 'GroupId'] }, { Ref: 'Group' }],
  };
  const FileSystemConfigs = [{ Arn: { 'Fn::GetAtt': ['Access', 'Arn'] }, LocalMountPath: '/mnt/data' }];
  const attached = functionOf('one.zip', { VpcConfig, FileSystemConfigs });
  const { StackStatus } = await stacks.create('attached', { Resources: { Role: role, ...network, Hello: attached } });
  expect(StackStatus).toBe('CREATE_COMPLETE');

  const strict = await startService({ strict: 'resources' });
  const client = new StackClient(strict.url);
  try {
    await expect(client.create('refused', template)).rejects.toMatchObject({
      name: 'ValidationError',
      message: expect.stringContaining('has no effect for these resources: Alarm (AWS::CloudWatch::Alarm)'),
    });
    await expect(client.describe('refused')).rejects.toMatchObject({ message: 'Stack with id refused does not exist' });
  } finally {
    client.client.destroy();
    await strict.close();
  }
}, 60_000);

it('what templates rely on without saying so is there in time', async () => {
  const nodejs = `nodejs${process.versions.node.split('.')[0]}.x`;
  const Role = { 'Fn::GetAtt': ['Role', 'Arn'] };
  const Code = { ZipFile: 'exports.handler = async () => null;' };
  const attribute = (name: string) => ({ 'Fn::GetAtt': [name, 'Arn'] });
  const allowed = (Action: string, Resource: string) => ({ Effect: 'Allow', Action, Resource });
  // ARNs that end early with a star.
  const Statement = [allowed('logs:*', 'arn:aws:logs:*'), allowed('sns:Publish', 'arn:aws:sns:*:*')];
  const stack = await stacks.create('implicit', {
    Resources: {
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: TRUST,
          Policies: [{ PolicyName: 'logs', PolicyDocument: { Version: '2012-10-17', Statement } }],
        },
      },
      Reader: { Type: 'AWS::Lambda::Function', Properties: { Runtime: nodejs, Handler: 'index.handler', Role, Code } },
      Group: logGroup('/implicit'),
      // Nothing says that the filter needs the permission.
      Filter: {
        Type: 'AWS::Logs::SubscriptionFilter',
        Properties: { LogGroupName: { Ref: 'Group' }, FilterPattern: '', DestinationArn: attribute('Reader') },
      },
      Permission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          FunctionName: attribute('Reader'),
          Action: 'lambda:InvokeFunction',
          Principal: 'logs.amazonaws.com',
          SourceArn: attribute('Group'),
        },
      },
      Topic: {
        Type: 'AWS::SNS::Topic',
        Properties: { Subscription: [{ Protocol: 'email', Endpoint: 'me@example.com' }] },
      },
      Subscription: {
        Type: 'AWS::SNS::Subscription',
        Properties: { TopicArn: { Ref: 'Topic' }, Protocol: 'email', Endpoint: 'me@example.com' },
      },
    },
  });
  expect(stack.StackStatus).toBe('CREATE_COMPLETE');
  await stacks.client.send(new DeleteStackCommand({ StackName: 'implicit' }));
  expect((await stacks.settled(stack.StackId ?? '')).StackStatus).toBe('DELETE_COMPLETE');
});

it('a dynamic reference takes its value from the parameter store when the resource is made', async () => {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const ssm = new SSMClient({ endpoint: service.url, region: 'us-east-1', credentials });
  await ssm.send(new PutParameterCommand({ Name: '/days', Value: '14', Type: 'String' }));
  await ssm.send(new PutParameterCommand({ Name: '/name', Value: '/from/parameter', Type: 'String' }));
  ssm.destroy();
  const stack = await stacks.create('dynamic', {
    Parameters: { Name: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/name' } },
    Resources: { Group: logGroup({ Ref: 'Name' } as never, { RetentionInDays: '{{resolve:ssm:/days}}' }) },
    Outputs: { Name: { Value: { Ref: 'Group' } } },
  });
  expect(stacks.outputs(stack)).toEqual({ Name: '/from/parameter' });
  expect(stack.Parameters).toEqual([
    { ParameterKey: 'Name', ParameterValue: '/name', ResolvedValue: '/from/parameter' },
  ]);
});

it('a stack of 200 resources is made, changed and deleted', async () => {
  const template = (days: number) => ({
    Resources: Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [
        `Group${index}`,
        {
          ...logGroup(`/many/${index}`, { RetentionInDays: days }),
          ...(index % 10 > 0 && { DependsOn: `Group${index - 1}` }),
        },
      ]),
    ),
  });
  expect((await stacks.create('many', template(1))).StackStatus).toBe('CREATE_COMPLETE');
  expect((await stacks.update('many', template(3))).StackStatus).toBe('UPDATE_COMPLETE');
  await stacks.client.send(new DeleteStackCommand({ StackName: 'many' }));
  await expect(stacks.settled('many')).rejects.toMatchObject({ message: 'Stack with id many does not exist' });
}, 60_000);
