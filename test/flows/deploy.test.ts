/**
 * `lamella deploy`, `diff` and `destroy` against a second Lamella as the cloud, which verifies signatures. A proxy records
 * their calls, to compare them with the plan, and stops them at any call.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListChangeSetsCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ListObjectVersionsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { readsEndpointVariables } from '../../src/cli/aws-cli.ts';
import { awsCli } from '../support/aws-cli.ts';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella } from '../support/built-cli.ts';
import { type CliResult, lamellaHere } from '../support/cli-here.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { type RecordedCall, type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const KEYS = { accessKeyId: 'cloud', secretAccessKey: 'cloud-secret' };
/** Looks like a key of AWS. It must never arrive anywhere here. */
const REAL = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const MANAGED = 'aws-sam-cli-managed-default';

let cloud: RunningService;
let proxy: RecordingProxy;
let stacks: CloudFormationClient;
let functions: LambdaClient;
let s3: S3Client;
const workspace = mkdtempSync(join(tmpdir(), 'lamella-deploy-'));

beforeAll(async () => {
  buildIfStale();
  cloud = await startService({ enforceAuth: true, accessKeys: `${KEYS.accessKeyId}:${KEYS.secretAccessKey}` });
  proxy = await startRecordingProxy(cloud.url);
  const access = { endpoint: cloud.url, region: 'us-east-1', credentials: KEYS, maxAttempts: 1 };
  stacks = new CloudFormationClient(access);
  functions = new LambdaClient(access);
  s3 = new S3Client({ ...access, forcePathStyle: true });
}, 120_000);
afterAll(async () => {
  for (const client of [stacks, functions, s3]) client.destroy();
  await proxy.close();
  await cloud.close();
  rmSync(workspace, { recursive: true, force: true });
});
beforeEach(() => {
  proxy.onCall = undefined;
  proxy.takeNames();
});

const environment = () => ({
  AWS_ENDPOINT_URL: proxy.url,
  LAMELLA_ACCESS_KEYS: `${KEYS.accessKeyId}:${KEYS.secretAccessKey}`,
  HOME: workspace,
  ...REAL,
});
/** In this process: a process of its own for each command would cost most of the time. */
const run = (directory: string, ...args: string[]): Promise<CliResult> =>
  lamellaHere(args, { directory, environment: environment() });

const role =
  "{AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}}";
const TEMPLATE = `
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: provided.al2023, Handler: x}}
Parameters: {Word: {Type: String, Default: one}}
Resources:
  One: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: one, Role: !GetAtt Role.Arn, Environment: {Variables: {WORD: !Ref Word}}}}
  Two: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: two, Role: !GetAtt Role.Arn}}
  Role: {Type: 'AWS::IAM::Role', Properties: ${role}}
Outputs: {Name: {Value: !Ref One}}
`;

/** A project of two functions. */
function project(name: string, template = TEMPLATE): string {
  const directory = join(workspace, name);
  write(directory, 'template.yaml', template);
  for (const one of ['one', 'two']) {
    write(directory, `${one}/bootstrap`, shellRuntime(`respond "\\"${one} $WORD $AWS_ACCESS_KEY_ID\\""`), 0o755);
  }
  return directory;
}

function write(directory: string, path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), content, { mode });
}

async function statusOf(StackName: string): Promise<string | undefined> {
  try {
    return (await stacks.send(new DescribeStacksCommand({ StackName }))).Stacks?.[0]?.StackStatus;
  } catch {
    return undefined;
  }
}

async function invoke(FunctionName: string): Promise<string> {
  const { Payload } = await functions.send(new InvokeCommand({ FunctionName }));
  return Buffer.from(Payload ?? []).toString();
}

const writes = (calls: readonly RecordedCall[]) =>
  calls
    .filter(({ name }) => /:(PUT|POST|DELETE|Create|Execute|Delete|Update)/.test(name))
    .map(({ name }) => name.replace(/\/[^/]+\/([^/]+)\/.*/, ' $1'));

it('a deployment does what its plan says, call by call, and nothing if nothing has changed', async () => {
  const directory = project('shop');
  const refused = await run(directory, 'deploy');
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('there is no terminal to ask. Give --yes.'),
  ]);
  expect(proxy.takeNames()).toEqual([]);

  const planned = await run(directory, 'deploy', '--dry-run');
  expect([planned.code, planned.stderr]).toEqual([
    0,
    expect.stringMatching(/\+ One +AWS::Lambda::Function +create, 1 kB\n/),
  ]);
  expect(writes(proxy.calls)).toEqual([
    'cloudformation:CreateChangeSet',
    'cloudformation:DeleteChangeSet',
    'cloudformation:DeleteStack',
  ]);
  expect([await statusOf('shop'), await statusOf(MANAGED)]).toEqual([undefined, undefined]);
  proxy.calls.length = 0;

  const deployed = JSON.parse((await run(directory, 'deploy', '--yes', '--json')).stdout.toString());
  expect(deployed).toMatchObject({ status: 'deployed', stack: { name: 'shop', status: 'CREATE_COMPLETE' } });
  const { plan } = deployed;
  // The bucket first, by a stack of its own; then what the plan names, once each; then the change set of the plan.
  expect(writes(proxy.calls)).toEqual([
    'cloudformation:CreateChangeSet',
    'cloudformation:ExecuteChangeSet',
    ...plan.uploads.map(() => 's3:PUT  shop'),
    'cloudformation:CreateChangeSet',
    'cloudformation:ExecuteChangeSet',
  ]);
  const puts = proxy.calls.filter(({ method }) => method === 'PUT').map(({ path }) => path);
  expect(puts).toEqual(plan.uploads.map(({ key }: { key: string }) => `/${plan.bucket}/${key}`));
  const made = await stacks.send(new ListStackResourcesCommand({ StackName: 'shop' }));
  expect(made.StackResourceSummaries?.map(({ LogicalResourceId }) => LogicalResourceId).sort()).toEqual(
    plan.changes.map(({ logicalId }: { logicalId: string }) => logicalId).sort(),
  );
  expect(plan.changes.every(({ action }: { action: string }) => action === 'Add')).toBe(true);
  expect(await invoke(deployed.outputs.Name)).toMatch(/^"one one /);

  proxy.calls.length = 0;
  const again = await run(directory, 'deploy', '--yes');
  expect([again.code, again.stdout.toString()]).toEqual([0, `Name  ${deployed.outputs.Name}\n`]);
  expect(writes(proxy.calls)).toEqual([]);
  expect((await run(directory, 'deploy', '--yes', '--fail-on-empty-changeset')).code).toBe(1);

  write(directory, 'one/bootstrap', shellRuntime(`respond '"changed"'`), 0o755);
  const difference = await run(directory, 'diff', '--parameter-overrides', 'Word=two words');
  expect(difference.stdout.toString()).toBe(
    '~ Resources/One (AWS::Serverless::Function)\n    ~ bootstrap (1 kB)\n~ Parameter Word\n    "one" -> "two words"\n',
  );
  proxy.calls.length = 0;
  const changed = JSON.parse(
    (await run(directory, 'deploy', '--yes', '--json', '--parameter-overrides', 'Word=two words')).stdout.toString(),
  );
  expect(changed.plan.changes).toMatchObject([{ action: 'Modify', logicalId: 'One', replacement: 'False' }]);
  expect(changed.plan.uploads.map(({ names }: { names: string[] }) => names)).toEqual([['One']]);
  expect(writes(proxy.calls)).toEqual([
    's3:PUT  shop',
    'cloudformation:CreateChangeSet',
    'cloudformation:ExecuteChangeSet',
  ]);
  expect(await invoke(deployed.outputs.Name)).toBe('"changed"');
  // What is not given keeps its value.
  expect((await run(directory, 'deploy', '--yes', '--no-fail-on-empty-changeset')).stderr).toContain(
    'Nothing to deploy',
  );

  const destroyed = await run(directory, 'destroy', '--yes');
  expect([destroyed.code, destroyed.stderr]).toEqual([
    0,
    expect.stringContaining('Deleted shop. 3 uploaded files were removed.'),
  ]);
  expect(await statusOf('shop')).toBeUndefined();
  const left = await s3.send(new ListObjectVersionsCommand({ Bucket: plan.bucket }));
  expect(left.Versions ?? []).toEqual([]);
  expect((await run(directory, 'destroy', '--yes')).stderr).toContain('There is no stack shop.');
}, 60_000);

it('no key of AWS goes to another endpoint or to a function, and none that is made up to AWS', async () => {
  expect(proxy.calls.length).toBeGreaterThan(0);
  const all = JSON.stringify(proxy.calls.map(({ headers, path }) => [headers, path]));
  expect(all).not.toMatch(/AKIA/);
  expect(proxy.calls.every(({ authorization }) => authorization.includes('Credential=cloud/'))).toBe(true);

  const directory = project('keys');
  const without = { HOME: workspace, AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'us-east-1' };
  const madeUp = { AWS_ACCESS_KEY_ID: 'lamella', AWS_SECRET_ACCESS_KEY: 'lamella' };
  const results: CliResult[] = [];
  for (const [args, variables] of [
    // AWS itself: keys that are made up, none, and no region.
    [[], { ...without, ...madeUp }],
    [['--endpoint-url', 'https://cloudformation.us-east-1.amazonaws.com'], { ...without, ...madeUp }],
    [[], without],
    [[], { HOME: workspace, ...madeUp }],
    // A service that does not know the keys: those of AWS are not tried.
    [[], { ...without, ...REAL, AWS_ENDPOINT_URL: proxy.url }],
  ] as const) {
    results.push(await lamellaHere(['deploy', '--yes', ...args], { directory, environment: variables }));
  }
  expect(
    results.map(({ code, stderr }) => `${code} ${stderr.split('\n').find((line) => line.startsWith('error:'))}`),
  ).toEqual([
    '2 error: Cannot call AWS: "lamella" is not an access key of AWS.',
    '2 error: Cannot call AWS: "lamella" is not an access key of AWS.',
    expect.stringMatching(/^2 error: Cannot call AWS: Could not load credentials from any providers\.$/),
    '2 error: Name the region with --region or AWS_REGION.',
    expect.stringMatching(
      /^5 error: An error occurred \((InvalidClientTokenId|UnrecognizedClientException)\) when calling the GetCallerIdentity operation/,
    ),
  ]);
  expect(JSON.stringify(proxy.calls.at(-1)?.headers)).not.toMatch(/AKIA/);
}, 60_000);

it('a directory without a template gets one, and functions get keys of their role', async () => {
  const directory = join(workspace, 'bare');
  write(directory, 'bootstrap', shellRuntime('respond "\\"$AWS_ACCESS_KEY_ID\\""'), 0o755);
  const planned = await run(directory, 'deploy', '--dry-run');
  expect([planned.code, planned.stderr]).toEqual([2, expect.stringContaining('Save the one above as template.yaml')]);
  const deployed = JSON.parse((await run(directory, 'deploy', '--yes', '--json')).stdout.toString());
  expect(deployed.outputs.Url).toMatch(/^http/);
  expect(await invoke('bare')).toMatch(/^"(?!AKIA)\w+"$/);
  expect((await run(directory, 'deploy', '--yes')).stderr).toContain('Nothing to deploy');
}, 60_000);

it('deploys nested stacks, and aliases that move', async () => {
  const directory = project(
    'outer',
    `
Transform: AWS::Serverless-2016-10-31
Resources:
  Inner: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: inner/template.yaml, Parameters: {Word: inner}}}
  Live:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: two, Runtime: provided.al2023, Handler: x, AutoPublishAlias: live, DeploymentPreference: {Type: AllAtOnce}}
Outputs: {Name: {Value: !GetAtt Inner.Outputs.Name}, Live: {Value: !Ref Live}}
`,
  );
  write(directory, 'inner/template.yaml', TEMPLATE.replaceAll('CodeUri: ', 'CodeUri: ../'));
  const deploy = async () =>
    JSON.parse((await run(directory, 'deploy', '--yes', '--json', '--no-check')).stdout.toString());
  const first = await deploy();
  expect(first.stack.status).toBe('CREATE_COMPLETE');
  expect(first.plan.uploads.map(({ names }: { names: string[] }) => names)).toEqual([
    ['Live', 'Two'],
    ['One'],
    ['Inner'],
  ]);
  expect(await invoke(first.outputs.Name)).toMatch(/^"one inner /);
  expect(await invoke(`${first.outputs.Live}:live`)).toMatch(/^"two /);
  write(directory, 'two/bootstrap', shellRuntime(`respond '"moved"'`), 0o755);
  const second = await deploy();
  expect(second.plan.changes.map(({ logicalId }: { logicalId: string }) => logicalId)).toContain('LiveAliaslive');
  expect(await invoke(`${first.outputs.Live}:live`)).toBe('"moved"');
  expect((await deploy()).status).toBe('unchanged');
  expect((await run(directory, 'destroy', '--yes')).code).toBe(0);
}, 60_000);

it('a failed creation says why, and the next deployment begins anew', async () => {
  const failing = TEMPLATE.replace('CodeUri: two,', 'CodeUri: two, Timeout: 901,');
  const directory = project('failing', failing);
  const failed = await run(directory, 'deploy', '--yes', '--no-check');
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(
    /error: The deployment of failing failed, and the stack is in ROLLBACK_COMPLETE:\n {2}Two CREATE_FAILED: .*'timeout' failed to satisfy constraint/,
  );
  expect(await statusOf('failing')).toBe('ROLLBACK_COMPLETE');
  const planned = await run(directory, 'deploy', '--dry-run', '--no-check');
  expect([planned.code, planned.stderr]).toEqual([
    1,
    expect.stringContaining('The stack failing is in ROLLBACK_COMPLETE and cannot be changed'),
  ]);
  project('failing');
  expect((await run(directory, 'deploy', '--yes')).code).toBe(0);
  expect(await statusOf('failing')).toBe('CREATE_COMPLETE');
  // An update that fails is rolled back, and what was there stays.
  project('failing', failing);
  const update = await run(directory, 'deploy', '--yes', '--no-check');
  expect([update.code, update.stderr]).toEqual([
    1,
    expect.stringContaining('the stack is in UPDATE_ROLLBACK_COMPLETE'),
  ]);
  project('failing');
  expect((await run(directory, 'deploy', '--yes')).code).toBe(0);
}, 60_000);

/** Runs a command until it makes a call that matches, then ends it with a signal before the service sees the call, or after. */
async function interrupted(
  directory: string,
  signal: NodeJS.Signals,
  matches: (call: RecordedCall) => boolean,
): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(LAMELLA, ['deploy', '--yes'], {
    cwd: directory,
    env: cleanEnvironment(environment()),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const closed = once(child, 'close');
  let isHit = false;
  proxy.onCall = async (call) => {
    if (isHit || !matches(call)) return undefined;
    isHit = true;
    child.kill(signal);
    // The call goes on to the service: the client is gone, or will not read the response.
    return undefined;
  };
  const [code] = (await closed) as [number | null];
  proxy.onCall = undefined;
  expect(isHit, `the call did not happen: ${stderr}`).toBe(true);
  return { code, stderr };
}

const PHASES: readonly (readonly [string, (call: RecordedCall) => boolean])[] = [
  ['upload', ({ method, name }) => method === 'PUT' && name.startsWith('s3:')],
  ['create', ({ name }) => name === 'cloudformation:CreateChangeSet'],
  ['describe', ({ name }) => name === 'cloudformation:DescribeChangeSet'],
  ['execute', ({ name }) => name === 'cloudformation:ExecuteChangeSet'],
  [
    'events',
    ({ name, form }) =>
      name === 'cloudformation:DescribeStackEvents' && (form.get('StackName') ?? '').includes('stack/killed-'),
  ],
];

it('a deployment that is killed at any phase is completed by the next one', async () => {
  for (const [phase, matches] of PHASES) {
    const directory = project(`killed-${phase}`);
    await interrupted(directory, 'SIGKILL', matches);
    const next = await run(directory, 'deploy', '--yes');
    expect([phase, next.code, next.stderr]).toEqual([phase, 0, expect.stringMatching(/Deployed|Nothing to deploy/)]);
    expect(await statusOf(`killed-${phase}`)).toBe('CREATE_COMPLETE');
  }
}, 120_000);

it('Ctrl+C before the execution leaves no change set and no stack, and during it says that CloudFormation goes on', async () => {
  const directory = project('stopped');
  const early = await interrupted(directory, 'SIGINT', ({ name }) => name === 'cloudformation:DescribeChangeSet');
  expect(early.code).toBe(130);
  expect(await statusOf('stopped')).toBeUndefined();
  const late = await interrupted(directory, 'SIGINT', ({ name }) => name === 'cloudformation:ExecuteChangeSet');
  expect([late.code, late.stderr]).toEqual([130, expect.stringContaining('Run `lamella deploy` again to follow it')]);
  expect((await run(directory, 'deploy', '--yes')).code).toBe(0);
  expect(await statusOf('stopped')).toBe('CREATE_COMPLETE');
  const { Summaries = [] } = await stacks.send(new ListChangeSetsCommand({ StackName: 'stopped' }));
  expect(Summaries.filter(({ ExecutionStatus }) => ExecutionStatus === 'AVAILABLE')).toEqual([]);
}, 60_000);

it('of two deployments at once each one succeeds or says that the other was faster, and the stack is whole', async () => {
  const directory = project('twice');
  const deploy = () => lamella(['deploy', '--yes'], { cwd: directory, environment: environment() });
  const both = await Promise.all([deploy(), deploy()]);
  for (const { code, stderr } of both) {
    expect(code === 0 || /was changed by another deployment meanwhile/.test(stderr), stderr).toBe(true);
  }
  expect(both.some(({ code }) => code === 0)).toBe(true);
  expect((await run(directory, 'deploy', '--yes')).stderr).toContain('Nothing to deploy');
  expect(await statusOf('twice')).toBe('CREATE_COMPLETE');
}, 60_000);

it('reads what SAM reads of samconfig.toml, and refuses what it does not do', async () => {
  const directory = project('configured');
  const config = (deploy: string) =>
    write(
      directory,
      'samconfig.toml',
      `version = 0.1\n[prod.global.parameters]\nstack_name = "from-file"\nwarm_containers = "EAGER"\n[prod.deploy.parameters]\nconfirm_changeset = false\nparameter_overrides = "Word=\\"three words\\""\ncapabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"\ntags = "team=web"\n${deploy}\n[prod.lamella_deploy.parameters]\njson = true\n`,
    );
  config('image_repositories = []');
  const deployed = await run(directory, 'deploy', '--config-env', 'prod');
  expect([deployed.code, JSON.parse(deployed.stdout.toString())]).toMatchObject([0, { stack: { name: 'from-file' } }]);
  const stack = (await stacks.send(new DescribeStacksCommand({ StackName: 'from-file' }))).Stacks?.[0];
  expect(stack).toMatchObject({
    Parameters: [{ ParameterKey: 'Word', ParameterValue: 'three words' }],
    Tags: [{ Key: 'team', Value: 'web' }],
  });
  config('signing_profiles = "One=x"');
  const refused = await run(directory, 'deploy', '--config-env', 'prod');
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('sets signing_profiles, which `lamella deploy` does not have: Lamella does not sign code'),
  ]);
  const guided = await run(directory, 'deploy', '--guided');
  expect([guided.code, guided.stderr]).toEqual([2, expect.stringContaining('There is no --guided')]);
  config('');
  expect((await run(directory, 'destroy', '--config-env', 'prod', '--yes')).code).toBe(0);
  expect(await statusOf('from-file')).toBeUndefined();
}, 60_000);

it('a template of more than 51,200 bytes goes through the bucket, and a bucket of the stack that is not empty stays', async () => {
  const descriptions = Array.from(
    { length: 60 },
    (_, index) =>
      `  G${index}: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: v, Description: ${'x'.repeat(1000)}}}`,
  );
  const directory = project(
    'large',
    `Resources:\n  Files: {Type: 'AWS::S3::Bucket'}\n${descriptions.join('\n')}\nOutputs: {Files: {Value: !Ref Files}}\n`,
  );
  const planned = await run(directory, 'deploy', '--dry-run');
  expect(planned.code).toBe(0);
  proxy.calls.length = 0;
  const deployed = JSON.parse((await run(directory, 'deploy', '--yes', '--json')).stdout.toString());
  expect(deployed.stack.status).toBe('CREATE_COMPLETE');
  const created = proxy.calls.find(({ name }) => name === 'cloudformation:CreateChangeSet');
  expect(created?.form.get('TemplateURL')).toMatch(/\/large\/[0-9a-f]{64}\.template$/);
  await s3.send(new PutObjectCommand({ Bucket: deployed.outputs.Files, Key: 'kept', Body: 'x' }));
  const kept = await run(directory, 'destroy', '--yes');
  expect([kept.code, kept.stderr]).toEqual([
    1,
    expect.stringMatching(/could not be deleted, and is in DELETE_FAILED:\n {2}Files DELETE_FAILED: .*not empty/),
  ]);
  const emptied = await run(directory, 'destroy', '--yes', '--empty-buckets');
  expect([emptied.code, emptied.stderr]).toEqual([0, expect.stringContaining('Deleted large')]);
}, 60_000);

it('says what is wrong with keys, regions and buckets, and what to do', async () => {
  const directory = project('wrong');
  const answer = (code: string, status: number) => ({
    status,
    body: `<ErrorResponse><Error><Code>${code}</Code><Message>The text of AWS</Message></Error></ErrorResponse>`,
  });
  proxy.onCall = ({ name }) => (name === 'cloudformation:CreateChangeSet' ? answer('ExpiredToken', 403) : undefined);
  const expired = await run(directory, 'deploy', '--yes');
  expect([expired.code, expired.stderr]).toEqual([
    5,
    expect.stringMatching(
      /ExpiredToken\) when calling the CreateChangeSet operation: The text of AWS\nThe keys have expired\. Log in again/,
    ),
  ]);
  let throttled = 0;
  proxy.onCall = ({ name }) =>
    name === 'cloudformation:DescribeStacks' && throttled++ < 2 ? answer('Throttling', 400) : undefined;
  expect((await run(directory, 'deploy', '--yes', '--dry-run')).code).toBe(0);
  proxy.onCall = undefined;
  const missing = await run(directory, 'deploy', '--yes', '--s3-bucket', 'nowhere');
  expect([missing.code, missing.stderr]).toEqual([
    1,
    expect.stringContaining('Cannot use the bucket nowhere: it does not exist.'),
  ]);
  // The service knows the account that owns its buckets: another one must not get code.
  const { Stacks } = await stacks.send(new DescribeStacksCommand({ StackName: MANAGED }));
  const bucket = Stacks?.[0]?.Outputs?.[0]?.OutputValue ?? '';
  const foreign = await run(directory, 'deploy', '--yes', '--s3-bucket', bucket, '--s3-bucket-owner', '999999999999');
  expect([foreign.code, foreign.stderr]).toEqual([
    1,
    expect.stringContaining('the account 999999999999 does not own it'),
  ]);
  const offline = await run(directory, 'deploy', '--yes', '--endpoint-url', 'http://127.0.0.1:1');
  expect([offline.code, offline.stderr]).toEqual([
    5,
    expect.stringContaining('Cannot reach http://127.0.0.1:1: connection refused.'),
  ]);
  const capabilities = project('named', TEMPLATE.replace('{AssumeRole', '{RoleName: named, AssumeRole'));
  const named = await run(capabilities, 'deploy', '--yes');
  expect([named.code, named.stderr]).toEqual([
    5,
    expect.stringMatching(/Requires capabilities : \[CAPABILITY_NAMED_IAM\]\nAgree with --capabilities/),
  ]);
  expect(await statusOf('wrong')).toBeUndefined();
}, 60_000);

it('checks before it deploys, and `check` fails for warnings only if it is asked to', async () => {
  const directory = project('checked', TEMPLATE.replace('CodeUri: two,', 'CodeUri: two, Runtime: nodejs14.x,'));
  const refused = await run(directory, 'deploy', '--yes');
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(
      /template\.yaml:7:\d+: error: AWS no longer accepts the runtime nodejs14\.x \[runtime-retired\]\n[\s\S]*error: The project would not work on AWS: 1 error\./,
    ),
  ]);
  expect(proxy.takeNames()).toEqual([]);
  project('checked');
  write(directory, 'one/log.php', "<?php\nfile_put_contents('/var/log/app.log', '');\n");
  const checked = await run(directory, 'check');
  expect([checked.code, checked.stdout.toString()]).toEqual([
    0,
    'one/log.php:2: warning: file_put_contents writes to /var/log/app.log: on AWS only /tmp is writable [write-outside-tmp]\n    Write below /tmp, or to S3.\n',
  ]);
  const strict = await run(directory, 'check', '--strict', '--json');
  expect([strict.code, JSON.parse(strict.stdout.toString()).counts]).toEqual([1, { error: 0, warning: 1, note: 0 }]);
  expect(proxy.takeNames()).toEqual([]);
}, 60_000);

it('the AWS CLI packages and deploys what `lamella build` makes', async ({ skip }) => {
  const path = await cliWithEndpoints();
  if (path === undefined) return skip();
  const directory = project('packaged');
  expect((await run(directory, 'build')).code).toBe(0);
  const { Stacks } = await stacks.send(new DescribeStacksCommand({ StackName: MANAGED }));
  const bucket = Stacks?.[0]?.Outputs?.[0]?.OutputValue ?? '';
  const cli = awsCli(path, cloud.url, join(directory, '.aws-sam/build'));
  try {
    const keys = `export AWS_ACCESS_KEY_ID=${KEYS.accessKeyId} AWS_SECRET_ACCESS_KEY=${KEYS.secretAccessKey} AWS_ENDPOINT_URL=${cloud.url}`;
    const done = await cli.script(`${keys}
      aws cloudformation package --template-file template.yaml --s3-bucket ${bucket} --output-template-file packaged.yaml
      aws cloudformation deploy --template-file packaged.yaml --stack-name packaged --capabilities CAPABILITY_IAM`);
    expect([done.code, done.stderr]).toEqual([0, expect.any(String)]);
  } finally {
    cli.close();
  }
  const stack = (await stacks.send(new DescribeStacksCommand({ StackName: 'packaged' }))).Stacks?.[0];
  expect(stack?.StackStatus).toBe('CREATE_COMPLETE');
  expect(await invoke(stack?.Outputs?.[0]?.OutputValue ?? '')).toMatch(/^"one one /);
}, 60_000);

/** The first AWS CLI on the PATH that uploads to an endpoint: `package` does not take `--endpoint-url` for S3. */
async function cliWithEndpoints(): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, 'aws');
    const version = await new Promise<string>((resolve) => {
      execFile(path, ['--version'], (_, stdout) => resolve(stdout));
    });
    const number = /aws-cli\/(\d+\.\d+\.\d+)/.exec(version)?.[1];
    if (number !== undefined && readsEndpointVariables(number)) return path;
  }
  return undefined;
}
