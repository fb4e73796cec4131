/**
 * The calls of deployment tools for an existing function, in their order, with the members that they read. Recorded from
 * Serverless Framework 3.40. Those of the AWS CDK's hotswap deployments, of `sam deploy` and of `sam sync` follow their
 * documentation and source. Terraform itself runs in `terraform.test.ts`, the AWS CLI in `deployed-php.test.ts`.
 */
import {
  CreateChangeSetCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  ExecuteChangeSetCommand,
  GetTemplateCommand,
  GetTemplateSummaryCommand,
  ListStackResourcesCommand,
  paginateDescribeChangeSet,
  type StackEvent,
  waitUntilChangeSetCreateComplete,
  waitUntilStackCreateComplete,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import {
  CloudWatchLogsClient,
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateAliasCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
  waitUntilPublishedVersionActive,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { StackClient } from '../support/stack-client.ts';

let service: RunningService;
let logs: CloudWatchLogsClient;
let s3: S3Client;

beforeAll(async () => {
  service = await startService();
  const access = {
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  logs = new CloudWatchLogsClient(access);
  s3 = new S3Client({ ...access, forcePathStyle: true });
});
afterAll(async () => {
  logs.destroy();
  s3.destroy();
  await service.close();
});

const responding = (word: string) => ({ bootstrap: shellRuntime(`echo said-${word} >&2; respond '"${word}"'`) });

it('serverless deploy function, invoke --log and logs', async () => {
  const FunctionName = 'service-dev-hello';
  await service.createFunction(FunctionName, responding('old'), { Environment: { Variables: { STAGE: 'dev' } } });

  // deploy function: it uploads code with another hash, waits, and compares the configuration.
  const remote = await service.client.send(new GetFunctionCommand({ FunctionName }));
  const ZipFile = await zipOf(responding('new'));
  const uploaded = await service.client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }));
  expect(uploaded.CodeSha256).not.toBe(remote.Configuration?.CodeSha256);
  const after = await service.client.send(new GetFunctionCommand({ FunctionName }));
  expect(after.Configuration).toMatchObject({
    LastUpdateStatus: 'Successful',
    CodeSha256: uploaded.CodeSha256,
    Handler: 'handler',
    MemorySize: 128,
    Timeout: 3,
    Role: 'arn:aws:iam::123456789012:role/service-role/LambdaPhpExample',
    Environment: { Variables: { STAGE: 'dev' } },
  });
  await service.client.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName,
      Timeout: 6,
      Environment: { Variables: { STAGE: 'dev', MORE: 'yes' } },
    }),
  );

  // invoke --log: it shows the lines of the tail, split at their tabs.
  const response = await service.client.send(
    new InvokeCommand({ FunctionName, InvocationType: 'RequestResponse', LogType: 'Tail', Payload: '{}' }),
  );
  expect(Buffer.from(response.Payload ?? []).toString()).toBe('"new"');
  expect(Buffer.from(response.LogResult ?? '', 'base64').toString()).toMatch(
    /said-new\n(.*\n)*REPORT RequestId: \S+\t/,
  );

  // logs: the latest streams, then their events in one list.
  const logGroupName = `/aws/lambda/${FunctionName}`;
  const { logStreams = [] } = await logs.send(
    new DescribeLogStreamsCommand({ logGroupName, descending: true, limit: 50, orderBy: 'LastEventTime' }),
  );
  const logStreamNames = logStreams.map(({ logStreamName }) => logStreamName ?? '');
  const { events = [] } = await logs.send(
    new FilterLogEventsCommand({
      logGroupName,
      logStreamNames,
      interleaved: true,
      startTime: Date.now() - 600_000,
      filterPattern: 'said',
    }),
  );
  expect(events.map(({ message }) => message?.trim())).toEqual(['said-new']);
});

it('cdk deploy --hotswap and sam sync: new code from a bucket, a new version, and the alias updated', async () => {
  const FunctionName = 'stack-function';
  await service.createFunction(FunctionName, responding('old'), { Publish: true });
  await service.client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }));
  await s3.send(new CreateBucketCommand({ Bucket: 'cdk-assets' }));
  await s3.send(new PutObjectCommand({ Bucket: 'cdk-assets', Key: 'a.zip', Body: await zipOf(responding('new')) }));

  await service.client.send(new UpdateFunctionCodeCommand({ FunctionName, S3Bucket: 'cdk-assets', S3Key: 'a.zip' }));
  const waiter = { client: service.client, maxWaitTime: 30, minDelay: 1 };
  expect(await waitUntilFunctionUpdatedV2(waiter, { FunctionName })).toMatchObject({ state: 'SUCCESS' });
  const { Version } = await service.client.send(new PublishVersionCommand({ FunctionName }));
  expect(Version).toBe('2');
  const version = { FunctionName, Qualifier: Version };
  expect(await waitUntilPublishedVersionActive(waiter, version)).toMatchObject({ state: 'SUCCESS' });
  await service.client.send(new UpdateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: Version }));
  const shown = await service.client.send(new GetFunctionConfigurationCommand({ FunctionName, Qualifier: 'live' }));
  expect(shown.Version).toBe('2');
  expect((await service.invoke(FunctionName, {}, { Qualifier: 'live' })).payload).toBe('"new"');
});

it('sam deploy --resolve-s3, sam list and sam delete', async () => {
  const stacks = new StackClient(service.url);
  const { client } = stacks;
  const send = client.send.bind(client) as typeof client.send;
  const waiter = { client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.5 };
  const missing = (StackName: string) =>
    expect(send(new DescribeStacksCommand({ StackName }))).rejects.toMatchObject({
      name: 'ValidationError',
      message: `Stack with id ${StackName} does not exist`,
    });
  const TransformCapabilities = ['CAPABILITY_IAM' as const, 'CAPABILITY_AUTO_EXPAND' as const];

  // The bucket for artifacts, in a stack of the tool's own.
  const MANAGED = 'aws-sam-cli-managed-default';
  await missing(MANAGED);
  const { Id = '' } = await send(
    new CreateChangeSetCommand({
      StackName: MANAGED,
      TemplateBody: SAM_MANAGED,
      Tags: [{ Key: 'ManagedStackSource', Value: 'AwsSamCli' }],
      ChangeSetType: 'CREATE',
      ChangeSetName: 'InitialCreation',
      Capabilities: TransformCapabilities,
    }),
  );
  await waitUntilChangeSetCreateComplete(waiter, { ChangeSetName: Id, StackName: MANAGED });
  await send(new ExecuteChangeSetCommand({ ChangeSetName: Id, StackName: MANAGED }));
  await waitUntilStackCreateComplete(waiter, { StackName: MANAGED });
  const { Stacks: [managed] = [] } = await send(new DescribeStacksCommand({ StackName: MANAGED }));
  expect(managed?.Tags).toEqual([{ Key: 'ManagedStackSource', Value: 'AwsSamCli' }]);
  const Bucket = managed?.Outputs?.find(({ OutputKey }) => OutputKey === 'SourceBucket')?.OutputValue ?? '';

  // Code and template, which is named by AWS's address whatever the endpoint is.
  const code = { Bucket, Key: 'app/0123456789abcdef' };
  await expect(s3.send(new HeadObjectCommand(code))).rejects.toMatchObject({ $metadata: { httpStatusCode: 404 } });
  await s3.send(new PutObjectCommand({ ...code, Body: await zipOf(responding('sam')) }));
  const Body = samTemplate(`s3://${code.Bucket}/${code.Key}`);
  await s3.send(new PutObjectCommand({ Bucket, Key: 'app/1.template', Body }));
  const TemplateURL = `https://s3.us-east-1.amazonaws.com/${Bucket}/app/1.template`;
  const StackName = 'sam-app';
  await missing(StackName);
  const deployment = await send(
    new CreateChangeSetCommand({
      StackName,
      ChangeSetName: 'samcli-deploy1764547200',
      ChangeSetType: 'CREATE',
      TemplateURL,
      Parameters: [{ ParameterKey: 'Word', ParameterValue: 'word' }],
      Capabilities: ['CAPABILITY_IAM'],
      Tags: [],
    }),
  );
  const set = { ChangeSetName: deployment.Id ?? '', StackName };
  await waitUntilChangeSetCreateComplete(waiter, set);
  const changes: string[] = [];
  for await (const { Changes = [] } of paginateDescribeChangeSet({ client }, set)) {
    for (const { ResourceChange } of Changes)
      changes.push(`${ResourceChange?.Action} ${ResourceChange?.LogicalResourceId}`);
  }
  expect(changes).toEqual(['Add Hello', 'Add HelloRole']);
  const { StackEvents: [mark] = [] } = await send(new DescribeStackEventsCommand({ StackName }));
  await send(new ExecuteChangeSetCommand({ ...set, DisableRollback: false }));
  // It shows the events after the mark until the stack itself has ended.
  const seen: StackEvent[] = [];
  const isEnd = ({ PhysicalResourceId, StackId, ResourceStatus }: StackEvent) =>
    PhysicalResourceId === StackId && ResourceStatus?.endsWith('_COMPLETE') === true;
  while (!seen.some(isEnd)) {
    const { StackEvents = [] } = await send(new DescribeStackEventsCommand({ StackName }));
    const known = new Set(seen.map(({ EventId }) => EventId));
    seen.push(
      ...StackEvents.filter(
        ({ EventId, Timestamp }) => !known.has(EventId) && Number(Timestamp) > Number(mark?.Timestamp),
      ),
    );
  }
  expect(seen.map(({ LogicalResourceId }) => LogicalResourceId)).toContain('Hello');
  await waitUntilStackCreateComplete(waiter, { StackName });
  const { Name = '' } = stacks.outputs(await stacks.describe(StackName));
  expect((await service.invoke(Name)).payload).toBe('"sam"');

  // sam list, and the next deployment's first calls.
  const { StackResourceSummaries = [] } = await send(new ListStackResourcesCommand({ StackName }));
  expect(StackResourceSummaries.map(({ LogicalResourceId }) => LogicalResourceId)).toEqual(['Hello', 'HelloRole']);
  const { Parameters = [] } = await send(new GetTemplateSummaryCommand({ StackName }));
  expect(Parameters.map(({ ParameterKey }) => ParameterKey)).toEqual(['Word']);

  // sam delete.
  expect((await send(new GetTemplateCommand({ StackName, TemplateStage: 'Original' }))).TemplateBody).toBe(Body);
  await send(new DeleteStackCommand({ StackName }));
  await waitUntilStackDeleteComplete(waiter, { StackName });
  await missing(StackName);
  client.destroy();
});

const SAM_MANAGED = `AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Description: Managed Stack for AWS SAM CLI
Resources:
  SamCliSourceBucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: { Status: Enabled }
      Tags: [{ Key: ManagedStackSource, Value: AwsSamCli }]
  SamCliSourceBucketBucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref SamCliSourceBucket
      PolicyDocument:
        Statement:
          - Action: [s3:GetObject]
            Effect: Allow
            Resource: !Join ['', ['arn:', !Ref AWS::Partition, ':s3:::', !Ref SamCliSourceBucket, /*]]
            Principal: { Service: serverlessrepo.amazonaws.com }
Outputs:
  SourceBucket: { Value: !Ref SamCliSourceBucket }
`;

const samTemplate = (code: string) => `Transform: AWS::Serverless-2016-10-31
Parameters:
  Word: { Type: String }
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Metadata: { SamResourceId: Hello }
    Properties:
      CodeUri: ${code}
      Handler: handler
      Runtime: provided.al2023
      Environment: { Variables: { WORD: !Ref Word } }
Outputs:
  Name: { Value: !Ref Hello }
`;
