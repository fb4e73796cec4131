/**
 * A stack of 200 resources against the same calls made one after the other by the AWS SDK: log groups with a retention, queues,
 * roles and functions. `node scripts/run.mjs bench stacks [ROUNDS]`: median time of each, in turns, and the memory of the service.
 */
import { readFileSync } from 'node:fs';
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { CreateRoleCommand, DeleteRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, DeleteQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { startLamella } from '../test/support/built-cli.ts';
import { shellRuntime, zipOf } from '../test/support/function-zip.ts';

const rounds = Number(process.argv[2] ?? 5);
/** Of each of the four types. */
const COUNT = 50;
const CODE = { S3Bucket: 'code', S3Key: 'code.zip' };
const Statement = [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }];
const TRUST = { Version: '2012-10-17', Statement };

const service = await startLamella(['--ephemeral', '--log-level', 'error']);
const access = {
  endpoint: service.url,
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
};
const cloudFormation = new CloudFormationClient(access);
const logs = new CloudWatchLogsClient(access);
const iam = new IAMClient(access);
const lambda = new LambdaClient(access);
const sqs = new SQSClient(access);
const s3 = new S3Client({ ...access, forcePathStyle: true });
await s3.send(new CreateBucketCommand({ Bucket: CODE.S3Bucket }));
const Body = await zipOf({ bootstrap: shellRuntime(`respond 'null'`) });
await s3.send(new PutObjectCommand({ Bucket: CODE.S3Bucket, Key: CODE.S3Key, Body }));

const names = (round: number) => Array.from({ length: COUNT }, (_, index) => `r${round}n${index}`);
const functionOf = (name: string) => ({
  FunctionName: name,
  Runtime: 'provided.al2023' as const,
  Handler: 'h',
  Code: CODE,
});

function templateOf(round: number): string {
  const resources = names(round).flatMap((name) => [
    [`${name}Group`, { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: name, RetentionInDays: 3 } }],
    [`${name}Queue`, { Type: 'AWS::SQS::Queue', Properties: { QueueName: name } }],
    [`${name}Role`, { Type: 'AWS::IAM::Role', Properties: { RoleName: name, AssumeRolePolicyDocument: TRUST } }],
    [
      `${name}Function`,
      {
        Type: 'AWS::Lambda::Function',
        Properties: { ...functionOf(name), Role: { 'Fn::GetAtt': [`${name}Role`, 'Arn'] } },
      },
    ],
  ]);
  return JSON.stringify({ Resources: Object.fromEntries(resources) });
}

async function settled(StackName: string): Promise<void> {
  for (;;) {
    const { Stacks: [stack] = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
    const status = stack?.StackStatus ?? '';
    if (status.endsWith('_IN_PROGRESS')) continue;
    if (status === 'CREATE_COMPLETE' || status === 'DELETE_COMPLETE') return;
    throw new Error(status);
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function byStack(round: number): Promise<[create: number, remove: number]> {
  const TemplateBody = templateOf(round);
  let StackName = `stack${round}`;
  const Capabilities = ['CAPABILITY_NAMED_IAM' as const];
  const create = await timed(async () => {
    const made = await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody, Capabilities }));
    StackName = made.StackId ?? '';
    await settled(StackName);
  });
  rss.push(['after a creation', memoryMib()]);
  const remove = await timed(async () => {
    await cloudFormation.send(new DeleteStackCommand({ StackName }));
    await settled(StackName);
  });
  return [create, remove];
}

async function byCalls(round: number): Promise<[create: number, remove: number]> {
  const urls: string[] = [];
  const create = await timed(async () => {
    for (const name of names(round)) {
      await logs.send(new CreateLogGroupCommand({ logGroupName: name }));
      await logs.send(new PutRetentionPolicyCommand({ logGroupName: name, retentionInDays: 3 }));
      urls.push((await sqs.send(new CreateQueueCommand({ QueueName: name }))).QueueUrl ?? '');
      const AssumeRolePolicyDocument = JSON.stringify(TRUST);
      const { Role } = await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument }));
      await lambda.send(new CreateFunctionCommand({ ...functionOf(name), Role: Role?.Arn }));
      await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
    }
  });
  const remove = await timed(async () => {
    for (const name of names(round)) {
      await lambda.send(new DeleteFunctionCommand({ FunctionName: name }));
      await iam.send(new DeleteRoleCommand({ RoleName: name }));
      await logs.send(new DeleteLogGroupCommand({ logGroupName: name }));
    }
    for (const QueueUrl of urls) await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  });
  return [create, remove];
}

/** Resident memory of the service. */
function memoryMib(): number {
  const status = readFileSync(`/proc/${service.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

const rss: [string, number][] = [['before', memoryMib()]];
const stack: [number, number][] = [];
const calls: [number, number][] = [];
for (let round = 0; round < rounds; round += 1) {
  stack.push(await byStack(2 * round));
  calls.push(await byCalls(2 * round + 1));
}
rss.push(['at the end', memoryMib()]);
await service.stop();

const median = (values: number[]) => Math.round(values.sort((one, other) => one - other)[values.length >> 1] ?? 0);
const column = (results: [number, number][], index: 0 | 1) => median(results.map((result) => result[index]));
console.log(`${4 * COUNT} resources, median of ${rounds} rounds in turns, ms`);
console.log(`  by a stack                  created ${column(stack, 0)}, deleted ${column(stack, 1)}`);
console.log(`  by calls, one after another created ${column(calls, 0)}, deleted ${column(calls, 1)}`);
console.log(`memory of the service, MiB: ${rss.map(([when, mib]) => `${when} ${mib}`).join(', ')}`);
