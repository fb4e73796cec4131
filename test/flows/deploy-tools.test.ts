/**
 * The calls of deployment tools for an existing function, in their order, with the members that they read. Recorded from
 * Serverless Framework 3.40. Those of the AWS CDK's hotswap deployments and of `sam sync` follow their documentation. Terraform
 * itself runs in `terraform.test.ts`.
 */
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
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

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
