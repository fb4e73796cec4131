/**
 * Deploys public templates to a service of its own: `node scripts/run.mjs public-templates DIRECTORY...` with checkouts of
 * repositories such as https://github.com/aws-samples/serverless-patterns, which are not part of this repository.
 *
 * Of each template whose functions are zips for runtimes that run here (Node.js, Python, provided), it makes a stack, invokes
 * each function once, deletes the stack and looks for what is left. Code is packed as it is, without a build. A function whose
 * code does not answer (a missing dependency, a service that does not exist here) is invoked again with a stub.
 *
 * Options: `--only TEXT` for the templates whose path has the text, `--failures` for every template that fails, `--json FILE`
 * for all results.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, DeleteLogGroupCommand, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { IAMClient, ListRolesCommand } from '@aws-sdk/client-iam';
import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  ListLayersCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ListTopicsCommand, SNSClient } from '@aws-sdk/client-sns';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { entriesOfDirectory } from '../src/packaging/directory-entries.ts';
import { writeZip } from '../src/packaging/zip-writer.ts';
import { defaultOf } from '../src/template/parameters.ts';
import { readTemplate } from '../src/template/read-template.ts';
import { isObject, type Json, type JsonObject, member, renderJson, section } from '../src/template/tree.ts';
import { startLamella } from '../test/support/built-cli.ts';
import { shellRuntime, zipOf } from '../test/support/function-zip.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, failures: { type: 'boolean' }, json: { type: 'string' } },
});

type Result = {
  readonly template: string;
  /** Why it was not tried. */
  readonly skipped?: string;
  readonly deployed?: boolean;
  readonly reason?: string;
  /** Functions that answered with their own code, and with a stub; reasons of the rest. */
  readonly answered?: number;
  readonly stubbed?: number;
  readonly unanswered?: readonly string[];
  /** What the deletion left. */
  readonly left?: readonly string[];
  readonly recorded?: readonly string[];
};

/** Code that calls AWS waits for it in vain. */
const OWN_ANSWER_MS = 4_000;
const STUB_ANSWER_MS = 30_000;
/** Environments of deleted functions end by themselves. */
const END_MS = 20_000;
const RUNS_HERE = /^(nodejs\d+\.x|python3\.\d+|provided(\.\w+)?)$/;
const BUCKET = 'artifacts';
/** Properties that name a file or a directory, and whether that becomes a zip. */
const ARTIFACTS: Readonly<Record<string, readonly (readonly [property: string, kind: 'zip' | 'file'])[]>> = {
  'AWS::Serverless::Function': [['CodeUri', 'zip']],
  'AWS::Serverless::LayerVersion': [['ContentUri', 'zip']],
  'AWS::Serverless::Api': [['DefinitionUri', 'file']],
  'AWS::Serverless::HttpApi': [['DefinitionUri', 'file']],
  'AWS::Serverless::StateMachine': [['DefinitionUri', 'file']],
  'AWS::Serverless::GraphQLApi': [['SchemaUri', 'file']],
  'AWS::Lambda::Function': [['Code', 'zip']],
  'AWS::Lambda::LayerVersion': [['Content', 'zip']],
  'AWS::ApiGateway::RestApi': [['BodyS3Location', 'file']],
  'AWS::AppSync::GraphQLSchema': [['DefinitionS3Location', 'file']],
  'AWS::StepFunctions::StateMachine': [['DefinitionS3Location', 'file']],
};

/** Values of parameters that name existing resources. */
const IDS: Readonly<Record<string, string>> = {
  '::Subnet::Id': 'subnet-0123456789abcdef0',
  '::SecurityGroup::Id': 'sg-0123456789abcdef0',
  '::VPC::Id': 'vpc-0123456789abcdef0',
};

const workspace = mkdtempSync(join(tmpdir(), 'lamella-public-templates-'));
const service = await startLamella(['--ephemeral', '--log-level', 'error', '--cpu', 'unlimited']);
const access = {
  endpoint: service.url,
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  maxAttempts: 1,
};
const cloudFormation = new CloudFormationClient(access);
const lambda = new LambdaClient(access);
const s3 = new S3Client({ ...access, forcePathStyle: true });
const logs = new CloudWatchLogsClient(access);
const iam = new IAMClient(access);
const sqs = new SQSClient(access);
const sns = new SNSClient(access);
await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));

const results: Result[] = [];
for (const root of positionals) {
  for (const path of templatesBelow(resolve(root))) {
    const template = join(basename(resolve(root)), relative(resolve(root), path));
    if (flags.only !== undefined && !template.includes(flags.only)) continue;
    const result = { template, ...(await attempt(path, `t${results.length}`).catch(broken)) };
    results.push(result);
    if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(results, undefined, 1));
    if (flags.failures === true && isFault(result)) console.log(JSON.stringify(result));
  }
}
await service.stop();
rmSync(workspace, { recursive: true });
summarize();

function broken(failure: unknown): Omit<Result, 'template'> {
  return { deployed: false, reason: `this script: ${(failure as Error).stack ?? failure}` };
}

function isFault({ skipped, deployed, unanswered = [], left = [] }: Result): boolean {
  return skipped === undefined && (deployed !== true || unanswered.length > 0 || left.length > 0);
}

function templatesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return /^(node_modules|\.git|cdk\.out)$/.test(entry.name) ? [] : templatesBelow(path);
      const isCandidate = entry.isFile() && /\.(ya?ml|json|template)$/.test(entry.name) && statSync(path).size < 1e6;
      return isCandidate && /["']?Resources["']?\s*:/.test(readFileSync(path, 'utf8')) ? [path] : [];
    });
}

async function attempt(path: string, StackName: string): Promise<Omit<Result, 'template'>> {
  let body: JsonObject;
  try {
    body = readTemplate(readFileSync(path, 'utf8'), { duplicateKeys: 'last' }).body;
  } catch (failure) {
    return { skipped: `not a template: ${(failure as Error).message.split('\n')[0]}` };
  }
  const reason = whyNot(body);
  if (reason !== undefined) return { skipped: reason };
  await uploadArtifacts(body, dirname(path));
  await uploadIncludes(body, dirname(path));
  const before = await inventory();
  const Key = `${StackName}.template`;
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: renderJson(body) }));
  let outcome: Omit<Result, 'template'>;
  try {
    outcome = await deployAndInvoke(body, StackName, Key);
  } catch (failure) {
    const { name, message } = failure as Error;
    return { deployed: false, reason: `${name}: ${message}` };
  }
  const { failures, retained } = await removeStack(StackName);
  // What a policy retains stays on AWS too.
  const isKept = (item: string) => before.includes(item) || retained.some((id) => item.includes(id));
  return { ...outcome, left: [...failures, ...(await additions(isKept))] };
}

/** What there is that should not be kept, once environments have had their time to end. */
async function additions(isKept: (item: string) => boolean): Promise<string[]> {
  const end = performance.now() + END_MS;
  for (;;) {
    await removeLogGroups();
    const added = (await inventory()).filter((item) => !isKept(item));
    if (added.length === 0 || performance.now() > end) return added;
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Why its functions cannot run here. */
function whyNot(body: JsonObject): string | undefined {
  const resources = Object.values(section(body, 'Resources'));
  const typeOf = (resource: Json) => String(member(resource, 'Type'));
  if (!resources.every((resource) => typeof member(resource, 'Type') === 'string')) return 'not a template';
  const functions = resources.filter((resource) => /^AWS::(Serverless|Lambda)::Function$/.test(typeOf(resource)));
  if (functions.length === 0) return 'no function';
  const inherited = member(member(section(body, 'Globals'), 'Function'), 'Runtime');
  for (const each of functions) {
    const properties = member(each, 'Properties');
    const given = member(properties, 'Runtime') ?? inherited;
    const name = isObject(given) ? member(given, 'Ref') : undefined;
    const runtime = typeof name === 'string' ? member(member(section(body, 'Parameters'), name), 'Default') : given;
    if (member(properties, 'PackageType') === 'Image' || member(properties, 'ImageUri')) return 'image';
    if (typeof runtime !== 'string' || !RUNS_HERE.test(runtime)) return `runtime ${renderJson(runtime ?? null, 0)}`;
  }
  return undefined;
}

/** Packs what the template names below its directory, as `aws cloudformation package` does. */
async function uploadArtifacts(body: JsonObject, directory: string): Promise<void> {
  const globals = member(section(body, 'Globals'), 'Function');
  for (const resource of Object.values(section(body, 'Resources'))) {
    const type = String(member(resource, 'Type'));
    const properties = member(resource, 'Properties');
    if (!isObject(properties)) continue;
    for (const [property, kind] of ARTIFACTS[type] ?? []) {
      const isDefault = property === 'CodeUri' && properties.InlineCode === undefined;
      const named = properties[property] ?? (isDefault ? (member(globals, property) ?? '.') : undefined);
      if (typeof named !== 'string' || /^(s3|https?):/.test(named)) continue;
      const path = resolve(directory, named);
      const Key = `${results.length}-${Object.keys(section(body, 'Resources')).indexOf(type)}-${Math.random()}`;
      if (!existsSync(path)) {
        // A build makes it: the function answers by a stub.
        await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: await zipOf({ 'empty.txt': '' }) }));
      } else if (kind === 'file' && statSync(path).isFile()) {
        await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: readFileSync(path) }));
      } else {
        await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: await zipFrom(path) }));
      }
      const isLambda = type === 'AWS::Lambda::Function' || type === 'AWS::Lambda::LayerVersion';
      const isText = type === 'AWS::Serverless::GraphQLApi';
      const at = isLambda ? { S3Bucket: BUCKET, S3Key: Key } : { Bucket: BUCKET, Key };
      properties[property] = isText ? `s3://${BUCKET}/${Key}` : (at as JsonObject);
    }
  }
}

/** Uploads the files of `AWS::Include`, and the templates of nested stacks with what they name. */
async function uploadIncludes(value: Json, directory: string): Promise<void> {
  if (Array.isArray(value)) for (const item of value) await uploadIncludes(item, directory);
  if (!isObject(value)) return;
  const { Location, TemplateURL } = value;
  for (const [property, named] of Object.entries({ Location, TemplateURL })) {
    const path = typeof named === 'string' ? resolve(directory, named) : '';
    if (typeof named !== 'string' || !existsSync(path) || !statSync(path).isFile()) continue;
    const Key = `included-${Math.random()}`;
    const isStack = property === 'TemplateURL' || value.ApplicationId === undefined;
    let Body = readFileSync(path, 'utf8');
    const isNested = isStack && /["']?Resources["']?\s*:/.test(Body);
    if (isNested) {
      const { body } = readTemplate(Body);
      await uploadArtifacts(body, dirname(path));
      await uploadIncludes(body, dirname(path));
      Body = renderJson(body);
    }
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
    value[property] = isNested ? `https://s3.amazonaws.com/${BUCKET}/${Key}` : `s3://${BUCKET}/${Key}`;
  }
  for (const item of Object.values(value)) await uploadIncludes(item, directory);
}

async function zipFrom(path: string): Promise<Buffer> {
  if (statSync(path).isFile()) {
    const bytes = readFileSync(path);
    return bytes.subarray(0, 2).toString() === 'PK' ? bytes : zipOf({ [basename(path)]: bytes });
  }
  const output = join(workspace, 'code.zip');
  const entries = await entriesOfDirectory(path);
  await writeZip(output, entries);
  return readFileSync(output);
}

function parametersOf(body: JsonObject) {
  return Object.entries(section(body, 'Parameters')).flatMap(([ParameterKey, declaration]) => {
    if (!isObject(declaration) || defaultOf(declaration) !== undefined) return [];
    const type = String(declaration.Type);
    const [allowed] = Array.isArray(declaration.AllowedValues) ? declaration.AllowedValues : [];
    const length = Number(declaration.MinLength ?? 1);
    const text = /email/i.test(ParameterKey) ? 'someone@example.com' : 'value'.padEnd(length, 'x').toLowerCase();
    const known = Object.entries(IDS).find(([part]) => type.includes(part))?.[1];
    if (known !== undefined) return [{ ParameterKey, ParameterValue: known }];
    const value = type === 'Number' ? (declaration.MinValue ?? 1) : /List|Comma/.test(type) ? 'one,two' : text;
    return [{ ParameterKey, ParameterValue: String(allowed ?? value) }];
  });
}

async function deployAndInvoke(body: JsonObject, StackName: string, key: string): Promise<Omit<Result, 'template'>> {
  await cloudFormation.send(
    new CreateStackCommand({
      StackName,
      TemplateURL: `https://s3.amazonaws.com/${BUCKET}/${key}`,
      Parameters: parametersOf(body),
      Capabilities: ['CAPABILITY_NAMED_IAM', 'CAPABILITY_AUTO_EXPAND'],
    }),
  );
  const status = await settled(StackName);
  if (status !== 'CREATE_COMPLETE') return { deployed: false, reason: await firstFailure(StackName) };
  const functions: string[] = [];
  for await (const page of paginateListStackResources({ client: cloudFormation }, { StackName })) {
    for (const { ResourceType, PhysicalResourceId } of page.StackResourceSummaries ?? []) {
      if (ResourceType === 'AWS::Lambda::Function' && PhysicalResourceId) functions.push(PhysicalResourceId);
    }
  }
  const answers = await Promise.all(functions.map(answerOf));
  return {
    deployed: true,
    answered: answers.filter((answer) => answer === 'answered').length,
    stubbed: answers.filter((answer) => answer === 'stubbed').length,
    unanswered: answers.filter((answer) => answer !== 'answered' && answer !== 'stubbed'),
  };
}

/** `answered`, `stubbed`, or why the function does not answer. */
async function answerOf(FunctionName: string): Promise<string> {
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const invoke = async (timeoutMs: number) => {
    const TenantId = configuration.TenancyConfig === undefined ? undefined : 'tenant';
    const { FunctionError, Payload } = await lambda.send(new InvokeCommand({ FunctionName, TenantId, Payload: '{}' }), {
      abortSignal: AbortSignal.timeout(timeoutMs),
    });
    return FunctionError === undefined ? undefined : Buffer.from(Payload ?? []).toString();
  };
  const own = await invoke(OWN_ANSWER_MS).catch((failure: Error) => failure.message);
  if (own === undefined) return 'answered';
  const { Runtime = '', Handler = '' } = configuration;
  const ZipFile = await stubOf(Runtime, Handler);
  await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }));
  const stub = await invoke(STUB_ANSWER_MS).catch((failure: Error) => failure.message);
  return stub === undefined ? 'stubbed' : `${FunctionName}: ${own.slice(0, 200)}; with a stub: ${stub.slice(0, 300)}`;
}

function stubOf(runtime: string, handler: string): Promise<Buffer> {
  const at = handler.lastIndexOf('.');
  const [file, name] = [handler.slice(0, at), handler.slice(at + 1)];
  if (runtime.startsWith('nodejs'))
    return zipOf({ [`${file}.js`]: `exports.${name} = async () => ({ statusCode: 200 });\n` });
  if (runtime.startsWith('python')) {
    const path = file.replaceAll('.', '/');
    return zipOf({ [`${path}.py`]: `def ${name}(event, context):\n    return {"statusCode": 200}\n` });
  }
  return zipOf({ bootstrap: shellRuntime(`respond '{"statusCode":200}'`) });
}

async function settled(StackName: string): Promise<string | undefined> {
  for (;;) {
    const { Stacks: [stack] = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
    if (!stack?.StackStatus?.endsWith('_IN_PROGRESS')) return stack?.StackStatus;
  }
}

async function firstFailure(StackName: string): Promise<string> {
  const { StackEvents = [] } = await cloudFormation.send(new DescribeStackEventsCommand({ StackName }));
  const failed = StackEvents.filter(
    ({ ResourceStatus = '', ResourceStatusReason = '' }) =>
      ResourceStatus.endsWith('_FAILED') && !ResourceStatusReason.endsWith('cancelled'),
  ).at(-1);
  const stack = StackEvents.findLast(({ ResourceStatus }) => ResourceStatus === 'ROLLBACK_IN_PROGRESS');
  const { ResourceType, ResourceStatusReason, LogicalResourceId } = failed ?? stack ?? {};
  return `${LogicalResourceId} (${ResourceType}): ${ResourceStatusReason}`;
}

/** The log groups that functions make stay on AWS too. */
async function removeLogGroups(): Promise<void> {
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws/lambda/' }));
  for (const { logGroupName } of logGroups) await logs.send(new DeleteLogGroupCommand({ logGroupName }));
}

/** Deletes a stack. Returns what could not be deleted, and the names of what a policy retains. */
async function removeStack(StackName: string): Promise<{ failures: string[]; retained: string[] }> {
  const { Stacks: [stack] = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
  const id = stack?.StackId ?? StackName;
  await cloudFormation.send(new DeleteStackCommand({ StackName: id }));
  const status = await settled(id);
  const { StackEvents = [] } = await cloudFormation.send(new DescribeStackEventsCommand({ StackName: id }));
  const skipped = StackEvents.filter(({ ResourceStatus }) => ResourceStatus === 'DELETE_SKIPPED');
  return {
    failures: status === 'DELETE_COMPLETE' ? [] : [`stack ${status}: ${await firstFailure(id)}`],
    // Of a layer version's ARN, the layer's name.
    retained: skipped.flatMap(({ PhysicalResourceId = '' }) => {
      const parts = PhysicalResourceId.split(':');
      return [PhysicalResourceId, parts[parts.indexOf('layer') + 1] ?? ''].filter((name) => name.length > 3);
    }),
  };
}

/** What the service has, by kind and name. */
async function inventory(): Promise<string[]> {
  const [functions, layers, roles, queues, topics, buckets, groups] = await Promise.all([
    lambda.send(new ListFunctionsCommand({})),
    lambda.send(new ListLayersCommand({})),
    iam.send(new ListRolesCommand({})),
    sqs.send(new ListQueuesCommand({})),
    sns.send(new ListTopicsCommand({})),
    s3.send(new ListBucketsCommand({})),
    logs.send(new DescribeLogGroupsCommand({})),
  ]);
  const environments = (await (await fetch(`${service.url}/_lamella/environments`)).json()) as {
    readonly environments: readonly { readonly function?: string }[];
  };
  return [
    ...(functions.Functions ?? []).map(({ FunctionName }) => `function ${FunctionName}`),
    ...(layers.Layers ?? []).map(({ LayerName }) => `layer ${LayerName}`),
    ...(roles.Roles ?? []).map(({ RoleName }) => `role ${RoleName}`),
    ...(queues.QueueUrls ?? []).map((url) => `queue ${url}`),
    ...(topics.Topics ?? []).map(({ TopicArn }) => `topic ${TopicArn}`),
    ...(buckets.Buckets ?? []).map(({ Name }) => `bucket ${Name}`),
    ...(groups.logGroups ?? []).map(({ logGroupName }) => `log group ${logGroupName}`),
    ...environments.environments.map((environment) => `environment ${environment.function ?? ''}`),
  ];
}

function summarize(): void {
  const tried = results.filter(({ skipped }) => skipped === undefined);
  const deployed = tried.filter((result) => result.deployed === true);
  const answering = deployed.filter(({ unanswered = [] }) => unanswered.length === 0);
  const own = answering.filter(({ stubbed = 0 }) => stubbed === 0);
  const clean = deployed.filter(({ left = [] }) => left.length === 0);
  console.log(`${results.length} templates, ${tried.length} with functions that run here`);
  console.log(`${deployed.length} deployed, ${answering.length} answered (${own.length} with their own code alone)`);
  console.log(`${clean.length} deleted without a trace`);
  const reasons = new Map<string, number>();
  for (const { skipped, deployed: isDeployed, reason, left = [], unanswered = [] } of results) {
    for (const each of [
      ...(skipped === undefined ? [] : [`skipped: ${skipped}`]),
      ...(isDeployed === false ? [`not deployed: ${reason}`] : []),
      ...left.map((item) => `left: ${item}`),
      ...unanswered.map((item) => `unanswered: ${item}`),
    ]) {
      const kind = each.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\bt\d+-[\w-]+|\b\d{2,}\b/g, '…').slice(0, 200);
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
    }
  }
  for (const [kind, count] of [...reasons].sort((one, other) => other[1] - one[1])) console.log(`${count}  ${kind}`);
}
