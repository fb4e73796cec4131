/** Regions of AWS's other partitions: every service writes the partition of the client's region into its ARNs. */
import {
  CloudWatchLogsClient,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { AttachRolePolicyCommand, CreateRoleCommand, GetUserCommand, IAMClient } from '@aws-sdk/client-iam';
import {
  CreateFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  PublishLayerVersionCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { CreateTopicCommand, GetSubscriptionAttributesCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { AddPermissionCommand, CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const ACCOUNT = '123456789012';
let service: RunningService;

beforeAll(async () => {
  service = await startService();
});
afterAll(async () => {
  await service.close();
});

describe.each([
  ['cn-north-1', 'aws-cn'],
  ['us-gov-west-1', 'aws-us-gov'],
])('in %s the partition is %s', (region, partition) => {
  const configured = () => ({
    endpoint: service.url,
    region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });

  it('in the ARNs of roles, policies, users and sessions', async () => {
    const iam = new IAMClient(configured());
    const sts = new STSClient(configured());
    const root = `arn:${partition}:iam::${ACCOUNT}:root`;
    const role = `arn:${partition}:iam::${ACCOUNT}:role/worker`;
    const trust = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    };
    // Roles belong to the account, whatever the region: the second region finds the first one's.
    await iam
      .send(new CreateRoleCommand({ RoleName: 'worker', AssumeRolePolicyDocument: JSON.stringify(trust) }))
      .then(({ Role }) => expect(Role?.Arn).toBe(role))
      .catch((failure: Error) => expect(failure.name).toBe('EntityAlreadyExistsException'));
    await iam.send(
      new AttachRolePolicyCommand({
        RoleName: 'worker',
        PolicyArn: `arn:${partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole`,
      }),
    );
    expect((await iam.send(new GetUserCommand({}))).User?.Arn).toBe(root);
    expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toBe(root);
    const { AssumedRoleUser } = await sts.send(new AssumeRoleCommand({ RoleArn: role, RoleSessionName: 'me' }));
    expect(AssumedRoleUser?.Arn).toBe(`arn:${partition}:sts::${ACCOUNT}:assumed-role/worker/me`);
  });

  it('in the ARNs of queues and topics, and of the accounts that they name', async () => {
    const sqs = new SQSClient(configured());
    const sns = new SNSClient(configured());
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'jobs' }));
    await sqs.send(
      new AddPermissionCommand({ QueueUrl, Label: 'other', AWSAccountIds: ['210987654321'], Actions: ['SendMessage'] }),
    );
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
    const queue = `arn:${partition}:sqs:${region}:${ACCOUNT}:jobs`;
    expect(Attributes?.QueueArn).toBe(queue);
    expect(JSON.parse(Attributes?.Policy ?? '').Statement).toMatchObject([
      { Principal: { AWS: `arn:${partition}:iam::210987654321:root` }, Resource: queue },
    ]);
    const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'news' }));
    expect(TopicArn).toBe(`arn:${partition}:sns:${region}:${ACCOUNT}:news`);
    const { SubscriptionArn } = await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: queue }));
    expect((await sns.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }))).Attributes).toMatchObject({
      Owner: ACCOUNT,
      SubscriptionPrincipal: `arn:${partition}:iam::${ACCOUNT}:root`,
    });
  });

  it('in the ARNs of functions and layers; INIT_START and the configuration name the same runtime version', async () => {
    const lambda = new LambdaClient(configured());
    const logs = new CloudWatchLogsClient(configured());
    const { LayerArn } = await lambda.send(
      new PublishLayerVersionCommand({ LayerName: 'shared', Content: { ZipFile: await zipOf({ file: 'x' }) } }),
    );
    expect(LayerArn).toBe(`arn:${partition}:lambda:${region}:${ACCOUNT}:layer:shared`);
    const FunctionName = 'responses';
    const created = await lambda.send(
      new CreateFunctionCommand({
        FunctionName,
        Runtime: 'provided.al2023',
        Handler: 'handler',
        Role: `arn:${partition}:iam::${ACCOUNT}:role/worker`,
        Code: { ZipFile: await zipOf({ bootstrap: shellRuntime('respond 1') }) },
      }),
    );
    expect(created.FunctionArn).toBe(`arn:${partition}:lambda:${region}:${ACCOUNT}:function:responses`);
    await waitUntilFunctionActiveV2(
      { client: lambda, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 },
      { FunctionName },
    );
    await lambda.send(new InvokeCommand({ FunctionName }));

    const { RuntimeVersionConfig } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
    const runtime = RuntimeVersionConfig?.RuntimeVersionArn;
    expect(runtime).toMatch(new RegExp(`^arn:${partition}:lambda:${region}::runtime:[0-9a-f]{64}$`));
    const logGroupName = `/aws/lambda/${FunctionName}`;
    const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }));
    expect(logGroups?.[0]?.logGroupArn).toBe(`arn:${partition}:logs:${region}:${ACCOUNT}:log-group:${logGroupName}`);
    const { logStreams } = await logs.send(new DescribeLogStreamsCommand({ logGroupName }));
    const { events } = await logs.send(
      new GetLogEventsCommand({ logGroupName, logStreamName: logStreams?.[0]?.logStreamName, startFromHead: true }),
    );
    expect(events?.[0]?.message).toBe(
      `INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: ${runtime}\n`,
    );
  });
});
