/**
 * Deploys a built project through CloudFormation: the bucket, uploads, a change set that is shown as a plan, and its
 * execution once the user agrees. There is no other way to change a stack in Lamella.
 */
import { createHash } from 'node:crypto';
import { OperatorError } from '../../operator-error.ts';
import { CLOUDFORMATION_QUOTAS } from '../../protocol/cloudformation-operations.ts';
import { isObject, type Json, member, section } from '../../template/tree.ts';
import type { BuiltProject } from '../build/build-project.ts';
import { callQuery, type QueryInput, textAt } from '../cloud/cloud-client.ts';
import type { ObjectStore } from '../cloud/object-store.ts';
import type { PlannedChange, StackDescription } from '../cloud/stack-api.ts';
import { findManagedBucket, MANAGED_STACK, makeManagedBucket, openBucket } from './artifact-bucket.ts';
import type { Deployer } from './deployer.ts';
import { keyOf, type PackagedTemplate, packageTemplate, type Upload } from './package-template.ts';
import { prepareChange, removeStack, type StackState, settleStack } from './run-stack.ts';

export type DeployRequest = {
  readonly stackName: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly capabilities: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
  readonly roleArn?: string | undefined;
  readonly notificationArns?: readonly string[];
  /** Undefined for the managed bucket. */
  readonly bucket: string | undefined;
  /** The account that owns `bucket`. Defaults to that of the keys. */
  readonly bucketOwner: string | undefined;
  readonly prefix: string;
  readonly disableRollback: boolean;
  readonly onFailure?: string | undefined;
  /** `plan`: only show it. `create`: leave the change set for somebody else to execute. */
  readonly mode: 'execute' | 'plan' | 'create';
};

export type DeployPlan = {
  readonly stackName: string;
  readonly account: string;
  readonly region: string;
  readonly isNew: boolean;
  readonly changes: readonly PlannedChange[];
  /** Those that are not in the bucket yet. */
  readonly uploads: readonly Upload[];
  readonly uploadsTotal: number;
  /** Whether `uploads` are in the bucket now. CloudFormation can be asked only then, except for a plan. */
  readonly isUploaded: boolean;
  /** Undefined if nothing has to be uploaded. */
  readonly bucket: string | undefined;
};

export type DeployResult = {
  readonly status: 'deployed' | 'unchanged' | 'declined' | 'planned' | 'created';
  readonly plan: DeployPlan | undefined;
  /** The stack afterwards; undefined if it does not exist. */
  readonly stack: StackDescription | undefined;
  readonly changeSetId?: string;
};

/** What the deployment asks. Each resolves to whether to go on. */
export type DeployQuestions = {
  /** Before the managed bucket is made. */
  makeBucket(stackName: string): Promise<boolean>;
  /** Before a stack whose creation failed is deleted. */
  deleteFailed(stack: StackDescription): Promise<boolean>;
  /** Before the change set is executed. */
  execute(plan: DeployPlan): Promise<boolean>;
};

/** The name of a bucket in a plan, before it is made. */
const FUTURE_BUCKET = 'made-by-the-deployment';

/** @throws OperatorError, CloudFailure */
export async function deployProject(
  deployer: Deployer,
  project: BuiltProject,
  request: DeployRequest,
  questions: DeployQuestions,
): Promise<DeployResult> {
  const { client, stacks } = deployer;
  const account = await callerAccount(deployer);
  let state = await settleStack(deployer, request.stackName);
  if (state.kind === 'failed') {
    if (request.mode !== 'execute' || !(await questions.deleteFailed(state.stack)))
      return failedResult(state.stack, request.mode);
    await removeStack(deployer, state.stack.id, request.stackName);
    state = { kind: 'new', inReview: false };
  }
  const name = request.bucket ?? (await findManagedBucket(deployer));
  const packaged = await packageFor(deployer, project, request, name ?? FUTURE_BUCKET);
  if (state.kind === 'existing' && (await isUnchanged(deployer, state.stack, packaged, request))) {
    return { status: 'unchanged', plan: undefined, stack: state.stack };
  }
  const isTooLarge = Buffer.byteLength(packaged.text) > CLOUDFORMATION_QUOTAS.templateBodyCharacters;
  const needsBucket = packaged.uploads.length > 0 || isTooLarge;
  const bucket = needsBucket ? await bucketFor(deployer, request, name, account, questions) : undefined;
  if (bucket === 'declined') return { status: 'declined', plan: undefined, stack: undefined };
  const final =
    bucket === undefined || bucket.bucket === name
      ? packaged
      : await packageFor(deployer, project, request, bucket.bucket);
  const missing = bucket === undefined ? final.uploads : await missingUploads(bucket, final.uploads);
  if (request.mode !== 'plan' && bucket !== undefined) await upload(deployer, bucket, missing);
  const source = await templateSource(deployer, request, final.text, isTooLarge, bucket);
  const change = await prepareChange(
    deployer,
    {
      stackName: request.stackName,
      input: changeInput(project, request, state, source),
      execution: executionInput(request),
    },
    state,
  );
  if (change.isEmpty) {
    await change.discard();
    return { status: 'unchanged', plan: undefined, stack: await stacks.describe(request.stackName) };
  }
  const plan: DeployPlan = {
    stackName: request.stackName,
    account,
    region: client.target.region,
    isNew: state.kind === 'new',
    changes: change.changeSet.changes,
    uploads: missing,
    uploadsTotal: final.uploads.length,
    isUploaded: request.mode !== 'plan',
    bucket: bucket?.bucket,
  };
  if (request.mode === 'create') {
    return { status: 'created', plan, stack: undefined, changeSetId: change.changeSet.id };
  }
  let isAgreed = false;
  try {
    isAgreed = await questions.execute(plan);
  } finally {
    if (!isAgreed) await change.discard();
  }
  if (!isAgreed) return { status: request.mode === 'plan' ? 'planned' : 'declined', plan, stack: undefined };
  return { status: 'deployed', plan, stack: await change.execute() };
}

function failedResult(stack: StackDescription, mode: DeployRequest['mode']): DeployResult {
  if (mode === 'execute') return { status: 'declined', plan: undefined, stack };
  const remedy = `Deploy without --dry-run, which deletes it first, or run: lamella destroy --stack-name ${stack.name}`;
  throw new OperatorError('stack-unusable', { name: stack.name, status: stack.status, reason: '', remedy });
}

/** The account of the keys. */
export async function callerAccount({ client, signal }: Deployer): Promise<string> {
  const identity = await callQuery(client, { service: 'sts', version: '2011-06-15' }, 'GetCallerIdentity', {}, signal);
  return textAt(identity, 'Account') ?? '';
}

export function packageFor({ client }: Deployer, project: BuiltProject, { prefix }: DeployRequest, bucket: string) {
  return packageTemplate(project, { bucket, prefix, objectUrl: client.objectUrl });
}

async function bucketFor(
  deployer: Deployer,
  request: DeployRequest,
  name: string | undefined,
  account: string,
  questions: DeployQuestions,
): Promise<ObjectStore | 'declined' | undefined> {
  const owner = request.bucket === undefined ? account : (request.bucketOwner ?? account);
  if (name !== undefined) return openBucket(deployer, name, owner);
  // A plan is made without the bucket.
  if (request.mode === 'plan') return undefined;
  if (!(await questions.makeBucket(MANAGED_STACK))) return 'declined';
  return openBucket(deployer, await makeManagedBucket(deployer), owner);
}

async function missingUploads(store: ObjectStore, uploads: readonly Upload[]): Promise<Upload[]> {
  const present = await Promise.all(uploads.map(({ key }) => store.has(key)));
  return uploads.filter((_, index) => !present[index]);
}

async function upload({ onStatus, signal }: Deployer, store: ObjectStore, uploads: readonly Upload[]): Promise<void> {
  for (const [index, { key, bytes, names, content }] of uploads.entries()) {
    signal?.throwIfAborted();
    onStatus(`Uploading ${index + 1} of ${uploads.length}: ${names.join(', ')} (${sizeOf(bytes)})`);
    if ('file' in content) await store.putFile(key, content.file);
    else await store.put(key, content.body);
  }
}

function sizeOf(bytes: number): string {
  return bytes >= 1_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`;
}

/** The template in the request, or in the bucket if it is too large for a request. */
async function templateSource(
  { client }: Deployer,
  request: DeployRequest,
  text: string,
  isTooLarge: boolean,
  bucket: ObjectStore | undefined,
): Promise<QueryInput> {
  if (!isTooLarge) return { TemplateBody: text };
  const limit = CLOUDFORMATION_QUOTAS.templateBodyCharacters;
  if (bucket === undefined) {
    const reason = `The template has more than ${limit} bytes, so a plan needs a bucket: name one with --s3-bucket, or deploy without --dry-run.`;
    throw new OperatorError('usage', { reason, command: 'deploy' });
  }
  const body = Buffer.from(text);
  const key = keyOf(request, createHash('sha256').update(body).digest('hex'), '.template');
  if (!(await bucket.has(key))) await bucket.put(key, body);
  return { TemplateURL: client.objectUrl(bucket.bucket, key) };
}

function changeInput(project: BuiltProject, request: DeployRequest, state: StackState, source: QueryInput): QueryInput {
  const { capabilities, tags, roleArn, notificationArns, onFailure } = request;
  const known = new Set(state.kind === 'existing' ? state.stack.parameters.map(({ key }) => key) : []);
  const kept = Object.keys(section(project.body, 'Parameters')).filter(
    (name) => known.has(name) && !request.parameters.has(name),
  );
  return {
    ...source,
    Parameters: [
      ...[...request.parameters].map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue })),
      ...kept.map((ParameterKey) => ({ ParameterKey, UsePreviousValue: true })),
    ],
    Capabilities: capabilities,
    Tags: [...tags].map(([Key, Value]) => ({ Key, Value })),
    RoleARN: roleArn,
    NotificationARNs: notificationArns,
    OnStackFailure: onFailure,
    IncludeNestedStacks: Object.keys(project.nested).length > 0 ? true : undefined,
  };
}

function executionInput({ disableRollback }: DeployRequest): QueryInput {
  return disableRollback ? { DisableRollback: true } : {};
}

/**
 * Whether the stack was deployed from this template with these values, so that no change set is needed to know that there
 * is nothing to do. Values that CloudFormation looks up itself may have changed: a change set knows.
 */
async function isUnchanged(
  { stacks }: Deployer,
  stack: StackDescription,
  packaged: PackagedTemplate,
  request: DeployRequest,
): Promise<boolean> {
  const declared = section(packaged.body, 'Parameters');
  const values = new Map(stack.parameters.map(({ key, value }) => [key, value]));
  const isLookedUp = Object.values(declared).some((each) => String(member(each, 'Type')).startsWith('AWS::SSM::'));
  const hasMacros = usesMacros(packaged.body);
  const isSame = [...request.parameters].every(([name, value]) => values.get(name) === value);
  const isComplete = /^(CREATE|UPDATE)_COMPLETE$/.test(stack.status);
  if (isLookedUp || hasMacros || !isSame || !isComplete || request.roleArn !== undefined) return false;
  if (Object.keys(declared).some((name) => !values.has(name))) return false;
  if (
    stack.tags.size !== request.tags.size ||
    [...request.tags].some(([name, value]) => stack.tags.get(name) !== value)
  )
    return false;
  return (await stacks.template(stack.id)) === packaged.text;
}

/** Whether a transform runs code of the account, or reads a file that may have changed. */
function usesMacros(node: Json): boolean {
  if (Array.isArray(node)) return node.some(usesMacros);
  if (!isObject(node)) return false;
  return Object.entries(node).some(([key, value]) => key === 'Fn::Transform' || usesMacros(value));
}
